//! Receipts: proof that one entry is in the log, to be checked with nothing but the log's public
//! key (C2SP tlog-proof, file extension `.tlog-proof`).
//!
//! The field `extra` of our receipts is the entry itself, so that one file says what it proves.
//!
//! Source: c2sp.org/tlog-proof. Parsing is strict: every receipt has one spelling only.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, decimal};
use crate::note::{self, NoteError};
use crate::policy::{Policy, PolicyError};
use crate::proof::verify_inclusion;
use crate::tree::{Hash, leaf_hash};
use crate::vkey::VerifierKey;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves has no longer proofs.
const MAX_PROOF: usize = 64;

/// A receipt, well formed and not yet verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// Data beside the proof, which the proof does not cover by itself.
    pub extra: Option<Vec<u8>>,
    /// The entry's index in the log.
    pub index: u64,
    /// From the leaf's sibling up.
    pub proof: Vec<Hash>,
    /// The checkpoint, as a note.
    pub note: Vec<u8>,
}

/// What a receipt proved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proven {
    /// The entry.
    pub entry: Vec<u8>,
    /// Its index.
    pub index: u64,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReceiptError {
    /// Its checkpoint is not signed as it must be.
    Checkpoint(NoteError),
    /// It is not a receipt.
    Malformed(&'static str),
    /// It has no entry with it, and none was given.
    NoEntry,
    /// The entry is not at that place of the log.
    NotIncluded,
    /// Its checkpoint does not satisfy the policy.
    Policy(PolicyError),
}

impl Receipt {
    /// The receipt as text.
    pub fn text(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            text += &format!("extra {}\n", STANDARD.encode(extra));
        }
        text += &format!("index {}\n", self.index);
        for hash in &self.proof {
            text += &format!("{}\n", STANDARD.encode(hash));
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.note);
        bytes
    }

    /// Reads a receipt.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let wrong = ReceiptError::Malformed;
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let end = end.ok_or(wrong("no empty line before the checkpoint"))?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| wrong("not UTF-8"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let decoded = |text: &str| STANDARD.decode(text).map_err(|_| wrong("not base64"));
        let extra = lines
            .next_if(|line| line.starts_with("extra "))
            .map(|line| decoded(&line["extra ".len()..]))
            .transpose()?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(decimal)
            .ok_or(wrong("no index"))?;
        let mut proof = Vec::new();
        for line in lines {
            let hash = Hash::try_from(decoded(line)?).map_err(|_| wrong("a hash has 32 bytes"))?;
            proof.push(hash);
        }
        if proof.len() > MAX_PROOF {
            return Err(wrong("no proof has more than 64 hashes"));
        }
        let note = bytes[end + 2..].to_vec();
        note::text(&note).map_err(ReceiptError::Checkpoint)?;
        Ok(Self {
            extra,
            index,
            proof,
            note,
        })
    }

    /// Checks the receipt against the log's key. `entry`: the entry it must be for; without one,
    /// the entry that came with it.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`]: what does not hold.
    pub fn verify(&self, key: &VerifierKey, entry: Option<&[u8]>) -> Result<Proven, ReceiptError> {
        let text = note::text(&self.note).map_err(ReceiptError::Checkpoint)?;
        let checkpoint = Checkpoint::parse_extended(text);
        let checkpoint = checkpoint.ok_or(ReceiptError::Malformed("it has no checkpoint"))?;
        let key = key.of_volume(&checkpoint.origin);
        let key = key.ok_or(ReceiptError::Malformed("it has no checkpoint of this log"))?;
        note::verify(&self.note, &key).map_err(ReceiptError::Checkpoint)?;
        self.included(checkpoint, entry)
    }

    /// The same against a policy: signed by one of its logs and cosigned by its quorum.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`]: what does not hold.
    pub fn verify_by(&self, policy: &Policy, entry: Option<&[u8]>) -> Result<Proven, ReceiptError> {
        let accepted = policy.accept(&self.note).map_err(ReceiptError::Policy)?;
        self.included(accepted.checkpoint, entry)
    }

    fn included(
        &self,
        checkpoint: Checkpoint,
        entry: Option<&[u8]>,
    ) -> Result<Proven, ReceiptError> {
        let entry = entry.or(self.extra.as_deref());
        let entry = entry.ok_or(ReceiptError::NoEntry)?;
        let (size, leaf) = (checkpoint.size, leaf_hash(entry));
        if !verify_inclusion(self.index, size, &leaf, &self.proof, &checkpoint.root) {
            return Err(ReceiptError::NotIncluded);
        }
        Ok(Proven {
            entry: entry.to_vec(),
            index: self.index,
            checkpoint,
        })
    }
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(error) => write!(f, "the receipt's checkpoint: {error}"),
            Self::Malformed(what) => write!(f, "this is no receipt: {what}"),
            Self::NoEntry => f.write_str("the receipt has no entry with it; give the entry's file"),
            Self::NotIncluded => f.write_str(
                "the receipt does not prove this entry: it is another one, or it was altered",
            ),
            Self::Policy(error) => write!(f, "the receipt's checkpoint: {error}"),
        }
    }
}

impl std::error::Error for ReceiptError {}
