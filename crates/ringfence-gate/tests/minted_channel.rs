//! A token of the gateway's own says who acts by a channel's messages: for its time, on its listener, while its key is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::talk::{Talk, code, order, plain, with_channel};
use common::venue::Venue;
use common::{Bench, signed};
use ringfence_core::credential::State;
use serde_json::{Value, json};

/// A gate whose channel takes tokens that are good for `seconds`.
fn bench(venue: &Venue, seconds: u64) -> Bench {
    Bench::start(venue.address, |snapshot| {
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
