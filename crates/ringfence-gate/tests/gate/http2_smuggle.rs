//! What comes as HTTP/2 reaches the venue as one request per stream in HTTP/1.1, or not at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::common::client::find;
use crate::common::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, End, HEADERS, Secure, block, frame,
};
use crate::common::venue::FINE;

/// Field names that a request may have here, and no others.
const NAMES: [&str; 11] = [
    "host",
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-type",
    "if-modified-since",
    "if-none-match",
    "user-agent",
    "content-length",
    "x-ringfence-attestation",
];

/// What a venue read, or why it is no request.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Request {
    line: String,
    body: String,
}

/// A venue that reads as strictly as it can, and keeps what it read.
struct Strict {
    address: SocketAddr,
    read: Arc<Mutex<Vec<Result<Request, String>>>>,
}

impl Strict {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let read = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&read);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || attend(stream, &kept));
            }
        });
        Self { address, read }
    }

    fn take(&self) -> Vec<Result<Request, String>> {
        std::mem::take(&mut *self.read.lock().unwrap())
    }
}

/// Reads whatever comes as requests that follow one another without a gap.
fn attend(mut stream: TcpStream, kept: &Mutex<Vec<Result<Request, String>>>) {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4096];
        match stream.read(&mut more) {
            Ok(0) | Err(_) if bytes.is_empty() => return,
            Ok(0) | Err(_) => {
                let rest = String::from_utf8_lossy(&bytes).into_owned();
                return kept
                    .lock()
                    .unwrap()
                    .push(Err(format!("left over: {rest:?}")));
            }
            Ok(count) => bytes.extend_from_slice(&more[..count]),
        }
        while let Some(request) = strictly(&mut bytes) {
            let wrong = request.is_err();
            kept.lock().unwrap().push(request);
            if wrong || stream.write_all(FINE).is_err() {
                return;
            }
        }
    }
}

/// Takes one request off the front; an error says what is wrong with it.
fn strictly(bytes: &mut Vec<u8>) -> Option<Result<Request, String>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = bytes[..end].to_vec();
    let wrong = |what: &str| {
        let head = String::from_utf8_lossy(&head);
        Some(Err(format!("{what}: {head:?}")))
    };
    let plain = |byte: &u8| (b' '..=b'~').contains(byte) || *byte == b'\t' || *byte >= 0x80;
    let lines: Vec<&[u8]> = split(&head);
    if !lines.iter().all(|line| line.iter().all(plain)) {
        return wrong("a control character");
    }
    let line = String::from_utf8_lossy(lines[0]).into_owned();
    let words: Vec<&str> = line.split(' ').collect();
    if words.len() != 3 || !words[1].starts_with('/') || words[2] != "HTTP/1.1" {
        return wrong("no request line");
    }
    let (mut names, mut length) = (Vec::new(), 0);
    for field in &lines[1..] {
        let field = String::from_utf8_lossy(field).into_owned();
        let Some((name, value)) = field.split_once(": ") else {
            return wrong("no field");
        };
        let name = name.to_ascii_lowercase();
        if !NAMES.contains(&name.as_str()) || names.contains(&name) || value.trim() != value {
            return wrong("a field that has no business here");
        }
        if name == "content-length" {
            length = value.parse().unwrap();
        }
        names.push(name);
    }
    if !names.contains(&"host".to_owned()) {
        return wrong("no Host");
    }
    if bytes.len() < end + 4 + length {
        return None;
    }
    let whole: Vec<u8> = bytes.drain(..end + 4 + length).collect();
    let body = String::from_utf8_lossy(&whole[end + 4..]).into_owned();
    Some(Ok(Request { line, body }))
}

fn split(head: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = head;
    while let Some(end) = find(rest, b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    lines
}

type Fields = &'static [(&'static str, &'static str)];

/// What becomes of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    /// The venue reads exactly this: the request line, and the body.
    Forwarded(&'static str, &'static str),
    /// The venue reads nothing.
    Refused,
}
use Wanted::{Forwarded, Refused};

