//! Addresses: networks in CIDR form, and the prefix that an address is counted under.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A network, IPv4 or IPv6.
///
/// `::ffff:10.0.0.1` is 10.0.0.1 wherever it appears: a dual-stack listener sees IPv4 peers so. An
/// IPv6 network that is wide enough to contain those, such as `::/0`, still allows IPv6 peers only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    /// IPv4 networks are kept as v4-mapped IPv6.
    network: u128,
    /// Length of the prefix in those 128 bits.
    bits: u8,
}

/// Not a network in CIDR form, or one with bits set past its length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CidrError;

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a network such as 192.0.2.0/24 or 2001:db8::/32")
    }
}

impl std::error::Error for CidrError {}

impl Cidr {
    /// Parses `10.0.0.0/8`, `2001:db8::/32` or a single address.
    ///
    /// # Errors
    ///
    /// [`CidrError`], also when bits past the length are set.
    pub fn parse(text: &str) -> Result<Self, CidrError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError)?;
        let (offset, most) = if address.is_ipv4() {
            (V4_OFFSET, 32)
        } else {
            (0, 128)
        };
        let length = match length {
            // One spelling only: no sign, no leading zero.
            Some(digits) if digits != "0" && digits.starts_with(['0', '+']) => {
                return Err(CidrError);
            }
            Some(digits) => digits.parse::<u8>().map_err(|_| CidrError)?,
            None => most,
        };
        if length > most {
            return Err(CidrError);
        }
        let network = Self {
            network: number(address),
            bits: offset + length,
        };
        if network.network & !network.mask() == 0 {
            Ok(network)
        } else {
            Err(CidrError)
        }
    }

    /// Tells whether `address` is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let number = number(address);
        (self.bits >= V4_OFFSET || !is_v4(number)) && number & self.mask() == self.network
    }

    /// Tells whether it is narrow enough to tell whose an address is: at most a /8 of IPv4 or a /32 of IPv6.
    pub const fn binds(&self) -> bool {
        let v4 = self.bits >= V4_OFFSET && is_v4(self.network);
        self.bits >= if v4 { V4_OFFSET + 8 } else { 32 }
    }

    const fn mask(&self) -> u128 {
        match self.bits {
            0 => 0,
            bits => u128::MAX << (128 - bits),
        }
    }
}

/// Where an IPv4 address begins in a v4-mapped IPv6 address (RFC 4291, 2.5.5.2).
const V4_OFFSET: u8 = 96;

const fn is_v4(number: u128) -> bool {
    number >> 32 == 0xffff
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// What an address is counted under: a whole IPv4 address, or an IPv6 /64, which one customer
/// holds.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix(u128);

impl Prefix {
    /// Stands for all addresses that there was no room for. No address has it.
    pub const OTHERS: Self = Self(u128::MAX);

    /// Returns the prefix of `address`.
    pub fn of(address: IpAddr) -> Self {
        let number = number(address);
        if is_v4(number) {
            Self(number)
        } else {
            Self(number & (u128::MAX << 64))
        }
    }

    /// Returns the network around it: an IPv4 /24, an IPv6 /48, which one site holds.
    pub(crate) const fn wider(self) -> Self {
        let bits = if is_v4(self.0) { 8 } else { 80 };
        Self(self.0 >> bits << bits)
    }

    /// Returns its first address and its length in bits, of 32 or 128; none for what stands for all others.
    pub fn network(self) -> Option<(IpAddr, u8)> {
        if self == Self::OTHERS {
            return None;
        }
        let v6 = Ipv6Addr::from(self.0);
        Some(match v6.to_ipv4_mapped() {
            Some(v4) => (v4.into(), 32),
            None => (v6.into(), 64),
        })
    }

    /// Returns which of `shards` parts of a table it belongs to.
    pub(crate) const fn shard(self, shards: usize) -> usize {
        // Fibonacci hashing: neighbours are spread over all shards.
        let mixed = ((self.0 ^ (self.0 >> 64)) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % shards
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::OTHERS {
            return f.write_str("others");
        }
        let v6 = Ipv6Addr::from(self.0);
        match v6.to_ipv4_mapped() {
            Some(v4) => write!(f, "{v4}"),
            None => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests;
