//! What a limit is: whose, of what, how much, and by which law what was used comes back.

use std::fmt;

use super::across::Across;
use super::counts::Counts;
use super::subject::{Subject, Subjects};
use crate::operation::Operation;

/// By which law what was used comes back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Algorithm {
    /// All at once, when a window has passed since its first use.
    Anchored,
    /// When the message is done with. The window says nothing.
    Concurrent,
    /// Steadily: so many units in each window. Token buckets, decaying counters and pools of credits are this.
    Drain {
        /// Units that come back in a window.
        rate: u64,
    },
    /// All at once, when a window that is aligned to the clock ends.
    #[default]
    Fixed,
    /// With what is counted to: so much of that, and the quota whatever there is, in a window that is aligned to the clock.
    Ratio {
        /// The most there may be to one, in ten-thousandths.
        max_e4: u64,
    },
    /// Each unit when a window has passed since it was used, or up to a thirteenth of it later.
    Sliding,
}

/// A set of operations.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Operations(u32);

impl Operations {
    /// Returns this set with `operation` in it.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self(self.0 | 1 << operation as u32)
    }

    /// Tells whether `operation` is in the set.
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u32) != 0
    }

    /// Tells whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What an operation costs on top, about an order that has not stood for longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Age {
    /// Milliseconds since it was placed, or changed last; less than these.
    pub below_ms: u64,
    /// Units.
    pub units: u32,
}

/// A budget.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit {
    /// Name shown to clients and in the ledger.
    pub name: Box<str>,
    /// Whose.
    pub subject: Subjects,
    /// Of what.
    pub counts: Counts,
    /// Units that may be used before any comes back.
    pub quota: u64,
    /// Length of the window in milliseconds.
    pub window_ms: u64,
    /// How what was used comes back.
    pub algorithm: Algorithm,
    /// What it counts; empty for everything.
    pub operations: Operations,
    /// Whether it counts what reduces risk although `operations` does not name that.
    pub cancels: bool,
    /// Whether it lets what reduces risk pass although nothing is left: what follows waits for it.
    pub admits: bool,
    /// Units that these operations cost here, whatever they would by `counts`.
    pub costs: Box<[(Operation, u32)]>,
    /// Units that these operations cost on top, by how long the order has stood: the youngest first.
    pub ages: Box<[(Operation, Box<[Age]>)]>,
    /// Whose counts it goes by.
    pub across: Across,
}

impl Limit {
    /// Makes one in windows aligned to the clock, for all operations.
    pub fn fixed(
        name: &str,
        subject: impl Into<Subjects>,
        counts: Counts,
        quota: u64,
        window_ms: u64,
    ) -> Self {
        Self {
            name: name.into(),
            subject: subject.into(),
            counts,
            quota,
            window_ms,
            algorithm: Algorithm::Fixed,
            operations: Operations::default(),
            cancels: true,
            admits: false,
            costs: Box::default(),
            ages: Box::default(),
            across: Across::Node,
        }
    }

    /// Tells whether it counts `operation`. What reduces risk is counted only where that is said.
    pub const fn applies_to(&self, operation: Operation) -> bool {
        if self.counts.is_ratio() {
            matches!(
                operation,
                Operation::OrderAmend | Operation::OrderCancel | Operation::OrderPlace
            )
        } else if self.operations.is_empty() {
            self.cancels || !operation.reduces_risk()
        } else {
            self.operations.contains(operation)
        }
    }

    /// Returns what `operation` costs here, if that is not for `counts` to say.
    pub(super) fn own_cost(&self, operation: Operation) -> Option<u32> {
        let costs = self.costs.iter();
        costs
            .copied()
            .find_map(|(named, cost)| (named == operation).then_some(cost))
    }

    /// Returns what `operation` costs here on top, by how long the order has stood.
    pub(super) fn own_ages(&self, operation: Operation) -> &[Age] {
        let mut ages = self.ages.iter();
        let own = ages.find(|(named, _)| *named == operation);
        own.map_or(&[], |(_, ages)| ages)
    }

    /// Tells whether it has to know of the orders that a message is about, where they are there already.
    pub(super) fn asks_about(&self, operation: Operation) -> bool {
        let by_symbol = self.subject.contains(Subject::Symbol) && operation.reduces_risk();
        let by_volume = self.counts == Counts::VolumeToTrade;
        let asks = by_symbol || by_volume || !self.own_ages(operation).is_empty();
        asks && self.applies_to(operation)
    }

    /// Tells whether a server can count it whose numbers are exact up to 2^53.
    pub fn is_exact_at_server(&self) -> bool {
        const EXACT: u64 = 1 << 53;
        let level = match self.algorithm {
            Algorithm::Drain { .. } => self.quota.checked_mul(self.window_ms),
            Algorithm::Anchored
            | Algorithm::Concurrent
            | Algorithm::Fixed
            | Algorithm::Ratio { .. }
            | Algorithm::Sliding => Some(self.quota),
        };
        level.is_some_and(|level| level < EXACT)
    }

