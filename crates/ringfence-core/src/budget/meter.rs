//! What is used of the venue: counted by us, corrected by what it says, and whether it told us to stop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

use super::{Cost, Counters, Counts};
use crate::counter::Counter;

/// What all that passes through one venue key, or one gateway, uses of the venue.
#[derive(Debug, Default)]
pub struct Meter {
    counters: Counters,
    /// Cost of the messages under way, in the order of [`Counts`]: charged, and not answered.
    /// Grows only while `counters` is locked.
    pending: [AtomicU64; 3],
    /// Milliseconds since the epoch until which nothing is sent. Only grows.
    hold_ms: AtomicU64,
    /// The same for messages that place orders.
    orders_hold_ms: AtomicU64,
}

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
    pub(super) fn lock(&self, limits: usize) -> MutexGuard<'_, Box<[Counter]>> {
        self.counters.lock(limits)
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

const COUNTS: [Counts; 3] = [Counts::Orders, Counts::Requests, Counts::Weight];

impl Pending {
    pub(super) fn new(meter: &Arc<Meter>, cost: Cost) -> Self {
        for counts in COUNTS {
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
        for counts in COUNTS {
            let pending = &self.meter.pending[counts as usize];
            pending.fetch_sub(self.cost.of(counts), Ordering::SeqCst);
        }
    }
}
