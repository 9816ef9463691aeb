//! Limits that several gateways share: what a message is asked to be charged at the server that they share, and what of its
//! charges here is given back if it is refused there.

use std::sync::Arc;

use super::counts::Counts;
use super::latch::Latch;
use super::law::{Law, Then};
use super::limit::{Cost, Limit};
use super::part::Part;
use super::plan::Plan;
use super::subject::{Subject, Subjects};
use super::table::Table;
use super::touch::{NOWHERE, Touch};
use super::{Payer, Usage};
use crate::cluster::{ClusterKey, Name, Text};
use crate::operation::Operation;

/// Whose counts a limit goes by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Across {
    /// All gateways of the cluster share it.
    Cluster {
        /// How exactly.
        how: How,
        /// What becomes of messages while the server is lost.
        on_loss: OnLoss,
    },
    /// Each gateway by itself.
    #[default]
    Node,
}

impl Across {
    /// Tells whether it is this gateway's alone.
    pub const fn is_node(self) -> bool {
        matches!(self, Self::Node)
    }
}

/// How a limit is shared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// Each message is charged at the server before it goes on.
    Exact,
    /// A gateway fetches units ahead of their use, so many at most.
    Lease(u64),
}

/// What becomes of messages that a limit counts while the server is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnLoss {
    /// What was fetched is used up, and then they are refused.
    LeaseOut,
    /// They are refused.
    Refuse,
    /// They are charged to this gateway's own share.
    Share,
}

/// One of the limits that are shared.
struct Far {
    /// Its index in the configuration.
    limit: u16,
    subjects: Subjects,
    counts: Counts,
    /// What tells it from other limits, as far as that is hashed.
    begun: Text,
}

impl std::fmt::Debug for Far {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Far").field("limit", &self.limit).finish()
    }
}

/// All limits that are shared.
#[derive(Debug, Default)]
pub(super) struct Shared {
    limits: Box<[Far]>,
}

/// What is asked of the server for one subject of one limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Charge {
    /// The limit's index in the configuration.
    pub limit: u16,
    /// Whose it is.
    pub name: Name,
    /// Units that the message costs.
    pub price: u64,
}

impl Shared {
    /// Compiles those of `limits` that are shared.
    pub(super) fn of(limits: &[Limit], key: &ClusterKey) -> Self {
        let shared = (0_u16..).zip(limits).filter(|(_, l)| !l.across.is_node());
        let limits = shared.map(|(index, limit)| {
            let mut begun = key.begin(b"limit");
            begun.put(limit.name.as_bytes());
            begun.put(limit.subject.to_string().as_bytes());
            begun.put(limit.counts.as_str().as_bytes());
            // By another law its record means something else. A quota may be changed.
            begun.put(limit.law_word().as_bytes());
            begun.put(&limit.window_ms.to_be_bytes());
            Far {
                limit: index,
                subjects: limit.subject,
                counts: limit.counts,
                begun,
            }
        });
        Self {
            limits: limits.collect(),
        }
    }

    /// Tells whether a message that asks for `operation` may be charged there.
    pub(super) fn counts(&self, limits: &[Limit], operation: Operation) -> bool {
        let mut own = self
            .limits
            .iter()
            .map(|far| &limits[usize::from(far.limit)]);
        own.any(|limit| limit.applies_to(operation))
    }

    /// Returns what a message is charged there. `known` and `listed` name an instrument, those that are not told apart
    /// alike.
    pub(super) fn ask<'a>(
        &self,
        limits: &[Limit],
        payer: &'a Payer<'a>,
        cost: Cost,
        known: impl Fn(&'a str) -> &'a str,
        listed: impl Fn(u32) -> &'a str,
    ) -> Vec<Charge> {
        let mut charges = Vec::new();
        for far in &self.limits {
            let limit = &limits[usize::from(far.limit)];
            if !limit.applies_to(payer.operation) || !far.subjects.is_of(payer) {
                continue;
            }
            let mut charge = |symbol: &str, share: Cost| {
                let own = limit.own_cost(payer.operation).map(u64::from);
                let price = own.unwrap_or_else(|| share.of(far.counts));
                if price > 0 {
                    charges.push(Charge {
                        limit: far.limit,
                        name: named(far, payer, symbol),
                        price,
                    });
                }
            };
            if !far.subjects.contains(Subject::Symbol) {
                charge("", cost);
                continue;
            }
            let mut symbols: Vec<&str> = match payer.orders {
                [] => payer
                    .about
                    .iter()
                    .map(|order| listed(order.symbol))
                    .collect(),
                orders => orders.iter().map(|order| known(order.symbol)).collect(),
            };
            if let [one] = symbols[..] {
                charge(one, cost);
                continue;
            }
            symbols.sort_unstable();
            for same in symbols.chunk_by(|a, b| a == b) {
                charge(same[0], cost.share(same.len() as u32));
            }
        }
        charges
    }
}

