//! Which limits are nearest to their edge: for people who watch, never for a message.
//!
//! The walk has one part's lock at a time, looks at few records while it has it, and at copies: watching changes nothing
//! and is in nobody's way. The table has no names; those of subjects that are known otherwise are found by making their keys
//! again. What was nearest is looked at each time, the others in turn.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::latch::Latch;
use super::meter::Meter;
use super::part::Part;
use super::subject::{Pick, Subject, Subjects};
use super::table::Table;
use super::{Limit, Payer};
use crate::credential::Credential;
use crate::operation::Operation;

/// Records that are looked at while a part is locked: some microseconds.
const SLICE: u32 = 32;
/// Records that one walk looks at: some ten milliseconds.
const RECORDS_MAX: usize = 65_536;
/// Keys that are made in search of names.
const TRIES_MAX: usize = 65_536;

/// All of a quota. What used less than one part in so many is not near to any edge.
const WHOLE: u64 = 1 << 20;

/// Where a limit of somebody stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Near {
    /// Index of the limit in the configuration.
    pub limit: u16,
    /// Units used.
    pub used: u64,
    /// Units left.
    pub left: u64,
    /// Milliseconds until all is back; 0 where no clock says.
    pub reset_ms: u64,
    /// Whose it is, word by word; none where nobody knows. Empty where it is everybody's.
    pub whose: Option<Whose>,
    /// Tells those apart who have no name, in this process.
    pub mark: u32,
    /// What part of the quota is used, of [`WHOLE`].
    part: u64,
    id: Id,
}

/// Names of the subjects in a combination.
pub type Whose = Arc<[(Subject, Box<str>)]>;

/// A subject: its group and its key.
type Id = (u16, u128);
/// Subjects, and whose they are where that is known.
type Kept = HashMap<Id, Option<Whose>>;

/// Who may be met in the table, by name.
#[derive(Debug, Default)]
pub struct Known {
    /// Those that are used, from the last.
    pub credentials: Vec<Arc<Credential>>,
    /// Those that are connected, or busy.
    pub addresses: Vec<IpAddr>,
    /// Those of the venue keys.
    pub venues: Vec<Arc<Meter>>,
}

/// A walk through the table that goes on where it was.
#[derive(Debug, Default)]
pub struct Survey {
    /// A part, a group and a slot.
    at: (usize, usize, u32),
    /// Those that were nearest, and their names.
    kept: Kept,
}

/// What a walk found.
#[derive(Debug)]
pub struct Surveyed {
    /// From the nearest.
    pub near: Vec<Near>,
    /// Records that were looked at this time.
    pub looked_at: usize,
    /// Records that there are.
    pub subjects: usize,
}

/// What one walk gathers.
struct Found<'a> {
    limits: &'a [Limit],
    most: usize,
    near: Vec<Near>,
    /// Who used no larger part than this is not among the nearest.
    enough: u64,
    now_ms: u64,
    cells: Vec<u64>,
}

impl Found<'_> {
    /// Looks at a copy of a record.
    fn look<L: Latch>(&mut self, table: &Table<L>, part: &mut Part, id: Id, slot: u32) {
        // INVARIANT: there is a group and a room for each index that an id or a walk has.
        let group = &table.groups[usize::from(id.0)];
        self.cells.clear();
        let cells = part.rooms[usize::from(id.0)].cells(slot);
        self.cells.extend_from_slice(cells);
        for (limit, (law, at)) in group.own() {
            let standing = law.look(&mut self.cells[*at..at + law.words()], self.now_ms);
            let quota = self.limits.get(usize::from(limit)).map_or(1, |l| l.quota);
            let part = standing.used.saturating_mul(WHOLE) / quota.max(1);
            if part > self.enough {
                self.near.push(Near {
                    limit,
                    used: standing.used,
                    left: standing.left,
                    reset_ms: standing.reset_ms,
                    whose: None,
                    mark: (id.1 >> 64) as u32,
                    part,
                    id,
                });
            }
        }
        if self.near.len() >= 1024.max(self.most * 4) {
            self.narrow();
        }
    }

    /// Keeps the nearest. From here on nobody is of interest who is not nearer than the last of them.
    fn narrow(&mut self) {
        let order = |near: &Near| (Reverse(near.part), near.limit, near.id);
        self.near.sort_unstable_by_key(order);
        self.near.dedup_by_key(|near| (near.limit, near.id));
        self.near.truncate(self.most);
        if self.near.len() == self.most {
            self.enough = self.near.last().map_or(0, |last| last.part);
        }
    }
}

impl<L: Latch> Table<L> {
    /// Returns the `most` limits that are nearest to their edge at `now_ms`, milliseconds since the Unix epoch, among those
    /// that were when `survey` was there last and those that it comes to this time. `known` is asked when a name is missing.
    pub fn survey(
        &self,
        survey: &mut Survey,
        most: usize,
        now_ms: u64,
        known: impl FnOnce() -> Arc<Known>,
    ) -> Surveyed {
        let mut found = Found {
            limits: &self.limits,
            most,
            near: Vec::new(),
            enough: 0,
            now_ms,
            cells: Vec::new(),
        };
        for id in survey.kept.keys() {
            let mut part = L::lock(&self.parts[self.part_of(id.1)]);
            if let Some(slot) = part.rooms[usize::from(id.0)].find(id.1) {
                found.look(self, &mut part, *id, slot);
            }
        }
        let looked_at = self.walk(&mut survey.at, &mut found);
        found.narrow();
        let mut near = found.near;
        let names = std::mem::take(&mut survey.kept);
        let of = |id: &Id| names.get(id).cloned().flatten();
        survey.kept = near.iter().map(|near| (near.id, of(&near.id))).collect();
        if survey.kept.values().any(Option::is_none) {
            self.name(&mut survey.kept, &known());
        }
        for near in &mut near {
            near.whose = survey.kept.get(&near.id).cloned().flatten();
        }
        let live = |part: &L::Of<Part>| L::lock(part).live();
        Surveyed {
            near,
            looked_at,
            subjects: self.parts.iter().map(live).sum(),
        }
    }

