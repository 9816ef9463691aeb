//! Clients meet TLS 1.3 with a post-quantum key exchange first, and nothing older.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, NamedGroup, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

use crate::snapshot::TlsFiles;

/// A listener's configuration from files, and what a client must trust.
fn listener() -> (Arc<ServerConfig>, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
        client_ca: None,
        client_auth: None,
    };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (
        super::server(&files, true, &None, "listeners[0].tls").unwrap(),
        roots,
    )
}

fn client(
    roots: RootCertStore,
    versions: &[&'static SupportedProtocolVersion],
    groups: &[NamedGroup],
) -> ClientConnection {
    let mut provider = CryptoProvider {
        ..aws_lc_rs::default_provider()
    };
    provider
        .kx_groups
        .retain(|group| groups.contains(&group.name()));
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// Carries bytes between the two until both are done.
fn shake(
    client: &mut ClientConnection,
    server: &mut ServerConnection,
) -> Result<(), rustls::Error> {
    for _ in 0..8 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

#[test]
fn post_quantum_key_exchange_is_preferred() {
    let (config, roots) = listener();
    let mut server = ServerConnection::new(config).unwrap();
    let mut client = client(
        roots,
        &[&TLS13],
        &[NamedGroup::X25519, NamedGroup::X25519MLKEM768],
    );
    shake(&mut client, &mut server).unwrap();
    let group = server.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
}

#[test]
fn tls_1_2_is_refused() {
    let (config, roots) = listener();
    let mut server = ServerConnection::new(config).unwrap();
    let mut client = client(roots, &[&TLS12], &[NamedGroup::X25519]);
    assert!(shake(&mut client, &mut server).is_err());
}

#[test]
fn a_missing_file_names_the_field() {
    let files = TlsFiles {
        certificate: "/nowhere/cert.pem".into(),
        key: "/nowhere/key.pem".into(),
        client_ca: None,
        client_auth: None,
    };
    let refusal = super::server(&files, true, &None, "listeners[0].tls").unwrap_err();
    assert!(
        refusal
            .to_string()
            .starts_with("listeners[0].tls.certificate: /nowhere/cert.pem")
    );
}
