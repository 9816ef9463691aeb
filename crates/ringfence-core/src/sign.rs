//! Signatures: the keys that verify them, and the proof that one verified.

use crate::session::Coverage;

mod content;
mod derived;
mod ecdsa;
mod ed25519;
mod encoding;
mod hmac;
mod recovered;
mod signer;
mod verifying;

pub use derived::ShardKey;
pub use ecdsa::EcdsaForm;
pub use encoding::{Encoding, SignatureEncodings};
pub use hmac::{Digest, HmacForm, SecretForm};
pub use recovered::{Address, Recovered, keccak256};
pub use signer::SigningKey;
pub use verifying::{KeyError, VerifyingKey};

/// Shortest HMAC secret that is taken, in bytes.
pub const HMAC_SECRET_MIN: usize = 16;

/// How a credential signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256 (FIPS 186-5).
    EcdsaP256Sha256,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// HMAC (RFC 2104), with SHA-256 unless the venue's scheme has another digest.
    HmacSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017).
    RsaPkcs1Sha256,
    /// ECDSA over secp256k1 of typed data (EIP-712), from which the signer's address is recovered.
    Secp256k1Eip712,
    /// None: the credential is a client certificate (RFC 5280), which TLS proves.
    X509,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 6] = [
        Self::EcdsaP256Sha256,
        Self::Ed25519,
        Self::HmacSha256,
        Self::RsaPkcs1Sha256,
        Self::Secp256k1Eip712,
        Self::X509,
    ];

    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::Ed25519 => "ed25519",
            Self::HmacSha256 => "hmac-sha256",
            Self::RsaPkcs1Sha256 => "rsa-pkcs1-sha256",
            Self::Secp256k1Eip712 => "secp256k1-eip712",
            Self::X509 => "x509",
        }
    }

    /// Returns the algorithm called `text` in configuration.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
    }
}

/// When a message was signed and for how long it is good.
///
/// Replay protection rests on the signed bytes naming one stamp: a dialect must not let the same
/// bytes be read as another time or window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// Microseconds since the Unix epoch.
    pub time_us: u64,
    /// Microseconds that it stays good.
    pub window_us: u64,
}

/// What a message says about who signed it.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The credential's id.
    pub key_id: &'a str,
    /// The bytes that were signed.
    pub payload: &'a [u8],
    /// What some clients sign in their place: the query before it was escaped.
    pub otherwise: Option<&'a [u8]>,
    /// The signature's text, after percent-decoding.
    pub signature: &'a [u8],
    /// How that text is encoded, by algorithm.
    pub encodings: SignatureEncodings,
    /// How a shared secret is used.
    pub hmac: HmacForm,
    /// How much of the message is signed.
    pub coverage: Coverage,
    /// Whose the signature is, where that is recovered from it: then nothing else counts.
    pub recovered: Option<Recovered>,
    /// When it was signed.
    pub stamp: Stamp,
}

/// First 16 bytes of a verified signature: what replay memory keeps.
///
/// They are enough. An HMAC or RSA signature of other bytes shares them with probability 2^-128; in
/// Ed25519 they are half of R, which nobody but the signer can change without breaking the rest. In
/// ECDSA they are half of r: everybody can turn (r, s) into (r, -s), which verifies too, but r stays.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Nonce([u64; 2]);

impl From<[u8; 16]> for Nonce {
    fn from(bytes: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(bytes);
        Self([(number >> 64) as u64, number as u64])
    }
}

impl Nonce {
    /// Returns its bytes.
    pub(crate) const fn bytes(self) -> [u8; 16] {
        (((self.0[0] as u128) << 64) | self.0[1] as u128).to_be_bytes()
    }
}

/// Proof that a signature verified. Only [`VerifyingKey::verify`] makes one.
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Returns what was verified.
    pub const fn get(&self) -> &T {
        &self.0
    }

    #[cfg(test)]
    pub(crate) const fn for_test(value: T) -> Self {
        Self(value)
    }
}

/// A verified time and the nonce that belongs to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signed {
    /// When it was signed.
    pub stamp: Stamp,
    /// What identifies the signature.
    pub nonce: Nonce,
}

#[cfg(test)]
mod tests;
