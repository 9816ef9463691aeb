//! Decisions, kept by exactly what was read for them. Bounded: a full part is emptied, which costs time and nothing else.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use crate::set::Verdict;

const SHARDS: usize = 32;
/// Decisions in one part.
const SHARD_MAX: usize = 2048;
/// Longer keys are not kept: names are the client's to choose.
const KEY_MAX: usize = 512;

type Shard = HashMap<Box<[u8]>, Arc<Verdict>>;

/// The cache of one policy set; another set has another.
#[derive(Debug)]
pub struct Cache {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Cache {
    pub(crate) fn get(&self, key: &[u8]) -> Option<Arc<Verdict>> {
        let shard = self.shard(key);
        let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(key).cloned()
    }

    pub(crate) fn put(&self, key: Vec<u8>, verdict: &Arc<Verdict>) {
        if key.len() > KEY_MAX {
            return;
        }
        let shard = self.shard(&key);
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SHARD_MAX {
            shard.clear();
        }
        shard.insert(key.into(), Arc::clone(verdict));
    }

    /// Returns how many decisions are kept.
    pub fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Tells whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many decisions are kept at most.
    pub const fn capacity() -> usize {
        SHARDS * SHARD_MAX
    }

    fn shard(&self, key: &[u8]) -> &RwLock<Shard> {
        // INVARIANT: the index is below SHARDS, which is the length.
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}
