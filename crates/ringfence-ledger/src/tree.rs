//! The Merkle tree of RFC 6962 2.1 over SHA-256, grown one leaf at a time.
//!
//! [`Frontier`] keeps only the roots of the full subtrees, at most 64 hashes however large the log.

use aws_lc_rs::digest::{SHA256, digest};

/// A SHA-256 hash: of a leaf, of a node, or a root.
pub type Hash = [u8; 32];

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// The hash of a leaf: `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    LeafHasher::default().hash(entry)
}

/// Hashes leaves through one buffer, so that the prefix costs no allocation per leaf.
#[derive(Default)]
pub(crate) struct LeafHasher(Vec<u8>);

impl LeafHasher {
    pub(crate) fn hash(&mut self, entry: &[u8]) -> Hash {
        self.0.clear();
        self.0.push(0);
        self.0.extend_from_slice(entry);
        sha256(&self.0)
    }
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    sha256(&bytes)
}

/// The right edge of a growing tree.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frontier {
    size: u64,
    /// Roots of the full subtrees, largest first: one for each bit set in `size`.
    roots: Vec<Hash>,
}

impl Frontier {
    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one of the size is a full subtree as large as what we carry.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far; of the empty tree, SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else {
            return sha256(b"");
        };
        roots.fold(*last, |right, left| node_hash(left, &right))
    }
}
