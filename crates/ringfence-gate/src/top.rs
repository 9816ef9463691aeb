//! What somebody sees who watches the gateway: traffic, limits near their edge, the newest bans.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use ringfence_core::budget::{Known, Limit, Near, Survey};
use serde_json::{Map, Value, json};

use crate::clock::now_us;
use crate::gate::Gate;
use crate::shared::Shared;
use crate::snapshot::BanRecord;

/// Who is looked for by name, of each kind.
const KNOWN_MAX: usize = 4096;
/// How long it is remembered who is there: with a million credentials it takes a while to find out.
const KNOWN_LASTS: Duration = Duration::from_secs(10);
/// Bans that are told: people read no more, and there may be very many.
const BANS_MAX: usize = 50;

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    survey: Survey,
    known: Option<(Instant, Arc<Known>)>,
}

impl Gate {
    /// Returns what is going on: all counters, the `most` limits that are nearest to their edge, the newest bans. Nothing of
    /// it stands in a message's way.
    pub fn top(&self, most: usize) -> Value {
        let shared = self.shared();
        let mut watching = self
            .watching()
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        json!({
            "at_us": now_us(),
            "boot": shared.boot(),
            "traffic": shared.counters.traffic.to_json(),
            "limits": watching.limits(shared, most),
            "bans": newest_bans(shared),
        })
    }
}

impl Watching {
    fn limits(&mut self, shared: &Shared, most: usize) -> Value {
        let Self { survey, known } = self;
        let budget = &shared.core.budget;
        let now_ms = now_us() / 1000;
        let found = budget.survey(survey, most, now_ms, || {
            let fresh = known.take().filter(|(at, _)| at.elapsed() < KNOWN_LASTS);
            let (at, found) = fresh.unwrap_or_else(|| (Instant::now(), Arc::new(who(shared))));
            *known = Some((at, Arc::clone(&found)));
            found
        });
        let row = |near: &Near| {
            budget
                .limits()
                .get(usize::from(near.limit))
                .map(|l| told(l, near))
        };
        json!({
            "near": found.near.iter().filter_map(row).collect::<Vec<_>>(),
            "looked_at": found.looked_at,
            "subjects": found.subjects,
        })
    }
}

fn told(limit: &Limit, near: &Near) -> Value {
    let whose = near.whose.as_ref().map(|whose| {
        let words = whose
            .iter()
            .map(|(subject, name)| (subject.as_str().to_owned(), (**name).into()));
        words.collect::<Map<_, _>>()
    });
    json!({
        "limit": limit.name,
        "subject": limit.subject.to_string(),
        "counts": limit.counts.as_str(),
        "whose": whose,
        "mark": format!("{:08x}", near.mark),
        "used": near.used,
        "quota": limit.quota,
        "left": near.left,
        "reset_ms": near.reset_ms,
    })
}

/// Returns who is there: who was used last, who is connected, who asks much, the venue's keys.
fn who(shared: &Shared) -> Known {
    let mut addresses = shared.doorway.connections.addresses(KNOWN_MAX);
    let counted = shared.core.edge.counted(KNOWN_MAX);
    let first = counted.iter().filter_map(|prefix| prefix.network());
    addresses.extend(first.map(|(first, _)| first));
    addresses.sort_unstable();
    addresses.dedup();
    let keys = shared.core.egress.iter().flat_map(|egress| egress.keys());
    Known {
        credentials: shared.core.credentials.recent(KNOWN_MAX),
        addresses,
        venues: keys.map(|key| Arc::clone(key.meter())).collect(),
    }
}

fn newest_bans(shared: &Shared) -> Value {
    let mut all = shared.core.bans.table().all(now_us());
    let count = all.len();
    all.sort_by_key(|ban| std::cmp::Reverse(ban.since_us));
    let newest = all.iter().take(BANS_MAX).map(|ban| BanRecord::of(ban));
    json!({"count": count, "newest": newest.collect::<Vec<_>>()})
}
