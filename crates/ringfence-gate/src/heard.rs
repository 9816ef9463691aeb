//! What the venue's answers say of its limits, and of the key that we signed with.

use http::Response;
use http::header::DATE;
use ringfence_core::budget::{Subject, Told};
use ringfence_core::egress::{Egress, VenueKey};
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_ledger::Value;
use ringfence_wire::{Stop, http_date_us};

use crate::body::Content;
use crate::clock::now_us;
use crate::pipeline::Passing;
use crate::record;

impl Passing {
    /// Takes what the answer to a message that was sent at `sent_us` says. Returns what the client is told in its place,
    /// if the venue refused our key: the client's own is as good as it was.
    pub(crate) fn heard(
        &self,
        permit: &Permit,
        response: &Response<Content>,
        sent_us: u64,
    ) -> Option<Refusal> {
        let egress = self.client.thread.shared.core.egress.as_ref()?;
        if !permit.reaches_venue() {
            return None;
        }
        self.count(permit, response, sent_us);
        let body: &[u8] = match response.body() {
            Content::Whole(Some(body)) => body,
            Content::Whole(None) | Content::Stream { .. } => &[],
        };
        let (status, now_us) = (response.status().as_u16(), now_us());
        let dialect = &self.client.door.speech.dialect;
        let verdict = dialect.verdict(status, response.headers(), body, now_us);
        if let Some((stop, wait_ms)) = verdict.stop {
            self.hold(egress, permit, (stop, wait_ms), now_us / 1000);
        }
        let key = permit.venue_key()?;
        let Some(code) = verdict.key_refused else {
            key.note(false, now_us);
            return None;
        };
        self.key_refused(key, &code, status);
        Some(Code::VenueKeyRefused.into())
    }

    /// Notes that the venue refused our key.
    pub(crate) fn key_refused(&self, key: &VenueKey, code: &str, status: u16) {
        if key.note(true, now_us()) {
            let code: String = code.chars().filter(|c| !c.is_control()).take(64).collect();
            let detail = [
                ("key", Value::Text(key.name())),
                ("code", Value::Text(&code)),
                ("status", Value::Int(status.into())),
                ("message", Value::Text(self.id.as_str())),
            ];
            let _ = record::event(&self.client.thread.shared, "venue.key_refused", &detail);
        }
    }

    /// Raises what we know of the venue's limits to what it says.
    fn count(&self, permit: &Permit, response: &Response<Content>, sent_us: u64) {
        let core = &self.client.thread.shared.core;
        let dialect = &self.client.door.speech.dialect;
        let headers = response.headers();
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date_ms = date.and_then(http_date_us).map(|us| us / 1000);
        let limits = core.budget.limits().iter();
        let ours = limits.filter_map(|limit| {
            let subjects = [Subject::Upstream, Subject::Venue].into_iter();
            Some((limit, subjects.into_iter().find(|s| limit.subject.is(*s))?))
        });
        for (limit, subject) in ours {
            if let Some(used) = dialect.told(limit.counts, limit.window_ms, headers) {
                let told = Told {
                    counts: limit.counts.at_venue(),
                    window_ms: limit.window_ms,
                    used,
                    now_ms: now_us() / 1000,
                    times_ms: [Some(sent_us / 1000), date_ms],
                };
                core.hear(permit, subject, &told);
            }
        }
    }

    fn hold(&self, egress: &Egress, permit: &Permit, stop: (Stop, u64), now_ms: u64) {
        let (stop, wait_ms) = stop;
        let key = permit.venue_key();
        let (meter, orders, what) = match (stop, key) {
            (Stop::Key, Some(key)) => (key.meter(), false, "key"),
            (Stop::Orders, Some(key)) => (key.meter(), true, "orders"),
            // Nobody signed: it is said to the gateway.
            (Stop::All, _) | (Stop::Key | Stop::Orders, None) => (egress.upstream(), false, "all"),
        };
        if meter.hold(now_ms.saturating_add(wait_ms), orders, now_ms) {
            let wait = i64::try_from(wait_ms).unwrap_or(i64::MAX);
            let detail = [
                ("what", Value::Text(what)),
                ("key", Value::Text(key.map_or("", |key| key.name()))),
                ("wait_ms", Value::Int(wait)),
                ("message", Value::Text(self.id.as_str())),
            ];
            let _ = record::event(&self.client.thread.shared, "venue.stop", &detail);
        }
    }
}
