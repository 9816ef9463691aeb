//! The pipeline: every control in order, and the permit that only their proofs make.

mod asking;
mod charging;
mod orders;
mod passage;
mod proving;
mod settling;

use std::net::IpAddr;
use std::sync::Arc;

use passage::Passage;

use crate::address::Prefix;
use crate::authority::{self, Act, Authorized};
use crate::ban::Bans;
use crate::budget::{BudgetTable, Charge, Charged, Cost, Subject, Taken, Told, Usages};
use crate::cluster::{Name, Shares};
use crate::credential::{Credential, CredentialTable};
use crate::edge::{EdgeBudget, EdgePass, EdgeRefusal};
use crate::egress::{Egress, VenueKey};
use crate::freshness::Window;
use crate::funds::{Funds, FundsText, Withdrawals};
use crate::guard::{Guard, Guarded, OrderText};
use crate::mode::{Control, Mode, Modes};
use crate::operation::Operation;
use crate::overload::Place;
use crate::placed::{OrderIds, PlacedOrders};
use crate::policy::{Policy, Serial};
use crate::refusal::{Code, Detail, Refusal};
use crate::replay::{Fresh, ReplayRoom, Use};
use crate::sequence::Legal;
use crate::session::{Bounds, Coverage, Session, Thumbprint};
use crate::sign::{Claim, Signed, Verified, VerifyingKey};

/// A message, whatever transport it came by.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it came from.
    pub peer: IpAddr,
    /// What it asks.
    pub operation: Operation,
    /// Whether its route asks for a signature.
    pub signed: bool,
    /// Who it says signed it. It counts before a session, unless that is bound to a key of its own.
    pub claim: Option<Claim<'a>>,
    /// The key that it names, where it says no more of who acts.
    pub named: Option<&'a str>,
    /// Who acts by an earlier proof.
    pub session: Option<&'a Session>,
    /// The client certificate on the connection.
    pub certificate: Option<Thumbprint>,
    /// How it came, in the ledger's word.
    pub transport: &'static str,
    /// The orders that it carries: none, one, or those of a batch.
    pub orders: &'a [OrderText<'a>],
    /// What it calls the orders that it is about, which are there already.
    pub about: &'a [OrderIds<'a>],
    /// The funds that it moves.
    pub funds: Option<FundsText<'a>>,
    /// What it costs.
    pub cost: Cost,
}

/// By what a message says who acts.
enum Means<'m> {
    /// A signature by the key that a session is bound to.
    Bound(&'m Session, &'m VerifyingKey, &'m Claim<'m>),
    /// The key's name alone.
    Named(&'m str),
    /// A signature by the credential's own key.
    Own(&'m Claim<'m>),
    /// A session alone.
    Session(&'m Session),
}

impl Message<'_> {
    fn means(&self) -> Result<Means<'_>, Code> {
        let bound = self.session.and_then(Session::bound);
        match (self.session, bound, &self.claim, self.named) {
            (Some(session), Some(key), Some(claim), _) => Ok(Means::Bound(session, key, claim)),
            (_, Some(_), None, _) => Err(Code::SignatureMissing),
            (_, _, Some(claim), _) => Ok(Means::Own(claim)),
            (_, None, None, Some(key_id)) => Ok(Means::Named(key_id)),
            (Some(session), None, None, None) => Ok(Means::Session(session)),
            (None, None, None, None) => Err(Code::CredentialMissing),
        }
    }

    /// Returns what ends all that it begins: the word of an issuer, where it says by that who acts.
    fn bounds(&self) -> Bounds {
        match self.means() {
            Ok(Means::Bound(session, ..) | Means::Session(session)) => session.bounds().passed_on(),
            Ok(Means::Named(_) | Means::Own(_)) | Err(_) => Bounds::NONE,
        }
    }
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
    act: Act,
    authority: Mode,
    venue_key: Option<Arc<VenueKey>>,
    judged: Option<Serial>,
    transport: &'static str,
    /// What it withdraws, where the guard said that it may.
    leaving: Option<Box<Funds>>,
    cost: Cost,
    /// Where it waits for a connection to the venue.
    place: Place,
    /// When its budgets were charged, if they were. Milliseconds since the Unix epoch.
    charged_ms: Option<u64>,
    /// What ends a session that it begins.
    bounds: Bounds,
    _proofs: Proofs,
}

