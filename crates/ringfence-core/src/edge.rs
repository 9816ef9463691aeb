//! Edge budget: requests per address, before any cryptography, in bounded memory.
//!
//! What is refused after the first in a window is counted, not recorded one by one: a flood must
//! not be able to fill the ledger.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::Prefix;
use crate::counter::Counter;
use crate::refusal::{Code, Refusal};

const SHARDS: usize = 16;

/// Proof that the address had budget left, or that the edge control is not enforced.
#[must_use]
#[derive(Debug)]
pub struct EdgePass(());

/// A refusal at the edge.
#[derive(Debug)]
pub struct EdgeRefusal {
    /// What the client is told.
    pub refusal: Refusal,
    /// Whether this is the first of its address in this window: the one that gets a ledger entry of
    /// its own. Addresses that there was no room for count as one.
    pub first: bool,
}

/// How many requests of one address were refused after the first in a window that has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EdgeSummary {
    /// The address, or its /64; [`Prefix::OTHERS`] for those that there was no room for.
    pub prefix: Prefix,
    /// Requests refused beyond the first.
    pub refused: u64,
}

/// What was refused in one window.
#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    window: u64,
    count: u64,
}

impl Refused {
    /// Counts one refusal in `window`; returns whether it is the first there, and what an earlier
    /// window leaves to be told.
    fn add(&mut self, window: u64) -> (bool, u64) {
        let mut untold = 0;
        if self.window != window {
            untold = self.take();
            self.window = window;
        }
        self.count += 1;
        (self.count == 1, untold)
    }

    /// Returns what was refused after the first, and counts it no more.
    fn take(&mut self) -> u64 {
        let untold = self.count.saturating_sub(1);
        self.count = 0;
        untold
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    admitted: Counter,
    refused: Refused,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<Prefix, Entry>,
    /// Addresses that there was no room for.
    others: Refused,
    /// Windows before this one may have been forgotten. Never goes back.
    floor: u64,
    /// Windows that ended with more than one refusal, until somebody takes them; at most as many as
    /// there are entries.
    ended: Vec<EdgeSummary>,
    /// Refusals that `ended` had no room for.
    untold: u64,
}

impl Shard {
    fn tell(&mut self, prefix: Prefix, refused: u64, capacity: usize) {
        if refused == 0 {
            return;
        }
        if self.ended.len() < capacity {
            self.ended.push(EdgeSummary { prefix, refused });
        } else {
            self.untold += refused;
        }
    }

    /// Makes room by forgetting the addresses that have not been seen since `window` began.
    ///
    /// Its cost is that of the whole shard, so it is done once per window at most, however many
    /// strangers knock.
    fn forget_before(&mut self, window: u64, capacity: usize) {
        if window <= self.floor {
            return;
        }
        self.floor = window;
        let mut gone = Vec::new();
        self.entries.retain(|prefix, entry| {
            let live = entry.admitted.spent_until() > window;
            if !live {
                gone.push((*prefix, entry.refused.take()));
            }
            live
        });
        for (prefix, refused) in gone {
            self.tell(prefix, refused, capacity);
        }
    }
}

/// Requests per address and window. Windows are aligned to the clock; one that steps back refills
/// nothing, and one that leaps forward and back goes on where it was.
#[derive(Debug)]
pub struct EdgeBudget {
    quota: u64,
    window_us: u64,
    /// Addresses that one shard keeps.
    capacity: usize,
    shards: Box<[Mutex<Shard>]>,
}

impl EdgeBudget {
    /// Allows `quota` requests in `window_ms` to each of about `addresses` addresses at most.
    pub fn new(quota: u64, window_ms: u64, addresses: usize) -> Self {
        Self {
            quota,
            window_us: window_ms.clamp(1, u64::MAX / 1000) * 1000,
            capacity: addresses.div_ceil(SHARDS).max(1),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes one request of `address`'s budget, at `now_us` microseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// `edge_rate` with when to come back, or `edge_full`.
    pub fn admit(&self, address: IpAddr, now_us: u64) -> Result<EdgePass, EdgeRefusal> {
        let prefix = Prefix::of(address);
        let window = now_us / self.window_us;
        let mut shard = self.shard(prefix);
        if shard.entries.len() >= self.capacity && !shard.entries.contains_key(&prefix) {
            shard.forget_before(window, self.capacity);
            if shard.entries.len() >= self.capacity {
                let (first, untold) = shard.others.add(window);
                shard.untold += untold;
                return Err(self.refuse(Code::EdgeFull, window, first, now_us));
            }
        }
        let floor = shard.floor;
        let entry = shard.entries.entry(prefix).or_insert_with(|| Entry {
            admitted: Counter::starting(floor),
            refused: Refused::default(),
        });
        let slot = entry.admitted.slot(window);
        if slot.used < self.quota {
            slot.used += 1;
            return Ok(EdgePass(()));
        }
        let window = slot.window;
        let (first, untold) = entry.refused.add(window);
        shard.tell(prefix, untold, self.capacity);
        Err(self.refuse(Code::EdgeRate, window, first, now_us))
    }

    /// Takes what was refused in windows that have ended at `now_us`.
    pub fn take_summaries(&self, now_us: u64) -> Vec<EdgeSummary> {
        let window = now_us / self.window_us;
        let mut taken = Vec::new();
        let mut others = 0;
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            taken.append(&mut shard.ended);
            for (prefix, entry) in &mut shard.entries {
                if entry.refused.window < window {
                    let refused = entry.refused.take();
                    taken.extend((refused > 0).then_some(EdgeSummary {
                        prefix: *prefix,
                        refused,
                    }));
                }
            }
            others += std::mem::take(&mut shard.untold);
            if shard.others.window < window {
                others += shard.others.take();
            }
        }
        if others > 0 {
            taken.push(EdgeSummary {
                prefix: Prefix::OTHERS,
                refused: others,
            });
        }
        taken
    }

    /// Returns the proof that stands for an edge control which is off or only observes.
    pub(crate) const fn waive(&self) -> EdgePass {
        EdgePass(())
    }

    fn refuse(&self, code: Code, window: u64, first: bool, now_us: u64) -> EdgeRefusal {
        let end_us = window.saturating_add(1).saturating_mul(self.window_us);
        let wait_ms = end_us.saturating_sub(now_us).div_ceil(1000).max(1);
        EdgeRefusal {
            refusal: Refusal::new(code).retry_after(wait_ms),
            first,
        }
    }

    fn shard(&self, prefix: Prefix) -> MutexGuard<'_, Shard> {
        // INVARIANT: the shard is below SHARDS, which is the length. A panic cannot leave a shard
        // half changed, so a poisoned lock is still good.
        self.shards[prefix.shard(SHARDS)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
