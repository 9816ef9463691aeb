//! Bans: who is kept out for a while, how one comes to be, and who is let through all the same.
//!
//! A banned address may be that of many. So what is signed with a key that was seen good from there lately is verified
//! and goes on, as far as the verifications reach that are left for the address; all else is refused before any
//! cryptography (docs/bans.md, docs/adr/0045).

mod cells;
mod known;
mod ladder;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::address::Prefix;
use crate::edge::{EdgeBudget, Quotas, Spread};
use crate::refusal::Refusal;

use known::Known;
pub use known::Mark;
use ladder::Ladder;
pub use ladder::{Offence, Rules, Step};
pub use table::{Answer, Applied, Ban, BanTable, Origin, Reach, Target};

/// How bans are counted and lifted.
#[derive(Clone, Debug)]
pub struct BanConfig {
    /// How they come to be; none: by operators alone.
    pub rules: Option<Rules>,
    /// How many may be in force that are not operators'.
    pub capacity: usize,
    /// How long a key is known at an address by a good signature.
    pub known_s: u64,
    /// How many keys are known, and addresses that they are known at.
    pub known: usize,
    /// Verifications that a banned address has in a window, for what claims a key that is known there.
    pub verifications: u64,
    /// Requests in a window of nobody that is known: by address, network and block.
    pub unproved: Quotas,
    /// The window of both.
    pub window_ms: u64,
    /// How many prefixes are counted exactly.
    pub prefixes: usize,
}

/// Why an address is refused unless it proves who asks.
#[derive(Clone, Debug)]
pub struct Suspicion {
    refusal: Refusal,
    reach: Reach,
}

impl Suspicion {
    /// Returns what is answered.
    pub const fn refusal(&self) -> &Refusal {
        &self.refusal
    }
}

/// All that keeps somebody out.
#[derive(Debug)]
pub struct Bans {
    table: BanTable,
    ladder: Option<Ladder>,
    known: Known,
    verifications: EdgeBudget,
    quota: u64,
    unproved: Spread,
    window_us: u64,
    /// Before this no network has used up what strangers of it have.
    spent_until_us: AtomicU64,
}

impl Bans {
    /// Makes it without a ban.
    pub fn new(config: BanConfig) -> Self {
        let window_ms = config.window_ms.max(1);
        Self {
            table: BanTable::new(config.capacity),
            ladder: config.rules.map(Ladder::new),
            known: Known::new(config.known, config.known_s),
            verifications: EdgeBudget::new(config.verifications, window_ms, config.prefixes),
            quota: config.verifications,
            unproved: Spread::new(config.unproved, window_ms, config.prefixes),
            window_us: window_ms.saturating_mul(1000),
            spent_until_us: AtomicU64::new(0),
        }
    }

    /// Returns the bans in force.
    pub const fn table(&self) -> &BanTable {
        &self.table
    }

    /// Puts a ban in force, whoever says so. It is when this returns.
    pub fn apply(&self, ban: Ban, now_us: u64) -> Applied {
        if let (Some(ladder), 1..) = (&self.ladder, ban.step) {
            ladder.restore(&ban, self.mark_of(&ban.target));
        }
        self.table.apply(ban, now_us)
    }

    /// Lifts a ban, and forgets what led to it.
    pub fn lift(&self, target: &Target) -> Option<Arc<Ban>> {
        if let Some(ladder) = &self.ladder {
            ladder.forgive(target, self.mark_of(target));
        }
        self.table.lift(target)
    }

    /// Counts what was refused; returns the bans that it leads to, none of which is in force yet.
    pub fn offended(&self, offence: &Offence<'_>, now_us: u64) -> Vec<Ban> {
        match (&self.ladder, offence.proved) {
            (None, _) => Vec::new(),
            (Some(ladder), Some(key_id)) => {
                ladder.offended(offence, self.mark(key_id).number(), now_us)
            }
            (Some(ladder), None) => ladder.offended(offence, 0, now_us),
        }
    }

    /// Returns what stands for a key among those that are known.
    pub fn mark(&self, key_id: &str) -> Mark {
        self.known.mark(key_id)
    }

    /// Notes that a key has shown itself good from an address.
    pub fn note(&self, peer: IpAddr, key: Mark, now_us: u64) {
        self.known.note(Prefix::of(peer), key, now_us);
    }

    /// Counts a request of nobody that is known.
    pub fn unproved(&self, peer: IpAddr, now_us: u64) {
        if self.unproved.take(peer, 1, now_us).is_err() {
            let end_us = (now_us / self.window_us)
                .saturating_add(1)
                .saturating_mul(self.window_us);
            self.spent_until_us.fetch_max(end_us, Ordering::AcqRel);
        }
    }

    /// Returns why an address is refused, if it is.
    pub fn suspicion(&self, peer: IpAddr, now_us: u64) -> Option<Suspicion> {
        if let Some(ban) = self.table.of_address(peer, now_us) {
            let (refusal, reach) = (ban.refusal(now_us), ban.reach);
            return Some(Suspicion { refusal, reach });
        }
        let spent = self.spent_until_us.load(Ordering::Acquire);
        // A clock that was ahead for a while does not hold anybody here.
        if now_us >= spent || spent - now_us > self.window_us {
            return None;
        }
        let over = self.unproved.over(peer, now_us)?;
        Some(Suspicion {
            refusal: over,
            reach: Reach::Strangers,
        })
    }

    /// Tells whether anybody could be let through in spite of it.
    pub fn may_spare(&self, suspicion: &Suspicion, peer: IpAddr, now_us: u64) -> bool {
        suspicion.reach == Reach::Strangers && self.known.has_any(Prefix::of(peer), now_us)
    }

    /// Tells whether a key is known at an address.
    pub fn knows(&self, peer: IpAddr, key: Mark, now_us: u64) -> bool {
        self.known.has(Prefix::of(peer), key, now_us)
    }

    /// Takes one of the verifications that a banned address has.
    pub(crate) fn may_verify(&self, peer: IpAddr, now_us: u64) -> bool {
        let taken = self
            .verifications
            .take(Prefix::of(peer), self.quota, now_us);
        taken.is_ok()
    }

    /// Returns what the key of a message is refused for.
    ///
    /// # Errors
    ///
    /// `banned` with until when, or `edge_rate`.
    pub fn check_key(&self, key_id: &str, now_us: u64) -> Result<(), Refusal> {
        match self.table.of_credential(key_id, now_us) {
            Some(ban) => Err(ban.refusal(now_us)),
            None => Ok(()),
        }
    }

    /// Tells whether what was opened from an address, as whoever has `key`, is over.
    pub fn shuts_out(&self, peer: IpAddr, key: Option<Mark>, now_us: u64) -> bool {
        let Some(ban) = self.table.of_address(peer, now_us) else {
            return false;
        };
        let known = |key| self.knows(peer, key, now_us);
        ban.answer == Answer::Ban && (ban.reach == Reach::All || !key.is_some_and(known))
    }

    fn mark_of(&self, target: &Target) -> u64 {
        match target {
            Target::Credential(key_id) => self.mark(key_id).number(),
            Target::Network(_) => 0,
        }
    }
}

impl Default for Bans {
    /// No rules, and room for few.
    fn default() -> Self {
        Self::new(BanConfig {
            rules: None,
            capacity: 1024,
            known_s: 3600,
            known: 1024,
            verifications: 100,
            unproved: Quotas {
                address: u64::MAX,
                network: 1,
                block: 1,
            },
            window_ms: 1000,
            prefixes: 1024,
        })
    }
}

#[cfg(test)]
mod tests;
