//! A table that never grows and is never full: a newcomer takes the place of whoever in its set is worth least.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Places of a set. Which set a key is in is hashed with a key of this process, so nobody can choose whom to displace.
const WAYS: usize = 8;

type Set<K, V> = [Option<(K, V)>; WAYS];

#[derive(Debug)]
pub(super) struct Cells<K, V> {
    sets: Box<[Mutex<Set<K, V>>]>,
    keys: RandomState,
}

impl<K: Copy + Eq + Hash, V> Cells<K, V> {
    /// Makes one with at least `places`.
    pub(super) fn new(places: usize) -> Self {
        let sets = places.div_ceil(WAYS).clamp(1, 1 << 21).next_power_of_two();
        let empty = |_| Mutex::new(std::array::from_fn(|_| None));
        Self {
            sets: (0..sets).map(empty).collect(),
            keys: RandomState::new(),
        }
    }

    /// Returns what `look` makes of what is kept under `key`; nothing where nothing is.
    pub(super) fn of<T>(&self, key: K, look: impl FnOnce(&V) -> T) -> Option<T> {
        let set = self.set(key)?;
        let found = set.iter().flatten().find(|(known, _)| *known == key);
        found.map(|(_, value)| look(value))
    }

    /// Changes what is kept under `key`, or what `new` makes. `worth` says what is lost with a value.
    pub(super) fn change<T>(
        &self,
        key: K,
        new: impl FnOnce() -> V,
        worth: impl Fn(&V) -> u64,
        change: impl FnOnce(&mut V) -> T,
    ) -> Option<T> {
        let mut set = self.set(key)?;
        let is_it = |place: &Option<(K, V)>| place.as_ref().is_some_and(|(known, _)| *known == key);
        let place = match set.iter().position(is_it) {
            Some(place) => place,
            None => {
                let least = set.iter().enumerate().min_by_key(|(_, place)| {
                    let worth = place.as_ref().map(|(_, value)| worth(value));
                    worth.map_or(0, |worth| worth.saturating_add(1))
                });
                least?.0
            }
        };
        let place = set.get_mut(place)?;
        if !is_it(place) {
            *place = Some((key, new()));
        }
        place.as_mut().map(|(_, value)| change(value))
    }

    /// Forgets what is kept under `key`.
    pub(super) fn forget(&self, key: K) {
        if let Some(mut set) = self.set(key) {
            let place = set.iter_mut().find(|place| {
                let known = place.as_ref();
                known.is_some_and(|(known, _)| *known == key)
            });
            if let Some(place) = place {
                *place = None;
            }
        }
    }

    fn set(&self, key: K) -> Option<MutexGuard<'_, Set<K, V>>> {
        let hash = self.keys.hash_one(key) as usize;
        let set = self.sets.get(hash & (self.sets.len() - 1))?;
        // What is changed here is changed at once: a lock that a panic poisoned is still good.
        Some(set.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.sets)
    }
}

#[cfg(test)]
mod tests {
    //! Its size is settled at the start, and what is worth most stays.

    #![allow(clippy::unwrap_used)]

    use super::Cells;

    fn put(cells: &Cells<u64, u64>, key: u64, value: u64) {
        cells
            .change(key, || 0, |kept| *kept, |kept| *kept = value)
            .unwrap();
    }

    #[test]
    fn a_hundred_thousand_newcomers_take_no_memory_and_displace_nobody_who_is_worth_more() {
        let cells = Cells::new(1024);
        let before = cells.bytes();
        (0..32).for_each(|key| put(&cells, key, 100));
        (1000..101_000).for_each(|key| put(&cells, key, 1));
        assert_eq!(cells.bytes(), before);
        assert!((0..32).all(|key| cells.of(key, |kept| *kept) == Some(100)));
        cells.forget(3);
        assert_eq!(cells.of(3, |kept| *kept), None);
    }
}
