//! Writing canonical JSON (RFC 8785) without allocating: the primitives under `entry.rs`.
//!
//! The writer never emits a float; integers are clamped to what every JSON reader holds exactly.
//! Keys are written by the callers in UTF-16 order, which for our ASCII keys is byte order.

/// Largest integer that a JSON number carries exactly (RFC 7493 2.2): 2^53 - 1.
pub(crate) const MAX_INTEGER: u64 = 9_007_199_254_740_991;

/// Ends a text that was cut to its bound.
pub(crate) const CUT_MARK: &str = "\u{2026}";

const HEX: &[u8; 16] = b"0123456789abcdef";

/// One JSON object being written. `finish` closes it; keys must come in ascending order.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    #[inline]
    fn key(&mut self, key: &'static str) {
        // Once for all that follows: every piece would look for room again.
        self.out.reserve(key.len() + 4);
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// Writes a key that is not ours, so that it may need escaping.
    pub(crate) fn foreign_key(&mut self, key: &str, limit: usize) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        text(self.out, key, limit);
        self.out.push(b':');
    }

    /// Writes `value`, cut to `limit` bytes before escaping.
    pub(crate) fn text(&mut self, key: &'static str, value: &str, limit: usize) {
        self.key(key);
        text(self.out, value, limit);
    }

    pub(crate) fn maybe_text(&mut self, key: &'static str, value: Option<&str>, limit: usize) {
        if let Some(value) = value {
            self.text(key, value, limit);
        }
    }

    /// Writes a text that is known to need no escape and no cut.
    pub(crate) fn word(&mut self, key: &'static str, value: &'static str) {
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
    }

    pub(crate) fn integer(&mut self, key: &'static str, value: u64) {
        self.key(key);
        integer(self.out, value);
    }

    pub(crate) fn maybe_integer(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.integer(key, value);
        }
    }

    pub(crate) fn boolean(&mut self, key: &'static str, value: bool) {
        self.key(key);
        boolean(self.out, value);
    }

    /// Starts a value that the caller writes to `out` itself.
    pub(crate) fn value(&mut self, key: &'static str) -> &mut Vec<u8> {
        self.key(key);
        self.out
    }

    /// The buffer, after [`Object::foreign_key`].
    pub(crate) fn raw(&mut self) -> &mut Vec<u8> {
        self.out
    }

    pub(crate) fn finish(self) {
        self.out.push(b'}');
    }
}

/// Writes as many of `items` as `bytes` have room for. Returns how many are left out.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: &[T],
    bytes: usize,
    encode: impl Fn(&T, &mut Vec<u8>),
) -> usize {
    let start = out.len();
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        let before = out.len();
        if index > 0 {
            out.push(b',');
        }
        encode(item, out);
        if out.len() - start >= bytes {
            out.truncate(before);
            out.push(b']');
            return items.len() - index;
        }
    }
    out.push(b']');
    0
}

pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Writes `value`, clamped to [`MAX_INTEGER`].
pub(crate) fn integer(out: &mut Vec<u8>, value: u64) {
    let mut rest = value.min(MAX_INTEGER);
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        // rest % 10 < 10, so the cast cannot lose anything.
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a signed integer, clamped to +-[`MAX_INTEGER`].
pub(crate) fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    integer(out, value.unsigned_abs());
}

/// Writes `value` as a JSON string, cut at a character boundary to `limit` bytes; a cut text ends
/// in [`CUT_MARK`], which comes on top of the limit.
pub(crate) fn text(out: &mut Vec<u8>, value: &str, limit: usize) {
    let (kept, cut) = cut(value, limit);
    out.push(b'"');
    escape(out, kept.as_bytes());
    if cut {
        out.extend_from_slice(CUT_MARK.as_bytes());
    }
    out.push(b'"');
}

fn cut(value: &str, limit: usize) -> (&str, bool) {
    if value.len() <= limit {
        return (value, false);
    }
    let mut end = limit;
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    (&value[..end], true)
}

// RFC 8785 3.2.2.2: two-character escapes where JSON has them, \u00xx in lower case for the other
// controls, everything else as it is.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    // Without a way out of the loop it is done many bytes at a time; nearly every text is clean.
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !bytes.iter().fold(false, |found, b| found | special(*b)) {
        out.extend_from_slice(bytes);
        return;
    }
    let mut clean = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !special(byte) {
            continue;
        }
        out.extend_from_slice(&bytes[clean..at]);
        clean = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[clean..]);
}
