//! A venue made of raw sockets, whose behaviour each test writes down.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::find;

/// An answer that no test looks at closely.
pub(crate) const FINE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

/// A venue that keeps every request it read whole.
pub(crate) struct Venue {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a venue does with a request that it has read. False: it hangs up.
pub(crate) trait Behaviour:
    Fn(&mut TcpStream, &str) -> bool + Send + Sync + 'static
{
}
impl<F: Fn(&mut TcpStream, &str) -> bool + Send + Sync + 'static> Behaviour for F {}

impl Venue {
    /// A venue that answers everything with [`FINE`].
    pub(crate) fn fine() -> Self {
        Self::new(|stream, _| stream.write_all(FINE).is_ok())
    }

    /// A venue that answers a request with [`FINE`] once it is told to, each time that it is, or by itself after
    /// [`SOON`](super::SOON).
    pub(crate) fn held() -> (Self, Sender<()>) {
        let (answer_now, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let venue = Self::new(move |stream, _| {
            let _ = wait.lock().unwrap().recv_timeout(super::SOON);
            stream.write_all(FINE).is_ok()
        });
        (venue, answer_now)
    }

    pub(crate) fn new(behaviour: impl Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let behaviour = Arc::new(behaviour);
        let thread = {
            let (heard, connections, stop) = (heard.clone(), connections.clone(), stop.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (heard, behaviour) = (heard.clone(), behaviour.clone());
                    std::thread::spawn(move || serve(stream, &heard, &*behaviour));
                }
            })
        };
        Self {
            address,
            heard,
            connections,
            stop,
            thread: Some(thread),
        }
    }

    /// Requests so far, head and body.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until it has heard `count` requests.
    pub(crate) fn until_heard(&self, count: usize) {
        for _ in 0..2000 {
            if self.heard.lock().unwrap().len() >= count {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("the venue heard {:?}", self.heard());
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, heard: &Mutex<Vec<String>>, behaviour: &dyn Behaviour) {
    let _ = stream.set_nodelay(true);
    let mut bytes = Vec::new();
    while let Some(request) = next(&mut stream, &mut bytes) {
        heard.lock().unwrap().push(request.clone());
        if !behaviour(&mut stream, &request) {
            return;
        }
    }
}

fn next(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(head) = find(bytes, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            let end = head + 4 + length;
            if bytes.len() >= end {
                let request = String::from_utf8(bytes.drain(..end).collect()).unwrap();
                return Some(request);
            }
        }
        let mut more = [0; 8192];
        match stream.read(&mut more) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&more[..count]),
        }
    }
}
