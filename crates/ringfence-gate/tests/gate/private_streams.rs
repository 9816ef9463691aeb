//! A private stream is opened by a token of the gate's own, tells its key's account, and nothing once that may not be told.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::common::push::{Pusher, push};
use crate::common::talk::{Heard, Talk};
use crate::common::{Bench, SOON, dialect};
use ringfence_core::credential::State;
use ringfence_gate::CredentialRecord;
use ringfence_policy::set::PolicySet;
use ringfence_wire::websocket::{Kind, frame};
use serde_json::{Value, json};

/// The venue's own; as long as Binance's.
const VENUE_S: &str = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1";

fn with_streams() -> Value {
    let mut dialect = dialect();
    let lends = |method: &str, does: &str, answer: &str| {
        json!({"method": method, "path": "/listenKey", "operation": "stream.open",
               "parameters": ["timestamp", "recvWindow", "signature", "listenKey"],
               "lends": {"does": does, "by_name": true, "token": "listenKey", "seconds": 3600, "answer": answer}})
    };
    let routes = dialect["routes"].as_array_mut().unwrap();
    let told = r#"{"listenKey":"{token}"}"#;
    routes.push(lends("POST", "begin", told));
    routes.push(lends("PUT", "prolong", told));
    routes.push(lends("DELETE", "end", "{}"));
    routes.push(
        json!({"method": "GET", "path": "/ws/{listenKey}", "operation": "stream.open", "stream": true,
                       "shows": "listenKey", "parameters": ["listenKey"]}),
    );
    dialect["stream_messages"] = json!({"any": true});
    dialect
}

/// A venue that hands out its token to who asks, and answers what is no opening.
fn venue() -> Pusher {
    let body = json!({"listenKey": VENUE_S}).to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
    let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    Pusher::with(
        str::to_owned,
        move |stream, _| stream.write_all(answer.as_bytes()).is_ok(),
        |_| {},
    )
}

fn bench(pusher: &Pusher, change: impl FnOnce(&mut Value)) -> Bench {
    Bench::start(pusher.venue.address, |snapshot| {
        snapshot["dialects"]["test"] = with_streams();
        change(snapshot);
    })
}

/// Asks by the key's name alone; the answer's body, or the code of the refusal.
fn ask(bench: &Bench, method: &str) -> Result<Value, String> {
    let key = &bench.key.id;
    let request = format!(
        "{method} /listenKey HTTP/1.1\r\nHost: gw\r\nX-Key: {key}\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = bench.ask(request.as_bytes());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    match answer.status {
        200 => Ok(body),
        _ => Err(body["msg"].as_str().unwrap().to_owned()),
    }
}

fn token(bench: &Bench) -> String {
    let answer = ask(bench, "POST").unwrap();
    answer["listenKey"].as_str().unwrap().to_owned()
}

fn open(bench: &Bench, token: &str) -> Result<Talk, String> {
    Talk::open_at(bench, &format!("/ws/{token}"), "")
}

/// Opens a stream that the venue may push on.
fn opened(bench: &Bench, pusher: &Pusher, token: &str) -> Talk {
    let talk = open(bench, token).unwrap();
    let since = Instant::now();
    while pusher.legs() == 0 {
        assert!(since.elapsed() < SOON, "the venue has no leg");
        std::thread::yield_now();
    }
    talk
}

const OVER: &str = "the token of this stream is over";

fn over() -> Heard {
    Heard::Closed(1008, OVER.to_owned())
}

