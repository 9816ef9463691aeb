//! Accepting connections on one thread, and serving HTTP/1.1 on each.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use crate::error::GateError;
use crate::limits::Place;
use crate::pipeline::{Client, Thread};
use crate::shared::Speech;

/// Connections that the system keeps for us while we are busy.
const BACKLOG: i32 = 4096;
/// Wait after an accept that failed, as when no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// One listener, as every thread opens it.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) name: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) speech: Arc<Speech>,
}

/// Binds `address` so that every thread can have a socket of its own on it.
pub(crate) fn bind(address: SocketAddr) -> Result<std::net::TcpListener, GateError> {
    let doing = || format!("listening on {address}");
    let bound = || -> std::io::Result<std::net::TcpListener> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bound().map_err(GateError::system(doing()))
}

/// Accepts until `drain` says stop.
pub(crate) async fn accept(
    listener: TcpListener,
    door: Door,
    thread: Rc<Thread>,
    mut drain: watch::Receiver<bool>,
) {
    let listener_name: Rc<str> = Rc::from(&*door.name);
    loop {
        let accepted = tokio::select! {
            biased;
            _ = drain.changed() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let shared = &thread.shared;
        shared.counters.accepted.fetch_add(1, Ordering::Relaxed);
        // No place: the connection is closed unanswered, which costs least.
        let Some(place) = shared.connections.take(peer.ip()) else {
            shared
                .counters
                .refuse(ringfence_core::refusal::Code::ConnectionsExhausted);
            continue;
        };
        let _ = stream.set_nodelay(true);
        let client = Rc::new(Client {
            thread: Rc::clone(&thread),
            listener: Rc::clone(&listener_name),
            speech: Arc::clone(&door.speech),
            peer: peer.ip().to_canonical(),
            over: Cell::new(0),
        });
        spawn_local(open(stream, door.tls.clone(), client, place, drain.clone()));
    }
}

async fn open(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    client: Rc<Client>,
    place: Place,
    drain: watch::Receiver<bool>,
) {
    let _alarm = PanicAlarm(Rc::clone(&client));
    match tls {
        None => serve(stream, client, drain).await,
        Some(config) => {
            let patience = Duration::from_millis(client.thread.shared.http.handshake_timeout_ms);
            let handshake = TlsAcceptor::from(config).accept(stream);
            if let Ok(Ok(stream)) = tokio::time::timeout(patience, handshake).await {
                serve(stream, client, drain).await;
            }
        }
    }
    drop(place);
}

async fn serve<S>(stream: S, client: Rc<Client>, mut drain: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let http = client.thread.shared.http;
    let service = {
        let client = Rc::clone(&client);
        service_fn(move |request| {
            let client = Rc::clone(&client);
            async move { Ok::<_, Infallible>(client.serve(request).await) }
        })
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(http.header_timeout_ms))
        .max_headers(http.headers)
        .max_buf_size(http.header_bytes.max(8192))
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        biased;
        result = connection.as_mut() => result,
        _ = drain.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if result.is_err_and(|error| error.is_parse()) {
        client
            .thread
            .shared
            .counters
            .malformed
            .fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a connection whose task panicked. The task ends, the process lives.
struct PanicAlarm(Rc<Client>);

impl Drop for PanicAlarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .thread
                .shared
                .counters
                .panics
                .fetch_add(1, Ordering::Relaxed);
        }
    }
}
