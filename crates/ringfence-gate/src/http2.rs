//! Serving HTTP/2 on one client connection, from the preface to the last byte. Each stream is one message, which goes
//! the way of any other (see `pipeline`).
//!
//! The parser is h2, hyper's own, without hyper around it: whoever floods is told so, by GOAWAY with a reason, and each
//! stream has deadlines of its own (docs/adr/0018).

mod channel;
mod send;
mod socket;
mod stream;
mod tally;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection};
use ringfence_core::refusal::Code;
use tokio::task::spawn_local;

pub(crate) use channel::Channel;
use socket::{Meter, Socket};

use crate::client::Client;
use crate::deadline::before;
use crate::lane::{Lane, Transport};
use crate::snapshot::HttpConfig;
use crate::socket::Carrier;
use crate::watch::Watch;

/// Streams that may be open at once. RFC 9113 6.5.2 advises against fewer.
const STREAMS_MAX: u32 = 100;
/// Bytes of bodies that all streams together may have here, unless one alone may have more.
const BODIES_BYTES: u32 = 1024 * 1024;
/// Bytes by which a body that is too large is seen to be.
const OVER_BYTES: usize = 16 * 1024;
/// Windows are never smaller than this, by RFC 9113 6.9.2.
const WINDOW_MIN_BYTES: u32 = 65_535;
const WINDOW_MAX_BYTES: u32 = (1 << 31) - 1;
/// Bytes of answers that a stream keeps for a client that does not take them.
const UNSENT_BYTES: usize = 64 * 1024;
/// Bytes by which RFC 9113 6.5.2 counts a field longer than it is.
const FIELD_BYTES: usize = 32;
/// Streams that the parser refuses for their form before it gives the connection up.
const MALFORMED_MAX: usize = 64;
/// Messages that are recorded, and counted against the address, at a connection's end.
const RECORDED_MAX: usize = 1024;
/// How long a client has to go after our last word.
const LINGER: Duration = Duration::from_secs(1);

/// Answers messages until either side ends the connection.
pub(crate) async fn converse(carrier: Carrier, client: &Rc<Client>, lane: &Rc<Lane>) {
    let http = client.thread.shared.http;
    let meter = Rc::new(Meter::new(&client.thread.deadlines, &lane.watch.patience));
    let socket = Socket::new(carrier, Rc::clone(&meter), client.leave.clone());
    let shaking = builder(&http).handshake(socket);
    let shaken = before(&lane.watch.deadline, shaking).await;
    let mut talk = Conversation::new(client, lane, meter);
    let fault = match shaken {
        None => {
            talk.time_out();
            return;
        }
        Some(Err(error)) => fault(&error),
        Some(Ok(mut connection)) => {
            std::future::poll_fn(|context| talk.poll(&mut connection, context)).await
        }
    };
    talk.settle(fault);
}

fn builder(http: &HttpConfig) -> Builder {
    let wanted = u32::try_from(http.body_bytes + OVER_BYTES).unwrap_or(u32::MAX);
    let window = wanted.clamp(WINDOW_MIN_BYTES, WINDOW_MAX_BYTES);
    let list = http.header_bytes + http.headers * FIELD_BYTES;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .initial_window_size(window)
        // What a stream has sent goes back to this window only with its end: so it bounds what all of them hold.
        .initial_connection_window_size(window.max(BODIES_BYTES))
        .max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX))
        .max_local_error_reset_streams(Some(MALFORMED_MAX))
        .max_send_buffer_size(UNSENT_BYTES)
        .enable_connect_protocol();
    builder
}

/// What an end that is the client's doing is refused as; nothing for one that is nobody's fault.
fn fault(error: &h2::Error) -> Option<Code> {
    if !error.is_library() {
        return None;
    }
    match error.reason() {
        Some(Reason::ENHANCE_YOUR_CALM) => Some(Code::HttpFlood),
        Some(_) => Some(Code::HttpMalformed),
        None => None,
    }
}

/// The streams of one connection that are open.
pub(crate) struct Streams {
    open: Cell<usize>,
    /// Whether the connection is told to end, and waits for nothing but them.
    going: Cell<bool>,
    watch: Rc<Watch>,
}

