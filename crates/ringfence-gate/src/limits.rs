//! How many connections are open, in all and by address, network and block; how fast new ones come.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ringfence_core::address::{Prefix, Width};
use ringfence_core::edge::{Quotas, Spread};

use crate::snapshot::{EdgeConfig, HttpConfig};

/// What bounds connections before anything is said on them.
#[derive(Debug)]
pub(crate) struct Doorway {
    pub(crate) connections: Arc<Connections>,
    /// New connections in a window.
    pub(crate) arrivals: Spread,
    /// Those that are shaking hands.
    pub(crate) shaking: Arc<Connections>,
    /// Handshakes begun in a window.
    pub(crate) handshakes: Spread,
}

impl Doorway {
    pub(crate) fn new(http: &HttpConfig, edge: &EdgeConfig) -> Self {
        let quotas = |address: u64| edge.quotas(address);
        let at_once = |address: usize| quotas(u64::try_from(address).unwrap_or(u64::MAX));
        let in_a_window = |address: Option<u64>| {
            let quotas = quotas(address.unwrap_or(edge.requests));
            // Connections are fewer than requests.
            Spread::new(quotas, edge.window_ms, edge.addresses / 4)
        };
        let shaking = edge.handshakes_open.unwrap_or(http.connections_per_address);
        let open = |per_address| Arc::new(Connections::new(http.connections, at_once(per_address)));
        Self {
            connections: open(http.connections_per_address),
            arrivals: in_a_window(edge.connections),
            shaking: open(shaking),
            handshakes: in_a_window(edge.handshakes),
        }
    }
}

/// Open connections of all threads.
#[derive(Debug)]
pub(crate) struct Connections {
    total: usize,
    quotas: Quotas,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// At every width; what has none is not there.
    by_prefix: HashMap<Prefix, usize>,
}

impl Open {
    fn of(&self, prefix: Prefix) -> usize {
        self.by_prefix.get(&prefix).copied().unwrap_or(0)
    }
}

/// One open connection; dropping it gives its place back.
#[derive(Debug)]
pub(crate) struct Place {
    all: Arc<Connections>,
    address: IpAddr,
    nth: usize,
}

impl Place {
    /// Returns whose it is.
    pub(crate) fn prefix(&self) -> Prefix {
        Prefix::of(self.address)
    }

    /// Returns how many connections the address had with this one, when it was taken.
    pub(crate) const fn nth(&self) -> usize {
        self.nth
    }
}

fn prefixes(address: IpAddr) -> impl Iterator<Item = (Width, Prefix)> {
    let at = move |width| Some((width, Prefix::at(address, width)?));
    Width::ALL.into_iter().filter_map(at)
}

impl Connections {
    pub(crate) fn new(total: usize, quotas: Quotas) -> Self {
        Self {
            total,
            quotas,
            open: Mutex::default(),
        }
    }

    /// Takes a place for a connection from `address`; none is left if this returns nothing.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |(width, prefix): (Width, Prefix)| {
            u64::try_from(open.of(prefix)).unwrap_or(u64::MAX) >= self.quotas.of(width)
        };
        if open.total >= self.total || prefixes(address).any(full) {
            return None;
        }
        open.total += 1;
        for (_, prefix) in prefixes(address) {
            *open.by_prefix.entry(prefix).or_default() += 1;
        }
        Some(Place {
            all: Arc::clone(self),
            address,
            nth: open.of(Prefix::of(address)),
        })
    }

    /// Returns from where some of them are: at most so many.
    pub(crate) fn addresses(&self, most: usize) -> Vec<IpAddr> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let prefixes = open.by_prefix.keys().take(most);
        let networks = prefixes.filter_map(|prefix| prefix.network());
        networks.map(|(first, _)| first).collect()
    }

    pub(crate) fn open(&self) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        for (_, prefix) in prefixes(self.address) {
            let left = open.of(prefix).saturating_sub(1);
            if left == 0 {
                open.by_prefix.remove(&prefix);
            } else {
                open.by_prefix.insert(prefix, left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Places are bounded at every width, and all of them come back.

    #![allow(clippy::unwrap_used)]

    use std::net::Ipv6Addr;

    use super::*;

    fn at(number: u128) -> IpAddr {
        Ipv6Addr::from(0x2001_0db8 << 96 | number).into()
    }

    #[test]
    fn addresses_of_one_network_share_its_places_and_give_them_back() {
        let quotas = Quotas {
            address: 2,
            network: 3,
            block: 4,
        };
        let all = Arc::new(Connections::new(100, quotas));
        let held: Vec<_> = (0..1000).filter_map(|n| all.take(at(n << 64))).collect();
        assert_eq!(held.len(), 6);
        // Another network of the block has two places left of its eight.
        let others: Vec<_> = (0..1000)
            .filter_map(|n| all.take(at(1 << 80 | n << 64)))
            .collect();
        assert_eq!(others.len(), 2);
        assert!(all.take(at(2 << 80)).is_none());
        assert!(all.take([192, 0, 2, 1].into()).is_some());
        drop((held, others));
        let open = all.open.lock().unwrap();
        assert_eq!((open.total, open.by_prefix.len()), (0, 0));
    }
}
