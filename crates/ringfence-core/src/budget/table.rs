//! All limits and how they stand: one bounded table of subjects, in parts with a lock each.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::Arc;

use super::across::{Shared, Taken};
use super::excess::{exceeded, later, sooner};
use super::latch::{Latch, System};
use super::law::{Law, Standing, Then};
use super::limit::{BudgetError, Cost, Limit};
use super::meter::Pending;
use super::part::{Capacity, Group, Part};
use super::plan::Plan;
use super::strangers::Strangers;
use super::subject::Subjects;
use super::touch::{Locked, NOWHERE, PARTS, Touch, each};
use super::under_way::UnderWay;
use super::{LIMITS_MAX, Payer, Usage, Usages};
use crate::operation::Operation;
use crate::refusal::{Code, Refusal};

/// All limits and how they stand.
#[derive(Debug)]
pub struct Table<L: Latch> {
    pub(super) limits: Box<[Limit]>,
    pub(super) groups: Box<[Group]>,
    /// Whose limits each group holds.
    pub(super) subjects: Box<[Subjects]>,
    /// What each operation is charged, in the order of [`Operation::ALL`].
    plans: Box<[Plan]>,
    capacity: Capacity,
    /// Whether some limit has to know which orders stand.
    pub(super) follows: bool,
    /// Whether some limit is changed by fills.
    pub(super) fills: bool,
    /// The instruments that are told apart: all others are one subject, 0.
    pub(super) symbols: HashMap<Box<str>, u32>,
    strangers: Strangers,
    pub(super) random: RandomState,
    /// As many as are a power of two. Messages lock them in ascending order, so that no two wait for each other.
    pub(super) parts: Arc<[L::Of<Part>]>,
    /// Those that are charged elsewhere.
    pub(super) shared: Shared,
}

/// The table that serves.
pub type BudgetTable = Table<System>;

/// Proof that every limit that applies was charged, or that none does. At the venue its cost is under way as long as it
/// is held, and so are the units of limits on what is under way here.
#[must_use]
#[derive(Debug)]
pub struct Charged<L: Latch = System> {
    _upstream: Option<Pending>,
    _venue: Option<Pending>,
    _under_way: Option<UnderWay<L>>,
}

impl<L: Latch> Table<L> {
    /// Makes a table for `limits` that keeps about so many subjects at most; of those that strangers can make, three
    /// quarters of it.
    ///
    /// # Errors
    ///
    /// [`BudgetError`].
    pub fn new(limits: Vec<Limit>, subjects: usize) -> Result<Self, BudgetError> {
        Self::in_parts(limits, subjects, PARTS)
    }

    /// As [`Table::new`], in so many parts: a power of two, [`PARTS`] at most.
    pub(super) fn in_parts(
        limits: Vec<Limit>,
        subjects: usize,
        parts: usize,
    ) -> Result<Self, BudgetError> {
        if limits.len() > LIMITS_MAX {
            return Err(BudgetError::TooMany);
        }
        let mut kinds: Vec<Subjects> = Vec::new();
        for limit in &limits {
            if limit.across.is_node() && !kinds.contains(&limit.subject) {
                kinds.push(limit.subject);
            }
        }
        let mut groups = Vec::new();
        for kind in &kinds {
            groups.push(group(*kind, &limits)?);
        }
        let plans = Operation::ALL.map(|operation| Plan::of(operation, &kinds, &groups, &limits));
        let open = (subjects.div_ceil(parts) * 3 / 4).max(1);
        let parts = (0..parts).map(|_| L::around(Part::new(&groups)));
        let follows = plans.iter().any(|plan| plan.about);
        let fills = limits.iter().any(|limit| limit.counts.has_fills());
        Ok(Self {
            follows: follows || fills,
            fills,
            capacity: Capacity {
                all: subjects.div_ceil(parts.len()).max(open + 1),
                open,
            },
            parts: parts.collect(),
            limits: limits.into(),
            groups: groups.into(),
            subjects: kinds.into(),
            plans: plans.into(),
            symbols: HashMap::new(),
            strangers: Strangers::default(),
            random: RandomState::new(),
            shared: Shared::default(),
        })
    }

