//! The pipeline: every control in order, and the permit that only their proofs make.

use std::net::IpAddr;
use std::sync::Arc;

use crate::budget::{BudgetTable, Charged, Cost, Usages};
use crate::credential::{Authorized, Credential, CredentialTable};
use crate::edge::{EdgeBudget, EdgePass};
use crate::freshness::Window;
use crate::guard::{Guard, Guarded, OrderText};
use crate::mode::{Control, Mode, Modes};
use crate::operation::Operation;
use crate::refusal::{Code, Refusal};
use crate::replay::{Fresh, ReplayRoom, Use};
use crate::sequence::{self, Legal};
use crate::sign::{Claim, Signed, Verified};

/// A message, whatever transport it came by.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it came from.
    pub peer: IpAddr,
    /// What it asks.
    pub operation: Operation,
    /// Whether its route asks for a signature.
    pub signed: bool,
    /// Who it says signed it.
    pub claim: Option<Claim<'a>>,
    /// The order that it carries.
    pub order: Option<OrderText<'a>>,
    /// What it costs.
    pub cost: Cost,
}

/// What a control saw.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Trace {
    /// An earlier control refused.
    #[default]
    NotReached,
    /// The control is off.
    Off,
    /// It passed.
    Passed,
    /// It would have refused, but only observes.
    WouldRefuse(Code),
    /// It refused.
    Refused(Code),
}

/// A control's proof, or that its mode let the message go on without one.
#[derive(Debug)]
enum Proof<P> {
    Held(P),
    Waived,
}

/// Leave to forward one message. Only the end of [`Core::decide`] makes one.
#[must_use]
#[derive(Debug)]
pub struct Permit {
    credential: Option<Arc<Credential>>,
    authority_enforced: bool,
    _proofs: Proofs,
}

#[derive(Debug)]
struct Proofs {
    _edge: EdgePass,
    _identity: Proof<Option<Verified<Signed>>>,
    _freshness: Proof<Option<Fresh>>,
    _authority: Proof<Option<Authorized>>,
    _budget: Proof<Charged>,
    _guard: Proof<Guarded>,
    _sequence: Proof<Legal>,
}

impl Permit {
    /// Reads the credential's state once more, just before the message is forwarded: a revocation that returned
    /// while the ledger was waited for is obeyed.
    ///
    /// # Errors
    ///
    /// The code of the state, or `credential_expired`.
    pub fn revalidate(&self, now_us: u64) -> Result<(), Refusal> {
        match &self.credential {
            Some(credential) if self.authority_enforced => credential.check_live(now_us),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the credential that the message acts with.
    pub const fn credential(&self) -> Option<&Arc<Credential>> {
        self.credential.as_ref()
    }
}

/// The outcome of all controls on one message.
#[derive(Debug)]
pub struct Decision {
    /// Leave to forward it, or why not.
    pub outcome: Result<Permit, Refusal>,
    /// What each control saw, in order.
    pub trace: [Trace; 8],
    /// The credential, if identity found one.
    pub credential: Option<Arc<Credential>>,
    /// How the limits stand.
    pub usages: Usages,
}

/// Everything that decides. Shared by all threads.
#[derive(Debug)]
pub struct Core {
    /// Who may do what.
    pub credentials: CredentialTable,
    /// Requests per address.
    pub edge: EdgeBudget,
    /// Limits.
    pub budget: BudgetTable,
    /// Bounds of orders.
    pub guard: Guard,
    /// Room for replay claims.
    pub room: ReplayRoom,
    /// What each control does with its refusal.
    pub modes: Modes,
}

/// One message's way through the controls.
struct Passage<'c> {
    core: &'c Core,
    trace: [Trace; 8],
}

impl Passage<'_> {
    /// Runs one control in its mode and notes what it saw.
    fn run<P>(
        &mut self,
        control: Control,
        check: impl FnOnce() -> Result<P, Refusal>,
    ) -> Result<Proof<P>, Refusal> {
        let mode = self.core.modes.of(control);
        let (seen, result) = match mode {
            Mode::Off => (Trace::Off, Ok(Proof::Waived)),
            Mode::Enforce | Mode::Observe => match (check(), mode) {
                (Ok(proof), _) => (Trace::Passed, Ok(Proof::Held(proof))),
                (Err(refusal), Mode::Observe | Mode::Off) => {
                    (Trace::WouldRefuse(refusal.code), Ok(Proof::Waived))
                }
                (Err(refusal), Mode::Enforce) => (Trace::Refused(refusal.code), Err(refusal)),
            },
        };
        if let Some(place) = self.trace.get_mut(control as usize) {
            *place = seen;
        }
        result
    }
}

