//! The attestation to the venue: a JWS in compact form (RFC 7515) that names the account and binds the request.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::error::GateError;
use crate::snapshot::{AttestationAlgorithm, AttestationConfig};

/// Seconds that an attestation is good for.
const LIFETIME_S: u64 = 30;
/// Shortest HS256 key, in bytes (RFC 7518 3.2).
const HS256_KEY_MIN: usize = 32;

enum Signer {
    EdDsa(Box<Ed25519KeyPair>),
    Hs256(Box<hmac::Key>),
}

/// Signs attestations.
pub(crate) struct Attestor {
    signer: Signer,
    /// The JWS header in base64, and its dot.
    header: String,
    /// The claims up to those of the message.
    opening: String,
}

/// What an attestation says.
pub(crate) struct Attested<'a> {
    pub(crate) account: Option<&'a str>,
    pub(crate) credential: Option<&'a str>,
    pub(crate) operation: &'a str,
    pub(crate) message: &'a str,
    pub(crate) method: &'a str,
    /// Path and query as sent.
    pub(crate) target: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) now_us: u64,
}

impl Attestor {
    /// Reads the key: base64 text for HS256, PKCS#8 PEM for EdDSA.
    pub(crate) fn open(config: &AttestationConfig) -> Result<Self, GateError> {
        const FIELD: &str = "attestation.key";
        let text = read_secret(&config.key, FIELD)?;
        let (signer, algorithm) = match config.algorithm {
            AttestationAlgorithm::Hs256 => {
                let key = Zeroizing::new(
                    STANDARD
                        .decode(text.trim())
                        .map_err(|_| GateError::config(FIELD, "is not base64"))?,
                );
                if key.len() < HS256_KEY_MIN {
                    return Err(GateError::config(
                        FIELD,
                        "an HS256 key has at least 32 bytes",
                    ));
                }
                (
                    Signer::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &key))),
                    "HS256",
                )
            }
            AttestationAlgorithm::EdDsa => {
                let der = pem_body(&text).ok_or_else(|| GateError::config(FIELD, "is not PEM"))?;
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
                    .map_err(|_| GateError::config(FIELD, "is not an Ed25519 key in PKCS#8"))?;
                (Signer::EdDsa(Box::new(pair)), "EdDSA")
            }
        };
        let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
        Ok(Self {
            signer,
            header: URL_SAFE_NO_PAD.encode(header) + ".",
            opening: format!(
                r#"{{"iss":{}"#,
                serde_json::Value::from(config.issuer.as_str())
            ),
        })
    }

    /// Returns the header's value.
    pub(crate) fn attest(&self, what: &Attested<'_>) -> Vec<u8> {
        let issued_s = what.now_us / 1_000_000;
        let mut claims = Vec::with_capacity(256 + what.target.len());
        claims.extend_from_slice(self.opening.as_bytes());
        for (name, value) in [(&b"sub"[..], what.account), (b"cred", what.credential)] {
            if let Some(value) = value {
                claim(name, value, &mut claims);
            }
        }
        claim(b"op", what.operation, &mut claims);
        claim(b"jti", what.message, &mut claims);
        number(b"iat", issued_s, &mut claims);
        number(b"exp", issued_s + LIFETIME_S, &mut claims);
        claim(b"htm", what.method, &mut claims);
        claim(b"htu", what.target, &mut claims);
        claims.extend_from_slice(br#","bsha":""#);
        encode(digest(&SHA256, what.body).as_ref(), &mut claims);
        claims.extend_from_slice(b"\"}");
        let mut token = Vec::with_capacity(self.header.len() + claims.len() * 4 / 3 + 96);
        token.extend_from_slice(self.header.as_bytes());
        encode(&claims, &mut token);
        let (eddsa, hs256);
        let signature = match &self.signer {
            Signer::EdDsa(pair) => {
                eddsa = pair.sign(&token);
                eddsa.as_ref()
            }
            Signer::Hs256(key) => {
                hs256 = hmac::sign(key, &token);
                hs256.as_ref()
            }
        };
        token.push(b'.');
        encode(signature, &mut token);
        token
    }
}

/// Appends `bytes` in base64url without padding (RFC 7515 2).
fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let room = out.get_mut(start..).unwrap_or_default();
    // INVARIANT: with padding it would just fit.
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, room).unwrap_or(0);
    out.truncate(start + written);
}

fn claim(name: &[u8], value: &str, out: &mut Vec<u8>) {
    named(name, out);
    // Nearly every value is made of what needs no escape.
    if value.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        let escaped = serde_json::Value::from(value).to_string();
        out.extend_from_slice(escaped.as_bytes());
    }
}

fn number(name: &[u8], value: u64, out: &mut Vec<u8>) {
    named(name, out);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn named(name: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
}

fn read_secret(path: &Path, field: &str) -> Result<Zeroizing<String>, GateError> {
    std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|e| GateError::config(field, format!("{}: {e}", path.display())))
}

fn pem_body(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    STANDARD
        .decode(Zeroizing::new(body).as_bytes())
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
