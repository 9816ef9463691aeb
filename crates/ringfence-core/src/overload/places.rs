//! Places of which each message under way takes one: so many may be taken at once, and some are kept for what reduces
//! risk.
//!
//! Invariant: nobody who reduces risk is turned away while anything less urgent waits or is under way.

use super::{Line, Place, Priority, Waits};

/// What there is, and for whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share {
    /// Places in all.
    pub all: usize,
    /// Of these, kept for what reduces risk.
    pub reserve: usize,
}

impl Share {
    /// Returns what there is of `all`, `percent` of it in reserve, rounded up: at least one for everybody.
    pub const fn new(all: usize, percent: usize) -> Self {
        let all = if all == 0 { 1 } else { all };
        let reserve = all.saturating_mul(percent).div_ceil(100);
        Self {
            all,
            reserve: if reserve < all { reserve } else { all - 1 },
        }
    }
}

/// Places, and the line of those who wait for one.
#[derive(Debug)]
pub struct Places<T> {
    share: Share,
    /// How many may be taken at once by what does not reduce risk, beside the share.
    limit: usize,
    /// How many are taken, in the order of [`Priority::ALL`].
    taken: [usize; Priority::COUNT],
    line: Line<T>,
}

impl<T> Places<T> {
    /// Makes places of which none is taken; `room` may wait for one.
    pub fn new(share: Share, room: usize, waits: Waits) -> Self {
        Self {
            share,
            limit: share.all,
            taken: [0; Priority::COUNT],
            line: Line::new(room, waits),
        }
    }

    /// Takes a place at once, if there is one and nobody waits who comes first. Give it back by [`Places::end`].
    pub fn take(&mut self, priority: Priority) -> bool {
        let free = self.is_free(priority) && !self.line.holds(priority);
        if free {
            self.taken[priority as usize] += 1;
        }
        free
    }

    /// Lets `who` wait for a place. Returns who had to go for it.
    ///
    /// # Errors
    ///
    /// `who`, if too many wait, and nobody less urgent waits or is under way.
    pub fn wait(&mut self, place: Place, who: T, now_us: u64) -> Result<Option<T>, T> {
        let kept = self.is_in_the_way_of(place.priority);
        self.line.enter(place, who, kept, now_us)
    }

    /// Takes the next one out of the line for whom there is a place, which is taken then.
    pub fn next(&mut self, now_us: u64) -> Option<(Priority, T)> {
        let least = match self.is_free(Priority::Order) {
            true => Priority::MarketRead,
            false if self.is_free(Priority::RiskReducing) => Priority::RiskReducing,
            false => return None,
        };
        let next = self.line.next(least, now_us)?;
        self.taken[next.0 as usize] += 1;
        Some(next)
    }

    /// Gives a place back.
    pub fn end(&mut self, priority: Priority) {
        let taken = &mut self.taken[priority as usize];
        *taken = taken.saturating_sub(1);
    }

    /// Sets how many may be taken at once by what does not reduce risk.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Tells whether something less urgent waits or is under way.
    pub fn is_in_the_way_of(&self, priority: Priority) -> bool {
        let below = &self.taken[..priority as usize];
        below.iter().any(|taken| *taken > 0) || self.line.holds_below(priority)
    }

    /// Returns how long who comes now waits at most.
    pub fn patience_us(&self, priority: Priority, now_us: u64) -> u64 {
        self.line.patience_us(priority, now_us)
    }

    /// Returns how many places are taken.
    pub fn taken(&self) -> usize {
        self.taken.iter().sum()
    }

    /// Returns how many wait.
    pub const fn waiting(&self) -> usize {
        self.line.len()
    }

    fn is_free(&self, priority: Priority) -> bool {
        let Share { all, reserve } = self.share;
        let most = match priority {
            Priority::RiskReducing => all,
            Priority::MarketRead | Priority::AccountRead | Priority::Order => {
                self.limit.min(all - reserve).max(1)
            }
        };
        self.taken() < most
    }
}

#[cfg(test)]
mod tests;
