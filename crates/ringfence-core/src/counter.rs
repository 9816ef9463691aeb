//! Counting in windows that are aligned to the clock, so that no clock refills what was used.
//!
//! Windows are numbered from the epoch. A counter remembers two of them: the newest that it ever
//! saw, and the one before. Invariant: no window between the two was ever used, and whatever was
//! used before the lower one is forgotten. So
//! - a clock that leaps forward and back goes on in the window where it was: nobody is locked out;
//! - a clock that steps back further is counted in the lower window: nothing is ever refilled.

/// One window and what was used in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Slot {
    /// Number of the window since the epoch.
    pub(crate) window: u64,
    /// Units used: at most the quota, unless the venue tells of more; `u64::MAX` when that is not known.
    pub(crate) used: u64,
}

/// One of a counter's slots.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// The lower one.
    Low,
    /// The newest.
    High,
}

/// What one subject used of one limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counter {
    /// `low.window <= high.window`; when they are equal, `high` counts.
    low: Slot,
    high: Slot,
}

impl Counter {
    /// Makes a counter for a subject that may have been forgotten: what it used before `window` is
    /// not known, so it counts as used up.
    pub(crate) const fn starting(window: u64) -> Self {
        let high = Slot { window, used: 0 };
        let low = match window.checked_sub(1) {
            Some(window) => Slot {
                window,
                used: u64::MAX,
            },
            None => high,
        };
        Self { low, high }
    }

    /// Returns where to count at a time in `window`.
    pub(crate) const fn slot(&mut self, window: u64) -> &mut Slot {
        match self.place(window) {
            Place::Low => &mut self.low,
            Place::High => &mut self.high,
        }
    }

    /// Returns the slot at `place`.
    pub(crate) const fn at(&self, place: Place) -> Slot {
        match place {
            Place::Low => self.low,
            Place::High => self.high,
        }
    }

    /// Makes the counter that [`Counter::words`] returned.
    pub(crate) const fn from_words([window, used, newest, newest_used]: [u64; 4]) -> Self {
        let low = Slot { window, used };
        let high = Slot {
            window: newest,
            used: newest_used,
        };
        Self { low, high }
    }

    /// Returns all of it: window and units of the lower slot, then of the newest.
    pub(crate) const fn words(&self) -> [u64; 4] {
        let Self { low, high } = self;
        [low.window, low.used, high.window, high.used]
    }

    /// Returns which slot counts at a time in `window`, and has it ready.
    pub(crate) const fn place(&mut self, window: u64) -> Place {
        if window > self.high.window {
            // A window that nothing was used in need not be remembered.
            if self.high.used > 0 {
                self.low = self.high;
            }
            self.high = Slot { window, used: 0 };
            return Place::High;
        }
        if window == self.high.window || self.low.window == self.high.window {
            return Place::High;
        }
        if window > self.low.window {
            self.low = Slot { window, used: 0 };
        }
        Place::Low
    }

    /// Returns the window from which on nothing is lost by forgetting the counter.
    pub(crate) const fn spent_until(&self) -> u64 {
        if self.high.used > 0 {
            self.high.window + 1
        } else if self.low.used > 0 {
            self.low.window + 1
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests;
