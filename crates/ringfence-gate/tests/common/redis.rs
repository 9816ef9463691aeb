//! A real server of Redis or Valkey, which a test stops, wakes, kills and starts again; and a way to it that can be cut.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Bench, SOON};

/// What the names are hashed with.
const SECRET: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// A server of this test's own.
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    more: Vec<String>,
    child: Option<Child>,
}

/// Starts one; none where none is installed.
pub(crate) fn redis(more: &[&str]) -> Option<Redis> {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut redis = Redis {
        address,
        folder: tempfile::tempdir().unwrap(),
        more: more.iter().map(|word| (*word).to_owned()).collect(),
        child: None,
    };
    if redis.start() {
        return Some(redis);
    }
    eprintln!("skipped: neither valkey-server nor redis-server is installed");
    None
}

impl Redis {
    /// Starts it, with what it has kept; false if there is no such program.
    pub(crate) fn start(&mut self) -> bool {
        let port = self.address.port().to_string();
        let folder = self.folder.path().to_str().unwrap();
        let program = ["valkey-server", "redis-server"]
            .into_iter()
            .find_map(|name| {
                let mut command = Command::new(name);
                command.args(["--port", &port, "--bind", "127.0.0.1", "--dir", folder]);
                command
                    .args(["--save", "", "--daemonize", "no"])
                    .args(&self.more);
                command
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .ok()
            });
        self.child = program;
        if self.child.is_none() {
            return false;
        }
        let since = Instant::now();
        while !self.answers() {
            assert!(since.elapsed() < SOON, "the server does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn answers(&self) -> bool {
        TcpStream::connect(self.address).is_ok_and(|mut stream| {
            let _ = stream.write_all(b"PING\r\n");
            let mut said = [0; 1];
            stream.read_exact(&mut said).is_ok()
        })
    }

    /// Says one command, as words without spaces, and returns the first line of the answer.
    pub(crate) fn say(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// A part of what it says of itself.
    pub(crate) fn info(&self, section: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .write_all(format!("INFO {section}\r\nQUIT\r\n").as_bytes())
            .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it where it stands, or lets it go on.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let done = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The section of a snapshot that names a server.
pub(crate) fn cluster(address: SocketAddr) -> Value {
    json!({"prefix": "test", "deadline_ms": 50,
           "server": {"address": address.to_string(), "secret": SECRET}})
}

/// Waits until a gate reaches its server, or does not.
pub(crate) fn until_reachable(bench: &Bench, wanted: bool) {
    let since = Instant::now();
    while bench.gate.status()["cluster"]["reachable"] != wanted {
        assert!(since.elapsed() < SOON, "{}", bench.gate.status());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A way to a server that can be cut and joined again: nothing passes then, and nothing is closed.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, open) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let wire = Self {
            address,
            cut: Arc::clone(&cut),
            open: Arc::clone(&open),
        };
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(near) = near else { return };
                let Ok(far) = TcpStream::connect(server) else {
                    continue;
                };
                open.lock()
                    .unwrap()
                    .extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                for (mut from, mut to) in [
                    (near.try_clone().unwrap(), far.try_clone().unwrap()),
                    (far, near),
                ] {
                    let cut = Arc::clone(&cut);
                    std::thread::spawn(move || {
                        let mut bytes = [0; 16 * 1024];
                        while let Ok(count @ 1..) = from.read(&mut bytes) {
                            while cut.load(Ordering::SeqCst) {
                                std::thread::sleep(Duration::from_millis(1));
                            }
                            if to.write_all(&bytes[..count]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        wire
    }

    pub(crate) fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.set_cut(false);
        for stream in self.open.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
