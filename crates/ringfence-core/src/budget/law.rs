//! How a limit's units are used and come back: what stands in a record's words, for each algorithm.
//!
//! A cell holds two lines of time, `low` and `high`, as [`Counter`](crate::counter::Counter) does: the newest time that
//! it ever saw, and what was used last before a gap in which all had come back. So a clock that leaps forward and back
//! goes on where it was, and one that steps back further stands still: nothing is ever refilled, and what was admitted
//! could have been admitted by a clock that only goes forward, along the times at which it was counted.

mod anchored;
mod drain;
mod fixed;
mod ratio;
mod sliding;

use super::counts::Counts;
use super::fills::Fill;
use super::limit::{Algorithm, BudgetError, Limit};

use drain::Drain;
use ratio::Ratio;
use sliding::Sliding;

/// Nobody knows when something that is under way is done with; a client should not ask all the time, either.
const CONCURRENT_WAIT_MS: u64 = 100;

/// A limit's algorithm with its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Law {
    Anchored { quota: u64, window_ms: u64 },
    Concurrent { quota: u64 },
    Drain(Drain),
    Fixed { quota: u64, window_ms: u64 },
    Ratio(Ratio),
    Sliding(Sliding),
}

/// How a cell stands at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Standing {
    /// Units used.
    pub(super) used: u64,
    /// Units left.
    pub(super) left: u64,
    /// Milliseconds until all is back; 0 where no clock says.
    pub(super) reset_ms: u64,
    /// Which line of time it is on, for [`Law::charge`].
    line: usize,
}

/// When a cell was charged, as it counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Then {
    /// What its line of time stood at.
    at: u64,
    line: usize,
}

impl Law {
    /// Compiles the limit at `index`.
    pub(super) fn of(limit: &Limit, index: usize) -> Result<Self, BudgetError> {
        let (quota, window_ms) = (limit.quota, limit.window_ms);
        if window_ms == 0 && limit.algorithm != Algorithm::Concurrent {
            return Err(BudgetError::WindowZero(index));
        }
        if limit.counts.is_ratio() != matches!(limit.algorithm, Algorithm::Ratio { .. }) {
            return Err(BudgetError::NotRatio(index));
        }
        if limit.counts == Counts::Unfilled && limit.algorithm != Algorithm::Fixed {
            return Err(BudgetError::NotFixed(index));
        }
        Ok(match limit.algorithm {
            Algorithm::Anchored => Self::Anchored { quota, window_ms },
            Algorithm::Concurrent => Self::Concurrent { quota },
            Algorithm::Drain { rate: 0 } => return Err(BudgetError::RateZero(index)),
            Algorithm::Drain { rate } => {
                let full = quota.checked_mul(window_ms);
                let full = full.ok_or(BudgetError::TooLarge(index))?;
                // What is admitted beyond the quota is remembered up to another one.
                let deep = full.saturating_mul(1 + u64::from(limit.admits));
                Self::Drain(Drain::new(full, deep, window_ms, rate))
            }
            Algorithm::Fixed => Self::Fixed { quota, window_ms },
            Algorithm::Ratio { max_e4 } => {
                // Of trades it is (orders / trades) - 1 that is bounded.
                let more = if limit.counts.has_fills() { 10_000 } else { 0 };
                Self::Ratio(Ratio::new(quota, max_e4.saturating_add(more), window_ms))
            }
            Algorithm::Sliding => {
                let quota = u32::try_from(quota).map_err(|_| BudgetError::TooLarge(index))?;
                Self::Sliding(Sliding::new(quota, window_ms))
            }
        })
    }

    /// Returns how many words a cell has.
    pub(super) const fn words(&self) -> usize {
        match self {
            Self::Anchored { .. } | Self::Drain(_) | Self::Fixed { .. } => 4,
            Self::Concurrent { .. } => 1,
            Self::Ratio(_) => ratio::WORDS,
            Self::Sliding(_) => sliding::WORDS,
        }
    }

