//! Several gates on one real server of Redis or Valkey.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::common::client::{Answer, Client};
use crate::common::redis::{Redis, Wire, cluster, redis, until_reachable};
use crate::common::talk::{self, Talk};
use crate::common::venue::Venue;
use crate::common::{Bench, Key, order, read_account, signed};
use serde_json::{Value, json};

/// A window that no test sees the end of.
const DAY_MS: u64 = 86_400_000;
/// Until a server that has begun anew tells what was signed before.
const UNSURE: Duration = Duration::from_millis(2100);

/// A limit on orders that all gates share.
fn shared(quota: u64, across: Value) -> Value {
    json!({"name": "shared", "subject": "account", "counts": "orders", "quota": quota,
           "window_ms": DAY_MS, "across": across})
}

/// So many gates for one trader, with these limits.
fn gates(
    count: usize,
    server: SocketAddr,
    venue: &Venue,
    change: impl Fn(&mut Value),
) -> Vec<Bench> {
    let key = Key::new();
    let gate = |_| {
        let bench = Bench::start_for(key.clone(), venue.address, |snapshot| {
            snapshot["cluster"] = cluster(server);
            // However busy the machine is: what is to be lost, is lost on purpose.
            snapshot["cluster"]["deadline_ms"] = 1000.into();
            change(snapshot);
        });
        until_reachable(&bench, true);
        bench
    };
    (0..count).map(gate).collect()
}

