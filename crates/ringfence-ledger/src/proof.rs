//! Inclusion and consistency proofs: made from leaf hashes, and verified.
//!
//! Source: RFC 9162 2.1.3 and 2.1.4 (the algorithms; the hashes are those of RFC 6962).

use std::ops::Range;

use crate::tree::{Frontier, Hash, node_hash};

/// Whether `proof` shows that the leaf with hash `leaf` has index `index` in the tree of `size`
/// leaves with root `root`.
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    // RFC 9162 2.1.3.2
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            let levels = levels_up(node);
            (node, last) = (node >> levels, last >> levels);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `new_size` leaves continues the tree of `old_size`.
///
/// An empty old tree is refused: RFC 9162 defines no proof for it.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> bool {
    if old_size == 0 || old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    // RFC 9162 2.1.4.2
    let mut rest = proof.iter();
    let start = if old_size.is_power_of_two() {
        Some(old_root)
    } else {
        rest.next()
    };
    let Some(start) = start else { return false };
    if proof.is_empty() {
        return false;
    }
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    let odd = node.trailing_ones();
    (node, last) = (node >> odd, last >> odd);
    let (mut old, mut new) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            (old, new) = (node_hash(sibling, &old), node_hash(sibling, &new));
            let levels = levels_up(node);
            (node, last) = (node >> levels, last >> levels);
        } else {
            new = node_hash(&new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old == *old_root && new == *new_root
}

// How many levels a right edge that is a left child climbs without a sibling; none for a right
// child, and node 0 has nowhere to climb to.
fn levels_up(node: u64) -> u32 {
    if node == 0 { 0 } else { node.trailing_zeros() }
}

/// The ranges of leaves whose roots prove that leaf `index` is in the tree of `size` leaves, from
/// the leaf's sibling up; none when it is not.
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let mut ranges = Vec::new();
    let mut range = 0..size;
    while range.end - range.start > 1 {
        let (left, right) = halves(&range);
        let (kept, proven) = if index < left.end {
            (left, right)
        } else {
            (right, left)
        };
        ranges.push(proven);
        range = kept;
    }
    ranges.reverse();
    Some(ranges)
}

/// The ranges of leaves whose roots prove that the tree of `size` leaves continues that of
/// `old_size`; none when `old_size` is zero or too large.
pub(crate) fn consistency_ranges(old_size: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if old_size == 0 || old_size > size {
        return None;
    }
    let mut ranges = Vec::new();
    // RFC 9162 2.1.4.1: `whole` is its b, whether the old tree is a full subtree the verifier knows.
    let (mut range, mut whole) = (0..size, true);
    while old_size < range.end {
        let (left, right) = halves(&range);
        if old_size <= left.end {
            ranges.push(right);
            range = left;
        } else {
            ranges.push(left);
            range = right;
            whole = false;
        }
    }
    if !whole {
        ranges.push(range);
    }
    ranges.reverse();
    Some(ranges)
}

// Splits a range of at least two leaves at the largest power of two below its length.
fn halves(range: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let length = range.end - range.start;
    let middle = range.start + (1 << (u64::BITS - 1 - (length - 1).leading_zeros()));
    (range.start..middle, middle..range.end)
}

/// The proof that leaf `index` is in the tree over `leaves`; none when it is not.
pub fn prove_inclusion(index: usize, leaves: &[Hash]) -> Option<Vec<Hash>> {
    Some(roots(
        inclusion_ranges(index as u64, leaves.len() as u64)?,
        leaves,
    ))
}

/// The proof that the tree over `leaves` continues the tree over the first `old_size` of them; none
/// when `old_size` is zero or too large.
pub fn prove_consistency(old_size: usize, leaves: &[Hash]) -> Option<Vec<Hash>> {
    Some(roots(
        consistency_ranges(old_size as u64, leaves.len() as u64)?,
        leaves,
    ))
}

fn roots(ranges: Vec<Range<u64>>, leaves: &[Hash]) -> Vec<Hash> {
    let root = |range: Range<u64>| root(&leaves[range.start as usize..range.end as usize]);
    ranges.into_iter().map(root).collect()
}

/// The root over `leaves`.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}
