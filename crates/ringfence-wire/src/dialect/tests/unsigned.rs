//! A message that is signed anew carries nothing of whoever signed it before, and everything else in its order.

use serde_json::json;

use super::super::{Dialect, Outgoing};
use super::fixture::{dialect, written};
use ringfence_core::refusal::Code;

fn unsigned(dialect: &Dialect, target: &str, body: &str) -> Result<(String, String), Code> {
    let outgoing = Outgoing {
        target: target.to_owned(),
        body: body.into(),
        content_type: None,
    };
    let made = dialect.unsigned(outgoing).map_err(|refusal| refusal.code)?;
    assert_eq!(made.path, "/order");
    Ok((made.query, made.body))
}

#[test]
fn time_and_window_go_and_the_rest_keeps_its_order() {
    for (target, body, query, kept) in [
        (
            "/order?a=1&timestamp=5&b=2&recvWindow=9&c=3",
            "",
            "a=1&b=2&c=3",
            "",
        ),
        (
            "/order?timestamp=5",
            "b=2&recvWindow=9&a=%2F",
            "",
            "b=2&a=%2F",
        ),
        ("/order", "timestamp=5", "", ""),
        (
            "/order?timestampx=1&xtimestamp=2",
            "",
            "timestampx=1&xtimestamp=2",
            "",
        ),
    ] {
        let made = unsigned(&dialect(), target, body);
        assert_eq!(made, Ok((query.to_owned(), kept.to_owned())));
    }
}

#[test]
fn key_nonce_passphrase_and_constants_go_too() {
    let mut written = written();
    written["signing"] = json!({
        "key": {"query": "AccessKeyId"}, "signature": {"query": "Signature"}, "payload": ["query", "body"],
        "encodings": {"hmac": "hex", "ed25519": "base64", "rsa": "base64"},
        "nonce": {"body": "nonce"}, "passphrase": {"place": {"query": "phrase"}},
        "constants": [{"place": {"query": "SignatureVersion"}, "value": "2"}],
        "time": {"parameter": {"query": "Timestamp"}, "window_default_ms": 1, "window_max_ms": 1, "ahead_ms": 1},
    });
    for route in ["POST", "DELETE"].iter().zip([0, 1]) {
        written["routes"][route.1]["parameters"] = json!([
            "AccessKeyId",
            "Signature",
            "nonce",
            "SignatureVersion",
            "Timestamp",
            "a"
        ]);
    }
    let dialect = Dialect::from_json(&written).unwrap();
    let target = "/order?AccessKeyId=bot&SignatureVersion=3&a=1&Timestamp=5&phrase=secret";
    let made = unsigned(&dialect, target, "nonce=7&b=2");
    assert_eq!(made, Ok(("a=1".to_owned(), "b=2".to_owned())));
}

#[test]
fn a_window_that_is_a_header_field_is_written_anew() {
    assert_eq!(dialect().window_field(), None);
    let mut written = written();
    written["signing"]["time"]["window_parameter"] = json!({"header": "X-Window"});
    let dialect = Dialect::from_json(&written).unwrap();
    let (name, window) = dialect.window_field().unwrap();
    assert_eq!(
        (name.as_str(), window.as_bytes()),
        ("x-window", &b"5000"[..])
    );
}

#[test]
fn what_cannot_be_taken_out_is_refused() {
    let refused = unsigned(&dialect(), "/order", r#"{"a":1,"timestamp":5}"#);
    assert_eq!(refused, Err(Code::FormParameterUnknown));
    let kept = unsigned(&dialect(), "/order", r#"{"b":2,"a":{"timestamp":5}}"#);
    assert_eq!(kept.unwrap().1, r#"{"b":2,"a":{"timestamp":5}}"#);
}
