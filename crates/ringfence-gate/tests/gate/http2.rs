//! HTTP/2: streams are messages like any other, and whoever dawdles, floods or breaks the rules is told so and cut off,
//! never at others' expense.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::common::frames::{
    ACK, CALM, CANCEL, CONTINUATION, Client, DATA, END_HEADERS, END_STREAM, End, FRAME_SIZE_ERROR,
    GOAWAY, HEADERS, NO_ERROR, PING, PRIORITY, REFUSED_STREAM, RST_STREAM, SETTINGS, Secure, TIME,
    WINDOW_UPDATE, block, frame,
};
use crate::common::signed;
use crate::common::venue::{FINE, Venue};

fn fine() -> End {
    End::Answer("{}".into())
}

/// A request with these fields beside the usual ones.
fn with<'a>(
    method: &'a str,
    path: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        (":method", method),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ];
    fields.extend(more);
    fields
}

/// Sends an order that every control lets pass.
fn place(client: &mut Client, gate: &Secure) -> u32 {
    let text = "symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000.00&quantity=0.001";
    let body = signed(gate.key(), text);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let fields = with("POST", "/order", &[("x-key", &gate.key().id), form]);
    let stream = client.open(&fields, 0);
    client.send_frame(DATA, END_STREAM, stream, body.as_bytes());
    stream
}

#[test]
fn an_order_is_forwarded_as_http1_and_recorded_as_h2() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let mut client = gate.connect();
    let stream = place(&mut client, &gate);
    assert_eq!(client.end(stream), fine());
    assert_eq!(client.ask(TIME), fine());
    let heard = venue.heard();
    assert!(
        heard[0].starts_with("POST /order HTTP/1.1\r\n"),
        "{heard:?}"
    );
    let decisions = gate.bench.entries("decision", 2);
    let order = decisions.iter().find(|entry| entry["method"] == "POST");
    let order = order.unwrap();
    assert_eq!(order["transport"], "h2");
    assert_eq!(order["path"], "/order");
    assert_eq!(gate.bench.entries("outcome", 1)[0]["result"], "answered");
}

#[test]
fn a_stream_that_waits_holds_no_other_up() {
    let venue = Venue::new(|stream, request| {
        if request.starts_with("GET /account") {
            std::thread::sleep(Duration::from_millis(200));
        }
        stream.write_all(FINE).is_ok()
    });
    let gate = Secure::start(venue.address, |_| {});
    let mut client = gate.connect();
    let path = format!("/account?{}", signed(gate.key(), ""));
    let account = with("GET", &path, &[("x-key", &gate.key().id)]);
    let slow = client.open(&account, END_STREAM);
    assert_eq!(client.ask(TIME), fine());
    assert_eq!(client.end(slow), fine());
}

#[test]
fn one_stream_too_many_is_refused_and_the_others_go_on() {
    let (venue, answer_now) = Venue::held();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 20_000.into();
    });
    let mut client = gate.connect();
    let streams: Vec<u32> = (0..100).map(|_| client.open(TIME, END_STREAM)).collect();
    assert_eq!(client.ask(TIME), End::Reset(REFUSED_STREAM));
    for _ in &streams {
        answer_now.send(()).unwrap();
    }
    for _ in &streams {
        let frame = client.until(DATA).unwrap();
        assert_eq!(frame.payload, b"{}");
    }
    drop(answer_now);
    assert_eq!(client.ask(TIME), fine());
}

#[test]
fn a_head_of_too_many_fields_or_bytes_is_refused_in_the_dialects_form() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let mut client = gate.connect();
    // Host, which is added from :authority, is the 32nd.
    assert_eq!(client.ask(&with("GET", "/time", &[("a", "1"); 31])), fine());
    let many = client.ask(&with("GET", "/time", &[("a", "1"); 32]));
    assert_eq!(many.said(), "http_header_too_large");
    let (fits, long) = ("v".repeat(4000), "v".repeat(4100));
    assert_eq!(client.ask(&with("GET", "/time", &[("a", &fits)])), fine());
    let large = client.ask(&with("GET", "/time", &[("a", &long)]));
    assert_eq!(large.said(), "http_header_too_large");
    assert_eq!(venue.heard().len(), 2);
}

#[test]
fn a_header_bomb_ends_the_connection_before_it_unfolds() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let mut client = gate.connect();
    // One field that goes into the table, and is named a thousand times by one byte.
    let mut bomb = block(TIME);
    bomb.extend([0x40, 1, b'a', 127, 0x80 + 89, 29]);
    bomb.extend([b'v'; 3928]);
    bomb.extend([0xbe; 1000]);
    let stream = client.fresh();
    client.send_frame(HEADERS, END_HEADERS | END_STREAM, stream, &bomb);
    assert_eq!(client.end(stream), End::Away(CALM));
    gate.bench.until_refused("http_flood", 1);
    assert!(venue.heard().is_empty());
    assert!(gate.is_well());
}

