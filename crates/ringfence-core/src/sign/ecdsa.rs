//! ECDSA over P-256: its public keys, and the two ways to write a signature.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};

use super::KeyError;

/// How r and s stand in a signature.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EcdsaForm {
    /// A SEQUENCE of two INTEGERs (RFC 3279, 2.2.3).
    Der,
    /// Each in 32 bytes, end to end (IEEE P1363; RFC 7518, 3.4).
    #[default]
    Fixed,
}

/// Bytes of an uncompressed point: 4, x and y.
const POINT: usize = 65;

/// Returns the key that a point stands for; one that is not on the curve is refused.
pub(super) fn key(point: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    if point.len() != POINT || point.first() != Some(&4) {
        return Err(KeyError::EcdsaPoint);
    }
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyError::EcdsaPoint)
}

/// Returns r and s of a signature in DER, end to end; none for what is not DER to the letter.
///
/// X.690, 8.3 and 10.1: one length, the shortest; no byte that a number does not need; nothing behind. With any slack
/// one signature would have several spellings.
pub(super) fn plain(der: &[u8]) -> Option<[u8; 64]> {
    let [0x30, length, inner @ ..] = der else {
        return None;
    };
    // Both numbers together take at most 70 bytes, so that a length of several bytes is never the shortest.
    if usize::from(*length) != inner.len() || *length > 0x7f {
        return None;
    }
    let mut plain = [0; 64];
    let (r, s) = plain.split_at_mut(32);
    let rest = integer(inner, r)?;
    let rest = integer(rest, s)?;
    rest.is_empty().then_some(plain)
}

/// Writes the INTEGER at the start of `der` to the end of `out`, and returns what follows it.
fn integer<'a>(der: &'a [u8], out: &mut [u8]) -> Option<&'a [u8]> {
    let [0x02, length, rest @ ..] = der else {
        return None;
    };
    let (number, rest) = rest.split_at_checked(usize::from(*length))?;
    let number = match number {
        // A zero byte stands only where the next would be read as a sign.
        [0, next, ..] if *next & 0x80 != 0 => &number[1..],
        [first, ..] if *first != 0 && *first & 0x80 == 0 => number,
        _ => return None,
    };
    let start = out.len().checked_sub(number.len())?;
    out.get_mut(start..)?.copy_from_slice(number);
    Some(rest)
}
