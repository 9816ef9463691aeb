//! A token of the gateway's own says who acts by a channel's messages: for its time, on its listener, while its key is.

use std::time::Duration;

use crate::common::push::Pusher;
use crate::common::talk::{Heard, Talk, code, order, plain, with_channel};
use crate::common::venue::Venue;
use crate::common::{Bench, signed};
use ringfence_core::credential::State;
use serde_json::{Value, json};

/// The dialect whose channel takes tokens that are good for `seconds`.
fn with_tokens(seconds: u64) -> Value {
    let mut dialect = with_channel();
    dialect["channels"][0]["own"] = json!(["apiKey", "signature", "token"]);
    dialect["channels"][0]["token"] = json!("params.token");
    let mints =
        json!({"shown": "message", "seconds": seconds, "answer": "{\"token\":\"{token}\"}"});
    let route = json!({
        "method": "GET", "path": "/token", "operation": "session.logon", "mints": mints,
        "parameters": ["timestamp", "recvWindow", "signature"],
    });
    dialect["routes"].as_array_mut().unwrap().push(route);
    dialect
}

fn bench(venue: &Venue, seconds: u64) -> Bench {
    Bench::start(venue.address, |snapshot| {
        snapshot["dialects"]["test"] = with_tokens(seconds);
    })
}

/// A gate whose channel takes tokens, and whose one subscription is the market's or the account's by its topic.
fn pushing(pusher: &Pusher) -> Bench {
    Bench::start(pusher.venue.address, |snapshot| {
        let mut dialect = with_tokens(900);
        dialect["channels"][0]["feed"] = json!({
            "path": "/leg", "topic_at": "params", "topic_name": "channel", "topic_fields": ["symbol", "depth", "snapshot"],
            "topics": {"market": ["book"], "own": ["fills"]},
            "methods": {"subscribe": {
                "operation": "market.read", "signed": false, "topics": ["market"],
                "or": {"operation": "account.read", "topics": ["own"]},
            }},
        });
        snapshot["dialects"]["test"] = dialect;
    })
}

fn asked(bench: &Bench) -> Vec<u8> {
    let (query, key) = (signed(&bench.key, ""), &bench.key.id);
    format!("GET /token?{query} HTTP/1.1\r\nHost: gw\r\nX-Key: {key}\r\n\r\n").into_bytes()
}

fn minted(bench: &Bench) -> String {
    let answer = bench.ask(&asked(bench));
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["token"].as_str().unwrap().to_owned()
}

fn by(token: &str, id: u32) -> String {
    let mut params = order();
    params["token"] = json!(token);
    plain(id, "order.place", params)
}

#[test]
fn a_message_acts_by_its_token_and_the_venue_sees_none() {
    let venue = Venue::fine();
    let bench = bench(&venue, 900);
    let token = minted(&bench);
    let mut talk = Talk::open(&bench);
    assert_eq!(talk.ask(&by(&token, 1))["status"], 200);
    // What stands in no message is not remembered for the next.
    let without = talk.ask(&plain(2, "order.place", order()));
    assert_eq!(code(&without), "credential_missing");
    assert_eq!(
        code(&talk.ask(&by("x".repeat(43).as_str(), 3))),
        "credential_unknown"
    );
    let heard = venue.heard();
    assert_eq!(heard.len(), 1);
    assert!(!heard[0].contains(&token) && !heard[0].contains("token="));
}

#[test]
fn a_token_that_is_over_begins_nothing_and_what_it_began_goes_on() {
    let venue = Venue::fine();
    let bench = bench(&venue, 1);
    let token = minted(&bench);
    let mut talk = Talk::open(&bench);
    assert_eq!(talk.ask(&by(&token, 1))["status"], 200);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(talk.ask(&by(&token, 2))["status"], 200);
    let mut late = Talk::open(&bench);
    assert_eq!(code(&late.ask(&by(&token, 3))), "credential_session_ended");
}

