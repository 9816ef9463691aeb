//! Just enough of HTTP/1.1 to know where a message with a Content-Length ends.

/// A message at the start of a buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scan {
    /// More bytes are needed.
    Partial,
    /// A whole message of `length` bytes.
    Whole {
        /// Head and body together, in bytes.
        length: usize,
        /// The sender said `Connection: close`.
        closing: bool,
    },
    /// Neither a Content-Length nor an empty body can be found: chunked, or not HTTP.
    Unreadable,
}

/// Looks for a whole message at the start of `bytes`.
///
/// A message without Content-Length has no body (right for requests; a response so framed would
/// end by closing, and then the caller sees the end of the stream).
pub(crate) fn scan(bytes: &[u8]) -> Scan {
    let mut start = 0;
    let mut body = 0;
    let mut closing = false;
    loop {
        let Some(end) = line_end(&bytes[start..]) else {
            return Scan::Partial;
        };
        let line = &bytes[start..start + end];
        start += end + 2;
        match line.first() {
            None => break,
            Some(b'c' | b'C') => {
                if let Some(value) = field(line, b"content-length") {
                    let Some(value) = number(value) else {
                        return Scan::Unreadable;
                    };
                    body = value;
                } else if let Some(value) = field(line, b"connection") {
                    closing = value.eq_ignore_ascii_case(b"close");
                }
            }
            Some(b't' | b'T') if field(line, b"transfer-encoding").is_some() => {
                return Scan::Unreadable;
            }
            Some(_) => {}
        }
    }
    let length = start + body;
    if bytes.len() < length {
        Scan::Partial
    } else {
        Scan::Whole { length, closing }
    }
}

/// The status code of a response, 0 when it is not one.
pub(crate) fn status(bytes: &[u8]) -> u16 {
    let digits = bytes.get(9..12).unwrap_or_default();
    number(digits)
        .and_then(|n| u16::try_from(n).ok())
        .unwrap_or(0)
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|&b| b == b'\n')?;
    (end > 0 && bytes[end - 1] == b'\r').then(|| end - 1)
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + usize::from(b - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::{Scan, scan, status};

    const ANSWER: &[u8] = b"HTTP/1.1 429 Busy\r\nA: b\r\nCONTENT-length: 2\r\n\r\nok";

    #[test]
    fn a_message_is_whole_only_with_its_last_byte() {
        for end in 0..ANSWER.len() {
            assert_eq!(scan(&ANSWER[..end]), Scan::Partial, "cut at {end}");
        }
        let whole = Scan::Whole {
            length: ANSWER.len(),
            closing: false,
        };
        assert_eq!(scan(ANSWER), whole);
        assert_eq!(scan(&[ANSWER, b"HTTP"].concat()), whole);
        assert_eq!(status(ANSWER), 429);
    }

    #[test]
    fn closing_is_noticed() {
        let bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        assert_eq!(
            scan(bytes),
            Scan::Whole {
                length: bytes.len(),
                closing: true
            }
        );
    }

    #[test]
    fn chunked_and_bad_lengths_are_unreadable() {
        assert_eq!(
            scan(b"A b\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Scan::Unreadable
        );
        assert_eq!(scan(b"A b\r\nContent-Length: -1\r\n\r\n"), Scan::Unreadable);
        assert_eq!(
            scan(b"A b\r\nContent-Length: 1234567890\r\n\r\n"),
            Scan::Unreadable
        );
    }
}
