//! Writing decisions, outcomes and events into the ledger.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use ringfence_core::credential::Credential;
use ringfence_core::guard::OrderText;
use ringfence_core::mode::Control;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::Trace;
use ringfence_core::refusal::{Detail, Refusal};
use ringfence_ledger::{
    Controls, DecisionEntry, Durability, EventEntry, Fate, Mode, OrderFields, OutcomeEntry, Saw,
    Ticket, Value, Verdict,
};

use crate::clock::now_us;
use crate::shared::Shared;

thread_local! {
    /// One entry at a time is encoded on a thread, always into the same memory.
    static ENTRY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a decision entry says.
pub(crate) struct Decided<'a> {
    pub(crate) peer: IpAddr,
    pub(crate) listener: &'a str,
    pub(crate) dialect: &'a str,
    pub(crate) message: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) operation: Option<Operation>,
    pub(crate) credential: Option<&'a Credential>,
    pub(crate) order: Option<&'a OrderText<'a>>,
    pub(crate) trace: [Trace; 8],
    pub(crate) refusal: Option<&'a Refusal>,
    pub(crate) started_us: u64,
    pub(crate) decided_us: u64,
}

/// Appends a decision; nothing is returned if the ledger does not take it.
pub(crate) fn decision(shared: &Shared, decided: &Decided<'_>) -> Option<Ticket> {
    let changes_state = decided.operation.is_some_and(Operation::changes_state);
    let detail = decided.refusal.and_then(detail_text);
    let verdict = match decided.refusal {
        None => Verdict::Permitted,
        Some(refusal) => Verdict::Refused {
            blame: refusal.blame.as_str(),
            code: refusal.code.as_str(),
            detail: detail.as_deref(),
        },
    };
    match decided.refusal {
        None => shared.counters.permitted.fetch_add(1, Ordering::Relaxed),
        Some(refusal) => {
            shared.counters.refuse(refusal.code);
            0
        }
    };
    let entry = DecisionEntry {
        account: decided.credential.map(Credential::account),
        address: decided.peer,
        controls: controls(&decided.trace),
        credential: decided.credential.map(Credential::key_id),
        dialect: decided.dialect,
        latency_us: decided.decided_us.saturating_sub(decided.started_us),
        listener: decided.listener,
        message: decided.message,
        method: decided.method,
        operation: decided.operation.map(Operation::as_str),
        order: decided.order.map(order_fields),
        verdict,
        path: decided.path,
        state_changing: changes_state,
        status: None,
        time_us: decided.decided_us,
        transport: "http/1.1",
    };
    let durability = if changes_state && decided.refusal.is_none() {
        Durability::Strict
    } else {
        Durability::Relaxed
    };
    ENTRY.with_borrow_mut(|out| {
        entry.encode(out);
        match (durability, shared.ledger.mode()) {
            // Somebody waits for it: `CommitWait` wakes the writer once for all messages at hand.
            (Durability::Strict, Mode::Strict { .. }) => {
                shared.ledger.append_later(out, durability)
            }
            (Durability::Strict, Mode::Group { .. }) | (Durability::Relaxed, _) => {
                shared.ledger.append(out, durability)
            }
        }
        .ok()
    })
}

/// Appends what became of a forwarded message.
pub(crate) fn outcome(
    shared: &Shared,
    message: &str,
    result: Fate,
    reason: Option<&str>,
    status: Option<u16>,
    since_us: u64,
) {
    let time_us = now_us();
    let entry = OutcomeEntry {
        latency_us: Some(time_us.saturating_sub(since_us)),
        message,
        reason,
        result,
        status,
        time_us,
    };
    // An outcome that is lost with the ledger is written as unknown when the log is opened again.
    let _ = append(shared, Durability::Relaxed, |out| entry.encode(out));
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
    }
}

fn detail_text(refusal: &Refusal) -> Option<String> {
    match &refusal.detail {
        Detail::None => None,
        Detail::Distance(us) => Some(format!("{us} us past the limit")),
        Detail::Field(name) => Some(name.to_string()),
        Detail::Limit(limit) => Some(limit.name.to_string()),
        Detail::Scope(scope) => Some((*scope).to_owned()),
    }
}
