//! What an answer says of our key and of the venue's limits is read as its dialect says, and nothing else is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use http::HeaderMap;
use ringfence_core::budget::Counts;
use serde_json::json;

use super::super::tests::fixture::written;
use super::super::{Dialect, Stop, Verdict, http_date_us};

const NOW_US: u64 = 1_700_000_000_000_000;

fn dialect() -> Dialect {
    let mut written = written();
    written["venue_errors"] = json!({
        "code": ["code", "error.0"], "key_refused": [-1022, "EAPI:Invalid key"], "limited": ["10006"],
        "orders_limited": [-1015], "wait_ms": 7000, "stops": {"429": 60000, "418": 120000},
        "reset": {"header": "X-Reset", "unit": "ms"},
    });
    written["usage_headers"]["remaining"] =
        json!([{"counts": "orders", "window_ms": 1000, "limit": "X-Limit", "remaining": "X-Left"}]);
    Dialect::from_json(&written).unwrap()
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

fn verdict(status: u16, fields: &[(&'static str, &str)], body: &str) -> Verdict {
    dialect().verdict(status, &headers(fields), body.as_bytes(), NOW_US)
}

#[test]
fn a_good_answer_says_nothing() {
    for body in [
        "{}",
        r#"{"code":0}"#,
        r#"[1,2]"#,
        "not json",
        "",
        r#"{"code":"-10221"}"#,
    ] {
        assert_eq!(verdict(200, &[], body), Verdict::default(), "{body}");
    }
    // An order that the venue does not want is no matter of the key.
    assert_eq!(verdict(400, &[], r#"{"code":-2010}"#), Verdict::default());
}

#[test]
fn a_refused_key_is_told_by_its_code_wherever_it_stands() {
    for (status, body, code) in [
        (400, r#"{"code":-1022,"msg":"x"}"#, "-1022"),
        (200, r#"{"code":"-1022"}"#, "-1022"),
        (200, r#"{"error":["EAPI:Invalid key"]}"#, "EAPI:Invalid key"),
        (401, r#"{"code":-9}"#, "-9"),
        (401, "", "401"),
    ] {
        let verdict = verdict(status, &[], body);
        assert_eq!(verdict.key_refused.as_deref(), Some(code), "{body}");
        assert_eq!(verdict.stop, None);
    }
}

#[test]
fn a_wait_is_as_long_as_the_venue_says_and_for_whom_it_says() {
    let stop = |status, fields: &[_], body| verdict(status, fields, body).stop;
    let limited = r#"{"code":10006}"#;
    assert_eq!(stop(200, &[], limited), Some((Stop::Key, 7000)));
    let reset = ("x-reset", "1700000000400");
    assert_eq!(stop(200, &[reset], limited), Some((Stop::Key, 401)));
    let orders = r#"{"code":-1015}"#;
    assert_eq!(stop(429, &[], orders), Some((Stop::Orders, 7000)));
    assert_eq!(stop(429, &[], "{}"), Some((Stop::All, 60_000)));
    assert_eq!(stop(418, &[], "banned"), Some((Stop::All, 120_000)));
    let after = ("retry-after", "30");
    assert_eq!(stop(418, &[after], ""), Some((Stop::All, 30_000)));
    let date = ("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT");
    assert_eq!(stop(429, &[date], ""), Some((Stop::All, 10_001)));
    // Nobody shuts us out for good by a number.
    let ever = ("retry-after", "99999999999999999");
    assert_eq!(stop(429, &[ever], ""), Some((Stop::All, 259_200_000)));
    let never = ("retry-after", "0");
    assert_eq!(stop(429, &[never], ""), Some((Stop::All, 1)));
    let nonsense = ("retry-after", "-5");
    assert_eq!(stop(429, &[nonsense], ""), Some((Stop::All, 60_000)));
    assert_eq!(stop(503, &[after], ""), None);
}

#[test]
fn usage_is_read_from_what_is_used_or_from_what_is_left() {
    let told =
        |counts, window_ms, fields: &[_]| dialect().told(counts, window_ms, &headers(fields));
    let minute = [("x-weight-1m", "321")];
    assert_eq!(told(Counts::Weight, 60_000, &minute), Some(321));
    assert_eq!(told(Counts::Weight, 10_000, &minute), None);
    assert_eq!(told(Counts::Orders, 60_000, &minute), None);
    let left = [("x-limit", "20"), ("x-left", "3")];
    assert_eq!(told(Counts::Orders, 1_000, &left), Some(17));
    let odd = [("x-limit", "20"), ("x-left", "-3")];
    assert_eq!(told(Counts::Orders, 1_000, &odd), None);
    assert_eq!(
        told(Counts::Weight, 60_000, &[("x-weight-1m", "many")]),
        None
    );
}

#[test]
fn what_is_left_is_told_in_the_venue_s_own_fields() {
    let reset = |unit: &str, countdown: bool| {
        let mut written = written();
        written["usage_headers"]["remaining"] = json!([{"counts": "orders", "window_ms": 1000,
            "limit": "X-Limit", "remaining": "X-Left"}]);
        written["venue_errors"]["reset"] =
            json!({"header": "X-Reset", "unit": unit, "countdown": countdown});
        let dialect = Dialect::from_json(&written).unwrap();
        assert!(dialect.left_fields(Counts::Orders, 2000).is_none());
        assert!(dialect.left_fields(Counts::Weight, 1000).is_none());
        let fields = dialect.left_fields(Counts::Orders, 1000).unwrap();
        assert_eq!(
            (fields.limit.as_str(), fields.left.as_str()),
            ("x-limit", "x-left")
        );
        fields
            .reset(1_500, 60_000)
            .map(|(name, at)| (name.to_string(), at))
    };
    assert_eq!(reset("ms", false), Some(("x-reset".into(), 61_500)));
    assert_eq!(reset("ms", true), Some(("x-reset".into(), 1_500)));
    assert_eq!(reset("s", false), Some(("x-reset".into(), 62)));
    assert_eq!(reset("iso8601", false), None);
}

#[test]
fn a_date_is_read_as_http_writes_it() {
    assert_eq!(http_date_us("Tue, 14 Nov 2023 22:13:20 GMT"), Some(NOW_US));
    assert_eq!(
        http_date_us("Sun, 06 Nov 1994 08:49:37 GMT"),
        Some(784_111_777_000_000)
    );
    for odd in [
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 anF 1994 08:49:37 GMT",
        "Sun, 31 Feb 2023 08:49:37 GMT",
        "",
    ] {
        assert_eq!(http_date_us(odd), None, "{odd}");
    }
}
