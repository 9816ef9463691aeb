//! Client certificates: one is a credential of its own, or a second factor to a key, and only as long as it verifies.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use crate::common::client::find;
use crate::common::talk::{plain, with_channel};
use crate::common::venue::Venue;
use crate::common::{Bench, order};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedKey, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, date_time_ymd,
};
use ringfence_core::credential::State;
use ringfence_gate::CredentialRecord;
use ringfence_wire::websocket::{Kind, frame};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

const READ: &[u8] = b"GET /account HTTP/1.1\r\nHost: gw\r\n\r\n";

/// An authority that signs certificates.
struct Authority {
    certificate: Certificate,
    params: CertificateParams,
    key: KeyPair,
}

/// A client's certificate and key; none for a client that presents nothing.
type Own = Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>;

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params.self_signed(&key).unwrap(),
            params,
            key,
        }
    }

    fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> Own {
        let mut params = CertificateParams::new(["trader".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let signed = params.signed_by(&key, &issuer).unwrap();
        own(signed.der(), &key)
    }
}

fn own(certificate: &CertificateDer<'static>, key: &KeyPair) -> Own {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Some((certificate.clone(), key.into()))
}

fn thumbprint(own: &Own) -> String {
    let hash = digest(&SHA256, &own.as_ref().unwrap().0);
    let hex = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
    hex.collect()
}

/// A gate that asks for certificates.
struct Stage {
    bench: Bench,
    server: CertifiedKey<KeyPair>,
    venue: Venue,
}

fn stage(authority: &Authority, client_auth: Option<&str>) -> Stage {
    stage_with(authority, client_auth, |_| {})
}

fn stage_with(
    authority: &Authority,
    client_auth: Option<&str>,
    change: impl FnOnce(&mut Value),
) -> Stage {
    let (venue, folder) = (Venue::fine(), tempfile::tempdir().unwrap());
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("cert.pem"), server.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), server.signing_key.serialize_pem()).unwrap();
    std::fs::write(path("roots.pem"), authority.certificate.pem()).unwrap();
    let bench = Bench::start(venue.address, |snapshot| {
        let listener = &mut snapshot["listeners"][0];
        listener["plain"] = false.into();
        listener["tls"] = json!({"certificate": path("cert.pem"), "key": path("key.pem"),
            "client_ca": path("roots.pem"), "client_auth": client_auth});
        change(snapshot);
    });
    Stage {
        bench,
        server,
        venue,
    }
}

impl Stage {
    fn connect(&self, own: &Own) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.cert.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(vec![certificate.clone()], key.clone_key())
                .unwrap(),
        };
        let name = ServerName::try_from("localhost").unwrap();
        let socket = TcpStream::connect(self.bench.address).unwrap();
        socket.set_read_timeout(Some(crate::common::SOON)).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(connection, socket)
    }

    /// Returns the status and the refusal's code; nothing when the handshake fails.
    fn ask(&self, own: &Own, request: &[u8]) -> Option<(u16, String)> {
        exchange(&mut self.connect(own), request)
    }

    /// Registers a certificate as a credential.
    fn register(&self, own: &Own) -> String {
        let id = thumbprint(own);
        let hash = digest(&SHA256, &own.as_ref().unwrap().0);
        let material = STANDARD.encode(hash);
        self.put(
            json!({"key_id": id, "account": "bob", "algorithm": "x509", "material": material,
            "scopes": ["read", "trade"], "allow": ["127.0.0.0/8"], "expires_us": null,
            "state": "active"}),
        );
        id
    }

    fn put(&self, record: Value) {
        let records = serde_json::to_vec(&json!([record])).unwrap();
        let records = CredentialRecord::parse_all(&records).unwrap();
        self.bench.gate.put_credentials(records).unwrap();
    }

    /// Has the trader's key demand a certificate.
    fn demand(&self, certificate: &str) {
        let key = &self.bench.key;
        self.put(
            json!({"key_id": key.id, "account": "alice", "algorithm": "hmac-sha256",
            "material": STANDARD.encode(&key.secret), "scopes": ["read", "trade"],
            "allow": ["127.0.0.0/8"], "expires_us": null, "state": "active",
            "demands": {"certificates": [certificate]}}),
        );
    }
}

fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> Option<(u16, String)> {
    stream.write_all(request).ok()?;
    let (mut bytes, mut more) = (Vec::new(), [0; 1024]);
    while find(&bytes, b"}").is_none() {
        match stream.read(&mut more).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&more[..count]),
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let code = body["msg"].as_str().unwrap_or_default().to_owned();
    Some((text[9..12].parse().unwrap(), code))
}

