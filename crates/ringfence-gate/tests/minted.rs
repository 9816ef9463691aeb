//! A token of the gateway's own is made for who signs for it, and for nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fmt::Write as _;

use common::venue::Venue;
use common::{Bench, dialect, signed};
use serde_json::{Value, json};

/// A gate that hands out tokens.
fn bench(venue: &Venue) -> Bench {
    Bench::start(venue.address, |snapshot| {
        let mut dialect = dialect();
        let signing = json!({
            "key": "id", "signature": "sig", "payload": [{"parameter": "time"}],
            "encodings": {"hmac": "hex", "ed25519": "base64", "rsa": "base64"},
            "time": {"parameter": "time", "window_default_ms": 5000, "window_max_ms": 5000, "ahead_ms": 1000},
        });
        let route = json!({
            "method": "GET", "path": "/token", "operation": "session.logon",
            "mints": {"signing": signing, "only": {"grant": "sign"}, "seconds": 900, "answer": "{\"token\":\"{token}\"}"},
            "parameters": ["grant", "id", "sig", "time", "timestamp", "recvWindow", "signature"],
        });
        dialect["routes"].as_array_mut().unwrap().push(route);
        snapshot["dialects"]["test"] = dialect;
    })
}

/// Asks for a token with the signed time, or by another token.
fn asked(query: &str, bearer: &str) -> Vec<u8> {
    let field = match bearer {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    format!("GET /token?grant=sign{query} HTTP/1.1\r\nHost: gw\r\n{field}\r\n").into_bytes()
}

#[test]
fn a_token_has_no_other_made_that_would_outlive_it() {
    let venue = Venue::fine();
    let bench = bench(&venue);
    // The form that the helper signs is `timestamp=…`, of which this route signs the value alone.
    let text = signed(&bench.key, "");
    let time = text.split(['=', '&']).nth(1).unwrap();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &bench.key.secret);
    let mac = aws_lc_rs::hmac::sign(&secret, time.as_bytes());
    let sig = mac.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let answer = bench.ask(&asked(
        &format!("&id={}&time={time}&sig={sig}", bench.key.id),
        "",
    ));
    assert_eq!(answer.status, 200, "{}", answer.code());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let refused = bench.ask(&asked("", body["token"].as_str().unwrap()));
    assert_eq!(refused.code(), "signature_missing");
    assert!(venue.heard().is_empty());
}
