//! Where a request's head ends and what frames its body, judged on the bytes as sent, before the parser sees them.
//!
//! The parser behind us is lenient where two servers may differ: it takes a bare LF for a line's end, lets
//! Transfer-Encoding silently win over Content-Length, and merges equal Content-Lengths. Here all of that is refused
//! (RFC 9112 2.2, 5.2, 6.1, 6.3; stricter where it leaves a choice). Names and values are left to the parser.

use ringfence_core::refusal::Code;

/// What frames the body of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Frame {
    /// So many bytes; none without Content-Length.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// What was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    /// The whole head, empty lines before it included.
    Head {
        /// Its length in bytes.
        length: usize,
        /// What frames the body behind it.
        frame: Frame,
    },
    /// More bytes are needed.
    Partial,
}

/// Bounds of a head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes, line ends included.
    pub(crate) bytes: usize,
    /// Fields.
    pub(crate) fields: usize,
}

/// Looks for the end of one head; remembers how far it got, so that a byte is looked at a bounded number of times
/// however slowly it trickles in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scanner {
    /// Start of the line that is being read.
    line: usize,
    /// Up to here no line end was found.
    looked: usize,
    /// Lines before `line`, empty ones before the request line not counted.
    lines: usize,
    length: Option<u64>,
    chunked: bool,
}

impl Scanner {
    /// Continues in `bytes`, which start with the head and have only grown since the last call.
    ///
    /// # Errors
    ///
    /// `http_malformed`, `http_framing_ambiguous`, `http_header_too_large`.
    pub(crate) fn scan(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Found, Code> {
        loop {
            let fresh = bytes.get(self.looked..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', fresh) else {
                self.looked = bytes.len();
                return if bytes.len() > bounds.bytes {
                    Err(Code::HttpHeaderTooLarge)
                } else {
                    Ok(Found::Partial)
                };
            };
            let after = self.looked + end + 1;
            let line = bytes.get(self.line..after).unwrap_or_default();
            let line = line.strip_suffix(b"\r\n").ok_or(Code::HttpMalformed)?;
            if after > bounds.bytes {
                return Err(Code::HttpHeaderTooLarge);
            }
            (self.line, self.looked) = (after, after);
            match (line.is_empty(), self.lines) {
                // RFC 9112 2.2: an empty line before the request line is ignored.
                (true, 0) => continue,
                (true, _) => return Ok(self.head(after)),
                (false, 0) => check_controls(line)?,
                (false, fields) if fields > bounds.fields => return Err(Code::HttpHeaderTooLarge),
                (false, _) => self.field(line)?,
            }
            self.lines += 1;
        }
    }

    /// Tells whether it has not looked at anything yet.
    pub(crate) const fn is_new(&self) -> bool {
        self.looked == 0
    }

    const fn head(&self, length: usize) -> Found {
        let frame = match self.length {
            Some(length) => Frame::Length(length),
            None if self.chunked => Frame::Chunked,
            None => Frame::Length(0),
        };
        Found::Head { length, frame }
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Code> {
        check_controls(line)?;
        // RFC 9112 5.2: a line that is folded onto the one before it is refused.
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Code::HttpMalformed);
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            return Err(Code::HttpMalformed);
        };
        let (name, value) = line.split_at(colon);
        // Nearly every field is told apart by its length alone.
        if name.len() == 14 && name.eq_ignore_ascii_case(b"content-length") {
            if self.chunked || self.length.is_some() {
                return Err(Code::HttpFramingAmbiguous);
            }
            self.length = Some(content_length(value).ok_or(Code::HttpFramingAmbiguous)?);
        } else if name.len() == 17 && name.eq_ignore_ascii_case(b"transfer-encoding") {
            let value = trim(value);
            if self.chunked || self.length.is_some() || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Code::HttpFramingAmbiguous);
            }
            self.chunked = true;
        }
        Ok(())
    }
}

/// RFC 9110 5.5: no control characters but HTAB. A bare CR, which some servers take for a line end, is one of them.
fn check_controls(line: &[u8]) -> Result<(), Code> {
    let control = |b: u8| (b < b' ' && b != b'\t') || b == 0x7f;
    // Without a way out of the loop it is done 16 bytes at a time.
    if line.iter().fold(false, |found, b| found | control(*b)) {
        Err(Code::HttpMalformed)
    } else {
        Ok(())
    }
}

/// Takes off the colon and the white space around the value.
fn trim(value: &[u8]) -> &[u8] {
    value.strip_prefix(b":").unwrap_or(value).trim_ascii()
}

fn content_length(value: &[u8]) -> Option<u64> {
    let digits = trim(value);
    // Nineteen digits always fit; no message that we take is longer.
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
