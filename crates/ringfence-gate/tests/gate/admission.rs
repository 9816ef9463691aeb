//! A token that is shown in a handshake opens one WebSocket, for who signed for it, here; the venue's own opens its end
//! in egress, and neither is seen where the other is.

use std::io::Write as _;

use crate::common::push::{Pusher, push};
use crate::common::talk::{Heard, Talk, with_channel};
use crate::common::{Bench, Key, signed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::credential::State;
use ringfence_gate::CredentialRecord;
use serde_json::{Value, json};

const OVER: &str = r#"{"id":{id},"over":true}"#;

/// A dialect with a channel and a stream that tokens open.
fn with_admission(seconds: u64) -> Value {
    let mut dialect = with_channel();
    let opens = |path: &str, over: Option<&str>| {
        json!({"path": path, "token": "token", "id": "name", "beside": ["more"], "over": over,
               "venue": {"token": "data.token", "endpoint": "data.at.0", "hosts": ["*.venue.example"]}})
    };
    let answer = r#"{"token":"{token}","endpoint":"{endpoint}"}"#;
    let minting = |path: &str, signed: bool, opens: Value| {
        let operation = if signed {
            "session.logon"
        } else {
            "market.read"
        };
        let parameters: &[&str] = if signed {
            &["timestamp", "recvWindow", "signature"]
        } else {
            &[]
        };
        json!({"method": "POST", "path": path, "operation": operation, "signed": signed, "parameters": parameters,
               "mints": {"shown": "handshake", "seconds": seconds, "answer": answer, "opens": opens}})
    };
    let routes = dialect["routes"].as_array_mut().unwrap();
    routes.push(minting("/mine", true, opens("/channel", Some(OVER))));
    let mut bearer = minting("/bearer", true, Value::Null);
    bearer["mints"] = json!({"seconds": 900, "answer": r#"{"token":"{token}","endpoint":""}"#});
    routes.push(bearer);
    routes.push(minting("/anybody", false, opens("/stream", None)));
    routes.push(json!({"method": "GET", "path": "/stream", "operation": "market.read", "signed": false, "stream": true}));
    dialect["stream_messages"] = json!({"fields": {"type": ["ping"]}});
    let channel = &mut dialect["channels"][0];
    channel["welcome"] = json!(r#"{"id":{id},"welcome":true}"#);
    channel["replies"] = json!({"ping": "{\"id\":{id},\"pong\":true}"});
    channel["feed"] = json!({
        "path": "/channel", "topic_at": "topic", "greeted": {"type": "welcome"},
        "topics": {"own": ["/orders"], "market": ["/trades:*"]},
        "methods": {
            "subscribe": {"operation": "account.read", "topics": ["own"], "flags": ["private"],
                          "or": {"operation": "market.read", "topics": ["market"]}},
            "ping": {"operation": "account.read", "opens": false},
        },
    });
    dialect
}

/// A venue that pushes, greets who connects, and hands out a token for the WebSocket at `endpoint` (`{}` is its own address).
fn greeting(endpoint: &'static str, greeting: &'static str) -> Pusher {
    Pusher::with(
        |said| format!("{{\"answer\":{said}}}"),
        move |stream, request| {
            let host = field(request, "host");
            let at = endpoint.replace("{}", &host);
            let body = json!({"data": {"token": "of+the/venue=", "at": [at]}}).to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
            let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).is_ok()
        },
        move |stream| assert!(push(stream, greeting)),
    )
}

fn field(request: &str, name: &str) -> String {
    let mut lines = request.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map_or(String::new(), |(_, value)| value.to_owned())
}

const WELCOME: &str = r#"{"type":"welcome","id":"venue"}"#;

fn bench(pusher: &Pusher, seconds: u64) -> Bench {
    Bench::start(pusher.venue.address, |snapshot| {
        snapshot["dialects"]["test"] = with_admission(seconds);
    })
}

/// A firm's gate: alice's venue key is `main`.
fn firm(pusher: &Pusher) -> Bench {
    let bench = Bench::start(pusher.venue.address, |snapshot| {
        snapshot["dialects"]["test"] = with_admission(900);
        snapshot["egress"] =
            json!({"accounts": {"alice": "main"}, "default": null, "transfers": []});
    });
    bench.put_venue_key();
    bench
}

fn asked(key: &Key, path: &str, host: &str) -> Vec<u8> {
    let body = if path != "/anybody" {
        signed(key, "")
    } else {
        String::new()
    };
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nX-Key: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        key.id,
        body.len()
    )
    .into_bytes()
}

/// A token, and the address at which it is to be shown.
fn minted(bench: &Bench, path: &str) -> (String, String) {
    let answer = bench.ask(&asked(&bench.key, path, "gw:1234"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("token"), text("endpoint"))
}

fn opened(bench: &Bench, token: &str) -> Talk {
    let target = format!("/channel?token={token}&name=me&more=1");
    let mut talk = Talk::open_at(bench, &target, "").unwrap();
    assert_eq!(talk.hear(), json!({"id": "me", "welcome": true}));
    talk
}

fn refusal(bench: &Bench, target: &str) -> String {
    let Err(answer) = Talk::open_at(bench, target, "") else {
        panic!("{target} was opened");
    };
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["msg"].as_str().unwrap().to_owned()
}

fn subscribe(id: u32, topic: &str) -> String {
    json!({"id": id, "method": "subscribe", "topic": topic}).to_string()
}

#[test]
fn who_shows_the_token_acts_and_neither_venue_nor_ledger_sees_it() {
    let pusher = greeting("ws://{}/far", WELCOME);
    let bench = bench(&pusher, 900);
    let (token, endpoint) = minted(&bench, "/mine");
    assert_eq!(endpoint, "ws://gw:1234/channel");
    let mut talk = opened(&bench, &token);
    // No end at the venue: the gate answers itself.
    let ping = json!({"id": 1, "method": "ping"}).to_string();
    assert_eq!(talk.ask(&ping), json!({"id": 1, "pong": true}));
    let own = json!({"id": 2, "method": "subscribe", "topic": "/orders", "private": true});
    // The venue's greeting is none of the client's.
    assert_eq!(talk.ask(&own.to_string()), json!({"answer": own}));
    assert_eq!(
        talk.ask(&ping)["answer"],
        json!({"id": 1, "method": "ping"})
    );
    for (topic, why) in [
        ("/orders:BTC", "form_parameter_invalid"),
        ("/trades:", "form_parameter_invalid"),
        ("/trades:BTC,", "form_parameter_invalid"),
        ("/trades:BTC/USD", "form_parameter_invalid"),
        ("/other", "form_parameter_invalid"),
    ] {
        let refused = talk.ask(&subscribe(3, topic));
        assert_eq!(refused["error"]["msg"], why, "{topic}");
    }
    let flag = json!({"id": 4, "method": "subscribe", "topic": "/orders", "private": "yes"});
    assert_eq!(
        talk.ask(&flag.to_string())["error"]["msg"],
        "form_parameter_invalid"
    );
    let market = subscribe(5, "/trades:BTC-USD,ETH_USD");
    assert_eq!(talk.ask(&market)["answer"]["id"], 5);
    assert_eq!(pusher.legs(), 1);
    let openings = pusher.venue.heard();
    assert!(openings.iter().all(|opening| !opening.contains(&token)));
    let entries = bench.entries("decision", 10);
    let said = serde_json::to_string(&entries).unwrap();
    assert!(!said.contains(&token));
    let handshake = entries
        .iter()
        .find(|entry| entry["path"] == "/channel")
        .unwrap();
    let seen = ["account", "operation", "proof"].map(|name| handshake[name].clone());
    assert_eq!(seen, ["alice", "session.logon", "session"].map(Value::from));
}

#[test]
fn the_address_is_the_listener_s_own_name_or_there_is_none() {
    let pusher = greeting("", WELCOME);
    let bench = bench(&pusher, 900);
    for path in ["/mine", "/anybody"] {
        let refused = bench.ask(&asked(&bench.key, path, "evil.example"));
        assert_eq!(refused.code(), "signature_authority");
    }
    assert!(pusher.venue.heard().is_empty());
}

#[test]
fn a_token_opens_what_it_was_made_for_and_nothing_else() {
    let pusher = greeting("", WELCOME);
    let bench = bench(&pusher, 900);
    let (mine, _) = minted(&bench, "/mine");
    let (anybody_s, endpoint) = minted(&bench, "/anybody");
    assert_eq!(endpoint, "ws://gw:1234/stream");
    // The same for all who ask: it is nobody's.
    assert_eq!(minted(&bench, "/anybody").0, anybody_s);
    assert!(Talk::open_at(&bench, &format!("/stream?token={anybody_s}"), "").is_ok());
    assert_eq!(
        refusal(&bench, &format!("/stream?token={mine}")),
        "credential_unknown"
    );
    assert_eq!(refusal(&bench, "/stream"), "credential_missing");
    assert_eq!(refusal(&bench, "/channel?name=me"), "credential_missing");
    let twice = format!("/channel?token={mine}&token={mine}");
    assert_eq!(refusal(&bench, &twice), "form_duplicate");
    for wrong in [&*anybody_s, &mine[1..], ""] {
        let target = format!("/channel?token={wrong}&name=me");
        let mut talk = Talk::open_at(&bench, &target, "").unwrap();
        assert_eq!(talk.hear(), json!({"id": "me", "over": true}));
        assert_eq!(talk.next(), Heard::Closed(1008, "the token is over".into()));
    }
    // One that is shown elsewhere beside it would leave open who of the two acts.
    let (other, _) = minted(&bench, "/bearer");
    let both = format!("Authorization: Bearer {other}\r\n");
    let Err(twofold) = Talk::open_at(&bench, &format!("/channel?token={mine}"), &both) else {
        panic!("opened by two");
    };
    assert!(twofold.contains("signature_twofold"), "{twofold}");
    // Its own place is the handshake.
    let bearer = format!("Authorization: Bearer {mine}\r\n");
    assert!(Talk::open_at(&bench, "/channel", &bearer).is_err());
}

#[test]
fn a_token_that_is_over_is_told_so_and_what_it_opened_goes_on() {
    let pusher = greeting("", WELCOME);
    let bench = bench(&pusher, 1);
    let (token, _) = minted(&bench, "/mine");
    let mut talk = opened(&bench, &token);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(talk.ask(&subscribe(1, "/orders"))["answer"]["id"], 1);
    let mut late = Talk::open_at(&bench, &format!("/channel?token={token}"), "").unwrap();
    assert_eq!(late.hear()["over"], true);
    let refused = bench.entries("decision", 4);
    assert_eq!(
        refused.last().unwrap()["refusal"]["code"],
        "credential_session_ended"
    );
}

#[test]
fn a_revocation_ends_what_the_token_opened_and_the_token() {
    let pusher = greeting("", WELCOME);
    let bench = bench(&pusher, 900);
    let (token, _) = minted(&bench, "/mine");
    let (mut talk, mut quiet) = (opened(&bench, &token), opened(&bench, &token));
    talk.ask(&subscribe(1, "/orders"));
    assert!(pusher.push(0, "7"));
    assert_eq!(talk.hear(), json!(7));
    let set = |state| {
        bench
            .gate
            .set_credential_state("trader", state, &[])
            .unwrap()
    };
    set(State::Suspended);
    pusher.push(0, "8");
    let why = "the key of this session is not in force".to_owned();
    assert_eq!(talk.next(), Heard::Closed(1008, why.clone()));
    // It has no end at the venue.
    assert_eq!(quiet.next(), Heard::Closed(1008, why));
    pusher.until_gone(1);
    let target = format!("/channel?token={token}");
    assert_eq!(refusal(&bench, &target), "credential_suspended");
    set(State::Deactivated);
    assert_eq!(refusal(&bench, &target), "credential_revoked");
}

#[test]
fn another_s_token_is_that_other_and_from_its_addresses_alone() {
    let pusher = greeting("", WELCOME);
    let bench = bench(&pusher, 900);
    let row = |id: &str, allow: &str| {
        json!({"key_id": id, "account": "bob", "algorithm": "hmac-sha256", "material": STANDARD.encode(&bench.key.secret),
               "scopes": ["read"], "allow": [allow], "expires_us": null, "state": "active"})
    };
    let put = |allow: &str| {
        let rows = serde_json::to_vec(&json!([row("bobs", allow)])).unwrap();
        bench
            .gate
            .put_credentials(CredentialRecord::parse_all(&rows).unwrap())
            .unwrap();
    };
    put("127.0.0.0/8");
    let key = Key {
        id: "bobs".into(),
        secret: bench.key.secret.clone(),
    };
    let answer = bench.ask(&asked(&key, "/mine", "gw"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let token = body["token"].as_str().unwrap();
    let mut talk = opened(&bench, token);
    talk.ask(&subscribe(1, "/orders"));
    assert_eq!(
        bench.entries("decision", 3).last().unwrap()["account"],
        "bob"
    );
    // As if it had been carried elsewhere.
    put("203.0.113.0/24");
    assert_eq!(
        refusal(&bench, &format!("/channel?token={token}")),
        "address_not_allowed"
    );
}

#[test]
fn in_egress_the_venue_is_asked_with_its_own_key_and_its_token_stays_with_the_gate() {
    let pusher = greeting("ws://{}/far", WELCOME);
    let bench = firm(&pusher);
    let (token, endpoint) = minted(&bench, "/mine");
    assert_eq!(endpoint, "ws://gw:1234/channel");
    // The venue is not asked before somebody wants to hear something.
    let mut talk = opened(&bench, &token);
    assert!(pusher.venue.heard().is_empty());
    let heard = talk.ask(&subscribe(1, "/orders"));
    assert_eq!(heard["answer"]["topic"], "/orders");
    let asked = pusher.venue.heard();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].starts_with("POST /mine?"));
    assert_eq!(field(&asked[0], "x-key"), "venue-key");
    let signed = asked[0].contains("timestamp=") && asked[0].contains("signature=");
    assert!(signed && !asked[0].contains("trader"), "{}", asked[0]);
    assert!(
        asked[1].starts_with("GET /far?token=of%2Bthe%2Fvenue%3D&name="),
        "{}",
        asked[1]
    );
    assert!(asked.iter().all(|one| !one.contains(&token)));
    // A stream asks for nobody's.
    let (anybody_s, _) = minted(&bench, "/anybody");
    let mut stream = Talk::open_at(&bench, &format!("/stream?token={anybody_s}"), "").unwrap();
    assert_eq!(stream.hear()["id"], "venue");
    let asked = pusher.venue.heard();
    assert!(asked[2].starts_with("POST /anybody HTTP/1.1\r\n"));
    assert!(!asked[2].contains("signature="));
    assert!(asked[3].starts_with("GET /far?token=of%2Bthe%2Fvenue%3D&name="));
    let said = serde_json::to_string(&bench.entries("decision", 5)).unwrap();
    assert!(!said.contains("of+the/venue") && !said.contains("of%2Bthe"));
}

#[test]
fn a_venue_sends_nobody_elsewhere_and_greets_before_it_is_told_anything() {
    for (endpoint, greeted) in [
        ("ws://127.0.0.1:9/far", WELCOME),
        ("wss://{}/far", WELCOME),
        // One of the venue's hosts, but without TLS to the venue itself there is none to them.
        ("wss://ws.venue.example/far", WELCOME),
        ("ws://{}@127.0.0.1:9/far", WELCOME),
        ("http://{}/far", WELCOME),
        ("ws://{}/far?token=1", WELCOME),
        ("", WELCOME),
        ("ws://{}/far", r#"{"type":"error"}"#),
    ] {
        let pusher = greeting(endpoint, greeted);
        let bench = firm(&pusher);
        let (token, _) = minted(&bench, "/mine");
        let refused = opened(&bench, &token).ask(&subscribe(1, "/orders"));
        assert_eq!(
            refused["error"]["msg"], "venue_malformed",
            "{endpoint} {greeted}"
        );
        assert!(pusher.said().is_empty());
    }
}
