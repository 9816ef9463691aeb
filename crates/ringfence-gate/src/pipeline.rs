//! The way of one message: edge, framing, operation, the core's controls, record, forward, outcome.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use ringfence_core::budget::Usages;
use ringfence_core::edge::EdgePass;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::{Message, Permit, Trace};
use ringfence_core::refusal::{Code, Refusal, Retry};
use ringfence_ledger::{Fate, Mode, Ticket};
use ringfence_wire::http::{check, single, strip_response};
use ringfence_wire::{Head, Outgoing, Route, Scratch};
use tokio::task::spawn_local;

use crate::body::{self, Answer};
use crate::clock::now_us;
use crate::commit::CommitWait;
use crate::exchange::{code_of, exchange};
use crate::forward;
use crate::pool::Pool;
use crate::record::{self, Decided};
use crate::shared::{Shared, Speech};
use crate::usage::write_retry_after;

const MESSAGE: HeaderName = HeaderName::from_static("x-ringfence-message");
/// Edge refusals on one connection after which it is made to wait: answering a flood is work too.
const PATIENCE: u32 = 16;
/// Longest that a connection is made to wait, in milliseconds.
const HOLD_MAX_MS: u64 = 1000;

/// What one engine thread has to itself.
pub(crate) struct Thread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) commits: CommitWait,
    pub(crate) scratch: RefCell<Scratch>,
}

/// One client connection.
pub(crate) struct Client {
    pub(crate) thread: Rc<Thread>,
    pub(crate) listener: Rc<str>,
    pub(crate) speech: Arc<Speech>,
    pub(crate) peer: IpAddr,
    /// Edge refusals since the last message that passed.
    pub(crate) over: Cell<u32>,
}

/// One message on its way.
struct Passing {
    client: Rc<Client>,
    id: String,
    head: Parts,
    started_us: u64,
}

/// A message that the controls have judged, and that stands in the ledger's queue.
struct Judged {
    outcome: Result<(Permit, Outgoing), Refusal>,
    operation: Operation,
    usages: Usages,
    ticket: Option<Ticket>,
}

impl Client {
    /// Takes one request to its answer.
    pub(crate) async fn serve(self: Rc<Self>, request: Request<Incoming>) -> Response<Answer> {
        let shared = Arc::clone(&self.thread.shared);
        let started_us = now_us();
        let id = shared.message_id();
        let (head, incoming) = request.into_parts();
        let passing = Passing {
            client: Rc::clone(&self),
            id,
            head,
            started_us,
        };
        // 1. edge, before anything else is looked at or read
        let edge = match shared.core.admit(self.peer, started_us) {
            Ok(edge) => edge,
            Err(over) => return passing.turn_away(over.refusal, over.first).await,
        };
        self.over.set(0);
        // 2. framing
        let Parts {
            method,
            uri,
            version,
            headers,
            ..
        } = &passing.head;
        if let Err(refusal) = check(method, uri, *version, headers) {
            return passing.refuse_early(&refusal, edge.1, None).closing();
        }
        // 3. operation
        let speech = Arc::clone(&self.speech);
        let Some(route) = speech.dialect.route(method.as_str(), uri.path()) else {
            return passing
                .refuse_early(&Code::RouteUnknown.into(), edge.1, None)
                .closing();
        };
        let body_timeout = Duration::from_millis(shared.http.body_timeout_ms);
        let body = match body::read(incoming, shared.http.body_bytes, body_timeout).await {
            Ok(body) => body,
            Err(code) => {
                return passing
                    .refuse_early(&code.into(), edge.1, Some(route.operation))
                    .closing();
            }
        };
        // 4. the core's controls, and the record of what they decided
        let judged = passing.judge(route, edge, &body);
        // 5. what may change something is carried to its end, even if the client hangs up
        if judged.operation.changes_state() && judged.outcome.is_ok() {
            let carried = spawn_local(passing.carry(judged));
            return carried
                .await
                .unwrap_or_else(|_| bare(StatusCode::INTERNAL_SERVER_ERROR));
        }
        passing.carry(judged).await
    }
}

