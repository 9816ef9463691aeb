//! Whom a message is charged to: where their records are, and the locks around them while it is judged.

use std::array;

use super::latch::Latch;
use super::limit::Cost;
use super::part::Part;
use super::plan::{Bound, Plan, Step};
use super::subject::{Pick, Subject};
use super::table::Table;
use super::{About, Payer};

/// Parts of the table, at most.
pub(super) const PARTS: usize = 64;
/// A slot that no record has.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A subject that a message is charged to.
#[derive(Clone, Copy)]
pub(super) struct Touch {
    pub(super) key: u128,
    /// What falls on it of the message's cost.
    pub(super) share: Cost,
    /// The instrument whose orders fall on it; none where all do.
    pub(super) symbol: Option<u32>,
    /// Which step of the plan it belongs to.
    pub(super) step: usize,
    pub(super) group: u16,
    pub(super) part: usize,
    pub(super) slot: u32,
}

impl Touch {
    /// Fills places that no subject has yet.
    pub(super) const NONE: Self = Self {
        key: 0,
        share: Cost {
            weight: 0,
            orders: 0,
            items: 0,
        },
        symbol: None,
        step: 0,
        group: 0,
        part: 0,
        slot: NOWHERE,
    };

    /// Tells whether an order falls on it.
    pub(super) fn has(&self, order: &About) -> bool {
        self.symbol.is_none_or(|symbol| symbol == order.symbol)
    }
}

/// The parts that a message has locked.
pub(super) type Locked<'a, L> = [Option<<L as Latch>::Held<'a, Part>>; PARTS];

impl<L: Latch> Table<L> {
    /// Finds whom a message is charged to.
    pub(super) fn touch(
        &self,
        plan: &Plan,
        payer: &Payer<'_>,
        cell: u16,
        cost: Cost,
        mut put: impl FnMut(Touch),
    ) {
        for (index, step) in plan.steps.iter().enumerate() {
            if !step.subjects.is_of(payer) {
                continue;
            }
            let mut touch = |symbol: Option<u32>, share: Cost| {
                let number = symbol.unwrap_or_default();
                let pick = Pick {
                    symbol: number,
                    cell,
                };
                let key = step.subjects.key(&self.random, step.group, payer, pick);
                put(Touch {
                    key,
                    share,
                    symbol,
                    step: index,
                    group: step.group,
                    part: self.part_of(key),
                    slot: NOWHERE,
                });
            };
            if !step.subjects.contains(Subject::Symbol) {
                touch(None, cost);
                continue;
            }
            match (payer.orders, payer.about) {
                ([order], _) => touch(Some(self.symbol(order.symbol)), cost),
                ([], [order]) => touch(Some(order.symbol), cost),
                (orders, about) => {
                    let carried = orders.iter().map(|order| self.symbol(order.symbol));
                    let others = about.iter().filter(|_| orders.is_empty());
                    let mut symbols: Vec<u32> = Vec::with_capacity(orders.len().max(about.len()));
                    symbols.extend(carried.chain(others.map(|order| order.symbol)));
                    symbols.sort_unstable();
                    for same in symbols.chunk_by(|a, b| a == b) {
                        touch(Some(same[0]), cost.share(same.len() as u32));
                    }
                }
            }
        }
    }

    pub(super) fn lock(&self, touches: &[Touch]) -> Locked<'_, L> {
        let mut locked = array::from_fn(|_| None);
        let mut left = touches.iter().fold(0_u64, |set, t| set | 1 << t.part);
        while left != 0 {
            let part = left.trailing_zeros() as usize;
            locked[part] = Some(L::lock(&self.parts[part]));
            left &= left - 1;
        }
        locked
    }
}

/// Shows each cell that a message is charged to, and what.
pub(super) fn each<L: Latch>(
    (plan, payer): (&Plan, &Payer<'_>),
    touches: &[Touch],
    locked: &mut Locked<'_, L>,
    mut show: impl FnMut(&Bound, &mut [u64], (u64, u64)),
) {
    for touch in touches.iter().filter(|touch| touch.slot != NOWHERE) {
        let Some(part) = &mut locked[touch.part] else {
            continue;
        };
        let cells = part.rooms[usize::from(touch.group)].cells(touch.slot);
        let Step { bounds, .. } = &plan.steps[touch.step];
        for bound in bounds {
            let cell = &mut cells[bound.at..bound.at + bound.law.words()];
            show(bound, cell, bound.price(touch, payer));
        }
    }
}
