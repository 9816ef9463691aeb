//! Frames as RFC 6455 gives them, everything that it forbids, and that bytes mean the same however they are cut.

#![allow(clippy::unwrap_used, clippy::panic)]

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};
use proptest::prelude::*;
use ringfence_core::refusal::Code;

use super::*;

mod run;

const LIMITS: Limits = Limits {
    message: 100_000,
    frames: 16,
};

/// What came, owned.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Came {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Violated(u16),
}

fn owned(event: Event<'_>) -> Came {
    match event {
        Event::Text(text) => Came::Text(text.into()),
        Event::Binary(bytes) => Came::Binary(bytes.into()),
        Event::Ping(bytes) => Came::Ping(bytes.into()),
        Event::Pong(bytes) => Came::Pong(bytes.into()),
        Event::Close(close) => {
            Came::Close(close.map(|(code, reason)| (code.number(), reason.into())))
        }
    }
}

fn fed<'b>(sender: Sender, parts: impl IntoIterator<Item = &'b [u8]>) -> Vec<Came> {
    let mut decoder = Decoder::new(sender, LIMITS);
    let mut came = Vec::new();
    for mut part in parts {
        loop {
            match decoder.next(&mut part) {
                Ok(Some(event)) => came.push(owned(event)),
                Ok(None) => break,
                Err(violation) => {
                    came.push(Came::Violated(violation.code.number()));
                    return came;
                }
            }
        }
    }
    came
}

fn server(bytes: &[u8]) -> Vec<Came> {
    fed(Sender::Server, [bytes])
}

fn text(text: &str) -> Came {
    Came::Text(text.into())
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // RFC 6455 5.7
    assert_eq!(server(b"\x81\x05Hello"), [text("Hello")]);
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(fed(Sender::Client, [&masked[..]]), [text("Hello")]);
    assert_eq!(server(b"\x01\x03Hel\x80\x02lo"), [text("Hello")]);
    let ping = server(b"\x89\x05Hello");
    assert_eq!(ping, [Came::Ping(b"Hello".to_vec())]);
    let long = [b"\x82\x7e\x01\x00".as_slice(), &[7; 256]].concat();
    assert_eq!(server(&long), [Came::Binary(vec![7; 256])]);
    let longer = [b"\x82\x7f\0\0\0\0\0\x01\0\0".as_slice(), &[7; 65_536]].concat();
    assert_eq!(server(&longer), [Came::Binary(vec![7; 65_536])]);
}

#[test]
fn control_frames_stand_between_the_parts_of_a_message() {
    let came = server(b"\x01\x03Hel\x89\x01p\x8a\x00\x80\x02lo\x88\x05\x03\xe8bye");
    let closed = Came::Close(Some((1000, "bye".into())));
    let (ping, pong) = (Came::Ping(b"p".to_vec()), Came::Pong(Vec::new()));
    assert_eq!(came, [ping, pong, text("Hello"), closed]);
    assert_eq!(server(b"\x88\x00"), [Came::Close(None)]);
}

#[test]
fn what_the_rfc_forbids_ends_the_connection_with_its_code() {
    let wrong: &[(&[u8], u16)] = &[
        (b"\xc1", 1002), // RSV1 without an extension
        (b"\xa1", 1002), // RSV2
        (b"\x91", 1002), // RSV3
        (b"\x83", 1002), // reserved data opcodes
        (b"\x87", 1002),
        (b"\x8b", 1002), // reserved control opcodes
        (b"\x8f", 1002),
        (b"\x80", 1002),           // continues nothing
        (b"\x01\x01a\x81", 1002),  // a new message inside another
        (b"\x09", 1002),           // a control frame in parts
        (b"\x89\x7e", 1002),       // a long one
        (b"\x81\x85", 1002),       // a server that masks
        (b"\x82\x7e\0\x7d", 1002), // lengths that are not the shortest
        (b"\x82\x7f\0\0\0\0\0\0\xff\xff", 1002),
        (b"\x82\x7f\x80\0\0\0\0\0\0\0", 1002), // the topmost bit
        (b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 1009),
        (b"\x82\x7f\0\0\0\0\0\x01\x86\xa1", 1009), // one byte too many
        (b"\x81\x01\xff", 1007),                   // not UTF-8
        (b"\x81\x02\xc3", 0),
        (b"\x81\x01\xc3", 1007),             // ends inside a character
        (b"\x81\x03\xed\xa0", 1007),         // a surrogate, before its last byte has come
        (b"\x01\x01\xf4\x80\x01\x90", 1007), // beyond U+10FFFF, in the second part
        (b"\x88\x01\x03", 1002),             // half a close code
        (b"\x88\x02\x03\xec", 1002),         // 1004, 1005, 1006, 1015, 999, 2999, 5000
        (b"\x88\x02\x03\xed", 1002),
        (b"\x88\x02\x03\xee", 1002),
        (b"\x88\x02\x03\xf7", 1002),
        (b"\x88\x02\x03\xe7", 1002),
        (b"\x88\x02\x0b\xb7", 1002),
        (b"\x88\x02\x13\x88", 1002),
        (b"\x88\x03\x03\xe8\xff", 1007),
    ];
    for (bytes, code) in wrong {
        let whole = server(bytes);
        let cut = fed(Sender::Server, bytes.chunks(1));
        let last = |came: &[Came]| came.last().cloned();
        let wanted = (*code != 0).then_some(Came::Violated(*code));
        assert_eq!(last(&whole), wanted, "{bytes:x?}");
        assert_eq!(last(&cut), wanted, "{bytes:x?} byte by byte");
    }
    assert_eq!(
        fed(Sender::Client, [&b"\x81\x05"[..]]),
        [Came::Violated(1002)]
    );
}

