//! Proving one log from its directory and its public key alone.

use std::path::Path;

use crate::audit::{Audit, audit};
use crate::error::LedgerError;
use crate::fault::{Fault, Part};
use crate::heartbeat::Heartbeats;
use crate::inspect::{PublishedFault, inspect};
use crate::personal::{Lines, Seen};
use crate::posix::{PosixSource, is_live};
use crate::store::Source;
use crate::tail::Tail;
use crate::told::Told;
use crate::vkey::VerifierKey;
use crate::volume::Month;

/// Something a crash leaves behind: not damage, cut or completed when the log is next opened, and
/// absent from a log that was closed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfinished {
    /// In which file, relative to the ledger's directory.
    pub file: String,
    /// Where in the file, in bytes from its start.
    pub offset: u64,
    /// What it is, in a sentence.
    pub sentence: String,
}

/// What verifying found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// Sound entries: their hashes were recomputed and fit the chain.
    pub size: u64,
    /// The Merkle root over them (RFC 6962).
    pub root: [u8; 32],
    /// Signed checkpoints that fit the entries.
    pub checkpoints: u64,
    /// Entries that the newest of them covers. What is behind can be cut off without a trace,
    /// unless somebody else holds a newer checkpoint.
    pub signed_size: u64,
    /// Whether signatures were checked: false without a verifier key. Then the report proves only
    /// that the files fit each other.
    pub signatures_checked: bool,
    /// Permitted state-changing decisions without an outcome.
    pub open_intents: u64,
    /// What its heartbeats show.
    pub heartbeats: Heartbeats,
    /// Whether a writer has the log open, so that its end is in motion.
    pub live: bool,
    /// The first thing found wrong.
    pub first_bad: Option<Fault>,
    /// Entries that the published checkpoint covers; none where nothing is published.
    pub published: Option<u64>,
    /// The first thing found wrong in the folder `tlog`; looked at where the log itself is sound.
    pub published_bad: Option<PublishedFault>,
    /// Commitments in entries whose value is there.
    pub personal: u64,
    /// Commitments in entries whose value is gone; an entry says that it was erased.
    pub erased: u64,
    /// What a crash left behind; empty while the log is live.
    pub unfinished: Vec<Unfinished>,
    /// The volume in which `first_bad` or `published_bad` is, where there are volumes.
    pub bad_volume: Option<Month>,
    /// The volumes looked at, oldest first; none for a ledger in one piece. The numbers above are
    /// then those of all of them together, and `root` is the newest one's.
    pub volumes: Vec<VolumeReport>,
}

/// One volume of a ledger, proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VolumeReport {
    /// Its month.
    pub month: Month,
    /// Entries before it.
    pub sequence: u64,
    /// Sound entries in it.
    pub size: u64,
    /// The Merkle root over them.
    pub root: [u8; 32],
    /// Entries that its newest checkpoint covers.
    pub signed_size: u64,
}

impl Report {
    /// Whether nothing is wrong and nothing unfinished.
    pub fn clean(&self) -> bool {
        self.first_bad.is_none() && self.published_bad.is_none() && self.unfinished.is_empty()
    }
}

/// Recomputes everything in `directory`, one log, and checks it against the signed checkpoints.
/// `told` is what the volume before told, as far as it goes on. Returns what the entries told beside
/// the report.
///
/// # Errors
///
/// As [`crate::verify`].
pub(crate) fn verify_log(
    directory: &Path,
    key: Option<&VerifierKey>,
    told: Told,
    progress: &mut dyn FnMut(u64),
) -> Result<(Report, Told), LedgerError> {
    let missing = || LedgerError::Missing {
        directory: directory.to_owned(),
    };
    let live = is_live(directory).map_err(|_| missing())?;
    let source = PosixSource::open(directory).map_err(LedgerError::io("opening the ledger"))?;
    let any = [Part::Entries, Part::Checkpoints, Part::Newest]
        .iter()
        .any(|part| matches!(source.size(*part), Ok(Some(_))));
    if !any {
        return Err(missing());
    }
    let (mut report, told) = examine(&source, key, live, told, progress)?;
    if report.first_bad.is_none() {
        published(directory, key, &mut report)?;
    }
    Ok((report, told))
}