/// What identity found.
#[derive(Debug)]
enum Identity {
    /// The route asks for nobody.
    Anonymous,
    /// A key's name, from an address that the key is bound to.
    Name,
    /// An earlier proof.
    Session,
    /// A signature on the message itself.
    Signature(Verified<Signed>),
}

#[derive(Debug)]
struct Proofs {
    _edge: EdgePass,
    _identity: Proof<Identity>,
    _freshness: Proof<Option<Fresh>>,
    _authority: Proof<Authorized>,
    _budget: Proof<Charged>,
    _guard: Proof<Guarded>,
    _sequence: Proof<Legal>,
}

impl Permit {
    /// Asks authority once more, just before the message is forwarded: a revocation, or a narrower
    /// description of the credential, that returned while the ledger was waited for is obeyed.
    ///
    /// # Errors
    ///
    /// As [`authority::check`], `credential_revoked` when the key itself was replaced, and
    /// `credential_session_ended` when what the session rested on was taken back.
    pub fn revalidate(&self, now_us: u64) -> Result<(), Refusal> {
        if !self.bounds.stand() {
            return Err(Code::CredentialSessionEnded.into());
        }
        match (&self.credential, self.authority) {
            (Some(credential), Mode::Enforce) => {
                let credential = credential.in_force()?;
                authority::check(credential, &self.act, now_us).map(drop)
            }
            (Some(_), Mode::Observe | Mode::Off) | (None, _) => Ok(()),
        }
    }

    /// Returns the session that a permitted logon begins, good until `until_us` (microseconds since the Unix epoch). One
    /// that asks for a private stream is good for such streams alone; there is none for any other operation. None lasts longer than
    /// the word of an issuer that the logon itself rested on.
    pub fn session(&self, until_us: u64) -> Option<Session> {
        let coverage = match self.act.operation {
            Operation::SessionLogon => self.act.coverage,
            Operation::StreamOpen => self.act.coverage.min(Coverage::Stream),
            Operation::AccountRead
            | Operation::AdminChange
            | Operation::AdminProve
            | Operation::AdminRead
            | Operation::KeyRead
            | Operation::MarketRead
            | Operation::OrderAmend
            | Operation::OrderCancel
            | Operation::OrderPlace
            | Operation::OrderQuery
            | Operation::OrderTest
            | Operation::ReceiptRead
            | Operation::TransferCreate
            | Operation::WithdrawCreate
            | Operation::WithdrawQuery => return None,
        };
        let credential = Arc::clone(self.credential.as_ref()?);
        let bounds = Bounds {
            until_us: until_us.min(self.bounds.until_us),
            warrant: self.bounds.warrant.clone(),
        };
        Some(Session::new(credential, coverage, bounds, None))
    }

    /// Returns the credential that the message acts with.
    pub const fn credential(&self) -> Option<&Arc<Credential>> {
        self.credential.as_ref()
    }

    /// Returns the venue key that must sign the message, in egress.
    pub const fn venue_key(&self) -> Option<&Arc<VenueKey>> {
        self.venue_key.as_ref()
    }

    /// Tells whether the message goes to the venue.
    pub const fn reaches_venue(&self) -> bool {
        self.act.operation.reaches_venue()
    }

    /// Returns by which set of policies it was permitted, where it was by one.
    pub const fn judged(&self) -> Option<Serial> {
        self.judged
    }

    /// Returns where the message waits for a connection to the venue.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Returns what the message costs.
    pub const fn cost(&self) -> Cost {
        self.cost
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
    /// The credential that a wrong signature claimed to be of.
    pub claimed: Option<Arc<Credential>>,
    /// How the limits stand.
    pub usages: Usages,
    /// The instrument of an amendment that names its order alone.
    pub instrument: Option<Arc<str>>,
    /// What it still rests on: it holds once [`Core::settle`] has heard what others say.
    pub sharing: Option<Box<Sharing>>,
}

/// What a decision asks of the server that gateways share.
#[derive(Debug)]
pub struct Sharing {
    /// The signature that it claims.
    pub claim: Option<SharedClaim>,
    /// What it costs there.
    pub charges: Vec<Charge>,
    /// What it was charged here.
    taken: Option<Taken>,
}

/// A signature that no other gateway may have seen used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SharedClaim {
    /// Which one.
    pub name: Name,
    /// For what it is used.
    pub purpose: Use,
    /// When it was signed; microseconds since the Unix epoch.
    pub signed_us: u64,
    /// Until when it is good.
    pub deadline_us: u64,
}

