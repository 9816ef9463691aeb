//! Several gates on one real server of Redis or Valkey.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::Bench;
use common::redis::{Wire, cluster, redis, until_reachable};
use common::venue::Venue;
use serde_json::Value;

/// The events of the cluster that a gate has recorded, once there are so many.
fn events(bench: &Bench, name: &str, count: usize) -> Vec<Value> {
    let since = std::time::Instant::now();
    loop {
        let events = bench.entries("event", 1).into_iter();
        let events: Vec<Value> = events.filter(|entry| entry["event"] == name).collect();
        if events.len() >= count {
            return events;
        }
        assert!(since.elapsed() < common::SOON, "{name}: {events:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_server_that_is_lost_and_comes_back_is_told_of_each_once() {
    let Some(mut server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["engine"]["threads"] = 2.into();
        snapshot["cluster"] = cluster(server.address);
        // Nothing but the kill is to count as a loss, however busy the machine is.
        snapshot["cluster"]["deadline_ms"] = 1000.into();
    });
    until_reachable(&bench, true);
    server.kill();
    until_reachable(&bench, false);
    let lost = events(&bench, "cluster.lost", 1);
    let what = lost[0]["detail"]["what"].as_str().unwrap();
    assert!(
        what.contains("broke off") || what.contains("cannot be reached"),
        "{what}"
    );
    server.start();
    until_reachable(&bench, true);
    let back = events(&bench, "cluster.back", 1);
    assert!(
        back[0]["detail"]["lost_ms"].as_u64().unwrap() >= 100,
        "{back:?}"
    );
    assert_eq!(events(&bench, "cluster.lost", 1).len(), 1);
}

#[test]
fn a_server_that_stands_still_or_is_cut_off_is_lost_within_the_deadline_and_comes_back() {
    let Some(server) = redis(&[]) else { return };
    let (venue, wire) = (Venue::fine(), Wire::to(server.address));
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["cluster"] = cluster(wire.address);
    });
    until_reachable(&bench, true);
    server.signal("-STOP");
    until_reachable(&bench, false);
    server.signal("-CONT");
    until_reachable(&bench, true);
    wire.set_cut(true);
    until_reachable(&bench, false);
    wire.set_cut(false);
    until_reachable(&bench, true);
    // Nothing broke off: the same connections serve.
    assert_eq!(bench.gate.status()["cluster"]["problem"], Value::Null);
}

#[test]
fn a_server_that_would_forget_or_has_names_of_another_key_is_not_used() {
    let forgets = ["--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(server) = redis(&forgets) else {
        return;
    };
    let venue = Venue::fine();
    let problem = |bench: &Bench| {
        let since = std::time::Instant::now();
        loop {
            if let Some(problem) = bench.gate.status()["cluster"]["problem"].as_str() {
                return problem.to_owned();
            }
            assert!(since.elapsed() < common::SOON);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    let one = Bench::start(venue.address, |snapshot| {
        snapshot["cluster"] = cluster(server.address);
    });
    assert!(problem(&one).contains("noeviction"));
    server.say("CONFIG SET maxmemory-policy noeviction");
    until_reachable(&one, true);
    let other = Bench::start(venue.address, |snapshot| {
        snapshot["cluster"] = cluster(server.address);
        snapshot["cluster"]["server"]["secret"] = "00".repeat(32).into();
    });
    assert!(problem(&other).contains("another key"));
    assert_eq!(other.gate.status()["cluster"]["reachable"], false);
}
