//! One pass over a log with everything that can be checked: what `verify` reports and what
//! recovery starts from are both its result, so they cannot disagree.

use std::collections::{HashSet, VecDeque};
use std::io;

use crate::canonical;
use crate::checkpoint::{Checkpoint, Record, Records};
use crate::fault::{Fault, FaultKind, Part};
use crate::format::{SECTOR, first_chain, read_head};
use crate::key::VerifierKey;
use crate::note;
use crate::scan::{Position, Scanner, Step, Stop, Visit};
use crate::store::{Source, read_up_to};
use crate::tail::Tail;
use crate::tree::{Frontier, Hash};

/// What one pass found out.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) origin: String,
    /// The end of the last sound batch.
    pub(crate) position: Position,
    pub(crate) tail: Tail,
    pub(crate) checkpoints: CheckpointsEnd,
    /// Ids of permitted state-changing messages without an outcome, as they stand in the entries.
    pub(crate) open_intents: HashSet<Box<str>>,
    pub(crate) first_bad: Option<Fault>,
    /// Whether the copy of the newest checkpoint is the newest checkpoint.
    pub(crate) published: bool,
}

/// Where the file of checkpoints ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckpointsEnd {
    pub(crate) count: u64,
    /// The end of the last whole record, in bytes.
    pub(crate) offset: u64,
    pub(crate) check: crate::checkpoint::Check,
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
const RECENT: usize = 8;

/// Checks the log in `source` from its first byte to its last. `key` makes signatures count.
///
/// Damage is a result, not an error; the errors are those of reading.
pub(crate) fn audit(
    source: &dyn Source,
    key: Option<&VerifierKey>,
    live: bool,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Audit> {
    // Read before the entries: a running writer signs only what is on disk.
    let newest_size = source.size(Part::Newest)?.unwrap_or(0).min(65_535) as usize;
    let newest = match source.size(Part::Newest)? {
        Some(_) => Some(read_up_to(source, Part::Newest, 0, newest_size)?),
        None => None,
    };
    let checkpoints_end = source.size(Part::Checkpoints)?;
    let end = source.size(Part::Entries)?.unwrap_or(0);
    let sector = match source.size(Part::Entries)? {
        Some(_) => read_up_to(source, Part::Entries, 0, SECTOR as usize)?,
        None => Vec::new(),
    };
    let start = Position {
        offset: SECTOR,
        tree: Frontier::default(),
        chain: first_chain(&sector),
    };
    let origin = read_head(&sector).unwrap_or_default().to_owned();
    let mut audit = Audit {
        origin: origin.clone(),
        position: start.clone(),
        tail: Tail::Nothing,
        checkpoints: CheckpointsEnd::default(),
        open_intents: HashSet::new(),
        first_bad: None,
        published: false,
    };
    if let Some(fault) = head_fault(source, &origin, key)? {
        audit.first_bad = Some(fault);
        return Ok(audit);
    }
    let cursor = Cursor {
        records: Records::new(source, checkpoints_end.unwrap_or(0)),
        origin: &origin,
        key,
        next: None,
        end: CheckpointsEnd::default(),
        failed: None,
    };
    let mut walk = Walk {
        cursor,
        intents: HashSet::new(),
        progress,
    };
    let outcome = walk.run(Scanner::new(source, end, start), &mut audit);
    match outcome {
        Ok(()) => {}
        Err(Stop::Fault(fault)) => audit.first_bad = Some(*fault),
        Err(Stop::Io(error)) => return Err(error),
    }
    audit.open_intents = std::mem::take(&mut walk.intents);
    audit.checkpoints = walk.cursor.end;
    audit.published = newest.as_deref() == audit.checkpoints.recent.back().map(Vec::as_slice);
    if audit.first_bad.is_none() {
        let files = Files {
            newest: newest.as_deref(),
            live,
            checkpoints: checkpoints_end,
        };
        audit.first_bad = files.fault(&audit);
    }
    Ok(audit)
}

fn head_fault(
    source: &dyn Source,
    origin: &str,
    key: Option<&VerifierKey>,
) -> io::Result<Option<Fault>> {
    let fault = |kind, sentence: String| {
        Some(Fault {
            part: Part::Entries,
            offset: 0,
            entry: None,
            kind,
            sentence,
        })
    };
    if source.size(Part::Entries)?.is_none() {
        return Ok(fault(
            FaultKind::FileMissing,
            "the file with the entries is gone".into(),
        ));
    }
    if origin.is_empty() {
        return Ok(fault(
            FaultKind::FrameDamaged,
            "the head of the file was altered; it must be a ledger's first 512 bytes".into(),
        ));
    }
    Ok(key.filter(|key| key.name() != origin).and_then(|key| {
        let sentence = format!(
            "this is the log {origin}, not {}: the log was exchanged",
            key.name()
        );
        fault(FaultKind::CheckpointSignature, sentence)
    }))
}

/// The last checks: do the three files fit each other?
struct Files<'a> {
    newest: Option<&'a [u8]>,
    live: bool,
    /// Size of the file of checkpoints; none when it is missing.
    checkpoints: Option<u64>,
}

