//! Whom credentials act for, and what is known of that by itself: one value that all its credentials see at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use crate::proof::LastProof;
use crate::shard::{Shard, ShardState, Shards};

/// Whom credentials act for.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) name: Box<str>,
    /// Whether the principal, or one above it, is out of use. Written by the table only.
    pub(super) held: AtomicBool,
    /// What somebody who stepped up for it proved last. Written by the table only.
    pub(super) stepped: LastProof,
    /// Its shard's number; one that no shard has: it stands in none. Written by the table only.
    shard: AtomicU16,
    shards: Arc<Shards>,
}

impl Account {
    /// Makes one in use, that stands in none of `shards`.
    pub(super) fn new(name: &str, shards: &Arc<Shards>) -> Self {
        Self {
            name: name.into(),
            held: AtomicBool::new(false),
            stepped: LastProof::default(),
            shard: AtomicU16::new(u16::MAX),
            shards: Arc::clone(shards),
        }
    }

    /// Returns how its shard stands; who stands in none is served.
    pub(super) fn shard_state(&self) -> ShardState {
        let state = |shard| self.shards.state(shard);
        self.shard().map_or(ShardState::Serving, state)
    }

    pub(super) fn shard(&self) -> Option<Shard> {
        self.shards.shard(self.shard.load(Ordering::SeqCst))
    }

    /// Puts it into a shard, or into none.
    pub(super) fn place(&self, shard: Option<Shard>) {
        let number = shard.map_or(u16::MAX, Shard::number);
        self.shard.store(number, Ordering::SeqCst);
    }
}
