//! Egress: whose venue key signs for an account, what was used of the venue through it, and what may be
//! transferred.
//!
//! Only the names of keys are known here. Their material is with whoever signs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::budget::{Cost, Meter};
use crate::funds::TransferRules;
use crate::refusal::{Code, Refusal};

/// How often it is news that a key is refused, in microseconds.
const NEWS_US: u64 = 60_000_000;

/// What a firm's gateway knows of its venue.
#[derive(Debug)]
pub struct Egress {
    accounts: HashMap<Box<str>, Arc<VenueKey>>,
    /// For accounts that are not named.
    default: Option<Arc<VenueKey>>,
    keys: HashMap<Box<str>, Arc<VenueKey>>,
    upstream: Arc<Meter>,
    transfers: TransferRules,
}

/// A venue key by its name. What was used through it outlives a change of its material.
#[derive(Debug)]
pub struct VenueKey {
    name: Box<str>,
    meter: Arc<Meter>,
    /// Whether there is something to sign with.
    ready: AtomicBool,
    /// How often it was another key, or none, after it had been one.
    exchanges: AtomicU64,
    /// Whether the venue refused it when it was used last.
    refused: AtomicBool,
    /// Times that the venue refused it.
    refusals: AtomicU64,
    /// When that was news; microseconds since the Unix epoch.
    news_us: AtomicU64,
    /// The last time that something was signed with; microseconds since the Unix epoch.
    clock_us: AtomicU64,
}

impl Egress {
    /// Makes one from accounts and the names of their keys, and the name of the key for all others.
    pub fn new(
        accounts: &HashMap<Box<str>, Box<str>>,
        default: Option<&str>,
        transfers: TransferRules,
    ) -> Self {
        let mut keys: HashMap<Box<str>, Arc<VenueKey>> = HashMap::new();
        let mut key = |name: &str| {
            let made = keys
                .entry(name.into())
                .or_insert_with(|| Arc::new(VenueKey::new(name)));
            Arc::clone(made)
        };
        let default = default.map(&mut key);
        let accounts = accounts.iter();
        Self {
            accounts: accounts.map(|(a, name)| (a.clone(), key(name))).collect(),
            default,
            keys,
            upstream: Arc::default(),
            transfers,
        }
    }

    /// Returns the key that signs for `account`.
    ///
    /// # Errors
    ///
    /// `venue_key_missing` when the account has none, or nothing is there to sign with.
    pub fn key(&self, account: &str) -> Result<&Arc<VenueKey>, Code> {
        let key = self.accounts.get(account).or(self.default.as_ref());
        key.filter(|key| key.ready.load(Ordering::SeqCst))
            .ok_or(Code::VenueKeyMissing)
    }

    /// Returns all keys that accounts use.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<VenueKey>> {
        self.keys.values()
    }

    /// Returns what was used of the venue by all keys, and by none.
    pub const fn upstream(&self) -> &Arc<Meter> {
        &self.upstream
    }

    /// Returns what accounts may transfer.
    pub const fn transfers(&self) -> &TransferRules {
        &self.transfers
    }

    /// Checks that the venue has not told us to stop. Milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// `venue_limited` with when to come back.
    pub(crate) fn check(
        &self,
        key: Option<&VenueKey>,
        cost: Cost,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let meters = [Some(&self.upstream), key.map(|key| &key.meter)];
        let held = meters.into_iter().flatten();
        let until_ms = held.map(|meter| meter.held_until_ms(cost)).max();
        match until_ms.unwrap_or_default().saturating_sub(now_ms) {
            0 => Ok(()),
            wait_ms => Err(Refusal::new(Code::VenueLimited).retry_after(wait_ms)),
        }
    }
}

impl VenueKey {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            meter: Arc::new(Meter::new(name)),
            ready: AtomicBool::new(false),
            exchanges: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            refusals: AtomicU64::new(0),
            news_us: AtomicU64::new(0),
            clock_us: AtomicU64::new(0),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what was used through it.
    pub const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Says whether there is something to sign with.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
    }

    /// Says that what there is to sign with is not what there was.
    pub fn exchange(&self) {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns how often that was so. What was begun with the venue under another count was begun with another key.
    pub fn exchanges(&self) -> u64 {
        self.exchanges.load(Ordering::SeqCst)
    }

    /// Tells whether there is something to sign with.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    /// Returns `now_us`, or the first later time that nothing was signed with: it grows strictly, on all threads.
    pub fn tick(&self, now_us: u64) -> u64 {
        let next = |last: u64| now_us.max(last.saturating_add(1));
        let update = |last| Some(next(last));
        let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
        // INVARIANT: it is `Ok`, since `update` always gives a value.
        let last = self.clock_us.fetch_update(set, get, update);
        last.map_or(now_us, next)
    }

    /// Notes whether the venue took the key at `now_us`. Returns whether it is news that it did not: once a minute.
    pub fn note(&self, refused: bool, now_us: u64) -> bool {
        self.refused.store(refused, Ordering::SeqCst);
        if !refused {
            return false;
        }
        self.refusals.fetch_add(1, Ordering::Relaxed);
        let due = |last: u64| (now_us.saturating_sub(last) >= NEWS_US).then_some(now_us);
        let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
        self.news_us.fetch_update(set, get, due).is_ok()
    }

    /// Returns how often the venue refused it, and whether it did when it was used last.
    pub fn refusals(&self) -> (u64, bool) {
        let last = self.refused.load(Ordering::SeqCst);
        (self.refusals.load(Ordering::Relaxed), last)
    }
}

#[cfg(test)]
mod tests;
