//! The way of one message: edge, framing, operation, the core's controls, record, forward, outcome.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use http::header::TRANSFER_ENCODING;
use http::request::Parts;
use http::{Request, Response};
use ringfence_core::budget::Usages;
use ringfence_core::edge::{EdgePass, EdgeRefusal};
use ringfence_core::operation::Operation;
use ringfence_core::overload::{Place, Priority};
use ringfence_core::pipeline::{Decision, Trace};
use ringfence_core::refusal::{Code, Refusal, Retry};
use ringfence_core::session::Session;
use ringfence_wire::http::{check, check_extended_connect, check_http2};
use ringfence_wire::websocket::handshake;
use ringfence_wire::{Reading, Rendered, Route};
use tokio::time::sleep;

use crate::body::{self, Answer, Inbound};
use crate::carry::Carried;
use crate::client::Client;
use crate::clock::now_us;
use crate::lane::{Lane, Transport};
use crate::lending::masked;
use crate::refuse::closing;
use crate::shared::MessageId;
use crate::snapshot::HttpConfig;
use crate::stream::Opening;

/// One message on its way.
pub(crate) struct Passing {
    pub(crate) client: Rc<Client>,
    pub(crate) lane: Rc<Lane>,
    pub(crate) id: MessageId,
    pub(crate) head: Parts,
    /// Its path as the ledger has it, where that is not as it came.
    pub(crate) masked: Option<Box<str>>,
    /// How it came, if it is no request by itself.
    pub(crate) said: Option<SaidOn>,
    pub(crate) started_us: u64,
}

/// A message of a channel: what it calls what it asks, and where it was said.
pub(crate) struct SaidOn {
    pub(crate) path: Rc<str>,
    pub(crate) method: Box<str>,
    /// The route that it stands for.
    pub(crate) route: Option<Box<str>>,
    /// What it subscribes to, or no longer.
    pub(crate) topics: Vec<String>,
}

/// What the controls look at of a message.
pub(crate) struct Asking<'a> {
    pub(crate) operation: Operation,
    pub(crate) signed: bool,
    pub(crate) reading: Reading<'a>,
    pub(crate) session: Option<&'a Session>,
}

/// That a message passed the edge, and what was seen there.
pub(crate) type Edge = (EdgePass, Trace);

/// Why a message does not go on at once.
pub(crate) enum Stopped {
    Turned(Turned),
    /// It waits for what others say of it.
    Waits(Box<(Decision, Edge)>),
}

impl From<Turned> for Stopped {
    fn from(turned: Turned) -> Self {
        Self::Turned(turned)
    }
}

/// A message that was refused, and recorded so.
pub(crate) struct Turned {
    pub(crate) refusal: Refusal,
    pub(crate) rendered: Rendered,
    pub(crate) usages: Usages,
}

impl Client {
    /// Takes one request to its answer.
    pub(crate) async fn serve(
        self: Rc<Self>,
        lane: Rc<Lane>,
        request: Request<impl Inbound>,
    ) -> Response<Answer> {
        let (head, incoming) = request.into_parts();
        // Where chunks end only the parser knows: nothing that follows them is taken for another message.
        let last = head.headers.contains_key(TRANSFER_ENCODING);
        let id = self.thread.shared.message_id();
        // Shared by the steps of its way: moved from step to step it would be copied into each one's future.
        let passing = Rc::new(Passing {
            client: self,
            lane,
            id,
            masked: masked(head.uri.path()),
            head,
            said: None,
            started_us: now_us(),
        });
        let mut answer = Rc::clone(&passing).pass(incoming).await;
        passing.give_nonce(&mut answer);
        if last { closing(answer) } else { answer }
    }

    /// Notes that the address is over its budget. Returns how long its connection is held before it is answered.
    pub(crate) fn over(&self, refusal: &Refusal, now_us: u64) -> Duration {
        self.offended(None, refusal);
        match refusal.retry {
            Retry::AfterMs(after_ms) => self.thread.floods.refused(self.prefix, after_ms, now_us),
            Retry::Never => Duration::ZERO,
        }
    }
}

