//! What the gate counts, for status pages.

use std::sync::atomic::{AtomicU64, Ordering};

use ringfence_core::overload::Priority;
use ringfence_core::refusal::Code;
use ringfence_core::shard::Shard;
use serde_json::{Map, Value};

use crate::traffic::Traffic;

/// Counters shared by all threads.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) traffic: Traffic,
    /// Messages for which there was no room in time, in the order of [`Priority::ALL`].
    shed: [AtomicU64; Priority::COUNT],
    /// Messages that wait for a connection to the venue now.
    pub(crate) waiting: AtomicU64,
    pub(crate) accepted: AtomicU64,
    /// TLS handshakes that failed or took too long.
    pub(crate) handshakes_failed: AtomicU64,
    /// Connections that were closed because the peer took too long: to send, to take, or to come back.
    pub(crate) timed_out: AtomicU64,
    pub(crate) panics: AtomicU64,
    /// Reads and refusals that were answered while the ledger could not be written.
    pub(crate) unrecorded: AtomicU64,
    /// Connections to the venue that are open now.
    pub(crate) upstream_open: AtomicU64,
    /// Messages that are carried to the venue now, and must not be given up.
    pub(crate) carried: AtomicU64,
    pub(crate) shards: ShardCounters,
}

/// What is counted of each shard, by its number.
#[derive(Debug)]
pub(crate) struct ShardCounters(Box<[ShardCounter]>);

/// On a cache line of its own: shards do not wait for each other.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct ShardCounter {
    pub(crate) permitted: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl ShardCounters {
    pub(crate) fn permit(&self, shard: Option<Shard>) {
        if let Some(counter) = self.of(shard) {
            counter.permitted.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn refuse(&self, shard: Option<Shard>) {
        if let Some(counter) = self.of(shard) {
            counter.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn of(&self, shard: Option<Shard>) -> Option<&ShardCounter> {
        self.0.get(usize::from(shard?.number()))
    }
}

impl Counters {
    pub(crate) fn new(shards: u16) -> Self {
        let shards = (0..shards).map(|_| ShardCounter::default());
        Self {
            traffic: Traffic::new(),
            shards: ShardCounters(shards.collect()),
            shed: Default::default(),
            waiting: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            upstream_open: AtomicU64::new(0),
            carried: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            unrecorded: AtomicU64::new(0),
        }
    }

    /// Counts a refusal of what asks nothing known, or was permitted before.
    pub(crate) fn refuse(&self, code: Code) {
        self.traffic.refuse(None, code);
    }

    /// Counts a message for which there was no room in time.
    pub(crate) fn shed(&self, priority: Priority) {
        // INVARIANT: there is a place for each class.
        self.shed[priority as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns who waits for room, and for how many there was none in time.
    pub(crate) fn overload(&self) -> Value {
        let shed = Priority::ALL.iter().zip(&self.shed);
        let shed: Map<String, Value> = shed
            .map(|(class, count)| {
                let count = count.load(Ordering::Relaxed);
                (class.as_str().to_owned(), count.into())
            })
            .collect();
        serde_json::json!({"shed": shed, "waiting": self.waiting.load(Ordering::Relaxed)})
    }

    /// Counts an answer that the ledger did not take, if that is so.
    pub(crate) fn unrecorded_if(&self, missing: bool) {
        if missing {
            self.unrecorded.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        serde_json::json!({
            "connections_accepted": get(&self.accepted),
            "connections_timed_out": get(&self.timed_out),
            "handshakes_failed": get(&self.handshakes_failed),
            "panics": get(&self.panics),
            "permitted": self.traffic.permitted(),
            "refused": self.traffic.refused(),
            "unrecorded": get(&self.unrecorded),
            "upstream_connections": get(&self.upstream_open),
            "in_flight": get(&self.carried),
        })
    }
}
