//! The log being written: [`Log::commit`] is the commit point, [`Log::sign`] the checkpoint.
//!
//! Owned by one thread. After an error the log must be brought back by [`Log::recover`] before
//! anything else is written: nothing is known about what the failed call left on the disk.

use std::collections::{HashSet, VecDeque};
use std::io;

use crate::audit::{Audit, audit};
use crate::checkpoint::{Checkpoint, record};
use crate::cursor::CheckpointsEnd;
use crate::error::LedgerError;
use crate::fault::{FaultKind, Part};
use crate::format::{BatchHeader, Frames, HEADER, MARK, SECTOR, TRAILER, head, next_chain};
use crate::key::SigningKey;
use crate::note;
use crate::personal::{Commitment, Lines, erase_in};
use crate::scan::{Position, Scanner, Step, Stop, Visit};
use crate::store::Store;
use crate::tail::Tail;
use crate::told::Told;
use crate::tree::{Frontier, Hash, LeafHasher};
use crate::vkey::VerifierKey;
use crate::volume::Opened;

/// Zeros written at once when laying out space.
const RESERVE_STEP: usize = 256 * 1024;

/// A log, open for writing.
pub(crate) struct Log {
    store: Box<dyn Store>,
    key: SigningKey,
    verifier: VerifierKey,
    /// The end of the last committed batch.
    position: Position,
    /// Where the newest checkpoint stands; the log before it is trusted without reading it again.
    anchor: Position,
    checkpoints: CheckpointsEnd,
    /// Whether the newest checkpoint also stands in its own file. While it does not, no further one
    /// is signed, so that the copy is never more than one behind.
    published: bool,
    /// Up to here the file is laid out with zeros.
    reserved: u64,
    hasher: LeafHasher,
    /// Bytes of the lines in `personal`; none while there is no such file.
    personal: Option<u64>,
}

/// What opening a log found.
pub(crate) struct Found {
    /// Ids of intents without outcome, as they stand in the entries.
    pub(crate) open_intents: HashSet<Box<str>>,
    /// What the first entry says, where it opens a volume.
    pub(crate) opened: Option<Opened>,
    /// Bytes of an incomplete batch that were cut off.
    pub(crate) cut_bytes: u64,
}

/// Frames of entries waiting to be a batch, behind room for its header.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    bytes: Vec<u8>,
    count: u32,
    /// Lines for `personal` that entries here or to come need. They outlive a failure.
    lines: Vec<u8>,
}

impl Pending {
    /// Adds an entry of 1 to 65,535 bytes.
    pub(crate) fn push(&mut self, length: u16, entry: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.resize(HEADER, 0);
        }
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(entry);
        self.count += 1;
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the frames.
    pub(crate) fn body(&self) -> usize {
        self.bytes.len().saturating_sub(HEADER)
    }

    /// Adds a line for `personal`.
    pub(crate) fn keep(&mut self, line: &[u8]) {
        self.lines.extend_from_slice(line);
    }

