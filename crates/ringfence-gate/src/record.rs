//! Writing decisions, outcomes and events into the ledger. Each decision is written exactly once.

use std::cell::RefCell;
use std::io::Write as _;
use std::net::IpAddr;
use std::rc::Rc;

use ringfence_core::credential::Credential;
use ringfence_core::guard::OrderText;
use ringfence_core::mode::Control;
use ringfence_core::moment::Moment;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::Trace;
use ringfence_core::refusal::{Detail, Refusal};
use ringfence_core::shard::Shard;
use ringfence_ledger::{
    Controls, DecisionEntry, Durability, EventEntry, Fate, Ledger, OrderFields, OutcomeEntry, Saw,
    Ticket, Value, Verdict,
};

use ringfence_wire::{AnsweredOrder, OrderIds};

use crate::client::{Client, Thread};
use crate::clock::now_us;
use crate::lane::Transport;
use crate::receipts::Receipts;
use crate::shared::Shared;

thread_local! {
    /// One entry at a time is encoded on a thread, always into the same memory.
    static ENTRY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Memory for entries that wait for their status.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Buffers kept for entries that wait.
const SPARE_MAX: usize = 64;

/// What a decision entry says.
pub(crate) struct Decided<'a> {
    pub(crate) peer: IpAddr,
    pub(crate) transport: Transport,
    pub(crate) listener: &'a str,
    pub(crate) dialect: &'a str,
    pub(crate) message: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// Method and path of the request that a message on a channel stands for.
    pub(crate) route: Option<&'a str>,
    /// What it subscribes to, or no longer.
    pub(crate) topics: &'a [String],
    pub(crate) operation: Option<Operation>,
    pub(crate) credential: Option<&'a Credential>,
    /// The one that a wrong signature claimed to be of.
    pub(crate) claimed: Option<&'a Credential>,
    /// How it was proved, where not by the venue's own signature.
    pub(crate) proof: Option<&'static str>,
    pub(crate) orders: &'a [OrderText<'a>],
    pub(crate) about: &'a [OrderIds<'a>],
    pub(crate) trace: [Trace; 8],
    pub(crate) refusal: Option<&'a Refusal>,
    /// What the client was answered, where the decision was the answer.
    pub(crate) status: Option<u16>,
    pub(crate) started_us: u64,
    pub(crate) decided_us: u64,
}

impl<'a> Decided<'a> {
    /// What is known of bytes that never became a request.
    pub(crate) fn unread(
        client: &'a Client,
        transport: Transport,
        message: &'a str,
        now_us: u64,
    ) -> Self {
        Self {
            peer: client.peer,
            transport,
            listener: &client.door.name,
            dialect: client.door.speech.dialect.name(),
            message,
            method: "",
            path: "",
            route: None,
            topics: &[],
            operation: None,
            credential: None,
            claimed: None,
            proof: None,
            orders: &[],
            about: &[],
            trace: [Trace::NotReached; 8],
            refusal: None,
            status: None,
            started_us: now_us,
            decided_us: now_us,
        }
    }

    // By what its client may ask for its receipt.
    fn note(&self, receipts: &Receipts, ticket: Ticket) {
        let Some(credential) = self.credential else {
            return;
        };
        let account = credential.account();
        receipts.note(account, self.message, ticket);
        for id in self.orders.iter().filter_map(|order| order.client_order_id) {
            receipts.note(account, id, ticket);
        }
    }

    fn latency_us(&self) -> u64 {
        self.decided_us.saturating_sub(self.started_us)
    }

    /// Counts that it was permitted.
    fn permitted(&self, shared: &Shared) {
        let traffic = &shared.counters.traffic;
        traffic.permit(self.operation, self.latency_us());
        shared.counters.shards.permit(self.shard());
    }

    fn shard(&self) -> Option<Shard> {
        self.credential.and_then(Credential::shard)
    }

    fn changes_state(&self) -> bool {
        self.operation.is_some_and(Operation::changes_state)
    }

