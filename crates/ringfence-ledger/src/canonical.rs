//! Checks that an entry is canonical JSON: the one way RFC 8785 allows to write it.
//!
//! Stricter than RFC 8785 in what we never write: the value is an object, numbers are integers
//! within +-(2^53 - 1), nesting is bounded. The same pass picks out the fields that recovery needs.

use std::cmp::Ordering;

use crate::json::MAX_INTEGER;

/// Deepest nesting accepted.
const MAX_DEPTH: u32 = 16;

/// Where and how an entry departs from the canonical form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotCanonical {
    /// Bytes from the start of the entry.
    pub offset: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// The top-level fields recovery and verifying look at, as they stand between the quotes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fields<'a> {
    pub(crate) address: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) message: &'a str,
    pub(crate) event: &'a str,
    /// The object, as it stands.
    pub(crate) detail: &'a str,
    pub(crate) time_us: u64,
    pub(crate) outcome: &'a str,
    pub(crate) state_changing: bool,
}

/// Checks one entry.
///
/// # Errors
///
/// [`NotCanonical`]: the first place where the bytes are not the canonical form of any value.
pub fn check(entry: &[u8]) -> Result<(), NotCanonical> {
    read(entry).map(|_| ())
}

pub(crate) fn read(entry: &[u8]) -> Result<Fields<'_>, NotCanonical> {
    let text = std::str::from_utf8(entry).map_err(|error| NotCanonical {
        offset: error.valid_up_to(),
        what: "not UTF-8",
    })?;
    let mut parser = Parser {
        text,
        bytes: entry,
        at: 0,
        depth: 0,
        fields: Fields::default(),
    };
    if entry.first() != Some(&b'{') {
        return Err(parser.wrong("an entry is a JSON object"));
    }
    parser.object()?;
    if parser.at == entry.len() {
        Ok(parser.fields)
    } else {
        Err(parser.wrong("bytes after the end of the object"))
    }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    fields: Fields<'a>,
}

impl<'a> Parser<'a> {
    fn wrong(&self, what: &'static str) -> NotCanonical {
        NotCanonical {
            offset: self.at,
            what,
        }
    }

    fn peek(&self) -> u8 {
        // NUL stands for the end: it is valid nowhere.
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn value(&mut self) -> Result<(), NotCanonical> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'{' => self.object(),
            b'[' => self.array(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.integer(),
            _ => Err(self.wrong("no JSON value starts like this")),
        }
    }

    fn enter(&mut self) -> Result<(), NotCanonical> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.at += 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), NotCanonical> {
        self.enter()?;
        if self.peek() == b'}' {
            return self.leave();
        }
        let mut last: Option<&str> = None;
        loop {
            let start = self.at;
            if self.peek() != b'"' {
                return Err(self.wrong("a key must follow here"));
            }
            let key = self.string()?;
            if last.is_some_and(|last| key_order(last, key) != Ordering::Less) {
                self.at = start;
                return Err(self.wrong("keys are not in order, or one stands twice"));
            }
            last = Some(key);
            if self.peek() != b':' {
                return Err(self.wrong("':' must follow a key"));
            }
            self.at += 1;
            let value = self.at;
            self.value()?;
            if self.depth == 1 {
                self.note_field(key, value);
            }
            match self.peek() {
                b',' => self.at += 1,
                b'}' => return self.leave(),
                _ => return Err(self.wrong("',' or '}' must follow a value")),
            }
        }
    }

    fn leave(&mut self) -> Result<(), NotCanonical> {
        self.depth -= 1;
        self.at += 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), NotCanonical> {
        self.enter()?;
        if self.peek() == b']' {
            return self.leave();
        }
        loop {
            self.value()?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => return self.leave(),
                _ => return Err(self.wrong("',' or ']' must follow a value")),
            }
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), NotCanonical> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.wrong("no JSON value starts like this"));
        }
        self.at += word.len();
        Ok(())
    }

    fn integer(&mut self) -> Result<(), NotCanonical> {
        let start = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let digits = self.at;
        let mut value: u64 = 0;
        while self.peek().is_ascii_digit() {
            value = value
                .saturating_mul(10)
                .saturating_add(u64::from(self.peek() - b'0'));
            self.at += 1;
        }
        let length = self.at - digits;
        let sound = length > 0
            && (length == 1 || self.bytes[digits] != b'0')
            && !(negative && value == 0)
            && value <= MAX_INTEGER;
        if !sound {
            self.at = start;
            return Err(self.wrong("not an integer in its shortest form within 2^53"));
        }
        Ok(())
    }

    // The text between the quotes, escapes as they stand.
    fn string(&mut self) -> Result<&'a str, NotCanonical> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => return Err(self.wrong("a control character must be escaped")),
                Some(_) => self.at += 1,
                None => return Err(self.wrong("the text does not end")),
            }
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        Ok(text)
    }

    // RFC 8785 3.2.2.2: each character has one form only.
    fn escape(&mut self) -> Result<(), NotCanonical> {
        let rest = &self.bytes[self.at + 1..];
        let length = match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(2),
            [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => Some(6),
            _ => None,
        };
        let Some(length) = length else {
            return Err(self.wrong("this escape is not the canonical one"));
        };
        self.at += length;
        Ok(())
    }

    fn note_field(&mut self, key: &'a str, start: usize) {
        let value = &self.text[start..self.at];
        let inner = || {
            value
                .strip_prefix('"')
                .and_then(|v| v.strip_suffix('"'))
                .unwrap_or("")
        };
        match key {
            "address" => self.fields.address = inner(),
            "detail" => self.fields.detail = value,
            "event" => self.fields.event = inner(),
            "kind" => self.fields.kind = inner(),
            "message" => self.fields.message = inner(),
            "outcome" => self.fields.outcome = inner(),
            "state_changing" => self.fields.state_changing = value == "true",
            "time_us" => self.fields.time_us = value.parse().unwrap_or(0),
            _ => {}
        }
    }
}

fn key_order(left: &str, right: &str) -> Ordering {
    let plain = |key: &str| key.bytes().all(|byte| byte < 0x80 && byte != b'\\');
    if plain(left) && plain(right) {
        left.cmp(right)
    } else {
        unescape(left)
            .encode_utf16()
            .cmp(unescape(right).encode_utf16())
    }
}

/// Undoes the canonical escapes of a text that was checked.
pub(crate) fn unescape(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let code = chars
                    .by_ref()
                    .take(4)
                    .fold(0, |code, digit| code * 16 + digit.to_digit(16).unwrap_or(0));
                out.extend(char::from_u32(code));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}
