//! What an honest exchange looks like on both sides of the gate, and what a hostile client cannot make of it.

use std::io::Write;

use crate::common::venue::{FINE, Venue};
use crate::common::{Bench, TIME, order, post, read_account, signed};

#[test]
fn an_order_goes_to_the_venue_without_the_clients_credentials_and_comes_back() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let request = String::from_utf8(order(&bench.key)).unwrap().replace(
        "\r\n\r\n",
        "\r\nCookie: a=b\r\nAuthorization: Basic eA==\r\nX-Ringfence-Attestation: forged\r\n\
         Connection: accept, x-ringfence-attestation\r\nAccept: */*\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    );
    let answer = bench.ask(request.as_bytes());
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
    let id = answer.field("x-ringfence-message").unwrap();
    let heard = venue.heard().concat().to_ascii_lowercase();
    assert!(heard.starts_with("post /order http/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: {}\r\n", venue.address)));
    for secret in [
        "signature=",
        "trader",
        "cookie",
        "authorization",
        "forged",
        "accept:",
        "1.2.3.4",
    ] {
        assert!(!heard.contains(secret), "{secret} in {heard}");
    }
    assert_eq!(heard.matches("x-ringfence-attestation: ").count(), 1);
    let decision = &bench.entries("decision", 1)[0];
    assert_eq!(decision["message"], id);
    assert_eq!(
        (&decision["outcome"], &decision["operation"]),
        (&"permitted".into(), &"order.place".into())
    );
    let outcome = &bench.entries("outcome", 1)[0];
    assert_eq!(
        (&outcome["message"], &outcome["result"]),
        (&id.into(), &"answered".into())
    );
    assert_eq!(outcome["status"], 200);
}

#[test]
fn a_read_is_recorded_once_with_the_status_that_was_answered() {
    let venue = Venue::new(|stream, _| {
        stream
            .write_all(b"HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n")
            .is_ok()
    });
    let bench = Bench::start(venue.address, |_| {});
    assert_eq!(bench.ask(&read_account(&bench.key)).status, 418);
    bench.gate.stop(0).unwrap();
    let decisions = bench.entries("decision", 1);
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0]["status"], 418);
    assert!(bench.entries("outcome", 0).is_empty());
}

#[test]
fn a_refusal_is_recorded_with_its_status_and_nothing_is_sent() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let body = signed(
        &bench.key,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000.001&quantity=0.001",
    );
    let answer = bench.ask(&post(&bench.key, &body));
    assert_eq!((answer.status, answer.code().as_str()), (400, "price_tick"));
    let decision = &bench.entries("decision", 1)[0];
    assert_eq!(decision["refusal"]["code"], "price_tick");
    assert_eq!(decision["status"], 400);
    assert!(venue.heard().is_empty());
}

#[test]
fn connections_are_kept_alive_on_both_sides() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let mut client = bench.connect();
    for _ in 0..50 {
        client.send(&order(&bench.key));
        assert_eq!(client.answer().unwrap().status, 200);
        client.send(TIME);
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(venue.connections(), 1);
    assert_eq!(bench.gate.status()["connections_accepted"], 1);
}

