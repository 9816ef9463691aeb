//! A dead, slow or lying venue: documented refusals, honest outcomes, and nothing that may have been sent is sent twice.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::venue::{FINE, Venue};
use crate::common::{Bench, TIME, order, read_account};

/// Checks what an order's client and ledger are told when its fate is not known.
fn fate_is_unknown(
    reason: &str,
    behaviour: impl Fn(&mut TcpStream) -> bool + Send + Sync + 'static,
) {
    let venue = Venue::new(move |stream, _| behaviour(stream));
    let bench = Bench::start(venue.address, |_| {});
    let answer = bench.ask(&order(&bench.key));
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (504, "venue_outcome_unknown"),
        "{reason}"
    );
    let outcome = &bench.entries("outcome", 1)[0];
    assert_eq!(
        (&outcome["result"], &outcome["reason"]),
        (&"unknown".into(), &reason.into())
    );
    assert_eq!(venue.heard().len(), 1, "sent more than once");
    // The same from a read is no drama, but not retried either.
    let answer = bench.ask(&read_account(&bench.key));
    assert_eq!(answer.status, 504);
    assert!(["venue_timeout", "venue_malformed"].contains(&answer.code().as_str()));
    assert_eq!(venue.heard().len(), 2);
    assert_eq!(bench.entries("outcome", 1).len(), 1);
}

#[test]
fn a_venue_that_says_nothing_is_waited_for_and_no_longer() {
    fate_is_unknown("timeout", |stream| stream.read(&mut [0]).is_ok());
}

#[test]
fn a_venue_that_hangs_up_may_have_done_it() {
    fate_is_unknown("connection_lost", |_| false);
}

#[test]
fn a_body_that_breaks_off_is_no_answer() {
    fate_is_unknown("connection_lost", |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        false
    });
}

#[test]
fn a_body_that_stops_is_no_answer() {
    fate_is_unknown("timeout", |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        stream.read(&mut [0]).is_ok()
    });
}

#[test]
fn what_is_no_unambiguous_answer_is_refused() {
    for lie in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        fate_is_unknown("malformed_answer", move |stream| {
            let _ = stream.write_all(lie.as_bytes());
            false
        });
    }
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(200_000));
    fate_is_unknown("malformed_answer", move |stream| {
        let _ = stream.write_all(endless.as_bytes());
        false
    });
}

#[test]
fn interim_answers_are_swallowed() {
    let venue = Venue::new(|stream, _| {
        stream
            .write_all(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            .is_ok()
            && stream.write_all(FINE).is_ok()
    });
    let bench = Bench::start(venue.address, |_| {});
    let answer = bench.ask(&order(&bench.key));
    assert_eq!((answer.status, answer.field("link")), (200, None));
}

#[test]
fn fields_of_the_hop_do_not_travel_on() {
    let venue = Venue::new(|stream, _| {
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nConnection: x-hop, keep-alive\r\nX-Hop: a\r\nKeep-Alive: timeout=5\r\n\
                  X-Ringfence-Message: forged\r\nX-Kept: b\r\nContent-Length: 2\r\n\r\n{}",
            )
            .is_ok()
    });
    let bench = Bench::start(venue.address, |_| {});
    let answer = bench.ask(TIME);
    assert_eq!(answer.field("x-kept"), Some("b"));
    assert!(
        !answer.head.contains("x-hop") && !answer.head.contains("timeout=5"),
        "{}",
        answer.head
    );
    assert!(!answer.head.contains("forged"));
}

#[test]
fn a_dead_venue_is_said_to_be_and_nothing_was_sent() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let bench = Bench::start(nobody, |_| {});
    let answer = bench.ask(&order(&bench.key));
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (502, "venue_unreachable")
    );
    let outcome = &bench.entries("outcome", 1)[0];
    assert_eq!(
        (&outcome["result"], &outcome["reason"]),
        (&"not_sent".into(), &"venue_unreachable".into())
    );
    assert_eq!(bench.ask(TIME).code(), "venue_unreachable");
}

#[test]
fn a_connection_that_died_while_idle_is_replaced_without_the_client_seeing_it() {
    let venue = Venue::new(|stream, _| stream.write_all(FINE).is_err());
    let bench = Bench::start(venue.address, |_| {});
    for count in 1..20 {
        // Not a wait for luck: each answer must be right, however far the news of the hang-up has come.
        let answer = bench.ask(&order(&bench.key));
        let fine = answer.status == 200;
        assert!(
            fine || answer.code() == "venue_outcome_unknown",
            "{answer:?}"
        );
        assert_eq!(venue.heard().len(), count, "sent twice");
        bench.until("upstream_connections", 0);
    }
    assert_eq!(bench.refused("venue_outcome_unknown"), 0);
}

#[test]
fn a_streamed_answer_that_breaks_off_cuts_the_clients_connection() {
    for pause in [false, true] {
        let venue = Venue::new(move |stream, _| {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
            pause && stream.read(&mut [0]).is_ok()
        });
        let bench = Bench::start(venue.address, |_| {});
        let mut client = bench.connect();
        client.send(TIME);
        assert!(client.answer().is_none(), "a part was taken for the whole");
        bench.until("connections_open", 0);
    }
}

#[test]
fn connections_to_the_venue_are_bounded_and_waiting_for_one_is_too() {
    static OPEN: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let venue = Venue::new(|stream, _| {
        MOST.fetch_max(OPEN.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(100));
        OPEN.fetch_sub(1, Ordering::SeqCst);
        stream.write_all(FINE).is_ok()
    });
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["upstream"]["connections"] = 2.into();
        snapshot["overload"] =
            serde_json::json!({"reserve_percent": 0, "waits_ms": {"market_read": 250}});
    });
    let mut clients: Vec<_> = (0..12).map(|_| bench.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(TIME));
    let answers: Vec<_> = clients
        .iter_mut()
        .map(|client| client.answer().unwrap())
        .collect();
    let fine = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(
        (4..=6).contains(&fine),
        "{fine} of 12 in 250 ms, two at a time of 100 ms each"
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 || answer.code() == "overloaded")
    );
    assert_eq!(MOST.load(Ordering::SeqCst), 2);
    assert_eq!(venue.connections(), 2);
}

#[test]
fn a_venue_that_half_closes_is_not_waited_for() {
    let venue = Venue::new(|stream, _| stream.shutdown(Shutdown::Write).is_ok());
    let bench = Bench::start(venue.address, |_| {});
    assert_eq!(
        bench.ask(&order(&bench.key)).code(),
        "venue_outcome_unknown"
    );
}
