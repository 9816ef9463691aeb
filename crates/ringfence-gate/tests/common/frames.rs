//! A client of HTTP/2 made of hand-written frames.

use std::io::{Read, Write};
use std::net::SocketAddr;

use rcgen::{CertifiedKey, KeyPair};
use rustls::version::TLS13;
use serde_json::Value;
use tempfile::TempDir;

use super::tls::{Stream, certificate, offering, roots, with_tls};
use super::{Bench, Key};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const CALM: u32 = 0xb;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Fields in their order, pseudo-header fields among them.
pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

pub(crate) const TIME: Fields<'static> = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "localhost"),
    (":path", "/time"),
];

/// One frame, or the end of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of a RST_STREAM, or of a GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let place = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[place..place + 4].try_into().unwrap())
    }
}

/// How a stream ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// With a whole answer, of which this is the body.
    Answer(String),
    /// By RST_STREAM.
    Reset(u32),
    /// By GOAWAY.
    Away(u32),
    /// The connection ended without a word.
    Closed,
}

impl End {
    /// The refusal's code, which our dialects put in `msg`, or how else it ended.
    pub(crate) fn said(&self) -> String {
        match self {
            Self::Answer(body) => {
                let body: Value = serde_json::from_str(body).unwrap();
                body["msg"].as_str().unwrap_or("answered").to_owned()
            }
            Self::Reset(code) => format!("reset {code}"),
            Self::Away(code) => format!("away {code}"),
            Self::Closed => "closed".to_owned(),
        }
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// RFC 7541 6.2.2: every field as a literal that is not indexed, without Huffman's code.
pub(crate) fn block(fields: Fields<'_>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // Latin-1, so that any byte can be written down.
            let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
            integer(&mut block, bytes.len());
            block.extend(bytes);
        }
    }
    block
}

/// RFC 7541 5.1, with a prefix of seven bits.
fn integer(block: &mut Vec<u8>, mut value: usize) {
    if value < 127 {
        return block.push(u8::try_from(value).unwrap());
    }
    block.push(127);
    value -= 127;
    while value >= 128 {
        block.push(u8::try_from(value % 128).unwrap() | 128);
        value /= 128;
    }
    block.push(u8::try_from(value).unwrap());
}

/// A gate with TLS.
pub(crate) struct Secure {
    pub(crate) bench: Bench,
    made: CertifiedKey<KeyPair>,
    _folder: TempDir,
}

impl Secure {
    pub(crate) fn start(venue: SocketAddr, change: impl FnOnce(&mut Value)) -> Self {
        let (made, folder) = (certificate(), tempfile::tempdir().unwrap());
        let tls = with_tls(folder.path(), &made);
        let bench = Bench::start(venue, |snapshot| {
            tls(snapshot);
            change(snapshot);
        });
        Self {
            bench,
            made,
            _folder: folder,
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.bench.key
    }

    /// Connects and says only what `settings` says of the client.
    pub(crate) fn connect_with(&self, settings: &[u8]) -> Client {
        let stream = offering(&self.bench, roots(&self.made), &TLS13, &["h2"]);
        let mut client = Client {
            stream,
            held: Vec::new(),
            streams: 0,
        };
        client.send(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat());
        client
    }

    pub(crate) fn connect(&self) -> Client {
        self.connect_with(&[])
    }

    /// Whether the gate still serves a stranger.
    pub(crate) fn is_well(&self) -> bool {
        self.connect().ask(TIME) == End::Answer("{}".into())
    }
}

/// A client's connection.
pub(crate) struct Client {
    stream: Stream,
    held: Vec<u8>,
    /// Streams that were opened.
    streams: u32,
}

impl Client {
    /// Sends bytes. A gate that has hung up already is seen when the answer is read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
        let _ = self.stream.flush();
    }

    pub(crate) fn send_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send(&frame(kind, flags, stream, payload));
    }

    /// The number of a stream that was not used before.
    pub(crate) fn fresh(&mut self) -> u32 {
        self.streams += 1;
        2 * self.streams - 1
    }

    /// Opens a stream with these fields; `flags` may hold `END_STREAM`.
    pub(crate) fn open(&mut self, fields: Fields<'_>, flags: u8) -> u32 {
        let stream = self.fresh();
        self.send_frame(HEADERS, END_HEADERS | flags, stream, &block(fields));
        stream
    }

    /// Sends a request without a body, and waits for its end.
    pub(crate) fn ask(&mut self, fields: Fields<'_>) -> End {
        let stream = self.open(fields, END_STREAM);
        self.end(stream)
    }

    /// Waits for the end of a stream, which may be the connection's.
    pub(crate) fn end(&mut self, stream: u32) -> End {
        let mut body = Vec::new();
        while let Some(frame) = self.next() {
            match frame.kind {
                GOAWAY if frame.code() != NO_ERROR => return End::Away(frame.code()),
                RST_STREAM if frame.stream == stream => return End::Reset(frame.code()),
                DATA if frame.stream == stream => body.extend(&frame.payload),
                _ => {}
            }
            let last = matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0;
            if last && frame.stream == stream {
                return End::Answer(String::from_utf8(body).unwrap());
            }
        }
        End::Closed
    }

    /// Waits for a frame of this kind.
    pub(crate) fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// The next frame, or nothing at the end. Settings and pings are acknowledged.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        while self.held.len() < 9 || self.held.len() < 9 + self.length() {
            let mut bytes = [0; 16 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.held.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("the gate neither answered nor hung up")
                }
                Err(_) => return None,
            }
        }
        let length = self.length();
        let whole: Vec<u8> = self.held.drain(..9 + length).collect();
        let frame = Frame {
            kind: whole[3],
            flags: whole[4],
            stream: u32::from_be_bytes(whole[5..9].try_into().unwrap()),
            payload: whole[9..].to_vec(),
        };
        if matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0 {
            let echoed = if frame.kind == PING {
                &frame.payload[..]
            } else {
                &[]
            };
            self.send_frame(frame.kind, ACK, 0, echoed);
        }
        Some(frame)
    }

    fn length(&self) -> usize {
        usize::from(self.held[0]) << 16 | usize::from(self.held[1]) << 8 | usize::from(self.held[2])
    }
}
