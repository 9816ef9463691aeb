//! The key that signs checkpoints, and the text form of the key that verifies them.
//!
//! Source: C2SP signed-note (verifier key text, key id), RFC 8410 (PKCS#8 Ed25519).

use std::fmt;
use std::fs;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::LedgerError;

/// Signature type of an Ed25519 note signature (C2SP signed-note).
const ED25519_TYPE: u8 = 0x01;

/// An Ed25519 key that signs checkpoints. Its `Debug` shows nothing of it.
pub struct SigningKey(Ed25519KeyPair);

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
            .map(Self)
            .map_err(|_| LedgerError::Key("not an Ed25519 private key"))
    }

    /// Makes a key from its 32-byte seed.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when the seed has another length.
    pub fn from_seed(seed: &[u8]) -> Result<Self, LedgerError> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|_| LedgerError::Key("an Ed25519 seed has 32 bytes"))
    }

    /// Makes a new random key.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when the system gives no randomness.
    pub fn generate() -> Result<Self, LedgerError> {
        Ed25519KeyPair::generate()
            .map(Self)
            .map_err(|_| LedgerError::Key("the system gave no randomness"))
    }

    /// The key that verifies what this one signs under the name `origin`.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when `origin` cannot be a key name: empty, or with a space, `+` or
    /// control character.
    pub fn verifier(&self, origin: &str) -> Result<VerifierKey, LedgerError> {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        VerifierKey::new(origin, public)
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

/// A named Ed25519 public key. Its text is the C2SP verifier key: `name+key id+key`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    /// Names a raw Ed25519 public key.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when `name` is empty or has a space, `+` or control character.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, LedgerError> {
        if !name_is_sound(name) {
            return Err(LedgerError::Key(
                "an origin is not empty and has no space, no '+' and no control character",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            id: key_id(name, &public),
            public,
        })
    }

    /// Parses a verifier key text.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Key`] when the text is not canonical, the id does not fit or the algorithm is
    /// not Ed25519.
    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        // The base64 may hold '+' itself, the name may not: split at the first two.
        let mut fields = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(LedgerError::Key("a verifier key is name+id+key"));
        };
        let typed = STANDARD
            .decode(key)
            .map_err(|_| LedgerError::Key("the verifier key is not base64"))?;
        let Some((&ED25519_TYPE, public)) = typed.split_first() else {
            return Err(LedgerError::Key("the verifier key is not of type Ed25519"));
        };
        let public = <[u8; 32]>::try_from(public)
            .map_err(|_| LedgerError::Key("an Ed25519 public key has 32 bytes"))?;
        let parsed = Self::new(name, public)?;
        if parsed.id_text() != id {
            return Err(LedgerError::Key(
                "the verifier key's id does not fit its name and key",
            ));
        }
        Ok(parsed)
    }

    /// The name, which for a log is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id: the first four bytes of SHA-256 over name and key.
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    pub(crate) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(text, signature)
            .is_ok()
    }

    fn id_text(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519_TYPE];
        typed.extend_from_slice(&self.public);
        write!(
            f,
            "{}+{}+{}",
            self.name,
            self.id_text(),
            STANDARD.encode(typed)
        )
    }
}

// A newline in a name would let it pass for the size line of a checkpoint.
pub(crate) fn name_is_sound(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let mut text = name.as_bytes().to_vec();
    text.extend_from_slice(&[b'\n', ED25519_TYPE]);
    text.extend_from_slice(public);
    let hash = digest(&SHA256, &text);
    let mut id = [0; 4];
    id.copy_from_slice(&hash.as_ref()[..4]);
    id
}