fn refused(code: &str) -> Option<(u16, String)> {
    Some((400, code.to_owned()))
}

fn fine() -> Option<(u16, String)> {
    Some((200, String::new()))
}

#[test]
fn a_registered_certificate_acts_without_a_key() {
    let authority = Authority::new();
    let (stage, own) = (stage(&authority, None), authority.sign(|_| {}));
    assert_eq!(stage.ask(&own, READ), refused("credential_missing"));
    let id = stage.register(&own);
    assert_eq!(stage.ask(&own, READ), fine());
    let entries = stage.bench.entries("decision", 2);
    let said = |name: &str| entries[1][name].as_str().unwrap().to_owned();
    assert_eq!((said("credential"), said("account")), (id, "bob".into()));
    assert_eq!(said("proof"), "certificate");
    assert_eq!(entries[0]["proof"], Value::Null);
}

#[test]
fn it_may_trade_and_is_silenced_by_a_revocation_on_the_same_connection() {
    let authority = Authority::new();
    let (stage, own) = (stage(&authority, None), authority.sign(|_| {}));
    let id = stage.register(&own);
    let body = "symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000.00&quantity=0.001";
    let request = format!(
        "POST /order HTTP/1.1\r\nHost: gw\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = stage.connect(&own);
    assert_eq!(exchange(&mut stream, request.as_bytes()), fine());
    let gate = &stage.bench.gate;
    gate.set_credential_state(&id, State::Deactivated, &[])
        .unwrap();
    let answer = exchange(&mut stream, request.as_bytes());
    assert_eq!(answer, refused("credential_revoked"));
    assert_eq!(stage.venue.heard().len(), 1);
}

/// Opens a channel, on which nobody logs on, and has it say `text` if there is one. Returns the stream behind the answer.
fn channel(
    stage: &Stage,
    own: &Own,
    text: Option<&str>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut stream = stage.connect(own);
    let head = "GET /channel HTTP/1.1\r\nHost: gw\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    if let Some(text) = text {
        let mut out = Vec::new();
        frame(&mut out, Kind::Text, text.as_bytes(), Some([1, 2, 3, 4]));
        stream.write_all(&out).unwrap();
        let said = heard(&mut stream);
        assert!(said.starts_with(b"\x81"), "{said:?}");
    }
    stream
}

/// Returns the next frame, which is a short one.
fn heard(stream: &mut impl Read) -> Vec<u8> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut length = usize::from(head[1]);
    if length == 126 {
        let mut long = [0; 2];
        stream.read_exact(&mut long).unwrap();
        length = u16::from_be_bytes(long).into();
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    [vec![head[0]], payload].concat()
}

#[test]
fn its_revocation_closes_a_channel_on_which_nobody_has_logged_on() {
    let authority = Authority::new();
    let stage = stage_with(&authority, None, |snapshot| {
        snapshot["dialects"]["test"] = with_channel();
    });
    let (own, other) = (authority.sign(|_| {}), authority.sign(|_| {}));
    let id = stage.register(&own);
    stage.register(&other);
    let (mut silent, mut spoken) = (
        channel(&stage, &own, None),
        channel(&stage, &own, Some(&plain(1, "account.status", json!({})))),
    );
    // It is known as a credential only after this one was opened.
    let late = authority.sign(|_| {});
    let mut opened = channel(&stage, &late, None);
    let late_id = stage.register(&late);
    let mut out = Vec::new();
    let text = plain(1, "account.status", json!({}));
    frame(&mut out, Kind::Text, text.as_bytes(), Some([1, 2, 3, 4]));
    opened.write_all(&out).unwrap();
    assert!(heard(&mut opened).starts_with(b"\x81"));
    let mut others = channel(&stage, &other, Some(&plain(1, "account.status", json!({}))));
    for id in [&id, &late_id] {
        let gate = &stage.bench.gate;
        gate.set_credential_state(id, State::Deactivated, &[])
            .unwrap();
    }
    let closed = b"\x88\x03\xf0the key of this session is not in force";
    for stream in [&mut silent, &mut spoken, &mut opened] {
        assert_eq!(heard(stream), closed);
    }
    // Nobody else's.
    others.write_all(&out).unwrap();
    assert!(heard(&mut others).starts_with(b"\x81"));
}

