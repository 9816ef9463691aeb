//! Credentials: who may do what from where, and until when.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::address::Cidr;
use crate::operation::{Operation, Scopes};
use crate::refusal::{Code, Detail, Refusal};
use crate::replay::{Fresh, ReplayMemory, ReplayRoom, Use};
use crate::sign::{Signed, Verified, VerifyingKey};

/// Where a credential stands in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum State {
    /// Made, not yet good.
    PreActive,
    /// Good.
    Active,
    /// Out of use until resumed.
    Suspended,
    /// Out of use for ever.
    Revoked,
}

impl State {
    const ALL: [Self; 4] = [
        Self::PreActive,
        Self::Active,
        Self::Suspended,
        Self::Revoked,
    ];

    /// Returns the word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreActive => "pre-active",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
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
    /// Microseconds since the epoch from which on it is no longer good.
    pub expires_us: Option<u64>,
    /// Where it stands.
    pub state: State,
}

/// A credential in the engine.
#[derive(Debug)]
pub struct Credential {
    key_id: Box<str>,
    account: Arc<Account>,
    serial: u32,
    key: VerifyingKey,
    scopes: Scopes,
    allow: Box<[Cidr]>,
    expires_us: Option<u64>,
    /// A [`State`]; written by the table only.
    state: AtomicU8,
    replay: Mutex<ReplayMemory>,
}

/// Whom a credential acts for.
#[derive(Debug)]
pub struct Account {
    name: Box<str>,
    serial: u32,
}

/// Proof that a credential may do what is asked, from where it is asked.
#[must_use]
#[derive(Debug)]
pub struct Authorized(());

impl Credential {
    /// Returns the id that clients send.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Returns the account's name.
    pub fn account(&self) -> &str {
        &self.account.name
    }

    /// Returns the number that budgets count this credential under.
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// Returns the number that budgets count the account under.
    pub fn account_serial(&self) -> u32 {
        self.account.serial
    }

    /// Returns what verifies its signatures.
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Returns where it stands now.
    pub fn state(&self) -> State {
        // INVARIANT: only `State` values are ever stored; anything else would read as revoked.
        State::ALL
            .get(usize::from(self.state.load(Ordering::SeqCst)))
            .copied()
            .unwrap_or(State::Revoked)
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
        let mut memory = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        memory
            .claim(signed, purpose, now_us, room)
            .map_err(Refusal::new)
    }

    /// Checks state and expiry.
    ///
    /// # Errors
    ///
    /// The code of what is wrong.
    pub fn check_live(&self, now_us: u64) -> Result<(), Refusal> {
        match self.state() {
            State::Active => {}
            State::PreActive => return Err(Code::CredentialNotActive.into()),
            State::Suspended => return Err(Code::CredentialSuspended.into()),
            State::Revoked => return Err(Code::CredentialRevoked.into()),
        }
        match self.expires_us {
            Some(expires_us) if now_us >= expires_us => Err(Code::CredentialExpired.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Checks that it may do `operation` from `peer` at `now_us`.
    ///
    /// # Errors
    ///
    /// The code of what is wrong, in the order state, expiry, address, scope.
    pub fn authorize(
        &self,
        operation: Operation,
        peer: IpAddr,
        now_us: u64,
    ) -> Result<Authorized, Refusal> {
        self.check_live(now_us)?;
        if !self.allow.iter().any(|network| network.contains(peer)) {
            return Err(Code::AddressNotAllowed.into());
        }
        match operation.scope() {
            Some(scope) if !self.scopes.contains(scope) => {
                Err(Refusal::new(Code::ScopeMissing).with(Detail::Scope(scope.as_str())))
            }
            Some(_) | None => Ok(Authorized(())),
        }
    }
}

const SHARDS: usize = 64;
type Shard = RwLock<HashMap<Box<str>, Arc<Credential>>>;

/// All credentials, found by id. Reading takes one shard's read lock.
#[derive(Debug)]
pub struct CredentialTable {
    shards: Box<[Shard]>,
    accounts: Mutex<HashMap<Box<str>, Arc<Account>>>,
    next_serial: AtomicU32,
}

impl Default for CredentialTable {
    fn default() -> Self {
        Self::new()
    }
}

impl CredentialTable {
    /// Makes an empty table.
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            accounts: Mutex::default(),
            next_serial: AtomicU32::new(1),
        }
    }

    /// Returns the credential with this id.
    pub fn get(&self, key_id: &str) -> Option<Arc<Credential>> {
        let shard = self
            .shard(key_id)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        shard.get(key_id).cloned()
    }

    /// Adds a credential, or replaces the one with the same id, whose replay memory and serial it keeps: what was
    /// spent stays spent.
    ///
    /// # Errors
    ///
    /// `credential_revoked` when the one with this id was revoked: that is final.
    pub fn put(&self, new: NewCredential) -> Result<(), Code> {
        let account = self.account(new.account);
        let mut shard = self
            .shard(&new.key_id)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if new.state != State::Revoked
            && shard
                .get(&new.key_id)
                .is_some_and(|old| old.state() == State::Revoked)
        {
            return Err(Code::CredentialRevoked);
        }
        let old = shard.remove(&new.key_id);
        let replay = old.as_ref().map_or_else(ReplayMemory::default, |old| {
            // Whoever still holds the old one must not accept with an emptied memory.
            old.state.store(State::Revoked as u8, Ordering::SeqCst);
            std::mem::take(&mut *old.replay.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let serial = old.map_or_else(
            || self.next_serial.fetch_add(1, Ordering::Relaxed),
            |old| old.serial,
        );
        let credential = Credential {
            key_id: new.key_id.clone(),
            account,
            serial,
            key: new.key,
            scopes: new.scopes,
            allow: new.allow,
            expires_us: new.expires_us,
            state: AtomicU8::new(new.state as u8),
            replay: Mutex::new(replay),
        };
        shard.insert(new.key_id, Arc::new(credential));
        Ok(())
    }

    /// Sets the state of the credential with this id; takes effect before it returns. Revoked stays revoked.
    ///
    /// # Errors
    ///
    /// `credential_unknown`, or `credential_revoked` when it would leave that state.
    pub fn set_state(&self, key_id: &str, state: State) -> Result<(), Code> {
        let credential = self.get(key_id).ok_or(Code::CredentialUnknown)?;
        credential
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
                (now != State::Revoked as u8 || state == State::Revoked).then_some(state as u8)
            })
            .map_err(|_| Code::CredentialRevoked)?;
        Ok(())
    }

    /// Returns how many credentials there are.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn account(&self, name: Box<str>) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = accounts.get(&name) {
            return Arc::clone(known);
        }
        let serial = u32::try_from(accounts.len() + 1).unwrap_or(u32::MAX);
        let account = Arc::new(Account {
            name: name.clone(),
            serial,
        });
        accounts.insert(name, Arc::clone(&account));
        account
    }

    fn shard(&self, key_id: &str) -> &Shard {
        // FNV-1a: key ids are random and the operator's own, so nobody can aim at one shard.
        let hash = key_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        // INVARIANT: the index is below SHARDS, which is the length.
        &self.shards[(hash % SHARDS as u64) as usize]
    }
}
