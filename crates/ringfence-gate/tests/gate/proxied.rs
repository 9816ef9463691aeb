//! Behind a balancer the client's own address counts, as the balancer's header has it, and nobody else says whose it is.

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::common::client::{Client, asked};
use crate::common::tls::{Stream, certificate, offering, roots, with_tls};
use crate::common::venue::Venue;
use crate::common::{Bench, Key, SOON, TIME, read_account};
use ringfence_gate::check;
use ringfence_wire::proxy::SIGNATURE;
use rustls::version::TLS13;
use serde_json::{Value, json};

/// A listener whose balancer is 127.0.0.1.
fn behind(snapshot: &mut Value) {
    snapshot["listeners"][0]["proxy_protocol"] = json!({"from": ["127.0.0.1/32"]});
}

fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
}

/// What a balancer says of a client at this address.
fn of(client: Ipv4Addr) -> Vec<u8> {
    let rest = [
        &client.octets()[..],
        &[127, 0, 0, 1, 0xc3, 0x50, 0x01, 0xbb],
    ]
    .concat();
    header(1, 0x11, &rest)
}

const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";

fn through(bench: &Bench, header: &[u8]) -> Client {
    let mut client = bench.connect();
    client.send(header);
    client
}

fn from(bench: &Bench, network: u8, host: u8) -> Client {
    through(bench, &of(Ipv4Addr::new(127, 0, network, host)))
}

fn turned(bench: &Bench, why: &str) -> u64 {
    let status = bench.gate.status();
    status["proxy_refused"]["main"][why].as_u64().unwrap_or(0)
}

fn until_turned(bench: &Bench, why: &str, wanted: u64) {
    let since = Instant::now();
    while turned(bench, why) < wanted {
        assert!(since.elapsed() < SOON, "{why}: {}", bench.gate.status());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_key_s_addresses_are_those_of_clients_and_not_of_the_balancer() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, behind);
    let asked = |client: Ipv4Addr| {
        let mut client = through(&bench, &of(client));
        asked(&mut client, &read_account(&bench.key))
    };
    assert_eq!(asked(Ipv4Addr::new(127, 0, 0, 9)), "served");
    assert_eq!(asked(Ipv4Addr::new(192, 0, 2, 9)), "address_not_allowed");
}

#[test]
fn clients_are_counted_and_banned_each_by_itself_and_the_balancer_never() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        behind(snapshot);
        snapshot["edge"] = json!({"requests": 1_000_000, "window_ms": 600_000, "addresses": 1024, "connections": 4});
        snapshot["bans"] = json!({"points": {"signature_invalid": 10}, "threshold": 30, "leak_per_s": 0,
            "forgive_s": 3600, "steps": [{"answer": "ban", "seconds": 600}], "exempt": [], "known_s": 3600,
            "verifications": 5, "capacity": 100});
    });
    // Far more connections than an address has, all of one peer.
    let served = |host| asked(&mut from(&bench, 0, host), TIME) == "served";
    assert!((1..=20).all(served));
    let more = (0..5).filter(|_| served(1)).count();
    assert_eq!(more, 3);
    let forged = read_account(&Key {
        id: bench.key.id.clone(),
        secret: vec![7; 32],
    });
    let mut forger = from(&bench, 1, 9);
    let said: Vec<_> = (0..3).map(|_| asked(&mut forger, &forged)).collect();
    assert_eq!(said, ["signature_invalid"; 3]);
    let banned: Vec<_> = bench
        .gate
        .bans()
        .iter()
        .map(|ban| ban.target.clone())
        .collect();
    assert_eq!(banned, ["127.0.1.9"]);
    assert_eq!(asked(&mut from(&bench, 1, 8), TIME), "served");
}

#[test]
fn whoever_is_no_balancer_is_not_served_whatever_its_header_says() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, behind);
    for said in [of(Ipv4Addr::new(127, 0, 0, 9)), LOCAL.to_vec(), Vec::new()] {
        let mut other = bench.connect_from(0, 2);
        other.send(&said);
        assert_eq!(asked(&mut other, TIME), "gone");
    }
    assert_eq!(turned(&bench, "untrusted"), 3);
    assert_eq!(bench.gate.status()["permitted"], 0);
}

