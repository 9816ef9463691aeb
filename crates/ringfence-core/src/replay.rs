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

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use claims::{Claimed, Claims};

use crate::refusal::Code;
use crate::shard::Shard;
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

/// How many claims a shard's credentials together may keep, and how many one may.
#[derive(Debug)]
pub struct ReplayRoom {
    /// Claims that one credential may keep.
    per_credential: usize,
    /// Claims that may be kept in each share.
    each: usize,
    /// One for each shard, the last for who stands in none: nobody takes another's room.
    shares: Box<[Share]>,
}

/// A shard's room. On a cache line of its own: shards do not wait for each other.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Share {
    /// Claims kept now: more than a share has room for only where a shard's new account brought its own along.
    taken: AtomicUsize,
    search: Search,
}

/// Where claims that have passed are looked for when there is no room.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// The part of the table of credentials that is next.
    pub(crate) next: AtomicUsize,
    /// When all were last looked through in vain, in microseconds since the epoch.
    pub(crate) vain_us: AtomicU64,
}

impl ReplayRoom {
    /// Makes room for `total` claims, at most `per_credential` of them by one credential.
    ///
    /// A claim takes about 100 bytes. Size `per_credential` as peak messages per second times the
    /// longest window in seconds.
    pub fn new(per_credential: usize, total: usize) -> Self {
        Self::in_shards(per_credential, total, 0)
    }

    /// As [`ReplayRoom::new`], in equal shares: one for each of `shards`, and one for who stands in none.
    pub fn in_shards(per_credential: usize, total: usize, shards: u16) -> Self {
        let count = usize::from(shards) + 1;
        Self {
            per_credential,
            each: total / count,
            shares: (0..count).map(|_| Share::default()).collect(),
        }
    }

    /// Returns how many claims are kept now.
    pub fn taken(&self) -> usize {
        let taken = |share: &Share| share.taken.load(Ordering::Relaxed);
        self.shares.iter().map(taken).sum()
    }

    /// Returns how many claims a shard's credentials keep now, and how many they may.
    pub fn taken_by(&self, shard: Option<Shard>) -> (usize, usize) {
        let taken = &self.share(self.index(shard)).taken;
        (taken.load(Ordering::Relaxed), self.each)
    }

    /// Tells whether no credential of a shard can claim any more.
    pub(crate) fn is_full(&self, shard: Option<Shard>) -> bool {
        let (taken, each) = self.taken_by(shard);
        taken >= each
    }

    /// Returns where a shard's claims that have passed are looked for.
    pub(crate) fn search(&self, shard: Option<Shard>) -> &Search {
        &self.share(self.index(shard)).search
    }

    fn index(&self, shard: Option<Shard>) -> usize {
        let none = self.shares.len() - 1;
        shard.map_or(none, |shard| usize::from(shard.number()).min(none))
    }

    fn share(&self, index: usize) -> &Share {
        // INVARIANT: there is one share at least, and an index that is beyond them is that of the last.
        &self.shares[index.min(self.shares.len() - 1)]
    }

    fn take_one(&self, held: usize, share: usize) -> Result<(), Code> {
        if held >= self.per_credential {
            return Err(Code::ReplayFull);
        }
        self.share(share)
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < self.each).then_some(taken + 1)
            })
            .map(drop)
            .map_err(|_| Code::ReplayFull)
    }

    fn give_back(&self, count: usize, share: usize) {
        self.share(share).taken.fetch_sub(count, Ordering::Relaxed);
    }
}

/// What one credential's signatures were used for.
#[derive(Debug, Default)]
pub struct ReplayMemory {
    claims: Claims,
    /// Whose room they take: an index of [`ReplayRoom::shares`].
    share: usize,
    /// Deadlines up to and including this one have been forgotten, and are refused as stale.
    floor_us: u64,
}

impl ReplayMemory {
    /// Has the claims take the room of `shard`, and no other's: those that are kept move along.
    pub fn stand_in(&mut self, shard: Option<Shard>, room: &ReplayRoom) {
        let share = room.index(shard);
        if share == self.share {
            return;
        }
        let kept = self.claims.len();
        room.share(share).taken.fetch_add(kept, Ordering::Relaxed);
        room.give_back(kept, self.share);
        self.share = share;
    }

    /// Tells whether the claims take the room of `shard`.
    pub(crate) fn stands_in(&self, shard: Option<Shard>, room: &ReplayRoom) -> bool {
        self.share == room.index(shard)
    }

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
                room.take_one(self.claims.len(), self.share)?;
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
            room.give_back(forgotten, self.share);
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
