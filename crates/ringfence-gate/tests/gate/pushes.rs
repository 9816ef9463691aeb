//! What a venue pushes reaches who may hear it, for as long as they may, and nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::push::{Pusher, push, with_feed};
use crate::common::talk::{Heard, Talk, code, order, plain, signed};
use crate::common::{Bench, Key, SOON};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::credential::State;
use ringfence_gate::{CredentialRecord, VenueKeyRecord};
use ringfence_policy::set::PolicySet;
use serde_json::{Value, json};

fn bench(pusher: &Pusher, change: impl FnOnce(&mut Value)) -> Bench {
    Bench::start(pusher.venue.address, |snapshot| {
        snapshot["dialects"]["test"] = with_feed();
        change(snapshot);
    })
}

fn log_on(talk: &mut Talk, key: &Key) {
    let answer = talk.ask(&signed(key, 1, "session.logon", json!({})));
    assert_eq!(answer["result"]["key"], key.id);
}

/// A channel on which the trader has logged on and subscribed.
fn subscribed(bench: &Bench) -> Talk {
    let mut talk = Talk::open(bench);
    log_on(&mut talk, &bench.key);
    let answer = talk.ask(&plain(2, "subscribe", json!({"topics": ["orders.BTC"]})));
    assert_eq!(answer["answer"]["id"], 2);
    talk
}

/// Adds a credential of another account.
fn another(bench: &Bench) -> Key {
    let key = Key {
        id: "another".into(),
        secret: bench.key.secret.iter().rev().copied().collect(),
    };
    put(bench, &key, &["read", "trade"]);
    key
}

fn put(bench: &Bench, key: &Key, scopes: &[&str]) {
    let account = if key.id == "trader" { "alice" } else { "bob" };
    let record = json!([{"key_id": key.id, "account": account, "algorithm": "hmac-sha256",
        "material": STANDARD.encode(&key.secret), "scopes": scopes, "allow": ["127.0.0.0/8"],
        "expires_us": null, "state": "active"}]);
    let records = CredentialRecord::parse_all(&serde_json::to_vec(&record).unwrap()).unwrap();
    bench.gate.put_credentials(records).unwrap();
}

const SILENCED: &str = "the key of this session is not in force";

/// Of a bot whose own key is good: it is told to come back, and not that it was shut out.
fn venue_key_gone() -> Heard {
    Heard::Closed(1001, "the venue key was exchanged or removed".to_owned())
}

fn silenced() -> Heard {
    Heard::Closed(1008, SILENCED.to_owned())
}

