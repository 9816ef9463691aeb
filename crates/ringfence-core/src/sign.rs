//! Signatures: the keys that verify them, and the proof that one verified.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{
    ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use aws_lc_rs::{constant_time, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::refusal::Code;
use crate::session::Coverage;

mod ed25519;
mod hmac;
mod signer;

pub use hmac::{Digest, HmacForm, SecretForm};
pub use signer::SigningKey;

/// Shortest HMAC secret that is taken, in bytes.
pub const HMAC_SECRET_MIN: usize = 16;
/// Longest signature text that is looked at, in bytes: RSA-8192 in base64.
const SIGNATURE_TEXT_MAX: usize = 1368;

/// How a credential signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// HMAC (RFC 2104), with SHA-256 unless the venue's scheme has another digest.
    HmacSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017).
    RsaPkcs1Sha256,
}

impl Algorithm {
    /// Returns the algorithm called `text` in configuration.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "ed25519" => Some(Self::Ed25519),
            "hmac-sha256" => Some(Self::HmacSha256),
            "rsa-pkcs1-sha256" => Some(Self::RsaPkcs1Sha256),
            _ => None,
        }
    }
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Base64, padded (RFC 4648 §4).
    Base64,
    /// Hexadecimal in either case.
    Hex,
}

/// The dialect's encoding for each algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SignatureEncodings {
    /// For Ed25519.
    pub ed25519: Encoding,
    /// For HMAC.
    pub hmac: Encoding,
    /// For RSA.
    pub rsa: Encoding,
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
    /// When it was signed.
    pub stamp: Stamp,
}

/// First 16 bytes of a verified signature: what replay memory keeps.
///
/// They are enough. An HMAC or RSA signature of other bytes shares them with probability 2^-128; in
/// Ed25519 they are half of R, which nobody but the signer can change without breaking the rest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Nonce([u64; 2]);

impl From<[u8; 16]> for Nonce {
    fn from(bytes: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(bytes);
        Self([(number >> 64) as u64, number as u64])
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

/// A credential's verifying key, checked. Its debug form names the algorithm only.
pub struct VerifyingKey(Material);

enum Material {
    /// Raw public key.
    Ed25519(Box<[u8; 32]>),
    /// The shared secret.
    HmacSha256(Zeroizing<Box<[u8]>>),
    /// Parsed once: parsing costs a quarter of what verifying does.
    RsaPkcs1Sha256(Box<ParsedPublicKey>),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm())
    }
}

/// Why key material was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyError {
    /// An Ed25519 public key is 32 bytes.
    Ed25519Length,
    /// The Ed25519 public key is a point of small order: anybody can sign for it.
    Ed25519Weak,
    /// An HMAC secret is at least [`HMAC_SECRET_MIN`] bytes.
    HmacTooShort,
    /// Not an RSA public key in DER of 2048 to 8192 bits.
    RsaMalformed,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519Length => "an Ed25519 public key is 32 bytes",
            Self::Ed25519Weak => "the Ed25519 public key is weak: anybody can sign for it",
            Self::HmacTooShort => "an HMAC secret is at least 16 bytes",
            Self::RsaMalformed => "not an RSA public key in DER of 2048 to 8192 bits",
        })
    }
}

impl std::error::Error for KeyError {}

impl VerifyingKey {
    /// Makes a key from its raw material: an HMAC secret's bytes, an Ed25519 public key's 32 bytes,
    /// or an RSA public key in DER, as SubjectPublicKeyInfo or PKCS#1.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the material does not fit the algorithm.
    pub fn from_parts(algorithm: Algorithm, material: &[u8]) -> Result<Self, KeyError> {
        let material = match algorithm {
            Algorithm::Ed25519 => {
                let raw: [u8; 32] = material.try_into().map_err(|_| KeyError::Ed25519Length)?;
                if ed25519::is_small_order(&raw) {
                    return Err(KeyError::Ed25519Weak);
                }
                Material::Ed25519(Box::new(raw))
            }
            Algorithm::HmacSha256 if material.len() < HMAC_SECRET_MIN => {
                return Err(KeyError::HmacTooShort);
            }
            Algorithm::HmacSha256 => Material::HmacSha256(Zeroizing::new(material.into())),
            Algorithm::RsaPkcs1Sha256 => Material::RsaPkcs1Sha256(Box::new(rsa_key(material)?)),
        };
        Ok(Self(material))
    }

