//! When there is more to do than the venue takes, cancels get through, orders are refused in time and reads come last.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::common::client::Client;
use crate::common::venue::{FINE, Venue};
use crate::common::{Bench, Key, SOON, TIME, order, post, read_account, signed};
use serde_json::{Value, json};

/// What the dialect of the bench has not: cancels that name an order, and orders that only reduce a position.
fn with_cancels(snapshot: &mut Value) {
    let dialect = &mut snapshot["dialects"]["test"];
    dialect["order_fields"]["reduce_only"] = "reduceOnly".into();
    let routes = dialect["routes"].as_array_mut().unwrap();
    routes[0]["parameters"]
        .as_array_mut()
        .unwrap()
        .push("reduceOnly".into());
    routes.push(
        json!({"method": "DELETE", "path": "/cancel", "operation": "order.cancel", "weight": 1,
                       "parameters": ["symbol", "orderId", "timestamp", "recvWindow", "signature"]}),
    );
}

fn cancel(key: &Key) -> Vec<u8> {
    let query = signed(key, "symbol=BTCUSDT&orderId=1");
    format!(
        "DELETE /cancel?{query} HTTP/1.1\r\nHost: gw\r\nX-Key: {}\r\n\r\n",
        key.id
    )
    .into_bytes()
}

fn reducing(key: &Key) -> Vec<u8> {
    let text = "symbol=BTCUSDT&side=SELL&type=LIMIT&price=50000.00&quantity=0.001&reduceOnly=true";
    post(key, &signed(key, text))
}

/// A venue that answers when it is told to.
#[derive(Clone, Default)]
struct Held(Arc<(Mutex<usize>, Condvar)>);

impl Held {
    fn venue(&self) -> Venue {
        let held = self.clone();
        Venue::new(move |stream, _| {
            held.wait();
            stream.write_all(FINE).is_ok()
        })
    }

    fn wait(&self) {
        let (left, told) = &*self.0;
        let left = left.lock().unwrap();
        let (mut left, _) = told
            .wait_timeout_while(left, SOON, |left| *left == 0)
            .unwrap();
        *left -= 1;
    }

    fn answer(&self, count: usize) {
        let (left, told) = &*self.0;
        *left.lock().unwrap() += count;
        told.notify_all();
    }
}

/// Which operations the venue has heard, in their order.
fn heard(venue: &Venue) -> Vec<&'static str> {
    let all = venue.heard();
    let word = |request: &String| match request {
        request if request.starts_with("DELETE") => "cancel",
        request if request.contains("reduceOnly=true") => "reducing",
        request if request.starts_with("POST") => "order",
        request if request.starts_with("GET /account") => "account",
        _ => "market",
    };
    all.iter().map(word).collect()
}

/// Sends a request and waits until it waits for a connection, beside `before` others.
fn queue(bench: &Bench, request: &[u8], before: usize) -> Client {
    let mut client = bench.connect();
    client.send(request);
    let since = Instant::now();
    while bench.gate.status()["overload"]["waiting"] != before + 1 {
        assert!(since.elapsed() < SOON, "{}", bench.gate.status());
        std::thread::sleep(Duration::from_millis(1));
    }
    client
}

fn patient(snapshot: &mut Value) {
    with_cancels(snapshot);
    snapshot["upstream"]["connections"] = 1.into();
    snapshot["upstream"]["response_timeout_ms"] = 10_000.into();
    snapshot["overload"]["waits_ms"] = json!({"risk_reducing": 9000, "order": 9000,
                                              "account_read": 9000, "market_read": 9000});
}

#[test]
fn who_came_last_goes_first_if_it_reduces_risk() {
    let held = Held::default();
    let venue = held.venue();
    let bench = Bench::start(venue.address, patient);
    let key = &bench.key;
    let mut busy = bench.connect();
    busy.send(&order(key));
    venue.until_heard(1);
    let waiting = [
        TIME.to_vec(),
        read_account(key),
        order(key),
        cancel(key),
        reducing(key),
    ];
    let waiting = waiting.iter().enumerate();
    let mut clients: Vec<_> = waiting.map(|(n, one)| queue(&bench, one, n)).collect();
    held.answer(6);
    for client in &mut clients {
        assert_eq!(client.answer().unwrap().status, 200);
    }
    let wanted = ["order", "cancel", "reducing", "order", "account", "market"];
    assert_eq!(heard(&venue), wanted);
    assert_eq!(bench.gate.status()["overload"]["waiting"], 0);
}