/// Describes the key anew.
fn allow(bench: &Bench, network: &str) {
    let key = &bench.key;
    let record = json!([{"key_id": key.id, "account": "alice", "algorithm": "hmac-sha256",
        "material": base64(&key.secret), "scopes": ["read", "trade"], "allow": [network],
        "expires_us": null, "state": "active"}]);
    let records = CredentialRecord::parse_all(&serde_json::to_vec(&record).unwrap()).unwrap();
    bench.gate.put_credentials(records).unwrap();
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn pong(to: &mut TcpStream, mask: Option<[u8; 4]>) {
    let mut out = Vec::new();
    frame(&mut out, Kind::Pong, b"", mask);
    to.write_all(&out).unwrap();
}

#[test]
fn a_stream_is_at_the_private_host_of_its_path_whose_token_no_other_sees() {
    let (api, public, private) = (venue(), venue(), venue());
    let at = |pusher: &Pusher| format!("ws://{}", pusher.venue.address);
    let bench = bench(&api, |snapshot| {
        snapshot["upstream"]["websockets"] =
            json!([{"path": "/ws", "url": at(&public), "private": at(&private)}]);
    });
    let token = token(&bench);
    let _talk = opened(&bench, &private, &token);
    assert_eq!([&api, &public].map(Pusher::legs), [0, 0]);
    let asked = private.venue.heard().concat();
    assert!(asked.contains(&format!("GET /ws/{VENUE_S} ")), "{asked}");
    assert!(
        asked.contains(&private.venue.address.to_string()),
        "{asked}"
    );
    assert!(public.venue.heard().is_empty());
}

#[test]
fn the_venue_sees_its_own_token_and_the_client_and_the_ledger_do_not() {
    let pusher = venue();
    let bench = bench(&pusher, |_| {});
    let token = token(&bench);
    let mut talk = opened(&bench, &pusher, &token);
    let heard = pusher.venue.heard();
    let opening = heard.last().unwrap();
    assert!(
        opening.starts_with(&format!("GET /ws/{VENUE_S} ")),
        "{opening}"
    );
    assert!(!heard.iter().any(|request| request.contains(&token)));
    for text in [
        json!({"e": "listenKeyExpired", "listenKey": VENUE_S}),
        json!([VENUE_S, VENUE_S, 1]),
        json!({"e": "else"}),
    ] {
        assert!(pusher.push(0, &text.to_string()));
        let told = text.to_string().replace(VENUE_S, &token);
        assert_eq!(talk.next(), Heard::Text(told));
    }
    let opened = bench.entries("decision", 2).pop().unwrap();
    let seen = ["path", "operation", "proof", "account"].map(|name| opened[name].clone());
    assert_eq!(
        seen,
        ["/ws/*", "stream.open", "name", "alice"].map(Value::from)
    );
}

#[test]
fn nothing_is_heard_once_a_revocation_or_the_end_has_returned() {
    let acts: [fn(&Bench); 4] = [
        |bench| {
            drop(
                bench
                    .gate
                    .set_credential_state("trader", State::Suspended, &[]),
            )
        },
        |bench| {
            let _ = bench.gate.hold_accounts(&["alice".to_owned()], true);
        },
        |bench| assert_eq!(ask(bench, "DELETE"), Ok(json!({}))),
        // Its name opens nothing any more, and so does what it opened.
        |bench| allow(bench, "0.0.0.0/0"),
    ];
    for act in acts {
        let pusher = venue();
        let bench = bench(&pusher, |_| {});
        let token = token(&bench);
        let mut talk = opened(&bench, &pusher, &token);
        assert!(pusher.push(0, "before"));
        assert_eq!(talk.next(), Heard::Text("before".into()));
        act(&bench);
        pusher.push(0, "after");
        assert_eq!(talk.next(), over());
        pusher.until_gone(1);
        assert!(open(&bench, &token).is_err());
    }
}

#[test]
fn nothing_that_is_pushed_after_a_revocation_has_returned_is_passed_on() {
    for round in 0..4 {
        let pusher = venue();
        let bench = bench(&pusher, |_| {});
        let mut talk = opened(&bench, &pusher, &token(&bench));
        let count = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&count);
        let mut leg = pusher.leg(0);
        let flow = std::thread::spawn(move || {
            // Counted before it is pushed.
            let next = || (counting.fetch_add(1, Ordering::SeqCst) + 1).to_string();
            while push(&mut leg, &next()) {}
        });
        while talk.hear().as_u64().unwrap() < 500 + round * 97 {}
        if round % 2 == 0 {
            let _ = bench
                .gate
                .set_credential_state("trader", State::Deactivated, &[]);
        } else {
            assert_eq!(ask(&bench, "DELETE"), Ok(json!({})));
        }
        let last = count.load(Ordering::SeqCst);
        let ended = loop {
            match talk.next() {
                Heard::Text(text) => {
                    assert!(text.parse::<u64>().unwrap() <= last, "{text} > {last}");
                }
                ended @ (Heard::Ping | Heard::Pong | Heard::Closed(..) | Heard::Gone) => {
                    break ended;
                }
            }
        };
        // Without a word where half a message was on its way.
        assert!(ended == over() || ended == Heard::Gone, "{ended:?}");
        flow.join().unwrap();
    }
}

