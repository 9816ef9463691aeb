//! A waiting line in which who asks seldom does not wait behind those who ask all the time.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) with one cost for everything: the line has a time of its
//! own, which goes on with what is served, and each flow is as far along in it as it has been served. Whoever is behind
//! goes first, so that no flow waits longer than a round of all that wait, and one that asks less often than its turn
//! comes never waits behind them.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// How far along a flow is, in its line's time.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Along(u64);

/// Those who wait, of any number of flows.
#[derive(Debug)]
pub struct Fair<T> {
    waiting: BinaryHeap<Reverse<Waiting<T>>>,
    now: Along,
    /// How many have entered: of flows that are equally far along, who came first goes first.
    entered: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    start: Along,
    nth: u64,
    who: T,
}

impl<T> Waiting<T> {
    const fn key(&self) -> (Along, u64) {
        (self.start, self.nth)
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self {
            waiting: BinaryHeap::new(),
            now: Along::default(),
            entered: 0,
        }
    }
}

impl<T> Fair<T> {
    /// Returns how far along a new flow is: as one that was just served. Who comes anew for each message gains nothing.
    pub const fn newcomer(&self) -> Along {
        Along(self.now.0 + 1)
    }

    /// Lets `who`, whose flow is so far `along`, wait.
    pub fn enter(&mut self, along: Along, who: T) {
        self.entered += 1;
        // Not brought up to the line's time, as usual: all that wait are at that, and it would stand behind them.
        let start = along;
        let nth = self.entered;
        self.waiting.push(Reverse(Waiting { start, nth, who }));
    }

    /// Takes the next one.
    #[expect(
        clippy::should_implement_trait,
        reason = "it goes on for as long as some enter"
    )]
    pub fn next(&mut self) -> Option<T> {
        self.waiting.pop().map(|Reverse(first)| first.who)
    }

    /// Serves a flow that is so far `along`, whether it waited or not. Returns how far along it is then.
    pub fn serve(&mut self, along: Along) -> Along {
        self.now = along.max(self.now);
        Along(self.now.0 + 1)
    }

    /// Returns how many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Tells whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests;
