//! What is under way to the venue, what it says was used of it, and whether it told us to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Cost, Counts};

/// What is under way through one venue key, or one gateway, and whether the venue told it to stop.
#[derive(Debug, Default)]
pub struct Meter {
    name: Box<str>,
    /// Cost of the messages under way, in the order of [`Counts`]: charged, and not answered.
    /// Grows only while the part of the table is locked where the meter's own limits are kept.
    pending: [AtomicU64; COUNTS],
    /// Milliseconds since the epoch until which nothing is sent. Only grows.
    hold_ms: AtomicU64,
    /// The same for messages that place orders.
    orders_hold_ms: AtomicU64,
}

const COUNTS: usize = Counts::ALL.len();

/// What the venue says was used of one of its limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Told {
    /// What it counts.
    pub counts: Counts,
    /// Over what window, in milliseconds.
    pub window_ms: u64,
    /// Units used in it.
    pub used: u64,
    /// Our time, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// When the message was sent by our clock, and when it was answered by the venue's.
    pub times_ms: [Option<u64>; 2],
}

impl Meter {
    /// Makes one of the key called `name`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Returns the key's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn pending(&self, counts: Counts) -> u64 {
        // INVARIANT: there is a place for each variant of `Counts`; so below.
        self.pending[counts as usize].load(Ordering::SeqCst)
    }

    /// Sends nothing before `until_ms`; with `orders`, nothing that places orders. Returns whether that is news at
    /// `now_ms`. Times are milliseconds since the Unix epoch.
    pub fn hold(&self, until_ms: u64, orders: bool, now_ms: u64) -> bool {
        let hold = if orders {
            &self.orders_hold_ms
        } else {
            &self.hold_ms
        };
        hold.fetch_max(until_ms, Ordering::SeqCst) <= now_ms
    }

    /// Returns until when a message of `cost` is not sent.
    pub fn held_until_ms(&self, cost: Cost) -> u64 {
        let all = self.hold_ms.load(Ordering::SeqCst);
        if cost.orders == 0 {
            return all;
        }
        all.max(self.orders_hold_ms.load(Ordering::SeqCst))
    }
}

/// The cost of one message that is under way.
#[derive(Debug)]
pub(super) struct Pending {
    meter: Arc<Meter>,
    cost: Cost,
}

impl Pending {
    pub(super) fn new(meter: &Arc<Meter>, cost: Cost) -> Self {
        for counts in Counts::ALL {
            meter.pending[counts as usize].fetch_add(cost.of(counts), Ordering::SeqCst);
        }
        Self {
            meter: Arc::clone(meter),
            cost,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        for counts in Counts::ALL {
            let pending = &self.meter.pending[counts as usize];
            pending.fetch_sub(self.cost.of(counts), Ordering::SeqCst);
        }
    }
}
