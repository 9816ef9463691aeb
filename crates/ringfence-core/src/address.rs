//! Addresses: networks in CIDR form, and the prefix that an address is counted under.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A network, IPv4 or IPv6.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    /// IPv4 networks are kept as v4-mapped IPv6, so that `::ffff:10.0.0.1` is 10.0.0.1 wherever it appears.
    network: u128,
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
            (96, 32)
        } else {
            (0, 128)
        };
        let length = match length {
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<u8>().map_err(|_| CidrError)?
            }
            Some(_) => return Err(CidrError),
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
        number(address) & self.mask() == self.network
    }

    const fn mask(&self) -> u128 {
        match self.bits {
            0 => 0,
            bits => u128::MAX << (128 - bits),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// What an address is counted under: a whole IPv4 address, or an IPv6 /64, which one customer holds.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix(u128);

impl Prefix {
    /// Returns the prefix of `address`.
    pub fn of(address: IpAddr) -> Self {
        let number = number(address);
        match Ipv6Addr::from(number).to_ipv4_mapped() {
            Some(_) => Self(number),
            None => Self(number & (u128::MAX << 64)),
        }
    }

    pub(crate) const fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v6 = Ipv6Addr::from(self.0);
        match v6.to_ipv4_mapped() {
            Some(v4) => write!(f, "{v4}"),
            None => write!(f, "{v6}/64"),
        }
    }
}