/// What comes at one go is carried at one go, and only where something is to be written is it looked whose it is now.
/// Without that look, one round in three hears what was pushed too late.
#[test]
fn what_is_pushed_to_a_busy_stream_is_looked_at_before_it_is_written() {
    let pusher = venue();
    let bench = bench(&pusher, |_| {});
    for round in 0..20 {
        let mut talk = open(&bench, &token(&bench)).unwrap();
        let ended = pusher.in_the_midst(round, &mut talk, || {
            bench.gate.hold_accounts(&["alice".to_owned()], true);
        });
        assert!(ended == over() || ended == Heard::Gone, "{ended:?}");
        bench.gate.hold_accounts(&["alice".to_owned()], false);
    }
}

#[test]
fn other_policies_close_a_stream_that_they_would_not_have_opened_and_leave_the_rest() {
    const ALL: &str = "permit (principal, action, resource);";
    let policies = |text: &str| json!({"files": [{"file": "all.cedar", "text": text}]});
    let pusher = venue();
    let bench = bench(&pusher, |snapshot| snapshot["policy"] = policies(ALL));
    let mut talk = opened(&bench, &pusher, &token(&bench));
    let load = |text: &str| {
        let definition = serde_json::from_value(policies(text)).unwrap();
        let set = PolicySet::compile(definition).unwrap();
        bench.gate.put_policies(Arc::new(set)).unwrap();
    };
    load(&format!(
        "{ALL} forbid (principal == Account::\"bob\", action, resource);"
    ));
    assert!(pusher.push(0, "before"));
    assert_eq!(talk.next(), Heard::Text("before".into()));
    load("permit (principal == Account::\"bob\", action, resource);");
    pusher.push(0, "after");
    let reason = "the policies in force forbid what was opened here".to_owned();
    assert_eq!(talk.next(), Heard::Closed(1008, reason));
    pusher.until_gone(1);
}

#[test]
fn what_was_pushed_and_not_taken_is_taken_back() {
    let pusher = venue();
    let bench = bench(&pusher, |snapshot| {
        snapshot["http"]["body_timeout_ms"] = json!(5_000);
    });
    let mut talk = opened(&bench, &pusher, &token(&bench));
    // More than sockets hold: a part of it is on its way, and the rest waits in the gate.
    let large = "x".repeat(3 << 20);
    let mut leg = pusher.leg(0);
    let pushing = std::thread::spawn(move || (0..8).take_while(|_| push(&mut leg, &large)).count());
    bench
        .gate
        .set_credential_state("trader", State::Suspended, &[])
        .unwrap();
    let mut heard = 0;
    let last = loop {
        match talk.next() {
            Heard::Text(_) => heard += 1,
            last @ (Heard::Ping | Heard::Pong | Heard::Closed(..) | Heard::Gone) => break last,
        }
    };
    assert!(last == over() || last == Heard::Gone, "{last:?}");
    assert!(heard < 8);
    pushing.join().unwrap();
}

#[test]
fn a_quiet_stream_is_kept_as_long_as_both_sides_answer() {
    let pusher = venue();
    let bench = bench(&pusher, |snapshot| {
        snapshot["http"]["idle_timeout_ms"] = json!(150);
    });
    let mut talk = opened(&bench, &pusher, &token(&bench));
    let why = "nothing was said for too long".to_owned();
    for answers in [true, true, false] {
        assert_eq!(talk.next(), Heard::Ping);
        if answers {
            pong(&mut pusher.leg(0), None);
            pong(&mut talk.stream, Some([1, 2, 3, 4]));
            assert_eq!(talk.next(), Heard::Pong);
        }
    }
    assert_eq!(talk.next(), Heard::Closed(1001, why));
}

#[test]
fn a_client_says_nothing_there_and_shows_nothing_else_beside_its_token() {
    let pusher = venue();
    let bench = bench(&pusher, |_| {});
    let token = token(&bench);
    let mut talk = opened(&bench, &pusher, &token);
    talk.say("anything");
    let why = "this message is not offered on a stream".to_owned();
    assert_eq!(talk.next(), Heard::Closed(1008, why));
    let beside = format!("X-Key: {}\r\n", bench.key.id);
    let refused = Talk::open_at(&bench, &format!("/ws/{token}"), &beside);
    assert!(refused.is_err_and(|body| body.contains("signature_missing")));
}
