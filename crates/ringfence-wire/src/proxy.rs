//! The header of PROXY protocol version 2: what a balancer says of whose connection it passes on.
//!
//! Sans I/O. [`parse`] tells how many bytes are still missing, and no more: what stands behind the header belongs to
//! whoever is served. Version 1 is text without a length up front, and a client could send it itself: it is not taken.
//!
//! Source: HAProxy, "The PROXY protocol", 2.2 to 2.4 (version 2).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What no other protocol begins with.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The part that is always there: signature, version and command, family, length.
const FIXED: usize = 16;
/// Most that may follow it. Addresses take 36 bytes, a client's certificate some thousand.
pub const MOST: usize = 4096;

const VERSION: u8 = 2;
const LOCAL: u8 = 0;
const PROXY: u8 = 1;
/// TCP over IPv4, and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// Two addresses and two ports.
const TCP4_BYTES: usize = 12;
const TCP6_BYTES: usize = 36;
/// A checksum of the whole header, counted with zeros in its own place.
const CRC32C: u8 = 0x03;
const CRC32C_BYTES: usize = 4;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// Of a client that connected to the balancer from there.
    Client(IpAddr),
    /// The balancer's own, as when it looks whether we are well.
    Local,
}

/// How far a header goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parsed {
    /// It is not whole: at least so many more bytes are its own.
    Partial(usize),
    /// It is whole.
    Whole {
        /// Its bytes.
        length: usize,
        /// Whose connection follows.
        source: Source,
    },
}

/// Why what came is no header that we take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProxyError {
    /// Its checksum is another.
    Checksum,
    /// No client of TCP over IP: a family or a transport that we do not serve, or an address that is nobody's.
    Family,
    /// Lengths or commands that contradict each other or the protocol.
    Malformed,
    /// It does not begin as one.
    Missing,
    /// It is longer than [`MOST`].
    TooLong,
    /// Version 1.
    Version1,
}

impl ProxyError {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Checksum,
        Self::Family,
        Self::Malformed,
        Self::Missing,
        Self::TooLong,
        Self::Version1,
    ];

    /// Returns the word that it is counted under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Family => "family",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::Version1 => "version_1",
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "the header's checksum is wrong",
            Self::Family => "the header names no client of TCP over IPv4 or IPv6",
            Self::Malformed => "the header is malformed",
            Self::Missing => "there is no header; have the balancer send version 2",
            Self::TooLong => "the header is too long; have the balancer leave out what it adds",
            Self::Version1 => "the header is of version 1; have the balancer send version 2",
        })
    }
}

impl std::error::Error for ProxyError {}

/// Reads the header that `bytes` begin with. What is wrong is said as soon as it is seen.
///
/// # Errors
///
/// [`ProxyError`]; no further bytes make it good.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    if let Some(missing) = begins(bytes)? {
        return Ok(Parsed::Partial(missing));
    }
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(Parsed::Partial(FIXED - bytes.len()));
    };
    let [.., version_command, family, high, low] = *fixed;
    let (version, command) = (version_command >> 4, version_command & 0xf);
    if version != VERSION || !matches!(command, LOCAL | PROXY) {
        return Err(ProxyError::Malformed);
    }
    let follows = usize::from(u16::from_be_bytes([high, low]));
    if follows > MOST {
        return Err(ProxyError::TooLong);
    }
    let Some(rest) = rest.get(..follows) else {
        return Ok(Parsed::Partial(follows - rest.len()));
    };
    let length = FIXED + follows;
    if command == LOCAL {
        // 2.2: what it says beyond that is to be ignored, family and all.
        let source = Source::Local;
        return Ok(Parsed::Whole { length, source });
    }
    let (address, extensions) = client(family, rest)?;
    let header = bytes.get(..length).unwrap_or_default();
    check(header, length - extensions.len())?;
    Ok(Parsed::Whole {
        length,
        source: Source::Client(address),
    })
}

/// Tells what cannot become a header any more; returns how many bytes are missing to say what it is instead.
fn begins(bytes: &[u8]) -> Result<Option<usize>, ProxyError> {
    const TEXT: &[u8] = b"PROXY ";
    let shown = bytes.len().min(SIGNATURE.len());
    if SIGNATURE.get(..shown) == bytes.get(..shown) {
        Ok(None)
    } else if bytes.starts_with(TEXT) {
        Err(ProxyError::Version1)
    } else if TEXT.starts_with(bytes) {
        Ok(Some(TEXT.len() - bytes.len()))
    } else {
        Err(ProxyError::Missing)
    }
}

/// Returns the client's address, and what stands behind the addresses.
fn client(family: u8, rest: &[u8]) -> Result<(IpAddr, &[u8]), ProxyError> {
    let (address, taken) = match family {
        TCP4 => {
            let first = rest.first_chunk::<4>().ok_or(ProxyError::Malformed)?;
            (IpAddr::from(Ipv4Addr::from(*first)), TCP4_BYTES)
        }
        TCP6 => {
            let first = rest.first_chunk::<16>().ok_or(ProxyError::Malformed)?;
            (Ipv6Addr::from(*first).to_canonical(), TCP6_BYTES)
        }
        // Who is unknown cannot be counted, and a Unix socket has no address of the network.
        _ => return Err(ProxyError::Family),
    };
    if address.is_unspecified() || address.is_multicast() {
        return Err(ProxyError::Family);
    }
    let extensions = rest.get(taken..).ok_or(ProxyError::Malformed)?;
    Ok((address, extensions))
}

/// Checks that what extends the header from `at` on fills it, and the checksum where one is there.
fn check(header: &[u8], at: usize) -> Result<(), ProxyError> {
    let (mut at, mut checked) = (at, false);
    let mut rest = header.get(at..).unwrap_or_default();
    while let Some((&[kind, high, low], value)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let cut = value.split_at_checked(length);
        let (value, others) = cut.ok_or(ProxyError::Malformed)?;
        at += 3;
        if kind == CRC32C {
            let said = <[u8; CRC32C_BYTES]>::try_from(value).ok();
            let said = said.filter(|_| !checked).ok_or(ProxyError::Malformed)?;
            if u32::from_be_bytes(said) != crc32c(header, at) {
                return Err(ProxyError::Checksum);
            }
            checked = true;
        }
        at += length;
        rest = others;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(ProxyError::Malformed)
    }
}

/// Returns CRC-32C (RFC 3720, B.4) of `bytes`, as if the four at `hole` were zero. Few headers have one: no table.
fn crc32c(bytes: &[u8], hole: usize) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut sum = u32::MAX;
    for (place, byte) in bytes.iter().enumerate() {
        let byte = if (hole..hole + CRC32C_BYTES).contains(&place) {
            0
        } else {
            *byte
        };
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (POLYNOMIAL & (sum & 1).wrapping_neg());
        }
    }
    !sum
}

#[cfg(test)]
mod tests;
