//! A head that two servers could frame in two ways is refused, however it is cut into pieces.
#![allow(clippy::unwrap_used)]

use ringfence_core::refusal::Code;

use super::{Bounds, Found, Frame, Scanner};

const BOUNDS: Bounds = Bounds {
    bytes: 256,
    fields: 4,
};

fn scan(text: &[u8]) -> Result<Found, Code> {
    Scanner::default().scan(text, BOUNDS)
}

fn in_pieces(text: &[u8]) -> Result<Found, Code> {
    let mut scanner = Scanner::default();
    for end in 0..=text.len() {
        let found = scanner.scan(&text[..end], BOUNDS)?;
        if found != Found::Partial {
            assert_eq!(end, text.len(), "found before its last byte");
            return Ok(found);
        }
    }
    Ok(Found::Partial)
}

#[test]
fn one_piece_is_the_same_as_byte_by_byte() {
    let heads: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:\tChunked \r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    ];
    for head in heads {
        assert_eq!(scan(head), in_pieces(head), "{}", head.escape_ascii());
    }
}

#[test]
fn the_body_is_framed_by_the_one_field_that_says_so() {
    let cases: [(&[u8], Frame); 4] = [
        (b"GET / HTTP/1.1\r\n\r\n", Frame::Length(0)),
        (b"G\r\ncontent-LENGTH:7\r\n\r\n", Frame::Length(7)),
        (b"G\r\nContent-Length: 0007\t\r\n\r\n", Frame::Length(7)),
        (b"G\r\nTransfer-Encoding: chunked\r\n\r\n", Frame::Chunked),
    ];
    for (head, frame) in cases {
        let length = head.len();
        assert_eq!(scan(head), Ok(Found::Head { length, frame }));
    }
}

#[test]
fn what_follows_the_head_is_not_looked_at() {
    let found = scan(b"G\r\n\r\n\n\n\0 next").unwrap();
    assert!(matches!(found, Found::Head { length: 5, .. }));
}

#[test]
fn ambiguous_framing_is_refused() {
    for fields in [
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1, 1",
        "Content-Length: +1",
        "Content-Length: -1",
        "Content-Length: 0x1",
        "Content-Length: 1 1",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
    ] {
        let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        assert_eq!(
            scan(head.as_bytes()),
            Err(Code::HttpFramingAmbiguous),
            "{fields}"
        );
    }
}

#[test]
fn lines_end_with_crlf_and_hold_no_controls() {
    let heads: [&[u8]; 9] = [
        b"\nGET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/1.1\r\nA: b\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x7f\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ];
    for head in heads {
        assert_eq!(
            scan(head),
            Err(Code::HttpMalformed),
            "{}",
            head.escape_ascii()
        );
    }
}

#[test]
fn a_head_over_its_bounds_is_refused_before_it_ends() {
    let endless = [b'a'; BOUNDS.bytes + 1];
    assert_eq!(scan(&endless[..BOUNDS.bytes]), Ok(Found::Partial));
    assert_eq!(scan(&endless), Err(Code::HttpHeaderTooLarge));
    let fields = |count| format!("G\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert!(scan(fields(BOUNDS.fields).as_bytes()).is_ok());
    let over = fields(BOUNDS.fields + 1);
    assert_eq!(scan(over.as_bytes()), Err(Code::HttpHeaderTooLarge));
}

/// Exhaustive in a small world: every string of up to seven pieces of what matters.
#[test]
fn no_head_is_found_whose_last_line_is_not_empty() {
    let alphabet: [&[u8]; 6] = [b"a", b":", b"\r", b"\n", b"\r\n", b" "];
    for number in 0..6_u32.pow(7) {
        let mut rest = number;
        let mut text = Vec::new();
        for _ in 0..7 {
            text.extend_from_slice(alphabet[rest as usize % 6]);
            rest /= 6;
        }
        if let Ok(Found::Head { length, .. }) = scan(&text) {
            let head = &text[..length];
            assert!(head.ends_with(b"\r\n\r\n"));
            let inside = head.strip_suffix(b"\r\n\r\n").unwrap();
            let inside = inside.strip_prefix(b"\r\n").unwrap_or(inside);
            let bare = inside.split(|b| *b == b'\n').rev().skip(1);
            assert!(bare.clone().all(|line| line.ends_with(b"\r")), "{head:?}");
        }
    }
}
