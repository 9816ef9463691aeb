//! What an operation is charged: worked out once for each, so that a message looks at no limit that does not count it.

use super::counts::Counts;
use super::law::Law;
use super::limit::{Age, Cost, Limit};
use super::part::Group;
use super::subject::{Subject, Subjects};
use super::touch::Touch;
use super::{About, Payer};
use crate::operation::Operation;

/// One operation's limits, by whose they are.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Box<[Step]>,
    /// How many limits there are in all steps.
    pub(super) bounds: usize,
    /// Whether one of them counts what is under way.
    pub(super) concurrent: bool,
    /// Whether one of them has to know of the orders that the message is about.
    pub(super) about: bool,
    /// Whether one of them is of strangers.
    pub(super) strangers: bool,
}

/// Limits of the same subjects.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) group: u16,
    pub(super) subjects: Subjects,
    pub(super) bounds: Box<[Bound]>,
}

/// One limit, as it counts one operation.
#[derive(Debug)]
pub(super) struct Bound {
    /// Its index in the configuration.
    pub(super) limit: u16,
    pub(super) law: Law,
    /// Where its cell begins in a record.
    pub(super) at: usize,
    pub(super) counts: Counts,
    own_cost: Option<u32>,
    ages: Box<[Age]>,
    /// Whether it is counted, and never refused.
    pub(super) admits: bool,
    /// What a message adds to a ratio, and to what that is to.
    added: [Added; 2],
}

/// What a message adds to one side of a ratio.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Added {
    Nothing,
    /// So many units for each order that it names.
    Items(u64),
    /// As many times the volume of its orders.
    Lots(u64),
    /// Orders that it places.
    Orders,
}

impl Added {
    /// Returns what a message adds that asks for `operation`. To change an order counts twice: as the annex of Regulation (EU)
    /// 2017/566 has it.
    const fn of(counts: Counts, operation: Operation) -> [Self; 2] {
        use Operation::{OrderAmend, OrderCancel, OrderPlace};
        match (counts, operation) {
            (Counts::CancelToOrder, OrderCancel) => [Self::Items(1), Self::Nothing],
            (Counts::CancelToOrder, OrderPlace) => [Self::Nothing, Self::Orders],
            (Counts::OrderToTrade, OrderPlace) => [Self::Orders, Self::Nothing],
            (Counts::OrderToTrade, OrderAmend) => [Self::Items(2), Self::Nothing],
            (Counts::OrderToTrade, OrderCancel) => [Self::Items(1), Self::Nothing],
            (Counts::VolumeToTrade, OrderAmend) => [Self::Lots(2), Self::Nothing],
            (Counts::VolumeToTrade, OrderCancel | OrderPlace) => [Self::Lots(1), Self::Nothing],
            _ => [Self::Nothing; 2],
        }
    }

    fn amount(self, touch: &Touch, payer: &Payer<'_>) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Items(each) => touch.share.of(Counts::Items).saturating_mul(each),
            Self::Orders => touch.share.of(Counts::Orders),
            Self::Lots(times) => {
                let own = payer.about.iter().filter(|order| touch.has(order));
                let lots = own.fold(0_u64, |sum, order| sum.saturating_add(order.lots));
                lots.saturating_mul(times)
            }
        }
    }
}

impl Bound {
    /// Returns the units that a message of `share` uses, whatever it is about.
    pub(super) fn base(&self, share: Cost) -> u64 {
        self.own_cost
            .map_or_else(|| share.of(self.counts), u64::from)
    }

    /// Returns the units that a message uses of whoever is touched, and what it adds to that to which they are.
    pub(super) fn price(&self, touch: &Touch, payer: &Payer<'_>) -> (u64, u64) {
        match self.counts.is_ratio() {
            true => {
                let [used, other] = self.added.map(|added| added.amount(touch, payer));
                (used, other)
            }
            false => (self.units(touch, payer), 0),
        }
    }

    fn units(&self, touch: &Touch, payer: &Payer<'_>) -> u64 {
        let base = self.base(touch.share);
        if self.ages.is_empty() {
            return base;
        }
        if payer.about.is_empty() {
            // Nobody knows which orders it is about.
            return base.saturating_add(self.by_age(None));
        }
        let own = payer.about.iter().filter(|order| touch.has(order));
        let sum = |sum: u64, order: &About| sum.saturating_add(self.by_age(order.age_ms));
        own.fold(base, sum)
    }

    /// Returns what an order that has stood for so long costs on top; one of which that is not known, the most.
    fn by_age(&self, age_ms: Option<u64>) -> u64 {
        let units = match age_ms {
            None => self.ages.iter().map(|age| age.units).max(),
            Some(age_ms) => {
                let mut ages = self.ages.iter();
                let younger = ages.find(|age| age_ms < age.below_ms);
                younger.map(|age| age.units)
            }
        };
        u64::from(units.unwrap_or_default())
    }
}

impl Plan {
    pub(super) fn of(
        operation: Operation,
        kinds: &[Subjects],
        groups: &[Group],
        limits: &[Limit],
    ) -> Self {
        let steps = (0_u16..).zip(kinds).zip(groups);
        let steps = steps.filter_map(|((group, subjects), made)| {
            // INVARIANT: those in a group are of limits.
            let own = made.own();
            let own = own.map(|(index, made)| ((index, &limits[usize::from(index)]), made));
            let counting = own.filter(|((_, limit), _)| limit.applies_to(operation));
            let bounds: Box<[Bound]> = counting
                .map(|((index, limit), (law, at))| Bound {
                    limit: index,
                    law: *law,
                    at: *at,
                    counts: limit.counts,
                    own_cost: limit.own_cost(operation),
                    ages: limit.own_ages(operation).into(),
                    admits: (limit.admits || limit.counts.is_ratio()) && operation.reduces_risk(),
                    added: Added::of(limit.counts, operation),
                })
                .collect();
            (!bounds.is_empty()).then_some(Step {
                group,
                subjects: *subjects,
                bounds,
            })
        });
        let steps: Box<[Step]> = steps.collect();
        let mut bounds = steps.iter().flat_map(|step| &step.bounds);
        Self {
            bounds: bounds.clone().count(),
            concurrent: bounds.any(|bound| matches!(bound.law, Law::Concurrent { .. })),
            about: limits.iter().any(|limit| limit.asks_about(operation)),
            strangers: steps.iter().any(|s| s.subjects.contains(Subject::Stranger)),
            steps,
        }
    }
}
