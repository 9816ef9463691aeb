//! What can be done with the shards of a running gate: looked at, filled otherwise, drained, isolated.

use std::collections::BTreeMap;
use std::time::Instant;

use ringfence_core::budget::Usage;
use ringfence_core::shard::{Shard, ShardState};
use serde_json::{Value as Json, json};
use std::sync::atomic::Ordering;

use crate::clock::{elapsed_us, now_us};
use crate::error::GateError;
use crate::gate::Gate;
use crate::snapshot::no_shard;

impl Gate {
    /// Puts accounts into shards, or into none. When this returns, whatever they ask is counted and refused as their new
    /// shard has it. Returns after how many microseconds that was.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] for a shard that is not there; then nothing has changed.
    pub fn place(&self, accounts: &BTreeMap<String, Option<u16>>) -> Result<u64, GateError> {
        let start = Instant::now();
        let credentials = &self.shared().core.credentials;
        let place = |(name, number): (&String, &Option<u16>)| {
            let shard = number.map(|number| self.shard(number)).transpose()?;
            Ok((name.clone(), shard))
        };
        let places = accounts.iter().map(place);
        for (name, shard) in places.collect::<Result<Vec<_>, GateError>>()? {
            credentials.place([&*name], shard);
        }
        let effective_us = elapsed_us(start);
        self.shared().silence();
        Ok(effective_us)
    }

    /// Has a shard stand so, for every message that is not forwarded yet, and for what is open. Returns after how many
    /// microseconds that held.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] for a shard that is not there.
    pub fn set_shard(&self, number: u16, state: ShardState) -> Result<u64, GateError> {
        let start = Instant::now();
        let shard = self.shard(number)?;
        self.shared().core.credentials.shards().set(shard, state);
        let effective_us = elapsed_us(start);
        self.shared().silence();
        Ok(effective_us)
    }

    /// Returns each shard with how many credentials and accounts stand in it, and how its own limits do.
    pub fn shards(&self) -> Json {
        let core = &self.shared().core;
        let counts = core.credentials.by_shard();
        let limit = |usage: &Usage| {
            let named = core.budget.limits().get(usize::from(usage.limit));
            json!({
                "limit": named.map(|limit| &*limit.name),
                "used": usage.used,
                "remaining": usage.remaining,
                "reset_ms": usage.reset_ms,
            })
        };
        let shards = core.credentials.shards().all().zip(counts);
        let described = shards.map(|(shard, (credentials, accounts))| {
            let limits = core.budget.of_shard(shard, now_us() / 1000);
            let mut about = self.shard_status(shard);
            about["credentials"] = credentials.into();
            about["accounts"] = accounts.into();
            about["limits"] = limits.iter().map(limit).collect();
            about
        });
        described.collect()
    }

    /// Returns what is counted of each shard anyway.
    pub(crate) fn shards_status(&self) -> Json {
        let shards = self.shared().core.credentials.shards();
        shards.all().map(|shard| self.shard_status(shard)).collect()
    }

    fn shard_status(&self, shard: Shard) -> Json {
        let shared = self.shared();
        let counter = shared.counters.shards.of(Some(shard));
        let (permitted, refused) = counter.map_or((0, 0), |counter| {
            let get = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
            (get(&counter.permitted), get(&counter.refused))
        });
        let (claims, room) = shared.core.room.taken_by(Some(shard));
        json!({
            "shard": shard.number(),
            "state": shared.core.credentials.shards().state(shard).as_str(),
            "permitted": permitted,
            "refused": refused,
            "replay_claims": claims,
            "replay_room": room,
        })
    }

    fn shard(&self, number: u16) -> Result<Shard, GateError> {
        let shards = self.shared().core.credentials.shards();
        let missing = || GateError::config("shard", no_shard(number));
        shards.shard(number).ok_or_else(missing)
    }
}
