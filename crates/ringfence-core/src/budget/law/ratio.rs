//! How much of one thing there is to another in windows on the clock, such as orders to trades: a counter whose quota
//! grows with the other. Behind the counter's words, the cell has how much of the other there was in up to two windows.

use super::{Standing, fixed};

/// Words of the counter.
const COUNTER: usize = 4;
pub(super) const WORDS: usize = COUNTER + 4;
const WHOLE: u128 = 10_000;

#[derive(Clone, Copy, Debug)]
pub(in crate::budget) struct Ratio {
    /// What is used whatever the ratio.
    floor: u64,
    /// Ten-thousandths of a unit that each unit of the other allows.
    each_e4: u64,
    pub(super) window_ms: u64,
}

impl Ratio {
    pub(super) const fn new(floor: u64, each_e4: u64, window_ms: u64) -> Self {
        Self {
            floor,
            each_e4,
            window_ms,
        }
    }

    pub(super) fn start(&self, cell: &mut [u64], floor_ms: u64) {
        fixed::start(&mut cell[..COUNTER], floor_ms / self.window_ms);
    }

    pub(super) fn look(&self, cell: &mut [u64], now_ms: u64) -> Standing {
        // The quota is not known before the window is.
        let standing = fixed::look(&mut cell[..COUNTER], u64::MAX, self.window_ms, now_ms);
        let (used, other) = self.amounts(cell, standing);
        Standing {
            used,
            left: self.allowed(other).saturating_sub(used),
            ..standing
        }
    }

    /// Returns how much was used, and how much of the other there was.
    pub(super) fn amounts(&self, cell: &[u64], standing: Standing) -> (u64, u64) {
        // INVARIANT: a line is one of the counter's.
        let (window, used) = (cell[standing.line], cell[standing.line + 1]);
        let mut others = cell[COUNTER..].chunks_exact(2);
        let other = others
            .find(|other| other[0] == window)
            .map_or(0, |other| other[1]);
        (used, other)
    }

    /// Tells whether more was used than is allowed.
    pub(super) fn is_over(&self, cell: &[u64], standing: Standing) -> bool {
        let (used, other) = self.amounts(cell, standing);
        used > self.allowed(other)
    }

    fn allowed(&self, other: u64) -> u64 {
        let allowed = u128::from(other) * u128::from(self.each_e4) / WHOLE;
        u64::try_from(allowed).unwrap_or(u64::MAX).max(self.floor)
    }

    /// Adds to the other in the window of `now_ms`.
    pub(super) fn add_other(&self, cell: &mut [u64], now_ms: u64, amount: u64) {
        if amount == 0 {
            return;
        }
        let line = self.look(cell, now_ms).line;
        let (counter, others) = cell.split_at_mut(COUNTER);
        let (window, counted) = (counter[line], [counter[0], counter[2]]);
        let mut places = others.chunks_exact_mut(2);
        // One that is of no window of the counter's is of none that will be looked at.
        let known = places
            .by_ref()
            .position(|other| other[0] == window && other[1] > 0);
        let mut places = others.chunks_exact_mut(2);
        let place = match known {
            Some(place) => places.nth(place),
            None => places.find(|other| other[1] == 0 || !counted.contains(&other[0])),
        };
        if let Some(place) = place {
            if known.is_none() {
                (place[0], place[1]) = (window, 0);
            }
            place[1] = place[1].saturating_add(amount);
        }
    }

    /// Takes back what was added to the other in `window`.
    pub(super) fn take_other_back(cell: &mut [u64], window: u64, amount: u64) {
        let mut others = cell[COUNTER..].chunks_exact_mut(2);
        if let Some(other) = others.find(|other| other[0] == window) {
            other[1] = other[1].saturating_sub(amount);
        }
    }

    pub(super) fn idle_ms(&self, cell: &[u64]) -> u64 {
        fixed::idle_ms(&cell[..COUNTER], self.window_ms)
    }
}