#[test]
fn the_first_subscription_opens_a_leg_in_the_account_s_name_and_is_written_anew() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    let mut talk = Talk::open(&bench);
    log_on(&mut talk, &bench.key);
    assert_eq!(pusher.venue.connections(), 0);
    let params = json!({"topics": ["orders.BTC", "orders.ETH"], "depth": 5});
    talk.ask(&plain(2, "subscribe", params));
    talk.ask(&plain(3, "subscribe", json!({"topics": ["orders.XRP"]})));
    assert_eq!((pusher.legs(), pusher.venue.connections()), (1, 1));
    let wanted = |id: u32, params: Value| json!({"id": id, "method": "subscribe", "params": params, "v": "2"});
    assert_eq!(
        pusher.said(),
        [
            wanted(
                2,
                json!({"topics": ["orders.BTC", "orders.ETH"], "depth": 5})
            ),
            wanted(3, json!({"topics": ["orders.XRP"]})),
        ]
    );
    let opening = &pusher.venue.heard()[0];
    assert!(opening.starts_with("GET /leg HTTP/1.1\r\n"), "{opening}");
    let attestation = opening.split("x-ringfence-attestation: ").nth(1).unwrap();
    let claims = attestation.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims);
    let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    assert_eq!(
        (&claims["sub"], &claims["op"], &claims["htu"]),
        (&json!("alice"), &json!("account.read"), &json!("/leg"))
    );
    assert!(pusher.push(0, r#"{"order":7}"#));
    assert_eq!(talk.hear(), json!({"order": 7}));
    let decisions = bench.entries("decision", 4);
    let one = &decisions[2];
    assert_eq!(
        (&one["method"], &one["route"], &one["status"]),
        (&json!("subscribe"), &json!("GET /leg"), &json!(202))
    );
    assert_eq!(
        (&one["account"], &one["operation"]),
        (&json!("alice"), &json!("account.read"))
    );
    assert_eq!(decisions.len(), 4);
}

#[test]
fn what_is_not_listed_or_permitted_never_opens_a_leg() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    let mut talk = Talk::open(&bench);
    let ask = |talk: &mut Talk, method: &str, params: Value| {
        let answer = talk.ask(&plain(7, method, params));
        assert_eq!(answer["id"], 7);
        code(&answer).to_owned()
    };
    let own = json!({"topics": ["orders.BTC"]});
    assert_eq!(
        ask(&mut talk, "subscribe", own.clone()),
        "credential_missing"
    );
    log_on(&mut talk, &bench.key);
    for (topics, why) in [
        (json!(["orders.BTC", "wallet"]), "form_parameter_invalid"),
        (json!(["orders"]), "form_parameter_invalid"),
        (json!(["orders."]), "form_parameter_invalid"),
        (json!(["orders.a.b"]), "form_parameter_invalid"),
        (json!(["orders.*"]), "form_parameter_invalid"),
        (json!(["trades.BTC"]), "form_parameter_invalid"),
        (json!([7]), "form_parameter_invalid"),
        (json!([{"name": "orders.BTC"}]), "form_parameter_unknown"),
        (json!([["orders.BTC"]]), "form_parameter_unknown"),
        (json!([]), "form_parameter_missing"),
        (json!("orders.BTC"), "form_parameter_missing"),
    ] {
        let params = json!({ "topics": topics });
        assert_eq!(ask(&mut talk, "subscribe", params), why, "{topics}");
    }
    for (params, why) in [
        (
            json!({"topics": ["orders.BTC"], "account": "bob"}),
            "form_parameter_unknown",
        ),
        (
            json!({"topics": ["orders.BTC"], "depth": "5"}),
            "form_parameter_invalid",
        ),
    ] {
        assert_eq!(ask(&mut talk, "subscribe", params), why);
    }
    // What ends a subscription opens nothing.
    assert_eq!(
        ask(&mut talk, "unsubscribe", own.clone()),
        "form_parameter_invalid"
    );
    put(&bench, &bench.key, &["trade"]);
    assert_eq!(ask(&mut talk, "subscribe", own), "scope_missing");
    assert_eq!(pusher.venue.connections(), 0);
}

#[test]
fn nothing_that_is_pushed_after_a_revocation_has_returned_is_passed_on() {
    for round in 0..5 {
        let pusher = Pusher::echoing();
        let bench = bench(&pusher, |_| {});
        let mut talk = subscribed(&bench);
        let count = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&count);
        let mut leg = pusher.leg(0);
        let flow = std::thread::spawn(move || {
            // Counted before it is pushed.
            while push(
                &mut leg,
                &(counting.fetch_add(1, Ordering::SeqCst) + 1).to_string(),
            ) {}
        });
        while talk.hear().as_u64().unwrap() < 500 + round * 97 {}
        let gate = &bench.gate;
        match round % 4 {
            0 => drop(
                gate.set_credential_state("trader", State::Deactivated, &[])
                    .unwrap(),
            ),
            1 => drop(
                gate.set_credential_state("trader", State::Suspended, &[])
                    .unwrap(),
            ),
            2 => {
                gate.hold_accounts(&["alice".to_owned()], true);
            }
            _ => put(&bench, &bench.key, &["trade"]),
        }
        let last = count.load(Ordering::SeqCst);
        let ended = loop {
            match talk.next() {
                Heard::Text(text) => {
                    assert!(text.parse::<u64>().unwrap() <= last, "{text} > {last}")
                }
                ended @ (Heard::Ping | Heard::Pong | Heard::Closed(..) | Heard::Gone) => {
                    break ended;
                }
            }
        };
        // Without a word where half a message was on its way.
        assert!(ended == silenced() || ended == Heard::Gone, "{ended:?}");
        flow.join().unwrap();
        pusher.until_gone(1);
    }
}

