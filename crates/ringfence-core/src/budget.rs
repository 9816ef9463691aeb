//! Budgets: several limits on one message, taken together or not at all, exact across threads.
//!
//! Windows are aligned to the clock, as Binance's are ("a 1 MINUTE interval starts every minute");
//! a clock that steps back refills nothing (`counter.rs`).
//!
//! What a credential and an account used is kept with them, so that it is bounded by their number.
//! What addresses used is kept in a table of its own: strangers can fill it, so idle addresses are
//! reclaimed and a full table refuses.

mod addresses;
mod meter;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use addresses::{Addresses, Shard};

use crate::address::Prefix;
use crate::counter::Counter;
use crate::credential::Credential;
use crate::refusal::{Code, Detail, LimitDetail, Refusal, Retry};

use meter::Pending;
pub use meter::{Meter, Told};

/// Most limits that one configuration may have.
pub const LIMITS_MAX: usize = 16;

const SUBJECTS: usize = 5;

/// Whose budget a limit is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// The account behind the credential.
    Account,
    /// The peer's address (IPv6: its /64).
    Address,
    /// The credential.
    Credential,
    /// Everything that this gateway sends, whoever asked.
    Upstream,
    /// The venue key that signs, whoever acts.
    Venue,
}

impl Subject {
    /// All subjects, in the order in which their counters are locked.
    const ALL: [Self; SUBJECTS] = [
        Self::Account,
        Self::Address,
        Self::Credential,
        Self::Upstream,
        Self::Venue,
    ];

    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Address => "address",
            Self::Credential => "credential",
            Self::Upstream => "upstream",
            Self::Venue => "venue",
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
    pub(crate) const fn of(self, counts: Counts) -> u64 {
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
///
/// On the heap: it travels with the message, and room for [`LIMITS_MAX`] limits would be moved with it at every step.
#[derive(Clone, Debug, Default)]
pub struct Usages(Vec<Usage>);

impl Usages {
    /// Returns them in the order of the configuration.
    pub fn as_slice(&self) -> &[Usage] {
        &self.0
    }
}

/// Proof that every limit that applies was charged, or that none does. At the venue its cost is under way as long as it
/// is held.
#[must_use]
#[derive(Debug)]
pub struct Charged {
    _upstream: Option<Pending>,
    _venue: Option<Pending>,
}

/// Who pays for a message.
#[derive(Clone, Copy, Debug)]
pub struct Payer<'a> {
    /// Where it came from.
    pub peer: IpAddr,
    /// Who acts.
    pub credential: Option<&'a Credential>,
    /// What is used of the venue by whoever uses it, where we do.
    pub upstream: Option<&'a Arc<Meter>>,
    /// What is used of it by the key that signs.
    pub venue: Option<&'a Arc<Meter>>,
}

/// What one credential, account or venue key used: a counter per limit of its kind, made with the first use.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Box<[Counter]>>);

impl Counters {
    fn lock(&self, limits: usize) -> MutexGuard<'_, Box<[Counter]>> {
        // A panic cannot leave counters half changed, so a poisoned lock is still good.
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() != limits {
            *counters = vec![Counter::default(); limits].into();
        }
        counters
    }
}

/// All limits and how they stand.
#[derive(Debug)]
pub struct BudgetTable {
    limits: Box<[Limit]>,
    /// For each limit, where its counter stands among those of its subject.
    places: Box<[usize]>,
    /// How many limits each subject has, in the order of [`Subject::ALL`].
    counts: [usize; SUBJECTS],
    addresses: Addresses,
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
    /// Makes a table for `limits` that keeps the usage of about `addresses` addresses at most.
    ///
    /// # Errors
    ///
    /// [`BudgetError`].
    pub fn new(limits: Vec<Limit>, addresses: usize) -> Result<Self, BudgetError> {
        if limits.len() > LIMITS_MAX {
            return Err(BudgetError::TooMany);
        }
        if let Some(index) = limits.iter().position(|limit| limit.window_ms == 0) {
            return Err(BudgetError::WindowZero(index));
        }
        let mut counts = [0; SUBJECTS];
        let mut places = Vec::with_capacity(limits.len());
        for limit in &limits {
            // INVARIANT: `counts` has a place for each variant of `Subject`.
            let count = &mut counts[limit.subject as usize];
            places.push(*count);
            *count += 1;
        }
        let windows_ms = limits
            .iter()
            .filter(|limit| limit.subject == Subject::Address)
            .map(|limit| limit.window_ms)
            .collect();
        Ok(Self {
            addresses: Addresses::new(windows_ms, addresses),
            limits: limits.into(),
            places: places.into(),
            counts,
        })
    }

