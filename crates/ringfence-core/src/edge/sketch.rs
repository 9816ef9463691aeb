//! Counting strangers in memory that never grows: a count-min sketch with conservative update, in windows.
//!
//! It never counts less than there was in a window. It may count more: of `n` that were counted in it, by more than
//! `2.72 n / width` for one in `e^4` (2 %) of those who are asked about, and with conservative update for fewer. Which
//! strangers share a place is nobody's to choose: places are hashed with a key of this process.

use std::hash::{BuildHasher, RandomState};

use crate::address::Prefix;

/// Rows; a stranger has a place in each.
const ROWS: usize = 4;

/// What was counted in one place: the window's lowest 32 bits above, the count below.
type Cell = u64;

#[derive(Debug)]
pub(crate) struct Sketch {
    cells: Box<[Cell]>,
    /// Places of a row, less one; they are a power of two.
    mask: usize,
    keys: RandomState,
}

impl Sketch {
    /// Makes one with at least `width` places in each row.
    pub(crate) fn new(width: usize) -> Self {
        let width = width.clamp(64, 1 << 24).next_power_of_two();
        Self {
            cells: vec![0; ROWS * width].into(),
            mask: width - 1,
            keys: RandomState::new(),
        }
    }

    /// Returns the most that `prefix` can have been counted in `window`.
    pub(crate) fn estimate(&self, prefix: Prefix, window: u64) -> u64 {
        let least = self.places(prefix).into_iter();
        let least = least.map(|place| self.count(place, window)).min();
        u64::from(least.unwrap_or_default())
    }

    /// Counts one more of `prefix` in `window`.
    pub(crate) fn add(&mut self, prefix: Prefix, window: u64) {
        let places = self.places(prefix);
        let least = places.iter().map(|place| self.count(*place, window)).min();
        let more = least.unwrap_or_default().saturating_add(1);
        for place in places {
            let count = self.count(place, window).max(more);
            if let Some(cell) = self.cells.get_mut(place) {
                let newest = match is_next(*cell, window) {
                    true => *cell >> 32,
                    false => window & u64::from(u32::MAX),
                };
                *cell = newest << 32 | u64::from(count);
            }
        }
    }

    /// Returns the bytes that it takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.cells)
    }

    /// What was counted in a window before, or long after, is not counted any more: a clock that leapt ahead and back
    /// shuts nobody out, and one that steps back by a window refills nothing.
    fn count(&self, place: usize, window: u64) -> u32 {
        let cell = self.cells.get(place).copied().unwrap_or_default();
        let same = (cell >> 32) as u32 == window as u32;
        if same || is_next(cell, window) {
            cell as u32
        } else {
            0
        }
    }

    fn places(&self, prefix: Prefix) -> [usize; ROWS] {
        let hash = self.keys.hash_one(prefix);
        // Two halves make as many hashes as are wanted (Kirsch, Mitzenmacher 2006).
        let (one, other) = (hash as u32 as usize, (hash >> 32) as usize | 1);
        let width = self.mask + 1;
        std::array::from_fn(|row| {
            row * width + (one.wrapping_add(row.wrapping_mul(other)) & self.mask)
        })
    }
}

/// Tells whether what a cell counts is of the window after `window`.
const fn is_next(cell: Cell, window: u64) -> bool {
    (cell >> 32) as u32 == (window as u32).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    //! Never fewer than there were, and rarely many more.

    use std::collections::HashMap;
    use std::net::{IpAddr, Ipv4Addr};

    use super::Sketch;
    use crate::address::Prefix;

    fn of(number: u32) -> Prefix {
        Prefix::of(IpAddr::from(Ipv4Addr::from(number)))
    }

    /// A generator of numbers that look random, each run another sequence's seed.
    fn next(state: &mut u64) -> u32 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 32) as u32
    }

    #[test]
    fn it_never_counts_less_than_there_was() {
        for seed in 1..=20_u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            // Far too narrow: places are shared by dozens.
            let mut sketch = Sketch::new(64);
            let mut truth: HashMap<(u32, u64), u64> = HashMap::new();
            for step in 0..4000_u64 {
                let (who, window) = (next(&mut state) % 900, step / 1000);
                sketch.add(of(who), window);
                let count = truth.entry((who, window)).or_default();
                *count += 1;
                assert!(sketch.estimate(of(who), window) >= *count);
            }
            for ((who, window), count) in truth {
                assert!(window < 3 || sketch.estimate(of(who), 3) >= count);
            }
        }
    }

    #[test]
    fn it_rarely_counts_more_than_its_bound() {
        const WIDTH: usize = 4096;
        const STRANGERS: u32 = 40_000;
        let mut sketch = Sketch::new(WIDTH);
        (0..STRANGERS).for_each(|who| sketch.add(of(who), 7));
        let bound = 1 + (u64::from(STRANGERS) * 272).div_ceil(100 * WIDTH as u64);
        let over = (0..STRANGERS).filter(|who| sketch.estimate(of(*who), 7) > bound);
        assert!(over.count() <= STRANGERS as usize * 2 / 100);
    }

    #[test]
    fn a_window_begins_at_nothing_and_a_step_back_refills_nothing() {
        let mut sketch = Sketch::new(64);
        (0..5).for_each(|_| sketch.add(of(1), 9));
        assert_eq!(sketch.estimate(of(1), 9), 5);
        assert_eq!(sketch.estimate(of(1), 8), 5);
        sketch.add(of(1), 8);
        assert_eq!(sketch.estimate(of(1), 9), 6);
        assert_eq!(sketch.estimate(of(1), 10), 0);
        // A clock that leapt ahead.
        assert_eq!(sketch.estimate(of(1), 4000), 0);
    }
}