    fn encode(&self, ledger: &Ledger, out: &mut Vec<u8>) {
        let detail = self.refusal.and_then(detail_text);
        let verdict = match self.refusal {
            None => Verdict::Permitted,
            Some(refusal) => Verdict::Refused {
                blame: refusal.blame.as_str(),
                code: refusal.code.as_str(),
                detail: detail.as_deref(),
            },
        };
        let (about, abouts) = apart(self.about, order_ids);
        let (order, orders) = apart(self.orders, order_fields);
        let entry = DecisionEntry {
            about,
            abouts: &abouts,
            account: self.credential.map(Credential::account),
            address: ledger.address(self.peer),
            claimed: self.claimed.map(Credential::key_id),
            controls: controls(&self.trace),
            credential: self.credential.map(Credential::key_id),
            dialect: self.dialect,
            latency_us: self.latency_us(),
            listener: self.listener,
            message: self.message,
            method: self.method,
            operation: self.operation.map(Operation::as_str),
            order,
            orders: &orders,
            verdict,
            path: self.path,
            proof: self.proof,
            route: self.route,
            shard: self.shard().map(Shard::number),
            state_changing: self.changes_state(),
            status: self.status,
            time_us: self.decided_us,
            topics: self.topics,
            transport: self.transport.as_str(),
        };
        entry.encode(out);
    }
}

/// Counts and appends a refusal.
pub(crate) fn refusal(shared: &Shared, decided: &Decided<'_>) {
    if let Some(refusal) = decided.refusal {
        let traffic = &shared.counters.traffic;
        traffic.refuse(decided.operation, refusal.code);
        shared.counters.shards.refuse(decided.shard());
    }
    let taken = append(shared, Durability::Relaxed, |out| {
        decided.encode(&shared.ledger, out)
    });
    shared.counters.unrecorded_if(taken.is_none());
}

/// Counts and appends the permission of a message that changes state; nothing is returned if the ledger does not take
/// it, and then the message must not be forwarded.
pub(crate) fn intent(shared: &Shared, decided: &Decided<'_>) -> Option<Ticket> {
    ENTRY.with_borrow_mut(|out| {
        decided.encode(&shared.ledger, out);
        // Somebody waits for it: `CommitWait` wakes the writer once for all messages at hand.
        let ticket = shared.ledger.append_intent(out, decided.message);
        if let Ok(ticket) = ticket {
            decided.permitted(shared);
            decided.note(&shared.receipts, ticket);
        }
        ticket.ok()
    })
}

/// Counts the permission of a message that changes nothing. It is appended with its answer's status.
pub(crate) fn reading(thread: &Rc<Thread>, decided: &Decided<'_>) -> Reading {
    decided.permitted(&thread.shared);
    let mut entry = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    decided.encode(&thread.shared.ledger, &mut entry);
    Reading {
        thread: Rc::clone(thread),
        entry,
    }
}

/// The entry of a permitted message that changes nothing: appended once, when it is answered or given up.
pub(crate) struct Reading {
    thread: Rc<Thread>,
    entry: Vec<u8>,
}

impl Reading {
    /// Appends it with the status that the client got.
    pub(crate) fn answered(mut self, status: u16) {
        // Behind everything that comes from outside, in which no quote stands unescaped. Keys are sorted: `status`
        // belongs before `time_us`.
        const NEXT: &[u8] = b",\"time_us\":";
        let mut places = self.entry.windows(NEXT.len());
        if let Some(place) = places.rposition(|window| window == NEXT) {
            let mut field = *b",\"status\":000";
            // A status has three digits.
            let _ = write!(&mut field[10..], "{:03}", status.min(999));
            self.entry.splice(place..place, field);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let shared = &self.thread.shared;
        let taken = shared.ledger.append(&self.entry, Durability::Relaxed);
        shared.counters.unrecorded_if(taken.is_err());
        let entry = std::mem::take(&mut self.entry);
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_MAX {
                spare.push(entry);
            }
        });
    }
}

/// What became of a forwarded message.
pub(crate) struct Ended<'a> {
    pub(crate) result: Fate,
    pub(crate) reason: Option<&'a str>,
    /// The venue's status, and what its answer says of each order.
    pub(crate) status: Option<u16>,
    pub(crate) orders: &'a [AnsweredOrder],
}

impl<'a> Ended<'a> {
    pub(crate) const fn without_answer(result: Fate, reason: &'a str) -> Self {
        Self {
            result,
            reason: Some(reason),
            status: None,
            orders: &[],
        }
    }
}

