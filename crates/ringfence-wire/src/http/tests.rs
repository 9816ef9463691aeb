//! A head that two servers could read in two ways is refused, and what frames or authorizes never travels on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri, Version};
use proptest::prelude::*;
use ringfence_core::refusal::Code;

use super::{FORWARDED, check, nominated, single, strip_response};

fn fields(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(*name).unwrap();
        headers.append(name, HeaderValue::try_from(*value).unwrap());
    }
    headers
}

fn checked(method: &str, target: &str, version: Version, pairs: &[(&str, &str)]) -> Option<Code> {
    let method = Method::try_from(method).unwrap();
    let uri = Uri::try_from(target).unwrap();
    let refusal = check(&method, &uri, version, &fields(pairs)).err()?;
    Some(refusal.code)
}

/// A POST to `/a` with these fields beside Host.
fn with(pairs: &[(&str, &str)]) -> Option<Code> {
    let mut all = vec![("host", "example.com")];
    all.extend(pairs);
    checked("POST", "/a", Version::HTTP_11, &all)
}

fn target(method: &str, target: &str) -> Option<Code> {
    checked(method, target, Version::HTTP_11, &[("host", "example.com")])
}

fn host(value: &str) -> Option<Code> {
    checked("GET", "/a", Version::HTTP_11, &[("host", value)])
}

#[test]
fn one_length_or_chunked_is_taken() {
    assert_eq!(with(&[]), None);
    assert_eq!(with(&[("content-length", "0")]), None);
    assert_eq!(with(&[("content-length", "003")]), None);
    assert_eq!(with(&[("transfer-encoding", "Chunked")]), None);
}

#[test]
fn a_length_in_two_readings_is_refused() {
    for pairs in [
        &[("content-length", "3"), ("transfer-encoding", "chunked")][..],
        &[("content-length", "3"), ("content-length", "3")],
        &[("content-length", "3, 3")],
        &[("content-length", "+3")],
        &[("content-length", "0x3")],
        &[("content-length", "")],
        &[
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "chunked"),
        ],
        &[("transfer-encoding", "gzip, chunked")],
        &[("transfer-encoding", "chunked, identity")],
        &[("transfer-encoding", "xchunked")],
        &[("transfer-encoding", "")],
    ] {
        assert_eq!(with(pairs), Some(Code::HttpFramingAmbiguous), "{pairs:?}");
    }
}

#[test]
fn http_1_0_has_no_chunks_and_may_lack_a_host() {
    let old = |pairs: &[(&str, &str)]| checked("POST", "/a", Version::HTTP_10, pairs);
    assert_eq!(old(&[]), None);
    assert_eq!(
        old(&[("transfer-encoding", "chunked")]),
        Some(Code::HttpFramingAmbiguous)
    );
}

#[test]
fn another_version_is_refused() {
    for version in [Version::HTTP_09, Version::HTTP_2, Version::HTTP_3] {
        let refused = checked("GET", "/a", version, &[("host", "a")]);
        assert_eq!(refused, Some(Code::HttpMalformed), "{version:?}");
    }
}

#[test]
fn exactly_one_host_is_asked_for() {
    assert_eq!(
        checked("GET", "/a", Version::HTTP_11, &[]),
        Some(Code::HttpMalformed)
    );
    let two = [("host", "a"), ("host", "a")];
    assert_eq!(
        checked("GET", "/a", Version::HTTP_11, &two),
        Some(Code::HttpMalformed)
    );
}

#[test]
fn a_host_is_a_name_or_an_address_and_a_port() {
    for value in [
        "a",
        "a:1",
        "a:",
        "0.0.0.0=5000",
        "[::1]",
        "[::1]:80",
        "A-b.c_d",
    ] {
        assert_eq!(host(value), None, "{value:?}");
    }
    for value in [
        "", ":80", "a b", "a,b", "a/b", "a@b", "a:80:80", "a:8o", "a%2e", "[::1", "::1]", "[]",
        "[::1]x", "[x]", "[::1]:x", "a?b", "a#b", "a\\b", "a\tb",
    ] {
        assert_eq!(host(value), Some(Code::HttpMalformed), "{value:?}");
    }
}

#[test]
fn a_target_is_a_path_with_valid_escapes() {
    for uri in [
        "/",
        "//a",
        "/a//b?c=%41",
        "/?",
        "/a?b?c",
        "/a?b=|",
        "/a\"b\"",
        "/%0d%0a",
    ] {
        assert_eq!(target("GET", uri), None, "{uri:?}");
    }
    for uri in [
        "*",
        "example.com:80",
        "/%",
        "/%4",
        "/%zz",
        "/a?b=%",
        "/é",
        "/a?é",
        "/\u{7f}",
    ] {
        let Ok(parsed) = Uri::try_from(uri) else {
            continue;
        };
        let headers = fields(&[("host", "example.com")]);
        let refused = check(&Method::GET, &parsed, Version::HTTP_11, &headers);
        assert_eq!(
            refused.unwrap_err().code,
            Code::HttpTargetInvalid,
            "{uri:?}"
        );
    }
    for uri in ["example.com:80", "/a"] {
        assert_eq!(target("CONNECT", uri), Some(Code::HttpTargetInvalid));
    }
}

