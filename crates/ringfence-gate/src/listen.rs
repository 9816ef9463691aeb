//! Binding listeners, and accepting connections on one thread.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ringfence_core::refusal::Code;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{spawn_local, yield_now};

use crate::authority::Authorities;
use crate::certificate::Verifier;
use crate::client::{Client, Thread};
use crate::clock::now_us;
use crate::error::GateError;
use crate::limits::Place;
use crate::nonce::Nonces;
use crate::proxied::{self, Proxies, introduced};
use crate::serve::serve;
use crate::shared::Speech;

/// Connections that the system keeps for us while we are busy.
const BACKLOG: i32 = 4096;
/// Connections that are accepted one after the other; then those that are open already have their turn.
const ENTER_AT_ONCE: usize = 8;
/// Connections that an address has which is kept out: one part in so many of what others have.
const HELD_PART: u64 = 100;
/// Wait after an accept that failed, as when no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// One listener, as every thread opens it.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) name: Arc<str>,
    pub(crate) address: SocketAddr,
    pub(crate) authorities: Authorities,
    /// Those that proofs must be made with here; none: they need none.
    pub(crate) nonces: Option<Arc<Nonces>>,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) verifier: Verifier,
    /// Those that pass clients on, whose own addresses count; none: clients connect themselves.
    pub(crate) proxies: Option<Arc<Proxies>>,
    pub(crate) speech: Arc<Speech>,
}

/// Binds `address` so that every thread can have a socket of its own on it.
///
/// # Errors
///
/// [`GateError::System`], also when another process listens there.
pub(crate) fn bind(address: SocketAddr) -> Result<std::net::TcpListener, GateError> {
    let bound = || -> std::io::Result<std::net::TcpListener> {
        let socket = open(address)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bound().map_err(GateError::system(format!("listening on {address}")))
}

/// Makes sure that nobody listens on `address` yet: sockets that share a port would take each other's connections
/// without a word, and a second gateway started by mistake would do just that.
///
/// # Errors
///
/// [`GateError::System`].
pub(crate) fn claim(address: SocketAddr) -> Result<(), GateError> {
    if address.port() == 0 {
        return Ok(());
    }
    let claimed = || open(address)?.bind(&address.into());
    claimed().map_err(GateError::system(format!("listening on {address}")))
}

fn open(address: SocketAddr) -> std::io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Accepts until the thread drains.
pub(crate) async fn accept(listener: TcpListener, door: Rc<Door>, thread: Rc<Thread>) {
    let mut entered = 0;
    while !thread.draining.get() {
        let accepted = tokio::select! {
            biased;
            () = thread.drain.notified() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                admit(stream, peer.ip(), &door, &thread);
                entered += 1;
                if entered % ENTER_AT_ONCE == 0 {
                    yield_now().await;
                }
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Gives a connection a place and a task of its own, or closes it unanswered, which costs least.
fn admit(stream: TcpStream, peer: IpAddr, door: &Rc<Door>, thread: &Rc<Thread>) {
    let counters = &thread.shared.counters;
    counters.accepted.fetch_add(1, Ordering::Relaxed);
    if let Some(proxies) = &door.proxies {
        let Some(waiting) = proxied::admit(peer, proxies, thread) else {
            return reset(&stream);
        };
        let (door, thread) = (Rc::clone(door), Rc::clone(thread));
        spawn_local(introduced(stream, peer, waiting, door, thread));
    } else if let Some((client, place)) = enter(&stream, peer, door, thread) {
        spawn_local(serve(stream, door.tls.clone(), Rc::new(client), place));
    }
}

/// Takes a place for a client's connection; without one it is closed.
pub(crate) fn enter(
    stream: &TcpStream,
    peer: IpAddr,
    door: &Rc<Door>,
    thread: &Rc<Thread>,
) -> Option<(Client, Place)> {
    let place = place(peer, thread).map_err(|code| {
        thread.shared.counters.refuse(code);
        reset(stream);
    });
    let place = place.ok()?;
    let _ = stream.set_nodelay(true);
    let client = Client::new(thread, door, peer.to_canonical(), place.prefix());
    Some((client, place))
}

/// Takes a place of what an address has.
fn place(peer: IpAddr, thread: &Thread) -> Result<Place, Code> {
    let shared = &thread.shared;
    let (doorway, now_us) = (&shared.doorway, now_us());
    // Who is kept out may come in to be told so, now and then.
    let held = shared.core.held(peer, now_us).is_some();
    let part = if held { HELD_PART } else { 1 };
    let arrived = doorway.arrivals.take(peer, part, now_us);
    arrived.map_err(|_| Code::EdgeRate)?;
    let taken = doorway.connections.take(peer);
    let place = taken.ok_or(Code::ConnectionsExhausted)?;
    let floods = &thread.floods;
    match floods.turns_away(place.prefix(), place.nth(), now_us) {
        true => Err(Code::EdgeRate),
        false => Ok(place),
    }
}

/// Has the connection closed by a reset: a polite close would leave its port waiting on our side, of which a flood
/// makes many.
pub(crate) fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
