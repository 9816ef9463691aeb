//! Sessions: an identity that was proved once, and stands for the messages that follow it.
//!
//! A session says who acts, never that they may: every message of it goes through authority again, so that a key that
//! is revoked is silenced at once on all its sessions.
//!
//! Invariant: only a permitted logon or opening of a stream ([`crate::pipeline::Permit::session`]) and a proof from outside that the caller has
//! verified ([`crate::pipeline::Core::vouch`]) make one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// What somebody else vouches by, and may take back: an issuer's key. Sessions that rest on it end then.
#[derive(Clone, Debug, Default)]
pub struct Warrant(Arc<AtomicBool>);

impl Warrant {
    /// Takes it back, for good.
    pub fn withdraw(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Tells whether it was not taken back.
    pub fn stands(&self) -> bool {
        !self.0.load(Ordering::SeqCst)
    }
}

/// What a session, or a permit, lasts no longer than.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Microseconds since the Unix epoch from which on it is over.
    pub(crate) until_us: u64,
    /// What it rests on, if somebody else can end it.
    pub(crate) warrant: Option<Warrant>,
}

impl Bounds {
    /// Nothing but the credential ends it.
    pub(crate) const NONE: Self = Self {
        until_us: u64::MAX,
        warrant: None,
    };

    /// Returns what holds for a session that is begun in this one. A token of the gateway's own is good for a while to
    /// begin with, and what it begins lasts as its dialect says.
    pub(crate) fn passed_on(&self) -> Self {
        match self.warrant {
            Some(_) => self.clone(),
            None => Self::NONE,
        }
    }

    /// Tells whether nobody took back what it rests on.
    pub(crate) fn stand(&self) -> bool {
        self.warrant.as_ref().is_none_or(Warrant::stands)
    }
}

/// Who acts, proved by something other than a signature on the message itself.
#[derive(Debug)]
pub struct Session {
    credential: Arc<Credential>,
    coverage: Coverage,
    bounds: Bounds,
    /// Verifies each message's own signature, in place of the credential's key.
    bound: Option<VerifyingKey>,
}

impl Session {
    pub(crate) const fn new(
        credential: Arc<Credential>,
        coverage: Coverage,
        bounds: Bounds,
        bound: Option<VerifyingKey>,
    ) -> Self {
        Self {
            credential,
            coverage,
            bounds,
            bound,
        }
    }

    /// Has it end with `warrant`, too.
    #[must_use]
    pub fn resting_on(mut self, warrant: Warrant) -> Self {
        self.bounds.warrant = Some(warrant);
        self
    }

    /// Returns what else ends it.
    pub(crate) const fn bounds(&self) -> &Bounds {
        &self.bounds
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
        self.bounds.until_us
    }

    /// Returns the key by which each of its messages must be signed, if they must.
    pub const fn bound(&self) -> Option<&VerifyingKey> {
        self.bound.as_ref()
    }

    /// Tells whether its credential is still good for anything. One that is not is silenced already; a connection that
    /// is nobody's any more may as well be closed.
    pub fn is_in_force(&self) -> bool {
        let credential = self.credential.in_force();
        self.bounds.stand()
            && credential.is_ok_and(|credential| credential.state() == State::Active)
    }

    /// Checks that it is not over at `now_us`, and that nobody took back what it rests on.
    ///
    /// # Errors
    ///
    /// `credential_session_ended`.
    pub(crate) fn check(&self, now_us: u64) -> Result<(), Code> {
        if now_us < self.bounds.until_us && self.bounds.stand() {
            Ok(())
        } else {
            Err(Code::CredentialSessionEnded)
        }
    }
}
