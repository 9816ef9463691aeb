//! The header fields that tell a client how its limits stand.

use std::fmt::Write as _;

use bytes::BytesMut;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use ringfence_core::budget::{Algorithm, Limit, Subject, Usages};
use ringfence_core::refusal::{Refusal, Retry};
use ringfence_wire::ratelimit::Remaining;
pub(crate) use ringfence_wire::ratelimit::retry_after_s;
use ringfence_wire::{Dialect, LeftFields, ratelimit, usage_row};

use crate::clock::now_us;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What can be said beforehand about a dialect's usage fields.
#[derive(Debug)]
pub(crate) struct UsageFields {
    remaining: Remaining,
    /// By limit: the venue's own field name.
    venue: Vec<Option<HeaderName>>,
    /// By limit: the venue's own fields for what is left, and what is allowed.
    left: Vec<Option<(LeftFields, u64)>>,
    /// By limit: what a channel's answer says of it, up to the number.
    rows: Vec<Option<String>>,
    policy: Option<HeaderValue>,
}

impl UsageFields {
    pub(crate) fn new(dialect: &Dialect, limits: &[Limit]) -> Self {
        let venue = limits
            .iter()
            .map(|limit| {
                if is_of_venue(limit) || limit.algorithm != Algorithm::Fixed {
                    return None;
                }
                dialect
                    .usage_header(limit.counts, limit.window_ms)?
                    .parse()
                    .ok()
            })
            .collect();
        let left = limits.iter().map(|limit| {
            let fields = dialect.left_fields(limit.counts, limit.window_ms)?;
            (!is_of_venue(limit)).then_some((fields, limit.quota))
        });
        let policy = ratelimit::policy(limits);
        Self {
            remaining: Remaining::new(limits),
            venue,
            left: left.collect(),
            rows: limits.iter().map(usage_row).collect(),
            policy: HeaderValue::try_from(policy)
                .ok()
                .filter(|value| !value.is_empty()),
        }
    }

    /// Returns how `usages` stand as a channel tells it, member by member: those that the venue has a field for.
    pub(crate) fn rows(&self, usages: &Usages) -> String {
        let mut out = String::new();
        for usage in usages.as_slice() {
            let limit = usize::from(usage.limit);
            let named = self.venue.get(limit).is_some_and(Option::is_some);
            let row = self.rows.get(limit).and_then(Option::as_ref);
            if let Some(row) = row.filter(|_| named) {
                let comma = if out.is_empty() { "" } else { "," };
                // Writing to a String cannot fail.
                let _ = write!(out, "{comma}{row}{}}}", usage.used);
            }
        }
        out
    }

    /// Writes how `usages` stand into `headers`, over what the venue may have said.
    pub(crate) fn write(&self, usages: &Usages, headers: &mut HeaderMap) {
        if usages.as_slice().is_empty() {
            return;
        }
        // All values in one allocation, of which each field has a part.
        let mut text = BytesMut::with_capacity(256);
        let mut insert = |name: &HeaderName, text: &mut BytesMut| {
            if let Ok(value) = HeaderValue::from_maybe_shared(text.split().freeze()) {
                headers.insert(name, value);
            }
        };
        for usage in usages.as_slice() {
            if let Some(Some(name)) = self.venue.get(usize::from(usage.limit)) {
                text.extend_from_slice(itoa::Buffer::new().format(usage.used).as_bytes());
                insert(name, &mut text);
            }
        }
        for usage in usages.as_slice() {
            let Some(Some((fields, quota))) = self.left.get(usize::from(usage.limit)) else {
                continue;
            };
            let mut tell = |name: &HeaderName, number: u64| {
                text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                insert(name, &mut text);
            };
            tell(&fields.limit, *quota);
            tell(&fields.left, usage.remaining);
            if let Some((name, number)) = fields.reset(usage.reset_ms, now_us() / 1000) {
                tell(name, number);
            }
        }
        if let Some(policy) = &self.policy {
            self.remaining.write(usages.as_slice(), &mut text);
            insert(&RATELIMIT, &mut text);
            headers.insert(RATELIMIT_POLICY, policy.clone());
        }
    }
}

/// What the venue says of its own limits goes through: it knows better.
fn is_of_venue(limit: &Limit) -> bool {
    let ours = [Subject::Upstream, Subject::Venue];
    ours.into_iter().any(|subject| limit.subject.is(subject))
}

/// Writes when to come back, if that makes sense.
pub(crate) fn write_retry_after(refusal: &Refusal, headers: &mut HeaderMap) {
    if let Retry::AfterMs(after_ms) = refusal.retry {
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from(ratelimit::retry_after_s(after_ms)),
        );
    }
}
