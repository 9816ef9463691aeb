//! What is remembered of an account's orders: in which instrument they are, for amendments that name an order by the
//! venue's id alone; since when they stand, and how much of them is filled, for limits that ask.
//!
//! Learned from what the venue answers to permitted placements, so that nobody can say it of an order of their own choice.
//! Another account's order is as unknown as one that was never placed. Bounded memory: the oldest order gives way, of its
//! own account first, so that no account can make the gateway forget all of another's.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::budget::Stakes;
use crate::decimal::Decimal;

/// Orders remembered of one account.
pub const ACCOUNT_ORDERS: usize = 4_096;
/// Orders remembered in all: some 20 MB, with ids of [`ID_BYTES`] 40 MB.
pub const ORDERS: usize = 65_536;
/// Longest id of an order, and longest name of an instrument, that is remembered. Venues' own are shorter.
pub const ID_BYTES: usize = 128;
/// Fills remembered of an account's orders that are not known yet, and accounts with such.
const EARLY: usize = 64;
const EARLY_ACCOUNTS: usize = 1_024;

/// What a message calls an order that is there already, as written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OrderIds<'a> {
    /// Instrument.
    pub symbol: Option<&'a str>,
    /// The client's own id.
    pub client_order_id: Option<&'a str>,
    /// The venue's id.
    pub venue_order_id: Option<&'a str>,
}

/// What is remembered of one order.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its instrument.
    pub instrument: Arc<str>,
    /// When it was placed, or changed last, as far as is known: never before that. Milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// How much of it is filled, as far as is heard.
    filled: Decimal,
    /// How much it is, in lots; 0 where that is not known.
    pub lots: u64,
    /// Whose budgets its fills change, where some do.
    stakes: Option<Arc<Stakes>>,
}

/// What the venue says of how much of an order is filled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Told {
    /// How much by now, from the beginning on.
    pub filled: Decimal,
    /// How much was filled last and when, if that is said. Milliseconds since the Unix epoch.
    pub last: Option<(Decimal, u64)>,
}

/// That more of an order is filled than was known.
#[derive(Clone, Debug)]
pub struct Filled {
    /// Whose budgets that changes.
    pub stakes: Arc<Stakes>,
    /// Whether nothing of it was filled before.
    pub first: bool,
    /// When the venue says that its first fill was. Milliseconds since the Unix epoch.
    pub first_ms: Option<u64>,
    /// When it says that the last one was.
    pub last_ms: Option<u64>,
    /// How much of it was filled last: where that is said, no more.
    pub more: Decimal,
    /// In which instrument, and how many lots the order is.
    pub instrument: Arc<str>,
    /// 0 where that is not known.
    pub lots: u64,
}

/// What is said of an order that is not known yet: venues push some fills before they answer.
#[derive(Debug)]
struct Early {
    id: Box<str>,
    told: Told,
}

/// The orders that were placed through this gateway, newest ones.
#[derive(Debug)]
pub struct PlacedOrders {
    of_account: usize,
    in_all: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    accounts: HashMap<Arc<str>, Account>,
    /// All orders, oldest first.
    line: BTreeMap<u64, (Arc<str>, Arc<str>)>,
    next: u64,
    /// By account, the newest last.
    early: HashMap<Arc<str>, VecDeque<Early>>,
}

#[derive(Debug, Default)]
struct Account {
    orders: HashMap<Arc<str>, Placed>,
    /// Its places in the line of all, oldest first.
    line: VecDeque<u64>,
}

impl Default for PlacedOrders {
    fn default() -> Self {
        Self::new(ACCOUNT_ORDERS, ORDERS)
    }
}

impl PlacedOrders {
    /// Makes an empty memory with room for so many orders of one account, and for so many in all.
    pub fn new(of_account: usize, in_all: usize) -> Self {
        Self {
            of_account,
            in_all,
            known: Mutex::default(),
        }
    }

    /// Remembers that the venue's order `id` is `account`'s, in `instrument`, as the venue answered at `now_ms`. Venues give
    /// an id once; if it comes again, the later order counts.
    pub fn learn(&self, account: &str, id: &str, instrument: &str, now_ms: u64) {
        let long = |text: &str| text.is_empty() || text.len() > ID_BYTES;
        if long(id) || long(instrument) || self.of_account == 0 || self.in_all == 0 {
            return;
        }
        let placed = Placed {
            instrument: instrument.into(),
            since_ms: now_ms,
            filled: Decimal::ZERO,
            lots: 0,
            stakes: None,
        };
        let mut known = self.known();
        let kept = known.accounts.get_mut(account);
        if let Some(kept) = kept.and_then(|kept| kept.orders.get_mut(id)) {
            match kept.instrument == placed.instrument {
                // The same one, changed: what is filled of it stays so.
                true => kept.since_ms = now_ms,
                false => *kept = placed,
            }
            return;
        }
        let owner = known.accounts.get_key_value(account);
        let owner = owner.map_or_else(|| Arc::from(account), |(name, _)| Arc::clone(name));
        let kept = known.accounts.get(account);
        let oldest = kept
            .filter(|kept| kept.line.len() >= self.of_account)
            .and_then(|kept| kept.line.front().copied());
        if let Some(place) = oldest {
            known.forget(place);
        } else if known.line.len() >= self.in_all
            && let Some(place) = known.line.keys().next().copied()
        {
            known.forget(place);
        }
        known.add(owner, id.into(), placed);
    }

