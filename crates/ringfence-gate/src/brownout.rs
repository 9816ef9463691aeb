//! Telling of an engine thread that cannot keep up: in the ledger when that begins and ends, in between in the status.

use std::time::Instant;

use ringfence_core::overload::Level;
use ringfence_ledger::Value;

use crate::client::Thread;
use crate::deadline::PERIOD;
use crate::record;

/// Notes how far the thread is behind, and tells what is new. `since` is when it began to be.
pub(crate) fn note(thread: &Thread, number: usize, since: &mut Option<Instant>) {
    let Some(change) = thread.turns.note(PERIOD) else {
        return;
    };
    let shared = &thread.shared;
    if let Some(gauge) = shared.gauges.get(number) {
        gauge.show_level(change.level);
    }
    let whole = |number: u128| i64::try_from(number).unwrap_or(i64::MAX);
    let thread = Value::Int(whole(number as u128));
    if change.before == Level::Clear {
        *since = Some(Instant::now());
        let lag_ms = Value::Int(whole(u128::from(change.lag_us / 1000)));
        let _ = record::event(
            shared,
            "overload.begin",
            &[("thread", thread), ("lag_ms", lag_ms)],
        );
    } else if change.level == Level::Clear {
        let lasted = since.take().map_or(0, |since| since.elapsed().as_millis());
        let lasted_ms = Value::Int(whole(lasted));
        let _ = record::event(
            shared,
            "overload.end",
            &[("thread", thread), ("lasted_ms", lasted_ms)],
        );
    }
}