#[test]
fn a_token_is_silent_while_its_key_is_suspended_and_once_it_is_revoked() {
    let venue = Venue::fine();
    let bench = bench(&venue, 900);
    let token = minted(&bench);
    let state = |state| {
        let set = bench.gate.set_credential_state("trader", state, &[]);
        assert!(set.unwrap().effective_us < 1000);
    };
    state(State::Suspended);
    let mut talk = Talk::open(&bench);
    assert_eq!(code(&talk.ask(&by(&token, 1))), "credential_suspended");
    state(State::Active);
    let mut talk = Talk::open(&bench);
    assert_eq!(talk.ask(&by(&token, 2))["status"], 200);
    state(State::Deactivated);
    let mut talk = Talk::open(&bench);
    assert_eq!(code(&talk.ask(&by(&token, 3))), "credential_revoked");
    assert_eq!(venue.heard().len(), 1);
}

#[test]
fn seventeen_tokens_of_one_key_are_one_too_many() {
    let venue = Venue::fine();
    let bench = bench(&venue, 900);
    for _ in 0..16 {
        minted(&bench);
    }
    let refused = bench.ask(&asked(&bench));
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "overloaded")
    );
}

#[test]
fn a_topic_tells_whether_a_subscription_is_the_token_s_or_nobody_s() {
    let pusher = Pusher::echoing();
    let bench = pushing(&pusher);
    let token = minted(&bench);
    let mut talk = Talk::open(&bench);
    let book = json!({"channel": "book", "symbol": ["BTC/USD", "ETH/USD"], "depth": 10, "snapshot": false});
    talk.ask(&plain(1, "subscribe", book.clone()));
    let own = |token: &str| json!({"channel": "fills", "snapshot": true, "token": token});
    for (params, why) in [
        (json!({"channel": "fills"}), "credential_missing"),
        (own("x"), "credential_unknown"),
        (
            json!({"channel": "other", "token": token}),
            "form_parameter_invalid",
        ),
        (
            json!({"channel": "book", "symbol": []}),
            "form_parameter_invalid",
        ),
        (
            json!({"channel": "book", "symbol": [["BTC/USD"]]}),
            "form_parameter_invalid",
        ),
        (
            json!({"channel": "book", "depth": 1.5}),
            "form_parameter_invalid",
        ),
        (
            json!({"channel": "book", "account": "bob"}),
            "form_parameter_unknown",
        ),
    ] {
        let refused = talk.ask(&plain(2, "subscribe", params));
        assert_eq!(code(&refused), why);
    }
    talk.ask(&plain(3, "subscribe", own(&token)));
    assert_eq!(pusher.legs(), 2);
    let said = |id: u32, params: Value| json!({"id": id, "method": "subscribe", "params": params});
    let fills = json!({"channel": "fills", "snapshot": true});
    assert_eq!(pusher.said(), [said(1, book), said(3, fills)]);
    let openings = pusher.venue.heard();
    assert!(openings.iter().all(|opening| !opening.contains(&token)));
    let decisions = bench.entries("decision", 11);
    let last = decisions.last().unwrap();
    assert_eq!(
        (&last["account"], &last["operation"]),
        (&json!("alice"), &json!("account.read"))
    );
}

#[test]
fn a_subscription_by_token_ends_with_its_key() {
    let pusher = Pusher::echoing();
    let bench = pushing(&pusher);
    let token = minted(&bench);
    let mut talk = Talk::open(&bench);
    talk.ask(&plain(
        1,
        "subscribe",
        json!({"channel": "fills", "token": token}),
    ));
    assert!(pusher.push(0, "7"));
    assert_eq!(talk.hear(), json!(7));
    let gone = bench
        .gate
        .set_credential_state("trader", State::Deactivated, &[]);
    gone.unwrap();
    pusher.push(0, "8");
    let why = "the key of this session is not in force".to_owned();
    assert_eq!(talk.next(), Heard::Closed(1008, why));
    pusher.until_gone(1);
}
