//! Tokens of the gateway's own: what a client that proved itself once shows on what follows.
//!
//! A token is 256 random bits, of which only the hash is kept. It stands for the session of a logon, so that authority
//! is asked for each request: a key that is revoked silences its tokens at once. Nothing of them outlives the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use http::header::{AUTHORIZATION, HeaderMap};
use ringfence_core::refusal::Code;
use ringfence_core::session::Session;
use ringfence_core::sign::Digest;
use ringfence_wire::{Shown, jws};

/// Tokens that are good at once.
const TOKENS: usize = 10_000;
/// Tokens of one credential; Deribit has 16 sessions of a key.
const OF_ONE: usize = 16;
/// Characters of a token.
pub(crate) const LENGTH: usize = 43;

/// What is kept of a token.
pub(crate) type Hash = [u8; 32];

/// All tokens, by the hash of each.
#[derive(Debug)]
pub(crate) struct Minted {
    all: Mutex<HashMap<Hash, Token>>,
    most: usize,
    most_of_one: usize,
    /// By which others are had, or WebSockets opened: apart, since they are good for longer, and a credential's oldest
    /// makes room.
    lasting: Mutex<HashMap<Hash, Token>>,
    /// Makes what is nobody's, of which nothing is kept. None if it could not be drawn.
    nobody_s: Option<hmac::Key>,
}

impl Default for Minted {
    fn default() -> Self {
        Self::bounded(TOKENS, OF_ONE)
    }
}

#[derive(Debug)]
struct Token {
    session: Arc<Session>,
    /// The listener that it was made on, and is good on.
    door: Arc<str>,
    /// Where it is shown, and is good.
    shown: Shown,
    /// Until when that may last, in microseconds since the Unix epoch, which it begins on a channel.
    last_us: u64,
}

/// What a token is good for.
pub(crate) type Known = (Arc<Session>, u64);

impl Minted {
    /// Makes room for `most` tokens at once, and `most_of_one` of each credential.
    fn bounded(most: usize, most_of_one: usize) -> Self {
        Self {
            all: Mutex::default(),
            most,
            most_of_one,
            lasting: Mutex::default(),
            nobody_s: hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok(),
        }
    }

