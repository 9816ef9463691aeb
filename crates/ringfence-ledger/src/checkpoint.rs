//! Checkpoints (C2SP tlog-checkpoint) and the file that keeps them all.
//!
//! `checkpoints` is a row of records `length u16 | check 8 | note`. The check is chained over the
//! notes, so that a record cannot be altered or left out without the next one showing it, even
//! where no verifier key is at hand.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::fault::Part;
use crate::store::{Source, read_up_to};
use crate::tree::{Hash, sha256};
use crate::vkey::name_is_sound;

/// The statement that a log signs: so many entries, with this root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The note text.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        )
    }

    /// Parses a note text strictly: there is one spelling per checkpoint. Extension lines, which
    /// this log never writes, are refused.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_extended(text).filter(|parsed| parsed.text() == text)
    }

    /// Parses a note text of any log: extension lines, which say nothing about the tree, may follow.
    pub fn parse_extended(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let parsed = Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: STANDARD.decode(root).ok()?.try_into().ok()?,
        };
        // Writing it again catches leading zeros, a plus sign and whatever else is not canonical.
        let canonical = text.starts_with(&parsed.text()) && lines.all(|line| !line.is_empty());
        (name_is_sound(origin) && canonical).then_some(parsed)
    }
}

/// A decimal number in its one spelling.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Bytes before the note in a record.
pub(crate) const RECORD_HEADER: usize = 10;

/// The chained check of a record.
pub(crate) type Check = [u8; 8];

const RECORD_CHECK: u8 = 4;

pub(crate) fn next_check(before: &Check, note: &[u8]) -> Check {
    let mut bytes = vec![RECORD_CHECK];
    bytes.extend_from_slice(before);
    bytes.extend_from_slice(note);
    let mut check = [0; 8];
    check.copy_from_slice(&sha256(&bytes)[..8]);
    check
}

/// A record of `note`, which has at most 65,535 bytes, and its check.
pub(crate) fn record(before: &Check, note: &[u8]) -> (Vec<u8>, Check) {
    let check = next_check(before, note);
    // Our notes have one signature and an origin of at most 255 bytes.
    let mut bytes = (note.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(&check);
    bytes.extend_from_slice(note);
    (bytes, check)
}

/// Reads the records one after the other, with flat memory.
pub(crate) struct Records<'s> {
    source: &'s dyn Source,
    end: u64,
    /// Where the next record starts.
    pub(crate) offset: u64,
    /// The check of the last record read.
    pub(crate) check: Check,
    /// Records read.
    pub(crate) count: u64,
    window: Vec<u8>,
    window_at: u64,
}

/// What [`Records::next`] found.
pub(crate) enum Record {
    /// A whole record: where it starts, and its note.
    Note(u64, Vec<u8>),
    /// The end of the file.
    End,
    /// Bytes that are no whole record.
    Broken,
}

const WINDOW: usize = 256 * 1024;

impl<'s> Records<'s> {
    pub(crate) fn new(source: &'s dyn Source, end: u64) -> Self {
        Self {
            source,
            end,
            offset: 0,
            check: Check::default(),
            count: 0,
            window: Vec::new(),
            window_at: 0,
        }
    }

    pub(crate) fn next(&mut self) -> io::Result<Record> {
        if self.offset >= self.end {
            return Ok(Record::End);
        }
        let Some(note) = self.note()? else {
            return Ok(Record::Broken);
        };
        let start = self.offset;
        self.offset += (RECORD_HEADER + note.len()) as u64;
        self.check = next_check(&self.check, &note);
        self.count += 1;
        Ok(Record::Note(start, note))
    }

    /// Bytes from the next record to the end of the file.
    pub(crate) const fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.offset)
    }

    fn note(&mut self) -> io::Result<Option<Vec<u8>>> {
        let before = self.check;
        let Some(header) = self.bytes(self.offset, RECORD_HEADER)? else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([header[0], header[1]]));
        let stored = header[2..].to_vec();
        let start = self.offset + RECORD_HEADER as u64;
        let Some(note) = self.bytes(start, length)? else {
            return Ok(None);
        };
        Ok((next_check(&before, note)[..] == stored[..]).then(|| note.to_vec()))
    }

    fn bytes(&mut self, offset: u64, length: usize) -> io::Result<Option<&[u8]>> {
        if offset + length as u64 > self.end {
            return Ok(None);
        }
        let at = offset.wrapping_sub(self.window_at) as usize;
        let held = offset >= self.window_at && at + length <= self.window.len();
        if !held {
            let wanted = WINDOW.max(length);
            self.window = read_up_to(self.source, Part::Checkpoints, offset, wanted)?;
            self.window_at = offset;
        }
        let at = (offset - self.window_at) as usize;
        Ok(self.window.get(at..at + length))
    }
}
