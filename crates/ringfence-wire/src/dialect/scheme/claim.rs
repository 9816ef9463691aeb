//! What a message says about who signed it.

use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::Coverage;
use ringfence_core::sign::{Claim, Stamp};

use super::super::Head;
use super::super::scratch::{Pairs, Scratch};
use super::{Place, Scheme, time};

impl Scheme {
    /// Checks that a message carries nothing of this scheme, since it is signed in another.
    ///
    /// # Errors
    ///
    /// `signature_twofold`, naming what is there.
    pub(in crate::dialect) fn absent(&self, head: &Head<'_>, pairs: &Pairs) -> Result<(), Refusal> {
        let twofold = |place: &Place| Refusal::new(Code::SignatureTwofold).field(place.as_str());
        if head.key.is_some() {
            return Err(twofold(&self.key));
        }
        let passphrase = self.passphrase.as_ref().map(|(place, _)| place);
        let optional = [&self.time, &self.window, &self.nonce].map(Option::as_ref);
        let places = [Some(&self.key), Some(&self.signature), passphrase];
        for place in places.into_iter().chain(optional).flatten() {
            if place.read(head, pairs)?.is_some() {
                return Err(twofold(place));
            }
        }
        Ok(())
    }

    /// Reads a time and a window as this scheme writes them; none when they are not written so.
    pub(in crate::dialect) fn stamp(&self, time: &str, window: Option<&str>) -> Option<Stamp> {
        let window_us = window.map(time::window_us);
        Some(Stamp {
            time_us: time::read(self.unit, time)?,
            window_us: window_us.unwrap_or(Some(self.rule.default_us))?,
        })
    }

    /// Tells whether a message says nothing of who sends it: neither a key nor a signature.
    ///
    /// # Errors
    ///
    /// As [`Place::read`].
    pub(in crate::dialect) fn is_silent(
        &self,
        head: &Head<'_>,
        pairs: &Pairs,
    ) -> Result<bool, Refusal> {
        let key = head.key.is_some() || self.key.read(head, pairs)?.is_some();
        Ok(!key && self.signature.read(head, pairs)?.is_none())
    }

    /// Tells whether a message names its key and carries no signature.
    ///
    /// # Errors
    ///
    /// As [`Place::read`].
    pub(in crate::dialect) fn names_alone(
        &self,
        head: &Head<'_>,
        pairs: &Pairs,
    ) -> Result<bool, Refusal> {
        let key = self.key_id(head, pairs)?.is_some();
        Ok(key && self.signature.read(head, pairs)?.is_none())
    }

    /// Returns the key that a message names, if it names one.
    ///
    /// # Errors
    ///
    /// As [`Place::read`].
    pub(in crate::dialect) fn key_id<'a>(
        &self,
        head: &Head<'a>,
        pairs: &'a Pairs,
    ) -> Result<Option<&'a str>, Refusal> {
        let key_id = match head.key {
            None => self.key.read(head, pairs)?,
            given => given,
        };
        Ok(key_id.filter(|text| !text.is_empty()))
    }

    /// Reads key, signature, time and window; what was signed stands in `scratch` already.
    ///
    /// # Errors
    ///
    /// `credential_missing`, `signature_missing`, `time_missing`, `time_malformed`.
    pub(in crate::dialect) fn claim<'a>(
        &self,
        head: &Head<'a>,
        scratch: &'a Scratch,
    ) -> Result<Claim<'a>, Refusal> {
        let pairs = scratch.pairs();
        let filled = |text: &&str| !text.is_empty();
        let signature = self.signature.read(head, pairs)?;
        let key_id = self.key_id(head, pairs)?.ok_or(Code::CredentialMissing)?;
        let signature = signature.filter(filled).ok_or(Code::SignatureMissing)?;
        let malformed = |place: &Place| Refusal::new(Code::TimeMalformed).field(place.as_str());
        let place = self.time.as_ref().ok_or(Code::TimeMissing)?;
        let time_us = match place.read(head, pairs)? {
            Some(written) => time::read(self.unit, written).ok_or_else(|| malformed(place))?,
            None if self.time_optional => 0,
            None => return Err(Code::TimeMissing.into()),
        };
        let window = match &self.window {
            Some(place) => place.read(head, pairs)?.map(|text| (place, text)),
            None => None,
        };
        let stamp = Stamp {
            time_us,
            window_us: match window {
                None => self.rule.default_us,
                Some((place, text)) => time::window_us(text).ok_or_else(|| malformed(place))?,
            },
        };
        Ok(Claim {
            key_id,
            payload: scratch.payload(),
            otherwise: scratch.otherwise(),
            signature: signature.as_bytes(),
            encodings: self.encodings,
            hmac: self.hmac,
            coverage: Coverage::Venue,
            recovered: None,
            stamp,
        })
    }
}