#[test]
fn pipelined_requests_are_answered_in_order_one_at_a_time() {
    let venue = Venue::new(|stream, request| {
        let number = request
            .split("a=")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let body = number.unwrap_or("none");
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let bench = Bench::start(venue.address, |_| {});
    let mut client = bench.connect();
    let requests: String = (0..40)
        .map(|number| format!("GET /time?a={number} HTTP/1.1\r\nHost: gw\r\n\r\n"))
        .collect();
    client.send(requests.as_bytes());
    for number in 0..40 {
        assert_eq!(client.answer().unwrap().body, number.to_string().as_bytes());
    }
}

#[test]
fn a_request_is_understood_however_it_is_cut() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let mut client = bench.connect();
    for piece in [1, 7, 64] {
        for bytes in order(&bench.key).chunks(piece) {
            client.send(bytes);
        }
        assert_eq!(client.answer().unwrap().status, 200);
    }
}

#[test]
fn a_body_may_be_chunked_and_ends_the_connection() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let body = signed(
        &bench.key,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000.00&quantity=0.001",
    );
    let (first, second) = body.split_at(10);
    let head = format!(
        "POST /order HTTP/1.1\r\nHost: gw\r\nX-Key: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        bench.key.id
    );
    let chunks = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let mut client = bench.connect();
    client.send(format!("{head}{chunks}").as_bytes());
    client.send(TIME);
    let answer = client.answer().unwrap();
    assert_eq!(
        (answer.status, answer.field("connection")),
        (200, Some("close"))
    );
    assert!(client.rest().is_empty());
    let heard = venue.heard();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].contains("content-length: "), "{heard:?}");
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let whole = String::from_utf8(order(&bench.key)).unwrap();
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    let mut client = bench.connect();
    client.send(format!("{head}\r\nExpect: 100-continue\r\n\r\n").as_bytes());
    let mut interim = [0; 25];
    std::io::Read::read_exact(&mut client.stream, &mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send(body.as_bytes());
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn head_has_no_body_and_keeps_the_length() {
    let venue = Venue::new(|stream, request| {
        let answer: &[u8] = if request.starts_with("HEAD") {
            b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"
        } else {
            FINE
        };
        stream.write_all(answer).is_ok()
    });
    let bench = Bench::start(venue.address, |_| {});
    let mut client = bench.connect();
    client.send(b"HEAD /time HTTP/1.1\r\nHost: gw\r\n\r\n");
    let answer = client.answer_to("HEAD").unwrap();
    assert_eq!(
        (answer.status, answer.field("content-length")),
        (200, Some("1234"))
    );
    client.send(TIME);
    assert_eq!(client.answer().unwrap().body, b"{}");
}

#[test]
fn large_and_unmeasured_answers_are_streamed_whole() {
    const LENGTH: usize = 3_000_000;
    let venue = Venue::new(|stream, request| {
        let body = vec![b'x'; LENGTH];
        if request.contains("a=1") {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
            stream.write_all(head.as_bytes()).is_ok() && stream.write_all(&body).is_ok()
        } else {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let chunk = format!("{LENGTH:x}\r\n");
            [head, chunk.as_bytes(), &body, b"\r\n0\r\n\r\n"]
                .iter()
                .all(|part| stream.write_all(part).is_ok())
        }
    });
    let bench = Bench::start(venue.address, |_| {});
    let mut client = bench.connect();
    for target in ["/time?a=1", "/time?a=2", "/time?a=1"] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: gw\r\n\r\n").as_bytes());
        assert_eq!(client.answer().unwrap().body.len(), LENGTH);
    }
    assert_eq!(venue.connections(), 1);
}

#[test]
fn connection_close_is_honoured() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |_| {});
    let mut client = bench.connect();
    client.send(b"GET /time HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 200);
    assert!(client.rest().is_empty());
}

#[test]
fn who_asks_for_problem_details_gets_them_and_all_others_what_the_venue_would_say() {
    let venue = Venue::fine();
    let bench = Bench::start(venue.address, |snapshot| {
        snapshot["budget"]["limits"] = serde_json::json!([{"name": "day", "subject": "address",
            "counts": "requests", "quota": 1, "window_ms": 86_400_000}]);
    });
    assert_eq!(bench.ask(TIME).status, 200);
    let accepting = |accept: &str| {
        let head = format!("GET /time HTTP/1.1\r\nHost: gw\r\nAccept: {accept}\r\n\r\n");
        bench.ask(head.as_bytes())
    };
    let as_ever = bench.ask(TIME);
    assert_eq!(as_ever.body, br#"{"code":0,"msg":"budget_exceeded"}"#);
    for accept in [
        "*/*",
        "application/json",
        "application/json, application/problem+json",
    ] {
        let answer = accepting(accept);
        assert_eq!(
            (answer.status, &answer.body),
            (429, &as_ever.body),
            "{accept}"
        );
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
    let answer = accepting("application/problem+json, */*;q=0.5");
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json")
    );
    let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let id = answer.field("x-ringfence-message").unwrap();
    assert_eq!(told["instance"], format!("urn:ringfence:message:{id}"));
    assert_eq!(told["violated-policies"][0], "day");
    assert_eq!((answer.status, &told["status"]), (429, &429.into()));
    let after_s: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert_eq!(
        told["retry_after_ms"].as_u64().unwrap().div_ceil(1000),
        after_s
    );
    // The ledger has the status that this client saw.
    let unknown =
        bench.ask(b"GET /none HTTP/1.1\r\nHost: gw\r\nAccept: application/problem+json\r\n\r\n");
    let id = unknown.field("x-ringfence-message").unwrap();
    let entries = bench.entries("decision", 7);
    let entry = entries.iter().find(|entry| entry["message"] == id).unwrap();
    assert_eq!((unknown.status, &entry["status"]), (404, &404.into()));
}
