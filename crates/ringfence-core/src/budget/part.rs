//! One part of the table: what one lock guards. Its room is bounded, and is never made by forgetting what counts.

use super::law::Law;
use super::room::Room;
use crate::refusal::{Code, Refusal};

/// Records that are looked at when room is needed: what a message costs does not depend on how many there are.
const LOOKED_AT: u32 = 32;

/// Subjects with the same limits: each has one record.
#[derive(Debug)]
pub(super) struct Group {
    /// Whether strangers can make new ones.
    pub(super) open: bool,
    /// The limits' places in the configuration.
    pub(super) limits: Box<[u16]>,
    /// Each limit's law, and where its cell begins.
    pub(super) laws: Box<[(Law, usize)]>,
    /// Words of all cells.
    pub(super) words: usize,
}

impl Group {
    /// Returns each limit's place in the configuration, its law, and where its cell begins.
    pub(super) fn own(&self) -> impl Iterator<Item = (u16, &(Law, usize))> {
        self.limits.iter().copied().zip(&self.laws)
    }

    fn idle_ms(&self, cells: &[u64]) -> u64 {
        let idle_ms = self
            .laws
            .iter()
            .map(|(law, at)| law.idle_ms(&cells[*at..at + law.words()]));
        idle_ms.max().unwrap_or_default()
    }
}

/// Room for records, those that strangers can make apart: they may not take all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    pub(super) all: usize,
    pub(super) open: usize,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) rooms: Box<[Room]>,
    /// Records in all rooms, and in those that are open to strangers.
    live: usize,
    open: usize,
    /// Where room is looked for next: a group and a slot.
    hand: (usize, u32),
}

/// A record in use by a message, by its group and slot.
pub(super) type Pin = (u16, u32);

impl Part {
    pub(super) fn new(groups: &[Group]) -> Self {
        Self {
            rooms: groups.iter().map(|group| Room::new(group.words)).collect(),
            live: 0,
            open: 0,
            hand: (0, 0),
        }
    }

    /// Returns how many records there are.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    /// Returns the slot of a subject of the group at `index`; it is made if it is not known. What is pinned stays.
    ///
    /// # Errors
    ///
    /// `budget_full`.
    pub(super) fn slot(
        &mut self,
        (groups, index): (&[Group], u16),
        key: u128,
        capacity: Capacity,
        now_ms: u64,
        pinned: impl Fn(Pin) -> bool,
    ) -> Result<u32, Refusal> {
        // INVARIANT: there is a room for each group, and an index is that of one.
        let group = &groups[usize::from(index)];
        if let Some(slot) = self.rooms[usize::from(index)].find(key) {
            return Ok(slot);
        }
        let open_only = group.open && self.open >= capacity.open;
        if open_only || self.live >= capacity.all {
            self.make_room(groups, open_only, now_ms, pinned)?;
        }
        let room = &mut self.rooms[usize::from(index)];
        let slot = room.insert(key);
        let floor_ms = room.floor_ms;
        let cells = room.cells(slot);
        for (law, at) in &group.laws {
            law.start(&mut cells[*at..at + law.words()], floor_ms);
        }
        self.live += 1;
        self.open += usize::from(group.open);
        Ok(slot)
    }

    /// Forgets one record in which all has come back; with `open_only`, one that a stranger can make.
    fn make_room(
        &mut self,
        groups: &[Group],
        open_only: bool,
        now_ms: u64,
        pinned: impl Fn(Pin) -> bool,
    ) -> Result<(), Refusal> {
        let mut wait_ms = u64::MAX;
        let mut rounds = 0;
        let mut looked_at = 0;
        while looked_at < LOOKED_AT && rounds <= groups.len() {
            let (index, slot) = self.hand;
            let (group, room) = (&groups[index], &mut self.rooms[index]);
            if slot >= room.slots() || open_only && !group.open {
                self.hand = ((index + 1) % groups.len(), 0);
                rounds += 1;
                continue;
            }
            self.hand.1 += 1;
            looked_at += 1;
            if room.key(slot) == 0 || pinned((index as u16, slot)) {
                continue;
            }
            let idle_ms = group.idle_ms(room.cells(slot));
            if idle_ms > now_ms {
                wait_ms = wait_ms.min(idle_ms - now_ms);
                continue;
            }
            room.floor_ms = room.floor_ms.max(idle_ms);
            room.remove(slot);
            self.live -= 1;
            self.open -= usize::from(group.open);
            return Ok(());
        }
        let full = Refusal::new(Code::BudgetFull);
        Err(match wait_ms {
            u64::MAX => full,
            wait_ms => full.retry_after(wait_ms),
        })
    }
}
