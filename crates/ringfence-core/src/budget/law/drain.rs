//! Units that come back steadily. A line is a time and the level then, in parts of a unit so small that what comes back
//! in a millisecond is a whole number of them: nothing is ever rounded.

use super::Standing;

const LOW: usize = 0;
const HIGH: usize = 2;

#[derive(Clone, Copy, Debug)]
pub(in crate::budget) struct Drain {
    /// Level at which nothing is left.
    full: u64,
    /// The highest level: above `full` only where units are admitted of which none are left.
    deep: u64,
    /// What a unit raises the level by.
    unit: u64,
    /// What the level sinks by in a millisecond.
    rate: u64,
    /// Milliseconds in which one at its highest level is empty.
    recovery_ms: u64,
}

impl Drain {
    /// Makes one for `full` = quota × `window_ms`, of which `rate` units come back in a window.
    pub(super) const fn new(full: u64, deep: u64, window_ms: u64, rate: u64) -> Self {
        Self {
            full,
            deep,
            unit: window_ms,
            rate,
            recovery_ms: deep.div_ceil(rate),
        }
    }

    pub(super) fn start(&self, cell: &mut [u64], floor_ms: u64) {
        if floor_ms > 0 {
            cell.copy_from_slice(&[floor_ms, self.deep, floor_ms, 0]);
        }
    }

    pub(super) fn look(&self, cell: &mut [u64], now_ms: u64) -> Standing {
        let line = self.turn(cell, now_ms);
        let (at_ms, level) = (cell[line], cell[line + 1]);
        let behind_ms = at_ms.saturating_sub(now_ms);
        Standing {
            used: level.min(self.full).div_ceil(self.unit),
            left: self.full.saturating_sub(level) / self.unit,
            reset_ms: behind_ms.saturating_add(level.div_ceil(self.rate)).max(1),
            line,
        }
    }

    /// Returns the line on which `now_ms` is counted, brought to that time.
    fn turn(&self, cell: &mut [u64], now_ms: u64) -> usize {
        let [low_ms, low, high_ms, high] = cell else {
            // INVARIANT: a cell has four words.
            return LOW;
        };
        if *high == 0 && now_ms < *high_ms {
            // Nothing was used there: it is as if the clock had never been there.
            (*high_ms, *high) = (*low_ms, *low);
            *low = self.deep;
        }
        if now_ms >= *high_ms {
            if now_ms > *high_ms && *high > 0 {
                (*low_ms, *low) = (*high_ms, *high);
                *high = self.sunk(*high, now_ms - *high_ms);
                if *high > 0 {
                    // Times are used up to here without a gap: whoever comes back before them finds nothing.
                    *low = self.deep;
                }
            }
            *high_ms = now_ms;
            return HIGH;
        }
        // What is used before has come back until the newest time, or else counts as used then.
        let at_ms = now_ms.max(*low_ms);
        if high_ms.saturating_sub(at_ms) < self.recovery_ms {
            return HIGH;
        }
        *low = self.sunk(*low, at_ms - *low_ms);
        *low_ms = at_ms;
        LOW
    }

    const fn sunk(&self, level: u64, for_ms: u64) -> u64 {
        level.saturating_sub(for_ms.saturating_mul(self.rate))
    }

    pub(super) fn charge(&self, cell: &mut [u64], standing: Standing, price: u64) {
        if let Some(level) = cell.get_mut(standing.line + 1) {
            let more = price.saturating_mul(self.unit);
            *level = level.saturating_add(more).min(self.deep);
        }
    }

    pub(super) fn wait_ms(&self, cell: &[u64], standing: Standing, price: u64) -> u64 {
        let level = cell.get(standing.line + 1).copied().unwrap_or_default();
        let behind_ms = standing.reset_ms.saturating_sub(level.div_ceil(self.rate));
        let needed = price.saturating_mul(self.unit).min(self.full);
        let excess = level.saturating_sub(self.full - needed);
        behind_ms.saturating_add(excess.div_ceil(self.rate))
    }

    /// Takes a charge back, less what has come back since: had it never been, the level would not be lower, as what comes
    /// back to an empty one is lost.
    pub(super) fn take_back(&self, cell: &mut [u64], (then_ms, line): (u64, usize), price: u64) {
        if line == HIGH {
            let since_ms = cell[HIGH].saturating_sub(then_ms);
            let left = self.sunk(price * self.unit, since_ms);
            cell[HIGH + 1] = cell[HIGH + 1].saturating_sub(left);
        }
    }

    pub(super) fn idle_ms(&self, cell: &[u64]) -> u64 {
        let empty_ms = cell.chunks_exact(2).map(|line| match line {
            [at_ms, level] if *level > 0 => at_ms.saturating_add(level.div_ceil(self.rate)),
            _ => 0,
        });
        empty_ms.max().unwrap_or(0)
    }
}
