//! Cosignatures: what a witness says of a checkpoint, namely that at a certain time it was the
//! largest it had seen of that log, and continued all it had seen before.
//!
//! Source: c2sp.org/tlog-cosignature, Ed25519 (type 0x04). The ML-DSA-44 form is not supported: the
//! cryptographic library has no stable interface for it.

use crate::key::SigningKey;
use crate::note::{self, Line, NoteError};
use crate::vkey::CosignerKey;

/// Bytes of a time and an Ed25519 signature.
const LENGTH: usize = 8 + 64;

fn message(text: &str, time_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

/// The signature line by which `key`, under the name of `cosigner`, cosigns the checkpoint with the
/// note text `text` at `time_s` (seconds since the Unix epoch).
pub fn cosign(text: &str, time_s: u64, key: &SigningKey, cosigner: &CosignerKey) -> String {
    let mut blob = cosigner.id().to_vec();
    blob.extend_from_slice(&time_s.to_be_bytes());
    blob.extend_from_slice(&key.sign(&message(text, time_s)));
    note::line(cosigner.name(), &blob)
}

/// When `cosigner` cosigned `note`, in seconds since the Unix epoch; the last time where there are
/// several, none where it did not.
///
/// # Errors
///
/// [`NoteError`]: it is no note, or a cosignature under this name and key is false.
pub fn verify(note: &[u8], cosigner: &CosignerKey) -> Result<Option<u64>, NoteError> {
    let parsed = note::parse(note)?;
    let mut newest = None;
    for line in parsed
        .signatures
        .iter()
        .filter(|line| is_by(line, cosigner))
    {
        let time_s = time(line, parsed.text, cosigner).ok_or(NoteError::WrongSignature)?;
        newest = newest.max(Some(time_s));
    }
    Ok(newest)
}

/// `note` with the cosignatures of `cosigner` in `response`, the answer of a witness, in place of
/// those it had.
///
/// # Errors
///
/// [`NoteError`]: the answer has no cosignature by this cosigner, or a false one.
pub fn attach(note: &[u8], response: &[u8], cosigner: &CosignerKey) -> Result<Vec<u8>, NoteError> {
    let text = note::text(note)?;
    let response = std::str::from_utf8(response)
        .map_err(|_| NoteError::Malformed("the witness's answer is not UTF-8"))?;
    let by = |line: &&str| {
        note::signature(line.trim_end_matches('\n')).is_some_and(|line| is_by(&line, cosigner))
    };
    // `text` and the empty line are ASCII-delimited parts of a note that was just parsed.
    let lines = std::str::from_utf8(&note[text.len() + 1..])
        .map_err(|_| NoteError::Malformed("not UTF-8"))?;
    let mut attached = format!("{text}\n");
    attached.extend(lines.split_inclusive('\n').filter(|line| !by(line)));
    attached.extend(response.split_inclusive('\n').filter(by));
    match verify(attached.as_bytes(), cosigner)? {
        Some(_) => Ok(attached.into_bytes()),
        None => Err(NoteError::NoSignature),
    }
}

fn is_by(line: &Line<'_>, cosigner: &CosignerKey) -> bool {
    line.name == cosigner.name() && line.id == cosigner.id()
}

// The time of a cosignature; none when it is false.
fn time(line: &Line<'_>, text: &str, cosigner: &CosignerKey) -> Option<u64> {
    let signed: &[u8; LENGTH] = line.signature.as_slice().try_into().ok()?;
    let (time, signature) = signed.split_first_chunk::<8>()?;
    let time_s = u64::from_be_bytes(*time);
    // The specification's bound.
    let sound = i64::try_from(time_s).is_ok();
    (sound && cosigner.verifies(&message(text, time_s), signature)).then_some(time_s)
}
