//! The ledger as others see it: tiles, receipts, policies.

use std::collections::HashMap;
use std::path::Path;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringfence_ledger::policy::{Accepted, Policy};
use ringfence_ledger::receipt::{Proven, Receipt};
use ringfence_ledger::{
    CosignerKey, Publication, VerifierKey, cosignature, note, prove, publish, release, stage,
    tiles_over,
};
use serde_json::{Value, json};

use crate::error::{core, ledger};
use crate::ledger::hex;

/// Publishes a ledger's newest checkpoint with its tiles; returns how many entries it covers.
#[pyfunction]
pub(crate) fn publish_ledger(py: Python<'_>, directory: &str) -> PyResult<u64> {
    let published = py.detach(|| publish(Path::new(directory)));
    Ok(published.map_err(ledger)?.checkpoint.size)
}

/// Lays out the tiles of a ledger's newest checkpoint; returns it, not yet published.
#[pyfunction]
pub(crate) fn stage_ledger<'py>(py: Python<'py>, directory: &str) -> PyResult<Bound<'py, PyBytes>> {
    let staged = py.detach(|| stage(Path::new(directory)));
    Ok(PyBytes::new(py, &staged.map_err(ledger)?.note))
}

/// Publishes a staged checkpoint, with what cosignatures it got; returns how many entries it covers.
#[pyfunction]
pub(crate) fn release_ledger(py: Python<'_>, directory: &str, note: &[u8]) -> PyResult<u64> {
    let released = py.detach(|| release(Path::new(directory), note));
    Ok(released.map_err(ledger)?.checkpoint.size)
}

/// Returns the receipt (C2SP tlog-proof) of an entry.
#[pyfunction]
pub(crate) fn prove_entry<'py>(
    py: Python<'py>,
    directory: &str,
    index: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let receipt = py.detach(|| prove(Path::new(directory), index));
    Ok(PyBytes::new(py, &receipt.map_err(ledger)?.text()))
}

/// Returns the indices of the entries about a message.
#[pyfunction]
pub(crate) fn find_message(py: Python<'_>, directory: &str, message: &str) -> PyResult<Vec<u64>> {
    let found = py.detach(|| ringfence_ledger::find_message(Path::new(directory), message));
    found.map_err(ledger)
}

/// Returns the proof that a staged checkpoint continues the tree of `old_size`; none if it is larger.
#[pyfunction]
pub(crate) fn prove_growth(
    py: Python<'_>,
    directory: &str,
    old_size: u64,
    note: &[u8],
) -> PyResult<Option<Vec<Py<PyBytes>>>> {
    let publication = Publication::parse(note)
        .ok_or_else(|| core("checkpoint_refused", "this is no checkpoint of a ledger"))?;
    let proof =
        py.detach(|| ringfence_ledger::prove_growth(Path::new(directory), old_size, &publication));
    let proof = proof.map_err(ledger)?;
    let bytes = |hash: [u8; 32]| PyBytes::new(py, &hash).unbind();
    Ok(proof.map(|proof| proof.into_iter().map(bytes).collect()))
}

/// Checks a receipt and returns what it proves as JSON, and the entry.
#[pyfunction]
pub(crate) fn verify_receipt<'py>(
    py: Python<'py>,
    receipt: &[u8],
    vkey: Option<&str>,
    policy: Option<&[u8]>,
    entry: Option<&[u8]>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let refused = |error| core("receipt_refused", error);
    let receipt = Receipt::parse(receipt).map_err(refused)?;
    let proven = match (vkey, policy) {
        (_, Some(policy)) => receipt.verify_by(&read_policy(policy)?, entry),
        (Some(vkey), None) => receipt.verify(&VerifierKey::parse(vkey).map_err(ledger)?, entry),
        (None, None) => {
            return Err(core(
                "receipt_refused",
                "neither a key nor a policy is given",
            ));
        }
    };
    let proven = proven.map_err(refused)?;
    let told = proven_json(&proven).to_string();
    Ok((
        PyBytes::new(py, told.as_bytes()),
        PyBytes::new(py, &proven.entry),
    ))
}

fn proven_json(proven: &Proven) -> Value {
    json!({
        "index": proven.index,
        "origin": proven.checkpoint.origin,
        "root": hex(&proven.checkpoint.root),
        "size": proven.checkpoint.size,
    })
}

fn read_policy(policy: &[u8]) -> PyResult<Policy> {
    Policy::parse(policy).map_err(|error| core("policy_invalid", error))
}

/// Reads a policy (C2SP tlog-policy) and returns its logs and witnesses as JSON.
#[pyfunction]
pub(crate) fn check_policy<'py>(py: Python<'py>, policy: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let policy = read_policy(policy)?;
    let logs: Vec<_> = policy.logs().iter().map(ToString::to_string).collect();
    let witnesses = policy.witnesses().iter().map(|witness| {
        json!({
            "name": witness.name,
            "vkey": witness.key.to_string(),
            "url": witness.url,
        })
    });
    let witnesses: Vec<Value> = witnesses.collect();
    let told = json!({"logs": logs, "witnesses": witnesses}).to_string();
    Ok(PyBytes::new(py, told.as_bytes()))
}

/// Checks a checkpoint against a policy and returns who cosigned it as JSON.
#[pyfunction]
pub(crate) fn accept_checkpoint<'py>(
    py: Python<'py>,
    policy: &[u8],
    note: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let accepted = read_policy(policy)?.accept(note);
    let accepted = accepted.map_err(|error| core("checkpoint_refused", error))?;
    let told = accepted_json(&accepted).to_string();
    Ok(PyBytes::new(py, told.as_bytes()))
}

fn accepted_json(accepted: &Accepted) -> Value {
    json!({
        "origin": accepted.checkpoint.origin,
        "root": hex(&accepted.checkpoint.root),
        "size": accepted.checkpoint.size,
        "witnesses": accepted.witnesses,
    })
}

/// Returns `note` with the cosignature that a witness answered.
#[pyfunction]
pub(crate) fn attach_cosignature<'py>(
    py: Python<'py>,
    note: &[u8],
    answer: &[u8],
    vkey: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let cosigner = CosignerKey::parse(vkey).map_err(ledger)?;
    let attached = cosignature::attach(note, answer, &cosigner);
    let attached = attached.map_err(|error| core("cosignature_refused", error))?;
    Ok(PyBytes::new(py, &attached))
}

/// Returns the text of a signed note when `vkey` signed it.
#[pyfunction]
pub(crate) fn verify_note(vkey: &str, note: &[u8]) -> PyResult<String> {
    let key = VerifierKey::parse(vkey).map_err(ledger)?;
    let text = note::verify(note, &key).map_err(|error| core("note_refused", error))?;
    Ok(text.to_owned())
}

/// Returns the C2SP tlog-tiles over entries by path, and the root of their tree.
#[pyfunction]
pub(crate) fn tlog_tiles<'py>(
    py: Python<'py>,
    entries: Vec<Vec<u8>>,
) -> (HashMap<String, Bound<'py, PyBytes>>, Bound<'py, PyBytes>) {
    let (tiles, root) = tiles_over(entries.iter().map(Vec::as_slice));
    let tiles = tiles.into_iter();
    let tiles = tiles.map(|(tile, bytes)| (tile.to_string(), PyBytes::new(py, &bytes)));
    (tiles.collect(), PyBytes::new(py, &root))
}
