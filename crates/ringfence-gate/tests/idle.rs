//! An idle WebSocket over TLS takes less than 16 KB of the gate, whatever was said on it before.
//!
//! One test, because it counts what the whole process allocates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::talk::with_channel;
use common::tls::{Stream, certificate, offering, roots, with_tls};
use common::{Bench, SOON};
use ringfence_wire::websocket::{Kind, accept_input, frame};
use rustls::version::TLS13;
use serde_json::{Value, json};

struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// Whether what this thread allocates is the test's own, and not the gate's.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: everything is handed to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !OURS.get() {
            BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        }
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !OURS.get() {
            BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What one may take: 16 KB, less what is not counted here, the allocator's own and what the cryptography allocates in C.
const MOST_BYTES: isize = 11 * 1024;
const HELD: usize = 150;
/// Opened before anything is counted: tables of the whole process grow with the first.
const FIRST: usize = 50;
/// How long a connection keeps memory for messages, and a little.
const QUIET: Duration = Duration::from_millis(1200);
/// What the ledger and the like allocate for themselves now and then.
const NOISE_BYTES: usize = 64 * 1024;
/// More than a buffer keeps between messages.
const LONG_BYTES: usize = 8 * 1024;

#[test]
fn an_idle_websocket_over_tls_takes_less_than_16_kb_whatever_was_said_on_it() {
    OURS.set(true);
    for path in ["/channel", "/stream"] {
        let each = weigh(path);
        assert!(each > 0, "{path}: nothing is counted");
        assert!(each <= MOST_BYTES, "{path}: {each} bytes");
    }
}

/// Returns how many bytes one takes that has fallen silent.
fn weigh(path: &str) -> isize {
    let (made, folder) = (certificate(), tempfile::tempdir().unwrap());
    let tls = with_tls(folder.path(), &made);
    let bench = Bench::start(venue(), |snapshot| {
        snapshot["dialects"]["test"] = with_both();
        tls(snapshot);
    });
    let open = || {
        let mut wire = offering(&bench, roots(&made), &TLS13, &["http/1.1"]);
        shake_hands(&mut wire, path);
        say(&mut wire);
        wire
    };
    let _first: Vec<_> = (0..FIRST).map(|_| open()).collect();
    let before = settled();
    let _held: Vec<_> = (0..HELD).map(|_| open()).collect();
    (settled() - before) / HELD as isize
}

/// Returns what is allocated once nothing has changed much for longer than a connection keeps memory for messages.
fn settled() -> isize {
    let now = || BYTES.load(Ordering::Relaxed);
    let begun = Instant::now();
    let (mut since, mut last) = (Instant::now(), now());
    while since.elapsed() < QUIET {
        assert!(begun.elapsed() < SOON, "it does not settle");
        std::thread::sleep(Duration::from_millis(20));
        if (now() - last).unsigned_abs() > NOISE_BYTES {
            (since, last) = (Instant::now(), now());
        }
    }
    now()
}

fn with_both() -> Value {
    let mut dialect = with_channel();
    dialect["stream_messages"] = json!({"any": true});
    let stream = json!({"method": "GET", "path": "/stream", "operation": "market.read", "signed": false,
                        "stream": true});
    dialect["routes"].as_array_mut().unwrap().push(stream);
    dialect
}

fn shake_hands(wire: &mut Stream, path: &str) {
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: gw\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    wire.write_all(head.as_bytes()).unwrap();
    let answer = read_head(wire);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
}

/// Says something long, and waits until something was answered.
fn say(wire: &mut Stream) {
    let mut out = Vec::new();
    frame(
        &mut out,
        Kind::Text,
        &[b'a'; LONG_BYTES],
        Some([1, 2, 3, 4]),
    );
    wire.write_all(&out).unwrap();
    let mut head = [0; 4];
    wire.read_exact(&mut head).unwrap();
    let length = match head[1] {
        126 => usize::from(u16::from_be_bytes([head[2], head[3]])),
        // Two bytes of it are in the head.
        short => usize::from(short) - 2,
    };
    wire.read_exact(&mut vec![0; length]).unwrap();
}

fn read_head(wire: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        wire.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Opens streams and holds them: waits for something long on each, and answers as much.
fn venue() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        OURS.set(true);
        let mut held = Vec::new();
        for mut socket in listener.incoming().map_while(Result::ok) {
            accept(&mut socket);
            // With its head of eight bytes.
            socket.read_exact(&mut [0; LONG_BYTES + 8]).unwrap();
            let mut out = Vec::new();
            frame(&mut out, Kind::Text, &[b'b'; LONG_BYTES], None);
            socket.write_all(&out).unwrap();
            held.push(socket);
        }
    });
    address
}

/// Answers a handshake as RFC 6455 has it.
fn accept(socket: &mut TcpStream) {
    let head = read_head(socket);
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let mut keys = fields.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let (_, key) = keys.next().unwrap();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &accept_input(key.as_bytes()));
    let accepted = STANDARD.encode(hash);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accepted}\r\n\r\n"
    );
    socket.write_all(answer.as_bytes()).unwrap();
}