#[test]
fn a_key_of_its_own_counts_before_the_certificate() {
    let authority = Authority::new();
    let (stage, own) = (stage(&authority, None), authority.sign(|_| {}));
    stage.register(&own);
    assert_eq!(stage.ask(&own, &order(&stage.bench.key)), fine());
    // A key without a signature, or the other way round, is no silence.
    let key = b"GET /account HTTP/1.1\r\nHost: gw\r\nX-Key: trader\r\n\r\n";
    assert_eq!(stage.ask(&own, key), refused("signature_missing"));
    let signature = b"GET /account?signature=00 HTTP/1.1\r\nHost: gw\r\n\r\n";
    assert_eq!(stage.ask(&own, signature), refused("credential_missing"));
    let native = b"GET /account HTTP/1.1\r\nHost: gw\r\nSignature-Input: a=()\r\n\r\n";
    assert_eq!(stage.ask(&own, native), refused("signature_field"));
    let entries = stage.bench.entries("decision", 1);
    assert_eq!(entries[0]["credential"], "trader");
    assert_eq!(entries[0]["proof"], Value::Null);
}

#[test]
fn a_key_can_demand_a_certificate_beside_its_signature() {
    let authority = Authority::new();
    let (stage, own) = (stage(&authority, Some("optional")), authority.sign(|_| {}));
    stage.demand(&thumbprint(&own));
    let ask = |own: &Own| stage.ask(own, &order(&stage.bench.key));
    assert_eq!(ask(&None), refused("credential_certificate"));
    assert_eq!(
        ask(&authority.sign(|_| {})),
        refused("credential_certificate")
    );
    assert!(stage.venue.heard().is_empty());
    assert_eq!(ask(&own), fine());
}

#[test]
fn what_only_looks_like_a_thumbprint_is_a_key_that_signs() {
    let authority = Authority::new();
    let (stage, own) = (stage(&authority, None), authority.sign(|_| {}));
    stage.put(
        json!({"key_id": thumbprint(&own), "account": "eve", "algorithm": "hmac-sha256",
        "material": STANDARD.encode([7; 32]), "scopes": ["read"], "allow": ["127.0.0.0/8"],
        "expires_us": null, "state": "active"}),
    );
    assert_eq!(stage.ask(&own, READ), refused("credential_missing"));
}

#[test]
fn a_certificate_verifies_no_signature() {
    let authority = Authority::new();
    let (stage, own) = (stage(&authority, None), authority.sign(|_| {}));
    let id = stage.register(&own);
    let key = crate::common::Key {
        id,
        secret: thumbprint(&own).into_bytes(),
    };
    assert_eq!(
        stage.ask(&None, &order(&key)),
        refused("signature_algorithm")
    );
}

#[test]
fn a_certificate_that_does_not_verify_gets_no_connection() {
    let authority = Authority::new();
    let stage = stage(&authority, None);
    let alone = {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["trader".to_owned()]).unwrap();
        own(params.self_signed(&key).unwrap().der(), &key)
    };
    let wrong: [(&str, Own); 5] = [
        (
            "expired",
            authority.sign(|params| params.not_after = date_time_ymd(2020, 1, 1)),
        ),
        (
            "to come",
            authority.sign(|params| params.not_before = date_time_ymd(2999, 1, 1)),
        ),
        (
            "for servers",
            authority.sign(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
        ),
        ("of another authority", Authority::new().sign(|_| {})),
        ("self-signed", alone),
    ];
    for (why, own) in &wrong {
        stage.register(own);
        assert_eq!(stage.ask(own, READ), None, "{why}");
    }
    assert!(stage.venue.heard().is_empty());
    stage.bench.until("handshakes_failed", 5);
}

#[test]
fn where_one_is_required_nobody_gets_in_without() {
    let authority = Authority::new();
    let stage = stage(&authority, Some("required"));
    assert_eq!(stage.ask(&None, READ), None);
    assert_eq!(
        stage.ask(&authority.sign(|_| {}), READ),
        refused("credential_missing")
    );
}

/// What a session brings back is a certificate that nobody has looked at again.
#[test]
fn where_certificates_are_asked_for_no_session_is_resumed() {
    let authority = Authority::new();
    let (stage, own) = (stage(&authority, None), authority.sign(|_| {}));
    let mut stream = stage.connect(&own);
    exchange(&mut stream, READ).unwrap();
    assert_eq!(stream.conn.tls13_tickets_received(), 0);
}
