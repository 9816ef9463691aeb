//! A head that passes has one host, one length and a target of visible ASCII.
#![no_main]

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri, Version};
use libfuzzer_sys::fuzz_target;
use ringfence_wire::http::{check, strip_response};

// The input: a target, then names and values in turn, between newlines.
fuzz_target!(|input: (bool, &[u8])| {
    let (new, rest) = input;
    let mut lines = rest.split(|byte| *byte == b'\n');
    let Ok(uri) = Uri::try_from(lines.next().unwrap_or_default()) else {
        return;
    };
    let mut headers = HeaderMap::new();
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let version = if new {
        Version::HTTP_11
    } else {
        Version::HTTP_10
    };
    if check(&Method::POST, &uri, version, &headers).is_ok() {
        let count = |name| headers.get_all(name).iter().count();
        assert!(count("host") == 1 || (!new && count("host") == 0));
        assert!(count("content-length") + count("transfer-encoding") <= 1);
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        assert!(target.starts_with('/') && target.bytes().all(|b| b.is_ascii_graphic()));
    }
    strip_response(&mut headers);
    assert!(!headers.contains_key("connection") && !headers.contains_key("transfer-encoding"));
});
