//! Edge budget: requests per address, before any cryptography, in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::Prefix;
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
    /// Whether this is the first of its address in this window: the one that gets a ledger entry of its own.
    pub first: bool,
}

/// How many requests of one address were refused after the first in a window that has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EdgeSummary {
    /// The address, or its /64.
    pub prefix: Prefix,
    /// Requests refused beyond the first.
    pub refused: u64,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    /// Start of its window in microseconds; never goes back.
    start_us: u64,
    /// 0 <= admitted <= quota
    admitted: u64,
    refused: u64,
}

#[derive(Debug, Default)]
struct Shard {
    counts: HashMap<Prefix, Count>,
    /// Windows that ended with more than one refusal, until somebody takes them.
    ended: Vec<EdgeSummary>,
}

impl Shard {
    /// Drops the counts of windows that began before `start_us`, and keeps what they refused.
    fn end_before(&mut self, start_us: u64) {
        let Self { counts, ended } = self;
        counts.retain(|prefix, count| {
            let live = count.start_us >= start_us;
            if !live {
                ended.extend(summary(*prefix, *count));
            }
            live
        });
    }
}

fn summary(prefix: Prefix, count: Count) -> Option<EdgeSummary> {
    let refused = count.refused.saturating_sub(1);
    (refused > 0).then_some(EdgeSummary { prefix, refused })
}

/// Requests per address and window. Windows are aligned to the clock; one that steps back refills nothing.
#[derive(Debug)]
pub struct EdgeBudget {
    quota: u64,
    window_us: u64,
    /// Addresses that one shard keeps.
    capacity: usize,
    shards: Box<[Mutex<Shard>]>,
}

impl EdgeBudget {
    /// Allows `quota` requests in `window_ms` to each of at most `addresses` addresses.
    pub fn new(quota: u64, window_ms: u64, addresses: usize) -> Self {
        Self {
            quota,
            window_us: window_ms.max(1) * 1000,
            capacity: addresses.div_ceil(SHARDS).max(1),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes one request of `address`'s budget.
    ///
    /// # Errors
    ///
    /// `edge_rate` with when to come back, or `edge_full`.
    pub fn admit(&self, address: IpAddr, now_us: u64) -> Result<EdgePass, EdgeRefusal> {
        let prefix = Prefix::of(address);
        let start_us = now_us - now_us % self.window_us;
        let mut shard = self.shard(prefix);
        if !shard.counts.contains_key(&prefix) && shard.counts.len() >= self.capacity {
            shard.end_before(start_us);
            if shard.counts.len() >= self.capacity {
                return Err(EdgeRefusal {
                    refusal: Code::EdgeFull.into(),
                    first: false,
                });
            }
        }
        let Shard { counts, ended } = &mut *shard;
        let fresh = Count {
            start_us,
            admitted: 0,
            refused: 0,
        };
        let count = counts.entry(prefix).or_insert(fresh);
        if start_us > count.start_us {
            ended.extend(summary(prefix, *count));
            *count = fresh;
        }
        if count.admitted < self.quota {
            count.admitted += 1;
            return Ok(EdgePass(()));
        }
        count.refused += 1;
        let wait_ms = (count.start_us + self.window_us)
            .saturating_sub(now_us)
            .div_ceil(1000);
        Err(EdgeRefusal {
            refusal: Refusal::new(Code::EdgeRate).retry_after(wait_ms.max(1)),
            first: count.refused == 1,
        })
    }

    /// Takes what was refused in windows that have ended at `now_us`.
    pub fn take_summaries(&self, now_us: u64) -> Vec<EdgeSummary> {
        let start_us = now_us - now_us % self.window_us;
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.end_before(start_us);
            taken.append(&mut shard.ended);
        }
        taken
    }

    /// Returns the proof that stands for an edge control which is off or only observes.
    pub const fn waive(&self) -> EdgePass {
        EdgePass(())
    }

    fn shard(&self, prefix: Prefix) -> MutexGuard<'_, Shard> {
        let number = prefix.number();
        let mixed = (number ^ (number >> 64)) as u64;
        let index = (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize % SHARDS;
        // INVARIANT: the index is below SHARDS, which is the length.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
