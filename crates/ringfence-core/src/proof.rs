//! What somebody who steps up for an account proves, and when.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// A passkey.
    Passkey,
    /// A code of an authenticator app.
    Totp,
}

impl Proof {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Totp, Self::Passkey];

    /// Returns the word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Totp => "totp",
        }
    }

    /// Returns the proof called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// The last proof. Time and kind are one word, so that nobody sees the one of an earlier proof with the other of a later.
#[derive(Debug, Default)]
pub(crate) struct LastProof(AtomicU64);

impl LastProof {
    /// Keeps a proof of `at_us`, in microseconds since the Unix epoch.
    pub(crate) fn keep(&self, proof: Proof, at_us: u64) {
        let kind = match proof {
            Proof::Totp => 0,
            Proof::Passkey => 1,
        };
        self.0
            .store(at_us.saturating_mul(2) | kind, Ordering::SeqCst);
    }

    /// Returns the proof and its time; None: there was none.
    pub(crate) fn read(&self) -> Option<(Proof, u64)> {
        let word = self.0.load(Ordering::SeqCst);
        let proof = if word & 1 == 0 {
            Proof::Totp
        } else {
            Proof::Passkey
        };
        (word > 1).then_some((proof, word / 2))
    }
}
