//! Credentials: what proves who acts, what it may do, from where, and until when.

mod account;
mod table;

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use account::Account;
pub use table::CredentialTable;

use crate::address::Cidr;
use crate::operation::Scopes;
use crate::principal::{ALONE, Standing};
use crate::proof::Proof;
use crate::refusal::{Code, Refusal};
use crate::replay::{Fresh, ReplayMemory, ReplayRoom, Use};
use crate::session::Demands;
use crate::shard::{Shard, ShardState};
use crate::sign::{Algorithm, Claim, Signed, Verified, VerifyingKey};

/// How exactly the last use is kept.
const USED_STEP_US: u64 = 1_000_000;

/// Where a credential stands in its life (NIST SP 800-57 part 1, section 7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum State {
    /// Made, not yet good.
    PreActive,
    /// Good.
    Active,
    /// Out of use until resumed.
    Suspended,
    /// Out of use for ever: taken back, or over.
    Deactivated,
    /// Out of use for ever: somebody else may have it.
    Compromised,
    /// Out of use for ever, and what verified it is gone.
    Destroyed,
}

impl State {
    const ALL: [Self; 6] = [
        Self::PreActive,
        Self::Active,
        Self::Suspended,
        Self::Deactivated,
        Self::Compromised,
        Self::Destroyed,
    ];

    /// Returns the word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreActive => "pre-active",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Compromised => "compromised",
            Self::Destroyed => "destroyed",
        }
    }

    /// Tells whether nothing brings it back into use.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Deactivated | Self::Compromised | Self::Destroyed
        )
    }

    /// Returns the state called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What a credential is made of.
#[derive(Debug)]
pub struct NewCredential {
    /// The id that clients send.
    pub key_id: Box<str>,
    /// The account that it acts for.
    pub account: Box<str>,
    /// What verifies its signatures.
    pub key: VerifyingKey,
    /// What it may do.
    pub scopes: Scopes,
    /// Where it may be used. Empty: nowhere.
    pub allow: Box<[Cidr]>,
    /// What it asks for beside its signature.
    pub demands: Demands,
    /// Microseconds since the epoch from which on it is no longer good.
    pub expires_us: Option<u64>,
    /// Where it stands.
    pub state: State,
    /// Whether its account is out of use; none: as it was.
    pub held: Option<bool>,
    /// What its account is and stands under; none: an account by itself.
    pub standing: Option<Arc<Standing>>,
    /// The shard that its account stands in; none: in none.
    pub shard: Option<Shard>,
}

/// A credential in the engine, as one [`CredentialTable::put`] described it.
pub struct Credential {
    key_id: Box<str>,
    account: Arc<Account>,
    algorithm: Algorithm,
    /// Which of its keys this description is of: [`Kept::serial`].
    serial: u32,
    scopes: Scopes,
    allow: Box<[Cidr]>,
    demands: Demands,
    expires_us: Option<u64>,
    /// Shared with all that stand alike; none: an account by itself.
    standing: Option<Arc<Standing>>,
    live: Arc<Live>,
    /// What replaced this description, while a message may still hold it.
    successor: OnceLock<Arc<Self>>,
}

/// What a credential keeps however often it is described anew.
#[derive(Debug)]
struct Live {
    /// A [`State`]; written by the table only. Never leaves the final ones.
    state: AtomicU8,
    /// When something of it was last permitted, in microseconds since the epoch, to [`USED_STEP_US`].
    used_us: AtomicU64,
    replay: Mutex<ReplayMemory>,
    /// In one place, so that nobody who holds a description still has it once it is forgotten. Written by the table only.
    key: RwLock<Kept>,
}

/// What verifies a credential's signatures, as long as it is kept.
#[derive(Debug, Default)]
struct Kept {
    /// Counts the keys that the credential has had.
    serial: u32,
    /// None once the credential is destroyed. What was here is wiped.
    key: Option<VerifyingKey>,
}

impl Live {
    fn state(&self) -> State {
        // INVARIANT: only `State` values are ever stored; anything else would read as destroyed.
        State::ALL
            .get(usize::from(self.state.load(Ordering::SeqCst)))
            .copied()
            .unwrap_or(State::Destroyed)
    }

    /// Keeps `key`, unless it is there already, and returns its serial. One that is or was destroyed keeps none. What was
    /// there before is wiped.
    fn keep(&self, key: VerifyingKey, state: State) -> u32 {
        let mut kept = self.key.write().unwrap_or_else(PoisonError::into_inner);
        // The state is read under the lock: a destruction that came first forgets after it, one that came later waits.
        let was_forgotten = kept.serial > 0 && kept.key.is_none();
        if was_forgotten || [self.state(), state].contains(&State::Destroyed) {
            kept.key = None;
        } else if !kept.key.as_ref().is_some_and(|last| last.is_same(&key)) {
            kept.serial += 1;
            kept.key = Some(key);
        }
        kept.serial
    }

    /// Wipes the key that is kept.
    fn forget_key(&self) {
        let mut kept = self.key.write().unwrap_or_else(PoisonError::into_inner);
        kept.key = None;
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.key_id)
    }
}