impl Passing {
    /// Answers a message whose address is over its budget; a client that goes on is made to wait.
    async fn turn_away(self, refusal: Refusal, first: bool) -> Response<Answer> {
        let over = self.client.over.get() + 1;
        self.client.over.set(over);
        if over > PATIENCE
            && let Retry::AfterMs(after_ms) = refusal.retry
        {
            tokio::time::sleep(Duration::from_millis(after_ms.min(HOLD_MAX_MS))).await;
        }
        if first {
            return self.refuse_early(&refusal, Trace::Refused(refusal.code), None);
        }
        self.client.thread.shared.counters.refuse(refusal.code);
        self.render(&refusal, &Usages::default())
    }

    /// Records and answers a refusal that comes before the core has seen the message.
    fn refuse_early(
        &self,
        refusal: &Refusal,
        edge: Trace,
        operation: Option<Operation>,
    ) -> Response<Answer> {
        let mut trace = [Trace::NotReached; 8];
        trace[0] = edge;
        if refusal.code == Code::RouteUnknown {
            trace[1] = Trace::Refused(refusal.code);
        } else if operation.is_some() {
            trace[1] = Trace::Passed;
        }
        record::decision(
            &self.client.thread.shared,
            &Decided {
                operation,
                trace,
                refusal: Some(refusal),
                decided_us: now_us(),
                ..self.decided()
            },
        );
        self.render(refusal, &Usages::default())
    }

    /// Reads the message by its dialect, decides on it and records the decision. Waits for nothing.
    fn judge(&self, route: &Route, edge: (EdgePass, Trace), body: &Bytes) -> Judged {
        let shared = &self.client.thread.shared;
        let speech = &self.client.speech;
        let mut scratch = self.client.thread.scratch.borrow_mut();
        let operation = route.operation;
        let edge_trace = edge.1;
        let read = self.dialect_head().and_then(|head| {
            let reading = speech.dialect.read(route, &head, body, &mut scratch)?;
            Ok((head, reading))
        });
        let now = now_us();
        let (head, reading) = match read {
            Ok(read) => read,
            Err(refusal) => {
                let mut trace = [Trace::NotReached; 8];
                (trace[0], trace[1]) = (edge_trace, Trace::Passed);
                let decided = Decided {
                    operation: Some(operation),
                    trace,
                    refusal: Some(&refusal),
                    decided_us: now,
                    ..self.decided()
                };
                let ticket = record::decision(shared, &decided);
                let usages = Usages::default();
                return Judged {
                    outcome: Err(refusal),
                    operation,
                    usages,
                    ticket,
                };
            }
        };
        let message = Message {
            peer: self.client.peer,
            operation,
            signed: route.signed,
            claim: reading.claim,
            order: reading.order,
            cost: reading.cost,
        };
        let decision = shared
            .core
            .decide(&message, edge, &speech.dialect.window(), now);
        let ticket = record::decision(
            shared,
            &Decided {
                operation: Some(operation),
                credential: decision.credential.as_deref(),
                order: reading.order.as_ref(),
                trace: decision.trace,
                refusal: decision.outcome.as_ref().err(),
                decided_us: now,
                ..self.decided()
            },
        );
        let outcome = decision
            .outcome
            .map(|permit| (permit, speech.dialect.forward(route, &head, body)));
        Judged {
            outcome,
            operation,
            usages: decision.usages,
            ticket,
        }
    }

    /// Takes a judged message to its answer.
    async fn carry(self, judged: Judged) -> Response<Answer> {
        let Judged {
            outcome,
            operation,
            usages,
            ticket,
        } = judged;
        let (permit, outgoing) = match outcome {
            Ok(permitted) => permitted,
            Err(refusal) => return self.render(&refusal, &usages),
        };
        if !self.recorded(operation, ticket).await {
            let refusal = Refusal::from(Code::LedgerUnavailable);
            self.client.thread.shared.counters.refuse(refusal.code);
            return self.render(&refusal, &usages);
        }
        match self.forward(permit, outgoing, operation).await {
            Ok(mut response) => {
                strip_response(response.headers_mut());
                self.client
                    .speech
                    .usage
                    .write(&usages, response.headers_mut());
                self.label(response)
            }
            Err(refusal) => self.render(&refusal, &usages),
        }
    }