/// Fields as they stand, and a body that ends the stream, if there is one.
struct Case {
    fields: Fields,
    body: Option<&'static str>,
    wanted: Wanted,
}

const fn case(fields: Fields, body: Option<&'static str>, wanted: Wanted) -> Case {
    Case {
        fields,
        body,
        wanted,
    }
}

const M: (&str, &str) = (":method", "GET");
const P: (&str, &str) = (":method", "POST");
const S: (&str, &str) = (":scheme", "https");
const A: (&str, &str) = (":authority", "localhost");
const T: (&str, &str) = (":path", "/a");
const SMUGGLED: &str = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n";
const GOT: Wanted = Forwarded("GET /a HTTP/1.1", "");

fn cases() -> Vec<Case> {
    [fair(), pseudo(), targets(), fields(), lengths()]
        .into_iter()
        .flatten()
        .collect()
}

/// What must pass, or nothing below is proved.
fn fair() -> Vec<Case> {
    vec![
        case(&[M, S, A, T], None, GOT),
        case(&[T, A, S, M], None, GOT),
        case(&[M, S, A, T, ("host", "localhost")], None, GOT),
        case(&[M, S, A, T, ("te", "trailers")], None, GOT),
        // RFC 9113 8.2.3: crumbs of a cookie, of which none travels on.
        case(
            &[M, S, A, T, ("cookie", "a=1"), ("cookie", "b=2")],
            None,
            GOT,
        ),
        case(&[M, S, A, T, ("x-any", "a\u{e9}b")], None, GOT),
        case(
            &[M, S, A, (":path", "/a?b=%0d%0aHost:%20x")],
            None,
            Forwarded("GET /a?b=%0d%0aHost:%20x HTTP/1.1", ""),
        ),
        case(
            &[P, S, A, T, ("content-length", "3")],
            Some("a=b"),
            Forwarded("POST /a HTTP/1.1", "a=b"),
        ),
        // Without a length the data alone says where it ends, and what looks like a request in it is none.
        case(
            &[P, S, A, T],
            Some(SMUGGLED),
            Forwarded("POST /a HTTP/1.1", SMUGGLED),
        ),
        case(
            &[P, S, A, T],
            Some("0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n"),
            Forwarded(
                "POST /a HTTP/1.1",
                "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n",
            ),
        ),
    ]
}