    /// Looks at records from `at` on, at most once at each part, and returns how many.
    fn walk(&self, at: &mut (usize, usize, u32), found: &mut Found<'_>) -> usize {
        let (mut looked_at, mut parts) = (0, 0);
        while parts < self.parts.len() && looked_at < RECORDS_MAX {
            let (number, group, first) = *at;
            if group >= self.groups.len() {
                *at = ((number + 1) % self.parts.len(), 0, 0);
                parts += 1;
                continue;
            }
            let mut part = L::lock(&self.parts[number]);
            let end = part.rooms[group].slots().min(first + SLICE);
            for slot in first..end {
                let key = part.rooms[group].key(slot);
                if key != 0 {
                    found.look(self, &mut part, (group as u16, key), slot);
                }
            }
            looked_at += (end - first.min(end)) as usize;
            *at = if end < first + SLICE {
                (number, group + 1, 0)
            } else {
                (number, group, end)
            };
        }
        looked_at
    }

    /// Finds names for what has none yet.
    fn name(&self, kept: &mut Kept, known: &Known) {
        let mut tries = TRIES_MAX;
        let symbols = self.symbol_names();
        for (group, subjects) in (0_u16..).zip(&self.subjects) {
            let nameless = |(id, name): (&Id, &Option<_>)| id.0 == group && name.is_none();
            let mut missing = kept
                .iter()
                .filter(|(id, name)| nameless((id, name)))
                .count();
            let mut each = Candidates::new(*subjects, known, symbols.len() as u32);
            while missing > 0 && tries > 0 {
                let Some((payer, symbol)) = each.next() else {
                    break;
                };
                tries -= 1;
                let pick = Pick { symbol, cell: 0 };
                let key = subjects.key(&self.random, group, &payer, pick);
                if let Some(name @ None) = kept.get_mut(&(group, key)) {
                    *name = Some(whose(*subjects, &payer, &symbols, symbol));
                    missing -= 1;
                }
            }
        }
    }

    fn symbol_names(&self) -> Vec<&str> {
        let mut names = vec!["others"; self.symbols.len() + 1];
        for (name, number) in &self.symbols {
            if let Some(place) = names.get_mut(*number as usize) {
                *place = name;
            }
        }
        names
    }
}

/// Every combination of what is known that a combination of subjects may be of.
struct Candidates<'k> {
    known: &'k Known,
    /// How many there are of credentials, addresses, venue keys, operations and symbols.
    counts: [usize; 5],
    next: usize,
}

impl<'k> Candidates<'k> {
    fn new(subjects: Subjects, known: &'k Known, symbols: u32) -> Self {
        let has = |wanted: &[Subject]| wanted.iter().any(|subject| subjects.contains(*subject));
        let count = |wanted: &[Subject], count: usize| if has(wanted) { count } else { 1 };
        let people = [
            Subject::Account,
            Subject::Credential,
            Subject::Organisation,
            Subject::Shard,
        ];
        Self {
            known,
            counts: [
                count(&[Subject::Symbol], symbols as usize),
                count(&[Subject::Operation], Operation::ALL.len()),
                count(&[Subject::Venue], known.venues.len()),
                count(&[Subject::Address, Subject::Network], known.addresses.len()),
                count(&people, known.credentials.len()),
            ],
            next: 0,
        }
    }

    fn next(&mut self) -> Option<(Payer<'k>, u32)> {
        let mut rest = self.next;
        self.next += 1;
        let mut places = [0; 5];
        for (place, count) in places.iter_mut().zip(self.counts) {
            *place = rest.checked_rem(count)?;
            rest /= count;
        }
        let [symbol, operation, venue, address, credential] = places;
        let Known {
            credentials,
            addresses,
            venues,
        } = self.known;
        // Of what is no subject here the first will do: no key has it.
        let payer = Payer {
            peer: addresses
                .get(address)
                .copied()
                .unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            operation: Operation::ALL.get(operation).copied()?,
            orders: &[],
            about: &[],
            credential: credentials.get(credential).map(|found| &**found),
            upstream: None,
            venue: venues.get(venue),
        };
        (rest == 0).then_some((payer, symbol as u32))
    }
}

/// Says whose a message would be.
fn whose(subjects: Subjects, payer: &Payer<'_>, symbols: &[&str], symbol: u32) -> Whose {
    let word = |subject: Subject| {
        let symbol = symbols.get(symbol as usize).copied().unwrap_or_default();
        Some((subject, subject.name(payer, symbol)?))
    };
    subjects.iter().filter_map(word).collect()
}

#[cfg(test)]
mod tests;
