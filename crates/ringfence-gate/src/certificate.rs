//! Client certificates: verified in the handshake, and again while their connection lives.
//!
//! A handshake proves a certificate once, and a connection may outlive it: whoever keeps one open would keep an expired
//! certificate good. So it is verified anew, with the whole path to a root of ours, before it counts for a message later
//! than [`TRUSTED_US`] after it was verified last.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use ringfence_core::pipeline::Core;
use ringfence_core::session::{Coverage, Session, Thumbprint};
use ringfence_core::sign::Algorithm;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::error::GateError;
use crate::snapshot::{ClientAuth, TlsFiles};
use crate::tls::certificates;

/// How long a verification is trusted, in microseconds.
const TRUSTED_US: u64 = 10_000_000;

/// What verifies a listener's clients; none where it asks for no certificates.
pub(crate) type Verifier = Option<Arc<dyn ClientCertVerifier>>;

/// Makes a listener's verifier. A certificate must lead to one of the roots in `client_ca`, be in force, and be good for
/// authenticating clients, if it says what it is good for (RFC 5280 4.2.1.12).
///
/// # Errors
///
/// [`GateError::Config`] naming the field.
pub(crate) fn verifier(files: &TlsFiles, field: &str) -> Result<Verifier, GateError> {
    let Some(path) = &files.client_ca else {
        return match files.client_auth {
            None => Ok(None),
            Some(_) => {
                let what = "whose certificates? name a PEM file of roots in `client_ca`";
                Err(GateError::config(format!("{field}.client_auth"), what))
            }
        };
    };
    let field = format!("{field}.client_ca");
    let roots = Arc::new(roots(path, &field)?);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let builder = match files.client_auth {
        Some(ClientAuth::Required) => builder,
        Some(ClientAuth::Optional) | None => builder.allow_unauthenticated(),
    };
    let built = builder.build();
    built.map(Some).map_err(|e| GateError::config(field, e))
}

fn roots(path: &Path, field: &str) -> Result<RootCertStore, GateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, field)? {
        let added = roots.add(certificate);
        added.map_err(|e| GateError::config(field, e))?;
    }
    Ok(roots)
}

/// A certificate that a client presented and the handshake verified.
pub(crate) struct Presented {
    chain: Box<[CertificateDer<'static>]>,
    thumbprint: Thumbprint,
    /// The thumbprint in hexadecimal: the id of the credential that it is, if it is one.
    key_id: String,
    verifier: Arc<dyn ClientCertVerifier>,
    /// Until when its last verification is trusted, in microseconds since the Unix epoch.
    trusted_us: Cell<u64>,
}

impl Presented {
    /// Keeps what a handshake has verified at `now_us`; none if the client presented nothing.
    pub(crate) fn new(
        chain: &[CertificateDer<'_>],
        verifier: &Arc<dyn ClientCertVerifier>,
        now_us: u64,
    ) -> Option<Self> {
        let own = chain.first()?;
        let hash = digest(&SHA256, own);
        let thumbprint = Thumbprint::try_from(hash.as_ref()).ok()?;
        let mut key_id = String::with_capacity(2 * thumbprint.len());
        for byte in thumbprint {
            // Writing to a String cannot fail.
            let _ = write!(key_id, "{byte:02x}");
        }
        Some(Self {
            chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
            thumbprint,
            key_id,
            verifier: Arc::clone(verifier),
            trusted_us: Cell::new(now_us.saturating_add(TRUSTED_US)),
        })
    }

    /// Returns SHA-256 of the certificate, as long as it still verifies at `now_us`.
    pub(crate) fn thumbprint(&self, now_us: u64) -> Option<Thumbprint> {
        let trusted_us = self.trusted_us.get();
        // A clock that was put back is no reason to trust for longer.
        let fresh = now_us < trusted_us && trusted_us - now_us <= TRUSTED_US;
        if !fresh {
            let now = UnixTime::since_unix_epoch(Duration::from_micros(now_us));
            let (own, rest) = self.chain.split_first()?;
            self.verifier.verify_client_cert(own, rest, now).ok()?;
            self.trusted_us.set(now_us.saturating_add(TRUSTED_US));
        }
        Some(self.thumbprint)
    }

    /// Returns the session of the credential that the certificate is, if it is one and still verifies at `now_us`. TLS
    /// has brought the whole of each message from who has the certificate's key.
    pub(crate) fn session(&self, core: &Core, now_us: u64) -> Option<Session> {
        self.thumbprint(now_us)?;
        let session = core.vouch(&self.key_id, Coverage::Whole, u64::MAX, None);
        let session = session.ok()?;
        // An id that only looks like a thumbprint is a key that has to sign.
        let is_one = session.credential().algorithm() == Algorithm::X509;
        is_one.then_some(session)
    }
}

#[cfg(test)]
mod tests;
