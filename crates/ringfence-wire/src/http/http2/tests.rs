//! A head of HTTP/2 that could become two requests, or another one, in HTTP/1.1 is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use ringfence_core::refusal::Code;

use super::{check_extended_connect, check_http2};

fn fields(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(*name).unwrap();
        headers.append(name, HeaderValue::try_from(*value).unwrap());
    }
    headers
}

fn checked(method: &str, target: &str, pairs: &[(&str, &str)]) -> Option<Code> {
    let method = Method::try_from(method).unwrap();
    let uri = Uri::try_from(target).unwrap();
    let refusal = check_http2(&method, &uri, &fields(pairs), 8, 256).err()?;
    Some(refusal.code)
}

fn with(pairs: &[(&str, &str)]) -> Option<Code> {
    checked("POST", "https://example.com/a", pairs)
}

#[test]
fn a_plain_head_is_taken() {
    for pairs in [
        &[][..],
        &[("content-length", "3"), ("te", "trailers")],
        &[
            ("host", "Example.com"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ],
        &[("expect", "100-continue")],
    ] {
        assert_eq!(with(pairs), None, "{pairs:?}");
    }
}

#[test]
fn a_length_in_two_readings_is_refused() {
    for pairs in [
        &[("content-length", "3"), ("content-length", "3")][..],
        &[("content-length", "3,3")],
        &[("content-length", "+3")],
        &[("content-length", "")],
    ] {
        assert_eq!(with(pairs), Some(Code::HttpFramingAmbiguous), "{pairs:?}");
    }
}

#[test]
fn fields_of_the_hop_and_padded_values_are_refused() {
    for pair in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("http2-settings", "AAAA"),
        ("te", "trailers, chunked"),
        ("a_b", "1"),
        ("a", " 1"),
        ("a", "1\t"),
        ("expect", "200-ok"),
    ] {
        assert_eq!(with(&[pair]), Some(Code::HttpMalformed), "{pair:?}");
    }
}

#[test]
fn only_one_authority_over_https_is_taken() {
    for (target, pairs) in [
        ("/a", &[("host", "example.com")][..]),
        ("http://example.com/a", &[]),
        ("ftp://example.com/a", &[]),
        ("https://user@example.com/a", &[]),
        ("https://example.com/a", &[("host", "example.org")]),
        (
            "https://example.com/a",
            &[("host", "example.com"), ("host", "example.com")],
        ),
    ] {
        let code = checked("GET", target, pairs);
        assert_eq!(code, Some(Code::HttpMalformed), "{target} {pairs:?}");
    }
    let connect = checked("CONNECT", "https://example.com/a", &[]);
    assert_eq!(connect, Some(Code::HttpTargetInvalid));
    let split = checked("GET", "https://example.com/a\\b", &[]);
    assert_eq!(split, Some(Code::HttpTargetInvalid));
}

#[test]
fn a_head_of_too_many_fields_or_bytes_is_refused() {
    let one = ("a", "1");
    assert_eq!(with(&[one; 8]), None);
    assert_eq!(with(&[one; 9]), Some(Code::HttpHeaderTooLarge));
    // Two bytes of target, one of name, four that HTTP/1.1 would need.
    let (fits, over) = ("v".repeat(256 - 7), "v".repeat(256 - 6));
    assert_eq!(with(&[("a", &fits)]), None);
    assert_eq!(with(&[("a", &over)]), Some(Code::HttpHeaderTooLarge));
}

#[test]
fn only_websocket_version_13_without_a_length_opens_a_stream() {
    let asked = |protocol: &str, pairs: &[(&str, &str)]| {
        let refusal = check_extended_connect(protocol, &fields(pairs)).err()?;
        Some(refusal.code)
    };
    let version = ("sec-websocket-version", "13");
    assert_eq!(asked("websocket", &[version]), None);
    let unsupported = Some(Code::HttpUpgradeUnsupported);
    assert_eq!(asked("connect-udp", &[version]), unsupported);
    assert_eq!(asked("websocket", &[]), unsupported);
    assert_eq!(
        asked("websocket", &[("sec-websocket-version", "8")]),
        unsupported
    );
    let sized = asked("websocket", &[version, ("content-length", "0")]);
    assert_eq!(sized, Some(Code::HttpMalformed));
}
