//! A native signature opens every signed route, to the message that it covers and to no other.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::common::talk::{Heard, Talk, code, order, plain, with_channel};
use crate::common::venue::Venue;
use crate::common::{Bench, post, signed};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::credential::State;
use ringfence_gate::CredentialRecord;
use serde_json::{Value, json};

const BODY: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000.00&quantity=0.001";

/// A message with its native signature, in parts.
#[derive(Clone)]
struct Message {
    method: &'static str,
    target: &'static str,
    host: &'static str,
    body: String,
    fields: String,
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs()
}

fn signed_by(
    pair: &Ed25519KeyPair,
    key_id: &str,
    message: Message,
    nonce: &str,
    age: u64,
) -> Message {
    let Message {
        method,
        target,
        host,
        body,
        ..
    } = &message;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (covered, line, field) = if body.is_empty() {
        (String::new(), String::new(), String::new())
    } else {
        let hash = STANDARD.encode(digest(&SHA256, body.as_bytes()));
        (
            " \"content-digest\"".to_owned(),
            format!("\"content-digest\": sha-256=:{hash}:\n"),
            format!("Content-Digest: sha-256=:{hash}:\r\n"),
        )
    };
    let created = now() - age;
    let parameters = format!(
        "(\"@method\" \"@authority\" \"@path\" \"@query\"{covered});created={created};\
         expires={};nonce=\"{nonce}\";keyid=\"{key_id}\"",
        created + 5
    );
    let base = format!(
        "\"@method\": {method}\n\"@authority\": {host}\n\"@path\": {path}\n\"@query\": ?{query}\n\
         {line}\"@signature-params\": {parameters}"
    );
    let signature = STANDARD.encode(pair.sign(base.as_bytes()));
    let fields =
        format!("{field}Signature-Input: s={parameters}\r\nSignature: s=:{signature}:\r\n");
    Message { fields, ..message }
}

impl Message {
    fn order() -> Self {
        Self {
            method: "POST",
            target: "/order",
            host: "gw",
            body: BODY.to_owned(),
            fields: String::new(),
        }
    }

    fn read(target: &'static str) -> Self {
        Self {
            method: "GET",
            target,
            body: String::new(),
            ..Self::order()
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let Self {
            method,
            target,
            host,
            body,
            fields,
        } = self;
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{length}{fields}\r\n{body}")
            .into_bytes()
    }
}

/// A gate that knows `pair` as the key `native`, which may demand that it is used natively.
fn bench(venue: &Venue, pair: &Ed25519KeyPair, demands: Value) -> Bench {
    bench_named(venue, pair, demands, &["gw"])
}

/// The same gate, by these names.
fn bench_named(venue: &Venue, pair: &Ed25519KeyPair, demands: Value, names: &[&str]) -> Bench {
    bench_where(venue, pair, demands, names, |_| {})
}

/// The same gate, with changes.
fn bench_where(
    venue: &Venue,
    pair: &Ed25519KeyPair,
    demands: Value,
    names: &[&str],
    change: impl FnOnce(&mut Value),
) -> Bench {
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["dialects"]["test"] = with_channel();
        snapshot["listeners"][0]["authorities"] = json!(names);
        change(snapshot);
    });
    let record = json!([{"key_id": "native", "account": "alice", "algorithm": "ed25519",
        "material": STANDARD.encode(pair.public_key().as_ref()), "scopes": ["read", "trade", "withdraw"],
        "allow": ["127.0.0.0/8"], "expires_us": null, "state": "active", "demands": demands}]);
    let records = CredentialRecord::parse_all(&serde_json::to_vec(&record).unwrap()).unwrap();
    bench.gate.put_credentials(records).unwrap();
    bench
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::generate().unwrap()
}

#[test]
fn an_order_signed_natively_reaches_the_venue_once_and_without_its_signature() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench(&venue, &pair, Value::Null);
    let message = signed_by(&pair, "native", Message::order(), "n1", 0);
    assert_eq!(bench.ask(&message.bytes()).status, 200);
    let heard = venue.heard().concat().to_lowercase();
    assert!(heard.contains("symbol=btcusdt&side=buy"), "{heard}");
    for gone in [
        "\r\nsignature:",
        "signature-input",
        "content-digest",
        "native",
    ] {
        assert!(!heard.contains(gone), "{gone} in {heard}");
    }
    assert_eq!(bench.ask(&message.bytes()).code(), "replay_seen");
    let entries = bench.entries("decision", 2);
    let said = |name: &str| entries[0][name].clone();
    assert_eq!(
        (said("credential"), said("proof")),
        (json!("native"), json!("native"))
    );
    assert_eq!(said("order")["symbol"], "BTCUSDT");
}

