//! Connections that a balancer passes on: whose they are stands in the header that each begins with.
//!
//! A listener takes them from its balancers only, and without a header none: what is guessed can be forged.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringfence_core::address::Cidr;
use ringfence_core::edge::Quotas;
use ringfence_core::refusal::Code;
use ringfence_ledger::Value;
use ringfence_wire::proxy::{Parsed, ProxyError, Source, parse};
use serde_json::Map;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::client::Thread;
use crate::clock::now_us;
use crate::deadline::before;
use crate::error::GateError;
use crate::limits::{Connections, Place};
use crate::listen::{Door, enter, reset};
use crate::record;
use crate::serve::serve;
use crate::snapshot::ProxyProtocol;

/// How often the same is told of a listener again; all is counted.
const TOLD_US: u64 = 60_000_000;

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turned {
    /// Its header is none that we take.
    Header(ProxyError),
    /// It ended before its header did.
    HungUp,
    /// Its header did not come in time.
    Late,
    /// It is from none of the balancers.
    Untrusted,
}

impl Turned {
    const ALL: [Self; 9] = {
        let [a, b, c, d, e, f] = ProxyError::ALL;
        [
            Self::Header(a),
            Self::Header(b),
            Self::Header(c),
            Self::Header(d),
            Self::Header(e),
            Self::Header(f),
            Self::HungUp,
            Self::Late,
            Self::Untrusted,
        ]
    };

    const fn as_str(self) -> &'static str {
        match self {
            Self::Header(error) => error.as_str(),
            Self::HungUp => "hung_up",
            Self::Late => "late",
            Self::Untrusted => "untrusted",
        }
    }

    /// Says what is wrong to who can put it right.
    fn said(self) -> String {
        match self {
            Self::Header(error) => error.to_string(),
            Self::HungUp => "it ended before its header did".to_owned(),
            Self::Late => "its header did not come in time".to_owned(),
            Self::Untrusted => "it is none of `proxy_protocol.from`".to_owned(),
        }
    }
}

/// The balancers of one listener.
#[derive(Debug)]
pub(crate) struct Proxies {
    listener: Box<str>,
    from: Box<[Cidr]>,
    /// Connections whose header is still to come. They are nobody's yet, so that only all of them are bounded.
    waiting: Arc<Connections>,
    turned: [Count; Turned::ALL.len()],
}

/// How often a connection was turned away for one reason, and when that was told last.
#[derive(Debug, Default)]
struct Count {
    all: AtomicU64,
    told_us: AtomicU64,
}

impl Proxies {
    /// Makes those of a listener whose field `proxy_protocol` is at `field`.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`].
    pub(crate) fn new(
        config: &ProxyProtocol,
        listener: &str,
        connections: usize,
        field: &str,
    ) -> Result<Self, GateError> {
        let network = |(index, text): (usize, &String)| {
            let wrong =
                |what: &dyn fmt::Display| GateError::config(format!("{field}.from[{index}]"), what);
            let network = Cidr::parse(text).map_err(|e| wrong(&e))?;
            let what = "is too wide: whoever is in it says where clients are; name the balancers, /8 or /32 at most";
            network
                .binds()
                .then_some(network)
                .ok_or_else(|| wrong(&what))
        };
        let from: Result<Box<[_]>, _> = config.from.iter().enumerate().map(network).collect();
        let from = from?;
        if from.is_empty() {
            let what = "name the balancers: without one nobody could connect";
            return Err(GateError::config(format!("{field}.from"), what));
        }
        let unbounded = Quotas {
            address: u64::MAX,
            network: u64::MAX,
            block: u64::MAX,
        };
        Ok(Self {
            listener: listener.into(),
            from,
            waiting: Arc::new(Connections::new(connections, unbounded)),
            turned: Default::default(),
        })
    }

    fn are_at(&self, peer: IpAddr) -> bool {
        self.from.iter().any(|network| network.contains(peer))
    }

