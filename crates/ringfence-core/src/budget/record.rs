//! One subject's record outside of any message: what the venue says was used of it, and how a shard's stands.

use std::sync::Arc;

use super::latch::Latch;
use super::limit::{Cost, Limit};
use super::meter::{Meter, Told};
use super::subject::{Pick, Subject, Subjects};
use super::table::{Table, usage};
use super::{Payer, Usage};
use crate::shard::Shard;

impl<L: Latch> Table<L> {
    /// Takes what the venue says was used of it, in its answer to a message of `cost`: of the limits of `subject` that
    /// count so, what is known is raised to it, never lowered. What is still under way comes on top: the venue may not
    /// have seen it.
    ///
    /// An answer from one window says nothing of the next: it counts only if our clock saw the message's whole way in
    /// one window, and the venue's, where it says its time, is in the same.
    pub fn correct(&self, meter: &Arc<Meter>, subject: Subject, told: &Told, cost: Cost) {
        let wanted = |limit: &Limit| {
            limit.counts.at_venue() == told.counts
                && limit.window_ms == told.window_ms
                && limit.operations.is_empty()
        };
        let Some(group) = self.subjects.iter().position(|kind| kind.is(subject)) else {
            return;
        };
        let payer = Payer::of_venue(subject, meter);
        let pick = Pick::default();
        let key = Subjects::from(subject).key(&self.random, group as u16, &payer, pick);
        let mut part = L::lock(&self.parts[self.part_of(key)]);
        let under_way = meter.pending(told.counts);
        let others = under_way.saturating_sub(cost.of(told.counts));
        let used = told.used.saturating_add(others);
        let room = &mut part.rooms[group];
        let Some(slot) = room.find(key) else { return };
        for (limit, (law, at)) in self.groups[group].own() {
            // INVARIANT: those in a group are of limits.
            if !wanted(&self.limits[usize::from(limit)]) {
                continue;
            }
            let cell = &mut room.cells(slot)[*at..at + law.words()];
            law.raise(cell, told.now_ms, told.times_ms, used);
        }
    }

    /// Returns how the limits stand that are a shard's alone, in the order of the configuration.
    pub fn of_shard(&self, shard: Shard, now_ms: u64) -> Vec<Usage> {
        let Some(group) = self.subjects.iter().position(|k| k.is(Subject::Shard)) else {
            return Vec::new();
        };
        let key = Subjects::key_of_shard(&self.random, group as u16, shard);
        let mut part = L::lock(&self.parts[self.part_of(key)]);
        let room = &mut part.rooms[group];
        let slot = room.find(key);
        let own = self.groups[group].own();
        own.map(|(limit, (law, at))| match slot {
            Some(slot) => {
                let cell = &mut room.cells(slot)[*at..at + law.words()];
                usage(limit, law.look(cell, now_ms))
            }
            None => Usage {
                limit,
                remaining: self.limits[usize::from(limit)].quota,
                ..Usage::default()
            },
        })
        .collect()
    }
}
