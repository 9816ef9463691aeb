//! Carrying a judged message to its end: the record made durable, the venue asked, the outcome written.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use http::Response;
use ringfence_core::budget::Usages;
use ringfence_core::operation::Operation;
use ringfence_core::overload::Priority;
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_ledger::{Fate, Mode, Ticket};
use ringfence_wire::http::strip_response;
use ringfence_wire::{AnsweredOrder, Each, Outgoing};
use tokio::task::spawn_local;

use crate::body::{Answer, Content};
use crate::client::Thread;
use crate::clock::now_us;
use crate::exchange::{Trouble, exchange};
use crate::fills;
use crate::forward;
use crate::lending::{Borrower, Shown};
use crate::pipeline::Passing;
use crate::placing::Placing;
use crate::receipts::Wanted;
use crate::record::{self, Ended, Reading};
use crate::refuse::MESSAGE;
use crate::shared::Shared;

/// A message that may go on to the venue.
pub(crate) struct Permitted {
    pub(crate) permit: Permit,
    pub(crate) outgoing: Outgoing,
    pub(crate) operation: Operation,
    pub(crate) usages: Usages,
    pub(crate) recorded: Recorded,
    /// Where the gateway answers by itself.
    pub(crate) wanted: Option<Wanted>,
    /// What a logon is answered with.
    pub(crate) minted: Option<Result<String, Refusal>>,
    /// Who asks for the token of a private stream.
    pub(crate) borrower: Option<Borrower>,
    /// What opens a private stream.
    pub(crate) shown: Option<Shown>,
}

/// How a permission stands in the ledger.
pub(crate) enum Recorded {
    /// To be durable before anything is sent.
    Intent(Intent),
    /// To be appended with its answer.
    Reading(Reading),
}

/// A change that is about to be sent.
pub(crate) struct Intent {
    /// Its place in line; nothing if the ledger does not take it.
    pub(crate) ticket: Option<Ticket>,
    /// The route that it is on.
    pub(crate) route: u16,
    pub(crate) placing: Placing,
}

impl Passing {
    /// Takes a permitted message to its answer.
    pub(crate) async fn carry(self: Rc<Self>, permitted: Permitted) -> Response<Answer> {
        let Permitted {
            permit,
            outgoing,
            operation,
            usages,
            recorded,
            wanted,
            minted,
            borrower,
            shown: _,
        } = permitted;
        let recorded = match (recorded, wanted, minted) {
            (Recorded::Reading(reading), Some(wanted), _) => {
                return self.receipt(wanted, &usages, reading).await;
            }
            (Recorded::Reading(reading), None, Some(minted)) => {
                return self.hand_out(minted, &usages, reading);
            }
            (recorded, _, _) => recorded,
        };
        let (asked, reading) = self
            .bring(recorded, &permit, (outgoing, borrower), operation)
            .await;
        let answer = self.answer(asked, &usages);
        if let Some(reading) = reading {
            reading.answered(answer.status().as_u16());
        }
        answer
    }

    /// Takes a permitted message to the venue. A reading is given back: it waits for the status that the client gets.
    pub(crate) async fn bring(
        &self,
        recorded: Recorded,
        permit: &Permit,
        (outgoing, borrower): (Outgoing, Option<Borrower>),
        operation: Operation,
    ) -> (Result<Response<Content>, Refusal>, Option<Reading>) {
        match recorded {
            Recorded::Reading(reading) => {
                let asked = match borrower {
                    Some(borrower) => {
                        // Seldom, and large: not in every message's future.
                        Box::pin(self.lend(borrower, permit, outgoing, operation)).await
                    }
                    None => self.told_by_venue(permit, outgoing, operation).await,
                };
                (asked, Some(reading))
            }
            Recorded::Intent(intent) => {
                (self.change(intent, permit, outgoing, operation).await, None)
            }
        }
    }

    /// Asks the venue what changes nothing, and heeds what it says of the key that asked.
    pub(crate) async fn told_by_venue(
        &self,
        permit: &Permit,
        outgoing: Outgoing,
        operation: Operation,
    ) -> Result<Response<Content>, Refusal> {
        let sent_us = now_us();
        let asked = self.ask(permit, outgoing, operation, || {}).await;
        let response = asked.map_err(|trouble| trouble.refusal(false))?;
        let core = &self.client.thread.shared.core;
        let dialect = &self.client.door.speech.dialect;
        fills::answered(core, dialect, (permit, operation), &response);
        let heard = self.heard(permit, &response, sent_us);
        heard.map_or(Ok(response), Err)
    }

    /// Has what changes state recorded, done, and its outcome recorded.
    async fn change(
        &self,
        intent: Intent,
        permit: &Permit,
        outgoing: Outgoing,
        operation: Operation,
    ) -> Result<Response<Content>, Refusal> {
        let thread = &self.client.thread;
        let outcome = Outcome::of(&thread.shared, self.id.as_str());
        if !durable(thread, intent.ticket, permit.place().priority).await {
            // What was never recorded has no outcome.
            outcome.settled.set(true);
            return Err(Code::LedgerUnavailable.into());
        }
        let sent_us = now_us();
        let asked = self
            .ask(permit, outgoing, operation, || outcome.sending())
            .await;
        match asked {
            Ok(response) => {
                let orders = self.answered_orders(&response, operation, intent.route);
                let core = &thread.shared.core;
                intent.placing.learn(core, permit, orders.as_slice());
                let dialect = &self.client.door.speech.dialect;
                fills::answered(core, dialect, (permit, operation), &response);
                let heard = self.heard(permit, &response, sent_us);
                outcome.settle(&Ended {
                    result: Fate::Answered,
                    reason: heard.as_ref().map(|refusal| refusal.code.as_str()),
                    status: Some(response.status().as_u16()),
                    orders: orders.as_slice(),
                });
                heard.map_or(Ok(response), Err)
            }
            Err(trouble) => {
                let fate = match trouble {
                    Trouble::NotSent(_) => Fate::NotSent,
                    Trouble::Silent | Trouble::Broken | Trouble::Malformed => Fate::Unknown,
                };
                outcome.settle(&Ended::without_answer(fate, trouble.reason()));
                Err(trouble.refusal(true))
            }
        }
    }

