//! What a witness decides: whether a checkpoint sent to it continues the last one it cosigned.
//!
//! Pure: the server keeps the state and the time. The last checkpoint of a log must be read, judged
//! against and replaced in one transaction, and be durable before the cosignature leaves.
//!
//! Source: c2sp.org/tlog-witness, add-checkpoint.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, decimal};
use crate::note;
use crate::proof::verify_consistency;
use crate::tree::{Hash, sha256};
use crate::vkey::VerifierKey;

/// Most lines of a consistency proof.
const MAX_PROOF: usize = 63;

/// The size and root that a witness cosigned last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A request to cosign a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddCheckpoint {
    /// The size that the sender believes was cosigned last.
    pub old_size: u64,
    /// That the checkpoint continues it.
    pub proof: Vec<Hash>,
    /// The note.
    pub note: Vec<u8>,
    /// The text of the note.
    pub text: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotCosigned {
    /// The sender's old size is not the last one: 409, with the last one.
    Conflict {
        /// The size cosigned last.
        size: u64,
    },
    /// The checkpoint does not continue the last one, by the proof given: 422.
    Inconsistent(&'static str),
    /// The request is not one: 400.
    Malformed(&'static str),
    /// The log is not known here: 404.
    UnknownLog,
    /// No key of the log signed the checkpoint: 403.
    Unsigned,
}

impl NotCosigned {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Conflict { .. } => 409,
            Self::Inconsistent(_) => 422,
            Self::Malformed(_) => 400,
            Self::UnknownLog => 404,
            Self::Unsigned => 403,
        }
    }

    /// What is wrong, for people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Conflict { .. } => "the old size is not the one cosigned last",
            Self::Inconsistent(what) | Self::Malformed(what) => what,
            Self::UnknownLog => "this witness does not know the log",
            Self::Unsigned => "no known key of the log signed the checkpoint",
        }
    }
}

impl AddCheckpoint {
    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// [`NotCosigned::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, NotCosigned> {
        let wrong = NotCosigned::Malformed;
        let end = body.windows(2).position(|pair| pair == b"\n\n");
        let end = end.ok_or(wrong("no empty line before the checkpoint"))?;
        let head = std::str::from_utf8(&body[..end]).map_err(|_| wrong("not UTF-8"))?;
        let mut lines = head.split('\n');
        let old_size = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(decimal)
            .ok_or(wrong("the first line is not the old size"))?;
        let hash = |line| Hash::try_from(STANDARD.decode(line).ok()?).ok();
        let proof: Option<Vec<Hash>> = lines.map(hash).collect();
        let proof = proof.ok_or(wrong("a line of the proof is not a hash in base64"))?;
        if proof.len() > MAX_PROOF {
            return Err(wrong("the proof has more than 63 lines"));
        }
        let note = body[end + 2..].to_vec();
        let text = note::text(&note).map_err(|_| wrong("the checkpoint is not a signed note"))?;
        let text = text.to_owned();
        let checkpoint = Checkpoint::parse_extended(&text).ok_or(wrong("no checkpoint"))?;
        Ok(Self {
            old_size,
            proof,
            note,
            text,
            checkpoint,
        })
    }

    /// Whether to cosign: `logs` are the keys of the logs that are watched, `seen` is what was
    /// cosigned last of this one.
    ///
    /// # Errors
    ///
    /// [`NotCosigned`]; nothing must be signed then.
    pub fn judge(&self, logs: &[VerifierKey], seen: Option<Seen>) -> Result<(), NotCosigned> {
        let mut keys = logs
            .iter()
            .filter_map(|key| key.of_volume(&self.checkpoint.origin))
            .peekable();
        if keys.peek().is_none() {
            return Err(NotCosigned::UnknownLog);
        }
        if !keys.any(|key| note::verify(&self.note, &key).is_ok()) {
            return Err(NotCosigned::Unsigned);
        }
        if self.old_size > self.checkpoint.size {
            return Err(NotCosigned::Malformed(
                "the old size is larger than that of the checkpoint",
            ));
        }
        let last = seen.map_or(0, |seen| seen.size);
        if self.old_size != last {
            return Err(NotCosigned::Conflict { size: last });
        }
        self.continues(seen)
    }

    fn continues(&self, seen: Option<Seen>) -> Result<(), NotCosigned> {
        let wrong = |what| Err(NotCosigned::Inconsistent(what));
        let Checkpoint { size, root, .. } = self.checkpoint;
        if size == 0 && root != sha256(b"") {
            return wrong("the root is not that of an empty log");
        }
        match seen {
            // Nothing was seen, or nothing was in it: everything continues that.
            None | Some(Seen { size: 0, .. }) if self.proof.is_empty() => Ok(()),
            None | Some(Seen { size: 0, .. }) => wrong("an old size of 0 takes no proof"),
            Some(seen) if verify_consistency(seen.size, size, &seen.root, &root, &self.proof) => {
                Ok(())
            }
            Some(seen) if seen.size == size => {
                wrong("this size was cosigned with another root: the log was forked")
            }
            Some(_) => wrong("the proof does not show that the log was continued"),
        }
    }
}
