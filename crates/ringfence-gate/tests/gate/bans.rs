//! Who is kept out, who is spared, and how it ends.

use std::time::{Duration, Instant};

use crate::common::client::asked;
use crate::common::talk::{Heard, Talk, order, signed, with_channel};
use crate::common::venue::Venue;
use crate::common::{Bench, Key, TIME, read_account};
use ringfence_gate::BanRecord;
use serde_json::{Value, json};

/// A ladder of two waits and a ban, climbed by every tenth wrong signature.
fn ladder() -> Value {
    json!({"points": {"signature_invalid": 10, "credential_unknown": 10, "edge_rate": 100, "budget_exceeded": 50},
           "threshold": 100, "leak_per_s": 0, "forgive_s": 3600,
           "steps": [{"answer": "ban", "seconds": 600}],
           "exempt": [], "known_s": 3600, "verifications": 5, "capacity": 100})
}

fn with_ladder(snapshot: &mut Value) {
    snapshot["bans"] = ladder();
    snapshot["edge"] = json!({"requests": 1_000_000, "window_ms": 600_000, "addresses": 1024});
}

fn ban(target: &str, reach: &str, seconds: u64) -> BanRecord {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_us = now.unwrap().as_micros() as u64;
    let record = json!({"target": target, "answer": "ban", "reach": reach, "origin": "operator", "step": 0,
                        "since_us": now_us, "until_us": now_us + seconds * 1_000_000, "why": "test"});
    BanRecord::parse(record.to_string().as_bytes()).unwrap()
}

/// Somebody who knows a key's id and not its secret.
fn forger(key: &Key) -> Key {
    Key {
        id: key.id.clone(),
        secret: vec![7; 32],
    }
}

/// Forges on connections of its own until the address is banned.
fn forge_until_banned(bench: &Bench, host: u8) {
    for _ in 0..100 {
        let mut client = bench.connect_from(0, host);
        if asked(&mut client, &read_account(&forger(&bench.key))) == "banned" {
            return;
        }
    }
    panic!("never banned: {:?}", bench.gate.bans());
}

/// Bans the strangers of an address from which the key was seen good.
fn ban_where_the_key_is_known(bench: &Bench) {
    assert_eq!(
        asked(&mut bench.connect_from(0, 9), &read_account(&bench.key)),
        "served"
    );
    bench
        .gate
        .add_ban(ban("127.0.0.9", "strangers", 600), &[])
        .unwrap();
}

#[test]
fn who_forges_is_banned_and_a_neighbour_behind_the_same_address_is_not() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, with_ladder);
    let mut good = bench.connect_from(0, 9);
    assert_eq!(asked(&mut good, &read_account(&bench.key)), "served");
    forge_until_banned(&bench, 9);
    let bans = bench.gate.bans();
    assert_eq!((bans.len(), bans[0].target.as_str()), (1, "127.0.0.9"));
    // On the connection that has proved it as often as it likes, and on a new one too.
    for _ in 0..50 {
        assert_eq!(asked(&mut good, &read_account(&bench.key)), "served");
        let _ = asked(
            &mut bench.connect_from(0, 9),
            &read_account(&forger(&bench.key)),
        );
    }
    // Unsigned, and with another key, nothing of the address is served.
    assert_eq!(asked(&mut bench.connect_from(0, 9), TIME), "banned");
    let other = Key {
        id: "somebody".into(),
        ..bench.key.clone()
    };
    assert_eq!(
        asked(&mut bench.connect_from(0, 9), &read_account(&other)),
        "banned"
    );
    assert_eq!(asked(&mut bench.connect_from(0, 8), TIME), "served");
}

#[test]
fn of_a_banned_address_no_more_is_verified_than_it_has() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, with_ladder);
    ban_where_the_key_is_known(&bench);
    let served = (0..12)
        .filter(|_| asked(&mut bench.connect_from(0, 9), &read_account(&bench.key)) == "served");
    // Each on a connection that has proved nothing yet.
    assert_eq!(served.count(), 5);
}

#[test]
fn what_is_not_spared_is_answered_in_the_venues_words_with_when_to_come_back() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, with_ladder);
    bench
        .gate
        .add_ban(ban("127.0.0.0/24", "all", 600), &[])
        .unwrap();
    let mut client = bench.connect_from(0, 9);
    client.send(TIME);
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (418, "banned"));
    let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((590..=600).contains(&wait), "{wait}");
    // And the connection is closed.
    assert!(client.rest().is_empty());
    assert_eq!(asked(&mut bench.connect_from(1, 1), TIME), "served");
    assert!(bench.gate.lift_ban("127.0.0.0/24", &[]).unwrap().is_some());
    assert!(bench.gate.lift_ban("127.0.0.0/24", &[]).unwrap().is_none());
    assert_eq!(asked(&mut bench.connect_from(0, 9), TIME), "served");
}

