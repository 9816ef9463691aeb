//! Sessions: an identity that was proved once, and stands for the messages that follow it.
//!
//! A session says who acts, never that they may: every message of it goes through authority again, so that a key that
//! is revoked is silenced at once on all its sessions.
//!
//! Invariant: only a permitted logon or opening of a stream ([`crate::pipeline::Permit::session`]) and a proof from outside that the caller has
//! verified ([`crate::pipeline::Core::vouch`]) make one.

use std::sync::Arc;

use crate::credential::{Credential, State};
use crate::refusal::Code;
use crate::sign::VerifyingKey;

/// How much of a message its signature covers.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Coverage {
    /// Nothing: the message names the key, from an address that the key is bound to.
    #[default]
    Name,
    /// What asked for a private stream, and is good for nothing else.
    Stream,
    /// What the venue's scheme covers, holes and all.
    Venue,
    /// All that a message asks: method, target and body.
    Whole,
}

/// SHA-256 of a client certificate in DER.
pub type Thumbprint = [u8; 32];

/// What a credential asks for beside its own signature. Nothing, by default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Demands {
    /// Least that a signature, or the proof that a session began with, must cover.
    pub coverage: Coverage,
    /// One of these client certificates on the connection. Empty: none is asked for.
    pub certificates: Box<[Thumbprint]>,
}

/// Who acts, proved by something other than a signature on the message itself.
#[derive(Debug)]
pub struct Session {
    credential: Arc<Credential>,
    coverage: Coverage,
    /// Microseconds since the Unix epoch from which on it is over.
    until_us: u64,
    /// Verifies each message's own signature, in place of the credential's key.
    bound: Option<VerifyingKey>,
}

impl Session {
    pub(crate) const fn new(
        credential: Arc<Credential>,
        coverage: Coverage,
        until_us: u64,
        bound: Option<VerifyingKey>,
    ) -> Self {
        Self {
            credential,
            coverage,
            until_us,
            bound,
        }
    }

    /// Returns the credential, as it was described when the session began.
    pub const fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    /// Returns how much of a message the proof covered that the session began with.
    pub const fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// Returns from when on it is over, in microseconds since the Unix epoch.
    pub const fn until_us(&self) -> u64 {
        self.until_us
    }

    /// Returns the key by which each of its messages must be signed, if they must.
    pub const fn bound(&self) -> Option<&VerifyingKey> {
        self.bound.as_ref()
    }

    /// Tells whether its credential is still good for anything. One that is not is silenced already; a connection that
    /// is nobody's any more may as well be closed.
    pub fn is_in_force(&self) -> bool {
        let credential = self.credential.in_force();
        credential.is_ok_and(|credential| credential.state() == State::Active)
    }

    /// Checks that it is not over at `now_us`.
    ///
    /// # Errors
    ///
    /// `credential_session_ended`.
    pub(crate) const fn check(&self, now_us: u64) -> Result<(), Code> {
        if now_us < self.until_us {
            Ok(())
        } else {
            Err(Code::CredentialSessionEnded)
        }
    }
}