impl Passing {
    async fn pass(self: Rc<Self>, incoming: impl Inbound) -> Response<Answer> {
        let client = Rc::clone(&self.client);
        let shared = &client.thread.shared;
        // 1. edge, before anything else is looked at or read
        let edge = match client.admit(self.started_us) {
            Ok(edge) => edge,
            Err(over) => return self.turn_away(over).await,
        };
        // 2. framing
        let head = &self.head;
        let opening = match framed(head, self.lane.transport, &shared.http) {
            Ok(opening) => opening,
            Err(refusal) => return closing(self.refuse_early(&refusal, edge.1, None)),
        };
        // 3. operation
        let route = client
            .door
            .speech
            .dialect
            .route(head.method.as_str(), head.uri.path());
        let Some(route) = route else {
            return self.refuse_early(&Code::RouteUnknown.into(), edge.1, None);
        };
        if let Some(instead) = route.retired.as_deref() {
            let retired = Refusal::new(Code::RouteRetired).field(instead);
            return closing(self.refuse_early(&retired, edge.1, None));
        }
        let upgrades = route.stream || route.channel;
        if upgrades != opening.is_some() {
            let code = if upgrades {
                Code::RouteUnknown
            } else {
                Code::HttpUpgradeUnsupported
            };
            return closing(self.refuse_early(&code.into(), edge.1, None));
        }
        let body = match body::read(incoming, shared.http.body_bytes, &self.lane.watch).await {
            Ok(body) => body,
            Err(code) => {
                return closing(self.refuse_early(&code.into(), edge.1, Some(route.operation)));
            }
        };
        // A turn at the thread's time: who gets none is not even verified.
        if !client
            .thread
            .turns
            .at_once(Priority::of_operation(route.operation), &client.leave.flow)
        {
            // Rare and large: it does not make every message's future as large.
            let waited = Box::pin(self.wait_for_turn(route, &body)).await;
            if let Err(code) = waited {
                return self.refuse_early(&code.into(), edge.1, Some(route.operation));
            }
        }
        // What waits for others' word is judged to its end, even if the client hangs up.
        if shared
            .core
            .may_wait(route.operation, route.signed || route.channel)
        {
            let passing = Rc::clone(&self);
            let judging = async move {
                let dialect = &passing.client.door.speech.dialect;
                match dialect.route(passing.head.method.as_str(), passing.head.uri.path()) {
                    Some(route) => passing.settle(route, edge, &body, opening).await,
                    // INVARIANT: it was found above.
                    None => passing.refuse_early(&Code::Internal.into(), edge.1, None),
                }
            };
            return Carried::new(&client.thread, judging).await;
        }
        self.settle(route, edge, &body, opening).await
    }

    /// Takes a message that was read whole to its answer.
    async fn settle(
        self: &Rc<Self>,
        route: &Route,
        edge: Edge,
        body: &Bytes,
        opening: Option<Opening>,
    ) -> Response<Answer> {
        let client = &self.client;
        // 4. the core's controls, and the record of what they decided
        match self.judge(route, edge, body).await {
            Err(turned) => {
                if turned.refusal.is_of_shard() {
                    let held = client.pressed.refused(self.started_us);
                    if !held.is_zero() {
                        // By a timer of its own: all connections of a flood that go on at once are a burst.
                        Box::pin(sleep(held)).await;
                    }
                }
                let told = self.told_over(route, opening.as_ref(), &turned.refusal);
                told.unwrap_or_else(|| self.say(turned))
            }
            // 5. what may change something is carried to its end, even if the client hangs up
            Ok(permitted) if permitted.operation.changes_state() => {
                Carried::new(&client.thread, Rc::clone(self).carry(permitted)).await
            }
            Ok(permitted) => match opening {
                Some(opening) if route.channel => self.open_channel(&opening, permitted),
                Some(opening) => Rc::clone(self).open_stream(opening, permitted).await,
                None => Rc::clone(self).carry(permitted).await,
            },
        }
    }

