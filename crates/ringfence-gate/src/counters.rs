//! What the gate counts, for status pages.

use std::sync::atomic::{AtomicU64, Ordering};

use ringfence_core::refusal::Code;
use serde_json::{Map, Value};

/// Counters shared by all threads.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) permitted: AtomicU64,
    /// By place in [`Code::ALL`].
    refused: Box<[AtomicU64]>,
    pub(crate) accepted: AtomicU64,
    /// Connections that ended with bytes that are no HTTP.
    pub(crate) malformed: AtomicU64,
    pub(crate) panics: AtomicU64,
    /// Reads that went on while the ledger could not be written.
    pub(crate) unrecorded: AtomicU64,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            permitted: AtomicU64::new(0),
            refused: Code::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            accepted: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            unrecorded: AtomicU64::new(0),
        }
    }

    pub(crate) fn refuse(&self, code: Code) {
        if let Some(count) = self.refused.get(code as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let refused: Map<String, Value> = Code::ALL
            .iter()
            .zip(&self.refused)
            .map(|(code, count)| (code.as_str().to_owned(), count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .map(|(code, count)| (code, count.into()))
            .collect();
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        serde_json::json!({
            "connections_accepted": get(&self.accepted),
            "malformed": get(&self.malformed),
            "panics": get(&self.panics),
            "permitted": get(&self.permitted),
            "refused": refused,
            "unrecorded": get(&self.unrecorded),
        })
    }
}
