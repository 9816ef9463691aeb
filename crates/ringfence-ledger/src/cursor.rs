//! Walks the checkpoints alongside the entries: each must be well formed, of this log, signed by its
//! key, in order, and fit the tree of its size.

use std::collections::VecDeque;

use crate::checkpoint::{Check, Checkpoint, Record, Records};
use crate::fault::{Fault, FaultKind, Part};
use crate::note;
use crate::scan::{Position, Stop};
use crate::store::Source;
use crate::tree::{Frontier, Hash};
use crate::vkey::VerifierKey;

/// Where the file of checkpoints ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckpointsEnd {
    pub(crate) count: u64,
    /// The end of the last whole record, in bytes.
    pub(crate) offset: u64,
    pub(crate) check: Check,
    /// Checkpoints whose root was compared with the entries.
    pub(crate) compared: u64,
    /// The size and root of the last one of them.
    pub(crate) last: Option<(u64, Hash)>,
    /// Bytes of an incomplete record behind it.
    pub(crate) torn: u64,
    /// The newest notes, newest last.
    pub(crate) recent: VecDeque<Vec<u8>>,
}

/// Notes remembered, so that a running log's `checkpoint` may lag or lead while we read.
pub(crate) const RECENT: usize = 8;

/// Walks the checkpoints alongside the entries.
pub(crate) struct Cursor<'s> {
    records: Records<'s>,
    origin: &'s str,
    key: Option<&'s VerifierKey>,
    /// The next checkpoint to compare, and where its record starts.
    next: Option<(u64, Checkpoint)>,
    pub(crate) end: CheckpointsEnd,
}

impl<'s> Cursor<'s> {
    /// Starts before the first checkpoint of the log `origin`, in a file of `end` bytes.
    pub(crate) fn start(
        source: &'s dyn Source,
        end: u64,
        origin: &'s str,
        key: Option<&'s VerifierKey>,
    ) -> Result<Self, Stop> {
        let records = Records::new(source, end);
        let mut cursor = Self {
            records,
            origin,
            key,
            next: None,
            end: CheckpointsEnd::default(),
        };
        cursor.advance()?;
        Ok(cursor)
    }

    /// The size of the next checkpoint.
    pub(crate) fn due(&self) -> Option<u64> {
        self.next.as_ref().map(|(_, checkpoint)| checkpoint.size)
    }

    /// Compares the tree with every checkpoint of its size.
    pub(crate) fn compare(&mut self, tree: &Frontier) -> Result<(), Stop> {
        while let Some((offset, checkpoint)) = &self.next
            && checkpoint.size == tree.size()
        {
            if checkpoint.root != tree.root() {
                return Err(self.rewritten(*offset, tree.size()).into());
            }
            self.end.last = Some((checkpoint.size, checkpoint.root));
            self.end.compared += 1;
            self.advance()?;
        }
        Ok(())
    }

    fn rewritten(&self, offset: u64, size: u64) -> Fault {
        let sound = self.end.last.map_or(0, |(size, _)| size);
        Fault {
            part: Part::Checkpoints,
            offset,
            entry: Some(sound),
            kind: FaultKind::Rewritten,
            sentence: format!(
                "the checkpoint over {size} entries does not fit them: at least one of entries \
                 {sound} to {} was altered, dropped, added or moved after the checkpoint was \
                 signed, and the batches were written anew",
                size.saturating_sub(1)
            ),
        }
    }

    // Reads the next checkpoint and checks all but its root.
    fn advance(&mut self) -> Result<(), Stop> {
        self.next = None;
        let (offset, note) = match self.records.next()? {
            Record::Note(offset, note) => (offset, note),
            Record::End => return Ok(()),
            Record::Broken => {
                self.end.torn = self.records.remaining();
                return Ok(());
            }
        };
        let checkpoint = self.read(offset, &note)?;
        if let Some((size, _)) = self.end.last.filter(|(size, _)| checkpoint.size < *size) {
            return Err(checkpoint_fault(
                offset,
                FaultKind::CheckpointReplaced,
                format!(
                    "a checkpoint over {} entries follows one over {size}: an older one was put in",
                    checkpoint.size
                ),
            ));
        }
        self.end.count = self.records.count;
        self.end.offset = self.records.offset;
        self.end.check = self.records.check;
        self.end.recent.push_back(note);
        if self.end.recent.len() > RECENT {
            self.end.recent.pop_front();
        }
        self.next = Some((offset, checkpoint));
        Ok(())
    }

    fn read(&self, offset: u64, record: &[u8]) -> Result<Checkpoint, Stop> {
        let text = match self.key {
            Some(key) => note::verify(record, key),
            None => note::text(record),
        };
        let text = text.map_err(|error| {
            let (kind, sentence) = match error {
                note::NoteError::Malformed(what) => (
                    FaultKind::CheckpointDamaged,
                    format!("a checkpoint is not a signed note ({what}): it was altered"),
                ),
                note::NoteError::NoSignature => (
                    FaultKind::CheckpointSignature,
                    "a checkpoint is not signed by the log's key: it was forged, or this is \
                     another log's key"
                        .into(),
                ),
                note::NoteError::WrongSignature => (
                    FaultKind::CheckpointSignature,
                    "the signature of a checkpoint does not fit its text: it was altered or forged"
                        .into(),
                ),
            };
            checkpoint_fault(offset, kind, sentence)
        })?;
        Checkpoint::parse(text)
            .filter(|checkpoint| checkpoint.origin == self.origin)
            .ok_or_else(|| {
                let sentence = format!("a checkpoint is not one of the log {}", self.origin);
                checkpoint_fault(offset, FaultKind::CheckpointDamaged, sentence)
            })
    }

    /// After the last entry: is there a checkpoint over more entries than there are?
    pub(crate) fn finish(&self, position: &Position) -> Result<(), Stop> {
        let Some((_, checkpoint)) = &self.next else {
            return Ok(());
        };
        let (have, signed) = (position.tree.size(), checkpoint.size);
        Err(Stop::from(Fault {
            part: Part::Entries,
            offset: position.offset,
            entry: Some(have),
            kind: FaultKind::Truncated,
            sentence: format!(
                "the log ends after {have} entries but a checkpoint covers {signed}: {} entries \
                 were cut off the end, or their last batch was damaged",
                signed - have
            ),
        }))
    }
}

fn checkpoint_fault(offset: u64, kind: FaultKind, sentence: String) -> Stop {
    Stop::from(Fault {
        part: Part::Checkpoints,
        offset,
        entry: None,
        kind,
        sentence,
    })
}
