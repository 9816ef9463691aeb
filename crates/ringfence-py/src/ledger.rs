//! The ledger, offline.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringfence_ledger::{
    Commitment, Fault, LedgerError, Month, PublishedFault, Reader, Report, SigningKey,
    VolumeReport, classes, proof, verify, volumes,
};
use serde_json::{Value, json};

use crate::error::{core, ledger};

/// Returns the verifier key text (C2SP signed note) of a ledger's signing key.
#[pyfunction]
pub(crate) fn ledger_vkey(key_path: &str, origin: &str) -> PyResult<String> {
    let key = SigningKey::from_file(Path::new(key_path)).map_err(ledger)?;
    Ok(key.verifier(origin).map_err(ledger)?.to_string())
}

/// Reads a ledger's entries in order, also while it grows.
#[pyclass(module = "ringfence._core", frozen)]
pub(crate) struct LedgerReader(Mutex<Reader>);

#[pymethods]
impl LedgerReader {
    #[new]
    fn new(py: Python<'_>, directory: &str, start: u64) -> PyResult<Self> {
        let reader = py.detach(|| Reader::open(Path::new(directory), start));
        reader
            .map(|reader| Self(Mutex::new(reader)))
            .map_err(ledger)
    }

    /// Returns up to `limit` more entries as (index, canonical JSON); none when there are none yet.
    fn read<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<Shown<'py>>> {
        let read = py.detach(|| self.next(limit, |_| true)).map_err(ledger)?;
        Ok(read.into_iter().map(|entry| shown(py, entry)).collect())
    }

    /// Goes on by up to `limit` entries, and returns how many those were, the last of them, and those that are not usual.
    fn sift<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        usual: &Usual,
    ) -> PyResult<(usize, Option<Shown<'py>>, Vec<Shown<'py>>)> {
        let (mut count, mut last) = (0, (0, Vec::new()));
        let read = py.detach(|| {
            let mut usual = usual.locked();
            self.next(limit, |(index, entry)| {
                count += 1;
                last.0 = *index;
                last.1.clear();
                last.1.extend_from_slice(entry);
                !usual.has(entry)
            })
        });
        let read = read.map_err(ledger)?.into_iter();
        let last = (count > 0).then(|| shown(py, last));
        Ok((count, last, read.map(|entry| shown(py, entry)).collect()))
    }
}

type Shown<'py> = (u64, Bound<'py, PyBytes>);

fn shown(py: Python<'_>, (index, entry): (u64, Vec<u8>)) -> Shown<'_> {
    (index, PyBytes::new(py, &entry))
}

impl LedgerReader {
    /// Goes on by up to `limit` entries, and returns those that are wanted.
    fn next(
        &self,
        limit: usize,
        mut wanted: impl FnMut(&(u64, &[u8])) -> bool,
    ) -> Result<Vec<(u64, Vec<u8>)>, LedgerError> {
        let mut reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Vec::new();
        for _ in 0..limit {
            let Some(entry) = reader.next_entry()? else {
                break;
            };
            if wanted(&entry) {
                entries.push((entry.0, entry.1.to_vec()));
            }
        }
        Ok(entries)
    }
}

/// How keys are known to be used; see [`ringfence_ledger::Usual`].
#[pyclass(module = "ringfence._core", frozen)]
pub(crate) struct Usual(Mutex<ringfence_ledger::Usual>);

#[pymethods]
impl Usual {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    /// Remembers how a permitted message used its key.
    fn add(&self, entry: &[u8]) {
        self.locked().add(entry);
    }

    /// Forgets all.
    fn clear(&self) {
        self.locked().clear();
    }

    fn __len__(&self) -> usize {
        self.locked().len()
    }
}

impl Usual {
    fn locked(&self) -> MutexGuard<'_, ringfence_ledger::Usual> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns up to `limit` committed entries from index `start` on, as (index, canonical JSON).
#[pyfunction]
pub(crate) fn read_ledger<'py>(
    py: Python<'py>,
    directory: &str,
    start: u64,
    limit: usize,
) -> PyResult<Vec<(u64, Bound<'py, PyBytes>)>> {
    LedgerReader::new(py, directory, start)?.read(py, limit)
}

/// Returns a ledger's volumes, oldest first, as (month, folder, entries before it); one without month
/// where the ledger is in one piece.
#[pyfunction]
pub(crate) fn ledger_volumes(directory: &str) -> PyResult<Vec<(Option<String>, String, u64)>> {
    let found = volumes(Path::new(directory)).map_err(ledger)?;
    let told = found.into_iter().map(|volume| {
        let month = volume.month.map(|month| month.to_string());
        let folder = volume.directory.to_string_lossy().into_owned();
        (month, folder, volume.sequence)
    });
    Ok(told.collect())
}

/// Returns how many entries of a volume are of trade and of security.
#[pyfunction]
pub(crate) fn volume_classes(py: Python<'_>, directory: &str) -> PyResult<(u64, u64)> {
    let found = py.detach(|| classes(Path::new(directory)));
    let found = found.map_err(ledger)?;
    Ok((found.trade, found.security))
}

/// Removes the volume of a month for good, and what an interrupted removal left.
#[pyfunction]
#[pyo3(signature = (directory, month))]
pub(crate) fn drop_volume(py: Python<'_>, directory: &str, month: Option<&str>) -> PyResult<()> {
    let wrong = |month| core("ledger_volume", format!("{month:?} is not a month"));
    let month = month.map(|month| Month::parse(month).ok_or_else(|| wrong(month)));
    let month = month.transpose()?;
    let dropped = py.detach(|| ringfence_ledger::drop_volume(Path::new(directory), month));
    dropped.map_err(ledger)
}

/// Removes for good what commitments stand for in a volume that nobody writes, and returns how many there were.
#[pyfunction]
pub(crate) fn erase_personal(
    py: Python<'_>,
    directory: &str,
    commitments: Vec<String>,
) -> PyResult<u64> {
    let commitments = commitments_of(&commitments)?;
    py.detach(|| ringfence_ledger::erase(Path::new(directory), &commitments))
        .map_err(ledger)
}

pub(crate) fn commitments_of(texts: &[String]) -> PyResult<HashSet<Commitment>> {
    let read = |text: &String| {
        let wrong = || core("ledger_personal", format!("{text:?} is not a commitment"));
        Commitment::parse(text).ok_or_else(wrong)
    };
    texts.iter().map(read).collect()
}

/// Recomputes everything and returns a JSON report: size, root, checkpoints, fault or null.
#[pyfunction]
pub(crate) fn verify_ledger<'py>(
    py: Python<'py>,
    directory: &str,
    vkey: Option<&str>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let report = py.detach(|| {
        verify(Path::new(directory), vkey, &mut |done| {
            if let Some(progress) = &progress {
                // A progress display that fails must not end the verification.
                let _ = Python::attach(|py| progress.call1(py, (done,)));
            }
        })
    });
    let report = report.map_err(ledger)?;
    Ok(PyBytes::new(
        py,
        report_json(&report).to_string().as_bytes(),
    ))
}

