//! One pass over a log with everything that can be checked: what `verify` reports and what
//! recovery starts from are both its result, so they cannot disagree.

use std::io;

use crate::canonical;
use crate::cursor::{CheckpointsEnd, Cursor, RECENT};
use crate::fault::{Fault, FaultKind, Part};
use crate::format::{SECTOR, first_chain, read_head};
use crate::scan::{Position, Scanner, Step, Stop, Visit};
use crate::store::{Source, read_up_to};
use crate::tail::Tail;
use crate::told::Told;
use crate::tree::Frontier;
use crate::vkey::VerifierKey;

/// What one pass found out.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) origin: String,
    /// The end of the last sound batch.
    pub(crate) position: Position,
    pub(crate) tail: Tail,
    pub(crate) checkpoints: CheckpointsEnd,
    /// What the entries told.
    pub(crate) told: Told,
    pub(crate) first_bad: Option<Fault>,
    /// Whether the copy of the newest checkpoint is the newest checkpoint.
    pub(crate) published: bool,
}

/// Checks the log in `source` from its first byte to its last. `key` makes signatures count.
///
/// `told` is what the volume before told, as far as it goes on. Damage is a result, not an error; the errors are those of
/// reading.
pub(crate) fn audit(
    source: &dyn Source,
    key: Option<&VerifierKey>,
    live: bool,
    told: Told,
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
        told,
        first_bad: None,
        published: false,
    };
    if let Some(fault) = head_fault(source, &origin, key)? {
        audit.first_bad = Some(fault);
        return Ok(audit);
    }
    let walked =
        Cursor::start(source, checkpoints_end.unwrap_or(0), &origin, key).and_then(|cursor| {
            walk(
                cursor,
                Scanner::new(source, end, start),
                progress,
                &mut audit,
            )
        });
    match walked {
        Ok(()) => {}
        Err(Stop::Fault(fault)) => audit.first_bad = Some(*fault),
        Err(Stop::Io(error)) => return Err(error),
    }
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

fn walk(
    mut cursor: Cursor<'_>,
    mut scanner: Scanner<'_>,
    progress: &mut dyn FnMut(u64),
    audit: &mut Audit,
) -> Result<(), Stop> {
    let walked = cursor.compare(&scanner.position.tree).and_then(|()| {
        let mut walk = Walk {
            cursor: &mut cursor,
            told: &mut audit.told,
            progress,
        };
        loop {
            if let Step::End(tail) = scanner.step(&mut walk)? {
                return Ok(tail);
            }
        }
    });
    progress(scanner.position.tree.size());
    let walked = walked.and_then(|tail| {
        audit.tail = tail;
        cursor.finish(&scanner.position)
    });
    audit.position = scanner.position;
    audit.checkpoints = cursor.end;
    walked
}

struct Walk<'a, 's> {
    cursor: &'a mut Cursor<'s>,
    told: &'a mut Told,
    progress: &'a mut dyn FnMut(u64),
}

impl Visit for Walk<'_, '_> {
    fn entry(&mut self, index: u64, offset: u64, entry: &[u8]) -> Result<(), Stop> {
        if index % PROGRESS_STEP == PROGRESS_STEP - 1 {
            (self.progress)(index + 1);
        }
        let fields = canonical::read(entry).map_err(|wrong| Fault {
            part: Part::Entries,
            offset: offset + 2 + wrong.offset as u64,
            entry: Some(index),
            kind: FaultKind::EntryNotCanonical,
            sentence: format!(
                "entry {index} is not canonical JSON (at byte {} of it: {}); the gateway writes no \
                 such entry",
                wrong.offset, wrong.what
            ),
        })?;
        self.told.take(index, &fields);
        Ok(())
    }

    fn due(&self) -> Option<u64> {
        self.cursor.due()
    }

    fn grown(&mut self, tree: &Frontier) -> Result<(), Stop> {
        self.cursor.compare(tree)
    }
}
