//! One kind of thing counted under an address, its network and its block, so that many addresses of one holder are one.

use std::net::IpAddr;

use super::{EdgeBudget, EdgeRefusal};
use crate::address::{Prefix, Width};
use crate::refusal::Refusal;

/// How many an address may do; a network and a block may do so many times as many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quotas {
    /// Of an address.
    pub address: u64,
    /// Times that of a network.
    pub network: u64,
    /// Times that of a block.
    pub block: u64,
}

impl Quotas {
    /// Returns the quota of what is so wide.
    pub const fn of(&self, width: Width) -> u64 {
        let times = match width {
            Width::Address => 1,
            Width::Network => self.network,
            Width::Block => self.block,
        };
        self.address.saturating_mul(times)
    }
}

/// A budget at every width, in one table.
#[derive(Debug)]
pub struct Spread {
    table: EdgeBudget,
    quotas: Quotas,
}

impl Spread {
    /// Allows `quotas` in each `window_ms`. About `prefixes` at most are counted exactly.
    pub fn new(quotas: Quotas, window_ms: u64, prefixes: usize) -> Self {
        Self {
            table: EdgeBudget::new(quotas.address, window_ms, prefixes),
            quotas,
        }
    }

    /// Takes one from what `peer` has at every width, one in `part` of it.
    ///
    /// # Errors
    ///
    /// As [`EdgeBudget::take`], of the narrowest that has none left.
    pub fn take(&self, peer: IpAddr, part: u64, now_us: u64) -> Result<(), EdgeRefusal> {
        for width in Width::ALL {
            if let Some(prefix) = Prefix::at(peer, width) {
                let quota = (self.quotas.of(width) / part.max(1)).max(1);
                self.table.take(prefix, quota, now_us)?;
            }
        }
        Ok(())
    }

    /// Returns what `peer` is refused for where it, its network or its block has used up what they have; takes nothing.
    pub fn over(&self, peer: IpAddr, now_us: u64) -> Option<Refusal> {
        Width::ALL.into_iter().find_map(|width| {
            let prefix = Prefix::at(peer, width)?;
            self.table.spent(prefix, self.quotas.of(width), now_us)
        })
    }
}

#[cfg(test)]
mod tests {
    //! Who holds many addresses has no more than the network that they are in.

    #![allow(clippy::unwrap_used)]

    use std::net::{IpAddr, Ipv6Addr};

    use super::{Quotas, Spread};

    const QUOTAS: Quotas = Quotas {
        address: 100,
        network: 4,
        block: 16,
    };

    fn passed(spread: &Spread, addresses: impl Iterator<Item = u128>) -> usize {
        let addresses = addresses.map(|number| IpAddr::from(Ipv6Addr::from(number)));
        addresses
            .filter(|peer| spread.take(*peer, 1, 0).is_ok())
            .count()
    }

    const DB8: u128 = 0x2001_0db8 << 96;

    #[test]
    fn ten_thousand_addresses_of_one_network_share_its_quota() {
        let spread = Spread::new(QUOTAS, 1000, 1024);
        let sprayed = (0..10_000).map(|n: u128| DB8 | n << 64);
        assert_eq!(passed(&spread, sprayed), 400);
        // Another network of the same holder, and somebody else altogether.
        assert_eq!(passed(&spread, std::iter::once(DB8 | 1 << 80)), 1);
        assert_eq!(passed(&spread, std::iter::once(0x2a00 << 112)), 1);
    }

    #[test]
    fn ten_thousand_networks_of_one_block_share_its_quota() {
        let spread = Spread::new(QUOTAS, 1000, 1024);
        let sprayed = (0..10_000).map(|n: u128| DB8 | n << 80);
        assert_eq!(passed(&spread, sprayed), 1600);
        assert_eq!(passed(&spread, std::iter::once(0x2a00 << 112)), 1);
    }

    #[test]
    fn a_part_of_a_quota_is_one_at_least() {
        let spread = Spread::new(QUOTAS, 1000, 1024);
        let peer = IpAddr::from([192, 0, 2, 1]);
        let times = |part| {
            (0..200)
                .filter(|_| spread.take(peer, part, 0).is_ok())
                .count()
        };
        assert_eq!(times(10), 10);
        assert_eq!(times(1000), 0);
        assert_eq!(times(1), 90);
    }
}