#[test]
fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let mut client = gate.connect();
    let said = client.open(&with("POST", "/order", &[("content-length", "16385")]), 0);
    assert_eq!(client.end(said).said(), "http_body_too_large");
    let unsaid = client.open(&with("POST", "/order", &[]), 0);
    client.send_frame(DATA, 0, unsaid, &[b'a'; 16_384]);
    client.send_frame(DATA, 0, unsaid, b"a");
    assert_eq!(client.end(unsaid).said(), "http_body_too_large");
    assert_eq!(client.ask(TIME), fine());
}

#[test]
fn a_frame_that_is_too_large_ends_the_connection() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let mut client = gate.connect();
    let stream = client.open(&with("POST", "/order", &[]), 0);
    client.send_frame(DATA, 0, stream, &[b'a'; 16_385]);
    assert_eq!(client.end(stream), End::Away(FRAME_SIZE_ERROR));
    gate.bench.until_refused("http_malformed", 1);
}

/// Sends the same bytes until the gate has had enough of them, or a thousand times; returns what it says.
fn flood(
    gate: &Secure,
    prepare: impl FnOnce(&mut Client),
    bytes: impl Fn(&mut Client) -> Vec<u8>,
) -> End {
    let mut client = gate.connect();
    prepare(&mut client);
    for _ in 0..1000 {
        let bytes = bytes(&mut client);
        client.send(&bytes);
    }
    // A client that is not told off gets an answer to this.
    client.ask(TIME)
}

#[test]
fn frames_that_ask_for_nothing_end_the_connection() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["http"]["body_timeout_ms"] = 20_000.into();
    });
    let floods: [(&str, Vec<u8>); 8] = [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("PONG", frame(PING, ACK, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        (
            "a setting",
            frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]),
        ),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown", frame(0xbe, 0, 0, b"x")),
        ("empty DATA", frame(DATA, 0, 1, &[])),
    ];
    for (number, (name, bytes)) in floods.into_iter().enumerate() {
        let open = |client: &mut Client| {
            client.open(&with("POST", "/order", &[]), 0);
        };
        let end = flood(&gate, open, |_| bytes.clone());
        assert_eq!(end, End::Away(CALM), "{name}");
        gate.bench.until_refused("http_flood", number as u64 + 1);
    }
    assert!(gate.is_well());
    // Beside the orders, whose bodies broke off, and the last question.
    let entries = gate.bench.entries("decision", 17);
    let flooded = entries
        .iter()
        .filter(|entry| entry["refusal"]["code"] == "http_flood");
    assert!(flooded.clone().all(|entry| entry["transport"] == "h2"));
    assert_eq!(flooded.count(), 8);
}

#[test]
fn streams_that_are_opened_and_given_up_end_the_connection() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let reset = |client: &mut Client| {
        let stream = client.fresh();
        let opened = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(TIME));
        [opened, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    };
    assert_eq!(flood(&gate, |_| {}, reset), End::Away(CALM));
    assert!(gate.is_well());
    gate.bench.until_refused("http_flood", 1);
}

#[test]
fn streams_that_are_given_up_once_the_venue_has_them_end_the_connection() {
    let (venue, _answer_now) = Venue::held();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 20_000.into();
    });
    let mut client = gate.connect();
    // Ten a second are forgiven.
    let heard = (1..=300).find(|count| {
        let stream = client.open(TIME, END_STREAM);
        let mut looks = 0..1000;
        let heard = looks.any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            venue.heard().len() >= *count
        });
        client.send_frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        !heard
    });
    assert!(heard.is_some(), "the venue heard all of them");
    assert_eq!(client.until(GOAWAY).unwrap().code(), CALM);
    gate.bench.until_refused("http_flood", 1);
}

#[test]
fn a_head_without_end_ends_the_connection() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["http"]["header_timeout_ms"] = 20_000.into();
    });
    let begin = |client: &mut Client| {
        let stream = client.fresh();
        client.send_frame(HEADERS, END_STREAM, stream, &block(TIME));
    };
    let more = frame(CONTINUATION, 0, 1, &block(&[("a", "1")]));
    assert_eq!(flood(&gate, begin, |_| more.clone()), End::Away(CALM));
    gate.bench.until_refused("http_flood", 1);
    assert!(venue.heard().is_empty());
}

