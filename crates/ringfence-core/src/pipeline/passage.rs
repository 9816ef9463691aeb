//! One message's way through the controls.

use std::slice;
use std::sync::Arc;

use super::asking::Asking;
use super::{Core, Decision, Means, Message, Permit, Proof, Proofs, SharedClaim, Sharing, Trace};
use crate::authority::{self, Act, Authorized};
use crate::budget::{Charge, Taken, Usages};
use crate::credential::Credential;
use crate::edge::EdgePass;
use crate::egress::VenueKey;
use crate::freshness::Window;
use crate::funds::Funds;
use crate::guard::{Guard, Guarded, OrderText};
use crate::mode::{Control, Mode};
use crate::operation::Operation;
use crate::overload::{Place, Priority};
use crate::policy::Serial;
use crate::refusal::{Code, Refusal};
use crate::sequence;
use crate::session::Coverage;

pub(super) struct Passage<'c, 'm> {
    pub(super) core: &'c Core,
    pub(super) message: &'c Message<'m>,
    pub(super) window: &'c Window,
    pub(super) now_us: u64,
    trace: [Trace; 8],
    pub(super) credential: Option<Arc<Credential>>,
    pub(super) claimed: Option<Arc<Credential>>,
    pub(super) venue_key: Option<Arc<VenueKey>>,
    /// By which set of policies.
    judged: Option<Serial>,
    pub(super) usages: Usages,
    instrument: Option<Arc<str>>,
    /// What is asked of other gateways, once every control before the guard has let it pass.
    sharing: Option<Box<Sharing>>,
    pub(super) claim: Option<SharedClaim>,
    pub(super) charges: Vec<Charge>,
    pub(super) taken: Option<Taken>,
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
            claimed: None,
            venue_key: None,
            judged: None,
            usages: Usages::default(),
            instrument: None,
            sharing: None,
            claim: None,
            charges: Vec::new(),
            taken: None,
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
            claimed: self.claimed,
            usages: self.usages,
            instrument: self.instrument,
            sharing: self.sharing,
        }
    }

    /// Runs the controls in their order, until one refuses.
    pub(super) fn run(&mut self, edge: EdgePass) -> Result<Permit, Refusal> {
        let core = self.core;
        if let Err(held) = self.spare(&edge) {
            self.saw(Control::Edge, Trace::Refused(held.code));
            return Err(held);
        }
        let identity = self.control(Control::Identity, Self::identify)?;
        let freshness = self.control(Control::Freshness, |p| p.freshness(&identity))?;
        let act = self.act();
        self.instrument = self.find_instrument();
        let found = self.instrument.clone();
        let named = self.named(found.as_deref());
        let orders = named.as_ref().map_or(self.message.orders, slice::from_ref);
        let authority = self.control(Control::Authority, |p| p.authorize(&act, orders))?;
        let budget = self.control(Control::Budget, |p| p.charge(orders))?;
        // Whatever the guard says: as here, it has cost by then what it costs.
        self.sharing = self.shared();
        let guard = self.control(Control::Guard, |p| p.guard(orders))?;
        let sequence = self.control(Control::Sequence, |p| sequence::check(p.message.operation))?;
        if let Some(who) = &self.credential {
            who.used(self.now_us);
        }
        self.note_changes();
        Ok(Permit {
            credential: self.credential.clone(),
            act,
            authority: core.modes.of(Control::Authority),
            venue_key: self.venue_key.clone(),
            judged: self.judged,
            transport: self.message.transport,
            leaving: self.leaving(),
            cost: self.message.cost,
            place: Place {
                priority: Priority::of(self.message.operation, self.message.orders),
                lane: self.lane(),
            },
            charged_ms: matches!(budget, Proof::Held(_)).then_some(self.now_us / 1000),
            bounds: self.message.bounds(),
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

    /// Returns the lane that it waits in: its shard's own, or the one of all who stand in none.
    fn lane(&self) -> u16 {
        let shard = self.credential.as_ref().and_then(|who| who.shard());
        shard.map_or(0, |shard| shard.number().saturating_add(1))
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

    fn act(&self) -> Act {
        let coverage = match self.message.means() {
            Ok(Means::Own(claim) | Means::Bound(_, _, claim)) => claim.coverage,
            Ok(Means::Session(session)) => session.coverage(),
            Ok(Means::Named(_)) | Err(_) => Coverage::Name,
        };
        Act {
            operation: self.message.operation,
            peer: self.message.peer,
            coverage,
            certificate: self.message.certificate,
        }
    }

    /// Refuses who is banned, before anything is verified. From a banned address only what claims a key goes on that was
    /// seen good there; of what a connection says that has not proved it, as much as may be verified for the address.
    fn spare(&self, edge: &EdgePass) -> Result<(), Refusal> {
        let (bans, message) = (&self.core.bans, self.message);
        if self.core.modes.of(Control::Edge) != Mode::Enforce {
            return Ok(());
        }
        let means = message.means().ok().filter(|_| message.signed);
        let (key_id, costs) = match &means {
            None => (None, false),
            Some(Means::Own(claim)) => (Some(claim.key_id), true),
            Some(Means::Named(key_id)) => (Some(*key_id), false),
            Some(Means::Bound(session, ..) | Means::Session(session)) => {
                (Some(session.credential().key_id()), false)
            }
        };
        if let Some(key_id) = key_id {
            bans.check_key(key_id, self.now_us)?;
        }
        let Some(suspicion) = edge.suspicion() else {
            return Ok(());
        };
        let spared = key_id.is_some_and(|key_id| {
            let (mark, peer) = (bans.mark(key_id), message.peer);
            let known = bans.knows(peer, mark, self.now_us);
            known && (!costs || edge.has_proved(mark) || bans.may_verify(peer, self.now_us))
        });
        match spared {
            true => Ok(()),
            false => Err(suspicion.refusal().clone()),
        }
    }

    /// Returns the instrument of the order that is amended by its id alone, where it is the account's own.
    fn find_instrument(&self) -> Option<Arc<str>> {
        let [order] = self.message.orders else {
            return None;
        };
        let id = order.unnamed()?;
        let who = self.credential.as_deref()?;
        self.core.placed.instrument(who.account(), id)
    }

    /// Returns the message's order with the instrument that was found for it.
    fn named<'a>(&self, found: Option<&'a str>) -> Option<OrderText<'a>>
    where
        'm: 'a,
    {
        let order = *self.message.orders.first()?;
        found.map(|symbol| OrderText { symbol, ..order })
    }

    /// Asks whether the credential may do it, and in egress which venue key does it for its account.
    fn authorize(&mut self, act: &Act, orders: &[OrderText<'_>]) -> Result<Authorized, Refusal> {
        let Some(who) = self.credential.as_deref() else {
            return authority::check_anonymous(act.operation).map_err(Refusal::new);
        };
        let authorized = authority::check(who, act, self.now_us)?;
        self.core.up_to_date(act.operation)?;
        if orders.iter().any(|order| order.unnamed().is_some()) {
            return Err(Refusal::new(Code::OrderUnknown).field("orderId"));
        }
        if let Some(policy) = &self.core.policy {
            let asked = self.asking(who, act);
            let asked = asked.about(orders, self.message.funds.as_ref());
            self.judged = Some(policy.check(&asked)?);
        }
        self.asking(who, act).proved()?;
        if let Some(egress) = &self.core.egress
            && act.operation.reaches_venue()
        {
            self.venue_key = Some(Arc::clone(egress.key(who.account())?));
        }
        Ok(authorized)
    }

    fn asking<'a>(&'a self, who: &'a Credential, act: &'a Act) -> Asking<'a> {
        Asking {
            core: self.core,
            who,
            act,
            transport: self.message.transport,
            now_us: self.now_us,
        }
    }

    fn guard(&self, orders: &[OrderText<'_>]) -> Result<Guarded, Refusal> {
        self.check_funds()?;
        match orders {
            [] if self.message.operation.carries_order() => {
                Err(Refusal::new(Code::OrderFieldMissing).field("symbol"))
            }
            [] => Ok(Guard::nothing_to_check()),
            orders => self.core.guard.check_all(orders),
        }
    }

    /// Checks that the funds which the message moves may go where it says.
    fn check_funds(&self) -> Result<(), Refusal> {
        let (operation, funds) = (self.message.operation, self.message.funds.as_ref());
        let account = self.credential.as_deref().map_or("", |who| who.account());
        if operation == Operation::WithdrawCreate {
            let addresses = &self.core.withdrawals.addresses;
            return addresses.check(account, funds, self.now_us);
        }
        match &self.core.egress {
            Some(egress) if operation.moves_funds() => egress.transfers().check(account, funds),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns what a permitted withdrawal moves, to ask again when it is sent.
    fn leaving(&self) -> Option<Box<Funds>> {
        let enforced = self.core.modes.of(Control::Guard) == Mode::Enforce;
        let funds = self.message.funds.filter(|_| enforced);
        let funds = funds.filter(|_| self.message.operation == Operation::WithdrawCreate);
        funds.map(|funds| Box::new(funds.kept()))
    }
}