impl Credential {
    /// Returns the id that clients send.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Returns the account's name.
    pub fn account(&self) -> &str {
        &self.account.name
    }

    /// Returns what the account is, and who stands above it.
    pub fn standing(&self) -> &Standing {
        self.standing.as_deref().unwrap_or(&ALONE)
    }

    /// Returns how its key signs.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies `claim` by the key that this is the description of.
    ///
    /// # Errors
    ///
    /// As [`VerifyingKey::verify`]; `credential_revoked` when that key was replaced or is destroyed.
    pub fn verify(&self, claim: &Claim<'_>) -> Result<Verified<Signed>, Code> {
        let kept = self.live.key.read().unwrap_or_else(PoisonError::into_inner);
        match &kept.key {
            Some(key) if kept.serial == self.serial => key.verify(claim),
            Some(_) | None => Err(Code::CredentialRevoked),
        }
    }

    /// Returns what it may do.
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Returns where it may be used. Empty: nowhere.
    pub const fn allow(&self) -> &[Cidr] {
        &self.allow
    }

    /// Returns what it asks for beside its signature.
    pub const fn demands(&self) -> &Demands {
        &self.demands
    }

    /// Returns from when on it is no longer good, in microseconds since the Unix epoch.
    pub const fn expires_us(&self) -> Option<u64> {
        self.expires_us
    }

    /// Returns what somebody who stepped up for its account proved last, and when in microseconds since the Unix epoch.
    pub fn stepped(&self) -> Option<(Proof, u64)> {
        self.account.stepped.read()
    }

    /// Returns the shard that its account stands in now.
    pub fn shard(&self) -> Option<Shard> {
        self.account.shard()
    }

    /// Returns how its account's shard stands; who stands in none is served.
    pub fn shard_state(&self) -> ShardState {
        self.account.shard_state()
    }

    /// Returns where it stands now. An active one whose account is held, or whose shard is isolated, reads as suspended.
    pub fn state(&self) -> State {
        let state = self.state_but_shard();
        if state == State::Active && self.shard_state() == ShardState::Isolated {
            return State::Suspended;
        }
        state
    }

    /// Returns where it stands now, however its shard does.
    pub(crate) fn state_but_shard(&self) -> State {
        let state = self.own_state();
        if state == State::Active && self.account.held.load(Ordering::SeqCst) {
            return State::Suspended;
        }
        state
    }

    /// Returns where it stands, whoever it acts for.
    fn own_state(&self) -> State {
        self.live.state()
    }

    /// Keeps that something of it was permitted at `now_us`.
    pub(crate) fn used(&self, now_us: u64) {
        let last_us = self.live.used_us.load(Ordering::Relaxed);
        // Threads that use one credential would take the cache line from each other every time.
        if now_us.saturating_sub(last_us) >= USED_STEP_US {
            self.live.used_us.fetch_max(now_us, Ordering::Relaxed);
        }
    }

    /// Claims a verified signature for `purpose`; exact across threads.
    ///
    /// # Errors
    ///
    /// As [`ReplayMemory::claim`].
    pub fn claim(
        &self,
        signed: &Verified<Signed>,
        purpose: Use,
        now_us: u64,
        room: &ReplayRoom,
    ) -> Result<Fresh, Refusal> {
        // A panic cannot leave the memory half changed, so a poisoned lock is still good.
        let mut memory = self
            .live
            .replay
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        memory.stand_in(self.shard(), room);
        memory
            .claim(signed, purpose, now_us, room)
            .map_err(Refusal::new)
    }

    /// Returns the description that is in force now.
    ///
    /// # Errors
    ///
    /// `credential_revoked` when the key itself was replaced: what it signed counts no more.
    pub(crate) fn in_force(self: &Arc<Self>) -> Result<&Arc<Self>, Code> {
        let mut latest = self;
        while let Some(next) = latest.successor.get() {
            latest = next;
        }
        if latest.serial == self.serial {
            Ok(latest)
        } else {
            Err(Code::CredentialRevoked)
        }
    }

    /// Sets the state, unless that would leave the final ones.
    fn set_state(&self, state: State) -> Result<(), Code> {
        let allowed = |now: u8| {
            let now = State::ALL.get(usize::from(now)).copied();
            let kept = now.is_none_or(State::is_final) && !state.is_final();
            (!kept).then_some(state as u8)
        };
        self.live
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, allowed)
            .map(drop)
            .map_err(|_| Code::CredentialRevoked)
    }

    /// Forgets claims that have passed their deadline and take the room of `shard`, unless somebody is using them.
    fn forget_claims(
        &self,
        shard: Option<Shard>,
        now_us: u64,
        most: usize,
        room: &ReplayRoom,
    ) -> usize {
        let Ok(mut memory) = self.live.replay.try_lock() else {
            return 0;
        };
        match memory.stands_in(shard, room) {
            true => memory.forget(now_us, most, room),
            false => 0,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
