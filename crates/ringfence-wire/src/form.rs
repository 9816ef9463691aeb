//! Form-encoded parameters, read strictly: what two parsers could read in two ways is refused.
//!
//! Source: WHATWG URL, "application/x-www-form-urlencoded"; deviations: a pair needs a name, percent-encoding must be
//! valid, values must be UTF-8 without control characters, and a name stands once.

use ringfence_core::refusal::{Code, Refusal};

/// Most parameters of one message.
pub const PARAMETERS_MAX: usize = 64;

/// One pair as it stands on the wire: `name=value`, undecoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pair<'a> {
    /// The whole pair.
    pub raw: &'a str,
    /// Before the first `=`.
    pub name: &'a str,
    /// After it; empty when there is none.
    pub value: &'a str,
}

/// Splits `text` into its pairs. An empty text has none; an empty pair (`a=1&&b=2`) is refused.
///
/// # Errors
///
/// `form_malformed` from the iterator, for each pair that is.
pub fn pairs(text: &str) -> impl Iterator<Item = Result<Pair<'_>, Refusal>> {
    let whole = (!text.is_empty()).then_some(text);
    whole
        .into_iter()
        .flat_map(|text| text.split('&'))
        .map(|raw| {
            let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
            let clean =
                |part: &str| part.bytes().all(is_form_byte) && percent_valid(part.as_bytes());
            if name.is_empty() || !clean(name) || !clean(value) {
                return Err(Refusal::new(Code::FormMalformed));
            }
            Ok(Pair { raw, name, value })
        })
}

/// Tells whether a byte may stand in a form. ccxt posts `[{"symbol":…}]` unescaped, so quotes and brackets may.
const fn is_form_byte(byte: u8) -> bool {
    byte > b' ' && byte < 0x7f && byte != b'#' && byte != b'&'
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

/// Decodes a name or value into `out` (appended) and returns its range; `+` is a space.
///
/// # Errors
///
/// `form_malformed` when it is not UTF-8 or holds a control character.
pub fn decode(text: &str, out: &mut String) -> Result<std::ops::Range<usize>, Refusal> {
    let start = out.len();
    if text.bytes().any(|b| matches!(b, b'%' | b'+')) {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes().iter();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => hex_pair(rest.next(), rest.next()).ok_or(Code::FormMalformed)?,
                other => *other,
            });
        }
        let decoded = String::from_utf8(bytes).map_err(|_| Code::FormMalformed)?;
        if decoded.chars().any(char::is_control) {
            return Err(Code::FormMalformed.into());
        }
        out.push_str(&decoded);
    } else {
        out.push_str(text);
    }
    Ok(start..out.len())
}

fn hex_pair(high: Option<&u8>, low: Option<&u8>) -> Option<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    u8::try_from(digit(high?)? << 4 | digit(low?)?).ok()
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
