//! A waiting line in which more urgent classes go first, lanes of one class take turns, and nobody waits too long.
//!
//! Who waited longest goes first. Of reads, once their line stands, who came last: the others are about to be refused
//! anyway, and whoever asks for a price wants the one of now.

use std::collections::{HashMap, VecDeque};

use super::{Place, Priority};

/// What is left of its time for each class once its line stands: a quarter. A line that stands all the time helps
/// nobody: it makes everything late by its own length (as CoDel, RFC 8289, with the two bounds of "Fail at Scale",
/// ACM Queue 13.8).
const STANDING_PART: u64 = 4;

/// How long each class waits at most, in microseconds, in the order of [`Priority::ALL`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waits(pub [u64; Priority::COUNT]);

impl Waits {
    /// Returns how long `priority` waits at most.
    pub const fn of(&self, priority: Priority) -> u64 {
        // INVARIANT: there is a place for each class.
        self.0[priority as usize]
    }
}

/// Late ones that each newcomer takes out of its lane: more than one, or they would become more and more.
const SWEPT_BY_EACH: usize = 2;

/// Who was next.
#[derive(Debug, Eq, PartialEq)]
pub enum Taken<T> {
    /// Somebody of a class, in time.
    InTime(Priority, T),
    /// Somebody whose time was over, who is dropped and so hears of it.
    Late,
}

/// Those who wait for something.
#[derive(Debug)]
pub struct Line<T> {
    classes: [Class<T>; Priority::COUNT],
    waits: Waits,
    /// How many may wait. Risk-reducing ones may exceed it, see [`Line::enter`].
    room: usize,
    /// Whether newcomers have little time although no line stands yet.
    hurried: bool,
    /// How many do, with those whose time is over and who were not reached yet.
    length: usize,
}

#[derive(Debug)]
struct Class<T> {
    /// Lanes in which somebody waits, in the order of their turns; each once.
    turns: VecDeque<u16>,
    /// None is empty.
    lanes: HashMap<u16, VecDeque<Waiting<T>>>,
    length: usize,
    /// Since when somebody has waited without a break.
    since_us: Option<u64>,
}

#[derive(Debug)]
struct Waiting<T> {
    who: T,
    /// Until when; none: until it is told otherwise.
    until_us: Option<u64>,
}

impl<T> Waiting<T> {
    fn is_late(&self, now_us: u64) -> bool {
        self.until_us.is_some_and(|until_us| until_us <= now_us)
    }
}

impl<T> Class<T> {
    const fn is_standing(&self, bound_us: u64, now_us: u64) -> bool {
        match self.since_us {
            Some(since_us) => now_us.saturating_sub(since_us) >= bound_us,
            None => false,
        }
    }

    fn push(&mut self, lane: u16, waiting: Waiting<T>, now_us: u64) {
        self.since_us.get_or_insert(now_us);
        let waiters = self.lanes.entry(lane).or_default();
        if waiters.is_empty() {
            self.turns.push_back(lane);
        }
        waiters.push_back(waiting);
        self.length += 1;
    }

    /// Takes one out of a lane, from the end that `newest` says.
    fn take(&mut self, lane: u16, newest: bool) -> Option<Waiting<T>> {
        let waiters = self.lanes.get_mut(&lane)?;
        let taken = match newest {
            true => waiters.pop_back(),
            false => waiters.pop_front(),
        }?;
        self.length -= 1;
        if waiters.is_empty() {
            self.lanes.remove(&lane);
            self.turns.retain(|turn| *turn != lane);
        }
        if self.length == 0 {
            self.since_us = None;
        }
        Some(taken)
    }

    /// Takes the next one in turn.
    fn next(&mut self, newest: bool) -> Option<Waiting<T>> {
        self.turns.rotate_left(1.min(self.turns.len()));
        let lane = *self.turns.back()?;
        self.take(lane, newest)
    }

    /// Takes the newest of the longest lane.
    fn last(&mut self) -> Option<Waiting<T>> {
        let longest = self.lanes.iter().max_by_key(|(_, waiters)| waiters.len());
        let lane = *longest?.0;
        self.take(lane, true)
    }

    /// Takes out who stands first in a lane and is late, so many at most; returns how many.
    fn sweep(&mut self, lane: u16, most: usize, now_us: u64) -> usize {
        let mut swept = 0;
        while swept < most
            && let Some(first) = self.lanes.get(&lane).and_then(VecDeque::front)
            && first.is_late(now_us)
        {
            self.take(lane, false);
            swept += 1;
        }
        swept
    }
}

