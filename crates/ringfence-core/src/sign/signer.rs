//! Keys that sign: the same algorithms, encodings and uses of a secret that [`super::VerifyingKey`] verifies.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::{Algorithm, EcdsaForm, HmacForm, KeyError, SignatureEncodings, recovered};

/// A key that signs. Its debug form names the algorithm only.
pub struct SigningKey(Material);

enum Material {
    /// The same key twice: a pair signs in one form.
    EcdsaP256(Box<[EcdsaKeyPair; 2]>),
    Ed25519(Box<Ed25519KeyPair>),
    HmacSha256(Zeroizing<Box<[u8]>>),
    RsaPkcs1Sha256(Box<RsaKeyPair>),
    Secp256k1(Box<recovered::PrivateKey>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm())
    }
}

impl SigningKey {
    /// Makes a key from an HMAC secret's text, or from PKCS#8 in DER (an Ed25519 seed's 32 bytes, too;
    /// the 32 bytes of a secp256k1 key only so).
    ///
    /// A venue chose an HMAC secret's length, so a short one is taken here: only what is verified by it is at stake.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the material does not fit the algorithm.
    pub fn from_parts(algorithm: Algorithm, material: &[u8]) -> Result<Self, KeyError> {
        Ok(Self(match algorithm {
            Algorithm::EcdsaP256Sha256 => {
                let fixed = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let fixed = EcdsaKeyPair::from_pkcs8(fixed, material);
                let der = &ECDSA_P256_SHA256_ASN1_SIGNING;
                let der = EcdsaKeyPair::from_pkcs8(der, material);
                match (fixed, der) {
                    (Ok(fixed), Ok(der)) => Material::EcdsaP256(Box::new([fixed, der])),
                    (_, _) => return Err(KeyError::EcdsaPoint),
                }
            }
            Algorithm::Ed25519 => {
                let pair = if material.len() == 32 {
                    Ed25519KeyPair::from_seed_unchecked(material)
                } else {
                    Ed25519KeyPair::from_pkcs8_maybe_unchecked(material)
                };
                Material::Ed25519(Box::new(pair.map_err(|_| KeyError::Ed25519Length)?))
            }
            Algorithm::Secp256k1Eip712 => {
                let key = Some(material).filter(|raw| raw.len() == 32);
                let key = key.and_then(|raw| recovered::PrivateKey::from_slice(raw).ok());
                Material::Secp256k1(Box::new(key.ok_or(KeyError::AddressLength)?))
            }
            Algorithm::HmacSha256 => Material::HmacSha256(Zeroizing::new(material.into())),
            Algorithm::RsaPkcs1Sha256 => {
                let pair = RsaKeyPair::from_pkcs8(material).map_err(|_| KeyError::RsaMalformed)?;
                Material::RsaPkcs1Sha256(Box::new(pair))
            }
            // Its key signs handshakes, elsewhere.
            Algorithm::X509 => return Err(KeyError::ThumbprintLength),
        }))
    }

    /// Returns how the key signs.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Material::EcdsaP256(_) => Algorithm::EcdsaP256Sha256,
            Material::Ed25519(_) => Algorithm::Ed25519,
            Material::HmacSha256(_) => Algorithm::HmacSha256,
            Material::RsaPkcs1Sha256(_) => Algorithm::RsaPkcs1Sha256,
            Material::Secp256k1(_) => Algorithm::Secp256k1Eip712,
        }
    }

    /// Returns the signature of `payload`, encoded; none when the secret is no base64 where the dialect wants it,
    /// or the scheme takes no key of this algorithm.
    pub fn sign(
        &self,
        payload: &[u8],
        encodings: SignatureEncodings,
        hmac: HmacForm,
    ) -> Option<String> {
        let (encoding, form) = encodings.of(self.algorithm())?;
        let random = SystemRandom::new();
        Some(match &self.0 {
            Material::EcdsaP256(pairs) => {
                let [fixed, der] = &**pairs;
                let pair = match form {
                    EcdsaForm::Der => der,
                    EcdsaForm::Fixed => fixed,
                };
                encoding.encode(pair.sign(&random, payload).ok()?.as_ref())
            }
            Material::Ed25519(pair) => encoding.encode(pair.sign(payload).as_ref()),
            Material::HmacSha256(secret) => {
                let tag = aws_lc_rs::hmac::sign(&hmac.key(secret)?, payload);
                encoding.encode(tag.as_ref())
            }
            Material::RsaPkcs1Sha256(pair) => {
                let mut raw = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, payload, &mut raw)
                    .ok()?;
                encoding.encode(&raw)
            }
            Material::Secp256k1(_) => return None,
        })
    }

    /// Signs the Keccak-256 `digest` of typed data, and returns r, s and v, which is 27 or 28; none for a key of another
    /// algorithm.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Option<[u8; 65]> {
        match &self.0 {
            Material::Secp256k1(key) => Some(recovered::sign(key, digest)),
            Material::EcdsaP256(_)
            | Material::Ed25519(_)
            | Material::HmacSha256(_)
            | Material::RsaPkcs1Sha256(_) => None,
        }
    }
}
