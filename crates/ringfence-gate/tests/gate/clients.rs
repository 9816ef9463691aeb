//! Clients that hang up, dawdle, flood or send what is no request: refused or cut off, and never at others' expense.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::common::venue::{FINE, Venue};
use crate::common::{Bench, TIME, order};

#[test]
fn an_order_is_carried_to_its_end_when_its_client_hangs_up() {
    let (venue, answer_now) = Venue::held();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 20_000.into();
    });
    let mut client = bench.connect();
    client.send(&order(&bench.key));
    venue.until_heard(1);
    drop(client);
    bench.until("connections_open", 0);
    assert_eq!(bench.gate.status()["in_flight"], 1);
    answer_now.send(()).unwrap();
    let outcome = &bench.entries("outcome", 1)[0];
    assert_eq!(
        (&outcome["result"], &outcome["status"]),
        (&"answered".into(), &200.into())
    );
    bench.until("in_flight", 0);
    drop(answer_now);
    // The connection to the venue is as good as before.
    assert_eq!(bench.ask(TIME).status, 200);
    assert_eq!(venue.connections(), 1);
}

#[test]
fn a_drain_lets_finish_what_is_under_way_also_without_its_client() {
    let (venue, answer_now) = Venue::held();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 20_000.into();
    });
    let (mut stays, mut leaves, mut idle) = (bench.connect(), bench.connect(), bench.connect());
    stays.send(&order(&bench.key));
    leaves.send(&order(&bench.key));
    venue.until_heard(2);
    drop(leaves);
    bench.until("connections_open", 2);
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| bench.gate.stop(20_000).unwrap());
        assert!(
            idle.rest().is_empty(),
            "an idle connection is closed without a word"
        );
        assert!(
            std::net::TcpStream::connect(bench.address).is_err(),
            "it still listens"
        );
        answer_now.send(()).unwrap();
        answer_now.send(()).unwrap();
        assert_eq!(stays.answer().unwrap().status, 200);
        assert!(stays.rest().is_empty());
        stopping.join().unwrap();
    });
    let outcomes = bench.entries("outcome", 2);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome["result"] == "answered"),
        "{outcomes:?}"
    );
}

#[test]
fn what_a_drain_does_not_wait_for_is_recorded_as_unknown() {
    let venue = Venue::new(|stream, _| {
        std::thread::sleep(Duration::from_secs(2));
        stream.write_all(FINE).is_ok()
    });
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 20_000.into();
    });
    let mut client = bench.connect();
    client.send(&order(&bench.key));
    venue.until_heard(1);
    bench.gate.stop(20).unwrap();
    assert!(client.answer().is_none());
    let outcome = &bench.entries("outcome", 1)[0];
    assert_eq!(
        (&outcome["result"], &outcome["reason"]),
        (&"unknown".into(), &"abandoned".into())
    );
}

#[test]
fn a_head_or_body_that_does_not_come_in_time_is_not_waited_for() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let start = Instant::now();
    let mut silent = bench.connect();
    let mut in_the_head = bench.connect();
    in_the_head.send(b"GET /time HTTP/1.1\r\nHo");
    let mut in_the_body = bench.connect();
    in_the_body.send(b"POST /order HTTP/1.1\r\nHost: gw\r\nContent-Length: 10\r\n\r\nabc");
    let mut second = bench.connect();
    second.send(TIME);
    assert_eq!(second.answer().unwrap().status, 200);
    second.send(b"GET");
    assert!(silent.rest().is_empty());
    assert!(in_the_head.rest().is_empty());
    let answer = in_the_body.answer().unwrap();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (408, "http_timeout")
    );
    assert!(in_the_body.rest().is_empty());
    assert!(second.rest().is_empty());
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(bench.gate.status()["connections_timed_out"], 3);
}

#[test]
fn trickling_bytes_buy_no_time() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let start = Instant::now();
    let mut client = bench.connect();
    let mut bytes = b"GET /time HTTP/1.1\r\nHost: gw\r\n".iter().cycle();
    while client.stream.write_all(&[*bytes.next().unwrap()]).is_ok() {
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "it is still listened to"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn between_messages_a_client_has_the_idle_time_and_not_the_heads() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["http"]["idle_timeout_ms"] = 900.into();
    });
    let mut client = bench.connect();
    for _ in 0..2 {
        client.send(TIME);
        assert_eq!(client.answer().unwrap().status, 200);
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(client.rest().is_empty());
}

#[test]
fn a_client_that_takes_no_answer_is_cut_off() {
    let venue = Venue::new(|stream, _| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
        let _ = stream.write_all(head);
        let piece = vec![b'x'; 1_000_000];
        (0..100).all(|_| stream.write_all(&piece).is_ok())
    });
    let bench = Bench::start(venue.address, |_| {});
    let mut client = bench.connect();
    client.send(TIME);
    venue.until_heard(1);
    bench.until("connections_open", 0);
    assert_eq!(bench.gate.status()["connections_timed_out"], 1);
}

#[test]
fn bytes_that_are_no_request_get_a_refusal_in_the_dialects_form() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let long_line = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(5000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(40));
    let cases: &[(&[u8], &str)] = &[
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "http_malformed"),
        (b"GET / HTTP/1.1\nHost: gw\n\n", "http_malformed"),
        (b"GET / HTTP/1.1\r\nHost : gw\r\n\r\n", "http_malformed"),
        (b"GET / HTTP/9.9\r\nHost: gw\r\n\r\n", "http_malformed"),
        (b"GET /time HTTP/1.1\r\n\r\n", "http_malformed"),
        (b"G\x01T / HTTP/1.1\r\nHost: gw\r\n\r\n", "http_malformed"),
        (b"POST /order HTTP/1.1\r\nHost: gw\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "http_framing_ambiguous"),
        (b"POST /order HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "http_malformed"),
        (b"POST /order HTTP/1.1\r\nHost: gw\r\nContent-Length: 99999\r\n\r\n", "http_body_too_large"),
        (b"GET /time#a HTTP/1.1\r\nHost: gw\r\n\r\n", ""),
        (long_line.as_bytes(), "http_header_too_large"),
        (many.as_bytes(), "http_header_too_large"),
        (b"GET /nowhere HTTP/1.1\r\nHost: gw\r\n\r\n", "route_unknown"),
    ];
    for (bytes, code) in cases {
        let answer = bench.ask(bytes);
        let shown = bytes.escape_ascii().to_string();
        if !code.is_empty() {
            assert_eq!(answer.code(), *code, "{}", &shown[..shown.len().min(90)]);
        }
        assert!(
            answer.field("x-ringfence-message").is_some(),
            "{}",
            answer.head
        );
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
    let decisions = bench.entries("decision", cases.len());
    assert_eq!(decisions.len(), cases.len());
    assert!(venue.heard().len() <= 1);
}

#[test]
fn what_follows_a_refused_head_is_never_read_as_a_request() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let mut client = bench.connect();
    client.send(
        b"POST /time HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    );
    client.send(TIME);
    assert_eq!(client.answer().unwrap().code(), "http_framing_ambiguous");
    assert!(client.rest().is_empty());
    assert!(venue.heard().is_empty());
}

#[test]
fn connections_are_bounded_by_address() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["http"]["connections_per_address"] = 3.into();
    });
    let kept: Vec<_> = (0..3).map(|_| bench.connect()).collect();
    bench.until("connections_open", 3);
    assert!(bench.connect().rest().is_empty());
    assert_eq!(bench.refused("connections_exhausted"), 1);
    drop(kept);
    bench.until("connections_open", 0);
    assert_eq!(bench.ask(TIME).status, 200);
}