    /// Bytes of the lines.
    pub(crate) fn kept(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

impl Log {
    /// Opens the log in `store`, or makes it: checks it from end to end and cuts what a crash left.
    pub(crate) fn open(
        mut store: Box<dyn Store>,
        key: SigningKey,
        verifier: VerifierKey,
    ) -> Result<(Self, Found), LedgerError> {
        store
            .settle()
            .map_err(LedgerError::io("reading the ledger from the disk"))?;
        create(store.as_mut(), verifier.name())?;
        let audit = audit(
            &*store,
            Some(&verifier),
            false,
            Told::default(),
            &mut |_| {},
        )
        .map_err(LedgerError::io("reading the ledger"))?;
        foreign(&audit, &verifier)?;
        if let Some(fault) = audit.first_bad {
            return Err(LedgerError::Damaged(Box::new(fault)));
        }
        let mut log = Self {
            store,
            key,
            verifier,
            anchor: audit.position.clone(),
            reserved: audit.position.offset,
            position: audit.position,
            checkpoints: audit.checkpoints,
            published: audit.published,
            hasher: LeafHasher::default(),
            personal: None,
        };
        let found = Found {
            open_intents: audit.told.open_intents,
            opened: audit.told.opened,
            cut_bytes: torn(audit.tail),
        };
        log.cut(audit.tail)?;
        log.publish()
            .map_err(LedgerError::io("writing the newest checkpoint"))?;
        log.settle_personal()?;
        Ok((log, found))
    }

    // Cuts what is incomplete behind the last batch and the last checkpoint.
    fn cut(&mut self, tail: Tail) -> Result<(), LedgerError> {
        match tail {
            Tail::Nothing => {}
            Tail::Zeros { bytes } => self.reserved = self.position.offset + bytes,
            Tail::Torn { .. } => self
                .store
                .truncate(Part::Entries, self.position.offset)
                .map_err(LedgerError::io("cutting the incomplete batch"))?,
        }
        if self.checkpoints.torn > 0 {
            self.store
                .truncate(Part::Checkpoints, self.checkpoints.offset)
                .map_err(LedgerError::io("cutting the incomplete checkpoint"))?;
            self.checkpoints.torn = 0;
        }
        Ok(())
    }

    /// Committed entries.
    pub(crate) const fn size(&self) -> u64 {
        self.position.tree.size()
    }

    /// The Merkle root over all committed entries.
    pub(crate) fn root(&self) -> Hash {
        self.position.tree.root()
    }

    /// Entries that the newest checkpoint covers.
    pub(crate) fn signed_size(&self) -> u64 {
        self.checkpoints.last.map_or(0, |(size, _)| size)
    }

    /// Bytes of the log up to the last committed batch.
    pub(crate) const fn bytes(&self) -> u64 {
        self.position.offset
    }

    /// Writes `pending` as one batch and makes it durable. **When this returns `Ok`, its entries
    /// are recorded**; before that none of them is.
    pub(crate) fn commit(&mut self, pending: &mut Pending) -> io::Result<()> {
        self.keep(&pending.lines)?;
        pending.lines.clear();
        let next = self.seal(pending);
        self.store
            .write_at(Part::Entries, self.position.offset, &pending.bytes)?;
        self.store.sync(Part::Entries)?;
        self.position = next;
        pending.clear();
        Ok(())
    }

    // Makes lines of personal data durable, before the entries that need them.
    fn keep(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let Some(end) = self.personal else {
            self.store.replace(Part::Personal, lines)?;
            self.personal = Some(lines.len() as u64);
            return Ok(());
        };
        self.store.write_at(Part::Personal, end, lines)?;
        self.store.sync(Part::Personal)?;
        self.personal = Some(end + lines.len() as u64);
        Ok(())
    }

    // Cuts a line that was not written whole.
    fn settle_personal(&mut self) -> Result<(), LedgerError> {
        let lines = self.lines()?;
        if let Some(lines) = lines.as_ref().filter(|lines| lines.torn > 0) {
            self.store
                .truncate(Part::Personal, lines.end)
                .map_err(LedgerError::io("cutting an incomplete line"))?;
        }
        self.personal = lines.map(|lines| lines.end);
        Ok(())
    }

    /// The lines of personal data, as they are on the disk.
    pub(crate) fn lines(&self) -> Result<Option<Lines>, LedgerError> {
        let read = Lines::read(&*self.store).map_err(LedgerError::io("reading personal data"))?;
        match read {
            Some(Lines {
                bad: Some(fault), ..
            }) => Err(LedgerError::Damaged(Box::new(fault))),
            lines => Ok(lines),
        }
    }

    /// Removes the lines of `commitments` for good, and returns how many there were. After an error
    /// the log must be brought back.
    pub(crate) fn erase(&mut self, commitments: &HashSet<Commitment>) -> Result<u64, LedgerError> {
        let count = erase_in(&mut *self.store, commitments)?;
        self.settle_personal()?;
        Ok(count)
    }

    // Completes the batch around the frames, and says where the log is after it.
    fn seal(&mut self, pending: &mut Pending) -> Position {
        let body = pending.body();
        let batch = &mut pending.bytes;
        batch.reserve(pending.count as usize * MARK + 1024);
        let mut tree = self.position.tree.clone();
        let mut at = HEADER;
        for _ in 0..pending.count {
            let Some((_, entry)) = Frames::new(&batch[at..HEADER + body]).next() else {
                break;
            };
            let leaf = self.hasher.hash(entry);
            at += 2 + entry.len();
            tree.push(leaf);
            batch.extend_from_slice(&leaf[..MARK]);
        }
        let header = BatchHeader {
            first: self.position.tree.size(),
            count: pending.count,
            // The queue takes no more than QUEUE_BYTES.
            body: u32::try_from(body).unwrap_or(u32::MAX),
        };
        batch[..HEADER].copy_from_slice(&header.encode());
        let chain = next_chain(&self.position.chain, &tree.root(), tree.size());
        batch.extend_from_slice(&chain);
        batch.extend_from_slice(&TRAILER);
        batch.resize(batch.len().next_multiple_of(SECTOR as usize), 0);
        Position {
            offset: self.position.offset + batch.len() as u64,
            tree,
            chain,
        }
    }

    /// Signs a checkpoint over all committed entries and publishes it: first in the file that keeps
    /// them all, then as the newest.
    pub(crate) fn sign(&mut self) -> io::Result<()> {
        let size = self.size();
        let root = self.position.tree.root();
        let checkpoint = Checkpoint {
            origin: self.verifier.name().to_owned(),
            size,
            root,
        };
        let note = note::sign(&checkpoint.text(), &self.key, &self.verifier).into_bytes();
        let (record, check) = record(&self.checkpoints.check, &note);
        if self.checkpoints.count == 0 {
            self.store.replace(Part::Checkpoints, &record)?;
        } else {
            self.store
                .write_at(Part::Checkpoints, self.checkpoints.offset, &record)?;
            self.store.sync(Part::Checkpoints)?;
        }
        self.checkpoints.offset += record.len() as u64;
        self.checkpoints.check = check;
        self.checkpoints.count += 1;
        self.checkpoints.last = Some((size, root));
        self.checkpoints.recent = VecDeque::from([note]);
        self.published = false;
        self.publish()?;
        self.anchor = self.position.clone();
        Ok(())
    }

    /// Whether a checkpoint should be signed: there is none, or there are entries behind it.
    pub(crate) fn unsigned(&self) -> bool {
        self.checkpoints
            .last
            .is_none_or(|(size, _)| size < self.size())
    }

    fn publish(&mut self) -> io::Result<()> {
        if let Some(note) = self.checkpoints.recent.back().filter(|_| !self.published) {
            self.store.replace(Part::Newest, note)?;
        }
        self.published = true;
        Ok(())
    }

    /// Whether less than half of `ahead` bytes is laid out with zeros behind the last batch.
    pub(crate) const fn wants_space(&self, ahead: u64) -> bool {
        self.reserved.saturating_sub(self.position.offset) < ahead / 2
    }

    /// Lays out one step of zeros, or as many as `ahead` bytes behind the last batch need.
    pub(crate) fn reserve(&mut self, ahead: u64) -> io::Result<()> {
        let from = self.reserved.max(self.position.offset);
        let wanted = (self.position.offset + ahead).saturating_sub(from);
        let step = usize::try_from(wanted)
            .unwrap_or(usize::MAX)
            .min(RESERVE_STEP);
        if step == 0 {
            return Ok(());
        }
        self.store.write_at(Part::Entries, from, &vec![0; step])?;
        self.store.sync(Part::Entries)?;
        self.reserved = from + step as u64;
        Ok(())
    }

    /// Ends the file behind the last batch, so that a closed log has nothing behind it.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        self.store.truncate(Part::Entries, self.position.offset)?;
        self.reserved = self.position.offset;
        Ok(())
    }

    /// Brings the log back after an error: cuts what was not committed, then reads what was
    /// committed since the newest checkpoint again, from the disk and not from memory.
    pub(crate) fn recover(&mut self) -> Result<(), LedgerError> {
        self.store
            .settle()
            .map_err(LedgerError::io("reading the ledger from the disk"))?;
        self.store
            .truncate(Part::Entries, self.position.offset)
            .map_err(LedgerError::io("cutting what was not committed"))?;
        self.reserved = self.position.offset;
        self.store
            .truncate(Part::Checkpoints, self.checkpoints.offset)
            .map_err(LedgerError::io("cutting an incomplete checkpoint"))?;
        self.publish()
            .map_err(LedgerError::io("writing the newest checkpoint"))?;
        self.settle_personal()?;
        let mut scanner = Scanner::new(&*self.store, self.position.offset, self.anchor.clone());
        loop {
            match scanner.step(&mut Blind) {
                Ok(Step::Batch) => {}
                Ok(Step::End(_)) => break,
                Err(Stop::Fault(fault)) => return Err(LedgerError::Damaged(fault)),
                Err(Stop::Io(source)) => {
                    return Err(LedgerError::Io {
                        doing: "reading the ledger",
                        source,
                    });
                }
            }
        }
        if scanner.position == self.position {
            return Ok(());
        }
        let doing = "finding committed entries on the disk";
        Err(LedgerError::Io {
            doing,
            source: io::ErrorKind::UnexpectedEof.into(),
        })
    }
}

/// Looks at no entry: they were checked when they were written.
struct Blind;

impl Visit for Blind {
    fn entry(&mut self, _index: u64, _offset: u64, _entry: &[u8]) -> Result<(), Stop> {
        Ok(())
    }

