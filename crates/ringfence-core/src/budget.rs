//! Budgets: several limits on one message, taken together or not at all, exact across threads.
//!
//! Windows are aligned to the clock, as Binance's are ("a 1 MINUTE interval starts every minute"); a clock that steps
//! back refills nothing. Subjects are kept in bounded memory: idle ones are reclaimed, and a full table refuses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::Prefix;
use crate::credential::Credential;
use crate::refusal::{Code, Detail, LimitDetail, Refusal};

/// Most limits that one configuration may have.
pub const LIMITS_MAX: usize = 16;
const SHARDS: usize = 64;

/// Whose budget a limit is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// The account behind the credential.
    Account,
    /// The peer's address (IPv6: its /64).
    Address,
    /// The credential.
    Credential,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Account, Self::Address, Self::Credential];

    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Address => "address",
            Self::Credential => "credential",
        }
    }

    /// Returns the subject called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|subject| subject.as_str() == text)
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counts {
    /// Orders placed.
    Orders,
    /// Messages.
    Requests,
    /// The routes' weights.
    Weight,
}

impl Counts {
    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Requests => "requests",
            Self::Weight => "weight",
        }
    }

    /// Returns what is called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Orders, Self::Requests, Self::Weight]
            .into_iter()
            .find(|c| c.as_str() == text)
    }
}

/// A budget over a window.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit {
    /// Name shown to clients and in the ledger.
    pub name: Box<str>,
    /// Whose.
    pub subject: Subject,
    /// Of what.
    pub counts: Counts,
    /// Units allowed in a window.
    pub quota: u64,
    /// Length of the window in milliseconds.
    pub window_ms: u64,
}

/// What one message costs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cost {
    /// Weight of its route.
    pub weight: u32,
    /// Orders that it places.
    pub orders: u32,
}

impl Cost {
    const fn of(self, counts: Counts) -> u64 {
        match counts {
            Counts::Orders => self.orders as u64,
            Counts::Requests => 1,
            Counts::Weight => self.weight as u64,
        }
    }
}

/// How one limit stands after a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Index of the limit in the configuration.
    pub limit: u16,
    /// Units used in this window.
    pub used: u64,
    /// Units left in this window.
    pub remaining: u64,
    /// Milliseconds until the window ends.
    pub reset_ms: u64,
}

/// How the limits stand that applied to a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usages {
    items: [Usage; LIMITS_MAX],
    length: usize,
}

impl Usages {
    /// Returns them in the order of the configuration.
    pub fn as_slice(&self) -> &[Usage] {
        self.items.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, usage: Usage) {
        if let Some(place) = self.items.get_mut(self.length) {
            *place = usage;
            self.length += 1;
        }
    }
}

/// Proof that every limit that applies was charged, or that none does.
#[must_use]
#[derive(Debug)]
pub struct Charged(());

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum SubjectKey {
    Account(u32),
    Address(Prefix),
    Credential(u32),
}

impl SubjectKey {
    const fn shard(self) -> usize {
        let number = match self {
            Self::Account(serial) => serial as u64,
            Self::Address(prefix) => (prefix.number() ^ (prefix.number() >> 64)) as u64,
            Self::Credential(serial) => serial as u64 | 1 << 32,
        };
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    /// Start of its window in milliseconds; never goes back.
    start_ms: u64,
    /// 0 <= used <= quota
    used: u64,
}

type Shard = HashMap<SubjectKey, Box<[Counter]>>;

/// All limits and how they stand.
#[derive(Debug)]
pub struct BudgetTable {
    limits: Box<[Limit]>,
    /// Indexes of the limits of each subject, in the order of [`Subject::ALL`].
    by_subject: [Box<[u16]>; 3],
    /// Subjects that one shard keeps.
    capacity: usize,
    shards: Box<[Mutex<Shard>]>,
}

/// Not a usable set of limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BudgetError {
    /// More than [`LIMITS_MAX`].
    TooMany,
    /// The limit at this index has a window of no length.
    WindowZero(usize),
}

impl std::fmt::Display for BudgetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooMany => write!(f, "more than {LIMITS_MAX} limits"),
            Self::WindowZero(index) => write!(f, "limits[{index}] has a window of 0 ms"),
        }
    }
}

impl std::error::Error for BudgetError {}

impl BudgetTable {
    /// Makes a table for `limits` that keeps at most `subjects` subjects.
    ///
    /// # Errors
    ///
    /// [`BudgetError`].
    pub fn new(limits: Vec<Limit>, subjects: usize) -> Result<Self, BudgetError> {
        if limits.len() > LIMITS_MAX {
            return Err(BudgetError::TooMany);
        }
        if let Some(index) = limits.iter().position(|limit| limit.window_ms == 0) {
            return Err(BudgetError::WindowZero(index));
        }
        let by_subject = Subject::ALL.map(|subject| {
            (0_u16..)
                .zip(&limits)
                .filter(|(_, l)| l.subject == subject)
                .map(|(i, _)| i)
                .collect()
        });
        Ok(Self {
            limits: limits.into(),
            by_subject,
            capacity: subjects.div_ceil(SHARDS).max(1),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        })
    }

