//! Edge budget: requests per address, before any cryptography, in bounded memory.
//!
//! Whoever uses a good part of a quota is counted exactly; all others by a [`Sketch`], which never counts less than there
//! was and has room for everybody. So nobody is turned away because others filled a table. What is refused after the first
//! in a window is counted, not recorded one by one: a flood must not be able to fill the ledger.

mod sketch;
mod spread;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::Prefix;
use crate::ban::{Mark, Suspicion};
use crate::counter::Counter;
use crate::refusal::{Code, Refusal};

use sketch::Sketch;
pub use spread::{Quotas, Spread};

const SHARDS: usize = 16;
/// Who has used one part in so many of a quota is counted exactly from there on.
const HEAVY_PART: u64 = 8;

/// Proof that the address had budget left, or that the edge control is not enforced.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct EdgePass {
    /// Why only who is known there may go on.
    suspicion: Option<Box<Suspicion>>,
    /// The key that the connection has proved already.
    proved: Option<Mark>,
}

impl EdgePass {
    pub(crate) fn suspicious(suspicion: Option<Suspicion>) -> Self {
        Self {
            suspicion: suspicion.map(Box::new),
            proved: None,
        }
    }

    /// Returns why only who is known at the address may go on.
    pub fn suspicion(&self) -> Option<&Suspicion> {
        self.suspicion.as_deref()
    }

    /// Says by which key the connection proved itself before: another proof by it is verified out of turn.
    pub fn after(self, proved: Option<Mark>) -> Self {
        Self { proved, ..self }
    }

    pub(crate) fn has_proved(&self, key: Mark) -> bool {
        self.proved == Some(key)
    }
}

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

#[derive(Debug)]
struct Shard {
    /// Those that are counted exactly.
    entries: HashMap<Prefix, Entry>,
    /// All others.
    sketch: Sketch,
    /// Addresses that there was no room for among those that are counted exactly.
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
    /// Makes one with a sketch as wide as the entries that it keeps.
    fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            sketch: Sketch::new(capacity),
            others: Refused::default(),
            floor: 0,
            ended: Vec::new(),
            untold: 0,
        }
    }

    /// Begins to count `prefix` exactly, from what it can have used. False if there is no room.
    fn take_up(&mut self, prefix: Prefix, used: u64, window: u64, capacity: usize) -> bool {
        if self.entries.len() >= capacity {
            self.forget_before(window, capacity);
            if self.entries.len() >= capacity {
                return false;
            }
        }
        let mut admitted = Counter::starting(self.floor);
        let slot = admitted.slot(window);
        slot.used = slot.used.max(used);
        let refused = Refused::default();
        self.entries.insert(prefix, Entry { admitted, refused });
        true
    }

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
    /// Addresses that one shard counts exactly.
    capacity: usize,
    shards: Box<[Mutex<Shard>]>,
}

impl EdgeBudget {
    /// Allows `quota` requests in `window_ms` to each address. About `addresses` of them at most are counted exactly.
    pub fn new(quota: u64, window_ms: u64, addresses: usize) -> Self {
        let capacity = addresses.div_ceil(SHARDS).max(1);
        let shard = |_| Mutex::new(Shard::new(capacity));
        Self {
            quota,
            window_us: window_ms.clamp(1, u64::MAX / 1000) * 1000,
            capacity,
            shards: (0..SHARDS).map(shard).collect(),
        }
    }

    /// Takes one request of `address`'s budget, at `now_us` microseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// As [`EdgeBudget::take`].
    pub fn admit(&self, address: IpAddr, now_us: u64) -> Result<EdgePass, EdgeRefusal> {
        let taken = self.take(Prefix::of(address), self.quota, now_us);
        taken.map(|()| EdgePass::default())
    }

    /// Takes one of the `quota` that `prefix` has in a window.
    ///
    /// # Errors
    ///
    /// `edge_rate` with when to come back; `edge_full` where that is known of the sketch alone, which may count more than
    /// there was.
    pub fn take(&self, prefix: Prefix, quota: u64, now_us: u64) -> Result<(), EdgeRefusal> {
        let window = now_us / self.window_us;
        let mut shard = self.shard(prefix);
        if !shard.entries.contains_key(&prefix) {
            let used = shard.sketch.estimate(prefix, window);
            let heavy = used >= quota / HEAVY_PART;
            if !heavy || !shard.take_up(prefix, used, window, self.capacity) {
                if used < quota {
                    shard.sketch.add(prefix, window);
                    return Ok(());
                }
                let (first, untold) = shard.others.add(window);
                shard.untold += untold;
                return Err(self.refuse(Code::EdgeFull, window, first, now_us));
            }
        }
        let Some(entry) = shard.entries.get_mut(&prefix) else {
            // INVARIANT: it was there, or has just been taken up.
            return Ok(());
        };
        let slot = entry.admitted.slot(window);
        if slot.used < quota {
            slot.used += 1;
            return Ok(());
        }
        let window = slot.window;
        let (first, untold) = entry.refused.add(window);
        shard.tell(prefix, untold, self.capacity);
        Err(self.refuse(Code::EdgeRate, window, first, now_us))
    }

    /// Returns what `prefix` is refused for once it has used up a quota in this window; takes nothing.
    pub fn spent(&self, prefix: Prefix, quota: u64, now_us: u64) -> Option<Refusal> {
        let window = now_us / self.window_us;
        let mut shard = self.shard(prefix);
        let used = match shard.entries.get_mut(&prefix) {
            Some(entry) => entry.admitted.slot(window).used,
            None => shard.sketch.estimate(prefix, window),
        };
        (used >= quota).then(|| self.refuse(Code::EdgeRate, window, false, now_us).refusal)
    }

    /// Counts a refusal of `prefix` for another reason than its quota, which it uses up. Tells whether it is the first of
    /// its window.
    pub fn refused(&self, prefix: Prefix, now_us: u64) -> bool {
        match self.take(prefix, 0, now_us) {
            Err(over) => over.first,
            Ok(()) => false,
        }
    }

    /// Returns who is counted exactly: at most so many.
    pub fn counted(&self, most: usize) -> Vec<Prefix> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(shard.entries.keys().take(most - found.len()));
        }
        found
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
    pub(crate) fn waive(&self) -> EdgePass {
        EdgePass::default()
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
