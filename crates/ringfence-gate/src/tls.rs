//! TLS: 1.3 only, post-quantum key exchange first. rustls stays behind this file.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::certificate::Verifier;
use crate::error::GateError;
use crate::snapshot::TlsFiles;

/// By which name ALPN knows HTTP/2 (RFC 9113 3.3).
pub(crate) const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Returns the listener's side. ALPN says what is spoken here: HTTP/1.1, and before it HTTP/2 where that is wanted.
pub(crate) fn server(
    files: &TlsFiles,
    http2: bool,
    verifier: &Verifier,
    field: &str,
) -> Result<Arc<ServerConfig>, GateError> {
    let chain = certificates(&files.certificate, &format!("{field}.certificate"))?;
    let field = format!("{field}.key");
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|e| GateError::config(&field, format!("{}: {e}", files.key.display())))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let asks = verifier.is_some();
    let verifier = verifier.clone();
    let verifier = verifier.unwrap_or_else(WebPkiClientVerifier::no_client_auth);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| GateError::config(&field, e))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|e| GateError::config(&field, e))?;
    if asks {
        // A session that is resumed brings its certificate along unverified.
        config.send_tls13_tickets = 0;
    }
    let spoken = [H2, HTTP_1_1].into_iter().skip(usize::from(!http2));
    config.alpn_protocols = spoken.map(<[u8]>::to_vec).collect();
    Ok(Arc::new(config))
}

/// Returns our side of a connection to the venue, trusting only the certificates in `ca`.
pub(crate) fn venue(ca: &Path) -> Result<Arc<ClientConfig>, GateError> {
    client(ca, "upstream.ca", &[HTTP_1_1])
}

/// Returns our side of a connection on which one of `spoken` is spoken, or what needs no word; `ca` is what `field` names.
pub(crate) fn client(
    ca: &Path,
    field: &str,
    spoken: &[&[u8]],
) -> Result<Arc<ClientConfig>, GateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca, field)? {
        roots
            .add(certificate)
            .map_err(|e| GateError::config(field, e))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &rustls::version::TLS12])
        .map_err(|e| GateError::config(field, e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = spoken.iter().map(|word| word.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Reads the certificates in a PEM file; at least one.
///
/// # Errors
///
/// [`GateError::Config`] naming `field`.
pub(crate) fn certificates(
    path: &Path,
    field: &str,
) -> Result<Vec<CertificateDer<'static>>, GateError> {
    let wrong =
        |e: &dyn std::fmt::Display| GateError::config(field, format!("{}: {e}", path.display()));
    let chain = CertificateDer::pem_file_iter(path)
        .map_err(|e| wrong(&e))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| wrong(&e))?;
    if chain.is_empty() {
        Err(wrong(&"holds no certificate"))
    } else {
        Ok(chain)
    }
}

#[cfg(test)]
mod tests;
