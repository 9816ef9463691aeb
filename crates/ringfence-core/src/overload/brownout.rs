//! What an engine thread does without while it cannot keep up: market reads first, then account reads, and then orders have
//! little time.
//!
//! Orders are not refused altogether: a thread that refuses everything is idle, and begins anew a moment later.

use super::Priority;

/// Behind for so long, and one more class is done without.
const ENTER_US: u64 = 100_000;
/// Well for so long, and it is taken up again.
const LEAVE_US: u64 = 1_000_000;
/// Well is a lag of less than this part of the bound: between the two nothing changes.
const WELL_PART: u64 = 2;

/// How much is done without.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Nothing.
    #[default]
    Clear,
    /// Market reads.
    Markets,
    /// All reads.
    Reads,
    /// All reads, and orders that do not get their turn soon.
    Orders,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Clear, Self::Markets, Self::Reads, Self::Orders];

    /// Returns the word used in status and ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Markets => "market_reads",
            Self::Reads => "reads",
            Self::Orders => "orders",
        }
    }

    /// Tells whether a message is refused at once.
    pub const fn refuses(self, priority: Priority) -> bool {
        match (self, priority) {
            (Self::Clear, _) | (_, Priority::Order | Priority::RiskReducing) => false,
            (Self::Markets, Priority::AccountRead) => false,
            (_, Priority::MarketRead) | (Self::Reads | Self::Orders, Priority::AccountRead) => true,
        }
    }

    fn up(self) -> Self {
        Self::ALL
            .into_iter()
            .find(|level| *level > self)
            .unwrap_or(self)
    }

    fn down(self) -> Self {
        let below = Self::ALL.into_iter().rev().find(|level| *level < self);
        below.unwrap_or(self)
    }
}

/// Finds the level of one thread.
#[derive(Debug)]
pub struct Brownout {
    bound_us: u64,
    level: Level,
    /// Since when it has been behind, or well, at this level.
    behind_us: Option<u64>,
    well_us: Option<u64>,
}

impl Brownout {
    /// Makes one of a thread that is behind when its lag is more than `bound_us`.
    pub const fn new(bound_us: u64) -> Self {
        Self {
            bound_us,
            level: Level::Clear,
            behind_us: None,
            well_us: None,
        }
    }

    /// Returns the level.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Notes how far the thread is behind. Returns the level that there was, if it is another one now.
    pub fn note(&mut self, lag_us: u64, now_us: u64) -> Option<Level> {
        let before = self.level;
        if lag_us > self.bound_us {
            self.well_us = None;
            if now_us.saturating_sub(*self.behind_us.get_or_insert(now_us)) >= ENTER_US {
                self.behind_us = Some(now_us);
                self.level = before.up();
            }
        } else if lag_us < self.bound_us / WELL_PART {
            self.behind_us = None;
            if now_us.saturating_sub(*self.well_us.get_or_insert(now_us)) >= LEAVE_US {
                self.well_us = Some(now_us);
                self.level = before.down();
            }
        } else {
            (self.behind_us, self.well_us) = (None, None);
        }
        (before != self.level).then_some(before)
    }
}

#[cfg(test)]
mod tests;
