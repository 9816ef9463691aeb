//! The key that signs checkpoints or cosigns those of others.
//!
//! Source: RFC 8410 (PKCS#8 Ed25519).

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::LedgerError;
use crate::vkey::{CosignerKey, VerifierKey};

/// An Ed25519 key that signs checkpoints. Its `Debug` shows nothing of it; clones share it.
#[derive(Clone)]
pub struct SigningKey(Arc<Ed25519KeyPair>);

impl SigningKey {
    /// Reads a PKCS#8 PEM file (`-----BEGIN PRIVATE KEY-----`), as OpenSSL and Python write it.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`] when the file cannot be read, [`LedgerError::Key`] when it is not an
    /// Ed25519 key.
    pub fn from_file(path: &Path) -> Result<Self, LedgerError> {
        let text = fs::read_to_string(path).map_err(LedgerError::io("reading the key file"))?;
        Self::from_pem(&text)
    }

    /// Reads PKCS#8 PEM text.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when it is not one Ed25519 private key.
    pub fn from_pem(text: &str) -> Result<Self, LedgerError> {
        let body = text
            .trim()
            .strip_prefix("-----BEGIN PRIVATE KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))
            .ok_or(LedgerError::Key(
                "not a PKCS#8 PEM file (BEGIN PRIVATE KEY)",
            ))?;
        let base64: String = body.split_ascii_whitespace().collect();
        let der = STANDARD
            .decode(base64)
            .map_err(|_| LedgerError::Key("the PEM body is not base64"))?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
            .map(|pair| Self(Arc::new(pair)))
            .map_err(|_| LedgerError::Key("not an Ed25519 private key"))
    }

    /// Makes a key from its 32-byte seed.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when the seed has another length.
    pub fn from_seed(seed: &[u8]) -> Result<Self, LedgerError> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(|pair| Self(Arc::new(pair)))
            .map_err(|_| LedgerError::Key("an Ed25519 seed has 32 bytes"))
    }

    /// Makes a new random key.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when the system gives no randomness.
    pub fn generate() -> Result<Self, LedgerError> {
        Ed25519KeyPair::generate()
            .map(|pair| Self(Arc::new(pair)))
            .map_err(|_| LedgerError::Key("the system gave no randomness"))
    }

    /// The key that verifies what this one signs under the name `origin`.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when `origin` cannot be a key name: empty, or with a space, `+` or
    /// control character.
    pub fn verifier(&self, origin: &str) -> Result<VerifierKey, LedgerError> {
        VerifierKey::new(origin, self.public())
    }

    /// The key that verifies what this one cosigns under the name `name`.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when `name` cannot be a key name.
    pub fn cosigner(&self, name: &str) -> Result<CosignerKey, LedgerError> {
        CosignerKey::new(name, self.public())
    }

    fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        public
    }

    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.0.sign(text).as_ref());
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}