    /// Returns how the key signs.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Material::Ed25519(_) => Algorithm::Ed25519,
            Material::HmacSha256(_) => Algorithm::HmacSha256,
            Material::RsaPkcs1Sha256(_) => Algorithm::RsaPkcs1Sha256,
        }
    }

    /// Tells in constant time whether `other` verifies what this key verifies.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.algorithm() == other.algorithm()
            && constant_time::verify_slices_are_equal(self.0.bytes(), other.0.bytes()).is_ok()
    }

    /// Verifies `claim` in constant time.
    ///
    /// # Errors
    ///
    /// `signature_malformed` when the text cannot be decoded, `signature_invalid` when it does not
    /// fit.
    pub fn verify(&self, claim: &Claim<'_>) -> Result<Verified<Signed>, Code> {
        let encoding = match self.0 {
            Material::Ed25519(_) => claim.encodings.ed25519,
            Material::HmacSha256(_) => claim.encodings.hmac,
            Material::RsaPkcs1Sha256(_) => claim.encodings.rsa,
        };
        let mut buffer = [0; SIGNATURE_TEXT_MAX];
        let raw = decode(encoding, claim.signature, &mut buffer).ok_or(Code::SignatureMalformed)?;
        let fits = self.fits(claim.payload, raw, claim.hmac)
            || claim
                .otherwise
                .is_some_and(|payload| self.fits(payload, raw, claim.hmac));
        let nonce = raw
            .first_chunk::<16>()
            .filter(|_| fits)
            .ok_or(Code::SignatureInvalid)?;
        Ok(Verified(Signed {
            stamp: claim.stamp,
            nonce: Nonce::from(*nonce),
        }))
    }

    fn fits(&self, payload: &[u8], raw: &[u8], form: HmacForm) -> bool {
        match &self.0 {
            Material::Ed25519(key) => {
                let key = UnparsedPublicKey::new(&ED25519, &key[..]);
                key.verify(payload, raw).is_ok()
            }
            Material::HmacSha256(secret) => form.key(secret).is_some_and(|key| {
                // The digest's whole length is required by `verify` itself: a truncated tag never fits.
                aws_lc_rs::hmac::verify(&key, payload, raw).is_ok()
            }),
            Material::RsaPkcs1Sha256(key) => key.verify_sig(payload, raw).is_ok(),
        }
    }
}

impl Material {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => &key[..],
            Self::HmacSha256(secret) => secret,
            Self::RsaPkcs1Sha256(key) => key.as_ref().as_ref(),
        }
    }
}

/// Checks an RSA public key in either form and keeps it in PKCS#1, the shorter one.
fn rsa_key(material: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    let key = rsa::PublicKey::from_der(material).map_err(|_| KeyError::RsaMalformed)?;
    let spki = key.as_der().map_err(|_| KeyError::RsaMalformed)?;
    // Only the encrypting key's parser holds the modulus to 2048..=8192 bits.
    rsa::PublicEncryptingKey::from_der(spki.as_ref()).map_err(|_| KeyError::RsaMalformed)?;
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_ref())
        .map_err(|_| KeyError::RsaMalformed)
}

fn decode<'b>(
    encoding: Encoding,
    text: &[u8],
    buffer: &'b mut [u8; SIGNATURE_TEXT_MAX],
) -> Option<&'b [u8]> {
    if text.is_empty() || text.len() > SIGNATURE_TEXT_MAX {
        return None;
    }
    let length = match encoding {
        Encoding::Base64 => STANDARD.decode_slice(text, buffer).ok()?,
        Encoding::Hex => {
            let (pairs, rest) = text.as_chunks::<2>();
            if !rest.is_empty() {
                return None;
            }
            for (byte, [high, low]) in buffer.iter_mut().zip(pairs) {
                *byte = nibble(*high)? << 4 | nibble(*low)?;
            }
            pairs.len()
        }
    };
    buffer.get(..length)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
