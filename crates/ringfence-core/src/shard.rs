//! Shards: cells of principals, so that a flood or a compromise in one costs the others nothing.
//!
//! Which shard somebody stands in is not decided here: each description of a credential says it, and
//! [`CredentialTable::place`](crate::credential::CredentialTable::place) changes it.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// One of a gateway's shards. Only [`Shards::shard`] makes one, so it is always there.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Shard(u16);

impl Shard {
    /// Returns its number, from 0.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a shard stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum ShardState {
    /// Everything is served.
    #[default]
    Serving,
    /// Nothing new is begun at the venue: reads go on, and what reduces risk.
    Draining,
    /// Nobody in it is served anything.
    Isolated,
}

impl ShardState {
    const ALL: [Self; 3] = [Self::Serving, Self::Draining, Self::Isolated];

    /// Returns the word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Isolated => "isolated",
        }
    }

    /// Returns the state called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// The shards of one gateway, and how each stands. Where there are none, nobody stands in one.
#[derive(Debug, Default)]
pub struct Shards {
    /// Each a [`ShardState`].
    states: Box<[AtomicU8]>,
}

impl Shards {
    /// Makes so many, which all serve.
    pub fn new(count: u16) -> Self {
        Self {
            states: (0..count).map(|_| AtomicU8::default()).collect(),
        }
    }

    /// Returns how many there are.
    pub fn count(&self) -> u16 {
        u16::try_from(self.states.len()).unwrap_or(u16::MAX)
    }

    /// Tells whether nobody stands in one.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Returns the shard with this number.
    pub fn shard(&self, number: u16) -> Option<Shard> {
        (number < self.count()).then_some(Shard(number))
    }

    /// Returns all of them.
    pub fn all(&self) -> impl Iterator<Item = Shard> {
        (0..self.count()).map(Shard)
    }

    /// Returns how a shard stands.
    pub fn state(&self, shard: Shard) -> ShardState {
        // INVARIANT: only `ShardState` values are ever stored; anything else would read as isolated.
        self.states
            .get(usize::from(shard.0))
            .and_then(|state| ShardState::ALL.get(usize::from(state.load(Ordering::SeqCst))))
            .copied()
            .unwrap_or(ShardState::Isolated)
    }

    /// Has a shard stand so; takes effect before it returns.
    pub fn set(&self, shard: Shard, state: ShardState) {
        if let Some(kept) = self.states.get(usize::from(shard.0)) {
            kept.store(state as u8, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests;
