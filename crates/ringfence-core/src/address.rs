//! Addresses: networks in CIDR form, and the prefix that an address is counted under.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// How much of an address counts.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Width {
    /// An IPv4 address, or an IPv6 /64, which one customer holds.
    Address,
    /// A /24 of IPv4, a /48 of IPv6: one site.
    Network,
    /// A /32 of IPv6: one provider, or whoever was given as much. There is none of IPv4.
    Block,
}

impl Width {
    /// All of them, from the narrowest.
    pub const ALL: [Self; 3] = [Self::Address, Self::Network, Self::Block];

    /// Returns the length in 128 bits, IPv4 mapped.
    const fn bits(self, v4: bool) -> Option<u8> {
        match (self, v4) {
            (Self::Address, true) => Some(128),
            (Self::Network, true) => Some(V4_OFFSET + 24),
            (Self::Block, true) => None,
            (Self::Address, false) => Some(V6_MOST),
            (Self::Network, false) => Some(48),
            (Self::Block, false) => Some(32),
        }
    }
}

/// Bits of an IPv6 address that tell customers apart.
const V6_MOST: u8 = 64;

/// What an address is counted under: a whole IPv4 address, or an IPv6 /64, which one customer
/// holds; or a wider network.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    /// An IPv4 address, or the upper half of one of IPv6.
    number: u64,
    /// Length in 128 bits, IPv4 mapped; 0 for no network.
    bits: u8,
}

impl Prefix {
    /// Stands for all addresses that there was no room for. No address has it.
    pub const OTHERS: Self = Self {
        number: u64::MAX,
        bits: 0,
    };

    /// Returns the prefix of `address`.
    pub fn of(address: IpAddr) -> Self {
        let v4 = is_v4(number(address));
        Self::cut(address, if v4 { 128 } else { V6_MOST })
    }

    /// Returns the prefix of `address` that is so wide; none where there is no such.
    pub fn at(address: IpAddr, width: Width) -> Option<Self> {
        let bits = width.bits(is_v4(number(address)))?;
        Some(Self::cut(address, bits))
    }

    /// Returns the first `bits` of 128 of `address`, IPv4 mapped.
    pub(crate) fn cut(address: IpAddr, bits: u8) -> Self {
        let number = number(address);
        let (number, whole) = if is_v4(number) {
            (number as u32 as u64, 128 - bits.min(128))
        } else {
            ((number >> 64) as u64, V6_MOST - bits.min(V6_MOST))
        };
        let number = number.checked_shr(whole.into()).unwrap_or(0);
        Self {
            number: number.checked_shl(whole.into()).unwrap_or(0),
            bits,
        }
    }

    /// Returns the network around it: an IPv4 /24, an IPv6 /48, which one site holds.
    pub(crate) const fn wider(self) -> Self {
        let (host, bits) = if self.is_v4() {
            (8, V4_OFFSET + 24)
        } else {
            (16, 48)
        };
        Self {
            number: self.number >> host << host,
            bits,
        }
    }

    /// Parses a network that is narrow enough to tell whose an address is ([`Cidr::binds`]). What is narrower than an IPv6
    /// /64 stands for all of it.
    ///
    /// # Errors
    ///
    /// [`CidrError`].
    pub fn parse(text: &str) -> Result<Self, CidrError> {
        let network = Cidr::parse(text)?;
        if !network.binds() {
            return Err(CidrError);
        }
        let first = Ipv6Addr::from(network.network).into();
        let most = if is_v4(network.network) { 128 } else { V6_MOST };
        Ok(Self::cut(first, network.bits.min(most)))
    }

    /// Returns its length in 128 bits, IPv4 mapped.
    pub(crate) const fn length(self) -> u8 {
        self.bits
    }

    /// Tells whether prefixes of so many bits are of IPv4.
    pub(crate) const fn is_of_v4(bits: u8) -> bool {
        bits > V6_MOST
    }

    /// Tells whether it is of IPv4.
    pub(crate) const fn is_v4(self) -> bool {
        Self::is_of_v4(self.bits)
    }

    /// Returns its first address and its length in bits, of 32 or 128; none for what stands for all others.
    pub fn network(self) -> Option<(IpAddr, u8)> {
        if self == Self::OTHERS {
            return None;
        }
        Some(if self.is_v4() {
            let v4 = Ipv4Addr::from(self.number as u32);
            (v4.into(), self.bits - V4_OFFSET)
        } else {
            (
                Ipv6Addr::from(u128::from(self.number) << 64).into(),
                self.bits,
            )
        })
    }

    /// Spells it in bytes.
    pub(crate) fn spelled(self) -> [u8; 9] {
        let mut bytes = [self.bits; 9];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Returns which of `shards` parts of a table it belongs to.
    pub(crate) const fn shard(self, shards: usize) -> usize {
        // Fibonacci hashing: neighbours are spread over all shards.
        let mixed = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % shards
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network() {
            None => f.write_str("others"),
            Some((address, 32)) if address.is_ipv4() => write!(f, "{address}"),
            Some((address, bits)) => write!(f, "{address}/{bits}"),
        }
    }
}

#[cfg(test)]
mod tests;
