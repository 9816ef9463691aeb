//! How each engine thread stands, for status pages.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use ringfence_core::overload::{Circuit, Level};
use serde_json::{Value, json};

/// How one thread stands. Written by that thread only, when something changes.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Messages that may be under way to the venue at once, beside what reduces risk.
    concurrency: AtomicUsize,
    /// A place in [`Circuit::ALL`].
    circuit: AtomicU8,
    /// What is done without: a place in [`Level::ALL`].
    level: AtomicU8,
}

impl Gauge {
    pub(crate) fn show_concurrency(&self, limit: usize) {
        self.concurrency.store(limit, Ordering::Relaxed);
    }

    pub(crate) fn show_circuit(&self, circuit: Circuit) {
        self.circuit.store(circuit as u8, Ordering::Relaxed);
    }

    pub(crate) fn show_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    pub(crate) fn to_json(&self) -> Value {
        let circuit = usize::from(self.circuit.load(Ordering::Relaxed));
        let circuit = Circuit::ALL.get(circuit).unwrap_or(&Circuit::Closed);
        let level = usize::from(self.level.load(Ordering::Relaxed));
        let level = Level::ALL.get(level).unwrap_or(&Level::Clear);
        json!({
            "concurrency": self.concurrency.load(Ordering::Relaxed),
            "circuit": circuit.as_str(),
            "brownout": level.as_str(),
        })
    }
}