/// What comes at one go is carried at one go, and only where something is to be written is it looked whose it is now.
/// Without that look, one round in three hears what was pushed too late.
#[test]
fn what_is_pushed_to_a_busy_channel_is_looked_at_before_it_is_written() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    for round in 0..20 {
        let mut talk = subscribed(&bench);
        let ended = pusher.in_the_midst(round, &mut talk, || {
            bench.gate.hold_accounts(&["alice".to_owned()], true);
        });
        assert!(ended == silenced() || ended == Heard::Gone, "{ended:?}");
        bench.gate.hold_accounts(&["alice".to_owned()], false);
    }
}

#[test]
fn a_quiet_subscription_is_closed_when_its_key_is_changed() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    let mut talk = subscribed(&bench);
    let other = Key {
        secret: bench.key.secret.iter().rev().copied().collect(),
        ..bench.key.clone()
    };
    put(&bench, &other, &["read", "trade"]);
    assert_eq!(talk.next(), silenced());
    pusher.until_gone(1);
}

fn policies(text: &str) -> Value {
    json!({"files": [{"file": "all.cedar", "text": text}]})
}

#[test]
fn other_policies_close_what_they_would_not_have_opened_and_leave_the_rest() {
    const ALL: &str = "permit (principal, action, resource);";
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |snapshot| snapshot["policy"] = policies(ALL));
    let mut talk = subscribed(&bench);
    let load = |text: &str| {
        let definition = serde_json::from_value(policies(text)).unwrap();
        let set = PolicySet::compile(definition).unwrap();
        bench.gate.put_policies(Arc::new(set)).unwrap();
    };
    let mut leg = pusher.leg(0);
    load(&format!(
        "{ALL} forbid (principal == Account::\"bob\", action, resource);"
    ));
    assert!(push(&mut leg, "1"));
    assert_eq!(talk.hear(), 1);
    load("permit (principal == Account::\"bob\", action, resource);");
    push(&mut leg, "2");
    let reason = "the policies in force forbid what was opened here".to_owned();
    assert_eq!(talk.next(), Heard::Closed(1008, reason));
    // Its key is good for whatever else the policies permit.
    load(ALL);
    let mut again = Talk::open(&bench);
    log_on(&mut again, &bench.key);
    pusher.until_gone(1);
}

#[test]
fn a_leg_ends_when_nothing_is_subscribed_to_on_it_and_the_ledger_says_what_was() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    let mut talk = subscribed(&bench);
    let topics = |names: &[&str]| json!({"topics": names});
    let both = ["orders.BTC", "orders.ETH"];
    talk.ask(&plain(3, "subscribe", topics(&both)));
    talk.ask(&plain(4, "unsubscribe", topics(&["orders.BTC"])));
    assert!(pusher.push(0, "1"));
    assert_eq!(talk.hear(), json!(1));
    // The venue's answer comes first, and orders need no leg.
    let answer = talk.ask(&plain(5, "unsubscribe", topics(&["orders.ETH"])));
    assert_eq!(answer["answer"]["id"], 5);
    pusher.until_gone(1);
    assert_eq!(talk.ask(&plain(6, "order.place", order()))["status"], 200);
    let none = talk.ask(&plain(7, "unsubscribe", topics(&both)));
    assert_eq!(code(&none), "form_parameter_invalid");
    talk.ask(&plain(8, "subscribe", topics(&both)));
    assert_eq!(pusher.legs(), 2);
    let decisions = bench.entries("decision", 9);
    let named = |method: &str| -> Vec<Value> {
        let of = decisions.iter().filter(|one| one["method"] == method);
        of.map(|one| one["topics"].clone()).collect()
    };
    assert_eq!(named("subscribe")[1], json!(both));
    assert_eq!(named("unsubscribe")[0], json!(["orders.BTC"]));
    assert_eq!(named("order.place"), [Value::Null]);
}