    /// What the venue's answer says of the order that the message placed, changed or cancelled. An answer that is
    /// streamed is too long to be about one order, and is not waited for.
    fn answered_orders(
        &self,
        response: &Response<Content>,
        operation: Operation,
        route: u16,
    ) -> Each<AnsweredOrder> {
        let about_orders = operation.carries_order() || operation.is_about_orders();
        match response.body() {
            Content::Whole(Some(body)) if about_orders && response.status().is_success() => {
                self.client.door.speech.dialect.answered(route, body)
            }
            Content::Whole(_) | Content::Stream { .. } => Each::None,
        }
    }

    async fn ask(
        &self,
        permit: &Permit,
        outgoing: Outgoing,
        operation: Operation,
        sending: impl Fn(),
    ) -> Result<Response<Content>, Trouble> {
        let thread = &self.client.thread;
        let parcel = forward::parcel(permit, self, &self.head.method, outgoing, operation);
        let parcel = parcel.map_err(Trouble::NotSent)?;
        let pool = thread.pool_for(operation);
        let pool = pool.map_err(|code| Trouble::NotSent(code.into()))?;
        exchange(pool, permit, parcel, sending).await
    }

    fn answer(
        &self,
        asked: Result<Response<Content>, Refusal>,
        usages: &Usages,
    ) -> Response<Answer> {
        match asked {
            Ok(response) => {
                let mut response = response.map(|content| Answer::new(content, &self.lane.watch));
                let headers = response.headers_mut();
                strip_response(headers);
                self.client.door.speech.usage.write(usages, headers);
                headers.insert(MESSAGE, self.id.value().clone());
                response
            }
            Err(refusal) => {
                self.client.thread.shared.counters.refuse(refusal.code);
                self.refused(&refusal, usages)
            }
        }
    }
}

/// Waits until the entry is as durable as the ledger's mode asks for; false if it is not in the ledger.
async fn durable(thread: &Thread, ticket: Option<Ticket>, priority: Priority) -> bool {
    let ledger = &thread.shared.ledger;
    match (ticket, ledger.mode()) {
        (Some(ticket), Mode::Strict { .. }) => {
            thread.commits.durable(ledger, ticket, priority).await
        }
        (Some(_), Mode::Group { .. }) => true,
        (None, _) => false,
    }
}

/// The outcome of one message that changes state: written exactly once, also when the message is given up half-way.
struct Outcome<'a> {
    shared: &'a Shared,
    message: &'a str,
    since_us: u64,
    /// Whether a byte may have left for the venue.
    sent: Cell<bool>,
    settled: Cell<bool>,
}

impl<'a> Outcome<'a> {
    fn of(shared: &'a Shared, message: &'a str) -> Self {
        shared.counters.carried.fetch_add(1, Ordering::SeqCst);
        Self {
            shared,
            message,
            since_us: now_us(),
            sent: Cell::new(false),
            settled: Cell::new(false),
        }
    }

    fn sending(&self) {
        self.sent.set(true);
    }

    fn settle(&self, ended: &Ended<'_>) {
        self.settled.set(true);
        record::outcome(self.shared, self.message, ended, self.since_us);
    }
}

impl Drop for Outcome<'_> {
    fn drop(&mut self) {
        if !self.settled.get() {
            let fate = if self.sent.get() {
                Fate::Unknown
            } else {
                Fate::NotSent
            };
            self.settle(&Ended::without_answer(fate, "abandoned"));
        }
        self.shared.counters.carried.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A future that is carried to its end even if nobody waits for it any more: dropped half-way, it goes on as a task
/// of its own. Until then it costs no task.
pub(crate) struct Carried<F: Future<Output = Response<Answer>> + 'static> {
    future: Option<Pin<Box<F>>>,
    thread: Rc<Thread>,
}

impl<F: Future<Output = Response<Answer>> + 'static> Carried<F> {
    pub(crate) fn new(thread: &Rc<Thread>, future: F) -> Self {
        Self {
            future: Some(Box::pin(future)),
            thread: Rc::clone(thread),
        }
    }
}

impl<F: Future<Output = Response<Answer>> + 'static> Future for Carried<F> {
    type Output = Response<Answer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response<Answer>> {
        let Some(mut future) = self.future.take() else {
            // INVARIANT: nothing is polled again after it was ready.
            return Poll::Pending;
        };
        // While it is out of its place, a panic ends it here instead of carrying it on.
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            self.future = Some(future);
        }
        polled
    }
}

impl<F: Future<Output = Response<Answer>> + 'static> Drop for Carried<F> {
    fn drop(&mut self) {
        // At the thread's end no task can be begun; what is dropped then records its own outcome.
        if let Some(future) = self.future.take()
            && !self.thread.ended.get()
        {
            spawn_local(future);
        }
    }
}