impl Files<'_> {
    fn fault(&self, audit: &Audit) -> Option<Fault> {
        let entries = audit.position.tree.size();
        let known = &audit.checkpoints;
        if self.checkpoints.is_none() {
            // Made right after the head of the log, before any entry.
            return (entries > 0 || self.newest.is_some()).then(|| {
                missing(
                    Part::Checkpoints,
                    "the file with the signed checkpoints is gone",
                )
            });
        }
        if known.torn > 0 && !self.cut_short(known) {
            return Some(Fault {
                part: Part::Checkpoints,
                offset: known.offset,
                entry: None,
                kind: FaultKind::CheckpointDamaged,
                sentence: "a record of a checkpoint was altered; the newest checkpoint is not \
                           among those before it"
                    .into(),
            });
        }
        if known.count == 0 {
            return Some(missing(
                Part::Checkpoints,
                "the file of checkpoints was emptied",
            ));
        }
        let Some(newest) = self.newest else {
            return (known.count > 1)
                .then(|| missing(Part::Newest, "the copy of the newest checkpoint is gone"));
        };
        // A crash may come between a record and its copy; the copy is then one behind.
        let behind = if self.live { RECENT } else { 2 };
        if known
            .recent
            .iter()
            .rev()
            .take(behind)
            .any(|note| note == newest)
        {
            return None;
        }
        Some(Fault {
            part: Part::Newest,
            offset: 0,
            entry: None,
            kind: FaultKind::CheckpointReplaced,
            sentence: "the copy of the newest checkpoint is not the last one that was signed: it \
                       was altered or replaced by an older one, or newer ones were removed from \
                       the file `checkpoints`"
                .into(),
        })
    }
}

impl Files<'_> {
    // A record is begun when the copy of the one before is durable. So where a crash cut one
    // short, the copy is that of the last whole record; otherwise the record was once whole.
    fn cut_short(&self, known: &CheckpointsEnd) -> bool {
        self.live
            || (self.newest.is_some() && self.newest == known.recent.back().map(Vec::as_slice))
    }
}

fn missing(part: Part, sentence: &str) -> Fault {
    let kind = FaultKind::FileMissing;
    Fault {
        part,
        offset: 0,
        entry: None,
        kind,
        sentence: sentence.into(),
    }
}

/// Entries between two reports of progress.
const PROGRESS_STEP: u64 = 16_384;

struct Walk<'s, 'p> {
    cursor: Cursor<'s>,
    intents: HashSet<Box<str>>,
    progress: &'p mut dyn FnMut(u64),
}

impl Walk<'_, '_> {
    fn run(&mut self, mut scanner: Scanner<'_>, audit: &mut Audit) -> Result<(), Stop> {
        self.cursor.advance()?;
        if let Some(fault) = self.cursor.compare(&scanner.position.tree) {
            return Err(fault.into());
        }
        loop {
            let step = scanner.step(self);
            audit.position = scanner.position.clone();
            if let Some(error) = self.cursor.failed.take() {
                return Err(error);
            }
            match step? {
                Step::Batch => {}
                Step::End(tail) => {
                    audit.tail = tail;
                    break;
                }
            }
        }
        (self.progress)(scanner.position.tree.size());
        self.cursor.finish(&scanner.position)
    }
}

impl Visit for Walk<'_, '_> {
    fn entry(&mut self, index: u64, offset: u64, entry: &[u8]) -> Option<Fault> {
        if index % PROGRESS_STEP == PROGRESS_STEP - 1 {
            (self.progress)(index + 1);
        }
        let fields = match canonical::read(entry) {
            Ok(fields) => fields,
            Err(wrong) => {
                return Some(Fault {
                    part: Part::Entries,
                    offset: offset + 2 + wrong.offset as u64,
                    entry: Some(index),
                    kind: FaultKind::EntryNotCanonical,
                    sentence: format!(
                        "entry {index} is not canonical JSON (at byte {} of it: {}); the gateway \
                         writes no such entry",
                        wrong.offset, wrong.what
                    ),
                });
            }
        };
        match fields.kind {
            "decision" if fields.state_changing && fields.outcome == "permitted" => {
                self.intents.insert(fields.message.into());
            }
            "outcome" => {
                self.intents.remove(fields.message);
            }
            _ => {}
        }
        None
    }

    fn grown(&mut self, tree: &Frontier, _offset: u64) -> Option<Fault> {
        self.cursor.compare(tree)
    }
}

/// Walks the checkpoints alongside the entries.
struct Cursor<'s> {
    records: Records<'s>,
    origin: &'s str,
    key: Option<&'s VerifierKey>,
    /// The next checkpoint to compare, and where its record starts.
    next: Option<(u64, Checkpoint)>,
    end: CheckpointsEnd,
    /// What reading the checkpoints ran into while entries were shown.
    failed: Option<Stop>,
}

impl Cursor<'_> {
    /// Compares the tree with every checkpoint of its size.
    fn compare(&mut self, tree: &Frontier) -> Option<Fault> {
        while let Some((offset, checkpoint)) = self
            .next
            .as_ref()
            .filter(|(_, checkpoint)| checkpoint.size == tree.size())
        {
            if checkpoint.root != tree.root() {
                return Some(self.rewritten(*offset, tree.size()));
            }
            self.end.last = Some((checkpoint.size, checkpoint.root));
            self.end.compared += 1;
            if let Err(stop) = self.advance() {
                self.failed = Some(stop);
                return None;
            }
        }
        None
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

    // After the last entry: is there a checkpoint over more entries than there are?
    fn finish(&mut self, position: &Position) -> Result<(), Stop> {
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