    /// Writes the cell of a subject that may have been forgotten: what it used before `floor_ms` is not known, so
    /// it counts as used up.
    pub(super) fn start(&self, cell: &mut [u64], floor_ms: u64) {
        cell.fill(0);
        match self {
            Self::Anchored { quota, .. } => anchored::start(cell, *quota, floor_ms),
            Self::Concurrent { .. } => {}
            Self::Drain(drain) => drain.start(cell, floor_ms),
            Self::Fixed { window_ms, .. } => fixed::start(cell, floor_ms / window_ms),
            Self::Ratio(ratio) => ratio.start(cell, floor_ms),
            Self::Sliding(sliding) => sliding.start(cell, floor_ms),
        }
    }

    /// Brings a cell to `now_ms` and returns how it stands there.
    pub(super) fn look(&self, cell: &mut [u64], now_ms: u64) -> Standing {
        match self {
            Self::Anchored { quota, window_ms } => anchored::look(cell, *quota, *window_ms, now_ms),
            Self::Concurrent { quota } => {
                let used = cell.first().copied().unwrap_or_default();
                let left = quota.saturating_sub(used);
                Standing {
                    used,
                    left,
                    reset_ms: 0,
                    line: 0,
                }
            }
            Self::Drain(drain) => drain.look(cell, now_ms),
            Self::Fixed { quota, window_ms } => fixed::look(cell, *quota, *window_ms, now_ms),
            Self::Ratio(ratio) => ratio.look(cell, now_ms),
            Self::Sliding(sliding) => sliding.look(cell, now_ms),
        }
    }

    /// Returns how long it takes from a look on until `price` fits, in milliseconds, at least one. What is more than
    /// the quota never does: then it is how long until all is back.
    pub(super) fn wait_ms(&self, cell: &[u64], standing: Standing, price: u64) -> u64 {
        let wait_ms = match self {
            // When there will be trades, nobody knows.
            Self::Anchored { .. } | Self::Fixed { .. } | Self::Ratio(_) => standing.reset_ms,
            Self::Concurrent { .. } => CONCURRENT_WAIT_MS,
            Self::Drain(drain) => drain.wait_ms(cell, standing, price),
            Self::Sliding(sliding) => sliding.wait_ms(cell, standing, price),
        };
        wait_ms.max(1)
    }

    /// Uses `price` units, which fit what the look found left, unless they are admitted beyond it.
    pub(super) fn charge(&self, cell: &mut [u64], standing: Standing, price: u64) {
        match self {
            Self::Anchored { .. } | Self::Fixed { .. } | Self::Ratio(_) => {
                add(cell, standing.line + 1, price);
            }
            Self::Concurrent { .. } => add(cell, 0, price),
            Self::Drain(drain) => drain.charge(cell, standing, price),
            Self::Sliding(sliding) => sliding.charge(cell, standing, price),
        }
    }

    /// Returns when a charge would be, to take it back by.
    pub(super) fn then(cell: &[u64], standing: Standing) -> Then {
        let line = standing.line;
        Then {
            at: cell.get(line).copied().unwrap_or_default(),
            line,
        }
    }

    /// Takes a charge of `price` units back, as far as that has not come back by itself since. What was charged on the
    /// lower line of a cell that counts by more than equal times, stays.
    pub(super) fn take_back(&self, cell: &mut [u64], then: Then, (price, other): (u64, u64)) {
        if let Self::Ratio(_) = self {
            Ratio::take_other_back(cell, then.at, other);
        }
        match self {
            // Its newest line counts, where both are of one time.
            Self::Anchored { .. } | Self::Fixed { .. } | Self::Ratio(_) => {
                if let Some(line) = [2, 0].into_iter().find(|line| cell[*line] == then.at) {
                    cell[line + 1] = cell[line + 1].saturating_sub(price);
                }
            }
            // Whoever is done with it gives it back.
            Self::Concurrent { .. } => {}
            Self::Drain(drain) => drain.take_back(cell, (then.at, then.line), price),
            Self::Sliding(sliding) => sliding.take_back(cell, (then.at, then.line), price),
        }
    }

    /// Gives `price` units back that a message under way used.
    pub(super) fn give_back(&self, cell: &mut [u64], price: u64) {
        if let (Self::Concurrent { .. }, Some(used)) = (self, cell.first_mut()) {
            *used = used.saturating_sub(price);
        }
    }