    /// Returns the instrument of the order `id`, if it is known as one of `account`.
    pub fn instrument(&self, account: &str, id: &str) -> Option<Arc<str>> {
        self.of(account, id).map(|placed| placed.instrument)
    }

    /// Returns what is remembered of the order `id`, if it is known as one of `account`.
    pub fn of(&self, account: &str, id: &str) -> Option<Placed> {
        let known = self.known();
        known.accounts.get(account)?.orders.get(id).cloned()
    }

    /// Notes how many lots the order `id` is, and whose budgets its fills change, if it is known as one of `account` and that is
    /// not noted. Returns what was heard of its fills before.
    pub fn stake(&self, account: &str, id: &str, lots: u64, stakes: Stakes) -> Option<Filled> {
        let mut known = self.known();
        let placed = known.accounts.get_mut(account)?.orders.get_mut(id)?;
        placed.lots = lots;
        if placed.stakes.is_some() {
            return None;
        }
        placed.stakes = Some(Arc::new(stakes));
        let early = known.take_early(account, id)?;
        known.fill(account, id, early.told)
    }

    /// Notes what the venue says of the order `id`, one of `account`'s. Returns what is new of that.
    pub fn fill(&self, account: &str, id: &str, told: Told) -> Option<Filled> {
        let mut known = self.known();
        let orders = known.accounts.get(account).map(|account| &account.orders);
        let placed = orders.and_then(|orders| orders.get(id));
        if placed.is_some_and(|placed| placed.stakes.is_some()) {
            return known.fill(account, id, told);
        }
        known.note_early(account, id, told);
        None
    }

    /// Notes that the order `id`, if it is known as one of `account`, may be changed at `now_ms`: it is young again.
    pub fn touch(&self, account: &str, id: &str, now_ms: u64) {
        let mut known = self.known();
        let orders = known.accounts.get_mut(account);
        if let Some(placed) = orders.and_then(|account| account.orders.get_mut(id)) {
            placed.since_ms = placed.since_ms.max(now_ms);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What a panic could leave half changed is a place in line without its order: it is forgotten in its turn.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, owner: Arc<str>, id: Arc<str>, placed: Placed) {
        let place = self.next;
        self.next += 1;
        let account = self.accounts.entry(Arc::clone(&owner)).or_default();
        account.orders.insert(Arc::clone(&id), placed);
        account.line.push_back(place);
        self.line.insert(place, (owner, id));
    }

    fn fill(&mut self, account: &str, id: &str, told: Told) -> Option<Filled> {
        let placed = self.accounts.get_mut(account)?.orders.get_mut(id)?;
        let stakes = placed.stakes.as_ref()?;
        if told.filled <= placed.filled {
            return None;
        }
        let first = placed.filled.is_zero();
        let more = told.filled.above(placed.filled);
        placed.filled = told.filled;
        // The first fill is the one that is all of what is filled.
        let at_first = told.last.filter(|(last, _)| *last == told.filled);
        Some(Filled {
            stakes: Arc::clone(stakes),
            first,
            first_ms: at_first.map(|(_, at_ms)| at_ms),
            last_ms: told.last.map(|(_, at_ms)| at_ms),
            more: told.last.map_or(more, |(last, _)| more.min(last)),
            instrument: Arc::clone(&placed.instrument),
            lots: placed.lots,
        })
    }

    fn note_early(&mut self, account: &str, id: &str, told: Told) {
        if id.len() > ID_BYTES || told.filled.is_zero() {
            return;
        }
        let full = self.early.len() >= EARLY_ACCOUNTS && !self.early.contains_key(account);
        if full {
            return;
        }
        let all = self.early.entry(account.into()).or_default();
        if let Some(early) = all.iter_mut().find(|early| *early.id == *id) {
            if told.filled > early.told.filled {
                early.told = told;
            }
            return;
        }
        if all.len() >= EARLY {
            all.pop_front();
        }
        all.push_back(Early {
            id: id.into(),
            told,
        });
    }

    fn take_early(&mut self, account: &str, id: &str) -> Option<Early> {
        let all = self.early.get_mut(account)?;
        let place = all.iter().position(|early| *early.id == *id)?;
        let early = all.remove(place);
        if all.is_empty() {
            self.early.remove(account);
        }
        early
    }

    /// Forgets the order at `place`, which is the oldest of its account.
    fn forget(&mut self, place: u64) {
        let Some((owner, id)) = self.line.remove(&place) else {
            return;
        };
        if let Some(account) = self.accounts.get_mut(&owner) {
            account.line.pop_front();
            account.orders.remove(&id);
            if account.line.is_empty() {
                self.accounts.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests;
