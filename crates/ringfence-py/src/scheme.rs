//! Signing schemes, for people and tests: verify a captured message, sign one.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::{Algorithm, Claim, SigningKey, VerifyingKey};
use ringfence_wire::http::captured;
use ringfence_wire::{BodyKind, Dialect, Draft, Head, Scratch, Seal};
use serde_json::{Value, json};

use crate::dialect::compile;
use crate::error::{key as unfit, refusal as refused};

/// Verifies a captured request by a dialect's scheme, whatever its route; returns every step as JSON.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // one per part of a request, as Python has them
pub(crate) fn dialect_verify<'py>(
    py: Python<'py>,
    dialect: &[u8],
    method: &str,
    target: &str,
    headers: Vec<(String, String)>,
    body: &[u8],
    algorithm: &str,
    secret: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let dialect = compile(dialect)?;
    let key = verifying(algorithm, secret)?;
    let headers = captured(&headers).map_err(refused)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let head = Head {
        method,
        path,
        query,
        content_type: None,
        key: None,
        headers: Some(&headers),
        secure: true,
        session: false,
    };
    let body = text(body)?;
    let mut scratch = Scratch::default();
    let claim = dialect.read_claim(&head, body, kind(body), &mut scratch);
    let mut seen = claim.map(|claim| judged(&claim, &key)).map_err(refused)?;
    let steps = dialect.steps(&head, body, &scratch).map_err(refused)?;
    let steps = steps
        .iter()
        .map(|(name, bytes)| json!([name, shown(bytes)]));
    seen["steps"] = steps.collect();
    Ok(PyBytes::new(py, seen.to_string().as_bytes()))
}

/// Verifies a captured WebSocket message; `null` where the dialect knows no signature in it.
#[pyfunction]
pub(crate) fn dialect_verify_frame<'py>(
    py: Python<'py>,
    dialect: &[u8],
    frame: &str,
    algorithm: &str,
    secret: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let dialect = compile(dialect)?;
    let key = verifying(algorithm, secret)?;
    let mut scratch = Scratch::default();
    let read = dialect.read_frame(frame, &mut scratch).map_err(refused)?;
    let seen = read.map_or(Value::Null, |(name, claim)| {
        let mut seen = judged(&claim, &key);
        seen["frame"] = name.into();
        seen
    });
    Ok(PyBytes::new(py, seen.to_string().as_bytes()))
}

/// Signs a request by a dialect's scheme and returns it as JSON.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // one per part of a request and of a key, as Python has them
pub(crate) fn dialect_sign<'py>(
    py: Python<'py>,
    dialect: &[u8],
    method: &str,
    target: &str,
    headers: Vec<(String, String)>,
    body: &[u8],
    key_id: &str,
    algorithm: &str,
    secret: &[u8],
    passphrase: Option<&str>,
    now_us: u64,
    nonce: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let dialect = compile(dialect)?;
    let key = SigningKey::from_parts(named(algorithm)?, secret).map_err(unfit)?;
    let headers = captured(&headers).map_err(refused)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let draft = Draft {
        method,
        path,
        query,
        headers: &headers,
        body: text(body)?,
    };
    let seal = Seal {
        key_id,
        key: &key,
        passphrase,
        now_us,
        nonce,
    };
    let signed = dialect.sign(&draft, &seal).map_err(refused)?;
    let mark = if signed.query.is_empty() { "" } else { "?" };
    let headers: Vec<_> = signed
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
        .collect();
    let made = json!({
        "target": format!("{path}{mark}{}", signed.query),
        "headers": headers,
        "body": signed.body,
    });
    Ok(PyBytes::new(py, made.to_string().as_bytes()))
}

/// Returns how a dialect signs, for people.
pub(crate) fn described(dialect: &Dialect) -> Value {
    dialect.describe().map_or(Value::Null, |scheme| {
        let places = scheme.places.iter();
        let places = places.map(|(what, place)| ((*what).to_owned(), place.as_str().into()));
        json!({
            "algorithms": scheme.algorithms,
            "payload": scheme.payload,
            // Sorted: a map of JSON keeps the order in which it was filled.
            "places": places.collect::<BTreeMap<String, Value>>(),
        })
    })
}

fn judged(claim: &Claim<'_>, key: &VerifyingKey) -> Value {
    let verified = key.verify(claim).map_or_else(
        |code| json!({"verified": false, "code": code.as_str()}),
        |_| json!({"verified": true, "code": null}),
    );
    json!({
        "verified": verified["verified"],
        "code": verified["code"],
        "key_id": claim.key_id,
        "payload": shown(claim.payload),
        "otherwise": claim.otherwise.map(shown),
        "signature": String::from_utf8_lossy(claim.signature),
        "time_us": claim.stamp.time_us,
        "window_us": claim.stamp.window_us,
    })
}

/// Returns text as it is, and a digest's bytes in hexadecimal.
fn shown(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    std::str::from_utf8(bytes).map_or_else(|_| hex(bytes), str::to_owned)
}

fn verifying(algorithm: &str, secret: &[u8]) -> PyResult<VerifyingKey> {
    VerifyingKey::from_parts(named(algorithm)?, secret).map_err(unfit)
}

fn named(algorithm: &str) -> PyResult<Algorithm> {
    let unknown = || refused(Refusal::new(Code::SignatureMalformed).field(algorithm));
    Algorithm::parse(algorithm).ok_or_else(unknown)
}

fn text(body: &[u8]) -> PyResult<&str> {
    std::str::from_utf8(body).map_err(|_| refused(Refusal::new(Code::FormMalformed).field("body")))
}

fn kind(body: &str) -> BodyKind {
    if body.trim_start().starts_with(['{', '[']) {
        BodyKind::Json
    } else {
        BodyKind::Form
    }
}