#[test]
fn another_key_s_logon_ends_the_last_one_s_pushes_and_its_own_are_its_own() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    let other = another(&bench);
    let mut talk = subscribed(&bench);
    log_on(&mut talk, &other);
    pusher.until_gone(1);
    let answer = talk.ask(&plain(3, "subscribe", json!({"topics": ["orders.BTC"]})));
    assert_eq!(answer["answer"]["id"], 3);
    assert_eq!(pusher.legs(), 2);
    pusher.push(0, r#""alice's""#);
    assert!(pusher.push(1, r#""bob's""#));
    assert_eq!(talk.hear(), json!("bob's"));
    // A message that is signed by yet another key is that one's.
    let answer = talk.ask(&signed(&bench.key, 4, "mine", json!({})));
    assert_eq!(answer["answer"]["id"], 4);
    pusher.until_gone(2);
    assert_eq!(pusher.legs(), 3);
    let accounts = bench
        .entries("decision", 6)
        .into_iter()
        .map(|e| e["account"].clone());
    assert_eq!(
        accounts.collect::<Vec<_>>()[1..],
        ["alice", "alice", "bob", "bob", "alice"]
    );
}

#[test]
fn a_logout_ends_what_is_private_and_leaves_what_is_public() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    let mut talk = Talk::open(&bench);
    talk.ask(r#"{"id":1,"method":"watch","params":{"topics":["trades.BTC"]}}"#);
    let opening = pusher.venue.heard()[0].clone();
    log_on(&mut talk, &bench.key);
    talk.ask(&plain(2, "subscribe", json!({"topics": ["orders.BTC"]})));
    assert_eq!(pusher.legs(), 2);
    assert_eq!(talk.ask(r#"{"id":7,"method":"session.logout"}"#)["id"], 7);
    pusher.until_gone(1);
    pusher.push(1, r#""private""#);
    assert!(pusher.push(0, r#""public""#));
    assert_eq!(talk.hear(), json!("public"));
    // In nobody's name.
    let claims = opening.split("x-ringfence-attestation: ").nth(1).unwrap();
    let claims = claims.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims);
    let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    assert_eq!(
        (&claims["sub"], &claims["op"]),
        (&Value::Null, &json!("market.read"))
    );
}

#[test]
fn a_session_s_end_ends_its_pushes() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |snapshot| {
        snapshot["dialects"]["test"]["channels"][0]["session"]["seconds"] = 1.into();
    });
    let mut talk = subscribed(&bench);
    std::thread::sleep(Duration::from_millis(1100));
    pusher.push(0, r#""late""#);
    assert_eq!(talk.next(), silenced());
}

#[test]
fn a_venue_that_goes_or_breaks_the_protocol_closes_the_channel() {
    let big = vec![b'x'; 4 * 1024 * 1024 + 1];
    let mut long = Vec::new();
    ringfence_wire::websocket::frame(&mut long, ringfence_wire::websocket::Kind::Text, &big, None);
    let broken = "the venue broke the protocol";
    for (bytes, why) in [
        (&b"\x82\x01a"[..], broken),
        (&b"\x81\x81\0\0\0\0a"[..], broken),
        (&long, broken),
        (&b"\x88\x02\x03\xe8"[..], "the venue has gone"),
        (&b""[..], "the venue has gone"),
    ] {
        let pusher = Pusher::echoing();
        let bench = bench(&pusher, |_| {});
        let mut talk = subscribed(&bench);
        let mut leg = pusher.leg(0);
        let _ = std::io::Write::write_all(&mut leg, bytes);
        if bytes.is_empty() {
            leg.shutdown(std::net::Shutdown::Both).unwrap();
        }
        assert_eq!(talk.next(), Heard::Closed(1014, why.to_owned()));
    }
}

#[test]
fn a_venue_that_cannot_be_had_is_told_and_leaves_the_channel_open() {
    let venue = crate::common::venue::Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["dialects"]["test"] = with_feed();
    });
    let mut talk = Talk::open(&bench);
    log_on(&mut talk, &bench.key);
    for id in 2..4 {
        let answer = talk.ask(&plain(id, "subscribe", json!({"topics": ["orders.BTC"]})));
        assert_eq!(
            (answer["id"].as_u64(), code(&answer)),
            (Some(id.into()), "venue_malformed")
        );
    }
    assert_eq!(talk.ask(r#"{"id":8,"method":"time"}"#)["status"], 200);
    assert_eq!(bench.entries("decision", 5)[2]["status"], 504);
}

#[test]
fn a_client_that_takes_nothing_is_cut_and_the_leg_with_it() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    let talk = subscribed(&bench);
    let text = format!("\"{}\"", "x".repeat(1 << 20));
    let mut leg = pusher.leg(0);
    let flow = std::thread::spawn(move || while push(&mut leg, &text) {});
    bench.until("connections_timed_out", 1);
    flow.join().unwrap();
    pusher.until_gone(1);
    drop(talk);
}

#[test]
fn a_client_that_answers_no_ping_does_not_look_alive_for_what_is_pushed_to_it() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |snapshot| {
        snapshot["http"]["idle_timeout_ms"] = 400.into();
    });
    let mut talk = subscribed(&bench);
    let mut leg = pusher.leg(0);
    let flow = std::thread::spawn(move || {
        while push(&mut leg, "1") {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let mut asked = 0;
    let ended = loop {
        match talk.next() {
            Heard::Text(_) => {}
            Heard::Ping => asked += 1,
            ended @ (Heard::Pong | Heard::Closed(..) | Heard::Gone) => break ended,
        }
    };
    let why = "nothing was said for too long".to_owned();
    assert_eq!((asked, ended), (1, Heard::Closed(1001, why)));
    flow.join().unwrap();
}

const VENUE_SECRET: &str = "the venue's own secret, which no bot has ever seen";

fn in_egress(pusher: &Pusher) -> Bench {
    let bench = bench(pusher, |snapshot| {
        snapshot["egress"] =
            json!({"accounts": {"alice": "main"}, "default": null, "transfers": []});
        snapshot["dialects"]["test"]["venue_errors"] =
            json!({"code": ["code"], "key_refused": [-1022]});
    });
    put_venue_key(&bench, true);
    bench
}

fn put_venue_key(bench: &Bench, there: bool) {
    put_venue_secret(bench, Some(VENUE_SECRET).filter(|_| there));
}

fn put_venue_secret(bench: &Bench, secret: Option<&str>) {
    let row = |secret| {
        json!({"name": "main", "dialect": "test", "key_id": "venue-key",
        "algorithm": "hmac-sha256", "material": STANDARD.encode(secret), "passphrase": null})
    };
    let rows: Vec<_> = secret.map(row).into_iter().collect();
    let records = VenueKeyRecord::parse_all(&serde_json::to_vec(&rows).unwrap()).unwrap();
    bench.gate.put_venue_keys(records).unwrap();
}

/// Whether a logon is signed with the venue's own secret.
fn is_ours(said: &Value) -> bool {
    let params = &said["params"];
    let text = format!("apiKey=venue-key&timestamp={}", params["timestamp"]);
    let key = hmac::Key::new(hmac::HMAC_SHA256, VENUE_SECRET.as_bytes());
    let tag = hmac::sign(&key, text.as_bytes());
    let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    params["signature"] == hex
}

#[test]
fn in_egress_a_leg_is_logged_on_with_our_key_before_anything_is_said() {
    let pusher = Pusher::new(|said| match said.contains("logon") {
        true => r#"{"ok":true}"#.into(),
        false => format!("{{\"answer\":{said}}}"),
    });
    let bench = in_egress(&pusher);
    let mut talk = subscribed(&bench);
    let said = pusher.said();
    assert_eq!(
        (&said[0]["method"], &said[1]["method"]),
        (&json!("logon"), &json!("subscribe"))
    );
    assert!(is_ours(&said[0]), "{said:?}");
    // A message that says itself who acts is written so.
    assert_eq!(talk.ask(&plain(5, "mine", json!({}))), json!({"ok": true}));
    let said = pusher.said();
    assert!(
        said.len() == 3 && said[2]["id"] == 5 && is_ours(&said[2]),
        "{said:?}"
    );
    let all = format!("{said:?}{:?}", pusher.venue.heard());
    for foreign in ["trader", "alice", "x-ringfence-attestation"] {
        assert!(!all.contains(foreign), "{foreign}: {all}");
    }
    pusher.push(0, "7");
    assert_eq!(talk.hear(), json!(7));
    // Without the key nobody is logged on any more.
    put_venue_key(&bench, false);
    assert_eq!(talk.next(), venue_key_gone());
}

#[test]
fn in_egress_an_exchanged_venue_key_ends_what_was_opened_with_the_one_before() {
    let pusher = Pusher::new(|_| r#"{"ok":true}"#.into());
    let bench = in_egress(&pusher);
    let mut talk = Talk::open(&bench);
    log_on(&mut talk, &bench.key);
    talk.ask(&plain(2, "mine", json!({})));
    // The same key again, as when another one in the vault is exchanged, ends nothing.
    put_venue_key(&bench, true);
    assert_eq!(talk.ask(&plain(3, "mine", json!({}))), json!({"ok": true}));
    pusher.push(0, "7");
    assert_eq!(talk.hear(), json!(7));
    put_venue_secret(
        &bench,
        Some("another secret of the venue's, for the same account"),
    );
    pusher.push(0, "8");
    assert_eq!(talk.next(), venue_key_gone());
    let said = pusher.said();
    assert!(said.iter().all(is_ours), "{said:?}");
    pusher.until_gone(1);
    // What is opened now is opened with the other one.
    let mut talk = Talk::open(&bench);
    log_on(&mut talk, &bench.key);
    assert_eq!(talk.ask(&plain(4, "mine", json!({}))), json!({"ok": true}));
    assert!(!is_ours(pusher.said().last().unwrap()));
}

#[test]
fn in_egress_the_message_that_is_a_logon_is_answered_by_its_answer() {
    let pusher = Pusher::new(|_| r#"{"ok":true,"subscription":3}"#.into());
    let bench = in_egress(&pusher);
    let mut talk = Talk::open(&bench);
    log_on(&mut talk, &bench.key);
    let answer = talk.ask(&plain(5, "mine", json!({})));
    assert_eq!(answer["subscription"], 3);
    assert_eq!(pusher.said().len(), 1);
}

#[test]
fn in_egress_a_key_that_the_venue_refuses_is_ours_and_the_channel_stays_open() {
    let pusher = Pusher::new(|_| r#"{"ok":false,"code":-1022}"#.into());
    let bench = in_egress(&pusher);
    let mut talk = Talk::open(&bench);
    log_on(&mut talk, &bench.key);
    let answer = talk.ask(&plain(2, "subscribe", json!({"topics": ["orders.BTC"]})));
    assert_eq!(
        (answer["id"].as_u64(), code(&answer)),
        (Some(2), "venue_key_refused")
    );
    pusher.until_gone(1);
    let since = Instant::now();
    let told = |entry: &Value| entry["event"] == "venue.key_refused";
    while !bench.entries("event", 1).iter().any(told) {
        assert!(since.elapsed() < SOON, "the refusal is not in the ledger");
    }
    put_venue_key(&bench, false);
    let answer = talk.ask(&plain(3, "subscribe", json!({"topics": ["orders.BTC"]})));
    assert_eq!(code(&answer), "venue_key_missing");
    assert_eq!((pusher.legs(), pusher.said().len()), (1, 1));
}

#[test]
fn pushes_go_on_while_an_order_is_under_way() {
    let pusher = Pusher::echoing();
    let bench = bench(&pusher, |_| {});
    let mut talk = subscribed(&bench);
    talk.say(&plain(9, "order.place", crate::common::talk::order()));
    assert!(pusher.push(0, r#"{"push":1}"#));
    let mut both = [talk.hear(), talk.hear()];
    both.sort_by_key(|heard| heard["id"].is_null());
    assert_eq!((&both[0]["id"], &both[1]["push"]), (&json!(9), &json!(1)));
}
