//! What must be exact stays exact when threads and connections race.

use std::sync::Barrier;

use crate::common::client::Answer;
use crate::common::venue::Venue;
use crate::common::{Bench, order};
use ringfence_core::credential::State;
use serde_json::json;

/// Sends each request on a connection of its own, all at once.
fn at_once(bench: &Bench, requests: &[Vec<u8>]) -> Vec<Answer> {
    let together = Barrier::new(requests.len());
    std::thread::scope(|scope| {
        let asking: Vec<_> = requests
            .iter()
            .map(|request| {
                let together = &together;
                scope.spawn(move || {
                    let mut client = bench.connect();
                    together.wait();
                    client.send(request);
                    client.answer().unwrap()
                })
            })
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn of_equal_orders_sent_at_once_over_two_threads_one_is_accepted() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["engine"]["threads"] = 2.into()
    });
    for round in 1..=5 {
        let answers = at_once(&bench, &vec![order(&bench.key); 24]);
        let accepted = answers.iter().filter(|answer| answer.status == 200).count();
        let replayed = answers
            .iter()
            .filter(|answer| answer.code() == "replay_seen")
            .count();
        assert_eq!((accepted, replayed), (1, 23));
        assert_eq!(venue.heard().len(), round);
    }
    let intents = bench.entries("decision", 120);
    assert_eq!(intents.len(), 120);
}

#[test]
fn a_limit_over_two_threads_is_spent_to_its_last_unit_and_not_beyond() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["engine"]["threads"] = 2.into();
        snapshot["budget"]["limits"] = json!([{"name": "orders", "subject": "account", "counts": "orders",
                                               "quota": 30, "window_ms": 86_400_000}]);
    });
    let requests: Vec<_> = (0..48).map(|_| order(&bench.key)).collect();
    let answers = at_once(&bench, &requests);
    let accepted = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((accepted, venue.heard().len()), (30, 30));
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 429)
        .collect();
    assert_eq!(refused.len(), 18);
    assert!(
        refused
            .iter()
            .all(|answer| answer.code() == "budget_exceeded"
                && answer.field("retry-after").is_some())
    );
}

#[test]
fn a_key_that_is_revoked_after_the_decision_sends_nothing() {
    let (venue, release) = Venue::held();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["upstream"] = json!({"url": format!("http://{}", venue.address), "ca": null, "connections": 1,
                                      "connect_timeout_ms": 9000, "response_timeout_ms": 9000});
    });
    let (mut first, mut second) = (bench.connect(), bench.connect());
    first.send(&order(&bench.key));
    venue.until_heard(1);
    // Judged and recorded, it waits for the one connection.
    second.send(&order(&bench.key));
    assert_eq!(bench.entries("decision", 2)[1]["outcome"], "permitted");
    bench
        .gate
        .set_credential_state(&bench.key.id, State::Deactivated, &[])
        .unwrap();
    release.send(()).unwrap();
    assert_eq!(first.answer().unwrap().status, 200);
    assert_eq!(second.answer().unwrap().code(), "credential_revoked");
    assert_eq!(venue.heard().len(), 1);
    let outcome = &bench.entries("outcome", 2)[1];
    assert_eq!(
        (&outcome["result"], &outcome["reason"]),
        (&"not_sent".into(), &"credential_revoked".into())
    );
}

#[test]
fn a_flood_is_answered_a_few_times_then_held_while_others_are_served() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["edge"] = json!({"requests": 10, "window_ms": 60_000, "addresses": 64});
    });
    let request = b"GET /nowhere HTTP/1.1\r\nHost: gw\r\n\r\n";
    let mut client = bench.connect();
    for number in 0..10 + 32 {
        client.send(request);
        let code = client.answer().unwrap().code();
        assert_eq!(
            code,
            if number < 10 {
                "route_unknown"
            } else {
                "edge_rate"
            }
        );
    }
    let start = std::time::Instant::now();
    client.send(request);
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (429, "edge_rate"));
    assert!(answer.field("retry-after").is_some());
    assert!(start.elapsed().as_millis() >= 1000, "{:?}", start.elapsed());
    // A few connections of the address are kept, and more turned away unanswered.
    let kept: Vec<_> = (0..3).map(|_| bench.connect()).collect();
    bench.until("connections_open", 4);
    assert!(bench.connect().rest().is_empty());
    drop(kept);
    // One entry for the address and window, and the rest of it as a sum.
    bench.gate.stop(0).unwrap();
    let decisions = bench.entries("decision", 11);
    let edge = decisions
        .iter()
        .filter(|entry| entry["refusal"]["code"] == "edge_rate")
        .count();
    assert_eq!((decisions.len(), edge), (11, 1));
    let sums = bench.entries("event", 1);
    let sum = sums
        .iter()
        .find(|entry| entry["event"] == "edge.summary")
        .unwrap();
    assert_eq!(sum["detail"]["refused"], 32);
}
