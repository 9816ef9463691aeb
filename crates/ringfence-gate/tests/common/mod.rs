//! A gate with everything real, and raw sockets on both sides of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod client;
pub(crate) mod frames;
pub(crate) mod push;
pub(crate) mod redis;
pub(crate) mod talk;
pub(crate) mod tls;
pub(crate) mod venue;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::refusal::Code;
use ringfence_gate::{CredentialRecord, Gate, Snapshot, VenueKeyRecord};
use ringfence_ledger::{Reader, SigningKey};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use client::{Answer, Client};

/// How long a test waits for what must happen.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A running gate and one trader's key.
pub(crate) struct Bench {
    pub(crate) gate: Gate,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) key: Key,
}

/// A credential's id and secret.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: Vec<u8>,
}

impl Key {
    pub(crate) fn new() -> Self {
        Self {
            id: "trader".into(),
            secret: random(32),
        }
    }
}

/// A dialect with one state-changing and one reading route, both signed, and a public one.
pub(crate) fn dialect() -> Value {
    let signed = |method: &str, path: &str, operation: &str, orders: u32| {
        json!({"method": method, "path": path, "operation": operation, "orders": orders, "weight": 1,
               "parameters": ["symbol", "side", "type", "price", "quantity", "timestamp", "recvWindow", "signature"]})
    };
    json!({
        "name": "test",
        "signing": {
            "key_header": "X-Key", "signature": "signature",
            "payload": ["query_without_signature", "body_without_signature"],
            "encodings": {"hmac": "hex", "ed25519": "base64", "rsa": "base64"},
            "time": {"parameter": "timestamp", "window_parameter": "recvWindow",
                     "window_default_ms": 5000, "window_max_ms": 60000, "ahead_ms": 1000},
        },
        "order_types": {"LIMIT": {"price": true}},
        "order_fields": {"symbol": "symbol", "side": "side", "kind": "type", "price": "price",
                         "stop_price": "stopPrice", "quantity": "quantity"},
        "routes": [
            signed("POST", "/order", "order.place", 1),
            signed("GET", "/account", "account.read", 0),
            signed("DELETE", "/order", "order.cancel", 0),
            {"method": "GET", "path": "/time", "operation": "market.read", "signed": false, "parameters": ["a"]},
            {"method": "HEAD", "path": "/time", "operation": "market.read", "signed": false, "parameters": ["a"]},
        ],
        "errors": errors(),
    })
}

/// A dialect that lets every path and method through, unsigned.
pub(crate) fn open_dialect() -> Value {
    json!({
        "name": "open",
        "routes": [{"method": "*", "path": "/**", "operation": "market.read", "signed": false}],
        "errors": errors(),
    })
}

fn errors() -> Value {
    let by_code: BTreeMap<&str, Value> = Code::ALL
        .iter()
        .map(|code| {
            let status = match code.as_str() {
                "edge_rate" | "budget_exceeded" => 429,
                "banned" => 418,
                "http_timeout" => 408,
                "http_body_too_large" => 413,
                "http_header_too_large" => 431,
                "route_unknown" => 404,
                "ledger_unavailable" | "draining" | "overloaded" => 503,
                "venue_unreachable" => 502,
                "venue_timeout" | "venue_malformed" | "venue_outcome_unknown" => 504,
                _ => 400,
            };
            (
                code.as_str(),
                json!({"status": status, "code": 0, "message": code.as_str()}),
            )
        })
        .collect();
    json!({"content_type": "application/json", "body": "{\"code\":{code},\"msg\":{message}}", "by_code": by_code})
}

/// Lays keys into `folder` and returns a snapshot in front of `venue`; `change` has the last word.
pub(crate) fn snapshot(folder: &Path, venue: &str, change: impl FnOnce(&mut Value)) -> Snapshot {
    let ledger_key = folder.join("ledger.key");
    let attestation_key = folder.join("attestation.key");
    std::fs::write(&ledger_key, pem()).unwrap();
    std::fs::write(&attestation_key, STANDARD.encode(random(32))).unwrap();
    let mut value = json!({
        "version": 1, "node": "gw1",
        "listeners": [{"name": "main", "address": "127.0.0.1:0", "dialect": "test", "tls": null, "plain": true,
                       "http2": true, "authorities": ["gw"]}],
        "dialects": {"test": dialect(), "open": open_dialect()},
        "upstream": {"url": venue, "ca": null, "connections": 8, "connect_timeout_ms": 500, "response_timeout_ms": 400},
        "attestation": {"algorithm": "HS256", "key": attestation_key, "issuer": "gw1"},
        "engine": {"threads": 1},
        "http": {"header_bytes": 4096, "headers": 32, "body_bytes": 16384, "header_timeout_ms": 300,
                 "body_timeout_ms": 300, "handshake_timeout_ms": 500, "idle_timeout_ms": 60000,
                 "connections": 1024, "connections_per_address": 512,
                 "stream_message_bytes": 16384, "stream_messages_per_s": 20},
        "controls": {},
        "edge": {"requests": 1_000_000, "window_ms": 1000, "addresses": 1024},
        "budget": {"subjects": 1000, "limits": []},
        "freshness": {"capacity_per_credential": 100_000, "capacity": 1_000_000},
        "guard": {"instruments": [{"symbol": "BTCUSDT", "tick": "0.01", "lot": "0.0001", "min_quantity": "0.0001",
                  "max_quantity": "100", "max_notional": "1000000", "price_min": "1", "price_max": "1000000"}]},
        "ledger": {"directory": folder.join("ledger"), "origin": "test/gw1", "key": ledger_key, "mode": "strict",
                   "group_ms": 5, "checkpoint_ms": 1000},
    });
    change(&mut value);
    Snapshot::parse(&serde_json::to_vec(&value).unwrap()).unwrap()
}

