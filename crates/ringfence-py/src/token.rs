//! Tokens, for people and tests: a JSON Web Key read, a JSON Web Signature verified.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::Coverage;
use ringfence_core::sign::{
    Algorithm, Claim, EcdsaForm, Encoding, HmacForm, SignatureEncodings, Stamp, VerifyingKey,
};
use ringfence_wire::jws::{Jwk, Jws, JwsScratch, encode};
use serde_json::json;

use crate::error::{key as unfit, refusal as refused};

/// Members of a header that say nothing about how a signature is verified.
const MEMBERS: [&str; 2] = ["kid", "typ"];

/// Reads a public key from the JSON of a JWK; returns its algorithm, material and thumbprint as JSON.
#[pyfunction]
pub(crate) fn read_jwk<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyBytes>> {
    let wrong = |error: ringfence_wire::jws::JwkError| {
        refused(Refusal::new(Code::SignatureMalformed).field(&error.to_string()))
    };
    let key = Jwk::read(text).map_err(wrong)?;
    let seen = json!({
        "kid": key.kid,
        "algorithm": key.algorithm.as_str(),
        "material": encode(&key.material),
        "thumbprint": key.thumbprint.to_string(),
    });
    Ok(PyBytes::new(py, seen.to_string().as_bytes()))
}

/// Verifies a signature in base64 over a message by a key; `der` says how an ECDSA signature is written.
#[pyfunction]
pub(crate) fn verify_signature(
    message: &[u8],
    signature: &str,
    der: bool,
    algorithm: &str,
    material: &[u8],
) -> PyResult<()> {
    let form = if der {
        EcdsaForm::Der
    } else {
        EcdsaForm::Fixed
    };
    let plain = Some(Encoding::Base64);
    let encodings = SignatureEncodings {
        ecdsa: plain.map(|encoding| (encoding, form)),
        ed25519: plain,
        hmac: plain,
        rsa: plain,
    };
    verify(message, signature, encodings, &key(algorithm, material)?)
}

/// Verifies a compact JWS by a key and returns its payload.
#[pyfunction]
pub(crate) fn verify_jws<'py>(
    py: Python<'py>,
    token: &str,
    algorithm: &str,
    material: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let key = key(algorithm, material)?;
    let mut scratch = JwsScratch::default();
    let jws = Jws::read(token, &MEMBERS, &mut scratch).map_err(|code| refused(code.into()))?;
    verify(jws.signed, jws.signature, jws.encodings(), &key)?;
    Ok(PyBytes::new(py, jws.payload))
}

fn key(algorithm: &str, material: &[u8]) -> PyResult<VerifyingKey> {
    let unknown = || refused(Code::SignatureAlgorithm.into());
    let algorithm = Algorithm::parse(algorithm).ok_or_else(unknown)?;
    VerifyingKey::from_parts(algorithm, material).map_err(unfit)
}

fn verify(
    message: &[u8],
    signature: &str,
    encodings: SignatureEncodings,
    key: &VerifyingKey,
) -> PyResult<()> {
    let claim = Claim {
        key_id: "",
        payload: message,
        otherwise: None,
        signature: signature.as_bytes(),
        encodings,
        hmac: HmacForm::default(),
        coverage: Coverage::Venue,
        recovered: None,
        stamp: Stamp {
            time_us: 0,
            window_us: 0,
        },
    };
    key.verify(&claim)
        .map(drop)
        .map_err(|code| refused(code.into()))
}
