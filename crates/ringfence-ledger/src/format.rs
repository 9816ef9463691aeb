//! The bytes of `entries.log`: one head sector, then batches, each starting at a sector boundary.
//!
//! ```text
//! head     magic 8 | origin length u16 | origin | zeros | SHA-256 of the first 480 bytes | 512 in all
//! batch    header  magic 8 | first index u64 | entries u32 | body bytes u32 | check 8
//!          body    per entry: length u16 | bytes           (the frame of a C2SP entry bundle)
//!          marks   per entry: first 4 bytes of its leaf hash
//!          footer  chain hash 32 | trailer 8
//!          zeros up to the next sector
//! ```
//!
//! Integers are big-endian. One batch is one write and one fdatasync, so after a crash at most the
//! last one is incomplete, and no write ever touches a sector that holds committed entries.
//! Marks prove nothing that the chain does not; they tell *which* entry was altered.

use crate::tree::{Hash, sha256};
use crate::vkey::name_is_sound;

/// What a disk writes whole or not at all.
pub(crate) const SECTOR: u64 = 512;
/// Bytes of a batch header.
pub(crate) const HEADER: usize = 32;
/// Bytes of the chain hash and the trailer.
pub(crate) const FOOTER: usize = 40;
/// Bytes of one mark.
pub(crate) const MARK: usize = 4;
/// Most bytes of framed entries in one batch.
pub(crate) const MAX_BODY: usize = crate::ledger::QUEUE_BYTES;
/// Most bytes of one batch: the shortest entry takes three bytes and a mark.
pub(crate) const MAX_BATCH: u64 = (MAX_BODY / 3 * MARK + MAX_BODY + HEADER + FOOTER + 512) as u64;

const HEAD_MAGIC: [u8; 8] = *b"\x89RFLOG1\n";
const HEAD_HASHED: usize = 480;
pub(crate) const BATCH_MAGIC: [u8; 8] = *b"\x89RFBATCH";
/// Ends a batch. No byte of it is zero or one bit away from zero, so a trailer that was not written
/// cannot be mistaken for one that was altered.
pub(crate) const TRAILER: [u8; 8] = *b"RFEND\xe2\r\n";

// Domain separation; 0 and 1 are the leaves and nodes of RFC 6962.
const CHAIN: u8 = 2;
const HEADER_CHECK: u8 = 3;
const HEAD_CHECK: u8 = 5;

pub(crate) fn tagged(tag: u8, parts: &[&[u8]]) -> Hash {
    let mut bytes = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    bytes.push(tag);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    sha256(&bytes)
}

/// The head sector of a log named `origin`.
pub(crate) fn head(origin: &str) -> Vec<u8> {
    let mut sector = vec![0; SECTOR as usize];
    sector[..8].copy_from_slice(&HEAD_MAGIC);
    // A sound origin has at most 255 bytes.
    sector[8..10].copy_from_slice(&(origin.len() as u16).to_be_bytes());
    sector[10..10 + origin.len()].copy_from_slice(origin.as_bytes());
    let check = tagged(HEAD_CHECK, &[&sector[..HEAD_HASHED]]);
    sector[HEAD_HASHED..].copy_from_slice(&check);
    sector
}

/// The origin in a head sector; none when it is not one.
pub(crate) fn read_head(sector: &[u8]) -> Option<&str> {
    if sector.len() != SECTOR as usize || sector[..8] != HEAD_MAGIC {
        return None;
    }
    if tagged(HEAD_CHECK, &[&sector[..HEAD_HASHED]])[..] != sector[HEAD_HASHED..] {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([sector[8], sector[9]]));
    let origin = std::str::from_utf8(sector.get(10..10 + length)?).ok()?;
    name_is_sound(origin).then_some(origin)
}

/// What the chain starts from: the head, so that a batch fits one log only.
pub(crate) fn first_chain(head: &[u8]) -> Hash {
    tagged(CHAIN, &[head])
}

/// The chain hash after a batch: over the one before, the Merkle root and the size after it.
pub(crate) fn next_chain(before: &Hash, root: &Hash, size: u64) -> Hash {
    tagged(CHAIN, &[before, root, &size.to_be_bytes()])
}

/// What stands in a batch header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BatchHeader {
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) body: u32,
}

impl BatchHeader {
    pub(crate) fn encode(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&BATCH_MAGIC);
        bytes[8..16].copy_from_slice(&self.first.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.count.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.body.to_be_bytes());
        let check = tagged(HEADER_CHECK, &[&bytes[..24]]);
        bytes[24..].copy_from_slice(&check[..8]);
        bytes
    }

    /// The header in `bytes`; none when it is not one, or describes no possible batch.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let header = Self {
            first: u64::from_be_bytes(*bytes[8..].first_chunk()?),
            count: u32::from_be_bytes(*bytes[16..].first_chunk()?),
            body: u32::from_be_bytes(*bytes[20..].first_chunk()?),
        };
        let possible = header.count > 0
            && header.body as usize <= MAX_BODY
            && u64::from(header.count) * 3 <= u64::from(header.body);
        (possible && header.encode() == *bytes).then_some(header)
    }

    /// Bytes from the header to the trailer.
    pub(crate) fn extent(self) -> usize {
        HEADER + self.body as usize + self.count as usize * MARK + FOOTER
    }

    /// Where the batch after this one starts, from the start of this one.
    pub(crate) fn padded(self) -> u64 {
        (self.extent() as u64).next_multiple_of(SECTOR)
    }
}

/// The entries in a batch body: offset of the entry's frame in the body, and the entry. Stops early
/// when a frame does not fit.
pub(crate) struct Frames<'b> {
    body: &'b [u8],
    at: usize,
}

impl<'b> Frames<'b> {
    pub(crate) const fn new(body: &'b [u8]) -> Self {
        Self { body, at: 0 }
    }

    /// Whether every byte of the body was in a frame.
    pub(crate) const fn consumed(&self) -> bool {
        self.at == self.body.len()
    }
}

impl<'b> Iterator for Frames<'b> {
    type Item = (usize, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let length = self.body.get(start..start + 2)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let entry = self.body.get(start + 2..start + 2 + length)?;
        self.at = start + 2 + length;
        Some((start, entry))
    }
}
