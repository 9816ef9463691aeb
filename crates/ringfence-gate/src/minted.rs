//! Tokens of the gateway's own: what a client that proved itself once shows on the requests that follow.
//!
//! A token is 256 random bits, of which only the hash is kept. It stands for the session of a logon, so that authority
//! is asked for each request: a key that is revoked silences its tokens at once. Nothing of them outlives the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand;
use http::header::{AUTHORIZATION, HeaderMap};
use ringfence_core::refusal::Code;
use ringfence_core::session::Session;
use ringfence_core::sign::Digest;
use ringfence_wire::jws;

/// Tokens that are good at once.
const TOKENS: usize = 10_000;
/// Tokens of one credential; Deribit has 16 sessions of a key.
const OF_ONE: usize = 16;
/// Characters of a token.
const LENGTH: usize = 43;

/// All tokens, by the hash of each.
#[derive(Debug, Default)]
pub(crate) struct Minted(Mutex<HashMap<[u8; 32], Token>>);

#[derive(Debug)]
struct Token {
    session: Arc<Session>,
    /// The listener that it was made on, and is good on.
    door: Arc<str>,
}

impl Minted {
    /// Makes a token for `session`, good on `door`.
    ///
    /// # Errors
    ///
    /// `overloaded` when there are too many, of all or of this credential; those that are over make room.
    pub(crate) fn mint(
        &self,
        session: Session,
        door: &Arc<str>,
        now_us: u64,
    ) -> Result<String, Code> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(|_| Code::Internal)?;
        let text = jws::encode(&secret);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, token| now_us < token.session.until_us() && token.session.is_in_force());
        let key_id = session.credential().key_id();
        let same = |token: &&Token| token.session.credential().key_id() == key_id;
        if all.len() >= TOKENS || all.values().filter(same).count() >= OF_ONE {
            return Err(Code::Overloaded);
        }
        let token = Token {
            session: Arc::new(session),
            door: Arc::clone(door),
        };
        all.insert(hash(&text), token);
        Ok(text)
    }

    /// Returns the session of the token that `headers` carry; none where they carry none of this listener's.
    pub(crate) fn find(&self, headers: &HeaderMap, door: &str) -> Option<Arc<Session>> {
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
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let token = all.get(&hash(text)).filter(|token| *token.door == *door);
        token.map(|token| Arc::clone(&token.session))
    }
}

fn hash(text: &str) -> [u8; 32] {
    let mut bytes = text.as_bytes().to_vec();
    Digest::Sha256.replace(&mut bytes, 0);
    // INVARIANT: SHA-256 has 32 bytes.
    bytes.try_into().unwrap_or_default()
}