    fn due(&self) -> Option<u64> {
        None
    }

    fn grown(&mut self, _tree: &Frontier) -> Result<(), Stop> {
        Ok(())
    }
}

const fn torn(tail: Tail) -> u64 {
    match tail {
        Tail::Nothing | Tail::Zeros { .. } => 0,
        Tail::Torn { bytes } => bytes,
    }
}

// Makes the files of a new log. A crash in between leaves a head without entries, which is new too.
fn create(store: &mut dyn Store, origin: &str) -> Result<(), LedgerError> {
    let size = |store: &dyn Store, part| {
        store
            .size(part)
            .map_err(LedgerError::io("looking for the ledger's files"))
    };
    let entries = size(store, Part::Entries)?;
    if entries.is_none() && size(store, Part::Checkpoints)?.is_none() {
        store
            .replace(Part::Entries, &head(origin))
            .map_err(LedgerError::io("creating entries.log"))?;
    }
    Ok(())
}

// A wrong key or origin in the configuration is more likely than a forged log: say it so.
fn foreign(audit: &Audit, verifier: &VerifierKey) -> Result<(), LedgerError> {
    if !audit.origin.is_empty() && audit.origin != verifier.name() {
        let (found, wanted) = (audit.origin.clone(), verifier.name().to_owned());
        return Err(LedgerError::Foreign {
            what: "origin",
            found,
            wanted,
        });
    }
    let unsigned = audit.first_bad.as_ref().is_some_and(|fault| {
        fault.kind == FaultKind::CheckpointSignature
            && fault.part == Part::Checkpoints
            && fault.offset == 0
    });
    if unsigned {
        let found = "checkpoints that this key did not sign".to_owned();
        return Err(LedgerError::Foreign {
            what: "key",
            found,
            wanted: verifier.to_string(),
        });
    }
    Ok(())
}