    /// Tells whether more was used than is allowed, so that nothing that is refused by this passes, whatever it uses.
    pub(super) fn is_over(&self, cell: &[u64], standing: Standing) -> bool {
        match self {
            Self::Ratio(ratio) => ratio.is_over(cell, standing),
            Self::Anchored { .. }
            | Self::Concurrent { .. }
            | Self::Drain(_)
            | Self::Fixed { .. }
            | Self::Sliding(_) => false,
        }
    }

    /// Returns how much there is of one thing, and to how much of the other, where it is a ratio.
    pub(super) fn amounts(&self, cell: &[u64], standing: Standing) -> Option<(u64, u64)> {
        match self {
            Self::Ratio(ratio) => Some(ratio.amounts(cell, standing)),
            Self::Anchored { .. }
            | Self::Concurrent { .. }
            | Self::Drain(_)
            | Self::Fixed { .. }
            | Self::Sliding(_) => None,
        }
    }

    /// Counts `amount` of what a ratio is to.
    pub(super) fn add_other(&self, cell: &mut [u64], now_ms: u64, amount: u64) {
        if let Self::Ratio(ratio) = self {
            ratio.add_other(cell, now_ms, amount);
        }
    }

    /// Counts a trade of an order that was charged at `charged_ms`, if that was in the window in which it is heard.
    pub(super) fn trade(&self, cell: &mut [u64], charged_ms: u64, fill: &Fill, amount: u64) {
        if let Self::Ratio(ratio) = self
            && fill.is_traded_now(charged_ms, ratio.window_ms)
        {
            ratio.add_other(cell, fill.now_ms, amount);
        }
    }

    /// Gives the unit back that an order used which was charged at `charged_ms` and is filled now.
    pub(super) fn refund(&self, cell: &mut [u64], charged_ms: u64, fill: &Fill) {
        if let Self::Fixed { window_ms, .. } = self
            && fill.is_of_now(charged_ms, *window_ms)
        {
            fixed::refund(cell, fill.now_ms / window_ms);
        }
    }

    /// Raises what was used to `used`, if nothing says that this was of another window: the message was sent, and
    /// answered, at `times_ms`.
    pub(super) fn raise(
        &self,
        cell: &mut [u64],
        now_ms: u64,
        times_ms: [Option<u64>; 2],
        used: u64,
    ) {
        let standing = self.look(cell, now_ms);
        let more = used.saturating_sub(standing.used).min(standing.left);
        let mut times_ms = times_ms.into_iter().flatten();
        match self {
            // A ratio is ours: no venue tells of it.
            Self::Concurrent { .. } | Self::Ratio(_) => {}
            Self::Fixed { window_ms, .. } => {
                let window = now_ms / window_ms;
                if times_ms.all(|ms| ms / window_ms == window) && cell[standing.line] == window {
                    self.charge(cell, standing, more);
                }
            }
            Self::Anchored { .. } => {
                let began_ms = cell[standing.line];
                if times_ms.all(|ms| ms >= began_ms) {
                    self.charge(cell, standing, more);
                }
            }
            Self::Drain(_) | Self::Sliding(_) => self.charge(cell, standing, more),
        }
    }

    /// Returns the time from which on nothing is lost by forgetting the cell.
    pub(super) fn idle_ms(&self, cell: &[u64]) -> u64 {
        match self {
            Self::Anchored { window_ms, .. } => anchored::idle_ms(cell, *window_ms),
            Self::Concurrent { .. } if cell.first() == Some(&0) => 0,
            Self::Concurrent { .. } => u64::MAX,
            Self::Drain(drain) => drain.idle_ms(cell),
            Self::Fixed { window_ms, .. } => fixed::idle_ms(cell, *window_ms),
            Self::Ratio(ratio) => ratio.idle_ms(cell),
            Self::Sliding(sliding) => sliding.idle_ms(cell),
        }
    }
}

fn add(cell: &mut [u64], place: usize, price: u64) {
    if let Some(used) = cell.get_mut(place) {
        // What is charged was found to fit, or is admitted whatever was used before.
        *used = used.saturating_add(price);
    }
}

#[cfg(test)]
mod tests;