fn pem() -> String {
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let der = pair.to_pkcs8().unwrap();
    let body = STANDARD.encode(der.as_ref());
    let text = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    SigningKey::from_pem(&text).unwrap();
    text
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).unwrap();
    bytes
}

impl Bench {
    /// Gives a firm's gate the venue key `main`.
    pub(crate) fn put_venue_key(&self) {
        let rows = json!([{"name": "main", "dialect": "test", "key_id": "venue-key", "algorithm": "hmac-sha256",
            "material": STANDARD.encode("the venue's own secret, which no bot has seen"), "passphrase": null}]);
        let keys = VenueKeyRecord::parse_all(&serde_json::to_vec(&rows).unwrap()).unwrap();
        self.gate.put_venue_keys(keys).unwrap();
    }

    /// Starts a gate in front of `venue`.
    pub(crate) fn start(venue: SocketAddr, change: impl FnOnce(&mut Value)) -> Self {
        Self::start_for(Key::new(), venue, change)
    }

    /// The same, for a trader who has this key.
    pub(crate) fn start_for(key: Key, venue: SocketAddr, change: impl FnOnce(&mut Value)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = snapshot(folder.path(), &format!("http://{venue}"), change);
        let record = json!([{"key_id": key.id, "account": "alice", "algorithm": "hmac-sha256",
            "material": STANDARD.encode(&key.secret), "scopes": ["read", "trade"], "allow": ["127.0.0.0/8"],
            "expires_us": null, "state": "active"}]);
        let records = CredentialRecord::parse_all(&serde_json::to_vec(&record).unwrap()).unwrap();
        let gate = Gate::start(&snapshot, records).unwrap();
        Self {
            address: gate.addresses()[0],
            gate,
            folder,
            key,
        }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    /// Connects from another address of the loopback network, 127.0.X.Y.
    pub(crate) fn connect_from(&self, network: u8, host: u8) -> Client {
        let from = SocketAddr::from(([127, 0, network, host], 0));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&from.into()).unwrap();
        socket.connect(&self.address.into()).unwrap();
        Client::new(socket.into())
    }

    /// Sends one request on a connection of its own and returns the answer.
    pub(crate) fn ask(&self, request: &[u8]) -> Answer {
        let mut client = self.connect();
        client.send(request);
        client.answer().expect("an answer")
    }

    /// Entries of one kind, once there are at least `count` of them.
    pub(crate) fn entries(&self, kind: &str, count: usize) -> Vec<Value> {
        let since = Instant::now();
        loop {
            let entries: Vec<Value> = all_entries(self.folder.path())
                .into_iter()
                .filter(|entry| entry["kind"] == kind)
                .collect();
            if entries.len() >= count {
                return entries;
            }
            assert!(since.elapsed() < SOON, "only {entries:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a number in the status is `wanted`.
    pub(crate) fn until(&self, name: &str, wanted: u64) {
        let since = Instant::now();
        while self.gate.status()[name] != wanted {
            assert!(since.elapsed() < SOON, "{name}: {}", self.gate.status());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until a code was refused at least this often.
    pub(crate) fn until_refused(&self, code: &str, wanted: u64) {
        let since = Instant::now();
        while self.refused(code) < wanted {
            assert!(since.elapsed() < SOON, "{code}: {}", self.gate.status());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// How often a code was refused.
    pub(crate) fn refused(&self, code: &str) -> u64 {
        self.gate.status()["refused"][code].as_u64().unwrap_or(0)
    }
}

/// All committed entries of the ledger under `folder`.
pub(crate) fn all_entries(folder: &Path) -> Vec<Value> {
    let mut reader = Reader::open(&folder.join("ledger"), 0).unwrap();
    let mut entries = Vec::new();
    while let Some((_, entry)) = reader.next_entry().unwrap() {
        entries.push(serde_json::from_slice(entry).unwrap());
    }
    entries
}

pub(crate) static DISTINCT: AtomicU64 = AtomicU64::new(0);

/// A signed form: `text` with a time and a signature. Every call makes another one.
pub(crate) fn signed(key: &Key, text: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // Microseconds; the counter keeps two in the same one apart.
    let time = now.as_micros() as u64 - 1000 + DISTINCT.fetch_add(1, Ordering::Relaxed) % 1000;
    let text = if text.is_empty() {
        format!("timestamp={time}")
    } else {
        format!("{text}&timestamp={time}")
    };
    let mac = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &key.secret),
        text.as_bytes(),
    );
    let hex = mac.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("{text}&signature={hex}")
}

/// An order that every control lets pass.
pub(crate) fn order(key: &Key) -> Vec<u8> {
    let body = signed(
        key,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000.00&quantity=0.001",
    );
    post(key, &body)
}

pub(crate) fn post(key: &Key, body: &str) -> Vec<u8> {
    format!(
        "POST /order HTTP/1.1\r\nHost: gw\r\nX-Key: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        key.id,
        body.len()
    )
    .into_bytes()
}

/// A signed read.
pub(crate) fn read_account(key: &Key) -> Vec<u8> {
    let query = signed(key, "");
    format!(
        "GET /account?{query} HTTP/1.1\r\nHost: gw\r\nX-Key: {}\r\n\r\n",
        key.id
    )
    .into_bytes()
}

/// A read that needs no key.
pub(crate) const TIME: &[u8] = b"GET /time HTTP/1.1\r\nHost: gw\r\n\r\n";
