//! Tokens of private streams: each stands for one of the venue's, which never leaves the gateway (docs/adr/0034).
//!
//! A token is the key's own at one listener, and the same however often it is asked for: it is computed, so that of it,
//! too, only the hash is kept. It ends with its time, by its client's word, or when its key is no longer in force, and
//! does not come back. Nothing of them outlives the process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::{hmac, rand};
use ringfence_core::egress::VenueKey;
use ringfence_core::refusal::Code;
use ringfence_core::session::Session;
use ringfence_wire::jws;
use zeroize::Zeroizing;

use crate::minted::{Hash, hash};

/// Tokens that are good at once: one of a key and listener.
const TOKENS: usize = 10_000;
/// How much longer an open stream goes on, so that the venue's own word that it is over still comes.
const GRACE_US: u64 = 10_000_000;

/// The key of a token, and the listener that it is good on.
type Owner = (Box<str>, Arc<str>);

/// All tokens.
#[derive(Debug)]
pub(crate) struct Lent {
    /// What tokens are computed by; drawn at the start.
    secret: hmac::Key,
    next: AtomicU64,
    most: usize,
    all: Mutex<Loans>,
}

#[derive(Debug, Default)]
struct Loans {
    by_token: HashMap<Hash, Arc<Loan>>,
    by_owner: HashMap<Owner, Hash>,
}

/// One token, and what it stands for.
pub(crate) struct Loan {
    /// Who opens a stream by it. Good for as long as the token is.
    pub(crate) session: Arc<Session>,
    /// The venue's.
    pub(crate) venue: Zeroizing<String>,
    /// In egress, the key that had it, and how often that had been exchanged by then.
    key: Option<(Arc<VenueKey>, u64)>,
    door: Arc<str>,
    /// No two tokens have the same.
    number: u64,
    /// Microseconds since the Unix epoch; 0 once it was ended. Written under the lock of all.
    until_us: AtomicU64,
}

impl std::fmt::Debug for Loan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loan({:?})", self.session.credential())
    }
}

/// What a venue has handed out.
pub(crate) struct Handed<'a> {
    pub(crate) token: &'a str,
    /// By which key, in egress.
    pub(crate) key: Option<&'a Arc<VenueKey>>,
    /// Until when it is good.
    pub(crate) until_us: u64,
}

impl Loan {
    /// Tells whether another stream may be opened by it at `now_us`.
    fn is_good(&self, now_us: u64) -> bool {
        now_us < self.until_us.load(Ordering::SeqCst) && self.session.is_in_force()
    }

    /// Tells whether a stream that was opened by it goes on at `now_us`.
    pub(crate) fn goes_on(&self, now_us: u64) -> bool {
        let until_us = self.until_us.load(Ordering::SeqCst);
        let fresh = until_us > 0 && now_us < until_us.saturating_add(GRACE_US);
        fresh && self.is_had_by(self.key.as_ref().map(|(key, _)| key))
    }

