//! What a message is told that a limit refuses, and which of several refusals counts.

use super::latch::Latch;
use super::limit::Limit;
use super::table::Table;
use crate::refusal::{Code, Detail, LimitDetail, Refusal, Retry};

impl<L: Latch> Table<L> {
    /// Returns the refusal of a message that finds the limit at `index` used up for so long.
    pub(crate) fn exceeded(&self, index: u16, wait_ms: u64) -> Refusal {
        match self.limits.get(usize::from(index)) {
            Some(limit) => exceeded(limit, None, wait_ms),
            None => Refusal::new(Code::BudgetExceeded).retry_after(wait_ms),
        }
    }
}

pub(super) fn exceeded(limit: &Limit, amounts: Option<(u64, u64)>, wait_ms: u64) -> Refusal {
    let bound = match amounts {
        Some((used, other)) => format!("{limit}: {used} to {other}"),
        None => limit.to_string(),
    };
    Refusal::new(Code::BudgetExceeded)
        .with(Detail::Limit(Box::new(LimitDetail {
            name: limit.name.clone(),
            subject: limit.subject,
            counts: limit.counts,
            bound: bound.into(),
        })))
        .retry_after(wait_ms)
}

const fn wait_ms(refusal: &Refusal) -> u64 {
    match refusal.retry {
        Retry::AfterMs(after_ms) => after_ms,
        Retry::Never => u64::MAX,
    }
}

/// Returns the refusal that lasts less: one cell that has room is enough.
pub(super) fn sooner(known: Option<Refusal>, new: Refusal) -> Option<Refusal> {
    Some(known.filter(|k| wait_ms(k) <= wait_ms(&new)).unwrap_or(new))
}

/// Returns the refusal that lasts longer: coming back earlier would be refused again.
pub(super) fn later(known: Option<Refusal>, new: Refusal) -> Option<Refusal> {
    Some(known.filter(|k| wait_ms(k) >= wait_ms(&new)).unwrap_or(new))
}
