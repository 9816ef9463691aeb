//! Signing for the venue, with keys that nobody else has.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Uri, Version};
use http_body_util::Full;
use ringfence_core::egress::{Egress, VenueKey};
use ringfence_core::mode::Control;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_wire::{Dialect, Draft, Seal, Signed, Unsigned, essence};

use crate::error::GateError;
use crate::pool::Sent;
use crate::shared::Speech;
use crate::snapshot::{Sealer, VenueKeyRecord};

/// The venue keys by name, replaced as a whole.
#[derive(Debug, Default)]
pub(crate) struct Ring(ArcSwap<HashMap<Box<str>, Arc<Sealer>>>);

impl Ring {
    /// Puts `records` in the place of all keys that there were. Keys that no account uses are not kept.
    ///
    /// # Errors
    ///
    /// [`GateError::VenueKey`]; then nothing has changed.
    pub(crate) fn put(
        &self,
        egress: &Egress,
        records: Vec<VenueKeyRecord>,
    ) -> Result<usize, GateError> {
        let mut sealers = HashMap::new();
        for record in records {
            let (name, sealer) = record.check()?;
            sealers.insert(name, Arc::new(sealer));
        }
        sealers.retain(|name, _| egress.keys().any(|key| *key.name() == **name));
        let count = sealers.len();
        let sealers = Arc::new(sealers);
        let before = self.0.swap(Arc::clone(&sealers));
        for key in egress.keys() {
            let marks = [&before, &sealers].map(|all| all.get(key.name()).map(|one| one.mark));
            if marks[0] != marks[1] {
                key.exchange();
            }
            key.set_ready(sealers.contains_key(key.name()));
        }
        Ok(count)
    }

    fn get(&self, name: &str) -> Option<Arc<Sealer>> {
        self.0.load().get(name).cloned()
    }
}

/// Has something signed with a venue key at `now_us`.
///
/// # Errors
///
/// `venue_key_missing` if the key has gone, or cannot sign so; what `sign` finds wrong.
pub(crate) fn seal<T>(
    ring: &Ring,
    key: &VenueKey,
    speech: &Speech,
    now_us: u64,
    sign: impl FnOnce(&Dialect, &Seal<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let dialect = &speech.dialect;
    let sealer = ring.get(key.name());
    let sealer = sealer.filter(|sealer| *sealer.dialect == *dialect.name());
    let sealer = sealer.ok_or(Code::VenueKeyMissing)?;
    let now_us = key.tick(now_us);
    let mut number = itoa::Buffer::new();
    let seal = Seal {
        key_id: &sealer.key_id,
        key: &sealer.key,
        passphrase: sealer.passphrase.as_ref().map(|phrase| phrase.as_str()),
        now_us,
        nonce: number.format(now_us),
    };
    // It is our key that cannot sign, not the client's.
    sign(dialect, &seal).map_err(|refusal| {
        let unfit = refusal.code.control() == Some(Control::Identity);
        if unfit {
            Code::VenueKeyMissing.into()
        } else {
            refusal
        }
    })
}

/// A message to the venue that is signed when it is sent, and again should it have to be sent on another connection:
/// neither the ledger nor the pool can make its time stale.
pub(crate) struct Letter {
    pub(crate) key: Arc<VenueKey>,
    pub(crate) speech: Arc<Speech>,
    pub(crate) method: Method,
    pub(crate) message: Unsigned,
    /// Those that travel on, and the venue's `Host`.
    pub(crate) headers: HeaderMap,
    /// Whether the key's name is all that the venue wants.
    pub(crate) by_name: bool,
}

impl Letter {
    /// Signs it at `now_us` and returns it as it is sent.
    ///
    /// # Errors
    ///
    /// `venue_key_missing` if the key has gone, or cannot sign so; `http_target_invalid`.
    pub(crate) fn sign(&self, ring: &Ring, now_us: u64) -> Result<Request<Sent>, Refusal> {
        let draft = Draft {
            method: self.method.as_str(),
            path: &self.message.path,
            query: &self.message.query,
            headers: &self.headers,
            body: &self.message.body,
        };
        let signed = seal(ring, &self.key, &self.speech, now_us, |dialect, seal| {
            if self.by_name {
                dialect.sign_by_name(&draft, seal)
            } else {
                dialect.sign(&draft, seal)
            }
        });
        self.write(signed?)
    }

    fn write(&self, signed: Signed) -> Result<Request<Sent>, Refusal> {
        let Signed {
            query,
            headers,
            body,
        } = signed;
        let mark = if query.is_empty() { "" } else { "?" };
        let target = format!("{}{mark}{query}", self.message.path);
        let target = Uri::from_maybe_shared(Bytes::from(target));
        let (length, essence) = (body.len(), essence(&body));
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = self.method.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = target.map_err(|_| Code::HttpTargetInvalid)?;
        *request.headers_mut() = headers;
        let headers = request.headers_mut();
        if length > 0 {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(essence));
        }
        if length > 0 || matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(request)
    }
}