    /// Tells whether it is what the venue handed out to `key`, as that is now.
    pub(crate) fn is_had_by(&self, key: Option<&Arc<VenueKey>>) -> bool {
        match (&self.key, key) {
            (None, None) => true,
            (Some((had, exchanges)), Some(key)) => {
                Arc::ptr_eq(had, key) && key.is_ready() && key.exchanges() == *exchanges
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

impl Lent {
    /// Draws what tokens are computed by.
    ///
    /// # Errors
    ///
    /// `internal` where the system gives no randomness.
    pub(crate) fn new() -> Result<Self, Code> {
        Self::bounded(TOKENS)
    }

    fn bounded(most: usize) -> Result<Self, Code> {
        let mut secret = Zeroizing::new([0; 32]);
        rand::fill(&mut *secret).map_err(|_| Code::Internal)?;
        Ok(Self {
            secret: hmac::Key::new(hmac::HMAC_SHA256, &*secret),
            next: AtomicU64::new(1),
            most,
            all: Mutex::default(),
        })
    }

    /// Returns the token on `door` of whose `session` it is, for what the venue has `handed` out: the one that there is
    /// if it stands for that already, which is good for longer then.
    ///
    /// # Errors
    ///
    /// `overloaded` when there are too many; those that are over make room.
    pub(crate) fn lend(
        &self,
        session: Session,
        door: &Arc<str>,
        handed: &Handed<'_>,
        now_us: u64,
    ) -> Result<String, Code> {
        let mut all = self.all();
        let owner = owner(&session, door);
        if let Some(loan) = all.of(&owner) {
            if loan.is_good(now_us) && *loan.venue == handed.token && loan.is_had_by(handed.key) {
                loan.until_us.store(handed.until_us, Ordering::SeqCst);
                return Ok(self.token(loan));
            }
            let loan = Arc::clone(loan);
            all.end(&loan);
        }
        if all.by_token.len() >= self.most {
            all.sweep(now_us);
        }
        if all.by_token.len() >= self.most {
            return Err(Code::Overloaded);
        }
        let loan = Loan {
            session: Arc::new(session),
            venue: Zeroizing::new(handed.token.to_owned()),
            key: handed.key.map(|key| (Arc::clone(key), key.exchanges())),
            door: Arc::clone(door),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            until_us: AtomicU64::new(handed.until_us),
        };
        let token = self.token(&loan);
        all.by_owner.insert(owner, hash(&token));
        all.by_token.insert(hash(&token), Arc::new(loan));
        Ok(token)
    }

    /// Returns what `token` stands for on `door` at `now_us`; none where it is good for nothing there.
    pub(crate) fn find(&self, token: &str, door: &str, now_us: u64) -> Option<Arc<Loan>> {
        let all = self.all();
        let loan = all.by_token.get(&hash(token));
        let loan = loan.filter(|loan| *loan.door == *door && loan.is_good(now_us));
        loan.cloned()
    }

    /// Returns what the token of whose `session` it is stands for on `door`; none where there is none, or where another
    /// one is `shown`.
    pub(crate) fn of(
        &self,
        session: &Session,
        door: &Arc<str>,
        shown: Option<&Hash>,
        now_us: u64,
    ) -> Option<Arc<Loan>> {
        let all = self.all();
        let token = all.by_owner.get(&owner(session, door))?;
        let loan = all.by_token.get(token)?;
        let meant = shown.is_none_or(|shown| shown == token) && loan.is_good(now_us);
        meant.then(|| Arc::clone(loan))
    }

    /// Ends a token, and with it the streams that were opened by it.
    pub(crate) fn end(&self, loan: &Loan) {
        self.all().end(loan);
    }

    /// Ends what is over, or of a key that is no longer in force. Tells whether there was any.
    pub(crate) fn sweep(&self, now_us: u64) -> bool {
        self.all().sweep(now_us)
    }

    fn all(&self) -> MutexGuard<'_, Loans> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token(&self, loan: &Loan) -> String {
        jws::encode(hmac::sign(&self.secret, &loan.number.to_be_bytes()).as_ref())
    }
}

fn owner(session: &Session, door: &Arc<str>) -> Owner {
    (session.credential().key_id().into(), Arc::clone(door))
}

impl Loans {
    fn of(&self, owner: &Owner) -> Option<&Arc<Loan>> {
        self.by_token.get(self.by_owner.get(owner)?)
    }

    fn end(&mut self, loan: &Loan) {
        loan.until_us.store(0, Ordering::SeqCst);
        let owner = owner(&loan.session, &loan.door);
        // Its owner may have another one by now.
        if self.of(&owner).is_some_and(|of| of.number == loan.number) {
            let ended = self.by_owner.remove(&owner);
            ended.map(|token| self.by_token.remove(&token));
        }
    }

    fn sweep(&mut self, now_us: u64) -> bool {
        let over = |loan: &Arc<Loan>| !(loan.goes_on(now_us) && loan.session.is_in_force());
        let over: Vec<_> = self
            .by_token
            .values()
            .filter(|loan| over(loan))
            .cloned()
            .collect();
        over.iter().for_each(|loan| self.end(loan));
        !over.is_empty()
    }
}

#[cfg(test)]
mod tests;