/// RFC 9113 8.3: pseudo-header fields.
fn pseudo() -> Vec<Case> {
    vec![
        case(&[S, A, T], None, Refused),
        case(&[M, A, T], None, Refused),
        case(&[M, S, A], None, Refused),
        case(&[M, S, T], None, Refused),
        case(&[M, S, T, ("host", "localhost")], None, Refused),
        case(&[M, M, S, A, T], None, Refused),
        case(&[M, P, S, A, T], None, Refused),
        case(&[M, S, S, A, T], None, Refused),
        case(&[M, S, A, A, T], None, Refused),
        case(&[M, S, A, T, (":path", "/b")], None, Refused),
        case(&[M, S, A, ("accept", "*/*"), T], None, Refused),
        case(&[M, S, A, T, (":status", "200")], None, Refused),
        case(&[M, S, A, T, (":other", "1")], None, Refused),
        case(&[M, S, A, T, (":protocol", "websocket")], None, Refused),
        case(&[(":method", ""), S, A, T], None, Refused),
        case(
            &[(":method", "GET /admin HTTP/1.1\r\nx:"), S, A, T],
            None,
            Refused,
        ),
        case(&[(":method", "GET /"), S, A, T], None, Refused),
        case(&[(":method", " GET"), S, A, T], None, Refused),
        case(&[(":method", "G\u{e9}T"), S, A, T], None, Refused),
        case(&[M, (":scheme", "http"), A, T], None, Refused),
        case(&[M, (":scheme", "HTTPS://x/?"), A, T], None, Refused),
        case(&[M, (":scheme", "https\r\n"), A, T], None, Refused),
        case(&[M, (":scheme", ""), A, T], None, Refused),
        case(&[M, S, (":authority", ""), T], None, Refused),
        case(&[M, S, (":authority", "user@localhost"), T], None, Refused),
        case(&[M, S, (":authority", "localhost/admin"), T], None, Refused),
        case(
            &[M, S, (":authority", "localhost\r\nx: y"), T],
            None,
            Refused,
        ),
        case(&[M, S, (":authority", "localhost,x"), T], None, Refused),
        case(&[M, S, A, T, ("host", "other")], None, Refused),
        case(
            &[M, S, A, T, ("host", "localhost"), ("host", "localhost")],
            None,
            Refused,
        ),
        // RFC 9113 8.5 and RFC 8441: tunnels, for which no route is here.
        case(&[(":method", "CONNECT"), A], None, Refused),
        case(&[(":method", "CONNECT"), S, A, T], None, Refused),
        case(
            &[(":method", "CONNECT"), S, A, T, (":protocol", "h2c")],
            None,
            Refused,
        ),
        case(
            &[
                (":method", "CONNECT"),
                S,
                A,
                T,
                (":protocol", "websocket"),
                ("sec-websocket-version", "13"),
            ],
            None,
            Refused,
        ),
    ]
}

/// RFC 9113 8.3.1: `:path` begins with `/` and is a valid path and query.
fn targets() -> Vec<Case> {
    [
        "",
        "a",
        "*",
        "https://localhost/a",
        "//\r\n",
        "/a b",
        "/a HTTP/1.1\r\nHost: x\r\n\r\nGET /b",
        "/a\r\nx: y",
        "/a\nx: y",
        "/a\t",
        " /a",
        "/a ",
        "/a\0",
        "/a\u{7f}",
        "/\u{e9}",
        "/a\\b",
        "/a%",
        "/a%zz",
    ]
    .map(|path| Case {
        fields: Box::leak(Box::new([M, S, A, (":path", path)])),
        body: None,
        wanted: Refused,
    })
    .into()
}

/// RFC 9113 8.2: names and values.
fn fields() -> Vec<Case> {
    [
        ("connection", "close"),
        ("connection", "x-key"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("upgrade", "websocket"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
        ("te", "chunked"),
        ("te", "trailers, deflate"),
        ("Accept", "*/*"),
        ("acCept", "*/*"),
        ("", "x"),
        ("x y", "z"),
        ("x:y", "z"),
        ("x\r\ny", "z"),
        ("x\0", "z"),
        ("transfer-encoding ", "chunked"),
        ("transfer_encoding", "chunked"),
        ("content_length", "0"),
        ("x\u{e9}", "z"),
        ("accept", "a\r\ncontent-length: 0"),
        ("accept", "a\nb"),
        ("accept", "a\rb"),
        ("accept", "a\0b"),
        ("accept", "a\u{7f}b"),
        ("accept", "a\u{1}b"),
        ("accept", " a"),
        ("accept", "a "),
        ("accept", "\ta"),
        ("accept", "a\t"),
        ("expect", "something"),
    ]
    .map(|field| Case {
        fields: Box::leak(Box::new([M, S, A, T, field])),
        body: None,
        wanted: Refused,
    })
    .into()
}

/// RFC 9113 8.1.1: a length is the data's.
fn lengths() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "0", "2", "4", "30", "-1", "+3", "3, 3", "3 ", "", "x", "0x3",
    ]
    .map(|length| Case {
        fields: Box::leak(Box::new([P, S, A, T, ("content-length", length)])),
        body: Some("a=b"),
        wanted: Refused,
    })
    .into();
    cases.extend([
        case(
            &[P, S, A, T, ("content-length", "3"), ("content-length", "3")],
            Some("a=b"),
            Refused,
        ),
        case(
            &[P, S, A, T, ("content-length", "3"), ("content-length", "4")],
            Some("a=b"),
            Refused,
        ),
        case(&[P, S, A, T, ("content-length", "3")], None, Refused),
    ]);
    cases
}

