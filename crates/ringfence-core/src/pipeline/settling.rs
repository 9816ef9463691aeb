//! What a decision comes to when the server that gateways share has said what it thinks, or nothing.
//!
//! Invariant: what is refused then is charged nowhere. Only the signature is spent, as it is with any refusal behind it.

use std::slice;

use super::charging::payer;
use super::{Core, Decision, Message, Permit, Sharing, Trace};
use crate::budget::{Across, Answer, OnLoss, Payer, Usage, Usages};
use crate::cluster::ClaimsOnLoss;
use crate::guard::OrderText;
use crate::mode::{Control, Mode};
use crate::operation::Operation;
use crate::refusal::{Code, Refusal};

impl Core {
    /// Tells whether a message may have to wait for what the server says.
    pub fn may_wait(&self, operation: Operation, signed: bool) -> bool {
        // What is signed may turn out to be another operation, by its body.
        self.shares.is_some() && (signed || self.budget.shares(operation))
    }

    /// Lets a decision hold, or be refused, by what the server `said` to what it asked.
    pub fn settle(
        &self,
        message: &Message<'_>,
        mut decision: Decision,
        said: Answer,
        now_us: u64,
    ) -> Decision {
        let Some(sharing) = decision.sharing.take() else {
            return decision;
        };
        let Sharing {
            claim,
            charges,
            taken,
        } = *sharing;
        let refusal = match said {
            Answer::Granted(usages) => {
                decision.usages.add(usages);
                None
            }
            Answer::Exceeded {
                limit,
                wait_ms,
                usages,
            } => {
                decision.usages.add(usages);
                Some((Control::Budget, self.budget.exceeded(limit, wait_ms)))
            }
            Answer::Claimed => Some((Control::Freshness, Code::ReplaySeen.into())),
            Answer::Unknown => Some((Control::Freshness, Code::ClusterUnavailable.into())),
            Answer::Lost => {
                let claimed = claim.is_some();
                let limits = charges.iter().map(|charge| charge.limit);
                self.without_server(message, &mut decision, claimed, limits, now_us)
            }
        };
        let Some((control, refusal)) = refusal else {
            return decision;
        };
        if self.modes.of(control) != Mode::Enforce {
            decision.trace[control as usize] = Trace::WouldRefuse(refusal.code);
            return decision;
        }
        if let Some(taken) = taken {
            taken.give_back();
        }
        decision.refuse(control, refusal);
        decision
    }

    /// Judges by what this gateway knows alone.
    fn without_server(
        &self,
        message: &Message<'_>,
        decision: &mut Decision,
        claimed: bool,
        limits: impl Iterator<Item = u16> + Clone,
        now_us: u64,
    ) -> Option<(Control, Refusal)> {
        let shares = self.shares.as_ref()?;
        // Whoever takes risk away is not kept from it by a server that is lost.
        if message.operation.reduces_risk() {
            return None;
        }
        let refuses = shares.claims == Some(ClaimsOnLoss::Refuse);
        if claimed && refuses && message.operation.spends() {
            return Some((Control::Freshness, Code::ClusterUnavailable.into()));
        }
        let on_loss = |index: u16| match self.budget.limits().get(usize::from(index))?.across {
            Across::Cluster { on_loss, .. } => Some(on_loss),
            Across::Node => None,
        };
        let unshared = |index| !matches!(on_loss(index), Some(OnLoss::Share));
        if limits.clone().any(unshared) {
            return Some((Control::Budget, Code::ClusterUnavailable.into()));
        }
        limits.clone().next()?;
        let (table, indices) = shares.own.as_ref()?;
        let found = decision.instrument.as_deref().zip(message.orders.first());
        let named = found.map(|(symbol, order)| OrderText { symbol, ..*order });
        let orders = named.as_ref().map_or(message.orders, slice::from_ref);
        let permit = decision.outcome.as_ref().ok();
        let venue_key = permit.and_then(Permit::venue_key);
        let who = (decision.credential.as_deref(), venue_key);
        let payer: Payer<'_> = payer(self, (message.peer, message.operation), orders, who);
        let mut usages = Usages::default();
        let taken = table.take(&payer, message.cost, now_us / 1000, &mut usages);
        let limit = |usage: &Usage| Usage {
            limit: indices
                .get(usize::from(usage.limit))
                .copied()
                .unwrap_or(usage.limit),
            ..*usage
        };
        let usages = usages.as_slice().iter().map(limit).collect();
        let refusal = taken.err();
        decision.usages.add(usages);
        refusal.map(|refusal| (Control::Budget, refusal))
    }
}

impl Decision {
    /// Refuses what was permitted so far, at `control`: none behind it was reached.
    fn refuse(&mut self, control: Control, refusal: Refusal) {
        let behind = self.trace.iter_mut().skip(control as usize + 1);
        behind.for_each(|seen| *seen = Trace::NotReached);
        self.trace[control as usize] = Trace::Refused(refusal.code);
        self.outcome = Err(refusal);
    }
}