impl<L: Latch> Table<L> {
    /// Names subjects of limits that are shared by `key`. Without it nothing is charged to these.
    #[must_use]
    pub fn across(mut self, key: &ClusterKey) -> Self {
        self.shared = Shared::of(&self.limits, key);
        self
    }

    /// Tells whether a message that asks for `operation` may be charged at the server that limits are shared at.
    pub fn shares(&self, operation: Operation) -> bool {
        self.shared.counts(&self.limits, operation)
    }

    /// Returns what a message is charged at the server that limits are shared at.
    pub fn ask(&self, payer: &Payer<'_>, cost: Cost) -> Vec<Charge> {
        // What is not listed is one instrument.
        let listed = |symbol: u32| {
            let mut symbols = self.symbols.iter();
            let found = symbols.find(|(_, known)| **known == symbol);
            found.map_or("", |(name, _)| name)
        };
        let known = |name: &str| match self.symbols.get_key_value(name) {
            Some((name, _)) => &**name,
            None => "",
        };
        self.shared.ask(&self.limits, payer, cost, known, listed)
    }
}

fn named(far: &Far, payer: &Payer<'_>, symbol: &str) -> Name {
    let mut text = far.begun.clone();
    for subject in far.subjects.iter() {
        subject.spell(payer, symbol, |part| text.put(part));
    }
    text.end()
}

/// What a message was charged here, as long as it may still be refused elsewhere.
#[derive(Debug)]
pub struct Taken<L: Latch = super::System> {
    parts: Arc<[L::Of<Part>]>,
    used: Box<[Use]>,
}

/// So many units of one cell, and when they were used as the cell counts.
#[derive(Clone, Copy, Debug)]
struct Use {
    key: u128,
    part: usize,
    group: u16,
    law: Law,
    at: usize,
    /// And what was added to that to which they are.
    units: (u64, u64),
    then: Then,
}

impl<L: Latch> Taken<L> {
    /// Notes what a charge at `then`, the time of its cell, used. The parts are locked.
    pub(super) fn of(
        (plan, payer): (&Plan, &Payer<'_>),
        touches: &[Touch],
        parts: &Arc<[L::Of<Part>]>,
        then: &[Then],
    ) -> Self {
        let mut used = Vec::with_capacity(then.len());
        let mut then = then.iter();
        for touch in touches.iter().filter(|touch| touch.slot != NOWHERE) {
            for bound in &plan.steps[touch.step].bounds {
                used.push(Use {
                    key: touch.key,
                    part: touch.part,
                    group: touch.group,
                    law: bound.law,
                    at: bound.at,
                    units: bound.price(touch, payer),
                    then: then.next().copied().unwrap_or_default(),
                });
            }
        }
        Self {
            parts: Arc::clone(parts),
            used: used.into(),
        }
    }

    /// Gives all of it back that has not come back by itself, and never more.
    pub fn give_back(self) {
        for used in self.used.iter().filter(|used| used.units != (0, 0)) {
            let mut part = L::lock(&self.parts[used.part]);
            let room = &mut part.rooms[usize::from(used.group)];
            // Forgotten: then all had come back.
            let Some(slot) = room.find(used.key) else {
                continue;
            };
            let cell = &mut room.cells(slot)[used.at..used.at + used.law.words()];
            used.law.take_back(cell, used.then, used.units);
        }
    }
}

/// What the server that gateways share said of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Its signature was used at another gateway, in a way that excludes this one.
    Claimed,
    /// The first of its charges that does not fit, and when it would.
    Exceeded {
        /// The limit's index in the configuration.
        limit: u16,
        /// In so many milliseconds.
        wait_ms: u64,
        /// How the limits stand.
        usages: Vec<Usage>,
    },
    /// All of it was charged.
    Granted(Vec<Usage>),
    /// The server did not answer, or nothing that counts.
    Lost,
    /// It was signed before the server remembered.
    Unknown,
}