#[test]
fn in_a_full_line_a_read_makes_way_for_an_order_and_hears_when_to_come_back() {
    let held = Held::default();
    let venue = held.venue();
    let bench = Bench::start(venue.address, |snapshot| {
        patient(snapshot);
        snapshot["overload"]["waiting"] = 2.into();
    });
    let key = &bench.key;
    let mut busy = bench.connect();
    busy.send(&order(key));
    venue.until_heard(1);
    let mut first = queue(&bench, TIME, 0);
    let mut second = queue(&bench, &read_account(key), 1);
    let mut third = bench.connect();
    third.send(&order(key));
    let refused = first.answer().unwrap();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "overloaded")
    );
    assert_eq!(refused.field("retry-after"), Some("1"));
    // There is nothing left that is less urgent than another account's read.
    let refused = bench.ask(&read_account(key));
    assert_eq!(refused.code(), "overloaded");
    held.answer(3);
    for client in [&mut busy, &mut third, &mut second] {
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(heard(&venue), ["order", "order", "account"]);
    let shed = &bench.gate.status()["overload"]["shed"];
    let wanted = json!({"market_read": 1, "account_read": 1, "order": 0, "risk_reducing": 0});
    assert_eq!(*shed, wanted);
}

#[test]
fn an_order_that_waited_too_long_is_never_sent_and_a_cancel_stays_while_one_is_under_way() {
    let held = Held::default();
    let venue = held.venue();
    let bench = Bench::start(venue.address, |snapshot| {
        patient(snapshot);
        snapshot["overload"]["waits_ms"] = json!({"risk_reducing": 20, "order": 20});
    });
    let key = &bench.key;
    let mut busy = bench.connect();
    busy.send(&order(key));
    venue.until_heard(1);
    let mut cancels = queue(&bench, &cancel(key), 0);
    let late = bench.ask(&order(key));
    assert_eq!((late.status, late.code().as_str()), (503, "overloaded"));
    // Ten times as long as it may wait for its equals.
    std::thread::sleep(Duration::from_millis(200));
    held.answer(2);
    assert_eq!(busy.answer().unwrap().status, 200);
    assert_eq!(cancels.answer().unwrap().status, 200);
    assert_eq!(heard(&venue), ["order", "cancel"]);
    let outcomes = bench.entries("outcome", 3);
    let late = outcomes.iter().find(|one| one["reason"] == "overloaded");
    assert_eq!(late.unwrap()["result"], "not_sent");
}

