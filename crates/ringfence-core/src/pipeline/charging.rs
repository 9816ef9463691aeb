//! Whom a message is charged to, and for what: the limits here, and those that gateways share.

use std::net::IpAddr;
use std::sync::Arc;

use super::passage::Passage;
use super::{Core, Sharing};
use crate::budget::{About, Charged, Payer};
use crate::credential::Credential;
use crate::egress::VenueKey;
use crate::guard::OrderText;
use crate::operation::Operation;
use crate::placed::OrderIds;
use crate::refusal::Refusal;

/// Who acts, and with which venue key.
pub(super) type Who<'a> = (Option<&'a Credential>, Option<&'a Arc<VenueKey>>);

fn who<'a>(
    credential: &'a Option<Arc<Credential>>,
    venue_key: &'a Option<Arc<VenueKey>>,
) -> Who<'a> {
    (credential.as_deref(), venue_key.as_ref())
}

/// Returns who pays for a message, by where it came from and what it asks.
pub(super) fn payer<'a>(
    core: &'a Core,
    (peer, operation): (IpAddr, Operation),
    orders: &'a [OrderText<'a>],
    (credential, venue_key): Who<'a>,
) -> Payer<'a> {
    let egress = core.egress.as_ref();
    let egress = egress.filter(|_| operation.reaches_venue());
    Payer {
        peer,
        operation,
        orders,
        about: &[],
        credential,
        upstream: egress.map(|egress| egress.upstream()),
        venue: venue_key.map(|key| key.meter()),
    }
}

impl Passage<'_, '_> {
    pub(super) fn charge(&mut self, orders: &[OrderText<'_>]) -> Result<Charged, Refusal> {
        let (message, now_ms) = (self.message, self.now_us / 1000);
        let egress = self.core.egress.as_ref();
        let egress = egress.filter(|_| message.operation.reaches_venue());
        if let Some(egress) = egress {
            egress.check(self.venue_key.as_deref(), message.cost, now_ms)?;
        }
        let budget = &self.core.budget;
        let (one, several);
        let about: &[About] = match (message.about, orders) {
            _ if !budget.asks_about(message.operation) => &[],
            ([], []) => &[],
            ([] | [_], [] | [_]) => {
                one = [self.about(message.about.first(), orders.first())];
                &one
            }
            (all, orders) => {
                let count = all.len().max(orders.len());
                let all = (0..count).map(|index| self.about(all.get(index), orders.get(index)));
                several = all.collect::<Vec<_>>();
                &several
            }
        };
        let payer = Payer {
            about,
            ..payer(
                self.core,
                (message.peer, message.operation),
                orders,
                who(&self.credential, &self.venue_key),
            )
        };
        let shared = match &self.core.shares {
            Some(_) => budget.ask(&payer, message.cost),
            None => Vec::new(),
        };
        if shared.is_empty() && self.claim.is_none() {
            return budget.take(&payer, message.cost, now_ms, &mut self.usages);
        }
        let taken = budget.take_for_now(&payer, message.cost, now_ms, &mut self.usages);
        let (charged, taken) = taken?;
        (self.charges, self.taken) = (shared, taken);
        Ok(charged)
    }

    /// Returns what is asked of the server that gateways share, if anything is.
    pub(super) fn shared(&mut self) -> Option<Box<Sharing>> {
        let (claim, charges) = (self.claim.take(), std::mem::take(&mut self.charges));
        (claim.is_some() || !charges.is_empty()).then(|| {
            Box::new(Sharing {
                claim,
                charges,
                taken: self.taken.take(),
            })
        })
    }

    /// Returns what limits look at of an order that the message is about. Of one that is known, its own instrument counts;
    /// the guard judges a change by the one that is said.
    fn about(&self, ids: Option<&OrderIds<'_>>, carried: Option<&OrderText<'_>>) -> About {
        let id = ids.and_then(|ids| ids.venue_order_id);
        let who = self.credential.as_deref().zip(id);
        let placed = who.and_then(|(who, id)| self.core.placed.of(who.account(), id));
        let known = placed.as_ref().map(|placed| &*placed.instrument);
        let said = ids.and_then(|ids| ids.symbol);
        let symbol = carried.map(|order| order.symbol).or(known).or(said);
        let now_ms = self.now_us / 1000;
        let age_ms = placed.as_ref().map(|p| now_ms.saturating_sub(p.since_ms));
        let lots = match carried {
            Some(order) => self.core.guard.lots(order),
            None => placed.as_ref().map_or(0, |placed| placed.lots),
        };
        self.core
            .budget
            .about(symbol.unwrap_or_default(), age_ms, lots)
    }

    /// Takes the orders that a permitted message changes for young again: whether the venue did, its answer may not tell.
    pub(super) fn note_changes(&self) {
        let follows = self.core.budget.follows_orders();
        let (Operation::OrderAmend, true, Some(who)) =
            (self.message.operation, follows, self.credential.as_deref())
        else {
            return;
        };
        for id in self
            .message
            .about
            .iter()
            .filter_map(|ids| ids.venue_order_id)
        {
            self.core
                .placed
                .touch(who.account(), id, self.now_us / 1000);
        }
    }
}
