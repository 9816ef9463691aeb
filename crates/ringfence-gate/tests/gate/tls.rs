//! TLS on real sockets: 1.3 with a post-quantum key exchange to clients, a verified venue behind.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use crate::common::client::find;
use crate::common::tls::{Stream, certificate, offering, roots, with_tls};
use crate::common::venue::{FINE, Venue};
use crate::common::{Bench, TIME};
use rcgen::{CertifiedKey, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{
    NamedGroup, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};
use serde_json::json;

fn dial(bench: &Bench, roots: RootCertStore, version: &'static SupportedProtocolVersion) -> Stream {
    offering(bench, roots, version, &["http/1.1"])
}

fn ask(stream: &mut Stream) -> std::io::Result<String> {
    stream.write_all(TIME)?;
    let mut bytes = Vec::new();
    while find(&bytes, b"{}").is_none() {
        let mut more = [0; 1024];
        match stream.read(&mut more)? {
            0 => break,
            count => bytes.extend_from_slice(&more[..count]),
        }
    }
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn clients_get_tls_1_3_with_a_post_quantum_key_exchange() {
    let (venue, made, folder) = (Venue::fine(), certificate(), tempfile::tempdir().unwrap());
    let bench = Bench::start(venue.address, with_tls(folder.path(), &made));
    let mut stream = dial(&bench, roots(&made), &TLS13);
    for _ in 0..3 {
        assert!(ask(&mut stream).unwrap().starts_with("HTTP/1.1 200 OK"));
    }
    let group = stream.conn.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[test]
fn http2_is_chosen_where_both_speak_it_and_http1_everywhere_else() {
    let (venue, made, folder) = (Venue::fine(), certificate(), tempfile::tempdir().unwrap());
    for (http2, offered, chosen) in [
        (true, &["h2", "http/1.1"][..], "h2"),
        (true, &["http/1.1", "h2"], "h2"),
        (true, &["http/1.1"], "http/1.1"),
        (true, &[], ""),
        (false, &["h2", "http/1.1"], "http/1.1"),
    ] {
        let tls = with_tls(folder.path(), &made);
        let bench = Bench::start(venue.address, |snapshot| {
            tls(snapshot);
            snapshot["listeners"][0]["http2"] = http2.into();
        });
        let mut stream = offering(&bench, roots(&made), &TLS13, offered);
        stream.flush().unwrap();
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        let spoken = stream.conn.alpn_protocol().unwrap_or_default();
        assert_eq!(spoken, chosen.as_bytes(), "{offered:?}");
        if chosen != "h2" {
            assert!(ask(&mut stream).unwrap().starts_with("HTTP/1.1 200 OK"));
        }
    }
}

#[test]
fn a_client_that_speaks_only_tls_1_2_or_none_is_turned_away() {
    let (venue, made, folder) = (Venue::fine(), certificate(), tempfile::tempdir().unwrap());
    let bench = Bench::start(venue.address, with_tls(folder.path(), &made));
    assert!(ask(&mut dial(&bench, roots(&made), &TLS12)).is_err());
    let mut plain = bench.connect();
    plain.send(TIME);
    assert!(!plain.rest().starts_with(b"HTTP"));
    bench.until("handshakes_failed", 2);
    assert!(venue.heard().is_empty());
}

#[test]
fn a_client_that_does_not_shake_hands_is_not_waited_for() {
    let (venue, made, folder) = (Venue::fine(), certificate(), tempfile::tempdir().unwrap());
    let bench = Bench::start(venue.address, with_tls(folder.path(), &made));
    let mut client = bench.connect();
    assert!(client.rest().is_empty());
    bench.until("handshakes_failed", 1);
}

#[test]
fn a_client_that_takes_no_answers_is_cut_off_also_when_tls_has_taken_them() {
    let venue = Venue::new(|stream, _| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n";
        stream.write_all(head).is_ok() && stream.write_all(&[b'a'; 40_000]).is_ok()
    });
    let (made, folder) = (certificate(), tempfile::tempdir().unwrap());
    let bench = Bench::start(venue.address, with_tls(folder.path(), &made));
    let mut stream = dial(&bench, roots(&made), &TLS13);
    // More than all the buffers on the way hold, in answers that TLS takes whole.
    for _ in 0..500 {
        stream.write_all(TIME).unwrap();
    }
    bench.until("connections_timed_out", 1);
    bench.until("connections_open", 0);
}

/// Answers one TLS connection after the other.
fn secure_venue(made: &CertifiedKey<KeyPair>) -> std::net::SocketAddr {
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            while let Ok(1..) = stream.read(&mut [0; 8192]) {
                let _ = stream.write_all(FINE);
            }
        }
    });
    address
}

#[test]
fn a_venue_is_believed_only_with_a_certificate_of_the_given_authority() {
    let (made, stranger) = (certificate(), certificate());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let address = secure_venue(&made);
    for (trusted, host, status) in [
        (&made, "localhost", 200),
        (&stranger, "localhost", 502),
        (&made, "127.0.0.1", 502),
    ] {
        std::fs::write(&ca, trusted.cert.pem()).unwrap();
        let bench = Bench::start(address, |snapshot| {
            snapshot["upstream"]["url"] = format!("https://{host}:{}", address.port()).into();
            snapshot["upstream"]["ca"] = json!(ca);
        });
        for _ in 0..2 {
            assert_eq!(bench.ask(TIME).status, status, "{host}");
        }
    }
}
