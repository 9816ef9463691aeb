//! What is remembered of an account's orders: in which instrument they are, for amendments that name an order by the
//! venue's id alone, and since when they stand, for limits that ask.
//!
//! Learned from what the venue answers to permitted placements, so that nobody can say it of an order of their own choice.
//! Another account's order is as unknown as one that was never placed. Bounded memory: the oldest order gives way, of its
//! own account first, so that no account can make the gateway forget all of another's.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Orders remembered of one account.
pub const ACCOUNT_ORDERS: usize = 4_096;
/// Orders remembered in all: some 20 MB, with ids of [`ID_BYTES`] 40 MB.
pub const ORDERS: usize = 65_536;
/// Longest id of an order, and longest name of an instrument, that is remembered. Venues' own are shorter.
pub const ID_BYTES: usize = 128;

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
        };
        let mut known = self.known();
        let kept = known.accounts.get_mut(account);
        if let Some(kept) = kept.and_then(|kept| kept.orders.get_mut(id)) {
            *kept = placed;
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