fn open(snapshot: &mut serde_json::Value) {
    snapshot["listeners"][0]["dialect"] = "open".into();
}

#[test]
fn every_stream_is_one_request_or_none() {
    let venue = Strict::start();
    let gate = Secure::start(venue.address, open);
    let mut forwarded = 0;
    for Case {
        fields,
        body,
        wanted,
    } in cases()
    {
        let mut client = gate.connect();
        let flags = if body.is_none() { END_STREAM } else { 0 };
        let stream = client.open(fields, flags);
        if let Some(body) = body {
            client.send_frame(DATA, END_STREAM, stream, body.as_bytes());
        }
        let end = client.end(stream);
        let wanted = match wanted {
            Forwarded(line, body) => {
                assert_eq!(end, End::Answer("{}".into()), "{fields:?}");
                forwarded += 1;
                vec![Ok(Request {
                    line: line.into(),
                    body: body.into(),
                })]
            }
            Refused => {
                assert_ne!(end.said(), "answered", "{fields:?}");
                vec![]
            }
        };
        assert_eq!(venue.take(), wanted, "{fields:?} {body:?}");
        // The connection to the venue stands where it should: its next request is read as what it is.
        let next = gate.connect().ask(&[M, S, A, (":path", "/next")]);
        assert_eq!(next, End::Answer("{}".into()), "{fields:?}");
        let read: Vec<_> = venue.take().into_iter().map(Result::unwrap).collect();
        assert_eq!(read.len(), 1, "{fields:?}");
        assert_eq!(read[0].line, "GET /next HTTP/1.1");
    }
    assert_eq!(forwarded, fair().len());
    assert_eq!(gate.bench.gate.status()["panics"], 0);
}

#[test]
fn trailers_stay_here_whatever_they_say() {
    let venue = Strict::start();
    let gate = Secure::start(venue.address, open);
    for (trailers, passes) in [
        (&[("x-checksum", "1")][..], true),
        (&[("content-length", "30")], true),
        (&[("host", "other")], true),
        (&[("transfer-encoding", "chunked")], false),
        // RFC 9113 8.1 calls it malformed; the parser leaves it out, and the others stay here anyway.
        (&[(":path", "/b")], true),
    ] {
        let mut client = gate.connect();
        let stream = client.open(&[P, S, A, T], 0);
        client.send_frame(DATA, 0, stream, b"a=b");
        client.send_frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(trailers));
        let said = client.end(stream).said();
        assert_eq!(said == "answered", passes, "{trailers:?} {said}");
        let read = venue.take();
        assert_eq!(read.len(), usize::from(passes), "{trailers:?} {read:?}");
        assert!(
            read.iter()
                .all(|read| read.as_ref().is_ok_and(|read| read.body == "a=b"))
        );
    }
}

#[test]
fn a_head_means_the_same_in_however_many_frames_it_comes() {
    let venue = Strict::start();
    let gate = Secure::start(venue.address, open);
    let head = block(&[M, S, A, T, ("accept", "*/*")]);
    for cut in 0..head.len() {
        let mut client = gate.connect();
        let stream = client.fresh();
        let (first, rest) = head.split_at(cut);
        let frames = [
            frame(HEADERS, END_STREAM, stream, first),
            frame(CONTINUATION, END_HEADERS, stream, rest),
        ];
        client.send(&frames.concat());
        assert_eq!(client.end(stream), End::Answer("{}".into()), "cut at {cut}");
        let read = venue.take();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].as_ref().unwrap().line, "GET /a HTTP/1.1");
    }
}
