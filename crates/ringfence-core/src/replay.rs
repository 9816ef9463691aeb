//! Replay memory: what a signature was used for, until its own deadline refuses it.
//!
//! Pure state: no clock, no I/O; one memory per credential.
//!
//! Invariant: a claim is forgotten only once its deadline alone refuses it. The floor rises only to
//! deadlines that were really forgotten, so a clock that leaps forward and back neither re-admits
//! anything nor locks anybody out. When memory is full we refuse: evicting a live claim would let
//! it be replayed.
//!
//! Why reads are kept too: Binance signs neither method nor path, so the signature of a captured
//! `GET /api/v3/openOrders` also fits `DELETE /api/v3/openOrders`. See docs/adr/0004.
//!
//! Why claims are found by signature alone, not by signature and deadline: Binance signs query and
//! body without anything between them, so moving that border can make the same signature name
//! another time or window. Whatever stamp it comes with, a live claim is found.

mod claims;

use std::sync::atomic::{AtomicUsize, Ordering};

use claims::{Claimed, Claims};

use crate::refusal::Code;
use crate::sign::{Signed, Verified};

/// Claims forgotten by one claim at most, so that the first message after a burst does not pay for
/// all of it. More than the one that a claim adds, so that memory shrinks as it is used.
const FORGET_AT_ONCE: usize = 16;

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
    ///
    /// A claim takes about 100 bytes. Size `per_credential` as peak messages per second times the
    /// longest window in seconds.
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

    /// Tells whether no credential can claim any more.
    pub(crate) fn is_full(&self) -> bool {
        self.taken() >= self.total
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
    claims: Claims,
    /// Deadlines up to and including this one have been forgotten, and are refused as stale.
    floor_us: u64,
}

impl ReplayMemory {
    /// Claims `signed` for `purpose`.
    ///
    /// Takes a [`Verified`] value, so that an unsigned message can neither fill the memory nor burn
    /// a nonce.
    ///
    /// # Errors
    ///
    /// `time_stale` when the deadline was forgotten, `replay_seen` when the signature was used in a
    /// way that excludes this one, `replay_full` when there is no room.
    pub fn claim(
        &mut self,
        signed: &Verified<Signed>,
        purpose: Use,
        now_us: u64,
        room: &ReplayRoom,
    ) -> Result<Fresh, Code> {
        self.forget(now_us, FORGET_AT_ONCE, room);
        let Signed { stamp, nonce } = *signed.get();
        let deadline_us = stamp.time_us.saturating_add(stamp.window_us);
        if deadline_us <= self.floor_us {
            return Err(Code::TimeStale);
        }
        match (self.claims.touch(nonce, deadline_us), purpose) {
            (Some(Use::Read), Use::Read) => {}
            (Some(Use::Read), Use::Spend) | (Some(Use::Spend), Use::Read | Use::Spend) => {
                return Err(Code::ReplaySeen);
            }
            (None, Use::Read | Use::Spend) => {
                room.take_one(self.claims.len())?;
                let claimed = Claimed {
                    deadline_us,
                    purpose,
                };
                self.claims.insert(nonce, claimed);
            }
        }
        Ok(Fresh(()))
    }

    /// Forgets up to `most` claims whose deadline has passed at `now_us`, and returns how many.
    pub fn forget(&mut self, now_us: u64, most: usize, room: &ReplayRoom) -> usize {
        let mut forgotten = 0;
        while forgotten < most
            && let Some(deadline_us) = self.claims.pop_before(now_us)
        {
            self.floor_us = self.floor_us.max(deadline_us);
            forgotten += 1;
        }
        if forgotten > 0 {
            room.give_back(forgotten);
        }
        forgotten
    }

    /// Returns how many claims are kept.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Tells whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
