//! The attestation to the venue: a JWS in compact form (RFC 7515) that names the account and binds the request.

use std::fmt::Write as _;
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
    /// Base64 of the JWS header.
    header: String,
    issuer: String,
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
            header: URL_SAFE_NO_PAD.encode(header),
            issuer: serde_json::Value::from(config.issuer.as_str()).to_string(),
        })
    }

    /// Returns the header's value.
    pub(crate) fn attest(&self, what: &Attested<'_>) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let issued_s = what.now_us / 1_000_000;
        let mut claims = String::with_capacity(320);
        // Writing to a String cannot fail.
        let _ = write!(claims, r#"{{"iss":{}"#, self.issuer);
        for (name, value) in [("sub", what.account), ("cred", what.credential)] {
            if let Some(value) = value {
                let _ = write!(claims, r#","{name}":{}"#, quoted(value));
            }
        }
        let _ = write!(
            claims,
            r#","op":"{}","jti":"{}","iat":{issued_s},"exp":{},"htm":"{}","htu":{},"bsha":""#,
            what.operation,
            what.message,
            issued_s + LIFETIME_S,
            what.method,
            quoted(what.target),
        );
        URL_SAFE_NO_PAD.encode_string(digest(&SHA256, what.body), &mut claims);
        claims.push_str("\"}");
        let mut token = String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 96);
        token.push_str(&self.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        match &self.signer {
            Signer::EdDsa(pair) => append(pair.sign(token.as_bytes()).as_ref(), &mut token),
            Signer::Hs256(key) => append(hmac::sign(key, token.as_bytes()).as_ref(), &mut token),
        }
        token
    }
}

fn append(signature: &[u8], token: &mut String) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
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