    async fn wait_for_turn(&self, route: &Route, body: &Bytes) -> Result<(), Code> {
        let Client { thread, leave, .. } = &*self.client;
        let priority = self.urgency(route, body);
        if thread
            .turns
            .wait(Place { priority, lane: 0 }, &leave.flow)
            .await
        {
            return Ok(());
        }
        thread.shared.counters.shed(priority);
        Err(Code::Overloaded)
    }

    /// Returns how urgent a message may be, by a look at it. What it is, its permit knows.
    fn urgency(&self, route: &Route, body: &Bytes) -> Priority {
        let (dialect, thread) = (&self.client.door.speech.dialect, &self.client.thread);
        let mut scratch = thread.scratches.lend();
        // Of several with one path, which it is stands in the body; what is none of them is refused in its turn.
        let settled = dialect.settle(route, body, &mut scratch);
        let operation = settled.map_or(route.operation, |route| route.operation);
        let query = self.head.uri.query().unwrap_or_default();
        let reduces = operation == Operation::OrderPlace
            && [query.as_bytes(), body]
                .iter()
                .any(|text| dialect.may_reduce(text));
        match reduces {
            true => Priority::RiskReducing,
            false => Priority::of_operation(operation),
        }
    }

    /// Answers a message whose address is over its budget; a flood is made to wait.
    async fn turn_away(&self, over: EdgeRefusal) -> Response<Answer> {
        let refusal = over.refusal;
        let held = self.client.over(&refusal, self.started_us);
        if !held.is_zero() {
            let deadline = &self.lane.watch.deadline;
            deadline.set(held);
            deadline.passed().await;
            deadline.clear();
        }
        let answer = if over.first {
            self.say(self.turn_edge(refusal.clone()))
        } else {
            self.client.thread.shared.counters.refuse(refusal.code);
            self.refused(&refusal, &Usages::default())
        };
        if refusal.code == Code::Banned {
            // Its place is wanted for somebody who is not kept out.
            closing(answer)
        } else {
            answer
        }
    }

    /// Records and answers a refusal that comes before the core has seen the message.
    fn refuse_early(
        &self,
        refusal: &Refusal,
        edge: Trace,
        operation: Option<Operation>,
    ) -> Response<Answer> {
        self.say(self.turn_early(refusal.clone(), edge, operation))
    }

    /// Answers what was refused and recorded so.
    fn say(&self, turned: Turned) -> Response<Answer> {
        self.answered(&turned.refusal, turned.rendered, &turned.usages)
    }

    /// Answers a refusal that is not recorded here: its decision was a permission, or it is one of a flood.
    pub(crate) fn refused(&self, refusal: &Refusal, usages: &Usages) -> Response<Answer> {
        let rendered = self.render(refusal);
        self.answered(refusal, rendered, usages)
    }
}

/// Checks a head, and returns how it would open a stream, if it would.
fn framed(
    head: &Parts,
    transport: Transport,
    http: &HttpConfig,
) -> Result<Option<Opening>, Refusal> {
    let Parts {
        method,
        uri,
        headers,
        ..
    } = head;
    match transport {
        Transport::Http1 => {
            check(method, uri, head.version, headers)?;
            let asked = handshake(method, head.version, headers)?;
            Ok(asked.map(|handshake| Opening::Switch(handshake.key)))
        }
        Transport::Http2 => {
            check_http2(method, uri, headers, http.headers, http.header_bytes)?;
            let Some(protocol) = head.extensions.get::<Protocol>() else {
                return Ok(None);
            };
            check_extended_connect(protocol.as_str(), headers)?;
            Ok(Some(Opening::Connect))
        }
        // A channel's messages have no heads.
        Transport::WebSocket => Err(Code::HttpMalformed.into()),
    }
}
