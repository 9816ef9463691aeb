//! Replay memory: what a signature was used for, until its own deadline refuses it.
//!
//! Pure state: no clock, no I/O; one memory per credential.
//!
//! Invariant: a claim is forgotten only once its deadline alone refuses it. The floor rises only to deadlines that
//! were really forgotten, so a clock that leaps forward and back neither re-admits anything nor locks anybody out.
//! When memory is full we refuse: evicting a live claim would let it be replayed.
//!
//! Why reads are kept too: Binance signs neither method nor path, so the signature of a captured
//! `GET /api/v3/openOrders` also fits `DELETE /api/v3/openOrders`. See docs/adr/0004.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::refusal::Code;
use crate::sign::{Nonce, Signed, Verified};

/// What a signature is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// Looks only. May repeat.
    Read,
    /// Changes state. Happens once, and spends the signature on every route.
    Spend,
}

/// Proof that a message is inside its window and not a replay.
#[must_use]
#[derive(Debug)]
pub struct Fresh(());

/// How many claims all credentials together may keep, and how many one may.
#[derive(Debug)]
pub struct ReplayRoom {
    /// Claims that one credential may keep.
    per_credential: usize,
    /// Claims that all may keep.
    total: usize,
    /// Claims kept now. 0 <= taken <= total.
    taken: AtomicUsize,
}

impl ReplayRoom {
    /// Makes room for `total` claims, at most `per_credential` of them by one credential.
    pub const fn new(per_credential: usize, total: usize) -> Self {
        Self {
            per_credential,
            total,
            taken: AtomicUsize::new(0),
        }
    }

    /// Returns how many claims are kept now.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn take_one(&self, held: usize) -> Result<(), Code> {
        if held >= self.per_credential {
            return Err(Code::ReplayFull);
        }
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < self.total).then_some(taken + 1)
            })
            .map(drop)
            .map_err(|_| Code::ReplayFull)
    }

    fn give_back(&self, count: usize) {
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }
}

/// What one credential's signatures were used for.
#[derive(Debug, Default)]
pub struct ReplayMemory {
    /// Ordered by deadline, so that what may be forgotten is a prefix. Microseconds since the epoch.
    claims: BTreeMap<(u64, Nonce), Use>,
    /// Deadlines up to and including this one have been forgotten, and are refused as stale.
    floor_us: u64,
}

impl ReplayMemory {
    /// Claims `signed` for `purpose`.
    ///
    /// Takes a [`Verified`] value, so that an unsigned message can neither fill the memory nor burn a nonce.
    ///
    /// # Errors
    ///
    /// `time_stale` when the deadline was forgotten, `replay_seen` when the signature was used in a way that excludes
    /// this one, `replay_full` when there is no room.
    pub fn claim(
        &mut self,
        signed: &Verified<Signed>,
        purpose: Use,
        now_us: u64,
        room: &ReplayRoom,
    ) -> Result<Fresh, Code> {
        self.forget(now_us, room);
        let Signed { stamp, nonce } = *signed.get();
        let deadline_us = stamp.time_us.saturating_add(stamp.window_us);
        if deadline_us <= self.floor_us {
            return Err(Code::TimeStale);
        }
        let held = self.claims.len();
        match self.claims.entry((deadline_us, nonce)) {
            Entry::Occupied(known) => match (known.get(), purpose) {
                (Use::Read, Use::Read) => Ok(Fresh(())),
                (Use::Read, Use::Spend) | (Use::Spend, Use::Read | Use::Spend) => {
                    Err(Code::ReplaySeen)
                }
            },
            Entry::Vacant(place) => {
                room.take_one(held)?;
                place.insert(purpose);
                Ok(Fresh(()))
            }
        }
    }

    /// Forgets claims whose deadline has passed at `now_us`.
    fn forget(&mut self, now_us: u64, room: &ReplayRoom) {
        let mut forgotten = 0;
        while let Some(oldest) = self.claims.first_entry() {
            let (deadline_us, _) = *oldest.key();
            if deadline_us >= now_us {
                break;
            }
            self.floor_us = self.floor_us.max(deadline_us);
            oldest.remove();
            forgotten += 1;
        }
        if forgotten > 0 {
            room.give_back(forgotten);
        }
    }
}

#[cfg(test)]
mod tests;