#[test]
fn an_absolute_target_must_name_the_host() {
    assert_eq!(target("GET", "http://example.com/a"), None);
    assert_eq!(target("GET", "https://EXAMPLE.com/a"), None);
    for uri in [
        "http://other.com/a",
        "http://example.com:81/a",
        "http://u@example.com/a",
    ] {
        assert_eq!(target("GET", uri), Some(Code::HttpMalformed), "{uri:?}");
    }
    assert_eq!(
        target("GET", "ftp://example.com/a"),
        Some(Code::HttpTargetInvalid)
    );
}

#[test]
fn names_that_cgi_reads_otherwise_are_refused() {
    for name in ["transfer_encoding", "content_length", "x_a"] {
        assert_eq!(with(&[(name, "1")]), Some(Code::HttpMalformed), "{name:?}");
    }
}

#[test]
fn only_100_continue_may_be_expected() {
    assert_eq!(with(&[("expect", "100-Continue")]), None);
    assert_eq!(with(&[("expect", "200-ok")]), Some(Code::HttpMalformed));
    let twice = [("expect", "100-continue"), ("expect", "100-continue")];
    assert_eq!(with(&twice), Some(Code::HttpMalformed));
}

#[test]
fn a_second_value_is_refused_with_the_callers_code() {
    let name = HeaderName::from_static("x-mbx-apikey");
    let read = |pairs: &[(&str, &str)]| {
        let headers = fields(pairs);
        let value = single(&headers, &name, Code::FormDuplicate).map_err(|refusal| refusal.code)?;
        Ok(value.map(|value| value.to_str().unwrap().to_owned()))
    };
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[("x-mbx-apikey", "k")]), Ok(Some("k".to_owned())));
    assert_eq!(
        read(&[("x-mbx-apikey", "k"), ("x-mbx-apikey", "k")]),
        Err(Code::FormDuplicate)
    );
}

#[test]
fn nothing_that_frames_or_authorizes_is_forwarded() {
    for name in [
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-http-method-override",
        "x-mbx-apikey",
        "x-original-url",
        "x-ringfence-attestation",
    ] {
        assert!(!FORWARDED.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn connection_nominates_names_in_any_case_and_spacing() {
    let headers = fields(&[("connection", "close , X-A"), ("connection", "user-agent")]);
    let is = |name| nominated(&headers, &HeaderName::from_static(name));
    assert_eq!(
        [is("x-a"), is("user-agent"), is("x"), is("accept")],
        [true, true, false, false]
    );
}

fn stripped(pairs: &[(&str, &str)]) -> Vec<String> {
    let mut headers = fields(pairs);
    strip_response(&mut headers);
    headers.keys().map(ToString::to_string).collect()
}

#[test]
fn a_response_loses_its_hop_and_what_only_we_may_say() {
    let hop = [
        ("connection", "close, X-Hop"),
        ("keep-alive", "1"),
        ("proxy-authenticate", "x"),
        ("proxy-connection", "x"),
        ("te", "x"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "x"),
        ("x-hop", "x"),
        ("x-ringfence-message", "x"),
        ("x-ringfence-other", "x"),
    ];
    assert_eq!(stripped(&hop), Vec::<String>::new());
    let kept = [("content-type", "a"), ("x-mbx-used-weight-1m", "1")];
    assert_eq!(stripped(&kept), ["content-type", "x-mbx-used-weight-1m"]);
}

#[test]
fn a_response_keeps_its_length_unless_chunks_override_it() {
    let length = ("content-length", "3");
    assert_eq!(
        stripped(&[length, ("connection", "content-length")]),
        ["content-length"]
    );
    assert_eq!(
        stripped(&[length, ("transfer-encoding", "chunked")]),
        Vec::<String>::new()
    );
}

proptest! {
    /// Whatever passes has one Host, at most one length, and a target of visible ASCII.
    #[test]
    fn what_passes_can_be_read_in_one_way_only(
        target in "/[ -~é\u{7f}]{0,12}",
        pairs in prop::collection::vec(("(host|content-length|transfer-encoding|expect|upgrade|x[_-]a)", "[ -~]{0,8}|chunked|[0-9]{1,3}"), 0..5),
    ) {
        let Ok(uri) = Uri::try_from(target) else { return Ok(()) };
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let headers = fields(&pairs);
        if check(&Method::POST, &uri, Version::HTTP_11, &headers).is_ok() {
            let count = |name| headers.get_all(name).iter().count();
            prop_assert_eq!(count("host"), 1);
            prop_assert!(count("content-length") + count("transfer-encoding") <= 1);
            prop_assert!(uri.to_string().bytes().all(|b| b.is_ascii_graphic()));
        }
    }
}
