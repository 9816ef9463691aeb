//! What an operation is charged: worked out once for each, so that a message looks at no limit that does not count it.

use super::law::Law;
use super::limit::{Cost, Counts, Limit};
use super::part::Group;
use super::subject::Subjects;
use crate::operation::Operation;

/// One operation's limits, by whose they are.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Box<[Step]>,
    /// How many limits there are in all steps.
    pub(super) bounds: usize,
    /// Whether one of them counts what is under way.
    pub(super) concurrent: bool,
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
    counts: Counts,
    own_cost: Option<u32>,
}

impl Bound {
    /// Returns the units that a message of `share` uses.
    pub(super) fn price(&self, share: Cost) -> u64 {
        self.own_cost
            .map_or_else(|| share.of(self.counts), u64::from)
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
            let own = (0_u16..)
                .zip(limits)
                .filter(|(_, l)| l.subject == *subjects);
            let own = own.zip(&made.laws);
            let counting = own.filter(|((_, limit), _)| limit.applies_to(operation));
            let bounds: Box<[Bound]> = counting
                .map(|((index, limit), (law, at))| Bound {
                    limit: index,
                    law: *law,
                    at: *at,
                    counts: limit.counts,
                    own_cost: limit.own_cost(operation),
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
            steps,
        }
    }
}
