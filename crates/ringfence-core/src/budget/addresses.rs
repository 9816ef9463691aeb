//! What addresses used: bounded memory that strangers can fill but not refill.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::Prefix;
use crate::counter::Counter;
use crate::refusal::{Code, Refusal};

const SHARDS: usize = 64;

#[derive(Debug)]
pub(super) struct Addresses {
    /// The windows of the limits that count addresses, in milliseconds.
    windows_ms: Box<[u64]>,
    /// Addresses that one shard keeps.
    capacity: usize,
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    counters: HashMap<Prefix, Box<[Counter]>>,
    /// Some address was forgotten whose last used window ended here: one that is not known may have
    /// used all windows up to it. Milliseconds since the epoch; never goes back.
    floor_ms: u64,
    /// Before this time no address is idle, so that looking for one is in vain.
    idle_from_ms: u64,
}

impl Addresses {
    pub(super) fn new(windows_ms: Box<[u64]>, addresses: usize) -> Self {
        Self {
            windows_ms,
            capacity: addresses.div_ceil(SHARDS).max(1),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    pub(super) const fn shard_of(&self, prefix: Prefix) -> usize {
        prefix.shard(SHARDS)
    }

    pub(super) fn lock(&self, prefix: Prefix) -> MutexGuard<'_, Shard> {
        // INVARIANT: the shard is below SHARDS, which is the length. A panic cannot leave a shard
        // half changed, so a poisoned lock is still good.
        self.shards[self.shard_of(prefix)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the counters of `prefix`; none if it is not known and `remember` is false.
    pub(super) fn counters<'s>(
        &self,
        shard: &'s mut Shard,
        prefix: Prefix,
        remember: bool,
        now_ms: u64,
    ) -> Result<&'s mut [Counter], Refusal> {
        if remember
            && shard.counters.len() >= self.capacity
            && !shard.counters.contains_key(&prefix)
        {
            self.forget_idle(shard, now_ms);
            if shard.counters.len() >= self.capacity {
                let wait_ms = shard.idle_from_ms.saturating_sub(now_ms).max(1);
                return Err(Refusal::new(Code::BudgetFull).retry_after(wait_ms));
            }
        }
        match shard.counters.entry(prefix) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(_) if !remember => Ok(&mut []),
            Entry::Vacant(place) => {
                let counters = self.windows_ms.iter().map(|window_ms| {
                    let end_ms = (now_ms / window_ms)
                        .saturating_add(1)
                        .saturating_mul(*window_ms);
                    shard.idle_from_ms = shard.idle_from_ms.min(end_ms);
                    Counter::starting(shard.floor_ms / window_ms)
                });
                Ok(place.insert(counters.collect()))
            }
        }
    }

    /// Forgets the addresses whose used windows have all ended at `now_ms`.
    ///
    /// Its cost is that of the whole shard, so it is done only if it can find something: at most
    /// once per window, however many strangers knock.
    fn forget_idle(&self, shard: &mut Shard, now_ms: u64) {
        if now_ms < shard.idle_from_ms {
            return;
        }
        let Shard {
            counters,
            floor_ms,
            idle_from_ms,
        } = shard;
        *idle_from_ms = u64::MAX;
        counters.retain(|_, counters| {
            let ends_ms = counters.iter().zip(&self.windows_ms);
            let idle_ms = ends_ms
                .map(|(counter, ms)| counter.spent_until().saturating_mul(*ms))
                .max()
                .unwrap_or(0);
            let idle = idle_ms <= now_ms;
            if idle {
                *floor_ms = (*floor_ms).max(idle_ms);
            } else {
                *idle_from_ms = (*idle_from_ms).min(idle_ms);
            }
            !idle
        });
    }
}