impl<T> Line<T> {
    /// Makes an empty one.
    pub fn new(room: usize, waits: Waits) -> Self {
        Self {
            classes: Priority::ALL.map(|_| Class {
                turns: VecDeque::new(),
                lanes: HashMap::new(),
                length: 0,
                since_us: None,
            }),
            waits,
            room,
            hurried: false,
            length: 0,
        }
    }

    /// Gives newcomers as little time as if their line stood, or no longer.
    pub fn hurry(&mut self, hurried: bool) {
        self.hurried = hurried;
    }

    /// Tells whether somebody waits who is at least as urgent.
    pub fn holds(&self, least: Priority) -> bool {
        self.length > 0 && self.classes[least as usize..].iter().any(|c| c.length > 0)
    }

    /// Tells whether somebody waits who is less urgent.
    pub fn holds_below(&self, priority: Priority) -> bool {
        let below = &self.classes[..priority as usize];
        self.length > 0 && below.iter().any(|class| class.length > 0)
    }

    /// Returns how long anybody waits at most, as long as no line stands.
    pub const fn bound_us(&self, priority: Priority) -> u64 {
        self.waits.of(priority)
    }

    /// Returns how long who comes now waits at most.
    pub fn patience_us(&self, priority: Priority, now_us: u64) -> u64 {
        let bound_us = self.bound_us(priority);
        // INVARIANT: there is a place for each class; so below.
        let class = &self.classes[priority as usize];
        let standing = self.hurried || class.is_standing(bound_us, now_us);
        match standing && priority != Priority::RiskReducing {
            true => bound_us / STANDING_PART,
            false => bound_us,
        }
    }

    /// Lets `who` wait. Returns who had to go for it, dropped without a word otherwise: somebody less urgent.
    ///
    /// With `kept`, a risk-reducing one is let in although there is no room.
    ///
    /// # Errors
    ///
    /// `who`, if there is no room and nobody less urgent is there to go.
    pub fn enter(&mut self, place: Place, who: T, kept: bool, now_us: u64) -> Result<Option<T>, T> {
        let Place { priority, lane } = place;
        let patience_us = self.patience_us(priority, now_us);
        let class = &mut self.classes[priority as usize];
        self.length -= class.sweep(lane, SWEPT_BY_EACH, now_us);
        if self.length >= self.room {
            self.sweep(usize::MAX, now_us);
        }
        let mut displaced = None;
        if self.length >= self.room {
            displaced = self.displace(priority);
            let urgent = kept && priority == Priority::RiskReducing;
            if displaced.is_none() && !urgent {
                return Err(who);
            }
        }
        let waiting = Waiting {
            who,
            // Who reduces risk leaves by itself, when nothing less urgent is in its way.
            until_us: (priority != Priority::RiskReducing)
                .then(|| now_us.saturating_add(patience_us)),
        };
        self.classes[priority as usize].push(lane, waiting, now_us);
        self.length += 1;
        Ok(displaced)
    }

    /// Takes the newest of the least urgent class that is less urgent than `priority`.
    fn displace(&mut self, priority: Priority) -> Option<T> {
        let below = &mut self.classes[..priority as usize];
        let lowest = below.iter_mut().find(|class| class.length > 0)?;
        let last = lowest.last()?;
        self.length -= 1;
        Some(last.who)
    }

    /// Takes out who stands first somewhere and is late, so many at most; returns how many.
    pub fn sweep(&mut self, most: usize, now_us: u64) -> usize {
        let mut swept = 0;
        for class in &mut self.classes {
            // Its own turns change with what is taken out.
            for lane in class.turns.iter().copied().collect::<Vec<_>>() {
                swept += class.sweep(lane, most - swept, now_us);
            }
        }
        self.length -= swept;
        swept
    }

    /// Takes the next one that is at least as urgent as `least`, and in time.
    pub fn next(&mut self, least: Priority, now_us: u64) -> Option<(Priority, T)> {
        loop {
            match self.take(least, now_us)? {
                Taken::InTime(priority, who) => return Some((priority, who)),
                Taken::Late => {}
            }
        }
    }

    /// Takes the next one that is at least as urgent as `least`; who is late is dropped without a word.
    pub fn take(&mut self, least: Priority, now_us: u64) -> Option<Taken<T>> {
        for priority in Priority::ALL.into_iter().rev() {
            if priority < least {
                break;
            }
            let bound_us = self.waits.of(priority);
            let class = &mut self.classes[priority as usize];
            let reads = priority <= Priority::AccountRead;
            let newest = reads && class.is_standing(bound_us, now_us);
            if let Some(next) = class.next(newest) {
                self.length -= 1;
                return Some(match next.is_late(now_us) {
                    true => Taken::Late,
                    false => Taken::InTime(priority, next.who),
                });
            }
        }
        None
    }

    /// Returns how many wait, with some whose time is over.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Tells whether nobody waits.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests;