    /// Counts one that is turned away; returns how many there were where that is to be told.
    fn count(&self, why: Turned, now_us: u64) -> Option<u64> {
        let place = Turned::ALL.iter().position(|one| *one == why)?;
        let count = self.turned.get(place)?;
        let all = count.all.fetch_add(1, Ordering::Relaxed) + 1;
        let told_us = count.told_us.load(Ordering::Relaxed);
        let due = all == 1 || now_us.abs_diff(told_us) >= TOLD_US;
        let mine = due
            && count
                .told_us
                .compare_exchange(told_us, now_us, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        mine.then_some(all)
    }

    /// Returns the listener, and how many were turned away, by why, for status pages.
    pub(crate) fn status(&self) -> (String, serde_json::Value) {
        let counted = |(why, count): (&Turned, &Count)| {
            let all = count.all.load(Ordering::Relaxed);
            (all > 0).then(|| (why.as_str().to_owned(), all.into()))
        };
        let all = Turned::ALL.iter().zip(&self.turned).filter_map(counted);
        (self.listener.to_string(), all.collect::<Map<_, _>>().into())
    }
}

/// Gives a connection a place until its header is read; none where it is not from a balancer, or all are taken.
pub(crate) fn admit(peer: IpAddr, proxies: &Proxies, thread: &Thread) -> Option<Place> {
    if !proxies.are_at(peer) {
        turn(Turned::Untrusted, peer, proxies, thread);
        return None;
    }
    let place = proxies.waiting.take(peer);
    if place.is_none() {
        thread.shared.counters.refuse(Code::ConnectionsExhausted);
    }
    place
}

/// Serves a connection of a balancer, which has a place, as the client's that its header names.
pub(crate) async fn introduced(
    mut stream: TcpStream,
    peer: IpAddr,
    waiting: Place,
    door: Rc<Door>,
    thread: Rc<Thread>,
) {
    let Some(proxies) = &door.proxies else {
        return;
    };
    let read = Box::pin(header(&mut stream, &thread)).await;
    drop(waiting);
    let source = match read {
        Ok(source) => source,
        Err(why) => {
            turn(why, peer, proxies, &thread);
            return reset(&stream);
        }
    };
    let entered = match source {
        Source::Client(address) => enter(&stream, address, &door, &thread),
        Source::Local => enter(&stream, peer, &door, &thread)
            .map(|(client, place)| (client.of_balancer(), place)),
    };
    if let Some((client, place)) = entered {
        serve(stream, door.tls.clone(), Rc::new(client), place).await;
    }
}

/// Reads the header, and not a byte that stands behind it.
async fn header(stream: &mut TcpStream, thread: &Thread) -> Result<Source, Turned> {
    let deadline = thread.deadlines.make();
    deadline.set(thread.shared.http.handshake());
    let read = before(&deadline, read(stream)).await;
    read.unwrap_or(Err(Turned::Late))
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Result<Source, Turned> {
    let mut held = Vec::new();
    loop {
        match parse(&held).map_err(Turned::Header)? {
            Parsed::Whole { source, .. } => return Ok(source),
            Parsed::Partial(missing) => {
                let more = fill(stream, &mut held, missing).await;
                more.map_err(|_| Turned::HungUp)?;
            }
        }
    }
}

/// Reads at most so many bytes more.
async fn fill(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    held: &mut Vec<u8>,
    missing: usize,
) -> io::Result<()> {
    let most = u64::try_from(missing).unwrap_or(u64::MAX);
    match stream.take(most).read_buf(held).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Counts a connection that is not served, and tells of it now and then.
fn turn(why: Turned, peer: IpAddr, proxies: &Proxies, thread: &Thread) {
    let told = proxies.count(why, now_us());
    // To connect and hang up is how many balancers look whether somebody listens.
    let Some(count) = told.filter(|_| why != Turned::HungUp) else {
        return;
    };
    let (shared, said) = (&thread.shared, why.said());
    let peer = peer.to_canonical();
    eprintln!(
        "ringfence: the listener {} turned away a connection from {peer}: {said} ({count} so far)",
        proxies.listener
    );
    let address = shared.ledger.address(peer).to_string();
    let detail = [
        ("address", Value::Text(&address)),
        (
            "count",
            Value::Int(i64::try_from(count).unwrap_or(i64::MAX)),
        ),
        ("listener", Value::Text(&proxies.listener)),
        ("why", Value::Text(why.as_str())),
    ];
    // The ledger tells elsewhere that it takes nothing.
    let _ = record::event(shared, "proxy.refused", &detail);
}
