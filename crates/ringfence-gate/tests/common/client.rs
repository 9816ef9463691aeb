//! A client made of a raw socket.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::SOON;

/// A client's raw connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    held: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and fields, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
    }

    /// The refusal's code, which our dialects put in `msg`.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["msg"].as_str().unwrap_or_default().to_owned()
    }
}

/// What comes of a request: `served`, the code of its refusal, or `gone` if the connection ended.
pub(crate) fn asked(client: &mut Client, request: &[u8]) -> String {
    client.send(request);
    match client.answer() {
        Some(answer) if answer.status == 200 => "served".into(),
        Some(answer) => answer.code(),
        None => "gone".into(),
    }
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            held: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // A gate that has hung up already is seen when the answer is read.
        let _ = self.stream.write_all(bytes);
    }

    /// The next answer, or nothing when the connection ends first.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET")
    }

    pub(crate) fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let head_end = loop {
            if let Some(end) = find(&self.held, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8(self.held[..head_end].to_ascii_lowercase()).unwrap();
        self.held.drain(..head_end);
        let status = head[9..12].parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
        };
        if status == 100 {
            return self.answer_to(method);
        }
        if method == "HEAD" || matches!(status, 204 | 304) {
            return Some(answer);
        }
        if answer.field("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks()?;
        } else if let Some(length) = answer.field("content-length") {
            let length: usize = length.parse().unwrap();
            while self.held.len() < length {
                self.fill()?;
            }
            answer.body = self.held.drain(..length).collect();
        }
        Some(answer)
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match find(&self.held, b"\r\n") {
                    Some(end) => break end,
                    None => self.fill()?,
                }
            };
            let size =
                usize::from_str_radix(std::str::from_utf8(&self.held[..end]).unwrap(), 16).unwrap();
            while self.held.len() < end + 2 + size + 2 {
                self.fill()?;
            }
            body.extend_from_slice(&self.held[end + 2..end + 2 + size]);
            self.held.drain(..end + 2 + size + 2);
            if size == 0 {
                return Some(body);
            }
        }
    }

    fn fill(&mut self) -> Option<()> {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => None,
            Ok(count) => {
                self.held.extend_from_slice(&bytes[..count]);
                Some(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the gate neither answered nor hung up")
            }
            Err(_) => None,
        }
    }

    /// Waits until the other side hangs up; returns what it said before.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill().is_some() {}
        std::mem::take(&mut self.held)
    }
}

pub(crate) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
