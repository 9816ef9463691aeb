//! C2SP signed notes: a text and signature lines under it.
//!
//! Source: c2sp.org/signed-note. Parsing is strict: every note has one spelling only.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::key::SigningKey;
use crate::vkey::{VerifierKey, name_is_sound};

/// Most signature lines accepted.
const MAX_SIGNATURES: usize = 100;

// An em dash and a space.
const LINE_START: &str = "\u{2014} ";

/// Why a note was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoteError {
    /// It is not a note.
    Malformed(&'static str),
    /// No signature is by the key asked for.
    NoSignature,
    /// A signature by the key asked for is false.
    WrongSignature,
}

/// Signs `text`, which ends in a newline, under the name of `verifier`.
pub fn sign(text: &str, key: &SigningKey, verifier: &VerifierKey) -> String {
    let mut blob = verifier.id().to_vec();
    blob.extend_from_slice(&key.sign(text.as_bytes()));
    format!("{text}\n{}", line(verifier.name(), &blob))
}

/// The text of `note` when it is well formed, without looking at signatures.
///
/// # Errors
///
/// [`NoteError::Malformed`].
pub fn text(note: &[u8]) -> Result<&str, NoteError> {
    parse(note).map(|parsed| parsed.text)
}

/// The text of `note` when `key` signed it. Lines of other keys are ignored.
///
/// # Errors
///
/// [`NoteError`]; a false signature by `key` spoils the note even if another one is right.
pub fn verify<'n>(note: &'n [u8], key: &VerifierKey) -> Result<&'n str, NoteError> {
    let parsed = parse(note)?;
    let mut verified = false;
    for line in &parsed.signatures {
        if line.name != key.name() || line.id != key.id() {
            continue;
        }
        if !key.verifies(parsed.text.as_bytes(), &line.signature) {
            return Err(NoteError::WrongSignature);
        }
        verified = true;
    }
    if verified {
        Ok(parsed.text)
    } else {
        Err(NoteError::NoSignature)
    }
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "it is not a signed note: {what}"),
            Self::NoSignature => f.write_str("it is not signed by the key asked for"),
            Self::WrongSignature => {
                f.write_str("a signature under it is false: it was altered or forged")
            }
        }
    }
}

/// A well-formed note.
pub(crate) struct Parsed<'n> {
    pub(crate) text: &'n str,
    pub(crate) signatures: Vec<Line<'n>>,
}

/// A signature line.
pub(crate) struct Line<'n> {
    pub(crate) name: &'n str,
    pub(crate) id: [u8; 4],
    pub(crate) signature: Vec<u8>,
}

/// The signature line of a key: `blob` is its id and what it signed with.
pub(crate) fn line(name: &str, blob: &[u8]) -> String {
    format!("{LINE_START}{name} {}\n", STANDARD.encode(blob))
}

pub(crate) fn parse(note: &[u8]) -> Result<Parsed<'_>, NoteError> {
    let wrong = |what| Err(NoteError::Malformed(what));
    let Ok(note) = std::str::from_utf8(note) else {
        return wrong("not UTF-8");
    };
    if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return wrong("a control character");
    }
    let Some(split) = note.rfind("\n\n") else {
        return wrong("no signatures under the text");
    };
    let (text, lines) = (&note[..=split], &note[split + 2..]);
    let Some(lines) = lines.strip_suffix('\n') else {
        return wrong("no newline at the end");
    };
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        if signatures.len() == MAX_SIGNATURES {
            return wrong("more than 100 signatures");
        }
        match signature(line) {
            Some(line) => signatures.push(line),
            None => return wrong("a malformed signature line"),
        }
    }
    Ok(Parsed { text, signatures })
}

/// The signature in one line, without its newline.
pub(crate) fn signature(line: &str) -> Option<Line<'_>> {
    let (name, blob) = line.strip_prefix(LINE_START)?.split_once(' ')?;
    // The engine refuses missing padding and spare bits, so a blob has one spelling.
    let blob = STANDARD.decode(blob).ok()?;
    let (id, signature) = blob.split_first_chunk::<4>()?;
    if !name_is_sound(name) || signature.is_empty() {
        return None;
    }
    Some(Line {
        name,
        id: *id,
        signature: signature.to_vec(),
    })
}
