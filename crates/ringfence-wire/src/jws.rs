//! Compact JSON Web Signatures (RFC 7515) read strictly: what two readers could read in two ways is refused.
//!
//! Deviations, each because it is how such tokens are abused: there is no `none`, no `crit`, no key inside the header
//! unless the caller asks for it; the header's members are a closed list; base64url has one spelling; a name stands once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::{Algorithm, EcdsaForm, Encoding, SignatureEncodings};

use crate::json;

mod jwk;

pub use jwk::{Jwk, JwkError, Thumbprint};

/// Longest token that is looked at, in bytes.
pub const TOKEN_MAX: usize = 8192;

/// A token whose three parts were decoded. Nothing about it is verified.
#[derive(Clone, Copy, Debug)]
pub struct Jws<'a> {
    /// The header, which is a JSON object.
    pub header: &'a str,
    /// What it says; JSON unless the caller knows better.
    pub payload: &'a [u8],
    /// What was signed.
    pub signed: &'a [u8],
    /// The signature's text, in base64url.
    pub signature: &'a str,
    /// The algorithm that the header names.
    pub algorithm: Algorithm,
}

/// Memory that one reading uses and the next reuses.
#[derive(Debug, Default)]
pub struct JwsScratch {
    decoded: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads `token`, whose header may have no member but `alg` and those called `members`.
    ///
    /// # Errors
    ///
    /// `signature_malformed` for what is no compact JWS, `signature_algorithm` for an algorithm that is not known here.
    pub fn read(
        token: &'a str,
        members: &[&str],
        scratch: &'a mut JwsScratch,
    ) -> Result<Self, Code> {
        let read = Self::read_with(token, scratch, &mut |value| {
            let member = value.path.split('.').next().unwrap_or_default();
            match members.contains(&member) {
                true => Ok(()),
                false => Err(Code::SignatureMalformed.into()),
            }
        });
        read.map_err(|refusal| refusal.code)
    }

    /// Reads `token`, whose header's members but `alg` are handed to `visit`. It refuses those that may not be there.
    ///
    /// # Errors
    ///
    /// As [`Jws::read`].
    pub(crate) fn read_with(
        token: &'a str,
        scratch: &'a mut JwsScratch,
        visit: &mut dyn FnMut(json::Value<'_, 'a>) -> Result<(), Refusal>,
    ) -> Result<Self, Refusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Code::SignatureMalformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Code::SignatureMalformed)?;
        if token.len() > TOKEN_MAX || payload.contains('.') || signature.is_empty() {
            return Err(Code::SignatureMalformed.into());
        }
        let decoded = &mut scratch.decoded;
        decoded.clear();
        decoded.reserve(signed.len());
        decode(header, decoded)?;
        let border = decoded.len();
        decode(payload, decoded)?;
        let (header, payload) = scratch.decoded.split_at(border);
        let header = std::str::from_utf8(header).map_err(|_| Code::SignatureMalformed)?;
        let algorithm = algorithm(header, visit)?;
        Ok(Self {
            header,
            payload,
            signed: signed.as_bytes(),
            signature,
            algorithm,
        })
    }

    /// Returns how the signature is written, for keys of the algorithm that the header names and no other.
    pub fn encodings(&self) -> SignatureEncodings {
        spelling(self.algorithm)
    }
}

/// Returns how signatures by `algorithm` are written in tokens; nothing for other algorithms.
pub fn spelling(algorithm: Algorithm) -> SignatureEncodings {
    let url = Some(Encoding::Base64Url);
    let none = SignatureEncodings::default();
    match algorithm {
        Algorithm::EcdsaP256Sha256 => SignatureEncodings {
            ecdsa: Some((Encoding::Base64Url, EcdsaForm::Fixed)),
            ..none
        },
        Algorithm::Ed25519 => SignatureEncodings {
            ed25519: url,
            ..none
        },
        Algorithm::HmacSha256 => SignatureEncodings { hmac: url, ..none },
        Algorithm::RsaPkcs1Sha256 => SignatureEncodings { rsa: url, ..none },
        // INVARIANT: no header names it.
        Algorithm::Secp256k1Eip712 | Algorithm::X509 => none,
    }
}

/// Returns what a header or claims call an algorithm (RFC 7518 3.1, RFC 8037 3.1).
pub const fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => "ES256",
        Algorithm::Ed25519 => "EdDSA",
        Algorithm::HmacSha256 => "HS256",
        Algorithm::RsaPkcs1Sha256 => "RS256",
        // No algorithm of JWS; it verifies nothing.
        Algorithm::X509 => "X509",
        // RFC 8812 has a name for the curve's signatures, but not of typed data: it is none here.
        Algorithm::Secp256k1Eip712 => "",
    }
}

/// Tells whether tokens are signed by `algorithm` with a key that others may know.
pub const fn public(algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::EcdsaP256Sha256 | Algorithm::Ed25519 | Algorithm::RsaPkcs1Sha256 => true,
        Algorithm::HmacSha256 | Algorithm::Secp256k1Eip712 | Algorithm::X509 => false,
    }
}

/// Appends what base64url without padding stands for.
pub fn decode(text: &str, out: &mut Vec<u8>) -> Result<(), Code> {
    // The engine refuses padding, foreign characters, and bits past the end that are not zero.
    let read = URL_SAFE_NO_PAD.decode_vec(text, out);
    read.map_err(|_| Code::SignatureMalformed)
}

/// Returns `bytes` in base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn algorithm<'t>(
    header: &'t str,
    visit: &mut dyn FnMut(json::Value<'_, 't>) -> Result<(), Refusal>,
) -> Result<Algorithm, Refusal> {
    if !header.trim_start().starts_with('{') {
        return Err(Code::SignatureMalformed.into());
    }
    let mut found = None;
    let read = json::values(header, &mut |value| {
        if value.path == "alg" {
            let all = [
                Algorithm::EcdsaP256Sha256,
                Algorithm::Ed25519,
                Algorithm::HmacSha256,
                Algorithm::RsaPkcs1Sha256,
            ];
            let mut all = all.into_iter();
            let said = value
                .raw
                .strip_prefix('"')
                .and_then(|raw| raw.strip_suffix('"'));
            found = all.find(|algorithm| said == Some(name(*algorithm)));
            if found.is_none() {
                return Err(Code::SignatureAlgorithm.into());
            }
            return Ok(());
        }
        visit(value)
    });
    match read {
        Ok(()) => found.ok_or(Code::SignatureMalformed.into()),
        Err(refusal) if refusal.code == Code::SignatureAlgorithm => Err(refusal),
        Err(refusal) if refusal.code == Code::SignatureMalformed => Err(refusal),
        Err(_) => Err(Code::SignatureMalformed.into()),
    }
}

#[cfg(test)]
mod tests;