/// Sends so many orders to each gate at once, over connections that are kept, and returns what each gate answered.
fn rush(gates: &[Bench], counts: &[usize]) -> Vec<Vec<Answer>> {
    std::thread::scope(|scope| {
        let rushing = gates.iter().zip(counts).map(|(bench, count)| {
            scope.spawn(move || {
                let mut client = bench.connect();
                let ask = |_| asked(&mut client, &order(&bench.key));
                (0..*count).map(ask).collect()
            })
        });
        let rushing: Vec<_> = rushing.collect();
        rushing.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn asked(client: &mut Client, request: &[u8]) -> Answer {
    client.send(request);
    client.answer().unwrap()
}

fn admitted(answers: &[Vec<Answer>]) -> usize {
    answers
        .iter()
        .flatten()
        .filter(|answer| answer.status == 200)
        .count()
}

/// How often the server ran one of our scripts.
fn scripts_run(server: &Redis) -> u64 {
    let stats = server.info("commandstats");
    let line = stats
        .lines()
        .find(|line| line.starts_with("cmdstat_evalsha:calls="));
    let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
    calls.map_or(0, |calls| calls.parse().unwrap())
}

fn cancel(key: &Key) -> Vec<u8> {
    let query = signed(key, "symbol=BTCUSDT");
    let id = &key.id;
    format!("DELETE /order?{query} HTTP/1.1\r\nHost: gw\r\nX-Key: {id}\r\n\r\n").into_bytes()
}

/// The events of the cluster that a gate has recorded, once there are so many.
fn events(bench: &Bench, name: &str, count: usize) -> Vec<Value> {
    let since = std::time::Instant::now();
    loop {
        let events = bench.entries("event", 1).into_iter();
        let events: Vec<Value> = events.filter(|entry| entry["event"] == name).collect();
        if events.len() >= count {
            return events;
        }
        assert!(since.elapsed() < crate::common::SOON, "{name}: {events:?}");
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
            assert!(since.elapsed() < crate::common::SOON);
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

#[test]
fn two_and_four_gates_spend_a_shared_limit_to_its_last_unit_and_not_beyond() {
    for count in [2, 4] {
        let Some(server) = redis(&[]) else { return };
        let venue = Venue::fine();
        let gates = gates(count, server.address, &venue, |snapshot| {
            let across = json!({"on_loss": "refuse"});
            // Each gate's own would be used up if what is refused elsewhere were charged here.
            let own = json!({"name": "own", "subject": "account", "counts": "orders", "quota": 41,
                             "window_ms": DAY_MS});
            snapshot["budget"]["limits"] = json!([shared(40, across), own]);
            snapshot["engine"]["threads"] = 2.into();
        });
        let answers = rush(&gates, &vec![50; count]);
        assert_eq!(admitted(&answers), 40);
        assert_eq!(venue.heard().len(), 40);
        for bench in &gates {
            let refused = bench.entries("decision", 50).into_iter();
            let refused = refused.filter(|entry| entry["decision"] == "refused");
            let limits: Vec<Value> = refused
                .map(|entry| entry["refusal"]["detail"].clone())
                .collect();
            assert!(limits.iter().all(|name| name == "shared"), "{limits:?}");
        }
    }
}

#[test]
fn a_signature_that_one_gate_took_is_good_at_no_other_nor_at_one_that_was_restarted() {
    let Some(server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let claims = |snapshot: &mut Value| snapshot["freshness"]["across"] = "refuse".into();
    let mut gates = gates(2, server.address, &venue, claims);
    std::thread::sleep(UNSURE);
    let (order, read) = (order(&gates[0].key), read_account(&gates[0].key));
    assert_eq!(gates[0].ask(&order).status, 200);
    assert_eq!(gates[1].ask(&order).code(), "replay_seen");
    // Looking twice is no harm; what was signed to look changes nothing elsewhere.
    assert_eq!(gates[0].ask(&read).status, 200);
    assert_eq!(gates[1].ask(&read).status, 200);
    let first = gates.remove(0);
    let (key, again) = (first.key.clone(), Venue::fine());
    first.gate.stop(0).unwrap();
    let restarted = Bench::start_for(key, again.address, |snapshot| {
        snapshot["cluster"] = cluster(server.address);
        claims(snapshot);
    });
    until_reachable(&restarted, true);
    assert_eq!(restarted.ask(&order).code(), "replay_seen");
    assert_eq!((venue.heard().len(), again.heard().len()), (3, 0));
}

#[test]
fn a_server_that_was_emptied_admits_nothing_again_and_gives_nothing_back() {
    let Some(server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let gates = gates(2, server.address, &venue, |snapshot| {
        snapshot["freshness"]["across"] = "refuse".into();
        snapshot["budget"]["limits"] = json!([shared(3, json!({"on_loss": "refuse"}))]);
    });
    std::thread::sleep(UNSURE);
    let [first, unsent] = [(); 2].map(|()| order(&gates[0].key));
    assert_eq!(gates[0].ask(&first).status, 200);
    server.say("FLUSHALL");
    // The first to ask notices; nobody is admitted by what is not known.
    assert_eq!(gates[1].ask(&first).code(), "cluster_unavailable");
    for bench in &gates {
        let _ = bench.ask(&order(&bench.key));
        until_reachable(bench, true);
    }
    std::thread::sleep(UNSURE);
    assert_eq!(
        gates[1].ask(&unsent).code(),
        "cluster_unavailable",
        "it may have been sent"
    );
    // Two units were left. How many of them were used since is not known any more.
    assert_eq!(
        gates[1].ask(&order(&gates[1].key)).code(),
        "budget_exceeded"
    );
    assert_eq!(venue.heard().len(), 1);
    assert_eq!(events(&gates[0], "cluster.replaced", 1).len(), 1);
}

#[test]
fn without_the_server_each_limit_does_as_it_says_and_nobody_waits() {
    let Some(mut server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let said = |on_loss: &str| json!({"on_loss": on_loss, "share": 2});
    let [refusing, sharing] = ["refuse", "local_share"].map(|on_loss| {
        gates(1, server.address, &venue, |snapshot| {
            snapshot["budget"]["limits"] = json!([shared(4, said(on_loss))]);
            snapshot["cluster"]["prefix"] = on_loss.into();
            snapshot["cluster"]["deadline_ms"] = 100.into();
        })
        .remove(0)
    });
    server.signal("-STOP");
    let since = Instant::now();
    for bench in [&refusing, &sharing] {
        let code = bench.ask(&order(&bench.key)).code();
        assert_eq!(
            code == "cluster_unavailable",
            std::ptr::eq(bench, &refusing),
            "{code}"
        );
    }
    // A deadline each, at most.
    assert!(
        since.elapsed() < Duration::from_secs(1),
        "{:?}",
        since.elapsed()
    );
    server.kill();
    for bench in [&refusing, &sharing] {
        until_reachable(bench, false);
    }
    assert_eq!(
        refusing.ask(&order(&refusing.key)).code(),
        "cluster_unavailable"
    );
    assert_eq!(
        refusing.ask(&cancel(&refusing.key)).status,
        200,
        "a cancel goes on"
    );
    assert_eq!(sharing.ask(&order(&sharing.key)).status, 200);
    assert_eq!(
        sharing.ask(&order(&sharing.key)).code(),
        "budget_exceeded",
        "two were its share"
    );
    server.start();
    until_reachable(&refusing, true);
    assert_eq!(
        refusing.ask(&order(&refusing.key)).code(),
        "budget_exceeded",
        "nothing is known"
    );
}

#[test]
fn what_was_taken_without_the_server_is_told_it_when_it_is_back() {
    let Some(server) = redis(&[]) else { return };
    let (venue, wire) = (Venue::fine(), Wire::to(server.address));
    let claims = |snapshot: &mut Value| {
        snapshot["freshness"]["across"] = "local".into();
        snapshot["cluster"]["deadline_ms"] = 100.into();
    };
    let cut_off = gates(1, wire.address, &venue, claims).remove(0);
    let other = Bench::start_for(cut_off.key.clone(), venue.address, |snapshot| {
        snapshot["cluster"] = cluster(server.address);
        claims(snapshot);
    });
    until_reachable(&other, true);
    std::thread::sleep(UNSURE);
    wire.set_cut(true);
    let order = order(&cut_off.key);
    assert_eq!(cut_off.ask(&order).status, 200);
    wire.set_cut(false);
    until_reachable(&cut_off, true);
    assert_eq!(cut_off.ask(&read_account(&cut_off.key)).status, 200);
    assert_eq!(other.ask(&order).code(), "replay_seen");
}

#[test]
fn leases_spend_nearly_all_and_never_more_and_hardly_ask() {
    let Some(server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let gates = gates(2, server.address, &venue, |snapshot| {
        let across = json!({"lease": 20, "on_loss": "lease_out"});
        snapshot["budget"]["limits"] = json!([shared(600, across)]);
    });
    // Nine of ten at one of them.
    let before = scripts_run(&server);
    let answers = rush(&gates, &[720, 80]);
    let asked = scripts_run(&server) - before;
    let admitted = admitted(&answers);
    assert!((570..=600).contains(&admitted), "{admitted}");
    assert_eq!(venue.heard().len(), admitted);
    assert!(asked < 150, "{asked} of 800");
}

#[test]
fn a_lease_that_is_held_is_used_up_without_the_server_and_no_more() {
    let Some(mut server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let gate = gates(1, server.address, &venue, |snapshot| {
        let across = json!({"lease": 10, "on_loss": "lease_out"});
        snapshot["budget"]["limits"] = json!([shared(1000, across)]);
    })
    .remove(0);
    assert_eq!(gate.ask(&order(&gate.key)).status, 200);
    let held = gate.gate.status()["cluster"]["leased"].as_u64().unwrap() as usize;
    assert!((1..=10).contains(&held), "{held}");
    server.kill();
    until_reachable(&gate, false);
    let answers = rush(std::slice::from_ref(&gate), &[held + 5]);
    assert_eq!(admitted(&answers), held);
    assert!(
        answers[0][held..]
            .iter()
            .all(|answer| answer.code() == "cluster_unavailable")
    );
}

#[test]
fn messages_of_a_channel_are_charged_and_claimed_as_requests_are() {
    let Some(server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let gates = gates(2, server.address, &venue, |snapshot| {
        snapshot["dialects"]["test"] = talk::with_channel();
        snapshot["freshness"]["across"] = "refuse".into();
        snapshot["budget"]["limits"] = json!([shared(3, json!({"on_loss": "refuse"}))]);
    });
    std::thread::sleep(UNSURE);
    let key = gates[0].key.clone();
    let mut talks = [0, 1].map(|n| Talk::open(&gates[n]));
    let first = talk::signed(&key, 1, "order.place", talk::order());
    assert_eq!(talks[0].ask(&first)["status"], 200);
    assert_eq!(talk::code(&talks[1].ask(&first)), "replay_seen");
    // Several in one breath are answered, each by its own.
    for id in 2..6 {
        talks[1].say(&talk::signed(&key, id, "order.place", talk::order()));
    }
    let answers: Vec<Value> = (2..6).map(|_| talks[1].hear()).collect();
    let passed = answers.iter().filter(|answer| answer["status"] == 200);
    assert_eq!(passed.count(), 2, "{answers:?}");
    let over = answers
        .iter()
        .filter(|answer| talk::code(answer) == "budget_exceeded");
    assert_eq!(over.count(), 2, "{answers:?}");
    assert_eq!(gates[0].ask(&order(&key)).code(), "budget_exceeded");
    assert_eq!(venue.heard().len(), 3);
}

#[test]
fn a_server_that_was_killed_goes_on_where_it_was_if_it_keeps_what_it_is_told() {
    let kept = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut server) = redis(&kept) else {
        return;
    };
    let venue = Venue::fine();
    let gates = gates(2, server.address, &venue, |snapshot| {
        snapshot["freshness"]["across"] = "refuse".into();
        snapshot["budget"]["limits"] = json!([shared(3, json!({"on_loss": "refuse"}))]);
    });
    std::thread::sleep(UNSURE);
    let key = gates[0].key.clone();
    let [first, unsent] = [(); 2].map(|()| order(&key));
    assert_eq!(gates[0].ask(&first).status, 200);
    server.kill();
    for bench in &gates {
        until_reachable(bench, false);
    }
    server.start();
    for bench in &gates {
        until_reachable(bench, true);
    }
    // Another process may not have what the one before was told last.
    assert_eq!(gates[1].ask(&unsent).code(), "cluster_unavailable");
    std::thread::sleep(UNSURE);
    let rest = [0, 1, 0].map(|n| gates[n].ask(&order(&key)));
    assert_eq!(rest.each_ref().map(|answer| answer.status), [200, 200, 429]);
    assert_eq!(rest[2].code(), "budget_exceeded");
    assert_ne!(gates[1].ask(&first).status, 200);
    assert_eq!(venue.heard().len(), 3);
}

#[test]
fn where_the_server_s_clock_was_set_back_an_hour_nothing_comes_back_early() {
    let Some(server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let mut short = shared(2, json!({"on_loss": "refuse"}));
    short["window_ms"] = 200.into();
    let gates = gates(2, server.address, &venue, |snapshot| {
        snapshot["budget"]["limits"] = json!([short]);
    });
    // As far as it has counted, it was an hour later already.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let ahead_ms = now.as_millis() + 3_600_000;
    server.say(&format!("HSET {{test}}:state now {ahead_ms}"));
    let mut passed = 0;
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(700) {
        for bench in &gates {
            passed += usize::from(bench.ask(&order(&bench.key)).status == 200);
        }
    }
    assert_eq!(passed, 2, "in windows of 200 ms");
}

#[test]
fn what_is_over_by_the_server_s_clock_is_not_taken_by_a_gate_that_is_an_hour_behind() {
    let Some(server) = redis(&[]) else { return };
    let venue = Venue::fine();
    let gates = gates(1, server.address, &venue, |snapshot| {
        snapshot["freshness"]["across"] = "refuse".into();
    });
    std::thread::sleep(UNSURE);
    let key = gates[0].key.clone();
    assert_eq!(gates[0].ask(&order(&key)).status, 200);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let ahead_ms = now.as_millis() + 3_600_000;
    server.say(&format!("HSET {{test}}:state now {ahead_ms}"));
    // Its claim is forgotten there by now, if it was ever made.
    assert_eq!(gates[0].ask(&order(&key)).code(), "cluster_unavailable");
    assert_eq!(
        gates[0].ask(&read_account(&key)).status,
        200,
        "to look again is no harm"
    );
}
