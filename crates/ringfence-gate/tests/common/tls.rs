//! Certificates made at run time, and clients that trust them.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use serde_json::{Value, json};

use super::Bench;

pub(crate) fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

pub(crate) fn roots(made: &CertifiedKey<KeyPair>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    roots
}

/// Lays a certificate and its key, and has the listener use them.
pub(crate) fn with_tls<'p>(
    folder: &'p Path,
    made: &CertifiedKey<KeyPair>,
) -> impl FnOnce(&mut Value) + use<'p> {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    move |snapshot| {
        snapshot["listeners"][0]["plain"] = false.into();
        snapshot["listeners"][0]["tls"] = json!({"certificate": certificate, "key": key});
    }
}

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Connects with TLS, offering `protocols` by ALPN.
pub(crate) fn offering(
    bench: &Bench,
    roots: RootCertStore,
    version: &'static SupportedProtocolVersion,
    protocols: &[&str],
) -> Stream {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let names = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = names.collect();
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TcpStream::connect(bench.address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(super::SOON)).unwrap();
    StreamOwned::new(
        ClientConnection::new(Arc::new(config), name).unwrap(),
        socket,
    )
}
