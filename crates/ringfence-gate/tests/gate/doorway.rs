//! What an address and its network may do before anything is said: connect, and shake hands.

use crate::common::client::Client;
use crate::common::tls::{Stream, certificate, offering, roots, with_tls};
use crate::common::venue::Venue;
use crate::common::{Bench, TIME};
use rustls::version::TLS13;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};

/// An edge whose window outlasts the test.
fn edge(more: Value) -> Value {
    let mut edge = json!({"requests": 1_000_000, "window_ms": 600_000, "addresses": 1024});
    edge.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    edge
}

fn is_served(client: &mut Client) -> bool {
    client.send(TIME);
    client.answer().is_some()
}

#[test]
fn an_address_and_its_network_open_so_many_connections_in_a_window() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["edge"] = edge(json!({"connections": 3, "network_factor": 2, "block_factor": 8}));
    });
    let bench = &bench;
    let served =
        |network, host| (0..5).filter(move |_| is_served(&mut bench.connect_from(network, host)));
    assert_eq!(served(0, 1).count(), 3);
    assert_eq!(served(0, 2).count(), 3);
    // Both have used up what their network has.
    assert_eq!(served(0, 3).count(), 0);
    assert_eq!(served(1, 1).count(), 3);
    assert_eq!(bench.refused("edge_rate"), 2 + 2 + 5 + 2);
}

#[test]
fn an_address_and_its_network_have_so_many_connections_at_once() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["http"]["connections_per_address"] = 2.into();
        snapshot["edge"] = edge(json!({"network_factor": 2}));
    });
    let mut kept: Vec<_> = (1..=4).map(|host| bench.connect_from(0, host)).collect();
    assert!(kept.iter_mut().all(is_served));
    assert!(!is_served(&mut bench.connect_from(0, 5)));
    assert!(is_served(&mut bench.connect_from(1, 1)));
    drop(kept);
    bench.until("connections_open", 0);
    assert!(is_served(&mut bench.connect_from(0, 5)));
}

fn shake(stream: &mut Stream) -> bool {
    let asked = stream.write_all(TIME).and_then(|()| stream.flush());
    // An answer: the gateway is done shaking hands, too.
    asked.is_ok() && stream.read_exact(&mut [0]).is_ok()
}

#[test]
fn an_address_begins_so_many_handshakes_in_a_window() {
    let (venue, made, folder) = (Venue::fine(), certificate(), tempfile::tempdir().unwrap());
    let tls = with_tls(folder.path(), &made);
    let bench = Bench::start(venue.address, |snapshot| {
        tls(snapshot);
        snapshot["edge"] = edge(json!({"handshakes": 3}));
    });
    let shaken = (0..5).filter(|_| {
        let mut stream = offering(&bench, roots(&made), &TLS13, &["http/1.1"]);
        shake(&mut stream)
    });
    assert_eq!(shaken.count(), 3);
    assert_eq!(bench.refused("edge_rate"), 2);
}

#[test]
fn an_address_has_so_many_handshakes_at_once() {
    let (venue, made, folder) = (Venue::fine(), certificate(), tempfile::tempdir().unwrap());
    let tls = with_tls(folder.path(), &made);
    let bench = Bench::start(venue.address, |snapshot| {
        tls(snapshot);
        snapshot["http"]["handshake_timeout_ms"] = 60_000.into();
        snapshot["edge"] = edge(json!({"handshakes_open": 2}));
    });
    let dial = || offering(&bench, roots(&made), &TLS13, &["http/1.1"]);
    // Two that say nothing.
    let silent = [bench.connect(), bench.connect()];
    bench.until("connections_open", 2);
    assert!(!shake(&mut dial()));
    drop(silent);
    bench.until("connections_open", 0);
    // Those that are done take no place.
    let mut kept = Vec::new();
    for _ in 0..4 {
        let mut stream = dial();
        assert!(shake(&mut stream));
        kept.push(stream);
    }
}
