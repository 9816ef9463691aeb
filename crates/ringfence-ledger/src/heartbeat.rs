//! Heartbeats: entries at a fixed interval, so that silence is a statement and not an absence.
//!
//! Each carries the run of the ledger it belongs to (`boot`) and a number counted from 0 without
//! gaps: between two that follow each other, what stands in the log is all there was. A number that
//! is missing means that a heartbeat was never recorded.

use std::time::{Duration, Instant};

use aws_lc_rs::rand;

use crate::clock::{ClockState, host_boot, source};
use crate::entry::{EventEntry, Value};
use crate::ledger::{Standing, Ticket};

/// The name of the event.
pub(crate) const EVENT: &str = "ledger.heartbeat";

/// The heartbeats of one run of the ledger.
pub(crate) struct Heart {
    interval: Duration,
    boot: String,
    host_boot: String,
    source: String,
    /// The number of the next one.
    sequence: u64,
    /// The last one, until it is known to be durable.
    last: Option<Ticket>,
    /// When the next one is due.
    pub(crate) due: Instant,
}

impl Heart {
    /// Starts a run; none where `interval_ms` is 0.
    pub(crate) fn start(interval_ms: u64) -> Option<Self> {
        let interval = Duration::from_millis(interval_ms);
        (interval_ms > 0).then(|| Self {
            interval,
            boot: random_id(),
            host_boot: host_boot(),
            source: source(),
            sequence: 0,
            last: None,
            due: Instant::now() + interval,
        })
    }

    /// The entry to append now; none while the last one still waits. `standing` tells what became
    /// of the last one: a number is used again only where its entry was lost.
    pub(crate) fn beat(
        &mut self,
        time_us: u64,
        standing: impl FnOnce(Ticket) -> Standing,
    ) -> Option<Vec<u8>> {
        self.due = Instant::now() + self.interval;
        match self.last.take().map(|last| (last, standing(last))) {
            Some((last, Standing::Pending)) => {
                self.last = Some(last);
                return None;
            }
            Some((_, Standing::Durable)) => self.sequence += 1,
            Some((_, Standing::Lost)) | None => {}
        }
        Some(self.encode(time_us))
    }

    /// Says that the entry was appended.
    pub(crate) const fn appended(&mut self, ticket: Ticket) {
        self.last = Some(ticket);
    }

    fn encode(&self, time_us: u64) -> Vec<u8> {
        let clock = ClockState::now().unwrap_or_default();
        let number = |number: u128| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let detail = [
            ("boot", Value::Text(&self.boot)),
            ("clock_error_us", Value::Int(clock.error_us)),
            ("clock_estimate_us", Value::Int(clock.estimate_us)),
            ("clock_offset_us", Value::Int(clock.offset_us)),
            ("clock_source", Value::Text(&self.source)),
            ("clock_synchronised", Value::Bool(clock.synchronised)),
            ("host_boot", Value::Text(&self.host_boot)),
            ("interval_ms", number(self.interval.as_millis())),
            ("sequence", number(u128::from(self.sequence))),
        ];
        let mut entry = Vec::new();
        EventEntry {
            event: EVENT,
            detail: &detail,
            time_us,
        }
        .encode(&mut entry);
        entry
    }
}

// Unique enough to tell runs apart. Without randomness they are not told apart, and no more.
fn random_id() -> String {
    let mut bytes = [0; 8];
    let _ = rand::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the heartbeats of a log show.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Heartbeats {
    /// How many there are.
    pub count: u64,
    /// How many are missing between or before those that are there; nothing can be said of what
    /// happened in their place.
    pub missing: u64,
    /// The longest time between two of one run that follow each other, in microseconds.
    pub longest_us: u64,
}

/// Follows the heartbeats of a log in order. Memory: the last one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    /// Whether the run that the first one belongs to may have begun in a volume that is not here.
    midway: bool,
    pub(crate) seen: Heartbeats,
    boot: String,
    sequence: u64,
    time_us: u64,
}

impl Pulse {
    /// Before the first one. `midway`: of a run that may have begun earlier, in what is not here.
    pub(crate) fn starting(midway: bool) -> Self {
        Self {
            midway,
            ..Self::default()
        }
    }

    /// Takes in the next one: its detail and time as they stand in the entry, which is canonical.
    pub(crate) fn take(&mut self, detail: &str, time_us: u64) {
        let boot = field(detail, "boot").trim_matches('"');
        let sequence: u64 = field(detail, "sequence").parse().unwrap_or(0);
        let same = self.seen.count > 0 && self.boot == boot;
        let expected = match (same, self.seen.count == 0 && self.midway) {
            (true, _) => self.sequence + 1,
            (false, true) => sequence,
            (false, false) => 0,
        };
        self.seen.missing += sequence.abs_diff(expected);
        if same {
            let silence_us = time_us.saturating_sub(self.time_us);
            self.seen.longest_us = self.seen.longest_us.max(silence_us);
        } else {
            boot.clone_into(&mut self.boot);
        }
        self.seen.count += 1;
        (self.sequence, self.time_us) = (sequence, time_us);
    }
}

// A field of a flat canonical object whose texts have no quotes in them, as ours have none.
pub(crate) fn field<'d>(detail: &'d str, name: &str) -> &'d str {
    let after = detail
        .split_once(&format!("\"{name}\":"))
        .map_or("", |(_, after)| after);
    let end = after.find([',', '}']).unwrap_or(after.len());
    &after[..end]
}
