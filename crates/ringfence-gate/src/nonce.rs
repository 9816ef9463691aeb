//! Nonces that proofs must be made with (RFC 9449 8 and 9): what was signed ahead of time is worth nothing.
//!
//! Nothing is remembered. A nonce is a code over the period that it was given out in, by a key of one listener and one
//! start; it is good in that period and in the next.

use aws_lc_rs::{constant_time, hmac, rand};
use http::HeaderValue;
use http::header::HeaderName;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_wire::jws;

use crate::error::GateError;

/// Where a nonce is given out.
pub(crate) const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Bytes of a nonce: enough that none is guessed while it is good.
const BYTES: usize = 16;

/// The nonces of one listener.
pub(crate) struct Nonces {
    key: hmac::Key,
    period_us: u64,
}

impl Nonces {
    /// Makes a key; each nonce is good for `period_s` seconds, and for less than twice that.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`].
    pub(crate) fn new(period_s: u64, field: &str) -> Result<Self, GateError> {
        if period_s == 0 {
            return Err(GateError::config(field, "is zero"));
        }
        let mut key = [0; 32];
        rand::fill(&mut key)
            .map_err(|_| GateError::config(field, "the system gave no randomness"))?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            period_us: period_s.saturating_mul(1_000_000),
        })
    }

    /// Returns what is given out at `now_us`.
    pub(crate) fn given(&self, now_us: u64) -> HeaderValue {
        let text = self.of(now_us / self.period_us);
        // Base64url is a valid value.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Checks what a proof was made with.
    ///
    /// # Errors
    ///
    /// `signature_nonce` where that is nothing, or was not given out here, or too long ago.
    pub(crate) fn check(&self, shown: Option<&str>, now_us: u64) -> Result<(), Refusal> {
        let period = now_us / self.period_us;
        let given = |period: u64, shown: &str| {
            let own = self.of(period);
            constant_time::verify_slices_are_equal(own.as_bytes(), shown.as_bytes()).is_ok()
        };
        let good = shown
            .is_some_and(|shown| given(period, shown) || given(period.saturating_sub(1), shown));
        let refused = || Refusal::new(Code::SignatureNonce).field("nonce");
        good.then_some(()).ok_or_else(refused)
    }

    fn of(&self, period: u64) -> String {
        let tag = hmac::sign(&self.key, &period.to_be_bytes());
        let (nonce, _) = tag.as_ref().split_at(BYTES);
        jws::encode(nonce)
    }
}

#[cfg(test)]
mod tests;