#[test]
fn a_balancer_that_sends_no_header_of_version_2_is_not_served_and_that_is_told() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, behind);
    let unix = header(1, 0x31, &[0; 216]);
    for (said, why) in [
        (&b""[..], "missing"),
        (b"PROXY TCP4 127.0.0.9 127.0.0.1 50000 443\r\n", "version_1"),
        (&unix, "family"),
        (&header(1, 0x00, b""), "family"),
        (&header(1, 0x11, &[0; 5000]), "too_long"),
        (&header(3, 0x11, &[7; 12]), "malformed"),
    ] {
        assert_eq!(asked(&mut through(&bench, said), TIME), "gone", "{why}");
        assert!(turned(&bench, why) > 0, "{why}");
    }
    let refused = |entry: &Value| entry["event"] == "proxy.refused";
    // A busy machine has events of its own in between.
    let mut events = Vec::new();
    while events.iter().filter(|event| refused(event)).count() < 5 {
        events = bench.entries("event", events.len() + 1);
    }
    let told = events.iter().filter(|event| refused(event));
    let mut told: Vec<_> = told
        .map(|entry| entry["detail"]["why"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    // Of those that come again, not more than once in a minute.
    assert_eq!(
        told,
        ["family", "malformed", "missing", "too_long", "version_1"]
    );
}

#[test]
fn a_header_that_does_not_come_in_time_ends_the_connection() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, behind);
    let mut slow = through(&bench, &of(Ipv4Addr::new(127, 0, 0, 9))[..20]);
    assert_eq!(asked(&mut slow, b""), "gone");
    until_turned(&bench, "late", 1);
    drop(through(&bench, b""));
    until_turned(&bench, "hung_up", 1);
}

#[test]
fn only_so_many_connections_wait_for_their_header_and_they_give_their_places_back() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        behind(snapshot);
        snapshot["http"]["connections"] = 2.into();
        snapshot["http"]["handshake_timeout_ms"] = 60_000.into();
    });
    let silent = [bench.connect(), bench.connect()];
    assert_eq!(asked(&mut from(&bench, 0, 9), TIME), "gone");
    bench.until_refused("connections_exhausted", 1);
    drop(silent);
    until_turned(&bench, "hung_up", 2);
    assert_eq!(asked(&mut from(&bench, 0, 9), TIME), "served");
}

fn shaken(bench: &Bench, made: &rcgen::CertifiedKey<rcgen::KeyPair>, parts: &[&[u8]]) -> Stream {
    let mut stream = offering(bench, roots(made), &TLS13, &["http/1.1"]);
    for part in parts {
        stream.sock.write_all(part).unwrap();
    }
    stream.write_all(TIME).unwrap();
    stream.flush().unwrap();
    stream
}

#[test]
fn tls_begins_behind_the_header_however_it_is_cut() {
    let (venue, made, folder) = (Venue::fine(), certificate(), tempfile::tempdir().unwrap());
    let tls = with_tls(folder.path(), &made);
    let bench = Bench::start(venue.address, |snapshot| {
        tls(snapshot);
        behind(snapshot);
    });
    let said = of(Ipv4Addr::new(127, 0, 0, 9));
    let bytes: Vec<_> = said.chunks(1).collect();
    for parts in [&[&said[..]][..], &bytes] {
        let mut answer = [0; 12];
        let mut stream = shaken(&bench, &made, parts);
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    // What comes with the header in one piece is the client's.
    let plain = Bench::start(venue.address, behind);
    let whole = [&said[..], TIME].concat();
    assert_eq!(asked(&mut plain.connect(), &whole), "served");
}

#[test]
fn a_balancer_s_own_connection_is_served_and_nobody_is_banned_for_it() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        behind(snapshot);
        snapshot["bans"] = json!({"points": {"route_unknown": 10}, "threshold": 30, "leak_per_s": 0,
            "forgive_s": 3600, "steps": [{"answer": "ban", "seconds": 600}], "exempt": [], "known_s": 3600,
            "verifications": 5, "capacity": 100});
    });
    let health = b"GET /health HTTP/1.1\r\nHost: gw\r\n\r\n";
    let mut own = through(&bench, LOCAL);
    assert!((0..10).all(|_| asked(&mut own, health) == "route_unknown"));
    let mut client = from(&bench, 0, 1);
    assert!(bench.gate.bans().is_empty());
    assert!((0..3).all(|_| asked(&mut client, health) == "route_unknown"));
    assert_eq!(bench.gate.bans().len(), 1);
}

#[test]
fn balancers_are_named_and_few() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |from: Value| {
        let snapshot = crate::common::snapshot(folder.path(), "http://127.0.0.1:1", |snapshot| {
            snapshot["listeners"][0]["proxy_protocol"] = json!({"from": from});
        });
        check(&snapshot).unwrap_err().to_string()
    };
    for (from, said) in [
        (
            json!([]),
            "listeners[0].proxy_protocol.from: name the balancers",
        ),
        (
            json!(["127.0.0.1", "x"]),
            "listeners[0].proxy_protocol.from[1]: not a network",
        ),
        (
            json!(["0.0.0.0/0"]),
            "listeners[0].proxy_protocol.from[0]: is too wide",
        ),
    ] {
        assert!(wrong(from).starts_with(said), "{said}");
    }
}