#[test]
fn a_venues_signature_leaves_no_word_of_another_proof() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    assert_eq!(bench.ask(&crate::common::order(&bench.key)).status, 200);
    let entries = bench.entries("decision", 1);
    assert_eq!(entries[0]["proof"], Value::Null);
}

/// What is refused here is refused by the signature: the replay memory has seen none of it.
#[test]
fn what_was_signed_for_one_message_is_good_for_no_other() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench(&venue, &pair, Value::Null);
    let read = signed_by(&pair, "native", Message::read("/account"), "n1", 0);
    let order = signed_by(&pair, "native", Message::order(), "n2", 0);
    let moved = [
        // another method and path: the read's own signature on an order without a body
        Message {
            method: "POST",
            target: "/order?symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000.00&quantity=0.001",
            ..read.clone()
        },
        Message {
            target: "/account?symbol=BTCUSDT",
            ..read.clone()
        },
    ];
    for message in moved {
        assert_eq!(bench.ask(&message.bytes()).code(), "signature_invalid");
    }
    let other = Message {
        body: BODY.replace("50000", "90000"),
        ..order.clone()
    };
    assert_eq!(bench.ask(&other.bytes()).code(), "signature_body");
    assert!(venue.heard().is_empty());
    assert_eq!(bench.ask(&order.bytes()).status, 200);
}

/// The attack: another gateway holds the same key, and is sent what was signed for this one, or the other way.
#[test]
fn what_was_signed_for_another_gateway_is_refused_unless_its_name_is_ours_too() {
    let (venue, pair) = (Venue::fine(), pair());
    let own = bench(&venue, &pair, Value::Null);
    let order = Message {
        host: "other:8443",
        ..Message::order()
    };
    let foreign = signed_by(&pair, "native", order, "n1", 0);
    assert_eq!(own.ask(&foreign.bytes()).code(), "signature_authority");
    // Its own name in the field instead is not what was signed.
    let renamed = Message {
        host: "gw",
        ..foreign.clone()
    };
    assert_eq!(own.ask(&renamed.bytes()).code(), "signature_invalid");
    let handshake = Message {
        host: "other:8443",
        ..Message::read("/channel")
    };
    let handshake = signed_by(&pair, "native", handshake, "n2", 0);
    let opening = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let fields = handshake.fields.clone() + opening;
    let opening = Message {
        fields,
        ..handshake
    };
    assert_eq!(own.ask(&opening.bytes()).code(), "signature_authority");
    assert!(venue.heard().is_empty());
    // Without the control, all of it is good: here the other's name is one of ours.
    let both = bench_named(&venue, &pair, Value::Null, &["gw", "other:8443"]);
    assert_eq!(both.ask(&foreign.bytes()).status, 200);
}

#[test]
fn where_no_name_is_known_no_native_signature_is_taken() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench_named(&venue, &pair, Value::Null, &[]);
    let message = signed_by(&pair, "native", Message::order(), "n1", 0);
    assert_eq!(bench.ask(&message.bytes()).code(), "signature_authority");
    // A venue's own signature names nobody.
    assert_eq!(bench.ask(&crate::common::order(&bench.key)).status, 200);
}

#[test]
fn its_window_is_its_own() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench(&venue, &pair, Value::Null);
    let late = signed_by(&pair, "native", Message::read("/account"), "n1", 7);
    assert_eq!(bench.ask(&late.bytes()).code(), "time_stale");
    let long = signed_by(&pair, "native", Message::read("/account"), "n2", 0);
    let fields = long.fields.replace("expires=", "expires=1");
    let long = Message { fields, ..long };
    assert_eq!(bench.ask(&long.bytes()).code(), "signature_invalid");
}

#[test]
fn a_key_that_is_no_ed25519_key_signs_nothing_natively() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench(&venue, &pair, Value::Null);
    let message = signed_by(&pair, &bench.key.id, Message::order(), "n1", 0);
    assert_eq!(bench.ask(&message.bytes()).code(), "signature_algorithm");
}