    /// Tells these instruments apart; all others count as one.
    #[must_use]
    pub fn with_symbols<'a>(mut self, symbols: impl IntoIterator<Item = &'a str>) -> Self {
        self.symbols = symbols.into_iter().map(Box::from).zip(1..).collect();
        self
    }

    /// Has strangers share so many cells.
    #[must_use]
    pub fn with_strangers(mut self, strangers: Strangers) -> Self {
        self.strangers = strangers;
        self
    }

    /// Takes another key for the hash of subjects.
    #[cfg(test)]
    pub(super) fn keyed(self, random: RandomState) -> Self {
        Self { random, ..self }
    }

    /// Returns the parts that a message touches, in the order of its limits.
    #[cfg(test)]
    pub(super) fn parts_of(&self, payer: &Payer<'_>) -> Vec<usize> {
        let mut parts = Vec::new();
        let plan = &self.plans[payer.operation as usize];
        let mut put = |touch: Touch| parts.push(touch.part);
        self.touch(plan, payer, 0, Cost::default(), &mut put);
        parts
    }

    /// Returns the limits.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Charges `cost` to every limit that applies, or to none. Times are milliseconds since the Unix epoch.
    ///
    /// Returns how the limits stand in `usages`, in the order of the configuration, also when one refuses. Of a limit
    /// that counts several of the message's instruments, it is the one with the least left.
    ///
    /// # Errors
    ///
    /// `budget_exceeded` with the limit and when to come back, `budget_full`.
    pub fn take(
        &self,
        payer: &Payer<'_>,
        cost: Cost,
        now_ms: u64,
        usages: &mut Usages,
    ) -> Result<Charged<L>, Refusal> {
        let taken = self.take_by(payer, cost, now_ms, usages, false);
        taken.map(|(charged, _)| charged)
    }

    /// As [`Table::take`], and returns by what it can be given back: the message may still be refused elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Table::take`].
    pub fn take_for_now(
        &self,
        payer: &Payer<'_>,
        cost: Cost,
        now_ms: u64,
        usages: &mut Usages,
    ) -> Result<(Charged<L>, Option<Taken<L>>), Refusal> {
        self.take_by(payer, cost, now_ms, usages, true)
    }

    fn take_by(
        &self,
        payer: &Payer<'_>,
        cost: Cost,
        now_ms: u64,
        usages: &mut Usages,
        keep: bool,
    ) -> Result<(Charged<L>, Option<Taken<L>>), Refusal> {
        let plan = self.plan(payer.operation);
        if !plan.strangers || payer.credential.is_some() {
            return self.take_in(0, plan, (payer, cost), now_ms, usages, keep);
        }
        // One of the cells that are open to a stranger must have room.
        let mut refused = None;
        for cell in self.strangers.of(&self.random, payer.peer) {
            usages.0.clear();
            match self.take_in(cell, plan, (payer, cost), now_ms, usages, keep) {
                Ok(charged) => return Ok(charged),
                Err(full) => refused = sooner(refused, full),
            }
        }
        // INVARIANT: one cell at least is open to everybody.
        Err(refused.unwrap_or_else(|| Code::BudgetFull.into()))
    }

    /// As [`Table::take`]; of the cells of strangers it is charged to `cell`.
    fn take_in(
        &self,
        cell: u16,
        plan: &Plan,
        (payer, cost): (&Payer<'_>, Cost),
        now_ms: u64,
        usages: &mut Usages,
        keep: bool,
    ) -> Result<(Charged<L>, Option<Taken<L>>), Refusal> {
        let (mut few, mut many) = ([Touch::NONE; LIMITS_MAX], Vec::new());
        let touches = if payer.orders.len().max(payer.about.len()) > 1 {
            self.touch(plan, payer, cell, cost, |touch| many.push(touch));
            &mut many[..]
        } else {
            let mut count = 0;
            self.touch(plan, payer, cell, cost, |touch| {
                // INVARIANT: a plan has no more steps than there are limits.
                few[count] = touch;
                count += 1;
            });
            &mut few[..count]
        };
        // 1. Lock every part that is touched, in ascending order.
        let mut locked = self.lock(touches);
        self.find((plan, payer), touches, &mut locked, now_ms)?;
        // 2. Look at every limit; 3. only if all allow it, charge every limit.
        let refusal = self.look((plan, payer), touches, &mut locked, now_ms);
        let mut then = Vec::new();
        let note = |when| {
            if keep {
                then.push(when);
            }
        };
        if refusal.is_none() {
            Self::charge((plan, payer), touches, &mut locked, now_ms, note);
        }
        Self::tell((plan, payer), touches, &mut locked, now_ms, usages);
        match refusal {
            Some(refusal) => Err(refusal),
            // Under way from here on, while the parts are still locked.
            None => {
                let charged = Charged {
                    _upstream: payer.upstream.map(|meter| Pending::new(meter, cost)),
                    _venue: payer.venue.map(|meter| Pending::new(meter, cost)),
                    _under_way: UnderWay::of(plan, touches, &self.parts),
                };
                let taken = keep.then(|| Taken::of((plan, payer), touches, &self.parts, &then));
                Ok((charged, taken))
            }
        }
    }

    pub(super) fn plan(&self, operation: Operation) -> &Plan {
        // INVARIANT: there is a plan for each operation.
        &self.plans[operation as usize]
    }

    pub(super) fn part_of(&self, key: u128) -> usize {
        // The index of a room takes the key's lowest bits.
        (key >> 96) as usize & (self.parts.len() - 1)
    }

    pub(super) fn symbol(&self, name: &str) -> u32 {
        self.symbols.get(name).copied().unwrap_or_default()
    }

    /// Finds each subject's record, and makes those that are not known and will be charged.
    fn find(
        &self,
        (plan, payer): (&Plan, &Payer<'_>),
        touches: &mut [Touch],
        locked: &mut Locked<'_, L>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        for index in 0..touches.len() {
            let (before, rest) = touches.split_at_mut(index);
            let Some((touch, _)) = rest.split_first_mut() else {
                break;
            };
            // INVARIANT: each touch's part is locked, and its step and group are there; so below.
            let Some(part) = &mut locked[touch.part] else {
                continue;
            };
            let bounds = &plan.steps[touch.step].bounds;
            if bounds
                .iter()
                .any(|bound| bound.price(touch, payer) != (0, 0))
            {
                let (key, number) = (touch.key, touch.part);
                let pinned = |(group, slot)| {
                    let same = |t: &Touch| (t.part, t.group, t.slot) == (number, group, slot);
                    before.iter().any(same)
                };
                let group = (&*self.groups, touch.group);
                touch.slot = part.slot(group, key, self.capacity, now_ms, pinned)?;
            } else {
                let found = part.rooms[usize::from(touch.group)].find(touch.key);
                touch.slot = found.unwrap_or(NOWHERE);
            }
        }
        Ok(())
    }

    fn look(
        &self,
        charged: (&Plan, &Payer<'_>),
        touches: &[Touch],
        locked: &mut Locked<'_, L>,
        now_ms: u64,
    ) -> Option<Refusal> {
        let mut refusal = None;
        each::<L>(charged, touches, locked, |bound, cell, (price, _)| {
            let standing = bound.law.look(cell, now_ms);
            let fits = price == 0 || price <= standing.left;
            if !bound.admits && (!fits || bound.law.is_over(cell, standing)) {
                let wait_ms = bound.law.wait_ms(cell, standing, price);
                let limit = &self.limits[usize::from(bound.limit)];
                let amounts = bound.law.amounts(cell, standing);
                refusal = later(refusal.take(), exceeded(limit, amounts, wait_ms));
            }
        });
        refusal
    }

    fn charge(
        charged: (&Plan, &Payer<'_>),
        touches: &[Touch],
        locked: &mut Locked<'_, L>,
        now_ms: u64,
        mut note: impl FnMut(Then),
    ) {
        each::<L>(charged, touches, locked, |bound, cell, (price, other)| {
            let standing = bound.law.look(cell, now_ms);
            bound.law.charge(cell, standing, price);
            note(Law::then(cell, standing));
            bound.law.add_other(cell, now_ms, other);
        });
    }

    fn tell(
        charged: (&Plan, &Payer<'_>),
        touches: &[Touch],
        locked: &mut Locked<'_, L>,
        now_ms: u64,
        usages: &mut Usages,
    ) {
        usages.0.reserve_exact(charged.0.bounds);
        each::<L>(charged, touches, locked, |bound, cell, _| {
            usages.note(usage(bound.limit, bound.law.look(cell, now_ms)));
        });
        usages.0.sort_unstable_by_key(|usage| usage.limit);
    }
}

pub(super) const fn usage(limit: u16, standing: Standing) -> Usage {
    Usage {
        limit,
        used: standing.used,
        remaining: standing.left,
        reset_ms: standing.reset_ms,
    }
}

/// Puts the cells of the limits of one kind of subject one after the other.
fn group(kind: Subjects, limits: &[Limit]) -> Result<Group, BudgetError> {
    let (mut laws, mut own, mut words) = (Vec::new(), Vec::new(), 0);
    for (index, limit) in limits.iter().enumerate() {
        if limit.across.is_node() && limit.subject == kind {
            // INVARIANT: there are no more than LIMITS_MAX.
            own.push(index as u16);
            let law = Law::of(limit, index)?;
            laws.push((law, words));
            words += law.words();
        }
    }
    Ok(Group {
        open: kind.open_to_strangers(),
        limits: own.into(),
        laws: laws.into(),
        words,
    })
}
