//! A token of the gateway's own is made for who signs for it, and for nobody else.

use std::fmt::Write as _;
use std::time::Duration;

use crate::common::venue::Venue;
use crate::common::{Bench, dialect, signed};
use ringfence_core::credential::State;
use serde_json::{Value, json};

/// A gate that hands out tokens, the last one `lasts` seconds after it was signed for.
fn bench(venue: &Venue, lasts: u64) -> Bench {
    Bench::start(venue.address, |snapshot| {
        let mut dialect = dialect();
        let signing = json!({
            "key": "id", "signature": "sig", "payload": [{"parameter": "time"}],
            "encodings": {"hmac": "hex", "ed25519": "base64", "rsa": "base64"},
            "time": {"parameter": "time", "window_default_ms": 5000, "window_max_ms": 5000, "ahead_ms": 1000},
        });
        let route = json!({
            "method": "GET", "path": "/token", "operation": "session.logon",
            "mints": {
                "signing": signing, "only": {"grant": "sign"}, "seconds": 900,
                "refresh": {"only": {"grant": "more"}, "token": "more", "seconds": lasts},
                "answer": "{\"token\":\"{token}\",\"more\":\"{refresh}\"}",
            },
            "parameters": ["grant", "more", "id", "sig", "time", "timestamp", "recvWindow", "signature"],
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
    format!("GET /token?grant={query} HTTP/1.1\r\nHost: gw\r\n{field}\r\n").into_bytes()
}

/// Signs for a token, and returns what was handed out.
fn minted(bench: &Bench) -> Value {
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
        &format!("sign&id={}&time={time}&sig={sig}", bench.key.id),
        "",
    ));
    assert_eq!(answer.status, 200, "{}", answer.code());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Has another one made, and returns what was handed out, or the code of the refusal.
fn renewed(bench: &Bench, token: &Value) -> Result<Value, String> {
    let token = token.as_str().unwrap();
    let answer = bench.ask(&asked(&format!("more&more={token}"), ""));
    match answer.status {
        200 => Ok(serde_json::from_slice(&answer.body).unwrap()),
        _ => Err(answer.code()),
    }
}

#[test]
fn a_token_has_no_other_made_that_would_outlive_it() {
    let venue = Venue::fine();
    let bench = bench(&venue, 86_400);
    let body = minted(&bench);
    let token = body["token"].as_str().unwrap();
    let refused = bench.ask(&asked("sign", token));
    assert_eq!(refused.code(), "signature_missing");
    assert!(venue.heard().is_empty());
}

#[test]
fn a_refresh_token_has_one_more_made_and_is_good_for_nothing_else() {
    let venue = Venue::fine();
    let bench = bench(&venue, 86_400);
    let first = minted(&bench);
    let second = renewed(&bench, &first["more"]).unwrap();
    assert_ne!(first["token"], second["token"]);
    // It is used up.
    let unknown = Err("credential_unknown".to_owned());
    assert_eq!(renewed(&bench, &first["more"]), unknown);
    // What acts is no refresh, and a refresh does not act.
    assert_eq!(renewed(&bench, &second["token"]), unknown);
    let refresh = second["more"].as_str().unwrap();
    assert_eq!(
        bench.ask(&asked("sign", refresh)).code(),
        "credential_missing"
    );
    let both = bench.ask(&asked(
        &format!("more&more={refresh}"),
        second["token"].as_str().unwrap(),
    ));
    assert_eq!(both.code(), "signature_twofold");
    let signed_too = bench.ask(&asked(
        &format!("more&more={refresh}&id=trader&time=1&sig=00"),
        "",
    ));
    assert_ne!(signed_too.status, 200);
    // None of these used it up.
    assert!(renewed(&bench, &second["more"]).is_ok());
    assert!(venue.heard().is_empty());
}

#[test]
fn a_chain_of_refreshes_ends_when_its_signature_is_too_old() {
    let venue = Venue::fine();
    let bench = bench(&venue, 1);
    let first = minted(&bench);
    let second = renewed(&bench, &first["more"]).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    let ended = Err("credential_session_ended".to_owned());
    assert_eq!(renewed(&bench, &second["more"]), ended);
    // Nor does what was had by it last longer.
    let late = bench.ask(&asked("sign", second["token"].as_str().unwrap()));
    assert_ne!(late.status, 200);
}

#[test]
fn a_revoked_key_s_refresh_token_is_good_for_nothing() {
    let venue = Venue::fine();
    let bench = bench(&venue, 86_400);
    let first = minted(&bench);
    let state = |state| {
        let set = bench.gate.set_credential_state("trader", state, &[]);
        assert!(set.is_ok());
    };
    state(State::Suspended);
    assert_eq!(
        renewed(&bench, &first["more"]),
        Err("credential_suspended".into())
    );
    state(State::Active);
    let second = renewed(&bench, &first["more"]).unwrap();
    state(State::Deactivated);
    assert_eq!(
        renewed(&bench, &second["more"]),
        Err("credential_revoked".into())
    );
}
