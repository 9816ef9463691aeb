//! In which order what is pushed to somebody is written, and the change made that takes their leave away.
//!
//! Invariant: what was looked at before a change is written before the change's call returns, so that nothing is written
//! after it. Looking needs [`Held`], which only [`Pushing::write`] makes, and keeps until all is written.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Shared by all who write, and taken alone, for a moment, by who has changed a credential or a venue key.
#[derive(Debug, Default)]
pub(crate) struct Pushing(RwLock<()>);

/// Held from looking whether something may be written until it is.
#[must_use]
#[derive(Debug)]
pub(crate) struct Held<'a>(#[allow(dead_code)] RwLockReadGuard<'a, ()>);

/// What was looked at before a change has been written. Only [`Pushing::settle`] makes it; whoever tells of a change needs it.
#[must_use]
#[derive(Debug)]
pub(crate) struct Settled(());

impl Pushing {
    /// Looks whether something `may` be written, and then writes it, or what is written in its place. Whoever settles waits
    /// until that is done; it waits for nothing itself.
    pub(crate) fn write<T>(
        &self,
        may: impl FnOnce(&Held<'_>) -> bool,
        write: impl FnOnce(bool) -> T,
    ) -> T {
        let held = Held(self.0.read().unwrap_or_else(PoisonError::into_inner));
        let written = write(may(&held));
        drop(held);
        written
    }

    /// Waits, after a change, for what was looked at before it.
    pub(crate) fn settle(&self) -> Settled {
        drop(self.0.write());
        Settled(())
    }
}

#[cfg(test)]
mod tests;
