//! Keys that sign: the same algorithms, encodings and uses of a secret that [`super::VerifyingKey`] verifies.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Algorithm, Encoding, HmacForm, KeyError, SignatureEncodings};

/// A key that signs. Its debug form names the algorithm only.
pub struct SigningKey(Material);

enum Material {
    Ed25519(Box<Ed25519KeyPair>),
    HmacSha256(Zeroizing<Box<[u8]>>),
    RsaPkcs1Sha256(Box<RsaKeyPair>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm())
    }
}

impl SigningKey {
    /// Makes a key from an HMAC secret's text, or from PKCS#8 in DER (an Ed25519 seed's 32 bytes, too).
    ///
    /// A venue chose an HMAC secret's length, so a short one is taken here: only what is verified by it is at stake.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the material does not fit the algorithm.
    pub fn from_parts(algorithm: Algorithm, material: &[u8]) -> Result<Self, KeyError> {
        Ok(Self(match algorithm {
            Algorithm::Ed25519 => {
                let pair = if material.len() == 32 {
                    Ed25519KeyPair::from_seed_unchecked(material)
                } else {
                    Ed25519KeyPair::from_pkcs8_maybe_unchecked(material)
                };
                Material::Ed25519(Box::new(pair.map_err(|_| KeyError::Ed25519Length)?))
            }
            Algorithm::HmacSha256 => Material::HmacSha256(Zeroizing::new(material.into())),
            Algorithm::RsaPkcs1Sha256 => {
                let pair = RsaKeyPair::from_pkcs8(material).map_err(|_| KeyError::RsaMalformed)?;
                Material::RsaPkcs1Sha256(Box::new(pair))
            }
        }))
    }

    /// Returns how the key signs.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Material::Ed25519(_) => Algorithm::Ed25519,
            Material::HmacSha256(_) => Algorithm::HmacSha256,
            Material::RsaPkcs1Sha256(_) => Algorithm::RsaPkcs1Sha256,
        }
    }

    /// Returns the signature of `payload`, encoded; none when the secret is no base64 where the dialect wants it.
    pub fn sign(
        &self,
        payload: &[u8],
        encodings: SignatureEncodings,
        hmac: HmacForm,
    ) -> Option<String> {
        match &self.0 {
            Material::Ed25519(pair) => Some(encode(encodings.ed25519, pair.sign(payload).as_ref())),
            Material::HmacSha256(secret) => {
                let tag = aws_lc_rs::hmac::sign(&hmac.key(secret)?, payload);
                Some(encode(encodings.hmac, tag.as_ref()))
            }
            Material::RsaPkcs1Sha256(pair) => {
                let mut raw = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, payload, &mut raw)
                    .ok()?;
                Some(encode(encodings.rsa, &raw))
            }
        }
    }
}

fn encode(encoding: Encoding, raw: &[u8]) -> String {
    match encoding {
        Encoding::Base64 => STANDARD.encode(raw),
        Encoding::Hex => raw.iter().fold(String::new(), |mut text, byte| {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
            text
        }),
    }
}