/// One open stream. With the last one the time to come back begins.
pub(crate) struct Opened(Rc<Streams>);

impl Opened {
    fn new(streams: &Rc<Streams>) -> Self {
        streams.open.set(streams.open.get() + 1);
        streams.watch.deadline.clear();
        Self(Rc::clone(streams))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let streams = &self.0;
        streams.open.set(streams.open.get() - 1);
        streams.rest();
    }
}

impl Streams {
    /// Begins the time to come back, or to go, if no stream is open.
    fn rest(&self) {
        if self.open.get() == 0 {
            self.watch.deadline.set(if self.going.get() {
                LINGER
            } else {
                self.watch.patience.idle
            });
        }
    }
}

/// One connection while it is served.
struct Conversation {
    client: Rc<Client>,
    streams: Rc<Streams>,
    meter: Rc<Meter>,
    /// Messages that became requests.
    accepted: usize,
    /// Messages that the parser has refused so far.
    malformed: usize,
    /// Set once the client is told to go at once.
    told_off: Option<Code>,
}

impl Conversation {
    fn new(client: &Rc<Client>, lane: &Lane, meter: Rc<Meter>) -> Self {
        Self {
            client: Rc::clone(client),
            streams: Rc::new(Streams {
                open: Cell::new(0),
                going: Cell::new(false),
                watch: Rc::clone(&lane.watch),
            }),
            meter,
            accepted: 0,
            malformed: 0,
            told_off: None,
        }
    }

    /// Serves the connection; ready with what its end is refused as, if with anything.
    fn poll(
        &mut self,
        connection: &mut Connection<Socket, Bytes>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Code>> {
        if self.client.thread.draining.get() || self.client.is_turned_out() {
            self.say_goodbye(connection);
        }
        loop {
            match connection.poll_accept(context) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.accepted += 1;
                    let opened = Opened::new(&self.streams);
                    let client = Rc::clone(&self.client);
                    // In a box: a task's future is moved thrice, and this one is some kilobytes.
                    spawn_local(Box::pin(stream::serve(client, request, respond, opened)));
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(self.told_off.or(fault(&error)));
                }
                Poll::Ready(None) => return Poll::Ready(self.told_off),
                Poll::Pending => {}
            }
            // All that was read has been looked at.
            self.malformed = self.meter.heads().saturating_sub(self.accepted);
            if self.told_off.is_none() && self.meter.is_flooded() {
                self.tell_off(connection, Code::HttpFlood);
            } else if self.told_off.is_none() && self.meter.poll_late(context).is_ready() {
                self.time_out();
                self.tell_off(connection, Code::HttpTimeout);
            } else if self.meter.poll_stuck(context).is_ready() {
                self.time_out();
                return Poll::Ready(self.told_off);
            } else if self.streams.watch.deadline.poll_passed(context).is_ready() {
                if self.streams.going.get() {
                    return Poll::Ready(self.told_off);
                }
                self.time_out();
                self.say_goodbye(connection);
            } else {
                return Poll::Pending;
            }
        }
    }

    /// Lets what is under way finish, and nothing else begin.
    fn say_goodbye(&self, connection: &mut Connection<Socket, Bytes>) {
        if !self.streams.going.replace(true) {
            connection.graceful_shutdown();
            self.streams.rest();
        }
    }

    /// Ends the connection as soon as the client has been told why.
    fn tell_off(&mut self, connection: &mut Connection<Socket, Bytes>, code: Code) {
        self.told_off = Some(code);
        self.streams.going.set(true);
        self.streams.watch.deadline.set(2 * LINGER);
        connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
    }

    fn time_out(&self) {
        let counters = &self.client.thread.shared.counters;
        counters.timed_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Records, and counts against the address, what never became a request.
    fn settle(&self, fault: Option<Code>) {
        let times = self.malformed.max(usize::from(fault.is_some()));
        for _ in 0..times.min(RECORDED_MAX) {
            let code = fault.unwrap_or(Code::HttpMalformed);
            let _ = self.client.refuse_unread(code, Transport::Http2);
        }
    }
}