    /// Makes a token for `session`, good on `door` where it is `shown`. What it begins on a channel may last until
    /// `last_us`.
    ///
    /// # Errors
    ///
    /// `overloaded` when there are too many, of all or of this credential; those that are over make room.
    pub(crate) fn mint(
        &self,
        session: Session,
        (door, shown): (&Arc<str>, Shown),
        last_us: u64,
        now_us: u64,
    ) -> Result<String, Code> {
        let text = fresh()?;
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, token| now_us < token.session.until_us() && token.session.is_in_force());
        let key_id = session.credential().key_id();
        let same = |token: &&Token| token.session.credential().key_id() == key_id;
        if all.len() >= self.most || all.values().filter(same).count() >= self.most_of_one {
            return Err(Code::Overloaded);
        }
        let token = Token {
            session: Arc::new(session),
            door: Arc::clone(door),
            shown,
            last_us,
        };
        all.insert(hash(&text), token);
        Ok(text)
    }

    /// Makes a token for `session`, good on `door` until its end where it is `shown`: once where another one is had for
    /// it, or in each handshake of what it opens. A credential's oldest of the same kind gives way to it.
    ///
    /// # Errors
    ///
    /// `overloaded` when there is room for no more of other credentials either.
    pub(crate) fn lasting(
        &self,
        session: Session,
        (door, shown): (&Arc<str>, Shown),
        now_us: u64,
    ) -> Result<String, Code> {
        let text = fresh()?;
        let mut all = self.all_lasting();
        all.retain(|_, token| now_us < token.session.until_us() && token.session.is_in_force());
        let key_id = session.credential().key_id();
        let same = all.iter().filter(|(_, token)| {
            token.session.credential().key_id() == key_id && token.shown == shown
        });
        if same.clone().count() >= self.most_of_one {
            let oldest = same.min_by_key(|(_, token)| token.session.until_us());
            let oldest = oldest.map(|(known, _)| *known);
            oldest.map(|oldest| all.remove(&oldest));
        }
        if all.len() >= self.most {
            return Err(Code::Overloaded);
        }
        let token = Token {
            last_us: session.until_us(),
            session: Arc::new(session),
            door: Arc::clone(door),
            shown,
        };
        all.insert(hash(&text), token);
        Ok(text)
    }

    /// Returns the session that may have another token made on `door` by this one.
    pub(crate) fn renews(&self, token: &Hash, door: &str) -> Option<Arc<Session>> {
        self.kept(token, door, Shown::Refresh)
    }

    /// Returns the session that a handshake on `door` begins which shows this token.
    pub(crate) fn admits(&self, token: &Hash, door: &str) -> Option<Arc<Session>> {
        self.kept(token, door, Shown::Handshake)
    }

    fn kept(&self, token: &Hash, door: &str, shown: Shown) -> Option<Arc<Session>> {
        let all = self.all_lasting();
        let token = all.get(token);
        let token = token.filter(|token| *token.door == *door && token.shown == shown);
        token.map(|token| Arc::clone(&token.session))
    }

    /// Returns the token that is nobody's, good on `door` for `seconds` and at most twice as long. All who ask
    /// meanwhile get the same one: it proves nothing.
    pub(crate) fn nobody_s(&self, door: &str, seconds: u64, now_us: u64) -> Result<String, Code> {
        let key = self.nobody_s.as_ref().ok_or(Code::Internal)?;
        let period = now_us / 1_000_000 / seconds.max(1);
        let tag = hmac::sign(key, format!("{period} {door}").as_bytes());
        Ok(jws::encode(tag.as_ref()))
    }

    /// Tells whether that is what `text` is at `now_us`.
    pub(crate) fn is_nobody_s(&self, text: &str, door: &str, seconds: u64, now_us: u64) -> bool {
        let before_us = now_us.saturating_sub(seconds.saturating_mul(1_000_000));
        let mut known = [now_us, before_us]
            .into_iter()
            .filter_map(|at_us| self.nobody_s(door, seconds, at_us).ok());
        known.any(|known| verify_slices_are_equal(known.as_bytes(), text.as_bytes()).is_ok())
    }

    /// Uses up what has another token made; tells whether it still was there.
    pub(crate) fn use_up(&self, token: &Hash) -> bool {
        self.all_lasting().remove(token).is_some()
    }

    fn all_lasting(&self) -> MutexGuard<'_, HashMap<Hash, Token>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the session of the token that `headers` carry; none where they carry none of this listener's.
    pub(crate) fn carried(&self, headers: &HeaderMap, door: &str) -> Option<Arc<Session>> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (value, more) = (values.next()?, values.next());
        let text = value.to_str().ok()?;
        let scheme = text
            .get(..7)
            .filter(|scheme| scheme.eq_ignore_ascii_case("Bearer "));
        let text = text.get(scheme?.len()..)?;
        if text.len() != LENGTH || more.is_some() {
            return None;
        }
        let known = self.find(&hash(text), door, Shown::Header);
        known.map(|(session, _)| session)
    }

    /// Returns the session of a token that was shown on `door`, and until when that may last which it begins there; none
    /// where it is good for nothing there.
    pub(crate) fn find(&self, token: &Hash, door: &str, shown: Shown) -> Option<Known> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let token = all.get(token);
        let token = token.filter(|token| *token.door == *door && token.shown.is_at(shown));
        token.map(|token| (Arc::clone(&token.session), token.last_us))
    }

    /// Makes a token good for nothing.
    pub(crate) fn forget(&self, token: &Hash) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(token);
    }
}

/// Draws a token.
fn fresh() -> Result<String, Code> {
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| Code::Internal)?;
    Ok(jws::encode(&secret))
}

/// Returns what is kept of a token.
pub(crate) fn hash(text: &str) -> Hash {
    let mut bytes = text.as_bytes().to_vec();
    Digest::Sha256.replace(&mut bytes, 0);
    // INVARIANT: SHA-256 has 32 bytes.
    bytes.try_into().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