/// Everything that decides. Shared by all threads.
#[derive(Debug)]
pub struct Core {
    /// Who may do what.
    pub credentials: CredentialTable,
    /// Requests per address.
    pub edge: EdgeBudget,
    /// Who is kept out for a while.
    pub bans: Bans,
    /// Limits.
    pub budget: BudgetTable,
    /// Bounds of orders.
    pub guard: Guard,
    /// Room for replay claims.
    pub room: ReplayRoom,
    /// What is shared with other gateways, where something is.
    pub shares: Option<Shares>,
    /// Which instrument an account's orders are in.
    pub placed: PlacedOrders,
    /// What each control does with its refusal.
    pub modes: Modes,
    /// Whose keys sign for the venue, where we do.
    pub egress: Option<Egress>,
    /// What judges behind the scopes, where something does.
    pub policy: Option<Arc<dyn Policy>>,
    /// What a withdrawal needs.
    pub withdrawals: Withdrawals,
}

impl Core {
    /// As [`Permit::revalidate`]; also that meanwhile the policies have not changed, no withdrawal's address was removed,
    /// nor did the venue tell us to stop.
    ///
    /// # Errors
    ///
    /// As [`Permit::revalidate`], [`WithdrawalAddresses::check`](crate::funds::WithdrawalAddresses::check),
    /// `policy_forbids`, and `venue_limited`.
    pub fn revalidate(&self, permit: &Permit, now_us: u64) -> Result<(), Refusal> {
        permit.revalidate(now_us)?;
        self.check_key(permit, now_us)?;
        if permit.authority == Mode::Enforce {
            self.up_to_date(permit.act.operation)?;
        }
        self.judge_again(permit)?;
        if let Some(funds) = &permit.leaving {
            let account = permit.credential.as_ref().map_or("", |who| who.account());
            let addresses = &self.withdrawals.addresses;
            addresses.check(account, Some(&funds.text()), now_us)?;
        }
        match &self.egress {
            Some(egress) if self.modes.of(Control::Budget) == Mode::Enforce => {
                egress.check(permit.venue_key.as_deref(), permit.cost, now_us / 1000)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses what would have the venue change something by credentials that may have been taken back where it is not
    /// heard of. Reads go on: so does the admin API, which asks the store itself.
    fn up_to_date(&self, operation: Operation) -> Result<(), Code> {
        let changes = operation.changes_state() && operation.reaches_venue();
        if changes && self.credentials.is_stale() {
            return Err(Code::StoreStale);
        }
        Ok(())
    }

    /// Refuses what a key asks that was banned meanwhile.
    fn check_key(&self, permit: &Permit, now_us: u64) -> Result<(), Refusal> {
        match (&permit.credential, self.modes.of(Control::Edge)) {
            (Some(who), Mode::Enforce) => self.bans.check_key(who.key_id(), now_us),
            (Some(_), Mode::Observe | Mode::Off) | (None, _) => Ok(()),
        }
    }

    /// Refuses what was permitted by policies that are not in force any more. What reduces risk goes on: it waited for no
    /// more than others did, and must not be lost to a change that is hardly about it.
    fn judge_again(&self, permit: &Permit) -> Result<(), Refusal> {
        let (Some(policy), Some(judged)) = (&self.policy, permit.judged) else {
            return Ok(());
        };
        if permit.act.operation.reduces_risk() || policy.serial() == judged {
            return Ok(());
        }
        let what = "the policies changed while it waited";
        Err(Refusal::new(Code::PolicyForbids).with(Detail::Policies(what.into())))
    }

    /// Asks whether what a permit opened may go on: authority, as [`Permit::revalidate`] does, and the policies, if they are
    /// others than those by which it was last said. Returns which said so now. It is about what was opened, which carries
    /// neither orders nor funds.
    ///
    /// # Errors
    ///
    /// As [`Permit::revalidate`], and as [`Policy::check`].
    pub fn goes_on(
        &self,
        permit: &Permit,
        judged: Option<Serial>,
        now_us: u64,
    ) -> Result<Option<Serial>, Refusal> {
        permit.revalidate(now_us)?;
        self.check_key(permit, now_us)?;
        match (&self.policy, judged, &permit.credential) {
            (Some(policy), Some(last), Some(who)) if policy.serial() != last => {
                let asked = asking::Asking {
                    core: self,
                    who,
                    act: &permit.act,
                    transport: permit.transport,
                    now_us,
                };
                policy.check(&asked.about(&[], None)).map(Some)
            }
            _ => Ok(judged),
        }
    }

    /// Takes what the venue, answering a permitted message, says was used of its limits: by everybody, or with the key
    /// that signed.
    pub fn hear(&self, permit: &Permit, subject: Subject, told: &Told) {
        let Some(egress) = &self.egress else { return };
        // What a message costs nothing of, its answer says nothing of: the venue counts it elsewhere.
        if permit.cost.of(told.counts) == 0 {
            return;
        }
        let meter = match (&permit.venue_key, subject == Subject::Venue) {
            (_, false) => egress.upstream(),
            (Some(key), true) => key.meter(),
            (None, true) => return,
        };
        self.budget.correct(meter, subject, told, permit.cost);
    }

    /// Begins a session of the credential `key_id` for a caller that has verified who acts by other
    /// means: a client certificate, an issuer's token. With `bound`, each message of it must be
    /// signed by that key.
    ///
    /// # Errors
    ///
    /// `credential_unknown`.
    pub fn vouch(
        &self,
        key_id: &str,
        coverage: Coverage,
        until_us: u64,
        bound: Option<VerifyingKey>,
    ) -> Result<Session, Code> {
        let credential = self.credentials.get(key_id);
        let credential = credential.ok_or(Code::CredentialUnknown)?;
        let bounds = Bounds {
            until_us,
            ..Bounds::NONE
        };
        Ok(Session::new(credential, coverage, bounds, bound))
    }

    /// Runs the edge control, before the rest of the message is read.
    ///
    /// # Errors
    ///
    /// As [`EdgeBudget::admit`], if it is enforced; `banned`, with until when, where nobody at the address can be spared.
    pub fn admit(&self, peer: IpAddr, now_us: u64) -> Result<(EdgePass, Trace), EdgeRefusal> {
        match self.modes.of(Control::Edge) {
            Mode::Off => Ok((self.edge.waive(), Trace::Off)),
            Mode::Enforce => self
                .pass_edge(peer, now_us)
                .map(|pass| (pass, Trace::Passed)),
            Mode::Observe => Ok(match self.pass_edge(peer, now_us) {
                Ok(pass) => match pass.suspicion() {
                    None => (pass, Trace::Passed),
                    Some(held) => {
                        let code = held.refusal().code;
                        (self.edge.waive(), Trace::WouldRefuse(code))
                    }
                },
                Err(over) => (self.edge.waive(), Trace::WouldRefuse(over.refusal.code)),
            }),
        }
    }

    /// Returns what everybody at an address is refused for who has not proved who they are.
    pub fn held(&self, peer: IpAddr, now_us: u64) -> Option<Refusal> {
        let suspicion = match self.modes.of(Control::Edge) {
            Mode::Enforce => self.bans.suspicion(peer, now_us),
            Mode::Observe | Mode::Off => None,
        };
        suspicion.map(|held| held.refusal().clone())
    }

    fn pass_edge(&self, peer: IpAddr, now_us: u64) -> Result<EdgePass, EdgeRefusal> {
        let suspicion = self.bans.suspicion(peer, now_us);
        if let Some(held) = &suspicion
            && !self.bans.may_spare(held, peer, now_us)
        {
            return Err(EdgeRefusal {
                refusal: held.refusal().clone(),
                first: self.edge.refused(Prefix::of(peer), now_us),
            });
        }
        let _within: EdgePass = self.edge.admit(peer, now_us)?;
        Ok(EdgePass::suspicious(suspicion))
    }

    /// Decides on `message` at `now_us` (microseconds since the Unix epoch), by the window rule of
    /// its dialect.
    ///
    /// Two things are used up although a later control refuses, on purpose:
    /// - the signature, as soon as it verified: what was shown once is not shown again;
    /// - the budget, before the guard looks: an order that breaks its bounds has cost what it costs
    ///   at the venue (Binance charges a failed order its weight), so that guessing at the bounds
    ///   is not free.
    pub fn decide(
        &self,
        message: &Message<'_>,
        edge: (EdgePass, Trace),
        window: &Window,
        now_us: u64,
    ) -> Decision {
        let mut passage = Passage::new(self, message, window, now_us);
        passage.saw(Control::Edge, edge.1);
        // Without a route there is no operation and no message: whoever made it has run this one.
        passage.saw(Control::Operation, Trace::Passed);
        let outcome = passage.run(edge.0);
        passage.decision(outcome)
    }
}

#[cfg(test)]
mod tests;