fn report_json(report: &Report) -> Value {
    let unfinished: Vec<_> = report
        .unfinished
        .iter()
        .map(|left| {
            json!({
                "file": left.file,
                "offset": left.offset,
                "sentence": left.sentence,
            })
        })
        .collect();
    let volumes: Vec<_> = report.volumes.iter().map(volume_json).collect();
    // Of a file in a volume's folder the path within the ledger's.
    let within = |file: &str| match report.bad_volume {
        Some(month) => format!("{month}/{file}"),
        None => file.to_owned(),
    };
    json!({
        "checkpoints": report.checkpoints,
        "erased": report.erased,
        "fault": report
            .first_bad
            .as_ref()
            .map(|fault| fault_json(&within(fault.part.file_name()), fault))
            .or_else(|| {
                let fault = report.published_bad.as_ref()?;
                Some(published_json(&within(&fault.file), fault))
            }),
        "heartbeats": {
            "count": report.heartbeats.count,
            "longest_us": report.heartbeats.longest_us,
            "missing": report.heartbeats.missing,
        },
        "live": report.live,
        "open_intents": report.open_intents,
        "origin": report.origin,
        "personal": report.personal,
        "published": report.published,
        "root": hex(&report.root),
        "signatures_checked": report.signatures_checked,
        "signed_size": report.signed_size,
        "size": report.size,
        "unfinished": unfinished,
        "volumes": volumes,
    })
}

fn volume_json(volume: &VolumeReport) -> Value {
    json!({
        "month": volume.month.to_string(),
        "root": hex(&volume.root),
        "sequence": volume.sequence,
        "signed_size": volume.signed_size,
        "size": volume.size,
    })
}

fn fault_json(file: &str, fault: &Fault) -> Value {
    json!({
        "entry": fault.entry,
        "file": file,
        "kind": fault.kind.as_str(),
        "offset": fault.offset,
        "sentence": fault.sentence,
    })
}

fn published_json(file: &str, fault: &PublishedFault) -> Value {
    json!({
        "entry": fault.entry,
        "file": file,
        "kind": fault.kind.as_str(),
        "offset": fault.offset,
        "sentence": fault.sentence,
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tells whether `proof` shows that the tree of `size_1` is a prefix of that of `size_2`.
#[pyfunction]
pub(crate) fn verify_consistency(
    size_1: u64,
    size_2: u64,
    root_1: [u8; 32],
    root_2: [u8; 32],
    proof: Vec<[u8; 32]>,
) -> bool {
    proof::verify_consistency(size_1, size_2, &root_1, &root_2, &proof)
}

/// Tells whether `proof` shows that the leaf hash `leaf` is at `index` in the tree `root`.
#[pyfunction]
pub(crate) fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: [u8; 32],
    root: [u8; 32],
    proof: Vec<[u8; 32]>,
) -> bool {
    proof::verify_inclusion(index, size, &leaf, &proof, &root)
}
