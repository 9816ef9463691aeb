//! One message's way through the controls.

use std::sync::Arc;

use super::{Core, Decision, Message, Permit, Proof, Proofs, Trace};
use crate::authority;
use crate::budget::Usages;
use crate::credential::Credential;
use crate::edge::EdgePass;
use crate::freshness::Window;
use crate::guard::{Guard, Guarded};
use crate::mode::{Control, Mode};
use crate::refusal::{Code, Refusal};
use crate::replay::{Fresh, Use};
use crate::sequence;
use crate::sign::{Signed, Verified};

type Identity = Option<Verified<Signed>>;

pub(super) struct Passage<'c, 'm> {
    core: &'c Core,
    message: &'c Message<'m>,
    window: &'c Window,
    now_us: u64,
    trace: [Trace; 8],
    credential: Option<Arc<Credential>>,
    usages: Usages,
}

impl<'c, 'm> Passage<'c, 'm> {
    pub(super) fn new(
        core: &'c Core,
        message: &'c Message<'m>,
        window: &'c Window,
        now_us: u64,
    ) -> Self {
        Self {
            core,
            message,
            window,
            now_us,
            trace: [Trace::NotReached; 8],
            credential: None,
            usages: Usages::default(),
        }
    }

    /// Notes what a control saw.
    pub(super) const fn saw(&mut self, control: Control, seen: Trace) {
        // INVARIANT: the trace has a place for each control.
        self.trace[control as usize] = seen;
    }

    pub(super) fn decision(self, outcome: Result<Permit, Refusal>) -> Decision {
        Decision {
            outcome,
            trace: self.trace,
            credential: self.credential,
            usages: self.usages,
        }
    }

    /// Runs the controls in their order, until one refuses.
    pub(super) fn run(&mut self, edge: EdgePass) -> Result<Permit, Refusal> {
        let core = self.core;
        let identity = self.control(Control::Identity, Self::identify)?;
        let freshness = self.control(Control::Freshness, |p| p.freshness(&identity))?;
        let authority = self.control(Control::Authority, |p| match p.credential.as_deref() {
            Some(who) => authority::check(who, p.message.operation, p.message.peer, p.now_us),
            None => authority::check_anonymous(p.message.operation).map_err(Refusal::new),
        })?;
        let budget = self.control(Control::Budget, |p| {
            let (peer, who) = (p.message.peer, p.credential.as_deref());
            core.budget
                .take(peer, who, p.message.cost, p.now_us / 1000, &mut p.usages)
        })?;
        let guard = self.control(Control::Guard, |p| p.guard())?;
        let sequence = self.control(Control::Sequence, |p| sequence::check(p.message.operation))?;
        Ok(Permit {
            credential: self.credential.clone(),
            operation: self.message.operation,
            peer: self.message.peer,
            authority: core.modes.of(Control::Authority),
            _proofs: Proofs {
                _edge: edge,
                _identity: identity,
                _freshness: freshness,
                _authority: authority,
                _budget: budget,
                _guard: guard,
                _sequence: sequence,
            },
        })
    }

    /// Runs one control in its mode and notes what it saw.
    fn control<P>(
        &mut self,
        control: Control,
        check: impl FnOnce(&mut Self) -> Result<P, Refusal>,
    ) -> Result<Proof<P>, Refusal> {
        let mode = self.core.modes.of(control);
        if mode == Mode::Off {
            self.saw(control, Trace::Off);
            return Ok(Proof::Waived);
        }
        match check(self) {
            Ok(proof) => {
                self.saw(control, Trace::Passed);
                Ok(Proof::Held(proof))
            }
            Err(refusal) if mode == Mode::Observe => {
                self.saw(control, Trace::WouldRefuse(refusal.code));
                Ok(Proof::Waived)
            }
            Err(refusal) => {
                self.saw(control, Trace::Refused(refusal.code));
                Err(refusal)
            }
        }
    }

    /// Finds the credential and verifies the signature. Nobody is known before that has succeeded.
    fn identify(&mut self) -> Result<Identity, Refusal> {
        if !self.message.signed {
            return Ok(None);
        }
        let claim = self.message.claim.ok_or(Code::CredentialMissing)?;
        let found = self
            .core
            .credentials
            .get(claim.key_id)
            .ok_or(Code::CredentialUnknown)?;
        let verified = found.key().verify(&claim)?;
        self.credential = Some(found);
        Ok(Some(verified))
    }

    /// Checks the window, then claims the signature. One that was not verified claims nothing.
    fn freshness(&self, identity: &Proof<Identity>) -> Result<Option<Fresh>, Refusal> {
        if !self.message.signed {
            return Ok(None);
        }
        let claim = self.message.claim.ok_or(Code::TimeMissing)?;
        self.window.check(claim.stamp, self.now_us)?;
        let (Proof::Held(Some(signed)), Some(who)) = (identity, self.credential.as_deref()) else {
            return Ok(None);
        };
        let purpose = if self.message.operation.changes_state() {
            Use::Spend
        } else {
            Use::Read
        };
        let room = &self.core.room;
        let mut fresh = who.claim(signed, purpose, self.now_us, room);
        let full = matches!(&fresh, Err(refusal) if refusal.code == Code::ReplayFull);
        if full && room.is_full() && self.core.credentials.reclaim(self.now_us, room) > 0 {
            fresh = who.claim(signed, purpose, self.now_us, room);
        }
        fresh.map(Some)
    }

    fn guard(&self) -> Result<Guarded, Refusal> {
        match &self.message.order {
            Some(order) => self.core.guard.check(order),
            None if self.message.operation.carries_order() => {
                Err(Refusal::new(Code::OrderFieldMissing).field("symbol"))
            }
            None => Ok(Guard::nothing_to_check()),
        }
    }
}
