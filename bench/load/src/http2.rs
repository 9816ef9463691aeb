//! The same load over HTTP/2: several connections, and on each several streams, each of which asks again as soon as it is
//! answered.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::Request;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::drive::{Plan, Spent};
use crate::fault;
use crate::report::Report;
use crate::request::{Recipe, Requests};
use crate::transport::Route;

/// Windows so wide that hardly a frame is spent on them.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;

/// What all streams share.
struct Load {
    requests: Requests,
    cycle: bool,
    next: Cell<usize>,
    start: Instant,
    report: RefCell<Report>,
    /// Streams that go on.
    going: Cell<usize>,
    /// Told once none does.
    done: Notify,
}

/// Runs `plan` with `streams` on each connection; returns what came of it.
pub(crate) fn run(
    route: &Route,
    plan: Plan,
    streams: usize,
    recipe: &Recipe<'_>,
) -> io::Result<Report> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build()?;
    LocalSet::new().block_on(&runtime, measure(route, plan, streams, recipe))
}

async fn measure(
    route: &Route,
    plan: Plan,
    streams: usize,
    recipe: &Recipe<'_>,
) -> io::Result<Report> {
    let mut senders = Vec::with_capacity(plan.connections);
    for nth in 0..plan.connections {
        senders.push(connect(route, nth).await?);
    }
    let load = Rc::new(Load {
        requests: Requests::make(recipe)?,
        cycle: plan.cycle,
        next: Cell::new(0),
        start: Instant::now(),
        report: RefCell::new(Report::new()),
        going: Cell::new(plan.connections * streams),
        done: Notify::new(),
    });
    for sender in &senders {
        for _ in 0..streams {
            spawn_local(Rc::clone(&load).ask_on(sender.clone()));
        }
    }
    if plan.warm_ns > 0 {
        load.until(plan.warm_ns).await;
    }
    let began = Spent::until(load.now_ns(), &plan.watch)?;
    let broken = std::mem::replace(&mut *load.report.borrow_mut(), Report::new()).broken;
    load.until(plan.run_ns).await;
    let mut report = load.report.replace(Report::new());
    // A stream that broke off asks no more, however early that was.
    report.broken += broken;
    report.exhausted = load.is_exhausted();
    began.close(load.now_ns(), &plan.watch, &mut report)?;
    Ok(report)
}

/// Makes the `nth` connection, and drives it for as long as there is one.
async fn connect(route: &Route, nth: usize) -> io::Result<SendRequest<Bytes>> {
    let (config, name) = route
        .tls()
        .ok_or_else(|| fault("--streams needs --tls-ca: HTTP/2 goes over TLS"))?;
    let stream = route.open(nth)?;
    stream.set_nonblocking(true)?;
    let stream = TcpStream::from_std(stream)?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(fault("the target does not speak HTTP/2"));
    }
    let shaken = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .handshake(stream)
        .await;
    let (sender, connection) = shaken.map_err(io::Error::other)?;
    // Its end is seen by each of its streams.
    spawn_local(async move { drop(connection.await) });
    Ok(sender)
}

impl Load {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits for so long, or until no stream goes on.
    async fn until(&self, wait_ns: u64) {
        if self.going.get() > 0 {
            let _ = timeout(Duration::from_nanos(wait_ns), self.done.notified()).await;
        }
    }

    fn is_exhausted(&self) -> bool {
        !self.cycle && self.next.get() >= self.requests.len()
    }

    async fn ask_on(self: Rc<Self>, mut sender: SendRequest<Bytes>) {
        while !self.is_exhausted() {
            let index = self.next.get();
            self.next.set(index + 1);
            let bytes = self.requests.bytes(index % self.requests.len());
            let since_ns = self.now_ns();
            let answered = match translated(bytes) {
                Some((request, body)) => ask(&mut sender, request, body).await.ok(),
                None => None,
            };
            let mut report = self.report.borrow_mut();
            match answered {
                Some(status) => report.answered(status, self.now_ns() - since_ns),
                None => {
                    report.broken += 1;
                    break;
                }
            }
        }
        self.going.set(self.going.get() - 1);
        if self.going.get() == 0 {
            self.done.notify_one();
        }
    }
}

/// Asks once; returns the status once the answer is whole.
async fn ask(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
) -> Result<u16, h2::Error> {
    std::future::poll_fn(|context| sender.poll_ready(context)).await?;
    let (answer, mut stream) = sender.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        stream.send_data(body, true)?;
    }
    let answer = answer.await?;
    let status = answer.status().as_u16();
    let mut body = answer.into_body();
    while let Some(piece) = body.data().await {
        let count = piece?.len();
        body.flow_control().release_capacity(count)?;
    }
    Ok(status)
}

/// Returns a request of HTTP/1.1, made by [`Requests`], as one of HTTP/2.
fn translated(bytes: &[u8]) -> Option<(Request<()>, Bytes)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let (method, rest) = lines.next()?.split_once(' ')?;
    let target = rest.strip_suffix(" HTTP/1.1")?;
    let mut request = Request::builder().method(method);
    let mut host = "";
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        match name {
            "Host" => host = value,
            _ => request = request.header(name, value),
        }
    }
    let request = request.uri(format!("https://{host}{target}")).body(());
    Some((request.ok()?, Bytes::copy_from_slice(body.as_bytes())))
}

#[cfg(test)]
mod tests;
