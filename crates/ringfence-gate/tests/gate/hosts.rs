//! A WebSocket goes to its own host at the venue, what is somebody's to that for private ones, and never to another.

use std::io::Read as _;
use std::net::TcpListener;

use crate::common::push::{Pusher, with_feed};
use crate::common::talk::{Talk, plain, signed};
use crate::common::tls::certificate;
use crate::common::{Bench, TIME};
use ringfence_gate::check;
use serde_json::{Value, json};

/// The API, the host of what is public, and that of what is private.
struct Three {
    api: Pusher,
    public: Pusher,
    private: Pusher,
}

impl Three {
    fn new() -> Self {
        let answering = || {
            Pusher::new(|said| {
                let said: Value = serde_json::from_str(said).unwrap();
                json!({"answer": said, "ok": "true"}).to_string()
            })
        };
        Self {
            api: answering(),
            public: answering(),
            private: answering(),
        }
    }

    fn bench(&self, change: impl FnOnce(&mut Value)) -> Bench {
        let url = |pusher: &Pusher| format!("ws://{}", pusher.venue.address);
        Bench::start(self.api.venue.address, |snapshot| {
            snapshot["dialects"]["test"] = dialect();
            snapshot["upstream"]["websockets"] = json!([
                {"path": "/leg", "url": url(&self.public), "private": url(&self.private)},
                {"path": "/streams", "url": url(&self.public)},
            ]);
            change(snapshot);
        })
    }

    fn legs(&self) -> [usize; 3] {
        [&self.api, &self.public, &self.private].map(Pusher::legs)
    }
}

/// With a leg for each, and two streams.
fn dialect() -> Value {
    let mut dialect = with_feed();
    let routes = dialect["routes"].as_array_mut().unwrap();
    for path in ["/streams/{name}", "/elsewhere"] {
        routes.push(json!({"method": "GET", "path": path, "operation": "market.read", "signed": false, "stream": true}));
    }
    dialect["stream_messages"] = json!({"any": true});
    dialect
}

fn log_on(talk: &mut Talk, bench: &Bench) {
    let answer = talk.ask(&signed(&bench.key, 1, "session.logon", json!({})));
    assert_eq!(answer["result"]["key"], bench.key.id);
}

fn methods(pusher: &Pusher) -> Vec<String> {
    let said = pusher.said().into_iter();
    said.map(|said| said["method"].as_str().unwrap().to_owned())
        .collect()
}

/// Each opening names the host that it came to.
fn names_its_host(pusher: &Pusher) {
    let heard = pusher.venue.heard();
    assert!(!heard.is_empty());
    for opening in heard {
        let host = format!("\r\nhost: {}\r\n", pusher.venue.address);
        assert!(opening.to_lowercase().contains(&host), "{opening}");
    }
}

fn subscribe_to_both(bench: &Bench) {
    let mut talk = Talk::open(bench);
    log_on(&mut talk, bench);
    let market = talk.ask(&plain(2, "watch", json!({"topics": ["trades.BTC"]})));
    assert_eq!(market["answer"]["method"], "watch");
    let own = talk.ask(&plain(3, "subscribe", json!({"topics": ["orders.BTC"]})));
    assert_eq!(own["answer"]["method"], "subscribe");
}

#[test]
fn what_is_somebody_s_goes_to_the_private_host_and_markets_to_the_public_one() {
    let three = Three::new();
    let bench = three.bench(|_| {});
    subscribe_to_both(&bench);
    assert_eq!(three.legs(), [0, 1, 1]);
    assert_eq!(methods(&three.public), ["watch"]);
    assert_eq!(methods(&three.private), ["subscribe"]);
    names_its_host(&three.public);
    names_its_host(&three.private);
    assert_eq!(bench.ask(TIME).status, 200);
    assert_eq!(three.api.venue.heard().len(), 1);
}

#[test]
fn in_egress_the_venue_key_is_shown_to_the_private_host_alone() {
    let three = Three::new();
    let bench = three.bench(|snapshot| {
        snapshot["egress"] =
            json!({"accounts": {"alice": "main"}, "default": null, "transfers": []});
    });
    bench.put_venue_key();
    subscribe_to_both(&bench);
    assert_eq!(three.legs(), [0, 1, 1]);
    assert_eq!(methods(&three.private), ["logon", "subscribe"]);
    assert_eq!(methods(&three.public), ["watch"]);
    let shown = three.public.venue.heard().concat();
    assert!(!shown.contains("venue-key"), "{shown}");
}