/// Appends what became of a forwarded message.
pub(crate) fn outcome(shared: &Shared, message: &str, ended: &Ended<'_>, since_us: u64) {
    let time_us = now_us();
    let latency_us = time_us.saturating_sub(since_us);
    if ended.status.is_some() {
        shared.counters.traffic.answer(latency_us);
    }
    let (order, orders) = apart(ended.orders, answered_order);
    let entry = OutcomeEntry {
        latency_us: Some(latency_us),
        message,
        order,
        orders: &orders,
        reason: ended.reason,
        result: ended.result,
        status: ended.status,
        time_us,
    };
    // An outcome that is lost with the ledger is written as unknown when the log is opened again.
    ENTRY.with_borrow_mut(|out| {
        entry.encode(out);
        let _ = shared.ledger.append_outcome(out, message);
    });
}

/// Appends something that happened to the gateway itself.
pub(crate) fn event(shared: &Shared, name: &str, detail: &[(&str, Value<'_>)]) -> Option<Ticket> {
    let entry = EventEntry {
        event: name,
        detail,
        time_us: now_us(),
    };
    append(shared, Durability::Strict, |out| entry.encode(out))
}

fn append(
    shared: &Shared,
    durability: Durability,
    encode: impl FnOnce(&mut Vec<u8>),
) -> Option<Ticket> {
    ENTRY.with_borrow_mut(|out| {
        encode(out);
        shared.ledger.append(out, durability).ok()
    })
}

fn controls(trace: &[Trace; 8]) -> Controls<'static> {
    let saw = |control: Control| match trace.get(control as usize).copied().unwrap_or_default() {
        Trace::NotReached => Saw::NotReached,
        Trace::Off => Saw::Off,
        Trace::Passed => Saw::Passed,
        Trace::WouldRefuse(code) => Saw::WouldRefuse(code.as_str()),
        Trace::Refused(code) => Saw::Refused(code.as_str()),
    };
    Controls {
        edge: saw(Control::Edge),
        operation: saw(Control::Operation),
        identity: saw(Control::Identity),
        freshness: saw(Control::Freshness),
        authority: saw(Control::Authority),
        budget: saw(Control::Budget),
        guard: saw(Control::Guard),
        sequence: saw(Control::Sequence),
    }
}

/// Returns what an entry says of the only order, or of those of a batch. One order allocates nothing.
fn apart<'a, T, U>(all: &'a [T], say: impl Fn(&'a T) -> U) -> (Option<U>, Vec<U>) {
    match all {
        [one] => (Some(say(one)), Vec::new()),
        all => (None, all.iter().map(say).collect()),
    }
}

fn order_fields<'a>(order: &OrderText<'a>) -> OrderFields<'a> {
    OrderFields {
        symbol: order.symbol,
        side: order.side,
        kind: order.kind,
        price: order.price,
        stop_price: order.stop_price,
        quantity: order.quantity,
        quote_quantity: order.quote_quantity,
        client_order_id: order.client_order_id,
        trail: order.trail,
        whole_position: order.whole_position,
    }
}

fn order_ids<'a>(ids: &OrderIds<'a>) -> ringfence_ledger::OrderIds<'a> {
    ringfence_ledger::OrderIds {
        symbol: ids.symbol,
        client_order_id: ids.client_order_id,
        venue_order_id: ids.venue_order_id,
    }
}

fn answered_order(order: &AnsweredOrder) -> ringfence_ledger::AnsweredOrder<'_> {
    ringfence_ledger::AnsweredOrder {
        client_order_id: order.client_order_id.as_deref(),
        status: order.status.as_deref(),
        venue_order_id: order.venue_order_id.as_deref(),
    }
}

fn detail_text(refusal: &Refusal) -> Option<String> {
    match &refusal.detail {
        Detail::None => None,
        Detail::Distance(us) => Some(format!("{us} us past the limit")),
        Detail::Field(name) => Some(name.to_string()),
        Detail::From(us) => Some(format!("from {}", Moment(*us))),
        Detail::Limit(limit) => Some(limit.name.to_string()),
        Detail::Policies(policies) => Some(policies.to_string()),
        Detail::Scope(scope) => Some((*scope).to_owned()),
        Detail::StepUp(wanted) if wanted.policies.is_empty() => {
            Some(format!("no older than {} s", wanted.max_age_s))
        }
        Detail::StepUp(wanted) => Some(wanted.policies.to_string()),
    }
}
