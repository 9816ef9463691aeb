//! Keys that verify: what is taken as one, and what fits it.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{
    ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use aws_lc_rs::{constant_time, rsa};
use zeroize::Zeroizing;

use super::derived::{Derived, ShardKey};
use super::encoding::SIGNATURE_TEXT_MAX;
use super::{
    Address, Algorithm, Claim, EcdsaForm, HMAC_SECRET_MIN, HmacForm, Nonce, Signed, Verified,
    ecdsa, ed25519,
};
use crate::refusal::Code;
use crate::session::Thumbprint;

/// A credential's verifying key, checked. Its debug form names the algorithm only.
pub struct VerifyingKey(Material);

enum Material {
    /// Parsed once, as a key of signatures that are r and s end to end.
    EcdsaP256(Box<ParsedPublicKey>),
    /// Raw public key.
    Ed25519(Box<[u8; 32]>),
    /// The shared secret's place in the tree of keys.
    Derived(Box<Derived>),
    /// The shared secret.
    HmacSha256(Zeroizing<Box<[u8]>>),
    /// Whose signatures are taken.
    Address(Address),
    /// Parsed once: parsing costs a quarter of what verifying does.
    RsaPkcs1Sha256(Box<ParsedPublicKey>),
    /// SHA-256 of a certificate, which verifies no signature.
    X509(Box<Thumbprint>),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm())
    }
}

/// Why key material was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyError {
    /// An address is 20 bytes.
    AddressLength,
    /// An ECDSA public key is a point of P-256, uncompressed.
    EcdsaPoint,
    /// An Ed25519 public key is 32 bytes.
    Ed25519Length,
    /// The Ed25519 public key is a point of small order: anybody can sign for it.
    Ed25519Weak,
    /// A generation of a derived secret is below 2^31.
    Generation,
    /// An HMAC secret is at least [`HMAC_SECRET_MIN`] bytes.
    HmacTooShort,
    /// Not an RSA public key in DER of 2048 to 8192 bits.
    RsaMalformed,
    /// A certificate is named by its SHA-256.
    ThumbprintLength,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddressLength => {
                "an address is 20 bytes, and its private key 32 of the right size"
            }
            Self::EcdsaPoint => "an ECDSA public key is a point of P-256 in 65 bytes",
            Self::Ed25519Length => "an Ed25519 public key is 32 bytes",
            Self::Ed25519Weak => "the Ed25519 public key is weak: anybody can sign for it",
            Self::Generation => "a secret's generation is below 2^31",
            Self::HmacTooShort => "an HMAC secret is at least 16 bytes",
            Self::RsaMalformed => "not an RSA public key in DER of 2048 to 8192 bits",
            Self::ThumbprintLength => "a certificate's SHA-256 is 32 bytes",
        })
    }
}

impl std::error::Error for KeyError {}

impl VerifyingKey {
    /// Makes a key from its raw material: an HMAC secret's bytes, an Ed25519 public key's 32 bytes,
    /// an RSA public key in DER, as SubjectPublicKeyInfo or PKCS#1, a point of P-256, uncompressed (SEC 1, 2.3.3), the
    /// 20 bytes of an address, or the SHA-256 of a certificate in DER.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the material does not fit the algorithm.
    pub fn from_parts(algorithm: Algorithm, material: &[u8]) -> Result<Self, KeyError> {
        let material = match algorithm {
            Algorithm::EcdsaP256Sha256 => Material::EcdsaP256(Box::new(ecdsa::key(material)?)),
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
            Algorithm::Secp256k1Eip712 => {
                let raw: [u8; 20] = material.try_into().map_err(|_| KeyError::AddressLength)?;
                Material::Address(Address::from(raw))
            }
            Algorithm::X509 => {
                let thumbprint = Thumbprint::try_from(material);
                Material::X509(Box::new(
                    thumbprint.map_err(|_| KeyError::ThumbprintLength)?,
                ))
            }
        };
        Ok(Self(material))
    }