impl Core {
    /// Runs the edge control, before the rest of the message is read.
    ///
    /// # Errors
    ///
    /// As [`EdgeBudget::admit`], if it is enforced.
    pub fn admit(
        &self,
        peer: IpAddr,
        now_us: u64,
    ) -> Result<(EdgePass, Trace), crate::edge::EdgeRefusal> {
        match self.modes.of(Control::Edge) {
            Mode::Off => Ok((self.edge.waive(), Trace::Off)),
            Mode::Enforce => self
                .edge
                .admit(peer, now_us)
                .map(|pass| (pass, Trace::Passed)),
            Mode::Observe => Ok(match self.edge.admit(peer, now_us) {
                Ok(pass) => (pass, Trace::Passed),
                Err(over) => (self.edge.waive(), Trace::WouldRefuse(over.refusal.code)),
            }),
        }
    }

    /// Decides on `message` at `now_us` (microseconds since the Unix epoch), by the window rule of its dialect.
    ///
    /// The budget is charged before the guard looks: a message that the guard refuses has cost the venue's kind of
    /// weight, as at Binance. A replay claim is made as soon as the signature verified, whatever refuses later.
    pub fn decide(
        &self,
        message: &Message<'_>,
        edge: (EdgePass, Trace),
        window: &Window,
        now_us: u64,
    ) -> Decision {
        let mut passage = Passage {
            core: self,
            trace: [Trace::NotReached; 8],
        };
        passage.trace[Control::Edge as usize] = edge.1;
        passage.trace[Control::Operation as usize] = Trace::Passed;
        let mut credential = None;
        let mut usages = Usages::default();
        let outcome = self.run(
            message,
            edge.0,
            window,
            now_us,
            &mut passage,
            &mut credential,
            &mut usages,
        );
        Decision {
            outcome,
            trace: passage.trace,
            credential,
            usages,
        }
    }

    #[allow(clippy::too_many_arguments)] // what `decide` returns is filled in as the controls go on
    fn run(
        &self,
        message: &Message<'_>,
        edge: EdgePass,
        window: &Window,
        now_us: u64,
        passage: &mut Passage<'_>,
        credential: &mut Option<Arc<Credential>>,
        usages: &mut Usages,
    ) -> Result<Permit, Refusal> {
        let claim = message.claim.filter(|_| message.signed);
        let identity = passage.run(Control::Identity, || {
            self.identify(message.signed, claim, credential)
        })?;
        let who = credential.as_deref();
        let freshness = passage.run(Control::Freshness, || {
            let (Some(who), Some(claim)) = (who, claim) else {
                return anonymous(message.signed);
            };
            window.check(claim.stamp, now_us)?;
            let Proof::Held(Some(signed)) = &identity else {
                return Ok(None);
            };
            let purpose = if message.operation.changes_state() {
                Use::Spend
            } else {
                Use::Read
            };
            who.claim(signed, purpose, now_us, &self.room).map(Some)
        })?;
        let authority = passage.run(Control::Authority, || match who {
            Some(who) => who
                .authorize(message.operation, message.peer, now_us)
                .map(Some),
            None => anonymous(message.signed),
        })?;
        let budget = passage.run(Control::Budget, || {
            self.budget
                .take(message.peer, who, message.cost, now_us / 1000, usages)
        })?;
        let guard = passage.run(Control::Guard, || match &message.order {
            Some(order) => self.guard.check(order),
            None if message.operation.carries_order() => {
                Err(Refusal::new(Code::OrderFieldMissing).field("symbol"))
            }
            None => Ok(Guard::nothing_to_check()),
        })?;
        let sequence = passage.run(Control::Sequence, || sequence::check(message.operation))?;
        Ok(Permit {
            credential: credential.clone(),
            authority_enforced: self.modes.of(Control::Authority) == Mode::Enforce,
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

    fn identify(
        &self,
        signed: bool,
        claim: Option<Claim<'_>>,
        credential: &mut Option<Arc<Credential>>,
    ) -> Result<Option<Verified<Signed>>, Refusal> {
        if !signed {
            return Ok(None);
        }
        let claim = claim.ok_or(Code::CredentialMissing)?;
        let found = self
            .credentials
            .get(claim.key_id)
            .ok_or(Code::CredentialUnknown)?;
        let verified = found.key().verify(&claim)?;
        *credential = Some(found);
        Ok(Some(verified))
    }
}

/// Returns no proof for a route that needs none; a signed route without a credential is refused here too, so that an
/// identity control which only observes does not open what lies behind it.
fn anonymous<P>(signed: bool) -> Result<Option<P>, Refusal> {
    if signed {
        Err(Code::CredentialMissing.into())
    } else {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