    /// Tells whether the decision is as durable as its operation asks for.
    async fn recorded(&self, operation: Operation, ticket: Option<Ticket>) -> bool {
        let shared = &self.client.thread.shared;
        match (ticket, operation.changes_state(), shared.ledger.mode()) {
            (Some(ticket), true, Mode::Strict { .. }) => {
                self.client
                    .thread
                    .commits
                    .durable(&shared.ledger, ticket)
                    .await
            }
            (Some(_), _, _) => true,
            (None, true, _) => false,
            (None, false, _) => {
                // Reads go on when the ledger cannot be written; how many is counted.
                shared
                    .counters
                    .unrecorded
                    .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                true
            }
        }
    }

    /// Sends the message to the venue and records what became of it.
    async fn forward(
        &self,
        permit: Permit,
        outgoing: Outgoing,
        operation: Operation,
    ) -> Result<Response<Answer>, Refusal> {
        let thread = &self.client.thread;
        let shared = &thread.shared;
        let changes = operation.changes_state();
        let sent_us = now_us();
        let record = |result, reason, status| {
            if changes {
                record::outcome(shared, &self.id, result, reason, status, sent_us);
            }
        };
        let built = forward::request(
            shared, &permit, &self.head, outgoing, operation, &self.id, sent_us,
        );
        let request = built.inspect_err(|refusal| {
            shared.counters.refuse(refusal.code);
            record(Fate::NotSent, Some(refusal.code.as_str()), None);
        })?;
        match exchange(&thread.pool, &shared.venue, request).await {
            Ok(response) => {
                record(Fate::Answered, None, Some(response.status().as_u16()));
                Ok(response)
            }
            Err(trouble) => {
                let code = code_of(trouble, changes);
                let fate = if matches!(trouble, crate::exchange::Trouble::NotSent(_)) {
                    Fate::NotSent
                } else {
                    Fate::Unknown
                };
                shared.counters.refuse(code);
                record(fate, Some(trouble.reason()), None);
                Err(code.into())
            }
        }
    }

    fn dialect_head(&self) -> Result<Head<'_>, Refusal> {
        let headers = &self.head.headers;
        let key = match &self.client.speech.key_header {
            Some(name) => single(headers, name, Code::FormDuplicate)?,
            None => None,
        };
        let plain = |value: Option<&'_ HeaderValue>, code: Code| match value {
            Some(value) if value.to_str().is_err() => Err(Refusal::from(code)),
            Some(_) | None => Ok(()),
        };
        plain(key, Code::CredentialUnknown)?;
        let content_type = single(headers, &CONTENT_TYPE, Code::FormMalformed)?;
        plain(content_type, Code::FormMalformed)?;
        Ok(Head {
            method: self.head.method.as_str(),
            path: self.head.uri.path(),
            query: self.head.uri.query().unwrap_or_default(),
            content_type: content_type.and_then(|value| value.to_str().ok()),
            key: key.and_then(|value| value.to_str().ok()),
        })
    }

    fn decided(&self) -> Decided<'_> {
        Decided {
            peer: self.client.peer,
            listener: &self.client.listener,
            dialect: self.client.speech.dialect.name(),
            message: &self.id,
            method: self.head.method.as_str(),
            path: self.head.uri.path(),
            operation: None,
            credential: None,
            order: None,
            trace: [Trace::NotReached; 8],
            refusal: None,
            started_us: self.started_us,
            decided_us: self.started_us,
        }
    }

    /// Answers in the dialect's own form: the one place where a refusal becomes HTTP.
    fn render(&self, refusal: &Refusal, usages: &Usages) -> Response<Answer> {
        let rendered = self.client.speech.dialect.render(refusal);
        let mut response = Response::new(Answer::Whole(Some(rendered.body.into())));
        *response.status_mut() =
            StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::try_from(rendered.content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        write_retry_after(refusal, headers);
        self.client.speech.usage.write(usages, headers);
        self.label(response)
    }

    fn label(&self, mut response: Response<Answer>) -> Response<Answer> {
        if let Ok(value) = HeaderValue::try_from(self.id.as_str()) {
            response.headers_mut().insert(MESSAGE, value);
        }
        response
    }
}

/// Ends the connection after this answer: what follows on it cannot be trusted to start where it seems to.
trait Closing {
    fn closing(self) -> Self;
}

impl Closing for Response<Answer> {
    fn closing(mut self) -> Self {
        self.headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        self
    }
}

fn bare(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(None));
    *response.status_mut() = status;
    response
}
