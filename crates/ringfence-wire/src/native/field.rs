//! Structured fields (RFC 9651), the narrow way: each value only as its canonical form writes it.
//!
//! A signature base holds the parameters as a serializer would write them (RFC 9421 2.5). Whoever takes other writings
//! has to write them anew, and two implementations that do so differently sign two things. Here there is one writing,
//! and what is signed is what was sent.

/// Most digits of an integer (RFC 9651 3.3.1).
const DIGITS_MAX: usize = 15;

/// A field's value, and how far it has been read. What cannot be read reads as none, and nothing is taken.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of a field's value.
    pub const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Returns what has not been read.
    pub const fn rest(&self) -> &'a str {
        self.rest
    }

    /// Takes `literal` if it stands here.
    pub fn eat(&mut self, literal: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    /// Takes nothing, at the end of the value only.
    pub const fn end(&self) -> Option<()> {
        if self.rest.is_empty() { Some(()) } else { None }
    }

    /// Takes the name of a member or parameter (RFC 9651 3.1.2).
    pub fn key(&mut self) -> Option<&'a str> {
        let begins = |b: u8| b.is_ascii_lowercase() || b == b'*';
        let first = self.rest.bytes().next();
        first.filter(|b| begins(*b))?;
        let goes_on = |b: &u8| begins(*b) || b.is_ascii_digit() || b"_-.".contains(b);
        let length = self.rest.bytes().take_while(goes_on).count();
        self.take(length)
    }

    /// Takes a string without escapes (RFC 9651 3.3.3) and returns what stands between its quotes.
    pub fn string(&mut self) -> Option<&'a str> {
        let inner = self.rest.strip_prefix('"')?;
        let plain = |b: &u8| matches!(b, b' '..=b'~') && !b"\"\\".contains(b);
        let length = inner.bytes().take_while(plain).count();
        let (text, rest) = inner.split_at_checked(length)?;
        self.rest = rest.strip_prefix('"')?;
        Some(text)
    }

    /// Takes an integer that is not negative, without zeros before it (RFC 9651 3.3.1).
    pub fn integer(&mut self) -> Option<u64> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(length)?;
        let canonical = digits == "0" || !digits.starts_with('0');
        let whole = !rest.starts_with('.');
        let number = digits.parse().ok()?;
        (canonical && whole && length <= DIGITS_MAX).then_some(())?;
        self.rest = rest;
        Some(number)
    }

    /// Takes a byte sequence (RFC 9651 3.3.5) and returns its base64; whoever decodes it says whether that is valid.
    pub fn bytes(&mut self) -> Option<&'a str> {
        let inner = self.rest.strip_prefix(':')?;
        let (text, rest) = inner.split_once(':')?;
        let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
        text.bytes().all(base64).then_some(())?;
        self.rest = rest;
        Some(text)
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}
