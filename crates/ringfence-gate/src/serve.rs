//! Serving one client connection, from the handshake on.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ringfence_core::refusal::Code;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::certificate::Presented;
use crate::client::Client;
use crate::clock::now_us;
use crate::deadline::before;
use crate::http1::{self, Switched};
use crate::http2;
use crate::lane::{Lane, Transport};
use crate::limits::Place;
use crate::listen::reset;
use crate::socket::Carrier;

/// Serves `stream` until either side ends it.
///
/// Each stage is in a box of its own, which goes with it: a task keeps the memory of its largest stage to its end, and
/// an idle WebSocket is small beside a handshake and a parser.
pub(crate) async fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    client: Rc<Client>,
    place: Place,
) {
    let alarm = PanicAlarm(&client);
    let lane = Rc::new(Lane::open(&client, Transport::Http1));
    let carrier = match tls {
        None => Some(Carrier::Plain(stream)),
        Some(config) => Box::pin(shake_hands(stream, config, &client, &lane)).await,
    };
    match carrier {
        Some(carrier) if carrier.speaks_http2() => {
            Box::pin(http2::converse(carrier, &client, &lane)).await;
        }
        Some(carrier) => {
            let switched = Box::pin(http1::converse(carrier, &client, &lane)).await;
            if let Some(Switched { next, near, early }) = switched {
                let served = next.serve(&client, &lane, near, &early);
                drop(early);
                served.await;
            }
        }
        None => {}
    }
    drop(alarm);
    drop(place);
}

async fn shake_hands(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    client: &Client,
    lane: &Lane,
) -> Option<Carrier> {
    let watch = &lane.watch;
    let Some(shaking) = begin_handshake(client) else {
        reset(&stream);
        return None;
    };
    watch.deadline.set(client.thread.shared.http.handshake());
    let accepting = TlsAcceptor::from(config).accept(stream);
    let shaken = before(&watch.deadline, accepting).await;
    drop(shaking);
    // Only now does the time for the first head begin.
    watch.deadline.set(watch.patience.head);
    match shaken {
        Some(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let verifier = client.door.verifier.as_ref();
            let presented = verifier.and_then(|it| Presented::new(chain, it, now_us()));
            if let Some(presented) = presented {
                // A connection shakes hands once.
                let _ = client.presented.set(presented);
            }
            Some(Carrier::Tls(Box::new(stream)))
        }
        Some(Err(_)) | None => {
            let counters = &client.thread.shared.counters;
            counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

/// Takes a handshake of what the address has, which costs more than anything else that a stranger can ask for.
fn begin_handshake(client: &Client) -> Option<Place> {
    let shared = &client.thread.shared;
    let doorway = &shared.doorway;
    let begun = doorway.handshakes.take(client.peer, 1, now_us());
    let Some(place) = begun.ok().and_then(|()| doorway.shaking.take(client.peer)) else {
        shared.counters.refuse(Code::EdgeRate);
        return None;
    };
    Some(place)
}

/// Counts a connection whose task panicked. The task ends, the process lives.
pub(crate) struct PanicAlarm<'c>(pub(crate) &'c Client);

impl Drop for PanicAlarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let counters = &self.0.thread.shared.counters;
            counters.panics.fetch_add(1, Ordering::Relaxed);
        }
    }
}
