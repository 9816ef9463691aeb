//! Which keys have shown themselves good from which addresses lately.

use std::hash::{BuildHasher, RandomState};

use super::cells::Cells;
use crate::address::Prefix;

/// Stands for a key, by a hash of this process.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Mark(u64);

impl Mark {
    pub(super) const fn number(self) -> u64 {
        self.0
    }
}

/// Of both the last time, in microseconds.
#[derive(Debug)]
pub(super) struct Known {
    keys: Cells<(Prefix, Mark), u64>,
    addresses: Cells<Prefix, u64>,
    for_us: u64,
    hash: RandomState,
}

impl Known {
    /// Remembers about `places` of each, for `seconds`. Beyond that whoever was seen last displaces whom it was longest ago.
    pub(super) fn new(places: usize, seconds: u64) -> Self {
        Self {
            keys: Cells::new(places),
            addresses: Cells::new(places),
            for_us: seconds.saturating_mul(1_000_000),
            hash: RandomState::new(),
        }
    }

    pub(super) fn mark(&self, key_id: &str) -> Mark {
        Mark(self.hash.hash_one(key_id))
    }

    pub(super) fn note(&self, from: Prefix, key: Mark, now_us: u64) {
        let seen = |at: &mut u64| *at = (*at).max(now_us);
        self.keys.change((from, key), || 0, |at| *at, seen);
        self.addresses.change(from, || 0, |at| *at, seen);
    }

    pub(super) fn has(&self, from: Prefix, key: Mark, now_us: u64) -> bool {
        self.keys.of((from, key), |at| self.lasts(*at, now_us)) == Some(true)
    }

    pub(super) fn has_any(&self, from: Prefix, now_us: u64) -> bool {
        self.addresses.of(from, |at| self.lasts(*at, now_us)) == Some(true)
    }

    const fn lasts(&self, at_us: u64, now_us: u64) -> bool {
        now_us.saturating_sub(at_us) < self.for_us
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.keys.bytes() + self.addresses.bytes()
    }
}