#[test]
fn nothing_follows_a_close_frame() {
    let came = server(b"\x88\x00\x81\x00");
    assert_eq!(came, [Came::Close(None), Came::Violated(1002)]);
}

#[test]
fn a_message_has_a_limit_of_parts_and_of_bytes_over_all_its_parts() {
    let mut parts = b"\x02\x00".to_vec();
    parts.extend(b"\x00\x00".repeat(15));
    assert_eq!(server(&parts), []);
    parts.extend(b"\x80\x00");
    assert_eq!(server(&parts), [Came::Violated(1009)]);
    let mut large = b"\x02\x7f\0\0\0\0\0\x01\x86\xa0".to_vec();
    large.extend([0; 100_000]);
    large.extend(b"\x80\x01");
    assert_eq!(server(&large), [Came::Violated(1009)]);
}

#[test]
fn a_close_reason_is_cut_at_a_character() {
    let mut out = Vec::new();
    close(&mut out, CloseCode::POLICY, &"é".repeat(100), None);
    assert_eq!(server(&out), [Came::Close(Some((1008, "é".repeat(61))))]);
}

fn head(fields: &[(&str, &str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

const ASKED: [(&str, &str); 4] = [
    ("upgrade", "websocket"),
    ("connection", "keep-alive, Upgrade"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn asked(fields: &[(&str, &str)]) -> Result<bool, Code> {
    handshake(&Method::GET, Version::HTTP_11, &head(fields))
        .map(|found| found.is_some())
        .map_err(|refusal| refusal.code)
}

#[test]
fn a_handshake_is_the_one_of_the_rfc_or_none() {
    assert_eq!(asked(&ASKED), Ok(true));
    assert_eq!(asked(&[("connection", "keep-alive")]), Ok(false));
    assert_eq!(
        asked(&[("upgrade", "h2c"), ("connection", "upgrade")]),
        Ok(false)
    );
    for (at, value, code) in [
        (0, "websocket, h2c", Code::HttpUpgradeUnsupported),
        (1, "keep-alive", Code::HttpMalformed),
        (2, "8", Code::HttpUpgradeUnsupported),
        (3, "dGhlIHNhbXBsZSBub25jZR==", Code::HttpMalformed),
        (3, "c2hvcnQ=", Code::HttpMalformed),
    ] {
        let mut fields = ASKED;
        fields[at].1 = value;
        assert_eq!(asked(&fields), Err(code), "{value}");
    }
    assert_eq!(asked(&ASKED[1..]), Ok(false));
    for (missing, (name, _)) in ASKED.iter().enumerate().skip(1) {
        let mut fields = ASKED.to_vec();
        fields.remove(missing);
        assert!(asked(&fields).is_err(), "without {name}");
    }
    let several = [("upgrade", "h2c"), ("upgrade", "x, websocket")];
    assert_eq!(asked(&several), Err(Code::HttpMalformed));
    let twice = [&ASKED[..], &ASKED[3..]].concat();
    assert_eq!(asked(&twice), Err(Code::HttpMalformed));
    let headers = head(&ASKED);
    assert!(handshake(&Method::POST, Version::HTTP_11, &headers).is_err());
    assert!(handshake(&Method::GET, Version::HTTP_10, &headers).is_err());
    let body = [&ASKED[..], &[("content-length", "0")]].concat();
    assert_eq!(asked(&body), Err(Code::HttpMalformed));
}

#[test]
fn the_answer_to_a_key_is_the_one_of_the_rfc() {
    let input = accept_input(b"dGhlIHNhbXBsZSBub25jZQ==");
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &input);
    let accept = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Binary), Just(Kind::Ping), Just(Kind::Pong)]
}

proptest! {
    #[test]
    fn what_was_written_is_read_whoever_sent_it(
        frames in prop::collection::vec((kinds(), prop::collection::vec(any::<u8>(), 0..300)), 0..8),
        mask in prop::option::of(any::<[u8; 4]>()),
    ) {
        let mut out = Vec::new();
        let mut sent = Vec::new();
        for (kind, payload) in &frames {
            frame(&mut out, *kind, payload, mask);
            let cut = payload[..payload.len().min(if kind.is_control() { CONTROL_MAX } else { 300 })].to_vec();
            sent.push(match kind {
                Kind::Ping => Came::Ping(cut),
                Kind::Pong => Came::Pong(cut),
                Kind::Binary | Kind::Text | Kind::Close => Came::Binary(cut),
            });
        }
        let sender = if mask.is_some() { Sender::Client } else { Sender::Server };
        prop_assert_eq!(fed(sender, [&out[..]]), sent);
    }

    #[test]
    fn any_text_goes_through(text in ".{0,200}", mask in any::<[u8; 4]>()) {
        let mut out = Vec::new();
        frame(&mut out, Kind::Text, text.as_bytes(), Some(mask));
        prop_assert_eq!(fed(Sender::Client, [&out[..]]), [Came::Text(text)]);
    }

    #[test]
    fn bytes_mean_the_same_however_they_are_cut(
        bytes in prop::collection::vec(prop_oneof![
            any::<u8>(), Just(0x81), Just(0x01), Just(0x80), Just(0x89), Just(0x02), Just(0x88),
            0_u8..6,
        ], 0..60),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        client in any::<bool>(),
    ) {
        let sender = if client { Sender::Client } else { Sender::Server };
        let whole = fed(sender, [&bytes[..]]);
        prop_assert_eq!(&fed(sender, bytes.chunks(1)), &whole);
        let mut ends: Vec<usize> = at.iter().map(|at| at.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut start = 0;
        let parts: Vec<&[u8]> = ends
            .into_iter()
            .map(|end| &bytes[std::mem::replace(&mut start, end)..end])
            .collect();
        prop_assert_eq!(&fed(sender, parts), &whole);
    }
}
