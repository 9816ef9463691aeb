//! All credentials, found by id.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::{Account, Credential, Live, NewCredential, State};
use crate::proof::Proof;
use crate::refusal::Code;
use crate::replay::{ReplayMemory, ReplayRoom};
use crate::shard::{Shard, Shards};

/// Parts of the table.
const PARTS: usize = 64;
/// Claims that one reclaiming forgets at most: some hundred microseconds.
const RECLAIM_MOST: usize = 4096;
/// After all was looked through in vain, nobody looks again for so long, in microseconds.
const RECLAIM_PAUSE_US: u64 = 50_000;

type Part = RwLock<HashSet<ById>>;

/// A credential that is found by its id, which is not kept twice.
#[derive(Debug)]
struct ById(Arc<Credential>);

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.key_id()
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key_id().hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.key_id() == other.0.key_id()
    }
}

impl Eq for ById {}

/// All credentials. Finding one takes one part's read lock.
#[derive(Debug)]
pub struct CredentialTable {
    parts: Box<[Part]>,
    accounts: Mutex<HashMap<Box<str>, Arc<Account>>>,
    /// The shards that accounts stand in.
    shards: Arc<Shards>,
    /// Whether what is here may have changed elsewhere meanwhile, for too long to act by it.
    stale: AtomicBool,
}

impl Default for CredentialTable {
    fn default() -> Self {
        Self::new()
    }
}

impl CredentialTable {
    /// Makes an empty table, of accounts that stand in no shard.
    pub fn new() -> Self {
        Self::in_shards(Shards::default())
    }

    /// Makes an empty table, of accounts that may stand in one of `shards`.
    pub fn in_shards(shards: Shards) -> Self {
        Self {
            parts: (0..PARTS).map(|_| Part::default()).collect(),
            accounts: Mutex::default(),
            shards: Arc::new(shards),
            stale: AtomicBool::new(false),
        }
    }

    /// Returns the credential with this id.
    pub fn get(&self, key_id: &str) -> Option<Arc<Credential>> {
        let part = self
            .part(key_id)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        part.get(key_id).map(|found| Arc::clone(&found.0))
    }

    /// Adds a credential, or describes the one with the same id anew: what was spent stays spent,
    /// and a message that was decided by the old description is held against the new one before it
    /// is forwarded ([`crate::pipeline::Permit::revalidate`]).
    ///
    /// # Errors
    ///
    /// `credential_revoked` when the one with this id is in a final state and this would leave it.
    pub fn put(&self, new: NewCredential) -> Result<(), Code> {
        let account = self.account(&new.account);
        if let Some(held) = new.held {
            account.held.store(held, Ordering::SeqCst);
        }
        account.place(new.shard);
        let mut part = self
            .part(&new.key_id)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(ById(last)) = part.get(&*new.key_id) else {
            let live = Live {
                state: AtomicU8::new(new.state as u8),
                used_us: AtomicU64::new(0),
                replay: Mutex::new(ReplayMemory::default()),
                key: RwLock::default(),
            };
            part.insert(ById(Arc::new(describe(new, account, Arc::new(live)))));
            return Ok(());
        };
        if last.own_state().is_final() && !new.state.is_final() {
            return Err(Code::CredentialRevoked);
        }
        let state = new.state;
        let next = Arc::new(describe(new, account, Arc::clone(&last.live)));
        // INVARIANT: only what is in the table is replaced, and only once, under its lock.
        let _ = last.successor.set(Arc::clone(&next));
        part.replace(ById(Arc::clone(&next)));
        // Last, so that resuming a credential never brings its old description back for a moment.
        next.set_state(state)
    }

    /// Sets the state of the credential with this id; takes effect before it returns. What is final
    /// stays final. What verifies a destroyed one is wiped before it returns, whoever holds the credential.
    ///
    /// # Errors
    ///
    /// `credential_unknown`, or `credential_revoked` when it would leave the final states.
    pub fn set_state(&self, key_id: &str, state: State) -> Result<(), Code> {
        let found = self.get(key_id).ok_or(Code::CredentialUnknown)?;
        found.set_state(state)?;
        if state == State::Destroyed {
            found.live.forget_key();
        }
        Ok(())
    }

