//! What is measured over HTTP/2 is what a server answered, and nothing else is taken for it.

#![allow(clippy::unwrap_used)]

use std::io;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::Response;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{run, translated};
use crate::arguments::Arguments;
use crate::credential::Credential;
use crate::drive::Plan;
use crate::report::Report;
use crate::request::{Kind, Recipe};
use crate::transport::Route;

const H2: &[u8] = b"h2";

#[test]
fn a_request_keeps_method_target_fields_and_body() {
    let text = b"POST /a?b=c HTTP/1.1\r\nHost: h:1\r\nX-K: v\r\nContent-Length: 2\r\n\r\nd=";
    let (request, body) = translated(text).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://h:1/a?b=c");
    assert_eq!(request.headers()["x-k"], "v");
    assert_eq!(request.headers()["content-length"], "2");
    assert!(!request.headers().contains_key("host"));
    assert_eq!(body, "d=");
}

#[test]
fn what_is_no_request_is_none() {
    for text in ["", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nno field\r\n\r\n"] {
        assert!(translated(text.as_bytes()).is_none(), "{text}");
    }
}

/// Answers each request by what it asks: 200 to an order with its whole body, 403 to anything else.
async fn answer(stream: TcpStream, acceptor: TlsAcceptor) -> Option<()> {
    let stream = acceptor.accept(stream).await.ok()?;
    let mut connection = h2::server::handshake(stream).await.ok()?;
    while let Some(Ok((request, mut answers))) = connection.accept().await {
        tokio::spawn(async move {
            let length = request.headers().get("content-length").cloned();
            let (mut body, mut got) = (request.into_body(), 0);
            while let Some(Ok(piece)) = body.data().await {
                got += piece.len();
                body.flow_control().release_capacity(piece.len()).ok()?;
            }
            let whole = length.is_some_and(|length| length == got.to_string());
            let status = if whole { 200 } else { 403 };
            let head = Response::builder().status(status).body(()).ok()?;
            let mut rest = answers.send_response(head, false).ok()?;
            rest.send_data(Bytes::from_static(b"{}"), true).ok()
        });
    }
    Some(())
}

/// Serves in a thread of its own; returns where, and the file with its certificate.
fn serving(protocols: &[&[u8]]) -> (SocketAddr, NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, acceptor.clone()));
            }
        });
    });
    (address, file)
}

fn load(protocols: &[&[u8]], kind: Kind, count: usize) -> io::Result<Report> {
    let (address, certificate) = serving(protocols);
    let path = certificate.path().display();
    let words = format!("--target {address} --tls-ca {path}");
    let arguments = Arguments::parse(words.split(' ').map(str::to_owned))?;
    let route = Route::from_arguments(&arguments, &[H2])?;
    let plan = Plan {
        connections: 2,
        warm_ns: 0,
        run_ns: 20_000_000_000,
        rate: None,
        shed: false,
        cycle: false,
        watch: vec![std::process::id()],
    };
    let credentials = [Credential {
        key_id: "k1".into(),
        key: hmac::Key::new(hmac::HMAC_SHA256, b"secret"),
    }];
    let recipe = Recipe {
        kind,
        host: &route.host(),
        credentials: &credentials,
        count,
        window_ms: 60_000,
        forged: false,
    };
    run(&route, plan, 3, &recipe)
}

#[test]
fn every_request_is_asked_once_and_its_answer_counted_by_status() {
    for (kind, status) in [(Kind::Order, 200), (Kind::Read, 403)] {
        let report = load(&[H2], kind, 100).unwrap();
        assert_eq!(report.statuses[status], 100, "{kind:?}");
        assert_eq!((report.latency.total(), report.broken), (100, 0));
        assert!(report.exhausted);
    }
}

#[test]
fn a_server_without_http2_is_an_error() {
    let error = load(&[], Kind::Order, 1).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the target does not speak HTTP/2");
}