fn published(
    directory: &Path,
    key: Option<&VerifierKey>,
    report: &mut Report,
) -> Result<(), LedgerError> {
    match inspect(directory, key)? {
        Ok(inspection) => {
            report.published = inspection.size;
            // While the gateway runs, its publisher may be at work too.
            let left = inspection.unfinished.filter(|_| !report.live);
            report
                .unfinished
                .extend(left.map(|(file, sentence)| Unfinished {
                    file,
                    offset: 0,
                    sentence,
                }));
        }
        Err(fault) => report.published_bad = Some(*fault),
    }
    Ok(())
}

/// The same over any [`Source`], without what is published.
///
/// # Errors
///
/// [`LedgerError::Io`] when the log cannot be read.
pub fn verify_in(
    source: &dyn Source,
    key: Option<&VerifierKey>,
    live: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, LedgerError> {
    let told = Told {
        seen: Some(Seen::default()),
        ..Told::default()
    };
    let (mut report, told) = examine(source, key, live, told, progress)?;
    report.first_bad = report.first_bad.or_else(|| told.unaccounted());
    Ok(report)
}

fn examine(
    source: &dyn Source,
    key: Option<&VerifierKey>,
    live: bool,
    mut told: Told,
    progress: &mut dyn FnMut(u64),
) -> Result<(Report, Told), LedgerError> {
    let read = || Lines::read(source).map_err(LedgerError::io("reading personal data"));
    if let (Some(seen), Some(lines)) = (&mut told.seen, read()?) {
        seen.knows(&lines);
    }
    let mut audit =
        audit(source, key, live, told, progress).map_err(LedgerError::io("reading the ledger"))?;
    // A running writer adds lines, and then the entries that need them.
    let lines = read()?.unwrap_or_default();
    if let Some(seen) = &mut audit.told.seen {
        seen.knows(&lines);
    }
    let unfinished = if live || audit.first_bad.is_some() {
        Vec::new()
    } else {
        leftovers(&audit, &lines)
    };
    let report = Report {
        size: audit.position.tree.size(),
        root: audit.position.tree.root(),
        checkpoints: audit.checkpoints.compared,
        signed_size: audit.checkpoints.last.map_or(0, |(size, _)| size),
        signatures_checked: key.is_some(),
        open_intents: audit.told.open_intents.len() as u64,
        heartbeats: audit.told.pulse.seen,
        live,
        unfinished,
        first_bad: audit.first_bad.or(lines.bad),
        published: None,
        published_bad: None,
        personal: lines.rows.len() as u64,
        erased: 0,
        bad_volume: None,
        volumes: Vec::new(),
        origin: audit.origin,
    };
    Ok((report, audit.told))
}

fn leftovers(audit: &Audit, lines: &Lines) -> Vec<Unfinished> {
    let mut found = Vec::new();
    let mut add = |part: Part, offset, sentence: String| {
        found.push(Unfinished {
            file: part.file_name().to_owned(),
            offset,
            sentence,
        });
    };
    let size = audit.position.tree.size();
    match audit.tail {
        Tail::Nothing => {}
        Tail::Zeros { bytes } => add(
            Part::Entries,
            audit.position.offset,
            format!("{bytes} zero bytes follow the last entry: the log was not closed"),
        ),
        Tail::Torn { bytes } => add(
            Part::Entries,
            audit.position.offset,
            format!(
                "an incomplete batch follows entry {}: the gateway or the machine stopped while \
                 writing it, or it was cut ({bytes} bytes); opening the ledger removes it",
                size.saturating_sub(1)
            ),
        ),
    }
    if audit.checkpoints.torn > 0 {
        add(
            Part::Checkpoints,
            audit.checkpoints.offset,
            "an incomplete checkpoint stands at the end: the gateway stopped while writing it"
                .into(),
        );
    }
    if lines.torn > 0 {
        let sentence = "an incomplete line stands at the end: the gateway stopped while writing it";
        add(Part::Personal, lines.end, sentence.into());
    }
    if !audit.published {
        add(
            Part::Newest,
            0,
            "the copy of the newest checkpoint is one behind: the gateway stopped before \
             replacing it, or it was put back"
                .into(),
        );
    }
    let signed = audit.checkpoints.last.map_or(0, |(size, _)| size);
    if signed < size {
        add(
            Part::Entries,
            audit.position.offset,
            format!(
                "the last {} entries are covered by no checkpoint: the log was not closed, or its \
                 newest checkpoints were removed",
                size - signed
            ),
        );
    }
    found
}
