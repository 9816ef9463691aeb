//! In which order what is pushed to somebody is written, and the change made that takes their leave away.
//!
//! Invariant: what was looked at before a change is written before the change's call returns, so that nothing is written
//! after it. Looking and writing need [`Held`], which only [`Pushing::hold`] makes.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Shared by all who write, and taken alone, for a moment, by who has changed a credential or a venue key.
#[derive(Debug, Default)]
pub(crate) struct Pushing(RwLock<()>);

/// Held from looking whether something may be written until it is.
#[must_use]
#[derive(Debug)]
pub(crate) struct Held<'a>(#[allow(dead_code)] RwLockReadGuard<'a, ()>);

impl Pushing {
    /// Holds back whoever settles. Never kept across a wait.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits, after a change, for what was looked at before it.
    pub(crate) fn settle(&self) {
        drop(self.0.write());
    }
}

#[cfg(test)]
mod tests;
