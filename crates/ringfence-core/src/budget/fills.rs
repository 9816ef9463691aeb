//! What fills change: whose budgets an order was charged to, and what these get back when it is filled.

use super::Payer;
use super::counts::Counts;
use super::latch::Latch;
use super::law::Law;
use super::part::Part;
use super::subject::{Pick, Subject, Subjects};
use super::table::Table;

/// Whose budgets an order was charged to, of those that its fills change.
#[derive(Clone, Debug)]
pub struct Stakes {
    charged_ms: u64,
    /// Groups of limits, and the subject's key in each.
    of: Box<[(u16, u128)]>,
}

/// That an order was filled, or filled further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fill {
    /// Whether it is the first that is heard of.
    pub first: bool,
    /// When the venue says that the first one was, if it says so.
    pub first_ms: Option<u64>,
    /// When the venue says that the last one was, if it says so.
    pub last_ms: Option<u64>,
    /// How much was filled last, in lots, if that is known.
    pub lots: u64,
    /// Our time. Milliseconds since the Unix epoch, as above.
    pub now_ms: u64,
}

impl Fill {
    /// Tells whether what it gives back is of the window in which it is heard: filled in that, or charged in it and so
    /// filled later. Otherwise the venue gave it back in a window that is over.
    pub(super) fn is_of_now(&self, charged_ms: u64, window_ms: u64) -> bool {
        self.is_now(self.first_ms.unwrap_or(charged_ms), window_ms)
    }

    /// Tells whether the trade was in the window in which it is heard.
    pub(super) fn is_traded_now(&self, charged_ms: u64, window_ms: u64) -> bool {
        self.is_now(self.last_ms.unwrap_or(charged_ms), window_ms)
    }

    fn is_now(&self, at_ms: u64, window_ms: u64) -> bool {
        at_ms / window_ms == self.now_ms / window_ms
    }
}

impl<L: Latch> Table<L> {
    /// Tells whether some limit is changed by fills.
    pub const fn follows_fills(&self) -> bool {
        self.fills
    }

    /// Returns whose budgets an order was charged to at `charged_ms` that its fills change: the only one of `payer`'s.
    pub fn stakes(&self, payer: &Payer<'_>, charged_ms: u64) -> Stakes {
        let symbol = payer
            .orders
            .first()
            .map_or(0, |order| self.symbol(order.symbol));
        let plan = self.plan(payer.operation);
        let steps = plan.steps.iter().filter(|step| {
            let changed = step.bounds.iter().any(|bound| bound.counts.has_fills());
            changed && step.subjects.is_of(payer)
        });
        let key = |group: u16, subjects: Subjects| {
            let by_symbol = subjects.contains(Subject::Symbol);
            self.key(subjects, group, payer, if by_symbol { symbol } else { 0 })
        };
        Stakes {
            charged_ms,
            of: steps
                .map(|step| (step.group, key(step.group, step.subjects)))
                .collect(),
        }
    }

    /// Takes that an order was filled which was charged to `stakes`. Of a subject that is forgotten nothing is changed.
    pub fn filled(&self, stakes: &Stakes, fill: &Fill) {
        for (group, key) in &stakes.of {
            let mut part = L::lock(self.part(*key));
            // INVARIANT: an index is that of a group, and there is a room for each.
            let room = &mut part.rooms[usize::from(*group)];
            let Some(slot) = room.find(*key) else {
                continue;
            };
            let cells = room.cells(slot);
            for (counts, law, at) in self.laws(*group) {
                let cell = &mut cells[at..at + law.words()];
                match counts {
                    Counts::Unfilled if fill.first => law.refund(cell, stakes.charged_ms, fill),
                    Counts::OrderToTrade => law.trade(cell, stakes.charged_ms, fill, 1),
                    Counts::VolumeToTrade => law.trade(cell, stakes.charged_ms, fill, fill.lots),
                    Counts::CancelToOrder
                    | Counts::Items
                    | Counts::Orders
                    | Counts::Requests
                    | Counts::Unfilled
                    | Counts::Weight => {}
                }
            }
        }
    }

    fn key(&self, subjects: Subjects, group: u16, payer: &Payer<'_>, symbol: u32) -> u128 {
        let pick = Pick { symbol, cell: 0 };
        subjects.key(&self.random, group, payer, pick)
    }

    fn part(&self, key: u128) -> &L::Of<Part> {
        &self.parts[self.part_of(key)]
    }

    /// Returns what each limit of a group counts, its law, and where its cell begins.
    fn laws(&self, group: u16) -> impl Iterator<Item = (Counts, &Law, usize)> {
        // INVARIANT: an index is that of a group, and those in it are of limits.
        let own = self.groups[usize::from(group)].own();
        own.map(|(limit, (law, at))| (self.limits[usize::from(limit)].counts, law, *at))
    }
}
