//! Serving HTTP/1.1 on one client connection, from the first head to the last byte.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::client::Client;
use crate::framing::Bounds;
use crate::lane::{Lane, Next};
use crate::socket::{Carrier, Socket};
use crate::watch::Phase;

/// The parser's own buffer, beside a whole head. Heads are bounded before it (see `socket`).
const SLACK_BYTES: usize = 16 * 1024;

/// A connection on which HTTP/1.1 is over, because it becomes something else.
pub(crate) struct Switched {
    pub(crate) next: Next,
    pub(crate) near: Carrier,
    /// What the client sent before it was answered.
    pub(crate) early: Vec<u8>,
}

/// Answers one message after the other, until either side ends it or the connection becomes something else: then what
/// carries it is returned, and nothing of the parser is kept.
pub(crate) async fn converse(
    carrier: Carrier,
    client: &Rc<Client>,
    lane: &Rc<Lane>,
) -> Option<Switched> {
    let http = client.thread.shared.http;
    let bounds = Bounds {
        bytes: http.header_bytes,
        fields: http.headers,
    };
    let socket = Socket::new(
        carrier,
        Rc::clone(&client.thread.landing),
        Rc::clone(&lane.watch),
        Rc::clone(client),
        client.leave.clone(),
        bounds,
    );
    let service = service_fn(|request: hyper::Request<Incoming>| {
        lane.watch.enter(Phase::Serving);
        let serving = Rc::clone(client).serve(Rc::clone(lane), request);
        async {
            let answer = serving.await;
            lane.watch.enter(Phase::Answering);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = http1::Builder::new()
        .half_close(false)
        // Heads have their deadline at the socket.
        .header_read_timeout(None)
        .max_headers(http.headers)
        .max_buf_size(http.header_bytes + SLACK_BYTES)
        // Head and body leave in one buffer, in one write.
        .writev(false)
        .serve_connection(socket, service);
    let mut told = false;
    std::future::poll_fn(|context| {
        let mut connection = Pin::new(&mut connection);
        if (client.thread.draining.get() || client.is_turned_out())
            && !std::mem::replace(&mut told, true)
        {
            connection.as_mut().graceful_shutdown();
        }
        if out_of_time(client, lane, context) {
            return Poll::Ready(());
        }
        // How it ended is known already: what matters was counted and recorded where it happened.
        connection.poll(context).map(drop)
    })
    .await;
    let next = lane.next.borrow_mut().take()?;
    let parts = connection.into_parts();
    let (near, held) = parts.io.into_parts();
    // The parser's buffer has room for a whole head, which nothing needs any more.
    let early = [&parts.read_buf[..], &held].concat();
    Some(Switched { next, near, early })
}

/// Tells whether the peer has had its time, and counts it. While the service has the message, time is its matter.
fn out_of_time(client: &Client, lane: &Lane, context: &Context<'_>) -> bool {
    if lane.watch.deadline.poll_passed(context).is_pending() {
        return false;
    }
    match lane.watch.phase() {
        Phase::Serving => false,
        Phase::Head
        | Phase::Parsing
        | Phase::Answering
        | Phase::Flushing
        | Phase::Draining
        | Phase::Ending => {
            let counters = &client.thread.shared.counters;
            counters.timed_out.fetch_add(1, Ordering::Relaxed);
            true
        }
    }
}
