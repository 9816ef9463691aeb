//! Form-encoded parameters, read strictly: what two parsers could read in two ways is refused.
//!
//! Source: WHATWG URL, "application/x-www-form-urlencoded". Deviations, each because somebody reads it otherwise:
//! a pair has a name and exactly one `=`, a name has one spelling (no escapes), `;` and bytes outside visible ASCII do
//! not stand unescaped, percent-encoding is valid, and a value is UTF-8 without control characters.
//!
//! "Exactly one `=`" also closes a hole in schemes that sign query and body with nothing between: `a=1` and `b=2` sign
//! as `a=1b=2` does, so whoever captured the former could send the latter, in which `b` is gone.

use std::ops::Range;

use ringfence_core::refusal::{Code, Refusal};

/// Most parameters of one message.
pub const PARAMETERS_MAX: usize = 64;

/// One pair as it stands on the wire: `name=value`, undecoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pair<'a> {
    /// Before the first `=`.
    pub name: &'a str,
    /// After it.
    pub value: &'a str,
}

/// Splits `text` into its pairs. An empty text has none; an empty pair (`a=1&&b=2`) is refused.
///
/// `padded` names the parameter whose value may hold more `=`: a signature in base64, which some clients do not escape.
///
/// # Errors
///
/// `form_malformed` from the iterator, for each pair that is.
pub fn pairs<'a>(
    text: &'a str,
    padded: Option<&'a str>,
) -> impl Iterator<Item = Result<Pair<'a>, Refusal>> {
    let whole = (!text.is_empty()).then_some(text);
    let pairs = whole.into_iter().flat_map(|text| text.split('&'));
    pairs.map(move |raw| {
        let (name, value) = raw.split_once('=').ok_or(Code::FormMalformed)?;
        let named = !name.is_empty() && name.bytes().all(is_plain);
        let valued = value.bytes().all(|byte| match byte {
            b'=' => padded == Some(name),
            b'%' | b'+' => true,
            other => is_plain(other),
        });
        if named && valued {
            Ok(Pair { name, value })
        } else {
            Err(Code::FormMalformed.into())
        }
    })
}

/// Tells whether a byte stands for itself. ccxt posts `[{"symbol":…}]` unescaped, so quotes and brackets do.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'#' | b'%' | b'&' | b'+' | b';' | b'=')
}

/// Tells whether every `%` starts two hexadecimal digits.
pub fn percent_valid(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| *b == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
            Some(_) | None => return false,
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    true
}

/// Decodes a value into `out` (appended) and returns where it stands there; `+` is a space.
///
/// # Errors
///
/// `form_malformed` when an escape is cut short, or the value is not UTF-8 or holds a control character.
pub fn decode(value: &str, out: &mut String) -> Result<Range<usize>, Refusal> {
    let start = out.len();
    let mut rest = value;
    while let Some(at) = rest.find(['%', '+']) {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        rest = if let Some(after) = escape.strip_prefix('+') {
            out.push(' ');
            after
        } else {
            let (decoded, after) = decode_char(escape).ok_or(Code::FormMalformed)?;
            out.push(decoded);
            after
        };
    }
    out.push_str(rest);
    Ok(start..out.len())
}

/// Decodes the one character whose escapes `text` starts with, and returns it with what follows.
fn decode_char(text: &str) -> Option<(char, &str)> {
    let (first, mut rest) = decode_byte(text)?;
    // RFC 3629 4: how long a sequence is stands in its first byte; `from_utf8` checks the others.
    let length = match first {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        0x80..=0xc1 | 0xf5..=0xff => return None,
    };
    let mut bytes = [first, 0, 0, 0];
    for byte in bytes.get_mut(1..length)? {
        (*byte, rest) = decode_byte(rest)?;
    }
    let decoded = std::str::from_utf8(bytes.get(..length)?).ok()?;
    let decoded = decoded.chars().next().filter(|c| !c.is_control())?;
    Some((decoded, rest))
}

fn decode_byte(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('%')?.split_at_checked(2)?;
    let mut value = 0;
    for digit in digits.chars() {
        value = value << 4 | digit.to_digit(16)?;
    }
    Some((u8::try_from(value).ok()?, rest))
}

/// Writes `text` without the pairs called `name`, in the order in which they stand, into `out`.
pub fn without(text: &str, name: &str, out: &mut String) {
    let start = out.len();
    for raw in text.split('&').filter(|_| !text.is_empty()) {
        if raw.split_once('=').map_or(raw, |(name, _)| name) != name {
            if out.len() > start {
                out.push('&');
            }
            out.push_str(raw);
        }
    }
}

#[cfg(test)]
mod tests;
