//! JSON read strictly into names and values: what two parsers could read in two ways is refused.
//!
//! Source: RFC 8259. Deviations, each because somebody reads it otherwise: a name stands once in its object, and is
//! made of visible ASCII without `.`, quotes and escapes; nothing nests deeper than [`DEPTH_MAX`].

use std::borrow::Cow;

use memchr::memchr2;
use serde::de::IgnoredAny;

use ringfence_core::refusal::{Code, Refusal};

/// Deepest nesting that is read.
pub const DEPTH_MAX: usize = 8;
/// Most values of one message: twenty orders of twenty fields, and some more.
pub const VALUES_MAX: usize = 512;

/// One value: text, number, `true`, `false`, `null`, or an empty `{}` or `[]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Value<'p, 't> {
    /// Names from the outermost object inwards with `.` between; places in lists count from 0.
    pub path: &'p str,
    /// As sent, with quotes.
    pub raw: &'t str,
}

/// What is called with a value.
type Visit<'v, 't> = &'v mut dyn FnMut(Value<'_, 't>) -> Result<(), Refusal>;

/// Hands every value of `text` to `visit`, in order.
///
/// # Errors
///
/// `form_malformed`, `form_duplicate`, or what `visit` returns.
pub fn values<'t>(text: &'t str, visit: Visit<'_, 't>) -> Result<(), Refusal> {
    check(text)?;
    counted(text, &mut |value, whole| match whole {
        true => visit(value),
        false => Ok(()),
    })
}

/// The same, and every object and list as well, each behind what stands in it.
///
/// # Errors
///
/// As [`values`].
pub(crate) fn parts<'t>(text: &'t str, visit: Visit<'_, 't>) -> Result<(), Refusal> {
    check(text)?;
    counted(text, &mut |value, _| visit(value))
}

fn counted<'t>(text: &'t str, visit: VisitPart<'_, 't>) -> Result<(), Refusal> {
    let mut count = 0;
    walk(text, &mut |value, whole| {
        count += usize::from(whole);
        if count > VALUES_MAX {
            return Err(Code::FormMalformed.into());
        }
        visit(value, whole)
    })
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
    walk(text, &mut |value, _| {
        if value.path == path {
            found = Some(value.raw);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Returns what a value stands for: a text without quotes and escapes, anything else as sent.
///
/// # Errors
///
/// `form_malformed` for a control character.
pub fn said(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    let Some(inner) = raw.strip_prefix('"') else {
        return Ok(Cow::Borrowed(raw));
    };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let text: String = serde_json::from_str(raw).map_err(|_| Code::FormMalformed)?;
    if text.contains(char::is_control) {
        return Err(Code::FormMalformed.into());
    }
    Ok(Cow::Owned(text))
}

/// Appends what a value stands for.
///
/// # Errors
///
/// As [`said`].
pub fn append(raw: &str, out: &mut String) -> Result<(), Refusal> {
    out.push_str(&said(raw)?);
    Ok(())
}

fn check(text: &str) -> Result<(), Refusal> {
    let read: Result<IgnoredAny, _> = serde_json::from_str(text);
    read.map(|_| ()).map_err(|_| Code::FormMalformed.into())
}

/// Called with a value, and whether nothing stands inside it.
type VisitPart<'v, 't> = &'v mut dyn FnMut(Value<'_, 't>, bool) -> Result<(), Refusal>;

/// Walks over text that [`check`] found to be JSON.
fn walk<'t>(text: &'t str, visit: VisitPart<'_, 't>) -> Result<(), Refusal> {
    let mut scan = Scan {
        text,
        at: 0,
        path: String::with_capacity(PATH_BYTES),
        names: Vec::with_capacity(NAMES),
        visit,
    };
    scan.value(0)
}

/// So long is a path, and so many names stand around a value, without asking for more memory.
const PATH_BYTES: usize = 64;
const NAMES: usize = 16;

struct Scan<'a, 'v> {
    text: &'a str,
    at: usize,
    path: String,
    /// Names of all objects that are open so far, those of the innermost last.
    names: Vec<&'a str>,
    visit: VisitPart<'v, 'a>,
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
        let (path, raw) = (&*self.path, self.since(start));
        (self.visit)(Value { path, raw }, whole)
    }

    /// Passes over a string and returns what stands between its quotes.
    fn string(&mut self) -> &'a str {
        self.at += 1;
        let (start, bytes) = (self.at, self.text.as_bytes());
        while let Some(rest) = bytes.get(self.at..) {
            let stop = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            self.at += stop;
            match bytes.get(self.at) {
                Some(b'\\') => self.at += 2,
                Some(_) | None => break,
            }
        }
        let inner = self.since(start);
        self.at += 1;
        inner
    }

    /// Reads an object; tells whether it is empty.
    fn members(&mut self, depth: usize) -> Result<bool, Refusal> {
        let first = self.names.len();
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
            if self.names.iter().skip(first).any(|other| *other == name) {
                return Err(Refusal::new(Code::FormDuplicate).field(name));
            }
            self.names.push(name);
            self.peek();
            self.at += 1; // the colon
            self.inside(name, depth)?;
        }
        self.at += 1;
        let empty = self.names.len() == first;
        self.names.truncate(first);
        Ok(empty)
    }

    /// Reads a list; tells whether it is empty.
    fn items(&mut self, depth: usize) -> Result<bool, Refusal> {
        let mut count = 0_usize;
        self.at += 1;
        while self.peek() != b']' {
            if self.peek() == b',' {
                self.at += 1;
            }
            self.inside(itoa::Buffer::new().format(count), depth)?;
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