#[test]
fn a_key_can_demand_to_be_used_natively() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench(&venue, &pair, json!({"coverage": "whole"}));
    let form = signed(&bench.key, BODY);
    let unsigned = form.split("&signature=").next().unwrap();
    let signature = STANDARD.encode(pair.sign(unsigned.as_bytes()));
    let escaped = signature
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let key = crate::common::Key {
        id: "native".into(),
        secret: Vec::new(),
    };
    let venues = post(&key, &format!("{unsigned}&signature={escaped}"));
    assert_eq!(bench.ask(&venues).code(), "credential_native");
    assert!(venue.heard().is_empty());
    let message = signed_by(&pair, "native", Message::order(), "n1", 0);
    assert_eq!(bench.ask(&message.bytes()).status, 200);
}

/// A channel whose handshake is signed.
fn talk(bench: &Bench, pair: &Ed25519KeyPair, nonce: &str) -> Result<Talk, String> {
    let message = signed_by(pair, "native", Message::read("/channel"), nonce, 0);
    Talk::open_with(bench, &message.fields)
}

#[test]
fn a_signed_handshake_is_a_logon_for_all_that_follows_it() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench(&venue, &pair, json!({"coverage": "whole"}));
    let mut talk = talk(&bench, &pair, "n1").unwrap();
    let answer = talk.ask(&plain(7, "order.place", order()));
    assert_eq!(code(&answer), "none", "{answer}");
    venue.until_heard(1);
    let entries = bench.entries("decision", 2);
    let said = |at: usize, name: &str| entries[at][name].as_str().unwrap().to_owned();
    assert_eq!(
        (said(0, "operation"), said(0, "proof")),
        ("session.logon".into(), "native".into())
    );
    assert_eq!(
        (said(1, "operation"), said(1, "proof")),
        ("order.place".into(), "session".into())
    );
    assert_eq!(said(1, "credential"), "native");
    bench
        .gate
        .set_credential_state("native", State::Deactivated, &[])
        .unwrap();
    talk.say(&plain(8, "order.place", order()));
    assert!(matches!(talk.next(), Heard::Closed(..) | Heard::Text(_)));
    assert_eq!(venue.heard().len(), 1);
}

#[test]
fn a_handshake_is_spent_and_a_wrong_one_opens_nothing() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench(&venue, &pair, Value::Null);
    assert!(talk(&bench, &pair, "n1").is_ok());
    let message = signed_by(&pair, "native", Message::read("/channel"), "n2", 0);
    assert!(Talk::open_with(&bench, &message.fields).is_ok());
    let again = Talk::open_with(&bench, &message.fields).err().unwrap();
    assert!(again.contains("replay_seen"), "{again}");
    let other = signed_by(&pair, "native", Message::read("/account"), "n3", 0);
    let refused = Talk::open_with(&bench, &other.fields).err().unwrap();
    assert!(refused.contains("signature_invalid"), "{refused}");
}

#[test]
fn without_a_signed_handshake_a_channel_waits_for_a_logon() {
    let (venue, pair) = (Venue::fine(), pair());
    let bench = bench(&venue, &pair, Value::Null);
    let answer = Talk::open(&bench).ask(&plain(7, "order.place", order()));
    assert_eq!(code(&answer), "credential_missing");
    assert!(venue.heard().is_empty());
}

#[test]
fn who_signs_natively_is_told_that_a_step_up_would_help() {
    let (venue, pair) = (Venue::fine(), pair());
    let asked = |step_up_s| {
        let bench = bench_where(&venue, &pair, Value::Null, &["gw"], |snapshot| {
            let routes = snapshot["dialects"]["test"]["routes"]
                .as_array_mut()
                .unwrap();
            for route in routes.iter_mut().filter(|route| route["path"] == "/order") {
                route["operation"] = "withdraw.create".into();
            }
            snapshot["withdrawals"] = json!({"addresses": "open", "step_up_s": step_up_s});
        });
        bench.ask(&signed_by(&pair, "native", Message::order(), "n1", 0).bytes())
    };
    let refused = asked(Some(300));
    assert_eq!(refused.code(), "step_up_required");
    let challenge = r#"ringfence error="insufficient_user_authentication", acr_values="totp passkey", max_age=300"#;
    assert_eq!(refused.field("www-authenticate"), Some(challenge));
    let passed = asked(None);
    assert_eq!(
        (passed.status, passed.field("www-authenticate")),
        (200, None)
    );
}