#[test]
fn a_flood_counts_against_its_address_at_the_edge() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["edge"] =
            serde_json::json!({"requests": 2, "window_ms": 3_600_000, "addresses": 16});
    });
    let end = flood(&gate, |_| {}, |_| frame(PING, 0, 0, &[0; 8]));
    assert_eq!(end, End::Away(CALM));
    gate.bench.until_refused("http_flood", 1);
    let mut client = gate.connect();
    assert_eq!(client.ask(TIME), fine());
    assert_eq!(client.ask(TIME).said(), "edge_rate");
}

#[test]
fn streams_that_the_parser_refuses_are_recorded_and_count_against_their_address() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["edge"] =
            serde_json::json!({"requests": 3, "window_ms": 3_600_000, "addresses": 16});
    });
    let mut client = gate.connect();
    for _ in 0..3 {
        let end = client.ask(&with("GET", "/time", &[("connection", "close")]));
        assert_eq!(end, End::Reset(crate::common::frames::PROTOCOL_ERROR));
    }
    drop(client);
    gate.bench.until_refused("http_malformed", 3);
    let entries = gate.bench.entries("decision", 3);
    assert!(entries.iter().all(|entry| entry["transport"] == "h2"));
    assert_eq!(gate.connect().ask(TIME).said(), "edge_rate");
}

#[test]
fn malformed_streams_without_number_end_the_connection() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let mut client = gate.connect();
    let hop = with("GET", "/time", &[("connection", "close")]);
    let ends: Vec<End> = (0..65).map(|_| client.ask(&hop)).collect();
    assert!(ends[..64].iter().all(|end| matches!(end, End::Reset(_))));
    assert_eq!(ends[64], End::Away(CALM));
    gate.bench.until_refused("http_flood", 1);
    assert!(gate.is_well());
}

#[test]
fn a_plain_listener_knows_no_http2() {
    let venue = Venue::fine();
    let bench = crate::common::Bench::start(venue.address, |_| {});
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert_eq!(bench.ask(preface).code(), "http_malformed");
    let upgrade = b"GET /time HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade, HTTP2-Settings\r\n\
        Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert_eq!(bench.ask(upgrade).status, 200);
    assert!(!venue.heard()[0].to_lowercase().contains("h2c"));
}

#[test]
fn a_connection_without_a_request_is_ended_in_time() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let begun = Instant::now();
    let mut client = gate.connect();
    let away = client.until(GOAWAY).unwrap();
    assert_eq!(away.code(), NO_ERROR);
    while client.next().is_some() {}
    assert!(begun.elapsed() < Duration::from_secs(5));
    gate.bench.until("connections_timed_out", 1);
    gate.bench.until("connections_open", 0);
}

#[test]
fn pings_do_not_keep_an_idle_connection_open() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["http"]["idle_timeout_ms"] = 300.into();
    });
    let mut client = gate.connect();
    assert_eq!(client.ask(TIME), fine());
    let begun = Instant::now();
    let away = loop {
        assert!(begun.elapsed() < crate::common::SOON, "it was kept open");
        client.send_frame(PING, 0, 0, &[0; 8]);
        match client.next() {
            Some(frame) if frame.kind == GOAWAY => break frame,
            Some(_) => std::thread::sleep(Duration::from_millis(20)),
            None => panic!("no word"),
        }
    };
    assert_eq!(away.code(), NO_ERROR);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    drop(client);
    gate.bench.until("connections_open", 0);
}

#[test]
fn a_head_or_a_frame_that_comes_too_slowly_ends_the_connection() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let head = block(TIME);
    let whole = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head);
    let begun = frame(HEADERS, END_STREAM, 1, &head);
    for (number, bytes) in [&whole[..20], &whole[..4], &begun[..]]
        .into_iter()
        .enumerate()
    {
        let mut client = gate.connect();
        assert_eq!(client.ask(TIME), fine());
        let bytes = [
            &bytes[..8.min(bytes.len())],
            bytes.get(8..).unwrap_or_default(),
        ];
        for part in bytes {
            client.send(part);
        }
        // More of the same head is no more time.
        let away = client.until(GOAWAY).unwrap();
        assert_eq!(away.code(), CALM);
        gate.bench.until("connections_timed_out", number as u64 + 1);
    }
}

#[test]
fn a_body_that_comes_too_slowly_is_refused_and_holds_no_other_up() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |_| {});
    let mut client = gate.connect();
    let slow = client.open(&with("POST", "/order", &[]), 0);
    client.send_frame(DATA, 0, slow, b"symbol=");
    assert_eq!(client.ask(TIME), fine());
    assert_eq!(client.end(slow).said(), "http_timeout");
    assert_eq!(client.ask(TIME), fine());
}

/// A venue whose answers are 8 MiB.
fn large_venue() -> Venue {
    Venue::new(|stream, _| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n";
        let mut parts = 0..8 * 1024;
        stream.write_all(head).is_ok() && parts.all(|_| stream.write_all(&[b'a'; 1024]).is_ok())
    })
}