    /// Returns the limits.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Charges `cost` to every limit that applies, or to none. Anonymous messages are charged to the address only.
    ///
    /// Returns how the limits stand, also when one refuses.
    ///
    /// # Errors
    ///
    /// `budget_exceeded` with the limit and when to come back, `budget_full`.
    pub fn take(
        &self,
        peer: IpAddr,
        credential: Option<&Credential>,
        cost: Cost,
        now_ms: u64,
        usages: &mut Usages,
    ) -> Result<Charged, Refusal> {
        let keys = [
            credential.map(|c| SubjectKey::Account(c.account_serial())),
            Some(SubjectKey::Address(Prefix::of(peer))),
            credential.map(|c| SubjectKey::Credential(c.serial())),
        ];
        // 1. Lock what is needed, in ascending order of shard, so that two messages never wait for each other.
        let mut wanted = [usize::MAX; 3];
        for (place, (key, limits)) in wanted.iter_mut().zip(keys.iter().zip(&self.by_subject)) {
            if let Some(key) = key.filter(|_| !limits.is_empty()) {
                *place = key.shard();
            }
        }
        let mut order = wanted;
        order.sort_unstable();
        let mut held: [Option<(usize, MutexGuard<'_, Shard>)>; 3] = [None, None, None];
        let mut last = usize::MAX;
        for (place, shard) in held.iter_mut().zip(order) {
            if shard != usize::MAX && shard != last {
                let lock = self.shards.get(shard).map(|m| m.lock());
                *place = lock.map(|l| (shard, l.unwrap_or_else(PoisonError::into_inner)));
                last = shard;
            }
        }
        // 2. Look at every limit; 3. only if all allow it, charge every limit.
        self.look(&keys, &wanted, &mut held, cost, now_ms, usages)?;
        for (key, (limits, shard)) in keys.iter().zip(self.by_subject.iter().zip(wanted)) {
            let counters = key.and_then(|key| shard_of(&mut held, shard)?.get_mut(&key));
            for (counter, limit) in counters.into_iter().flatten().zip(&**limits) {
                counter.used += self
                    .limits
                    .get(usize::from(*limit))
                    .map_or(0, |l| cost.of(l.counts));
            }
        }
        Ok(Charged(()))
    }

    fn look(
        &self,
        keys: &[Option<SubjectKey>; 3],
        wanted: &[usize; 3],
        held: &mut [Option<(usize, MutexGuard<'_, Shard>)>; 3],
        cost: Cost,
        now_ms: u64,
        usages: &mut Usages,
    ) -> Result<(), Refusal> {
        let mut refusal = None;
        for (key, (indexes, shard)) in keys.iter().zip(self.by_subject.iter().zip(wanted)) {
            let (Some(key), Some(shard)) = (key, shard_of(held, *shard)) else {
                continue;
            };
            let counters = self.counters(shard, *key, indexes, now_ms)?;
            for (counter, index) in counters.iter_mut().zip(&**indexes) {
                let Some(limit) = self.limits.get(usize::from(*index)) else {
                    continue;
                };
                let start_ms = now_ms - now_ms % limit.window_ms;
                if start_ms > counter.start_ms {
                    *counter = Counter { start_ms, used: 0 };
                }
                let price = cost.of(limit.counts);
                let reset_ms = (counter.start_ms + limit.window_ms)
                    .saturating_sub(now_ms)
                    .max(1);
                let fits = price <= limit.quota.saturating_sub(counter.used);
                let used = if fits {
                    counter.used + price
                } else {
                    counter.used
                };
                usages.push(Usage {
                    limit: *index,
                    used,
                    remaining: limit.quota.saturating_sub(used),
                    reset_ms,
                });
                if !fits && price > 0 {
                    refusal = later(refusal, exceeded(limit, reset_ms));
                }
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    fn counters<'s>(
        &self,
        shard: &'s mut Shard,
        key: SubjectKey,
        indexes: &[u16],
        now_ms: u64,
    ) -> Result<&'s mut [Counter], Refusal> {
        if !shard.contains_key(&key) && shard.len() >= self.capacity {
            shard.retain(|key, counters| !self.idle(*key, counters, now_ms));
            if shard.len() >= self.capacity {
                return Err(Code::BudgetFull.into());
            }
        }
        let empty = || vec![Counter::default(); indexes.len()].into();
        Ok(shard.entry(key).or_insert_with(empty))
    }

    /// Tells whether every window of a subject has ended, so that forgetting it changes nothing.
    fn idle(&self, key: SubjectKey, counters: &[Counter], now_ms: u64) -> bool {
        let subject = match key {
            SubjectKey::Account(_) => Subject::Account,
            SubjectKey::Address(_) => Subject::Address,
            SubjectKey::Credential(_) => Subject::Credential,
        };
        let limits = self.limits.iter().filter(|limit| limit.subject == subject);
        counters.iter().zip(limits).all(|(counter, limit)| {
            counter.used == 0 || counter.start_ms.saturating_add(limit.window_ms) <= now_ms
        })
    }
}

fn shard_of<'h, 't>(
    held: &'h mut [Option<(usize, MutexGuard<'t, Shard>)>; 3],
    shard: usize,
) -> Option<&'h mut MutexGuard<'t, Shard>> {
    held.iter_mut()
        .flatten()
        .find(|(index, _)| *index == shard)
        .map(|(_, guard)| guard)
}

fn exceeded(limit: &Limit, reset_ms: u64) -> Refusal {
    let Limit {
        name,
        counts,
        quota,
        window_ms,
        ..
    } = limit.clone();
    Refusal::new(Code::BudgetExceeded)
        .with(Detail::Limit(LimitDetail {
            name,
            counts,
            quota,
            window_ms,
        }))
        .retry_after(reset_ms)
}

/// Returns the refusal that lasts longer: coming back earlier would be refused again.
fn later(known: Option<Refusal>, new: Refusal) -> Option<Refusal> {
    use crate::refusal::Retry;
    match (&known, new.retry) {
        (
            Some(Refusal {
                retry: Retry::AfterMs(old),
                ..
            }),
            Retry::AfterMs(fresh),
        ) if *old >= fresh => known,
        _ => Some(new),
    }
}

#[cfg(test)]
mod tests;
