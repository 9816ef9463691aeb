//! Budgets: several limits on one message, taken together or not at all, exact across threads.
//!
//! What a limit is, whose and by which law it counts: `limit.rs`, `subject.rs`, `law.rs`. What subjects used stands in one
//! bounded table (`table.rs`), whose parts (`part.rs`) have a lock each. A full table refuses: strangers cannot make
//! it forget, and cannot take the room of those who are known.

mod about;
mod across;
mod counts;
mod excess;
mod fills;
mod latch;
mod law;
mod limit;
mod meter;
mod part;
mod plan;
mod record;
mod room;
mod strangers;
mod subject;
mod survey;
mod table;
mod touch;
mod under_way;

use std::net::IpAddr;
use std::sync::Arc;

use crate::credential::Credential;
use crate::guard::OrderText;
use crate::operation::Operation;

pub use about::About;
pub use across::{Across, Answer, Charge, How, OnLoss, Taken};
pub use counts::Counts;
pub use fills::{Fill, Stakes};
pub use latch::{Latch, System};
pub use limit::{Age, Algorithm, BudgetError, Cost, Limit, Operations};
pub use meter::{Meter, Told};
pub use strangers::Strangers;
pub use subject::{Subject, Subjects};
pub use survey::{Known, Near, Survey, Surveyed, Whose};
pub use table::{BudgetTable, Charged, Table};

/// Most limits that one configuration may have.
pub const LIMITS_MAX: usize = 32;

/// How one limit stands after a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Index of the limit in the configuration.
    pub limit: u16,
    /// Units used.
    pub used: u64,
    /// Units left.
    pub remaining: u64,
    /// Milliseconds until all is back; 0 where no clock says.
    pub reset_ms: u64,
}

/// How the limits stand that applied to a message.
///
/// On the heap: it travels with the message, and room for [`LIMITS_MAX`] limits would be moved with it at every step.
#[derive(Clone, Debug, Default)]
pub struct Usages(Vec<Usage>);

impl Usages {
    /// Returns them in the order of the configuration.
    pub fn as_slice(&self) -> &[Usage] {
        &self.0
    }

    /// Adds how limits stand that are shared.
    pub(crate) fn add(&mut self, others: Vec<Usage>) {
        others.into_iter().for_each(|usage| self.note(usage));
        self.0.sort_unstable_by_key(|usage| usage.limit);
    }

    /// Notes how a limit stands. Of one that counts several subjects, it is the one with the least left.
    fn note(&mut self, usage: Usage) {
        match self.0.iter_mut().find(|known| known.limit == usage.limit) {
            Some(known) if known.remaining <= usage.remaining => {}
            Some(known) => *known = usage,
            None => self.0.push(usage),
        }
    }
}

/// Who pays for a message, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Payer<'a> {
    /// Where it came from.
    pub peer: IpAddr,
    /// What it asks.
    pub operation: Operation,
    /// The orders that it carries.
    pub orders: &'a [OrderText<'a>],
    /// The orders that it places or changes, one for each that it carries, or cancels; for operations that
    /// [ask for them](BudgetTable::asks_about) alone.
    pub about: &'a [About],
    /// Who acts.
    pub credential: Option<&'a Credential>,
    /// What is used of the venue by whoever uses it, where we do.
    pub upstream: Option<&'a Arc<Meter>>,
    /// What is used of it by the key that signs.
    pub venue: Option<&'a Arc<Meter>>,
}

impl<'a> Payer<'a> {
    /// Returns one of whom no more is known than the meter of `subject`.
    const fn of_venue(subject: Subject, meter: &'a Arc<Meter>) -> Self {
        let venue = matches!(subject, Subject::Venue);
        Self {
            peer: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            operation: Operation::MarketRead,
            orders: &[],
            about: &[],
            credential: None,
            upstream: if venue { None } else { Some(meter) },
            venue: if venue { Some(meter) } else { None },
        }
    }
}

#[cfg(test)]
mod tests;