#[test]
fn a_client_that_opens_no_window_has_its_stream_cancelled_even_if_it_takes_crumbs() {
    for crumbs in [false, true] {
        let venue = large_venue();
        let gate = Secure::start(venue.address, |_| {});
        // SETTINGS_INITIAL_WINDOW_SIZE of zero.
        let mut client = gate.connect_with(&[0, 4, 0, 0, 0, 0]);
        let stream = client.open(TIME, END_STREAM);
        let begun = Instant::now();
        let mut reset = None;
        while reset.is_none() {
            assert!(begun.elapsed() < crate::common::SOON, "it was waited for");
            if crumbs {
                std::thread::sleep(Duration::from_millis(10));
                client.send_frame(WINDOW_UPDATE, 0, stream, &[0, 0, 0, 1]);
            }
            let frame = client.next().expect("a word");
            reset = Some(frame).filter(|frame| frame.kind == RST_STREAM);
        }
        assert_eq!(reset.unwrap().code(), CANCEL);
        gate.bench.until("connections_timed_out", 1);
        // Nothing of the venue's is held for it any more.
        gate.bench.until("upstream_connections", 0);
    }
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let venue = large_venue();
    let gate = Secure::start(venue.address, |_| {});
    // A window that is never in the way.
    let mut client = gate.connect_with(&[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    client.send_frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]);
    for _ in 0..8 {
        client.open(TIME, END_STREAM);
    }
    gate.bench.until("connections_open", 0);
    assert!(gate.bench.gate.status()["connections_timed_out"].as_u64() >= Some(1));
    drop(client);
    assert!(gate.bench.gate.status()["panics"] == 0);
}

#[test]
fn what_all_streams_send_together_is_bounded_by_one_window_that_comes_back() {
    let venue = Venue::fine();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["http"]["body_timeout_ms"] = 1000.into();
    });
    let mut client = gate.connect();
    let streams: Vec<u32> = (0..64)
        .map(|_| client.open(&with("POST", "/order", &[]), 0))
        .collect();
    // 64 bodies of 16 KiB are all that fits. The gate opens no more as long as none of them has ended.
    for stream in &streams[..63] {
        client.send_frame(DATA, 0, *stream, &[b'a'; 16_384]);
    }
    client.send_frame(PING, 0, 0, &[7; 8]);
    let mut given = 0;
    loop {
        let frame = client.next().unwrap();
        match frame.kind {
            WINDOW_UPDATE if frame.stream == 0 => {
                given += u32::from_be_bytes(frame.payload[..4].try_into().unwrap());
            }
            PING if frame.payload == [7; 8] => break,
            _ => {}
        }
    }
    assert!(given + 65_535 <= 1024 * 1024, "{given}");
    for stream in &streams {
        client.send_frame(RST_STREAM, 0, *stream, &[0, 0, 0, 8]);
    }
    for _ in 0..128 {
        let stream = client.open(&with("POST", "/order", &[]), 0);
        client.send_frame(DATA, END_STREAM, stream, &[b'a'; 16_384]);
        assert!(matches!(client.end(stream), End::Answer(_)));
    }
}

#[test]
fn an_order_whose_stream_is_given_up_is_carried_to_its_end() {
    let (venue, answer_now) = Venue::held();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 20_000.into();
    });
    let mut client = gate.connect();
    let stream = place(&mut client, &gate);
    venue.until_heard(1);
    client.send_frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    client.send_frame(PING, 0, 0, &[7; 8]);
    while client.until(PING).unwrap().payload != [7; 8] {}
    assert_eq!(gate.bench.gate.status()["in_flight"], 1);
    answer_now.send(()).unwrap();
    assert_eq!(gate.bench.entries("outcome", 1)[0]["result"], "answered");
    gate.bench.until("in_flight", 0);
}

#[test]
fn a_drain_says_goodbye_and_lets_finish_what_is_under_way() {
    let (venue, answer_now) = Venue::held();
    let gate = Secure::start(venue.address, |snapshot| {
        snapshot["upstream"]["response_timeout_ms"] = 20_000.into();
    });
    let (mut client, mut idle) = (gate.connect(), gate.connect());
    let stream = place(&mut client, &gate);
    venue.until_heard(1);
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| gate.bench.gate.stop(10_000));
        assert_eq!(client.until(GOAWAY).unwrap().code(), NO_ERROR);
        assert_eq!(idle.until(GOAWAY).unwrap().code(), NO_ERROR);
        answer_now.send(()).unwrap();
        assert_eq!(client.end(stream), fine());
        drop((client, idle));
        stopping.join().unwrap().unwrap();
    });
}
