//! Serving HTTP/1.1 on one client connection, from the handshake to the last byte.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::client::Client;
use crate::deadline::before;
use crate::framing::Bounds;
use crate::limits::Place;
use crate::relay::Relay;
use crate::socket::{Carrier, Socket};
use crate::watch::Phase;

/// The parser's own buffer, beside a whole head. Heads are bounded before it (see `socket`).
const SLACK_BYTES: usize = 16 * 1024;

/// Serves `stream` until either side ends it.
pub(crate) async fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    client: Rc<Client>,
    place: Place,
) {
    let alarm = PanicAlarm(&client);
    let carrier = match tls {
        None => Some(Carrier::Plain(stream)),
        Some(config) => shake_hands(stream, config, &client).await,
    };
    if let Some(carrier) = carrier {
        converse(carrier, &client).await;
    }
    drop(alarm);
    drop(place);
}

async fn shake_hands(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    client: &Client,
) -> Option<Carrier> {
    let watch = &client.watch;
    watch.deadline.set(client.thread.shared.http.handshake());
    let accepting = TlsAcceptor::from(config).accept(stream);
    let shaken = before(&watch.deadline, accepting).await;
    // Only now does the time for the first head begin.
    watch.deadline.set(watch.patience.head);
    match shaken {
        Some(Ok(stream)) => Some(Carrier::Tls(Box::new(stream))),
        Some(Err(_)) | None => {
            let counters = &client.thread.shared.counters;
            counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

async fn converse(carrier: Carrier, client: &Rc<Client>) {
    let http = client.thread.shared.http;
    let bounds = Bounds {
        bytes: http.header_bytes,
        fields: http.headers,
    };
    let socket = Socket::new(
        carrier,
        Rc::clone(&client.thread.landing),
        Rc::clone(&client.watch),
        Rc::clone(client),
        bounds,
    );
    let serving = Rc::clone(client);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        serving.watch.enter(Phase::Serving);
        let client = Rc::clone(&serving);
        async move {
            let answer = Rc::clone(&client).serve(request).await;
            client.watch.enter(Phase::Answering);
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
        if client.thread.draining.get() && !std::mem::replace(&mut told, true) {
            connection.as_mut().graceful_shutdown();
        }
        if client.out_of_time(context) {
            return Poll::Ready(());
        }
        // How it ended is known already: what matters was counted and recorded where it happened.
        connection.poll(context).map(drop)
    })
    .await;
    let stream = client.stream.borrow_mut().take();
    if let Some(far) = stream {
        let parts = connection.into_parts();
        let (near, held) = parts.io.into_parts();
        let early = [&parts.read_buf[..], &held].concat();
        Relay::new(client, near, far, early).run().await;
    }
}

impl Client {
    /// Tells whether the peer has had its time, and counts it. While the service has the message, time is its matter.
    fn out_of_time(&self, context: &Context<'_>) -> bool {
        if self.watch.deadline.poll_passed(context).is_pending() {
            return false;
        }
        match self.watch.phase() {
            Phase::Serving => false,
            Phase::Head
            | Phase::Parsing
            | Phase::Answering
            | Phase::Flushing
            | Phase::Draining
            | Phase::Ending => {
                let counters = &self.thread.shared.counters;
                counters.timed_out.fetch_add(1, Ordering::Relaxed);
                true
            }
        }
    }
}

/// Counts a connection whose task panicked. The task ends, the process lives.
struct PanicAlarm<'c>(&'c Client);

impl Drop for PanicAlarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let counters = &self.0.thread.shared.counters;
            counters.panics.fetch_add(1, Ordering::Relaxed);
        }
    }
}
