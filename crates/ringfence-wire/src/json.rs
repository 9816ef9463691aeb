//! JSON read strictly into names and values: what two parsers could read in two ways is refused.
//!
//! Source: RFC 8259. Deviations, each because somebody reads it otherwise: a name stands once in its object, and is
//! made of visible ASCII without `.`, quotes and escapes; nothing nests deeper than [`DEPTH_MAX`].

use std::ops::Range;

use serde::de::IgnoredAny;

use ringfence_core::refusal::{Code, Refusal};

/// Deepest nesting that is read.
pub const DEPTH_MAX: usize = 8;
/// Most values of one message: twenty orders of twenty fields, and some more.
pub const VALUES_MAX: usize = 512;

/// One value: text, number, `true`, `false`, `null`, or an empty `{}` or `[]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Value<'a> {
    /// Names from the outermost object inwards with `.` between; places in lists count from 0.
    pub path: &'a str,
    /// As sent, with quotes.
    pub raw: &'a str,
}

/// Hands every value of `text` to `visit`, in order.
///
/// # Errors
///
/// `form_malformed`, `form_duplicate`, or what `visit` returns.
pub fn values(
    text: &str,
    visit: &mut dyn FnMut(Value<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    check(text)?;
    let mut count = 0;
    let mut scan = Scan {
        text,
        at: 0,
        path: String::new(),
        visit: &mut |path, range, whole| {
            if !whole {
                return Ok(());
            }
            count += 1;
            if count > VALUES_MAX {
                return Err(Code::FormMalformed.into());
            }
            let raw = text.get(range).unwrap_or_default();
            visit(Value { path, raw })
        },
    };
    scan.value(0)
}

/// Returns the value at `path` as sent, objects and lists included; none when nothing stands there.
///
/// # Errors
///
/// As [`values`].
pub fn find<'a>(text: &'a str, path: &str) -> Result<Option<&'a str>, Refusal> {
    check(text)?;
    find_again(text, path)
}

/// The same in a text that [`values`] has taken already.
///
/// # Errors
///
/// As [`values`].
pub(crate) fn find_again<'a>(text: &'a str, path: &str) -> Result<Option<&'a str>, Refusal> {
    let mut found = None;
    let mut scan = Scan {
        text,
        at: 0,
        path: String::new(),
        visit: &mut |here, range, _| {
            if here == path {
                found = Some(range);
            }
            Ok(())
        },
    };
    scan.value(0)?;
    Ok(found.and_then(|range| text.get(range)))
}

/// Returns what a value stands for: a text without quotes and escapes, anything else as sent.
///
/// # Errors
///
/// `form_malformed` for a control character.
pub fn append(raw: &str, out: &mut String) -> Result<(), Refusal> {
    let Some(inner) = raw.strip_prefix('"') else {
        out.push_str(raw);
        return Ok(());
    };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        out.push_str(inner);
        return Ok(());
    }
    let text: String = serde_json::from_str(raw).map_err(|_| Code::FormMalformed)?;
    if text.contains(char::is_control) {
        return Err(Code::FormMalformed.into());
    }
    out.push_str(&text);
    Ok(())
}

fn check(text: &str) -> Result<(), Refusal> {
    let read: Result<IgnoredAny, _> = serde_json::from_str(text);
    read.map(|_| ()).map_err(|_| Code::FormMalformed.into())
}

/// Called with path, place in the text, and whether nothing stands inside it.
type Visit<'v> = &'v mut dyn FnMut(&str, Range<usize>, bool) -> Result<(), Refusal>;

/// A walk over text that [`check`] found to be JSON.
struct Scan<'a, 'v> {
    text: &'a str,
    at: usize,
    path: String,
    visit: Visit<'v>,
}

impl<'a> Scan<'a, '_> {
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or_default()
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<(), Refusal> {
        let first = self.peek();
        let start = self.at;
        let whole = match first {
            b'{' | b'[' if depth >= DEPTH_MAX => return Err(Code::FormMalformed.into()),
            b'{' => self.members(depth)?,
            b'[' => self.items(depth)?,
            b'"' => {
                self.string();
                true
            }
            _ => {
                let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
                true
            }
        };
        (self.visit)(&self.path, start..self.at, whole)
    }

    /// Passes over a string and returns what stands between its quotes.
    fn string(&mut self) -> &'a str {
        self.at += 1;
        let start = self.at;
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        let inner = self.since(start);
        self.at += 1;
        inner
    }

    /// Reads an object; tells whether it is empty.
    fn members(&mut self, depth: usize) -> Result<bool, Refusal> {
        let mut names: Vec<&str> = Vec::new();
        self.at += 1;
        while self.peek() != b'}' {
            if self.peek() == b',' {
                self.at += 1;
                self.peek();
            }
            let name = self.string();
            let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'.' | b'\\' | b'"');
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(Code::FormMalformed.into());
            }
            if names.contains(&name) {
                return Err(Refusal::new(Code::FormDuplicate).field(name));
            }
            names.push(name);
            self.peek();
            self.at += 1; // the colon
            self.inside(name, depth)?;
        }
        self.at += 1;
        Ok(names.is_empty())
    }

    /// Reads a list; tells whether it is empty.
    fn items(&mut self, depth: usize) -> Result<bool, Refusal> {
        let mut count = 0;
        self.at += 1;
        while self.peek() != b']' {
            if self.peek() == b',' {
                self.at += 1;
            }
            self.inside(&count.to_string(), depth)?;
            count += 1;
        }
        self.at += 1;
        Ok(count == 0)
    }

    fn inside(&mut self, name: &str, depth: usize) -> Result<(), Refusal> {
        let before = self.path.len();
        if before > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        self.value(depth + 1)?;
        self.path.truncate(before);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