    /// Returns the limits.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Charges `cost` to every limit that applies, or to none. Anonymous messages are charged to
    /// the address, and to what all use of the venue, only. Times are milliseconds since the Unix epoch.
    ///
    /// Returns how the limits stand in `usages`, also when one refuses.
    ///
    /// # Errors
    ///
    /// `budget_exceeded` with the limit and when to come back, `budget_full`.
    pub fn take(
        &self,
        payer: &Payer<'_>,
        cost: Cost,
        now_ms: u64,
        usages: &mut Usages,
    ) -> Result<Charged, Refusal> {
        let [accounts, addresses, credentials, upstreams, venues] = self.counts;
        let credential = payer.credential;
        // 1. Lock an account, then a part of the addresses, a credential, what all use, a venue key: always in
        //    this order and one of each, so that two messages never wait for each other.
        let mut account = credential
            .filter(|_| accounts > 0)
            .map(|c| c.account_counters().lock(accounts));
        let prefix = Prefix::of(payer.peer);
        let mut shard = (addresses > 0).then(|| self.addresses.lock(prefix));
        let mut own = credential
            .filter(|_| credentials > 0)
            .map(|c| c.counters().lock(credentials));
        let mut upstream = payer.upstream.map(|meter| meter.lock(upstreams));
        let mut venue = payer.venue.map(|meter| meter.lock(venues));
        let address = match &mut shard {
            Some(shard) => self.address(shard, prefix, cost, now_ms)?,
            None => &mut [],
        };
        let mut held = [
            account.as_deref_mut().map_or(&mut [][..], |c| c),
            address,
            own.as_deref_mut().map_or(&mut [][..], |c| c),
            upstream.as_deref_mut().map_or(&mut [][..], |c| c),
            venue.as_deref_mut().map_or(&mut [][..], |c| c),
        ];
        // 2. Look at every limit; 3. only if all allow it, charge every limit.
        let refusal = self.refusal(&mut held, cost, now_ms);
        let price = if refusal.is_none() { Some(cost) } else { None };
        self.charge(&mut held, price, now_ms, usages);
        match refusal {
            Some(refusal) => Err(refusal),
            // Under way from here on, while the meters are still locked.
            None => Ok(Charged {
                _upstream: payer.upstream.map(|meter| Pending::new(meter, cost)),
                _venue: payer.venue.map(|meter| Pending::new(meter, cost)),
            }),
        }
    }

    /// Takes what the venue says was used of it, by a message of `cost` that was sent at `sent_ms`: of the limits of
    /// `subject` that count so, what `meter` knows is raised to it, never lowered. What is still under way comes on
    /// top: the venue may not have seen it.
    ///
    /// An answer from one window says nothing of the next: it counts only if our clock saw the message's whole way in
    /// one window, and the venue's, where it says its time, is in the same.
    pub fn correct(&self, meter: &Meter, subject: Subject, told: &Told, cost: Cost) {
        let wanted = |limit: &&Limit| {
            limit.subject == subject
                && limit.counts == told.counts
                && limit.window_ms == told.window_ms
        };
        let window = told.now_ms / told.window_ms.max(1);
        let elsewhere = |time_ms: u64| time_ms / told.window_ms.max(1) != window;
        if told.times_ms.into_iter().flatten().any(elsewhere) {
            return;
        }
        // INVARIANT: `counts` has a place for each variant of `Subject`.
        let mut counters = meter.lock(self.counts[subject as usize]);
        let under_way = meter.pending(told.counts);
        let others = under_way.saturating_sub(cost.of(told.counts));
        let used = told.used.saturating_add(others);
        for (limit, place) in self.limits.iter().zip(&self.places) {
            if let Some(counter) = counters.get_mut(*place).filter(|_| wanted(&limit)) {
                let slot = counter.slot(window);
                if slot.window == window {
                    slot.used = slot.used.max(used);
                }
            }
        }
    }

