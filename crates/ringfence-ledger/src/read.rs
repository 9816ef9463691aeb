//! Reading the entries of one volume back, also while it grows.

use std::path::Path;

use crate::error::LedgerError;
use crate::fault::{Fault, FaultKind, Part};
use crate::format::{BatchHeader, FOOTER, Frames, HEADER, MARK, SECTOR, TRAILER};
use crate::posix::PosixSource;
use crate::store::{Source, read_up_to};
use crate::tree::{Hash, LeafHasher};

/// Reads the entries of a log in order.
///
/// Checks each entry against its mark, so that it never shows a half-written one; proves nothing
/// more, which is what `verify` is for. A batch is shown once it is complete in the file. In the
/// process that writes, ask for no index beyond [`crate::Ledger::committed`]: the last batch may
/// not be durable yet, and is cut again if it never becomes so.
pub(crate) struct VolumeReader {
    source: PosixSource,
    /// Where the next batch starts.
    offset: u64,
    from: u64,
    body: Vec<u8>,
    /// The next entry of `body`, and where its frame starts.
    index: u64,
    at: usize,
    /// Where the batch of `body` starts, and with which entry.
    batch: u64,
    first: u64,
    hasher: LeafHasher,
    /// Hashes of the entries of `body`.
    leaves: Vec<Hash>,
}

impl VolumeReader {
    /// Opens the log in `directory`, to read from entry `from` on.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when there is no log or it cannot be read.
    pub(crate) fn open(directory: &Path, from: u64) -> Result<Self, LedgerError> {
        let source = PosixSource::open(directory).map_err(LedgerError::io("opening the ledger"))?;
        if !matches!(source.size(Part::Entries), Ok(Some(_))) {
            return Err(LedgerError::Missing {
                directory: directory.to_owned(),
            });
        }
        Ok(Self {
            source,
            offset: SECTOR,
            from,
            body: Vec::new(),
            index: 0,
            at: 0,
            batch: SECTOR,
            first: 0,
            hasher: LeafHasher::default(),
            leaves: Vec::new(),
        })
    }

    /// The same, but starts at the batch at `offset` when that one holds the entry before `from`;
    /// from the beginning otherwise.
    pub(crate) fn resume(directory: &Path, from: u64, offset: u64) -> Result<Self, LedgerError> {
        let mut reader = Self::open(directory, from)?;
        let header = BatchHeader::decode(&reader.read(offset, HEADER)?);
        let holds = |header: &BatchHeader| {
            (header.first + 1..=header.first + u64::from(header.count)).contains(&from)
        };
        if offset >= SECTOR && header.as_ref().is_some_and(holds) {
            reader.offset = offset;
        }
        Ok(reader)
    }

    /// Where the batch of the entry shown last starts.
    pub(crate) const fn batch(&self) -> u64 {
        self.batch
    }

    /// The hash of the entry shown last.
    pub(crate) fn leaf(&self) -> Option<Hash> {
        let shown = self.index.checked_sub(self.first + 1)?;
        self.leaves.get(shown as usize).copied()
    }

    /// The next entry and its index; `None` when there is none yet: ask again later to follow.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the log cannot be read or an entry is not as it was written.
    pub(crate) fn next_entry(&mut self) -> Result<Option<(u64, &[u8])>, LedgerError> {
        if !self.more()? {
            return Ok(None);
        }
        let Some((_, entry)) = Frames::new(&self.body[self.at..]).next() else {
            return Ok(None);
        };
        let (start, length) = (self.at + 2, entry.len());
        self.at = start + length;
        self.index += 1;
        Ok(Some((self.index - 1, &self.body[start..start + length])))
    }

    /// Whether there is a next entry to show.
    ///
    /// # Errors
    ///
    /// As [`Self::next_entry`].
    pub(crate) fn more(&mut self) -> Result<bool, LedgerError> {
        loop {
            let next = Frames::new(&self.body[self.at..]).next();
            match next.map(|(_, entry)| entry.len()) {
                Some(_) if self.index >= self.from => return Ok(true),
                Some(length) => {
                    self.at += 2 + length;
                    self.index += 1;
                }
                None if self.next_batch()? => {}
                None => return Ok(false),
            }
        }
    }

    // Loads the next batch that holds an entry to show. False: there is none yet.
    fn next_batch(&mut self) -> Result<bool, LedgerError> {
        loop {
            let start = self.offset;
            let bytes = self.read(start, HEADER)?;
            let Some(header) = BatchHeader::decode(&bytes) else {
                return Ok(false);
            };
            let past = header.first + u64::from(header.count);
            if past > self.from {
                let mut batch = self.read(start, header.extent())?;
                if batch.len() < header.extent() || !batch.ends_with(&TRAILER) {
                    return Ok(false);
                }
                self.check(start, header, &batch)?;
                batch.truncate(HEADER + header.body as usize);
                (self.body, self.at, self.index) = (batch, HEADER, header.first);
                (self.batch, self.first) = (start, header.first);
            }
            self.offset = start + header.padded();
            if past > self.from {
                return Ok(true);
            }
        }
    }

    fn check(&mut self, start: u64, header: BatchHeader, batch: &[u8]) -> Result<(), LedgerError> {
        let marks_start = HEADER + header.body as usize;
        let marks = batch[marks_start..batch.len() - FOOTER].chunks_exact(MARK);
        let mut frames = Frames::new(&batch[HEADER..marks_start]);
        let mut sound = 0;
        self.leaves.clear();
        for ((_, entry), mark) in frames.by_ref().zip(marks) {
            let leaf = self.hasher.hash(entry);
            if leaf[..MARK] != *mark {
                break;
            }
            self.leaves.push(leaf);
            sound += 1;
        }
        if sound == header.count && frames.consumed() {
            return Ok(());
        }
        let entry = header.first + u64::from(sound);
        Err(LedgerError::Damaged(Box::new(Fault {
            part: Part::Entries,
            offset: start,
            entry: Some(entry),
            kind: FaultKind::EntryAltered,
            sentence: format!("entry {entry} is not as it was written; run verify"),
        })))
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, LedgerError> {
        read_up_to(&self.source, Part::Entries, offset, length)
            .map_err(LedgerError::io("reading the ledger"))
    }
}
