//! Proving a ledger: each of its volumes, and that each continues the one before.
//!
//! Memory is flat in the number of entries and of volumes; the intents that are open at the end of
//! one volume are kept until the next one was read.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use crate::binder::changed;
use crate::error::LedgerError;
use crate::fault::{Fault, FaultKind, Part};
use crate::format::{SECTOR, read_head};
use crate::heartbeat::Pulse;
use crate::personal::{Commitment, Seen, unaccounted};
use crate::posix::PosixSource;
use crate::store::read_up_to;
use crate::told::Told;
use crate::verify::{Report, VolumeReport, verify_log};
use crate::vkey::VerifierKey;
use crate::volume::{Link, Month, months, origin};

/// Recomputes everything in `directory` and checks it against the signed checkpoints.
///
/// `vkey` is the verifier key text; without it signatures are not checked and the report says so.
/// `progress` is called with the number of entries done, now and then. Changes nothing.
///
/// A ledger's volumes are signed by one key, each under its own name: the ledger's key is enough for
/// all of them. One volume alone is proved by either; that it continues another is not.
///
/// # Errors
///
/// [`LedgerError`] when there is no ledger, it cannot be read or `vkey` is not a verifier key;
/// damage is not an error but stands in the report.
pub fn verify(
    directory: &Path,
    vkey: Option<&str>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, LedgerError> {
    let key = vkey.map(VerifierKey::parse).transpose()?;
    let months = months(directory)?;
    if months.is_empty() {
        let name = name_of(directory)?;
        let key = key.map(|key| key.of_volume(&name).unwrap_or(key));
        // Of a volume that stands alone it is not known when the gateway was started.
        let volume = name
            .rsplit_once('/')
            .and_then(|(_, month)| Month::parse(month));
        let pulse = Pulse::starting(volume.is_some());
        let told = Told {
            pulse,
            // What was erased of a volume may be said in a later one.
            seen: volume.is_none().then(Seen::default),
            ..Told::default()
        };
        let (mut report, told) = verify_log(directory, key.as_ref(), told, progress)?;
        report.first_bad = report.first_bad.or_else(|| told.unaccounted());
        return Ok(report);
    }
    let mut bound = Bound {
        key,
        pulse: Pulse::starting(true),
        ..Bound::default()
    };
    for month in months {
        let before = bound.report.size;
        bound.volume(directory, month, &mut |done| progress(before + done))?;
        if bound.bad() {
            return Ok(bound.report);
        }
    }
    bound.finish();
    Ok(bound.report)
}

// The name in the head of a log; empty where there is none.
fn name_of(directory: &Path) -> Result<String, LedgerError> {
    let source = PosixSource::open(directory).map_err(LedgerError::io("opening the ledger"))?;
    let head = read_up_to(&source, Part::Entries, 0, SECTOR as usize).unwrap_or_default();
    Ok(read_head(&head).unwrap_or_default().to_owned())
}

/// The volumes proved so far, taken together.
#[derive(Default)]
struct Bound {
    key: Option<VerifierKey>,
    report: Report,
    /// Intents without outcome at the end of the newest one.
    open_intents: HashSet<Box<str>>,
    pulse: Pulse,
    /// The volume before the oldest one that is here.
    wanted: Option<Link>,
    dropped: Vec<Link>,
    /// What the volume before knows of the commitments in it.
    known: HashSet<Commitment>,
    /// Commitments of each volume whose value is gone, and of how many an entry says so.
    gone: Vec<(Month, u64)>,
    erased: BTreeMap<Month, u64>,
}

impl Bound {
    fn bad(&self) -> bool {
        self.report.first_bad.is_some() || self.report.published_bad.is_some()
    }

    // Proves the next volume and takes it in.
    fn volume(
        &mut self,
        root: &Path,
        month: Month,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), LedgerError> {
        let directory = root.join(month.to_string());
        let named = |key: &VerifierKey| key.of_volume(&origin(key.name(), month));
        let key = self.key.as_ref().and_then(named);
        let told = Told {
            pulse: std::mem::take(&mut self.pulse),
            seen: Some(Seen {
                before: std::mem::take(&mut self.known),
                // That there was a volume before is found out with the first entry.
                orphaned: self.report.volumes.is_empty(),
                ..Seen::default()
            }),
            ..Told::default()
        };
        let proved = verify_log(&directory, key.as_ref(), told, progress);
        let (mut report, told) = proved.map_err(|error| error.in_volume(month))?;
        if report.first_bad.is_none() {
            report.first_bad = self.unlinked(month, &report, &told);
        }
        self.take(month, report, told);
        Ok(())
    }

    // Whether a volume continues the one before it.
    fn unlinked(&mut self, month: Month, report: &Report, told: &Told) -> Option<Fault> {
        if report.origin.rsplit_once('/').map(|(_, month)| month) != Some(&month.to_string()) {
            return link(format!(
                "this is {}, in the folder of another",
                report.origin
            ));
        }
        let Some(opened) = told.opened else {
            return link(
                "the volume does not begin with the entry that ties it to the one before".into(),
            );
        };
        let Some(before) = self.report.volumes.last() else {
            self.wanted = opened.previous;
            // Whatever was before is counted by whoever says that it was dropped.
            return match (opened.previous, opened.sequence) {
                (None, 1..) => link("it counts entries before the first volume".into()),
                _ => None,
            };
        };
        let Some(previous) = opened.previous else {
            return link(format!(
                "it says that it is the first, but there is {}",
                before.month
            ));
        };
        if previous.month != before.month {
            return Some(missing(format!(
                "it continues volume {}, which is gone; the one before it here is {}",
                previous.month, before.month
            )));
        }
        let whole = (before.size, before.root) == (previous.size, previous.root);
        if whole && opened.sequence == before.sequence + before.size {
            return None;
        }
        link(changed(&previous, before.size))
    }

    fn take(&mut self, month: Month, report: Report, told: Told) {
        let sequence = told.opened.map_or(0, |opened| opened.sequence);
        let sum = &mut self.report;
        sum.origin = report
            .origin
            .rsplit_once('/')
            .map_or_else(String::new, |(name, _)| name.into());
        // Nothing of an earlier volume waits any more, but for what this one did not take over.
        let left = self.open_intents.iter();
        let left = left
            .filter(|message| !told.taken_over.contains(*message))
            .count() as u64;
        sum.open_intents += left;
        self.open_intents = told.open_intents;
        let seen = told.seen.unwrap_or_default();
        self.known = seen.own;
        self.gone.push((month, seen.missing.len() as u64));
        for (month, count) in told.erased {
            *self.erased.entry(month).or_default() += count;
        }
        sum.personal += report.personal;
        self.pulse = told.pulse;
        self.dropped.extend(told.dropped);
        sum.size = sequence + report.size;
        sum.root = report.root;
        sum.checkpoints += report.checkpoints;
        sum.signed_size = sequence + report.signed_size;
        sum.signatures_checked = report.signatures_checked;
        sum.heartbeats = self.pulse.seen;
        sum.live |= report.live;
        sum.published = report
            .published
            .map(|size| sequence + size)
            .or(sum.published);
        for mut left in report.unfinished {
            left.file = format!("{month}/{}", left.file);
            sum.unfinished.push(left);
        }
        let shift = |entry: Option<u64>| entry.map(|entry| sequence + entry);
        sum.first_bad = report.first_bad.map(|fault| Fault {
            entry: shift(fault.entry),
            ..fault
        });
        sum.published_bad = report.published_bad.map(|mut fault| {
            fault.entry = shift(fault.entry);
            fault
        });
        let bad = sum.first_bad.is_some() || sum.published_bad.is_some();
        sum.bad_volume = bad.then_some(month);
        sum.volumes.push(VolumeReport {
            month,
            sequence,
            size: report.size,
            root: report.root,
            signed_size: report.signed_size,
        });
    }

    // After the newest: was what is not here dropped by the book?
    fn finish(&mut self) {
        self.report.open_intents += self.open_intents.len() as u64;
        for (month, gone) in &self.gone {
            self.report.erased += gone;
            let told = self.erased.get(month).copied().unwrap_or_default();
            if *gone > told {
                self.report.bad_volume = Some(*month);
                self.report.first_bad = Some(unaccounted(*gone, told));
                return;
            }
        }
        let Some(wanted) = self.wanted.filter(|wanted| !self.dropped.contains(wanted)) else {
            return;
        };
        let oldest = self.report.volumes.first();
        self.report.bad_volume = oldest.map(|volume| volume.month);
        self.report.first_bad = Some(Fault {
            entry: oldest.map(|volume| volume.sequence),
            ..missing(format!(
                "it continues volume {}, which is gone, and no entry says that it was dropped",
                wanted.month
            ))
        });
    }
}

fn link(sentence: String) -> Option<Fault> {
    Some(fault(FaultKind::VolumeLink, sentence))
}

fn missing(sentence: String) -> Fault {
    fault(FaultKind::VolumeMissing, sentence)
}

// At the first entry of a volume, which is what ties it to the others.
fn fault(kind: FaultKind, sentence: String) -> Fault {
    Fault {
        part: Part::Entries,
        offset: SECTOR,
        entry: Some(0),
        kind,
        sentence,
    }
}