    #[cfg(test)]
    fn shard_of(&self, peer: IpAddr) -> usize {
        self.addresses.shard_of(Prefix::of(peer))
    }

    /// Returns an address's counters. One that the message costs nothing is not remembered for it.
    fn address<'s>(
        &self,
        shard: &'s mut Shard,
        prefix: Prefix,
        cost: Cost,
        now_ms: u64,
    ) -> Result<&'s mut [Counter], Refusal> {
        let costs = |limit: &Limit| limit.subject == Subject::Address && cost.of(limit.counts) > 0;
        let price = self.limits.iter().any(costs);
        self.addresses.counters(shard, prefix, price, now_ms)
    }

    fn refusal(
        &self,
        held: &mut [&mut [Counter]; SUBJECTS],
        cost: Cost,
        now_ms: u64,
    ) -> Option<Refusal> {
        let mut refusal = None;
        for (limit, place) in self.limits.iter().zip(&self.places) {
            // INVARIANT: `held` has a place for each variant of `Subject`; so below.
            let price = cost.of(limit.counts);
            let Some(counter) = held[limit.subject as usize].get_mut(*place) else {
                continue;
            };
            let slot = counter.slot(now_ms / limit.window_ms);
            if price > 0 && price > limit.quota.saturating_sub(slot.used) {
                refusal = later(
                    refusal,
                    exceeded(limit, reset_ms(limit, slot.window, now_ms)),
                );
            }
        }
        refusal
    }

    fn charge(
        &self,
        held: &mut [&mut [Counter]; SUBJECTS],
        cost: Option<Cost>,
        now_ms: u64,
        usages: &mut Usages,
    ) {
        usages.0.reserve_exact(self.limits.len());
        for ((index, limit), place) in (0_u16..).zip(&self.limits).zip(&self.places) {
            let Some(counter) = held[limit.subject as usize].get_mut(*place) else {
                continue;
            };
            let slot = counter.slot(now_ms / limit.window_ms);
            if let Some(cost) = cost {
                // Cannot overflow: what is charged was found to fit the quota.
                slot.used += cost.of(limit.counts);
            }
            usages.0.push(Usage {
                limit: index,
                used: slot.used.min(limit.quota),
                remaining: limit.quota.saturating_sub(slot.used),
                reset_ms: reset_ms(limit, slot.window, now_ms),
            });
        }
    }
}

/// Returns how long a window still lasts, in milliseconds, at least one.
fn reset_ms(limit: &Limit, window: u64, now_ms: u64) -> u64 {
    let end_ms = window.saturating_add(1).saturating_mul(limit.window_ms);
    end_ms.saturating_sub(now_ms).max(1)
}

fn exceeded(limit: &Limit, reset_ms: u64) -> Refusal {
    let Limit {
        name,
        subject,
        counts,
        quota,
        window_ms,
    } = limit.clone();
    Refusal::new(Code::BudgetExceeded)
        .with(Detail::Limit(LimitDetail {
            name,
            subject,
            counts,
            quota,
            window_ms,
        }))
        .retry_after(reset_ms)
}

/// Returns the refusal that lasts longer: coming back earlier would be refused again.
fn later(known: Option<Refusal>, new: Refusal) -> Option<Refusal> {
    let wait_ms = |refusal: &Refusal| match refusal.retry {
        Retry::AfterMs(after_ms) => after_ms,
        Retry::Never => u64::MAX,
    };
    Some(known.filter(|k| wait_ms(k) >= wait_ms(&new)).unwrap_or(new))
}

#[cfg(test)]
mod tests;
