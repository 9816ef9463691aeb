//! What is asked of those who judge behind the scopes: who wants what, how it came, and who has just stepped up for it.

use super::Core;
use crate::authority::Act;
use crate::credential::Credential;
use crate::funds::FundsText;
use crate::guard::OrderText;
use crate::operation::Operation;
use crate::policy::{Asked, StepUp};
use crate::proof::Proof as SteppedBy;
use crate::refusal::{Code, Detail, Refusal, StepUpDetail};

/// What is asked of whoever judges behind the scopes.
pub(super) struct Asking<'a> {
    pub(super) core: &'a Core,
    pub(super) who: &'a Credential,
    pub(super) act: &'a Act,
    pub(super) transport: &'static str,
    pub(super) now_us: u64,
}

impl<'a> Asking<'a> {
    /// Returns it as policies see it, with what the message carries.
    pub(super) fn about(
        &self,
        orders: &'a [OrderText<'a>],
        funds: Option<&'a FundsText<'a>>,
    ) -> Asked<'a> {
        let (who, act) = (self.who, self.act);
        Asked {
            account: who.account(),
            standing: who.standing(),
            key_id: who.key_id(),
            scopes: who.scopes(),
            algorithm: who.algorithm().as_str(),
            operation: act.operation,
            peer: act.peer,
            now_us: self.now_us,
            coverage: act.coverage,
            certificate: act.certificate.is_some(),
            transport: self.transport,
            step_up: self.step_up(),
            orders,
            funds,
            guard: &self.core.guard,
        }
    }

    /// Checks that somebody has just stepped up for the account, where a withdrawal needs it.
    pub(super) fn proved(&self) -> Result<(), Refusal> {
        let needed = self.core.withdrawals.step_up_s;
        let withdraws = self.act.operation == Operation::WithdrawCreate;
        let Some(max_age_s) = needed.filter(|_| withdraws) else {
            return Ok(());
        };
        match self.step_up() {
            Some(proof) if proof.age_s <= max_age_s => Ok(()),
            Some(_) | None => Err(Refusal::new(Code::StepUpRequired).with(Detail::StepUp(
                StepUpDetail {
                    strengths: SteppedBy::ALL.map(SteppedBy::as_str).join(" ").into(),
                    max_age_s,
                    policies: "".into(),
                },
            ))),
        }
    }

    /// Returns the fresh proof that somebody gave for the account; one of the future is none.
    fn step_up(&self) -> Option<StepUp<'static>> {
        let (proof, at_us) = self.who.stepped()?;
        let age_us = self.now_us.checked_sub(at_us)?;
        Some(StepUp {
            // Never younger than it is.
            age_s: age_us.div_ceil(1_000_000),
            strength: proof.as_str(),
        })
    }
}
