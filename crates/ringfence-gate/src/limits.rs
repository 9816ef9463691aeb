//! How many connections are open, in all and by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ringfence_core::address::Prefix;

/// Open connections of all threads.
#[derive(Debug)]
pub(crate) struct Connections {
    total: usize,
    per_address: usize,
    open: Mutex<(usize, HashMap<Prefix, usize>)>,
}

/// One open connection; dropping it gives its place back.
#[derive(Debug)]
pub(crate) struct Place {
    all: Arc<Connections>,
    prefix: Prefix,
    nth: usize,
}

impl Place {
    /// Returns whose it is.
    pub(crate) const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Returns how many connections the address had with this one, when it was taken.
    pub(crate) const fn nth(&self) -> usize {
        self.nth
    }
}

impl Connections {
    pub(crate) fn new(total: usize, per_address: usize) -> Self {
        Self {
            total,
            per_address,
            open: Mutex::default(),
        }
    }

    /// Takes a place for a connection from `address`; none is left if this returns nothing.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let prefix = Prefix::of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (total, by_address) = &mut *open;
        let here = by_address.get(&prefix).copied().unwrap_or(0);
        if *total >= self.total || here >= self.per_address {
            return None;
        }
        *total += 1;
        by_address.insert(prefix, here + 1);
        Some(Place {
            all: Arc::clone(self),
            prefix,
            nth: here + 1,
        })
    }

    pub(crate) fn open(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (total, by_address) = &mut *open;
        *total = total.saturating_sub(1);
        if let Some(here) = by_address.get_mut(&self.prefix) {
            *here -= 1;
            if *here == 0 {
                by_address.remove(&self.prefix);
            }
        }
    }
}
