//! On a trading channel each message is judged, recorded and carried like the request that it stands for.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::talk::{Heard, Talk, code, order, plain, signed, with_channel};
use crate::common::venue::{FINE, Venue};
use crate::common::{Bench, all_entries};
use ringfence_core::credential::State;
use serde_json::{Value, json};

/// A gate with a channel in front of `venue`.
fn bench(venue: &Venue, change: impl FnOnce(&mut Value)) -> Bench {
    Bench::start(venue.address, |snapshot| {
        snapshot["dialects"]["test"] = with_channel();
        change(snapshot);
    })
}

fn answering(body: &str) -> Venue {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Venue::new(move |stream, _| stream.write_all(answer.as_bytes()).is_ok())
}

fn logged_on(bench: &Bench) -> Talk {
    let mut talk = Talk::open(bench);
    let answer = talk.ask(&signed(&bench.key, 1, "session.logon", json!({})));
    assert_eq!(answer["result"]["key"], "trader");
    talk
}

#[test]
fn a_signed_message_is_its_route_s_request_and_the_answer_has_its_id() {
    let venue = answering(r#"{"orderId":7}"#);
    let bench = bench(&venue, |_| {});
    let mut talk = Talk::open(&bench);
    let answer = talk.ask(&signed(&bench.key, 42, "order.place", order()));
    assert_eq!(
        answer,
        json!({"id": 42, "status": 200, "result": {"orderId": 7}})
    );
    let heard = venue.heard();
    let (head, body) = heard[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /order HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-ringfence-attestation: "), "{head}");
    assert!(
        head.contains("content-type: application/x-www-form-urlencoded"),
        "{head}"
    );
    // In the order in which the message has them, whatever that is.
    let pairs: BTreeSet<&str> = body.split('&').collect();
    let wanted = [
        "price=50000.00",
        "quantity=0.001",
        "side=BUY",
        "symbol=BTCUSDT",
    ];
    assert!(wanted.iter().all(|pair| pairs.contains(pair)), "{body}");
    assert!(body.contains("timestamp="), "{body}");
    assert!(
        !body.contains("signature") && !body.contains("trader"),
        "{body}"
    );

    let decisions = bench.entries("decision", 2);
    assert_eq!(
        (&decisions[0]["path"], &decisions[0]["status"]),
        (&json!("/channel"), &json!(101))
    );
    let placed = &decisions[1];
    assert_eq!(placed["transport"], "websocket");
    assert_eq!(placed["method"], "order.place");
    assert_eq!(placed["path"], "/channel");
    assert_eq!(placed["route"], "POST /order");
    assert_eq!(placed["credential"], "trader");
    assert_eq!(placed["order"]["price"], "50000.00");
    let outcome = &bench.entries("outcome", 1)[0];
    assert_eq!(
        (&outcome["message"], &outcome["result"]),
        (&placed["message"], &json!("answered"))
    );
}

#[test]
fn a_refusal_has_the_message_s_id_and_leaves_the_channel_open() {
    let venue = Venue::fine();
    let bench = bench(&venue, |_| {});
    let mut talk = Talk::open(&bench);
    let forged = signed(&bench.key, 1, "order.place", order()).replace("50000.00", "50000.01");
    assert_eq!(code(&talk.ask(&forged)), "signature_invalid");
    let mut off = order();
    off["price"] = json!("50000.001");
    let answer = talk.ask(&signed(&bench.key, 2, "order.place", off));
    assert_eq!((&answer["id"], &answer["status"]), (&json!(2), &json!(400)));
    assert_eq!(code(&answer), "price_tick");
    let unsigned = talk.ask(&plain(3, "order.place", order()));
    assert_eq!(
        (unsigned["id"].as_u64(), code(&unsigned)),
        (Some(3), "credential_missing")
    );
    let unknown = talk.ask(r#"{"id":"x","method":"order.destroy","params":{}}"#);
    assert_eq!(
        (unknown["id"].as_str(), code(&unknown)),
        (Some("x"), "route_unknown")
    );
    let mut extra = order();
    extra["hidden"] = json!("1");
    let extra = talk.ask(&signed(&bench.key, 4, "order.place", extra));
    assert_eq!(code(&extra), "form_parameter_unknown");
    let fine = talk.ask(&signed(&bench.key, 5, "order.place", order()));
    assert_eq!(fine["status"], 200);
    assert_eq!(venue.heard().len(), 1);
    let refused = bench.entries("decision", 7);
    let named: Vec<_> = refused
        .iter()
        .map(|e| e["refusal"]["code"].as_str())
        .collect();
    assert_eq!(
        named,
        [
            None,
            Some("signature_invalid"),
            Some("price_tick"),
            Some("credential_missing"),
            Some("route_unknown"),
            Some("form_parameter_unknown"),
            None
        ]
    );
}

#[test]
fn what_has_no_id_that_can_be_read_gets_the_venue_s_parse_error() {
    let venue = Venue::fine();
    let bench = bench(&venue, |_| {});
    let mut talk = Talk::open(&bench);
    let deep = format!("{}{}", "[".repeat(9), "]".repeat(9));
    let long = format!(r#"{{"id":"{}","method":"time"}}"#, "x".repeat(65));
    for text in [
        "hello",
        "{",
        r#"{"id":1,"id":2,"method":"time"}"#,
        r#"{"id":1,"method":"time","params":{"a":1,"a":2}}"#,
        &format!(r#"{{"id":1,"method":"time","params":{deep}}}"#),
        r#"{"id":1.5,"method":"time"}"#,
        r#"{"id":true,"method":"time"}"#,
        r#"{"id":{"a":1},"method":"time"}"#,
        r#"{"id":[1],"method":"time"}"#,
        &long,
    ] {
        let answer = talk.ask(text);
        assert_eq!(
            (&answer["id"], code(&answer)),
            (&Value::Null, "malformed"),
            "{text}"
        );
    }
    // A method that is no text is none; the id is there.
    let answer = talk.ask(r#"{"id":7,"method":7}"#);
    assert_eq!((&answer["id"], code(&answer)), (&json!(7), "route_unknown"));
    assert_eq!(talk.ask(r#"{"id":8,"method":"time"}"#)["id"], 8);
    assert_eq!(venue.heard().len(), 1);
}

#[test]
fn after_a_logon_messages_need_no_signature_until_the_logout() {
    let venue = Venue::fine();
    let bench = bench(&venue, |_| {});
    let mut talk = logged_on(&bench);
    assert_eq!(
        talk.ask(r#"{"id":2,"method":"session.status"}"#)["result"]["key"],
        "trader"
    );
    assert_eq!(talk.ask(&plain(3, "order.place", order()))["status"], 200);
    // Its own clock is heard, though nobody signed it.
    let late = plain(4, "order.place", order()).replace("\"timestamp\":1", "\"timestamp\":");
    assert_eq!(code(&talk.ask(&late)), "time_stale");
    let timeless = json!({"id": 5, "method": "account.status", "params": {}}).to_string();
    assert_eq!(code(&talk.ask(&timeless)), "time_missing");
    // A key without a signature is not the session's.
    let named = plain(
        6,
        "order.place",
        json!({"apiKey": "other", "symbol": "BTCUSDT"}),
    );
    assert_eq!(code(&talk.ask(&named)), "signature_missing");
    assert_eq!(
        talk.ask(r#"{"id":7,"method":"session.logout"}"#)["result"]["key"],
        Value::Null
    );
    assert_eq!(
        code(&talk.ask(&plain(8, "order.place", order()))),
        "credential_missing"
    );
    assert_eq!(venue.heard().len(), 1);
    let decisions = bench.entries("decision", 3);
    let (logon, order) = (&decisions[1], &decisions[2]);
    assert_eq!(
        (&logon["proof"], &order["proof"]),
        (&Value::Null, &json!("session"))
    );
    assert_eq!(order["credential"], "trader");
    assert_eq!(
        (&logon["operation"], &logon["status"]),
        (&json!("session.logon"), &json!(200))
    );
    assert_eq!(
        (&logon["credential"], &logon["route"]),
        (&json!("trader"), &Value::Null)
    );
}

#[test]
fn a_logon_s_signature_is_good_for_one_logon_and_nothing_else() {
    let venue = Venue::fine();
    let bench = bench(&venue, |_| {});
    let logon = signed(&bench.key, 1, "session.logon", json!({}));
    assert_eq!(Talk::open(&bench).ask(&logon)["result"]["key"], "trader");
    let mut talk = Talk::open(&bench);
    assert_eq!(code(&talk.ask(&logon)), "replay_seen");
    assert_eq!(
        code(&talk.ask(&logon.replace("session.logon", "account.status"))),
        "replay_seen"
    );
    // Nor does what was signed for another message begin a session.
    let read = signed(&bench.key, 2, "account.status", json!({}));
    assert_eq!(talk.ask(&read)["status"], 200);
    assert_eq!(
        code(&talk.ask(&read.replace("account.status", "session.logon"))),
        "replay_seen"
    );
    assert_eq!(
        code(&talk.ask(&plain(3, "account.status", json!({})))),
        "credential_missing"
    );
}

#[test]
fn a_session_ends_in_its_time() {
    let venue = Venue::fine();
    let bench = bench(&venue, |snapshot| {
        snapshot["dialects"]["test"]["channels"][0]["session"]["seconds"] = 1.into();
    });
    let mut talk = logged_on(&bench);
    assert_eq!(
        talk.ask(&plain(2, "account.status", json!({})))["status"],
        200
    );
    std::thread::sleep(Duration::from_millis(1100));
    let answer = talk.ask(&plain(3, "account.status", json!({})));
    assert_eq!(code(&answer), "credential_session_ended");
}

#[test]
fn a_revoked_key_s_session_is_silenced_when_the_call_returns_and_closed() {
    let venue = Venue::fine();
    let bench = bench(&venue, |_| {});
    let mut talk = logged_on(&bench);
    let mut other = Talk::open(&bench);
    assert_eq!(talk.ask(&plain(2, "order.place", order()))["status"], 200);
    let revoked = bench
        .gate
        .set_credential_state("trader", State::Deactivated, &[])
        .unwrap();
    let since = Instant::now();
    assert!(revoked.effective_us < 1000, "{revoked:?}");
    for id in 3..20 {
        talk.say(&plain(id, "order.place", order()));
    }
    let end = loop {
        match talk.next() {
            Heard::Text(text) => {
                let answer = serde_json::from_str(&text).unwrap();
                assert_eq!(code(&answer), "credential_revoked");
            }
            end @ (Heard::Ping | Heard::Pong | Heard::Closed(..) | Heard::Gone) => break end,
        }
    };
    let reason = "the key of this session is not in force".to_owned();
    assert_eq!(end, Heard::Closed(1008, reason));
    assert!(since.elapsed() < Duration::from_secs(1));
    assert_eq!(venue.heard().len(), 1);
    // A connection without that session goes on.
    assert_eq!(other.ask(r#"{"id":1,"method":"time"}"#)["status"], 200);
}

#[test]
fn a_session_that_says_nothing_is_closed_when_its_key_is_revoked() {
    let venue = Venue::fine();
    let bench = bench(&venue, |_| {});
    let mut talk = logged_on(&bench);
    bench
        .gate
        .set_credential_state("trader", State::Deactivated, &[])
        .unwrap();
    let reason = "the key of this session is not in force".to_owned();
    assert_eq!(talk.next(), Heard::Closed(1008, reason));
}

#[test]
fn orders_reach_the_venue_one_after_the_other_in_the_order_in_which_they_came() {
    let underway = Arc::new(Mutex::new((0, 0)));
    let seen = Arc::clone(&underway);
    let venue = Venue::new(move |stream, _| {
        {
            let mut seen = seen.lock().unwrap();
            seen.0 += 1;
            seen.1 = seen.1.max(seen.0);
        }
        std::thread::sleep(Duration::from_millis(5));
        seen.lock().unwrap().0 -= 1;
        stream.write_all(FINE).is_ok()
    });
    let bench = bench(&venue, |_| {});
    let mut talk = logged_on(&bench);
    let texts: Vec<_> = (0..20)
        .map(|id| {
            let mut order = order();
            order["price"] = json!(format!("{}.00", 50_000 + id));
            plain(100 + id, "order.place", order)
        })
        .collect();
    talk.say_all(&texts);
    let ids: Vec<_> = (0..20)
        .map(|_| talk.hear()["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (100..120).collect::<Vec<_>>());
    let prices: Vec<_> = venue
        .heard()
        .iter()
        .map(|heard| heard.split("price=").nth(1).unwrap()[..5].to_owned())
        .collect();
    assert_eq!(
        prices,
        (50_000..50_020).map(|p| p.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(underway.lock().unwrap().1, 1);
}

#[test]
fn reads_overlap_and_more_than_64_at_once_are_refused() {
    let (tell, told) = channel::<()>();
    let told = Mutex::new(told);
    let venue = Venue::new(move |stream, request| {
        if request.contains("a=first") {
            told.lock().unwrap().recv().unwrap();
        }
        stream.write_all(FINE).is_ok()
    });
    let bench = bench(&venue, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 5000.into();
    });
    let mut talk = Talk::open(&bench);
    talk.say(r#"{"id":1,"method":"time","params":{"a":"first"}}"#);
    assert_eq!(
        talk.ask(r#"{"id":2,"method":"time","params":{"a":"2"}}"#)["id"],
        2
    );
    tell.send(()).unwrap();
    assert_eq!(talk.hear()["id"], 1);
    // The pool has eight connections; what waits for one is under way, too.
    let texts: Vec<_> = (0..80)
        .map(|id| format!(r#"{{"id":{id},"method":"time","params":{{"a":"first"}}}}"#))
        .collect();
    talk.say_all(&texts);
    for id in 64..80 {
        let answer = talk.hear();
        assert_eq!(
            (answer["id"].as_u64(), code(&answer)),
            (Some(id), "overloaded")
        );
    }
    for _ in 0..64 {
        tell.send(()).unwrap();
    }
    for _ in 0..64 {
        assert_eq!(talk.hear()["status"], 200);
    }
}

#[test]
fn an_order_is_carried_to_its_end_although_its_client_hangs_up() {
    let (venue, tell) = Venue::held();
    let bench = bench(&venue, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 5000.into();
    });
    let mut talk = Talk::open(&bench);
    talk.say(&signed(&bench.key, 1, "order.place", order()));
    venue.until_heard(1);
    drop(talk);
    std::thread::sleep(Duration::from_millis(50));
    tell.send(()).unwrap();
    let outcome = &bench.entries("outcome", 1)[0];
    assert_eq!(outcome["result"], "answered");
    bench.until("connections_open", 0);
}

#[test]
fn limits_and_the_address_s_budget_count_each_message() {
    let venue = Venue::fine();
    let limited = bench(&venue, |snapshot| {
        snapshot["budget"]["limits"] = json!([{"name": "orders", "subject": "account", "counts": "orders",
                                               "quota": 2, "window_ms": 86_400_000}]);
    });
    let mut talk = logged_on(&limited);
    let codes: Vec<_> = (2..6)
        .map(|id| code(&talk.ask(&plain(id, "order.place", order()))).to_owned())
        .collect();
    assert_eq!(
        codes,
        ["none", "none", "budget_exceeded", "budget_exceeded"]
    );
    let edged = bench(&venue, |snapshot| {
        snapshot["edge"] = json!({"requests": 5, "window_ms": 60_000, "addresses": 16});
    });
    let mut talk = Talk::open(&edged);
    let texts: Vec<_> = (0..8)
        .map(|id| format!(r#"{{"id":{id},"method":"time"}}"#))
        .collect();
    talk.say_all(&texts);
    let mut codes: Vec<_> = (0..8).map(|_| code(&talk.hear()).to_owned()).collect();
    codes.sort();
    // The handshake was one of the five.
    assert_eq!(
        codes,
        [
            "edge_rate",
            "edge_rate",
            "edge_rate",
            "edge_rate",
            "none",
            "none",
            "none",
            "none"
        ]
    );
    assert_eq!(edged.entries("decision", 6).len(), 6);
    let texts: Vec<_> = (0..200)
        .map(|id| format!(r#"{{"id":{id},"method":"time"}}"#))
        .collect();
    let since = Instant::now();
    talk.say_all(&texts);
    for _ in 0..40 {
        assert_eq!(code(&talk.hear()), "edge_rate");
    }
    assert!(
        since.elapsed() > Duration::from_millis(900),
        "a flood is read slowly"
    );
}

#[test]
fn a_flood_of_pings_ends_the_channel() {
    let venue = Venue::fine();
    let bench = bench(&venue, |_| {});
    let mut talk = Talk::open(&bench);
    talk.ping();
    assert_eq!(talk.next(), Heard::Pong);
    assert_eq!(talk.ask("ping"), "pong");
    for _ in 0..60 {
        talk.ping();
    }
    let end = loop {
        match talk.next() {
            Heard::Pong => {}
            end @ (Heard::Text(_) | Heard::Ping | Heard::Closed(..) | Heard::Gone) => break end,
        }
    };
    assert_eq!(
        end,
        Heard::Closed(1008, "too many pings in a second".into())
    );
}

#[test]
fn a_client_that_says_nothing_is_asked_and_then_closed() {
    let venue = Venue::fine();
    let bench = bench(&venue, |snapshot| {
        snapshot["http"]["idle_timeout_ms"] = 300.into();
    });
    let mut talk = Talk::open(&bench);
    assert_eq!(talk.next(), Heard::Ping);
    assert_eq!(talk.ask("ping"), "pong");
    assert_eq!(talk.next(), Heard::Ping);
    let reason = "nothing was said for too long".to_owned();
    assert_eq!(talk.next(), Heard::Closed(1001, reason));
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let long = format!("[{}0]", "0,".repeat(1_000_000));
    let venue = answering(&long);
    let bench = bench(&venue, |snapshot| {
        // A venue that is slow under load would be answered for, in few bytes.
        snapshot["upstream"]["response_timeout_ms"] = 10_000.into();
    });
    let mut talk = Talk::open(&bench);
    for id in 0..20 {
        talk.say(&format!(r#"{{"id":{id},"method":"time"}}"#));
    }
    bench.until("connections_open", 0);
    assert_eq!(bench.gate.status()["connections_timed_out"], 1);
}

#[test]
fn a_drain_answers_what_is_under_way_and_closes() {
    let (venue, tell) = Venue::held();
    let bench = bench(&venue, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 5000.into();
    });
    let mut talk = Talk::open(&bench);
    talk.say(&signed(&bench.key, 1, "order.place", order()));
    venue.until_heard(1);
    std::thread::scope(|scope| {
        scope.spawn(|| bench.gate.stop(5000).unwrap());
        std::thread::sleep(Duration::from_millis(50));
        talk.say(&signed(&bench.key, 2, "order.place", order()));
        tell.send(()).unwrap();
        assert_eq!(talk.hear()["id"], 1);
        let reason = "the gateway is shutting down".to_owned();
        assert_eq!(talk.next(), Heard::Closed(1001, reason));
    });
    let entries = all_entries(bench.folder.path());
    let outcomes = entries
        .iter()
        .filter(|entry| entry["kind"] == "outcome")
        .count();
    assert_eq!((outcomes, venue.heard().len()), (1, 1));
}

#[test]
fn a_long_answer_comes_whole_and_one_that_is_no_json_does_not_come_at_all() {
    let long = format!(r#"{{"all":[{}0]}}"#, "0,".repeat(100_000));
    let venue = answering(&long);
    let bench = bench(&venue, |_| {});
    let answer = Talk::open(&bench).ask(r#"{"id":1,"method":"time"}"#);
    assert_eq!(answer["result"]["all"].as_array().unwrap().len(), 100_001);
    drop(bench);
    let venue = answering("<html>{</html>");
    let bench = self::bench(&venue, |_| {});
    let mut talk = Talk::open(&bench);
    assert_eq!(
        code(&talk.ask(r#"{"id":1,"method":"time"}"#)),
        "venue_malformed"
    );
    // What may have been done is not told as not done.
    let order = signed(&bench.key, 2, "order.place", order());
    assert_eq!(code(&talk.ask(&order)), "venue_outcome_unknown");
}

#[test]
fn a_close_is_answered_and_a_binary_message_is_none() {
    let venue = Venue::fine();
    let bench = bench(&venue, |_| {});
    let mut talk = Talk::open(&bench);
    talk.close();
    assert_eq!(talk.next(), Heard::Closed(1000, String::new()));
    let mut talk = Talk::open(&bench);
    talk.stream.write_all(&[0x82, 0x80, 0, 0, 0, 0]).unwrap();
    assert_eq!(
        talk.next(),
        Heard::Closed(1003, "channels take text".into())
    );
}
