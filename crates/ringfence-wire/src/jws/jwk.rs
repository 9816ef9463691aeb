//! Public keys as JSON Web Keys (RFC 7517), and their thumbprints (RFC 7638).

use std::fmt;

use ringfence_core::sign::{Algorithm, Digest, VerifyingKey};

use super::{decode, encode, name};
use crate::json;

/// SHA-256 of what a public key is, whatever else is said about it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Thumbprint([u8; 32]);

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

/// A public key, checked.
#[derive(Debug)]
pub struct Jwk {
    /// Its name, where it has one.
    pub kid: Option<String>,
    /// How it signs.
    pub algorithm: Algorithm,
    /// What [`VerifyingKey::from_parts`] makes the key of.
    pub material: Vec<u8>,
    /// What it is.
    pub thumbprint: Thumbprint,
}

/// Why a key was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JwkError {
    /// Neither P-256 nor Ed25519 nor RSA, or for another algorithm than it verifies here.
    Algorithm,
    /// Not the JSON of a public key, or not on its curve.
    Malformed,
    /// It holds what only its owner may know.
    Private,
    /// It is not for verifying signatures.
    Use,
}

impl fmt::Display for JwkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "the key is neither ES256 nor EdDSA nor RS256",
            Self::Malformed => "not a public key as RFC 7517 writes it",
            Self::Private => "it is a private key; only its public half belongs here",
            Self::Use => "the key is not for verifying signatures",
        })
    }
}

impl std::error::Error for JwkError {}

/// The members of a key that say what it is; anything else is about it.
#[derive(Debug, Default)]
struct Members {
    kty: String,
    crv: String,
    x: String,
    y: String,
    n: String,
    e: String,
    kid: Option<String>,
    alg: Option<String>,
    usage: Option<String>,
    verifies: Option<bool>,
}

impl Jwk {
    /// Reads a key from its JSON.
    ///
    /// # Errors
    ///
    /// [`JwkError`].
    pub fn read(text: &str) -> Result<Self, JwkError> {
        let said = Members::read(text)?;
        if said.usage.as_deref().is_some_and(|usage| usage != "sig") || said.verifies == Some(false)
        {
            return Err(JwkError::Use);
        }
        let number = |text: &str| {
            let mut bytes = Vec::new();
            let read = decode(text, &mut bytes);
            read.map(|()| bytes).map_err(|_| JwkError::Malformed)
        };
        // RFC 7638 3.2: the members that a key needs, in the order of their names.
        let (algorithm, material, canonical) = match (&*said.kty, &*said.crv) {
            ("EC", "P-256") => {
                let point = [&[4], &*number(&said.x)?, &*number(&said.y)?].concat();
                let text = format!(
                    r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
                    said.x, said.y
                );
                (Algorithm::EcdsaP256Sha256, point, text)
            }
            ("OKP", "Ed25519") => {
                let text = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, said.x);
                (Algorithm::Ed25519, number(&said.x)?, text)
            }
            ("RSA", "") => {
                let (n, e) = (number(&said.n)?, number(&said.e)?);
                let text = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, said.e, said.n);
                (Algorithm::RsaPkcs1Sha256, pkcs1(&n, &e), text)
            }
            (_, _) => return Err(JwkError::Algorithm),
        };
        if said.alg.is_some_and(|said| said != name(algorithm)) {
            return Err(JwkError::Algorithm);
        }
        VerifyingKey::from_parts(algorithm, &material).map_err(|_| JwkError::Malformed)?;
        let mut digest = canonical.into_bytes();
        Digest::Sha256.replace(&mut digest, 0);
        Ok(Self {
            kid: said.kid,
            algorithm,
            material,
            thumbprint: Thumbprint(digest.try_into().map_err(|_| JwkError::Malformed)?),
        })
    }

    /// Returns the key that verifies.
    ///
    /// # Errors
    ///
    /// `Malformed`; what was read once is read alike again.
    pub fn key(&self) -> Result<VerifyingKey, JwkError> {
        let made = VerifyingKey::from_parts(self.algorithm, &self.material);
        made.map_err(|_| JwkError::Malformed)
    }
}

impl Members {
    fn read(text: &str) -> Result<Self, JwkError> {
        let mut said = Self::default();
        let mut wrong = None;
        let read = json::values(text, &mut |value| {
            let mut word = String::new();
            json::append(value.raw, &mut word)?;
            match value.path {
                "kty" => said.kty = word,
                "crv" => said.crv = word,
                "x" => said.x = word,
                "y" => said.y = word,
                "n" => said.n = word,
                "e" => said.e = word,
                "kid" => said.kid = Some(word),
                "alg" => said.alg = Some(word),
                "use" => said.usage = Some(word),
                // RFC 7518 6.2.2, 6.3.2 and 6.4.1; RFC 8037 2.
                "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" | "k" => {
                    wrong = Some(JwkError::Private);
                }
                path if path.starts_with("key_ops.") || path == "key_ops" => {
                    let before = said.verifies.unwrap_or_default();
                    said.verifies = Some(before || word == "verify");
                }
                _ => {}
            }
            Ok(())
        });
        match (read, wrong) {
            (Err(_), _) => Err(JwkError::Malformed),
            (Ok(()), Some(wrong)) => Err(wrong),
            (Ok(()), None) => Ok(said),
        }
    }
}

/// Returns an RSA public key as RFC 8017 A.1.1 writes it.
fn pkcs1(n: &[u8], e: &[u8]) -> Vec<u8> {
    let inner = [number(n), number(e)].concat();
    tagged(0x30, &inner)
}

fn number(bytes: &[u8]) -> Vec<u8> {
    let sign = bytes.first().is_none_or(|first| first & 0x80 != 0);
    match sign {
        true => tagged(0x02, &[&[0], bytes].concat()),
        false => tagged(0x02, bytes),
    }
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = match content.len() {
        0..=0x7f => vec![content.len() as u8],
        _ => {
            let start = length
                .iter()
                .position(|byte| *byte != 0)
                .unwrap_or_default();
            let bytes = &length[start..];
            [&[0x80 | bytes.len() as u8], bytes].concat()
        }
    };
    [&[tag], &*length, content].concat()
}