    /// Takes all credentials of these accounts out of use, or lets each stand where it stands by
    /// itself; takes effect before it returns.
    pub fn hold<'a>(&self, accounts: impl IntoIterator<Item = &'a str>, held: bool) {
        for name in accounts {
            self.account(name).held.store(held, Ordering::SeqCst);
        }
    }

    /// Puts accounts into a shard, or into none, with all that they have: takes effect before it returns.
    pub fn place<'a>(&self, accounts: impl IntoIterator<Item = &'a str>, shard: Option<Shard>) {
        for name in accounts {
            self.account(name).place(shard);
        }
    }

    /// Returns the shards that accounts stand in.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// Returns how many credentials stand in each shard, and of how many accounts, by the shard's number.
    pub fn by_shard(&self) -> Vec<(usize, usize)> {
        let mut counts = vec![(0, 0); usize::from(self.shards.count())];
        let mut accounts: HashSet<*const Account> = HashSet::new();
        for part in &self.parts {
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            for ById(credential) in part.iter() {
                let shard = credential.shard().map(|shard| usize::from(shard.number()));
                if let Some(count) = shard.and_then(|shard| counts.get_mut(shard)) {
                    count.0 += 1;
                    count.1 += usize::from(accounts.insert(Arc::as_ptr(&credential.account)));
                }
            }
        }
        counts
    }

    /// Keeps that somebody stepped up for this account at `at_us`, in microseconds since the epoch, and by what.
    pub fn step_up(&self, account: &str, at_us: u64, proof: Proof) {
        self.account(account).stepped.keep(proof, at_us);
    }

    /// Returns the credentials that were used at `since_us` or later, and when; in microseconds since
    /// the epoch.
    pub fn used_since(&self, since_us: u64) -> Vec<(Box<str>, u64)> {
        let mut found = Vec::new();
        for part in &self.parts {
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            for ById(credential) in part.iter() {
                let used_us = credential.live.used_us.load(Ordering::Relaxed);
                if used_us > 0 && used_us >= since_us {
                    found.push((credential.key_id.clone(), used_us));
                }
            }
        }
        found
    }

    /// Returns those that were used last, at most so many, from the last.
    pub fn recent(&self, most: usize) -> Vec<Arc<Credential>> {
        let mut newest = BinaryHeap::new();
        for part in &self.parts {
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            for ById(credential) in part.iter() {
                let used_us = credential.live.used_us.load(Ordering::Relaxed);
                let oldest = newest.peek().map_or(0, |Reverse((us, _))| *us);
                if used_us == 0 || newest.len() >= most && used_us <= oldest {
                    continue;
                }
                newest.push(Reverse((used_us, credential.key_id.clone())));
                if newest.len() > most {
                    newest.pop();
                }
            }
        }
        let sorted = newest.into_sorted_vec();
        sorted
            .iter()
            .filter_map(|Reverse((_, key_id))| self.get(key_id))
            .collect()
    }

    /// Keeps whether all that is known here is too old to act by; takes effect before it returns.
    pub fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::SeqCst);
    }

    /// Tells whether all that is known here is too old to act by.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::SeqCst)
    }

    /// Returns how many credentials there are.
    pub fn len(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.read().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets some claims of a shard's idle credentials that have passed their deadline at `now_us`, and
    /// returns how many: a credential that is used forgets its own, one that is not would keep room
    /// from all others.
    pub(crate) fn reclaim(&self, shard: Option<Shard>, now_us: u64, room: &ReplayRoom) -> usize {
        let search = room.search(shard);
        if now_us.abs_diff(search.vain_us.load(Ordering::Relaxed)) < RECLAIM_PAUSE_US {
            return 0;
        }
        for _ in 0..PARTS {
            let next = search.next.fetch_add(1, Ordering::Relaxed) % PARTS;
            // INVARIANT: the index is below PARTS, which is the length.
            let part = self.parts[next]
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            let forgotten = part.iter().fold(0, |forgotten, ById(one)| {
                forgotten + one.forget_claims(shard, now_us, RECLAIM_MOST - forgotten, room)
            });
            if forgotten > 0 {
                return forgotten;
            }
        }
        search.vain_us.store(now_us, Ordering::Relaxed);
        0
    }

    fn account(&self, name: &str) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = accounts.get(name) {
            return Arc::clone(known);
        }
        let account = Arc::new(Account::new(name, &self.shards));
        accounts.insert(name.into(), Arc::clone(&account));
        account
    }

    fn part(&self, key_id: &str) -> &Part {
        // The last bytes are enough: ids are random, and made by the operator, not by clients.
        let tail = key_id.bytes().rev().take(8);
        let number = tail.fold(0_u64, |number, byte| number << 8 | u64::from(byte));
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // INVARIANT: the index is below PARTS, which is the length.
        &self.parts[(mixed >> 32) as usize % PARTS]
    }
}

fn describe(new: NewCredential, account: Arc<Account>, live: Arc<Live>) -> Credential {
    Credential {
        key_id: new.key_id,
        account,
        algorithm: new.key.algorithm(),
        serial: live.keep(new.key, new.state),
        scopes: new.scopes,
        allow: new.allow,
        demands: new.demands,
        expires_us: new.expires_us,
        standing: new.standing,
        live,
        successor: OnceLock::new(),
    }
}
