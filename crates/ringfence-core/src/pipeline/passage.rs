//! One message's way through the controls.

use std::net::IpAddr;
use std::slice;
use std::sync::Arc;

use super::{
    Core, Decision, Identity, Means, Message, Permit, Proof, Proofs, SharedClaim, Sharing, Trace,
};
use crate::authority::{self, Act, Authorized};
use crate::budget::{About, Charge, Charged, Payer, Taken, Usages};
use crate::credential::Credential;
use crate::edge::EdgePass;
use crate::egress::VenueKey;
use crate::freshness::Window;
use crate::funds::{Funds, FundsText};
use crate::guard::{Guard, Guarded, OrderText};
use crate::mode::{Control, Mode};
use crate::operation::Operation;
use crate::overload::{Place, Priority};
use crate::placed::OrderIds;
use crate::policy::{Asked, Serial, StepUp};
use crate::proof::Proof as SteppedBy;
use crate::refusal::{Code, Detail, Refusal, StepUpDetail};
use crate::replay::{Fresh, Use};
use crate::sequence;
use crate::session::Coverage;
use crate::sign::{Claim, Signed};

pub(super) struct Passage<'c, 'm> {
    core: &'c Core,
    message: &'c Message<'m>,
    window: &'c Window,
    now_us: u64,
    trace: [Trace; 8],
    credential: Option<Arc<Credential>>,
    claimed: Option<Arc<Credential>>,
    venue_key: Option<Arc<VenueKey>>,
    /// By which set of policies.
    judged: Option<Serial>,
    usages: Usages,
    instrument: Option<Arc<str>>,
    /// What is asked of other gateways, once every control before the guard has let it pass.
    sharing: Option<Box<Sharing>>,
    claim: Option<SharedClaim>,
    charges: Vec<Charge>,
    taken: Option<Taken>,
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

    /// Finds the credential, and verifies the signature where there is one. Nobody is known before that has succeeded.
    fn identify(&mut self) -> Result<Identity, Refusal> {
        let message = self.message;
        if !message.signed {
            return Ok(Identity::Anonymous);
        }
        let (found, identity) = match message.means()? {
            Means::Own(claim) => {
                let found = self.core.credentials.get(claim.key_id);
                let found = found.ok_or(Code::CredentialUnknown)?;
                match found.verify(claim) {
                    Ok(verified) => (found, Identity::Signature(verified)),
                    Err(wrong) => {
                        self.claimed = Some(found);
                        return Err(wrong.into());
                    }
                }
            }
            Means::Named(key_id) => {
                if message.operation.coverage() > Coverage::Name {
                    return Err(Code::SignatureMissing.into());
                }
                let found = self.core.credentials.get(key_id);
                let found = found.ok_or(Code::CredentialUnknown)?;
                if let Err(unproved) = authority::check_name(&found, message.peer) {
                    self.claimed = Some(found);
                    return Err(unproved.into());
                }
                (found, Identity::Name)
            }
            Means::Bound(session, key, claim) => {
                let found = Arc::clone(session.credential().in_force()?);
                (found, Identity::Signature(key.verify(claim)?))
            }
            Means::Session(session) => {
                let found = Arc::clone(session.credential().in_force()?);
                (found, Identity::Session)
            }
        };
        self.credential = Some(found);
        Ok(identity)
    }

    /// Checks that a session is not over; of a signature the window, then claims it. One that was not verified claims
    /// nothing.
    fn freshness(&mut self, identity: &Proof<Identity>) -> Result<Option<Fresh>, Refusal> {
        if !self.message.signed {
            return Ok(None);
        }
        match self.message.means().map_err(|_| Code::TimeMissing)? {
            Means::Own(claim) if self.message.operation.spends() => {
                self.claim(claim, identity, Use::Spend)
            }
            Means::Own(claim) => self.claim(claim, identity, Use::Read),
            // Nothing says when it was made.
            Means::Named(_) => Ok(None),
            // A proof is made for one request (RFC 9449 11.1).
            Means::Bound(session, _, claim) => {
                session.check(self.now_us)?;
                self.claim(claim, identity, Use::Spend)
            }
            Means::Session(session) => {
                session.check(self.now_us)?;
                Ok(None)
            }
        }
    }

    fn claim(
        &mut self,
        claim: &Claim<'_>,
        identity: &Proof<Identity>,
        purpose: Use,
    ) -> Result<Option<Fresh>, Refusal> {
        self.window.check(claim.stamp, self.now_us)?;
        let (Proof::Held(Identity::Signature(signed)), Some(who)) =
            (identity, self.credential.as_deref())
        else {
            return Ok(None);
        };
        let Core {
            credentials, room, ..
        } = self.core;
        let mut fresh = who.claim(signed, purpose, self.now_us, room);
        let full = matches!(&fresh, Err(refusal) if refusal.code == Code::ReplayFull);
        let shard = who.shard();
        if full && room.is_full(shard) && credentials.reclaim(shard, self.now_us, room) > 0 {
            fresh = who.claim(signed, purpose, self.now_us, room);
        }
        let fresh = fresh?;
        if let Some(shares) = self
            .core
            .shares
            .as_ref()
            .filter(|shares| shares.claims.is_some())
        {
            let Signed { stamp, nonce } = *signed.get();
            self.claim = Some(SharedClaim {
                name: shares
                    .key
                    .name(b"claim", &[who.key_id().as_bytes(), &nonce.bytes()]),
                purpose,
                signed_us: stamp.time_us,
                deadline_us: stamp.time_us.saturating_add(stamp.window_us),
            });
        }
        Ok(Some(fresh))
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

    fn charge(&mut self, orders: &[OrderText<'_>]) -> Result<Charged, Refusal> {
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
    fn shared(&mut self) -> Option<Box<Sharing>> {
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
    fn note_changes(&self) {
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
    fn proved(&self) -> Result<(), Refusal> {
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