/// How long cancels took in all, one after another, in order of time.
fn cancels(bench: &Bench, count: usize) -> Vec<Duration> {
    let mut client = bench.connect();
    let mut taken: Vec<_> = (0..count)
        .map(|_| {
            let since = Instant::now();
            client.send(&cancel(&bench.key));
            assert_eq!(client.answer().unwrap().status, 200, "a cancel was refused");
            since.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken
}

/// Sends orders as fast as they are answered; returns how many were refused for want of room.
fn quotes(stream: TcpStream, key: &Key, stop: &AtomicBool) -> usize {
    let (mut client, mut shed) = (Client::new(stream), 0);
    while !stop.load(Ordering::Relaxed) {
        client.send(&order(key));
        match client.answer().unwrap().status {
            200 => {}
            503 => shed += 1,
            status => panic!("{status}"),
        }
    }
    shed
}

#[test]
fn a_flood_of_quotes_sheds_quotes_and_no_cancel_and_cancels_are_as_fast_as_without() {
    // Four at a time, 20 ms each: three times as many quotes come as there is room for.
    let venue = Venue::new(|stream, _| {
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(FINE).is_ok()
    });
    let bench = Bench::start(venue.address, |snapshot| {
        with_cancels(snapshot);
        snapshot["upstream"]["connections"] = 4.into();
        snapshot["upstream"]["response_timeout_ms"] = 10_000.into();
        snapshot["overload"]["waits_ms"] = json!({"order": 40});
    });
    let alone = cancels(&bench, 20);
    let (stop, shed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let flooded = std::thread::scope(|scope| {
        for _ in 0..12 {
            let stream = TcpStream::connect(bench.address).unwrap();
            scope.spawn(|| shed.fetch_add(quotes(stream, &bench.key, &stop), Ordering::Relaxed));
        }
        bench.until_refused("overloaded", 1);
        let flooded = cancels(&bench, 30);
        stop.store(true, Ordering::Relaxed);
        flooded
    });
    let shed_by_class = bench.gate.status()["overload"]["shed"].clone();
    assert!(shed.load(Ordering::Relaxed) > 0 && shed_by_class["order"] != 0);
    assert_eq!(shed_by_class["risk_reducing"], 0);
    // The middle, which a busy machine moves least.
    let middle = |taken: &[Duration]| taken[taken.len() / 2];
    assert!(
        middle(&flooded) <= middle(&alone) * 2,
        "{flooded:?}, alone {alone:?}"
    );
}

fn circuit(bench: &Bench) -> Value {
    bench.gate.status()["overload"]["threads"][0]["circuit"].clone()
}

fn concurrency(bench: &Bench) -> Value {
    bench.gate.status()["overload"]["threads"][0]["concurrency"].clone()
}

#[test]
fn a_venue_that_is_away_is_left_alone_but_by_cancels_and_begun_with_anew() {
    static AWAY: AtomicBool = AtomicBool::new(true);
    let held = Held::default();
    let behind = held.clone();
    let venue = Venue::new(move |stream, request| {
        if request.contains("BUY") {
            behind.wait();
        }
        !AWAY.load(Ordering::SeqCst) && stream.write_all(FINE).is_ok()
    });
    let bench = Bench::start(venue.address, |snapshot| {
        patient(snapshot);
        snapshot["upstream"]["connections"] = 16.into();
        snapshot["overload"]["breaker"] = json!({"failures": 2, "open_ms": 60_000});
    });
    let key = &bench.key;
    assert_eq!(
        bench
            .ask(&[b"GET /nowhere".as_slice(), &TIME[9..]].concat())
            .status,
        404
    );
    assert_eq!(concurrency(&bench), 10);
    assert_eq!(bench.ask(TIME).code(), "venue_malformed");
    assert_eq!(circuit(&bench), "closed");
    assert_eq!(bench.ask(TIME).code(), "venue_malformed");
    assert_eq!(circuit(&bench), "open");
    for request in [TIME.to_vec(), order(key)] {
        let refused = bench.ask(&request);
        assert_eq!(refused.code(), "venue_unreachable");
        let after_s: u64 = refused.field("retry-after").unwrap().parse().unwrap();
        assert!((55..=120).contains(&after_s), "{after_s}");
    }
    assert_eq!(venue.heard().len(), 2);
    assert_eq!(bench.ask(&cancel(key)).code(), "venue_outcome_unknown");
    assert_eq!(venue.heard().len(), 3);
    AWAY.store(false, Ordering::SeqCst);
    assert_eq!(bench.ask(&cancel(key)).status, 200);
    assert_eq!(circuit(&bench), "closed");
    // What waited must not fall upon it at once.
    assert_eq!(concurrency(&bench), 4);
    let mut clients: Vec<_> = (0..4).map(|_| bench.connect()).collect();
    clients
        .iter_mut()
        .for_each(|client| client.send(&order(key)));
    venue.until_heard(8);
    let mut fifth = queue(&bench, &order(key), 0);
    assert_eq!(bench.ask(&cancel(key)).status, 200);
    held.answer(5);
    for client in clients.iter_mut().chain([&mut fifth]) {
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert!(concurrency(&bench).as_u64().unwrap() > 4);
    let events = bench.entries("event", 3);
    let told: Vec<_> = events
        .iter()
        .filter_map(|one| one["event"].as_str())
        .collect();
    let told: Vec<_> = told
        .into_iter()
        .filter(|one| one.starts_with("venue."))
        .collect();
    assert_eq!(told, ["venue.away", "venue.back"]);
}

#[test]
fn a_thread_that_is_behind_does_without_reads_unverified_and_goes_on_with_orders_and_cancels() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        patient(snapshot);
        // It is never less behind than that.
        snapshot["overload"]["lag_ms"] = 0.into();
    });
    let since = Instant::now();
    let level = || bench.gate.status()["overload"]["threads"][0]["brownout"].clone();
    let key = &bench.key;
    // More at once than there are turns: some always wait. A thread with less to do may be on time.
    let mut flood: Vec<_> = (0..40).map(|_| bench.connect()).collect();
    while level() != "orders" {
        assert!(since.elapsed() < SOON, "{}", bench.gate.status());
        flood.iter_mut().for_each(|client| client.send(&order(key)));
        for client in &mut flood {
            let answer = client.answer().unwrap();
            assert_eq!(answer.status, 200, "{}", answer.code());
        }
    }
    let before = heard(&venue).len();
    let stranger = Key {
        id: "nobody".into(),
        secret: vec![0; 32],
    };
    for request in [TIME.to_vec(), read_account(key), read_account(&stranger)] {
        let refused = bench.ask(&request);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (503, "overloaded")
        );
        assert_eq!(refused.field("retry-after"), Some("1"));
    }
    for request in [order(key), cancel(key), reducing(key)] {
        assert_eq!(bench.ask(&request).status, 200);
    }
    assert_eq!(heard(&venue)[before..], ["order", "cancel", "reducing"]);
    let events = bench.entries("event", 2);
    assert!(events.iter().any(|one| one["event"] == "overload.begin"));
    let shed = &bench.gate.status()["overload"]["shed"];
    let wanted = json!({"market_read": 1, "account_read": 2, "order": 0, "risk_reducing": 0});
    assert_eq!(*shed, wanted);
}