#[test]
fn a_stream_goes_to_its_host_and_one_that_is_not_listed_to_the_api() {
    let three = Three::new();
    let bench = three.bench(|_| {});
    let _listed = Talk::open_at(&bench, "/streams/btc?depth=5", "").unwrap();
    assert_eq!(three.legs(), [0, 1, 0]);
    let opening = &three.public.venue.heard()[0];
    assert!(
        opening.starts_with("GET /streams/btc?depth=5 "),
        "{opening}"
    );
    names_its_host(&three.public);
    let _other = Talk::open_at(&bench, "/elsewhere", "").unwrap();
    assert_eq!(three.legs(), [1, 1, 0]);
    names_its_host(&three.api);
}

#[test]
fn a_host_that_is_gone_is_unreachable_and_no_other_stands_in_for_it() {
    let three = Three::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let bench = three.bench(|snapshot| {
        for index in [0, 1] {
            let url = format!("ws://{}", closed.as_ref().unwrap());
            snapshot["upstream"]["websockets"][index]["url"] = url.into();
        }
    });
    let refused = Talk::open_at(&bench, "/streams/btc", "").err().unwrap();
    assert!(refused.contains("venue_unreachable"), "{refused}");
    let mut talk = Talk::open(&bench);
    log_on(&mut talk, &bench);
    let market = talk.ask(&plain(2, "watch", json!({"topics": ["trades.BTC"]})));
    assert!(market.to_string().contains("venue_unreachable"), "{market}");
    talk.ask(&plain(3, "subscribe", json!({"topics": ["orders.BTC"]})));
    assert_eq!(three.legs(), [0, 0, 1]);
    assert_eq!(bench.ask(TIME).status, 200);
}

#[test]
fn an_api_that_is_gone_keeps_no_websocket_from_its_host() {
    let three = Three::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let bench = three.bench(|snapshot| {
        snapshot["upstream"]["url"] = format!("http://{}", closed.unwrap()).into();
    });
    assert_eq!(bench.ask(TIME).status, 502);
    let _listed = Talk::open_at(&bench, "/streams/btc", "").unwrap();
    subscribe_to_both(&bench);
    assert_eq!(three.legs(), [0, 2, 1]);
}

#[test]
fn a_host_over_tls_is_verified_by_the_upstream_s_roots() {
    let (three, folder) = (Three::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, certificate().cert.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let other = certificate();
    let served = std::thread::spawn(move || {
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(other.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(
            rustls::crypto::aws_lc_rs::default_provider().into(),
        );
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth();
        let config = config.with_single_cert(vec![other.cert.der().clone()], key.into());
        let connection = rustls::ServerConnection::new(config.unwrap().into()).unwrap();
        let socket = listener.accept().unwrap().0;
        let mut stream = rustls::StreamOwned::new(connection, socket);
        let mut said = Vec::new();
        (stream.read_to_end(&mut said).is_err(), said)
    });
    let bench = three.bench(|snapshot| {
        snapshot["upstream"]["ca"] = json!(ca);
        snapshot["upstream"]["websockets"][1]["url"] = format!("wss://localhost:{port}").into();
    });
    let refused = Talk::open_at(&bench, "/streams/btc", "").err().unwrap();
    assert!(refused.contains("venue_unreachable"), "{refused}");
    assert_eq!(served.join().unwrap(), (true, Vec::new()));
    assert_eq!(three.legs(), [0, 0, 0]);
}

#[test]
fn a_path_at_which_the_gateway_opens_nothing_is_refused() {
    let three = Three::new();
    for (path, why) in [
        ("/stream", "a part of a word"),
        ("/streams/btc", "more than the dialect says"),
        ("/channel", "its messages go by request"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://{}", three.api.venue.address);
        let snapshot = crate::common::snapshot(folder.path(), &url, |snapshot| {
            snapshot["dialects"]["test"] = dialect();
            snapshot["upstream"]["websockets"] = json!([
                {"path": "/streams", "url": "ws://a"},
                {"path": path, "url": "ws://b"},
            ]);
        });
        let refused = check(&snapshot).err().unwrap().to_string();
        assert!(
            refused.starts_with("upstream.websockets[1].path: "),
            "{why}: {refused}"
        );
    }
}
