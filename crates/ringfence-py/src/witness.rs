//! A witness: reading, judging and cosigning checkpoints. Its server and its state are Python's.

use std::path::Path;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringfence_ledger::witness::{AddCheckpoint, NotCosigned, Seen};
use ringfence_ledger::{CosignerKey, SigningKey, VerifierKey, cosignature};

use crate::error::{core, ledger};

/// A request to cosign a checkpoint (C2SP tlog-witness, add-checkpoint).
#[pyclass(module = "ringfence._core", frozen)]
pub(crate) struct WitnessRequest(AddCheckpoint);

#[pymethods]
impl WitnessRequest {
    #[new]
    fn new(body: &[u8]) -> PyResult<Self> {
        let request = AddCheckpoint::parse(body);
        request
            .map(Self)
            .map_err(|error| core("witness_400", error.reason()))
    }

    /// The log's name.
    #[getter]
    fn origin(&self) -> &str {
        &self.0.checkpoint.origin
    }

    /// Entries that the checkpoint covers.
    #[getter]
    fn size(&self) -> u64 {
        self.0.checkpoint.size
    }

    /// The root over them.
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.checkpoint.root)
    }

    /// The checkpoint as a note.
    #[getter]
    fn note<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.note)
    }

    /// Refuses what must not be cosigned: `CoreError` with code `witness_<HTTP status>`.
    ///
    /// `logs` are the keys of the logs watched, `seen` size and root of what was cosigned last.
    #[pyo3(signature = (logs, seen))]
    fn judge(&self, logs: Vec<String>, seen: Option<(u64, [u8; 32])>) -> PyResult<()> {
        let logs: Result<Vec<_>, _> = logs.iter().map(|log| VerifierKey::parse(log)).collect();
        let seen = seen.map(|(size, root)| Seen { size, root });
        self.0.judge(&logs.map_err(ledger)?, seen).map_err(refused)
    }
}

fn refused(error: NotCosigned) -> PyErr {
    core(&format!("witness_{}", error.status()), error.reason())
}

/// A key that cosigns checkpoints under a name.
#[pyclass(module = "ringfence._core", frozen)]
pub(crate) struct Cosigner {
    key: SigningKey,
    cosigner: CosignerKey,
}

#[pymethods]
impl Cosigner {
    #[new]
    fn new(key_path: &str, name: &str) -> PyResult<Self> {
        let key = SigningKey::from_file(Path::new(key_path)).map_err(ledger)?;
        let cosigner = key.cosigner(name).map_err(ledger)?;
        Ok(Self { key, cosigner })
    }

    /// The key that verifies its cosignatures, as text.
    #[getter]
    fn vkey(&self) -> String {
        self.cosigner.to_string()
    }

    /// Returns the signature line for the checkpoint of a request that was judged.
    fn cosign(&self, request: &WitnessRequest, time_s: u64) -> String {
        cosignature::cosign(&request.0.text, time_s, &self.key, &self.cosigner)
    }
}
