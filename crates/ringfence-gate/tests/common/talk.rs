//! A client of a trading channel: a raw socket that speaks WebSocket.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use ringfence_wire::websocket::{Decoder, Event, Kind, Limits, Sender, close, frame};
use serde_json::{Value, json};

use super::{Bench, Key, SOON, dialect};

const MASK: [u8; 4] = [1, 2, 3, 4];

/// What a client hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    Text(String),
    Ping,
    Pong,
    Closed(u16, String),
    /// The connection ended without a word.
    Gone,
}

/// One open channel.
pub(crate) struct Talk {
    pub(crate) stream: TcpStream,
    decoder: Decoder,
    bytes: Vec<u8>,
}

impl Talk {
    pub(crate) fn open(bench: &Bench) -> Self {
        let opened = Self::open_with(bench, "");
        opened.unwrap_or_else(|answer| panic!("{answer}"))
    }

    /// Opens one with more header fields; returns what else was answered.
    pub(crate) fn open_with(bench: &Bench, fields: &str) -> Result<Self, String> {
        Self::open_at(bench, "/channel", fields)
    }

    /// Opens a WebSocket at `target`.
    pub(crate) fn open_at(bench: &Bench, target: &str, fields: &str) -> Result<Self, String> {
        let mut stream = TcpStream::connect(bench.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: gw\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let answer = String::from_utf8(answer).unwrap();
        if !answer.starts_with("HTTP/1.1 101 ") {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut rest = String::new();
            stream.read_to_string(&mut rest).unwrap();
            return Err(rest);
        }
        let limits = Limits {
            message: 16 << 20,
            frames: 1,
        };
        Ok(Self {
            stream,
            decoder: Decoder::new(Sender::Server, limits),
            bytes: Vec::new(),
        })
    }

    /// Sends `texts` in one write.
    pub(crate) fn say_all(&mut self, texts: &[String]) {
        let mut out = Vec::new();
        for text in texts {
            frame(&mut out, Kind::Text, text.as_bytes(), Some(MASK));
        }
        // A gate that has hung up already is seen when the answer is read.
        let _ = self.stream.write_all(&out);
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.say_all(&[text.to_owned()]);
    }

    pub(crate) fn ping(&mut self) {
        let mut out = Vec::new();
        frame(&mut out, Kind::Ping, b"x", Some(MASK));
        let _ = self.stream.write_all(&out);
    }

    pub(crate) fn close(&mut self) {
        let mut out = Vec::new();
        let code = ringfence_wire::websocket::CloseCode::NORMAL;
        close(&mut out, code, "", Some(MASK));
        let _ = self.stream.write_all(&out);
    }

    pub(crate) fn next(&mut self) -> Heard {
        loop {
            let mut input = self.bytes.as_slice();
            let before = input.len();
            let heard = match self.decoder.next(&mut input).unwrap() {
                Some(Event::Text(text)) => Some(Heard::Text(text.to_owned())),
                Some(Event::Ping(_)) => Some(Heard::Ping),
                Some(Event::Pong(_)) => Some(Heard::Pong),
                Some(Event::Close(said)) => {
                    let (code, reason) = said.unwrap();
                    Some(Heard::Closed(code.number(), reason.to_owned()))
                }
                Some(Event::Binary(_)) => panic!("a channel speaks text"),
                None => None,
            };
            let taken = before - input.len();
            self.bytes.drain(..taken);
            if let Some(heard) = heard {
                return heard;
            }
            let mut more = [0; 65536];
            match self.stream.read(&mut more) {
                Ok(0) => return Heard::Gone,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Heard::Gone;
                }
                Err(error) => panic!("{error}"),
                Ok(count) => self.bytes.extend_from_slice(&more[..count]),
            }
        }
    }

    /// The next answer.
    pub(crate) fn hear(&mut self) -> Value {
        match self.next() {
            Heard::Text(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            other @ (Heard::Ping | Heard::Pong | Heard::Closed(..) | Heard::Gone) => {
                panic!("{other:?} in place of an answer")
            }
        }
    }

    pub(crate) fn ask(&mut self, text: &str) -> Value {
        self.say(text);
        self.hear()
    }
}

/// The code of a refusal, or that there is none.
pub(crate) fn code(answer: &Value) -> &str {
    answer["error"]["msg"].as_str().unwrap_or("none")
}

/// The test dialect with a channel like Binance's.
pub(crate) fn with_channel() -> Value {
    let mut dialect = dialect();
    let signing = json!({
        "key": "params.apiKey", "signature": "params.signature", "payload": [{"sorted": "params"}],
        "encodings": {"hmac": "hex", "ed25519": "base64", "rsa": "base64"},
        "time": {"parameter": "params.timestamp", "window_parameter": "params.recvWindow",
                 "window_default_ms": 5000, "window_max_ms": 60000, "ahead_ms": 1000},
    });
    dialect["frames"] = json!([{
        "name": "request", "when": {"params.signature": "", "params.apiKey": ""}, "signing": signing,
    }]);
    dialect["channels"] = json!([{
        "paths": ["/channel"], "id": "id", "id_kinds": ["integer", "text"], "id_absent": "null",
        "method": "method", "parameters": "params", "own": ["apiKey", "signature"], "frame": "request",
        "time": {"parameter": "params.timestamp", "window_parameter": "params.recvWindow"},
        "methods": {"order.place": {"route": "POST /order"}, "account.status": {"route": "GET /account"},
                    "time": {"route": "GET /time"}},
        "session": {
            "seconds": 86400,
            "logon": {"method": "session.logon", "frame": "request",
                      "answer": "{\"id\":{id},\"result\":{\"key\":{key},\"since\":{since_ms}}}"},
            "status": {"method": "session.status", "answer": "{\"id\":{id},\"result\":{\"key\":{key}}}"},
            "logout": {"method": "session.logout", "answer": "{\"id\":{id},\"result\":{\"key\":{key}}}"},
        },
        "texts": {"ping": "pong"},
        "answer": "{\"id\":{id},\"status\":{status},\"result\":{body}}",
        "error": "{\"id\":{id},\"status\":{status},\"error\":{body}}",
        "malformed": "{\"id\":null,\"status\":{status},\"error\":{\"msg\":\"malformed\",\"why\":{message}}}",
    }]);
    dialect
}

/// Microseconds now; every call another one.
fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let distinct = super::DISTINCT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    now.as_micros() as u64 - 1000 + distinct % 1000
}

/// A message with its own signature.
pub(crate) fn signed(key: &Key, id: u32, method: &str, params: Value) -> String {
    let mut params = params.as_object().unwrap().clone();
    params.insert("apiKey".into(), key.id.clone().into());
    params.insert("timestamp".into(), now_us().into());
    let mut pairs: Vec<String> = params
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        })
        .collect();
    pairs.sort();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &key.secret);
    let mac = hmac::sign(&secret, pairs.join("&").as_bytes());
    let hex = mac.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    params.insert("signature".into(), hex.into());
    json!({"id": id, "method": method, "params": params}).to_string()
}

/// A message of a session.
pub(crate) fn plain(id: u32, method: &str, params: Value) -> String {
    let mut params = params.as_object().unwrap().clone();
    params.insert("timestamp".into(), now_us().into());
    json!({"id": id, "method": method, "params": params}).to_string()
}

/// An order that every control lets pass.
pub(crate) fn order() -> Value {
    json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "price": "50000.00", "quantity": "0.001"})
}