    /// Returns a word for its law, with all its numbers but quota and window.
    pub(super) fn law_word(&self) -> String {
        match self.algorithm {
            Algorithm::Anchored => "anchored".into(),
            Algorithm::Concurrent => "concurrent".into(),
            Algorithm::Drain { rate } => format!("drain {rate}"),
            Algorithm::Fixed => "fixed".into(),
            Algorithm::Ratio { max_e4 } => format!("ratio {max_e4}"),
            Algorithm::Sliding => "sliding".into(),
        }
    }

    /// Returns how long a client can have to wait until all is back, in milliseconds; none where no clock says.
    pub fn recovery_ms(&self) -> Option<u64> {
        match self.algorithm {
            Algorithm::Concurrent => None,
            Algorithm::Drain { rate } => {
                let full = self.quota.saturating_mul(self.window_ms);
                Some(full.div_ceil(rate.max(1)))
            }
            Algorithm::Anchored
            | Algorithm::Fixed
            | Algorithm::Ratio { .. }
            | Algorithm::Sliding => Some(self.window_ms),
        }
    }
}

/// How much, and how often: as a refusal says it.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (quota, counts, window_ms) = (self.quota, self.counts.as_str(), self.window_ms);
        match self.algorithm {
            Algorithm::Concurrent => write!(f, "{quota} {counts} at once"),
            Algorithm::Drain { rate } => {
                write!(f, "{quota} {counts}, {rate} back in {window_ms} ms")
            }
            Algorithm::Sliding => write!(f, "{quota} {counts} in any {window_ms} ms"),
            Algorithm::Anchored => {
                write!(f, "{quota} {counts} in {window_ms} ms from the first")
            }
            Algorithm::Fixed => write!(f, "{quota} {counts} in {window_ms} ms"),
            Algorithm::Ratio { max_e4 } => {
                let (whole, parts) = (max_e4 / 10_000, max_e4 % 10_000);
                let parts = format!(".{parts:04}");
                let parts = parts.trim_end_matches('0').trim_end_matches('.');
                write!(f, "{whole}{parts} {counts} above {quota} in {window_ms} ms")
            }
        }
    }
}

/// What one message costs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cost {
    /// Weight of its route.
    pub weight: u32,
    /// Orders that it places.
    pub orders: u32,
    /// Orders that it names; of a message that is no batch, one.
    pub items: u32,
}

impl Cost {
    pub(crate) const fn of(self, counts: Counts) -> u64 {
        match counts {
            Counts::Items if self.items == 0 => 1,
            Counts::Items => self.items as u64,
            Counts::Orders | Counts::Unfilled => self.orders as u64,
            Counts::Requests => 1,
            // What a message adds depends on what it asks.
            Counts::CancelToOrder | Counts::OrderToTrade | Counts::VolumeToTrade => 0,
            Counts::Weight => self.weight as u64,
        }
    }

    /// Returns the part of it that falls on `orders` of the message's orders; weight and the message itself are whole
    /// for each part.
    pub(super) const fn share(self, orders: u32) -> Self {
        Self {
            weight: self.weight,
            orders: if self.orders < orders {
                self.orders
            } else {
                orders
            },
            items: orders,
        }
    }
}

/// Not a usable set of limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BudgetError {
    /// The limit at this index counts what fills give back, and has no windows aligned to the clock.
    NotFixed(usize),
    /// The limit at this index counts a ratio by another algorithm, or no ratio by that one.
    NotRatio(usize),
    /// The limit at this index gives nothing back.
    RateZero(usize),
    /// The limit at this index has a quota that cannot be counted exactly.
    TooLarge(usize),
    /// More than [`LIMITS_MAX`](super::LIMITS_MAX).
    TooMany,
    /// The limit at this index has a window of no length.
    WindowZero(usize),
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFixed(index) => {
                write!(
                    f,
                    "limits[{index}] counts what fills give back, which algorithm fixed can"
                )
            }
            Self::NotRatio(index) => {
                write!(
                    f,
                    "limits[{index}] counts a ratio without algorithm ratio, or nothing to it"
                )
            }
            Self::RateZero(index) => write!(f, "limits[{index}] gives nothing back"),
            Self::TooLarge(index) => write!(f, "limits[{index}] has a quota too large to count"),
            Self::TooMany => write!(f, "more than {} limits", super::LIMITS_MAX),
            Self::WindowZero(index) => write!(f, "limits[{index}] has a window of 0 ms"),
        }
    }
}

impl std::error::Error for BudgetError {}
