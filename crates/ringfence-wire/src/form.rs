//! Form-encoded parameters, read strictly: what two parsers could read in two ways is refused.
//!
//! Source: WHATWG URL, "application/x-www-form-urlencoded". Deviations, each because somebody reads it otherwise:
//! a pair has a name and exactly one `=`, a name has one spelling (no escapes), `;` and bytes outside visible ASCII do
//! not stand unescaped, percent-encoding is valid, and a value is UTF-8 without control characters.
//!
//! "Exactly one `=`" also closes a hole in schemes that sign query and body with nothing between: `a=1` and `b=2` sign
//! as `a=1b=2` does, so whoever captured the former could send the latter, in which `b` is gone.

use std::fmt::Write as _;
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
    /// Whether the value holds `%` or `+`, so that it is not what it stands for.
    pub escaped: bool,
}

/// The pairs of a text, in order. See [`pairs`].
#[derive(Debug)]
pub struct Pairs<'a> {
    /// None when all have been taken.
    rest: Option<&'a str>,
    padded: Option<&'a str>,
}

/// Splits `text` into its pairs. An empty text has none; an empty pair (`a=1&&b=2`) is refused.
///
/// `padded` names the parameter whose value may hold more `=`: a signature in base64, which some clients do not escape.
///
/// # Errors
///
/// `form_malformed` from the iterator, which ends there.
pub fn pairs<'a>(text: &'a str, padded: Option<&'a str>) -> Pairs<'a> {
    let rest = (!text.is_empty()).then_some(text);
    Pairs { rest, padded }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<Pair<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        let found = self.split(text);
        Some(found.ok_or_else(|| Code::FormMalformed.into()))
    }
}

impl<'a> Pairs<'a> {
    /// Takes the first pair off `text` in one pass: every message comes through here.
    fn split(&mut self, text: &'a str) -> Option<Pair<'a>> {
        let (mut equals, mut more, mut escaped) = (None, false, false);
        let mut end = text.len();
        for (at, byte) in text.bytes().enumerate() {
            match CLASSES[usize::from(byte)] {
                Class::Plain => {}
                Class::Equals if equals.is_none() => equals = Some(at),
                Class::Equals => more = true,
                Class::Escape => escaped = true,
                Class::Ampersand => {
                    end = at;
                    break;
                }
                Class::Foreign => return None,
            }
            // A name has one spelling: `sign%61ture` would be read by one parser and missed by another.
            if escaped && equals.is_none() {
                return None;
            }
        }
        let (raw, rest) = text.split_at(end);
        let (name, value) = raw.split_at(equals.filter(|at| *at > 0)?);
        let pair = Pair {
            name,
            value: value.get(1..)?,
            escaped,
        };
        self.rest = rest.get(1..);
        (!more || self.padded == Some(name)).then_some(pair)
    }
}

/// What a byte is in a form.
#[derive(Clone, Copy)]
enum Class {
    Ampersand,
    Equals,
    Escape,
    /// Must not stand there unescaped.
    Foreign,
    /// Stands for itself. ccxt posts `[{"symbol":…}]` unescaped, so quotes and brackets do.
    Plain,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Foreign; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'&' => Class::Ampersand,
            b'=' => Class::Equals,
            b'%' | b'+' => Class::Escape,
            b'#' | b';' => Class::Foreign,
            other if other.is_ascii_graphic() => Class::Plain,
            _ => Class::Foreign,
        };
        byte += 1;
    }
    classes
};

/// Appends `value`, escaped but for what RFC 3986 2.3 calls unreserved.
pub fn escape(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
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
    while let Some(at) = rest.bytes().position(|b| matches!(b, b'%' | b'+')) {
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
    runs_without(text, name, &mut |run| out.push_str(run));
}

/// Hands `text` without the pairs called `name` to `out`, in the runs between them.
pub fn runs_without(text: &str, name: &str, out: &mut impl FnMut(&str)) {
    let mut first = true;
    let mut keep = |run: &str| {
        let run = run.strip_suffix('&').unwrap_or(run);
        if !run.is_empty() {
            if !first {
                out("&");
            }
            first = false;
            out(run);
        }
    };
    // What stands between two of these pairs is copied as one run.
    let (mut kept, mut at) = (0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.bytes().position(|b| b == b'&').unwrap_or(rest.len());
        let behind = rest.strip_prefix(name).map(|rest| rest.bytes().next());
        if matches!(behind, Some(None | Some(b'=' | b'&'))) {
            keep(text.get(kept..at).unwrap_or_default());
            kept = at + length + 1;
        }
        at += length + 1;
    }
    keep(text.get(kept..).unwrap_or_default());
}

#[cfg(test)]
mod tests;
