//! The issuers whose tokens are taken now: another set of their keys takes the place of the one before, whole.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use ringfence_wire::issuer::Issuers;

/// Issuers in force.
pub(crate) struct LiveIssuers {
    now: ArcSwap<Issuers>,
    changing: Mutex<()>,
}

impl LiveIssuers {
    pub(crate) fn new(first: Issuers) -> Self {
        Self {
            now: ArcSwap::from_pointee(first),
            changing: Mutex::default(),
        }
    }

    /// Returns those in force. A request takes them once.
    pub(crate) fn now(&self) -> Guard<Arc<Issuers>> {
        self.now.load()
    }

    /// Puts others in their place, and ends what rests on keys that are not known any more.
    pub(crate) fn put(&self, mut next: Issuers) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.now.load_full();
        next.follow(&before);
        let next = Arc::new(next);
        self.now.store(Arc::clone(&next));
        // Only now: nobody is vouched for by what is gone.
        before.withdraw_for(&next);
    }
}
