//! A venue that pushes: a WebSocket on which it keeps what is said, answers it, and says what a test wants.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_wire::websocket::{Decoder, Event, Kind, Limits, Sender, accept_input, frame};
use serde_json::{Value, json};

use super::SOON;
use super::talk::{Heard, Talk, with_channel};
use super::venue::{FINE, Venue};

type Kept<T> = Arc<Mutex<Vec<T>>>;

pub(crate) struct Pusher {
    pub(crate) venue: Venue,
    legs: Kept<TcpStream>,
    said: Kept<String>,
    gone: Kept<()>,
}

impl Pusher {
    /// A venue that answers each message on a leg by `answer`.
    pub(crate) fn new(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::with(answer, |stream, _| stream.write_all(FINE).is_ok(), |_| {})
    }

    /// One that also says how it answers a request that opens no leg, and what it says first on a leg.
    pub(crate) fn with(
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
        ask: impl Fn(&mut TcpStream, &str) -> bool + Send + Sync + 'static,
        greet: impl Fn(&mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let (legs, said, gone) = (Kept::default(), Kept::default(), Kept::default());
        let kept = (Arc::clone(&legs), Arc::clone(&said), Arc::clone(&gone));
        let venue = Venue::new(move |stream, request| {
            let Some(key) = field(request, "sec-websocket-key") else {
                return ask(stream, request);
            };
            let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &accept_input(key.as_bytes()));
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                STANDARD.encode(hash)
            );
            stream.write_all(head.as_bytes()).unwrap();
            greet(stream);
            kept.0.lock().unwrap().push(stream.try_clone().unwrap());
            serve(stream, &kept.1, &answer);
            kept.2.lock().unwrap().push(());
            false
        });
        Self {
            venue,
            legs,
            said,
            gone,
        }
    }

    /// One that answers by what was said.
    pub(crate) fn echoing() -> Self {
        Self::new(|said| format!("{{\"answer\":{said}}}"))
    }

    pub(crate) fn legs(&self) -> usize {
        self.legs.lock().unwrap().len()
    }

    /// What was said on all legs.
    pub(crate) fn said(&self) -> Vec<Value> {
        let said = self.said.lock().unwrap();
        let parsed = said.iter().map(|text| serde_json::from_str(text).unwrap());
        parsed.collect()
    }

    /// A leg to write on.
    pub(crate) fn leg(&self, index: usize) -> TcpStream {
        self.legs.lock().unwrap()[index].try_clone().unwrap()
    }

    pub(crate) fn push(&self, index: usize, text: &str) -> bool {
        push(&mut self.leg(index), text)
    }

    /// Pushes more on a leg than is read at one go, does `act` when the first of it is heard, and pushes one message more.
    /// Returns how what `talk` hears ends, and panics if that last one is among it.
    pub(crate) fn in_the_midst(&self, leg: usize, talk: &mut Talk, act: impl FnOnce()) -> Heard {
        let since = Instant::now();
        while self.legs() <= leg {
            assert!(since.elapsed() < SOON, "the venue has no leg");
            std::thread::yield_now();
        }
        let mut much = Vec::new();
        (0..40_000).for_each(|_| frame(&mut much, Kind::Text, b"", None));
        self.leg(leg).write_all(&much).unwrap();
        assert_eq!(talk.next(), Heard::Text(String::new()));
        act();
        self.push(leg, "after");
        loop {
            match talk.next() {
                Heard::Text(text) => assert_ne!(text, "after"),
                ended @ (Heard::Ping | Heard::Pong | Heard::Closed(..) | Heard::Gone) => {
                    return ended;
                }
            }
        }
    }

    /// Waits until this many legs have ended.
    pub(crate) fn until_gone(&self, count: usize) {
        let since = Instant::now();
        while self.gone.lock().unwrap().len() < count {
            assert!(since.elapsed() < SOON, "a leg is still open");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

pub(crate) fn push(leg: &mut TcpStream, text: &str) -> bool {
    let mut out = Vec::new();
    frame(&mut out, Kind::Text, text.as_bytes(), None);
    leg.write_all(&out).is_ok()
}

fn field<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = request.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

fn serve(stream: &mut TcpStream, said: &Mutex<Vec<String>>, answer: &dyn Fn(&str) -> String) {
    let limits = Limits {
        message: 1 << 20,
        frames: 1,
    };
    let mut decoder = Decoder::new(Sender::Client, limits);
    let mut bytes = [0; 65536];
    loop {
        let Ok(count @ 1..) = stream.read(&mut bytes) else {
            return;
        };
        let mut input = &bytes[..count];
        while let Some(event) = decoder.next(&mut input).unwrap() {
            match event {
                Event::Text(text) => {
                    said.lock().unwrap().push(text.to_owned());
                    if !push(stream, &answer(text)) {
                        return;
                    }
                }
                Event::Close(_) => return,
                Event::Ping(_) | Event::Pong(_) | Event::Binary(_) => {}
            }
        }
    }
}

/// The test dialect whose channel has a feed.
pub(crate) fn with_feed() -> Value {
    let mut dialect = with_channel();
    dialect["channels"][0]["feed"] = json!({
        "path": "/leg", "fixed": {"v": "2"}, "topics_at": "params.topics",
        "topics": {"own": ["orders.*"], "market": ["trades.*"]},
        "methods": {
            "subscribe": {"operation": "account.read", "topics": ["own"], "numbers": ["params.depth"]},
            "unsubscribe": {"operation": "account.read", "topics": ["own"], "opens": false, "ends": "named"},
            "mine": {"operation": "account.read", "says": "subscribe", "logon": true},
            "watch": {"operation": "market.read", "signed": false, "topics": ["market"]},
        },
        "logon": {
            "message": "{\"id\":{id},\"method\":\"logon\",\"params\":{\"apiKey\":{key},\"timestamp\":{time},\"signature\":{signature}}}",
            "frame": "request", "accepted": {"ok": "true"},
        },
    });
    dialect
}