#[test]
fn a_banned_key_is_refused_wherever_it_comes_from_and_the_ledger_tells_no_address() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        with_ladder(snapshot);
        snapshot["ledger"]["personal"] = json!(["address"]);
    });
    let mut open = bench.connect_from(0, 9);
    assert_eq!(asked(&mut open, &read_account(&bench.key)), "served");
    let change = bench
        .gate
        .add_ban(ban("key:trader", "all", 600), &[])
        .unwrap();
    assert!(change.recorded && change.effective_us < 1000, "{change:?}");
    assert_eq!(asked(&mut open, &read_account(&bench.key)), "banned");
    assert_eq!(asked(&mut open, TIME), "served");
    bench
        .gate
        .add_ban(ban("127.0.0.9", "all", 600), &[])
        .unwrap();
    bench.gate.lift_ban("key:trader", &[]).unwrap();
    bench.gate.stop(0).unwrap();
    let events = bench.entries("event", 4);
    let told: Vec<_> = events
        .iter()
        .filter(|entry| entry["event"].as_str().unwrap().starts_with("ban."))
        .map(|entry| (entry["event"].as_str().unwrap(), &entry["detail"]))
        .collect();
    let [(added, key), (_, address), (lifted, _)] = told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((added, lifted), ("ban.added", "ban.lifted"));
    assert_eq!(key["credential"], "trader");
    assert_eq!(
        (&address["bits"], &address["origin"]),
        (&json!(32), &json!("operator"))
    );
    assert!(!address.to_string().contains("127.0.0.9"));
}

#[test]
fn a_ban_ends_what_is_open_within_a_millisecond_and_by_itself_when_it_is_over() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, with_ladder);
    let mut idle = bench.connect_from(0, 9);
    assert_eq!(asked(&mut idle, TIME), "served");
    let change = bench.gate.add_ban(ban("127.0.0.9", "all", 1), &[]).unwrap();
    assert!(change.effective_us < 1000, "{change:?}");
    assert!(idle.rest().is_empty());
    let since = Instant::now();
    while asked(&mut bench.connect_from(0, 9), TIME) != "served" {
        assert!(since.elapsed() < crate::common::SOON);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(bench.gate.bans().is_empty());
    let expired = |entry: &Value| entry["event"] == "ban.expired";
    while !bench.entries("event", 1).iter().any(expired) {
        assert!(since.elapsed() < crate::common::SOON);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn ten_thousand_addresses_would_be_one_network_and_bans_outlast_a_restart() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, with_ladder);
    // Each host forges less than would ban it; together they are one network.
    let mut forged = 0;
    'all: for host in 1..=200 {
        for _ in 0..9 {
            let mut client = bench.connect_from(0, host);
            if asked(&mut client, &read_account(&forger(&bench.key))) == "banned" {
                break 'all;
            }
            forged += 1;
        }
    }
    assert!((79..=81).contains(&forged), "{forged}");
    let bans = bench.gate.bans();
    assert_eq!((bans.len(), bans[0].target.as_str()), (1, "127.0.0.0/24"));
    let kept = json!(bans);
    let again = Bench::start(venue.address, |snapshot| {
        with_ladder(snapshot);
        snapshot["banned"] = kept;
    });
    assert_eq!(again.gate.bans().len(), 1);
    assert_eq!(asked(&mut again.connect_from(0, 201), TIME), "banned");
    assert_eq!(asked(&mut again.connect_from(1, 1), TIME), "served");
}

#[test]
fn a_channel_ends_with_a_ban_of_its_address_or_key_and_a_known_key_s_goes_on() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        with_ladder(snapshot);
        snapshot["dialects"]["test"] = with_channel();
    });
    let mut talk = Talk::open(&bench);
    let logon = talk.ask(&signed(&bench.key, 1, "session.logon", json!({})));
    assert_eq!(logon["result"]["key"], "trader");
    let mut stranger = Talk::open(&bench);
    bench
        .gate
        .add_ban(ban("127.0.0.1", "strangers", 600), &[])
        .unwrap();
    let told = "this address is kept out for a while";
    assert_eq!(stranger.next(), Heard::Closed(1008, told.into()));
    let answer = talk.ask(&signed(&bench.key, 2, "order.place", order()));
    assert_eq!(answer["status"], 200);
    bench
        .gate
        .add_ban(ban("key:trader", "all", 600), &[])
        .unwrap();
    let told = "the key of this session is not in force";
    assert_eq!(talk.next(), Heard::Closed(1008, told.into()));
}

#[test]
fn without_the_ladder_or_with_the_edge_observing_nobody_is_kept_out() {
    let venue = Venue::fine();
    for change in ["bans", "controls"] {
        let bench = Bench::start(venue.address, |snapshot| {
            with_ladder(snapshot);
            snapshot[change] = match change {
                "bans" => Value::Null,
                _ => json!({"edge": "observe"}),
            };
        });
        for _ in 0..40 {
            let mut client = bench.connect_from(0, 9);
            let said = asked(&mut client, &read_account(&forger(&bench.key)));
            assert_eq!(said, "signature_invalid", "{change}");
        }
    }
}

#[test]
fn a_flood_of_who_is_banned_is_one_entry_of_the_ledger_and_a_sum() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        with_ladder(snapshot);
        snapshot["edge"]["connections"] = 1_000_000.into();
    });
    ban_where_the_key_is_known(&bench);
    for _ in 0..20 {
        assert_eq!(asked(&mut bench.connect_from(0, 9), TIME), "banned");
    }
    bench.gate.stop(0).unwrap();
    let decisions = bench.entries("decision", 2);
    let banned = decisions
        .iter()
        .filter(|entry| entry["refusal"]["code"] == "banned");
    assert_eq!(banned.count(), 1);
    let sums = bench.entries("event", 1);
    let sum = sums
        .iter()
        .find(|entry| entry["event"] == "edge.summary")
        .unwrap();
    assert_eq!(sum["detail"]["refused"], 19);
}