    /// Makes a key of the shared secret that stands in this place of a shard's tree. It is derived when it is first needed.
    ///
    /// # Errors
    ///
    /// [`KeyError::Generation`].
    pub fn derived(
        shard: &Arc<ShardKey>,
        account: &str,
        key_id: &str,
        generation: u32,
    ) -> Result<Self, KeyError> {
        let derived = Derived::new(Arc::clone(shard), account, key_id, generation)?;
        Ok(Self(Material::Derived(Box::new(derived))))
    }

    /// Returns how the key signs.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Material::EcdsaP256(_) => Algorithm::EcdsaP256Sha256,
            Material::Ed25519(_) => Algorithm::Ed25519,
            Material::Derived(_) | Material::HmacSha256(_) => Algorithm::HmacSha256,
            Material::RsaPkcs1Sha256(_) => Algorithm::RsaPkcs1Sha256,
            Material::Address(_) => Algorithm::Secp256k1Eip712,
            Material::X509(_) => Algorithm::X509,
        }
    }

    /// Tells in constant time whether `other` verifies what this key verifies.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        if let (Material::Derived(one), Material::Derived(other)) = (&self.0, &other.0) {
            return one.is_same(other);
        }
        self.algorithm() == other.algorithm()
            && constant_time::verify_slices_are_equal(self.0.bytes(), other.0.bytes()).is_ok()
    }

    /// Verifies `claim` in constant time.
    ///
    /// # Errors
    ///
    /// `signature_algorithm` when the claim's scheme takes no key of this algorithm,
    /// `signature_malformed` when the text cannot be decoded, `signature_invalid` when it does not
    /// fit.
    pub fn verify(&self, claim: &Claim<'_>) -> Result<Verified<Signed>, Code> {
        match (&self.0, &claim.recovered) {
            (Material::Address(address), Some(recovered)) => {
                let nonce = recovered.nonce(claim.payload, *address);
                let stamp = claim.stamp;
                let signed = nonce.map(|nonce| Verified(Signed { stamp, nonce }));
                return signed.ok_or(Code::SignatureInvalid);
            }
            (Material::Address(_), None) | (_, Some(_)) => return Err(Code::SignatureAlgorithm),
            (_, None) => {}
        }
        let encoding = claim.encodings.of(self.algorithm());
        let (encoding, form) = encoding.ok_or(Code::SignatureAlgorithm)?;
        let mut buffer = [0; SIGNATURE_TEXT_MAX];
        let raw = encoding
            .decode(claim.signature, &mut buffer)
            .ok_or(Code::SignatureMalformed)?;
        let plain;
        let raw = match form {
            EcdsaForm::Fixed => raw,
            EcdsaForm::Der => {
                plain = ecdsa::plain(raw).ok_or(Code::SignatureMalformed)?;
                &plain
            }
        };
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
            Material::EcdsaP256(key) | Material::RsaPkcs1Sha256(key) => {
                key.verify_sig(payload, raw).is_ok()
            }
            // INVARIANT: `verify` has answered for it.
            Material::Address(_) => false,
            Material::Ed25519(key) => {
                let key = UnparsedPublicKey::new(&ED25519, &key[..]);
                key.verify(payload, raw).is_ok()
            }
            Material::Derived(place) => fits_secret(place.secret(), payload, raw, form),
            Material::HmacSha256(secret) => fits_secret(secret, payload, raw, form),
            Material::X509(_) => false,
        }
    }
}

impl Material {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Address(address) => address.bytes(),
            Self::Ed25519(key) => &key[..],
            Self::Derived(place) => place.secret(),
            Self::HmacSha256(secret) => secret,
            Self::X509(thumbprint) => &thumbprint[..],
            Self::EcdsaP256(key) | Self::RsaPkcs1Sha256(key) => key.as_ref().as_ref(),
        }
    }
}

fn fits_secret(secret: &[u8], payload: &[u8], raw: &[u8], form: HmacForm) -> bool {
    form.key(secret).is_some_and(|key| {
        // The digest's whole length is required by `verify` itself: a truncated tag never fits.
        aws_lc_rs::hmac::verify(&key, payload, raw).is_ok()
    })
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
