//! Opening a stream: the client's handshake judged like any request, the venue's opened anew.

use std::rc::Rc;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Request, Response, StatusCode};
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ringfence_core::refusal::Code;
use ringfence_wire::Leg;
use ringfence_wire::websocket::accept_input;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::body::Answer;
use crate::carry::{Permitted, Recorded};
use crate::exchange::Trouble;
use crate::hosts::{Place, Venue};
use crate::lane::Next;
use crate::lending::Shown;
use crate::ongoing::Ongoing;
use crate::pipeline::Passing;
use crate::pool::Sent;
use crate::refuse::MESSAGE;
use crate::relay::Lease;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const SWITCH: HeaderValue = HeaderValue::from_static("Upgrade");

/// Largest message of a venue. A whole book with all its levels is smaller.
pub(crate) const VENUE_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
pub(crate) const FRAMES: u32 = 1024;

/// The venue's end of a stream.
pub(crate) type Far = TokioIo<Upgraded>;

/// How a client asks for a stream.
#[derive(Debug)]
pub(crate) enum Opening {
    /// By switching the protocol of its connection; holds `Sec-WebSocket-Key` as it stands.
    Switch(HeaderValue),
    /// By extended CONNECT (RFC 8441).
    Connect,
}

impl Passing {
    /// Opens the venue's end, and only then answers the client.
    pub(crate) async fn open_stream(
        self: Rc<Self>,
        opening: Opening,
        permitted: Permitted,
    ) -> Response<Answer> {
        let Permitted {
            permit,
            outgoing,
            operation,
            usages,
            recorded,
            shown,
            ..
        } = permitted;
        let had = |shown: &Shown| shown.loan.is_had_by(permit.venue_key());
        let opened = if shown.as_ref().is_none_or(had) {
            let whose = if shown.is_some() {
                Leg::Private
            } else {
                Leg::Public
            };
            self.reach(&permit, outgoing, (operation, whose)).await
        } else {
            // The venue key is another one by now.
            Err(Trouble::NotSent(Code::TokenUnknown.into()))
        };
        let answer = match opened {
            Ok(far) => {
                let opened = Ongoing::new(&self.client.thread, permit);
                let lease = shown.map(|shown| Rc::new(Lease::new(opened, shown)));
                *self.lane.next.borrow_mut() = Some(Next::Stream(far, lease));
                self.opened(&opening)
            }
            Err(trouble) => {
                let refusal = trouble.refusal(false);
                let counters = &self.client.thread.shared.counters;
                counters.refuse(refusal.code);
                self.refused(&refusal, &usages)
            }
        };
        if let Recorded::Reading(reading) = recorded {
            reading.answered(answer.status().as_u16());
        }
        answer
    }

    pub(crate) fn opened(&self, opening: &Opening) -> Response<Answer> {
        let mut answer = Response::new(Answer::whole(None, &self.lane.watch));
        if let Opening::Switch(key) = opening {
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = answer.headers_mut();
            headers.insert(UPGRADE, WEBSOCKET);
            headers.insert(CONNECTION, SWITCH);
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept(key));
        }
        answer
            .headers_mut()
            .insert(MESSAGE, self.id.value().clone());
        answer
    }

    pub(crate) async fn open_far(
        &self,
        venue: &Venue,
        mut request: Request<Sent>,
    ) -> Result<Far, Trouble> {
        let key = fresh_key()?;
        let headers = request.headers_mut();
        // Whatever it was written for, it says where it goes.
        headers.insert(HOST, venue.host.clone());
        headers.insert(UPGRADE, WEBSOCKET);
        headers.insert(CONNECTION, SWITCH);
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, key.clone());
        let asked = timeout(venue.connect_timeout, ask(venue, request)).await;
        let response = asked.map_err(|_| Trouble::NotSent(Code::VenueUnreachable.into()))??;
        if !is_accepted(response.status(), response.headers(), &key) {
            return Err(Trouble::Malformed);
        }
        let upgraded = hyper::upgrade::on(response).await;
        upgraded.map(TokioIo::new).map_err(|_| Trouble::Broken)
    }
}

async fn ask(
    venue: &Venue,
    request: Request<Sent>,
) -> Result<Response<hyper::body::Incoming>, Trouble> {
    let unreachable = || Trouble::NotSent(Code::VenueUnreachable.into());
    // No WebSocket leads to the admin API.
    let Place::Net(address) = &venue.place else {
        return Err(unreachable());
    };
    let stream = TcpStream::connect(address)
        .await
        .map_err(|_| unreachable())?;
    let _ = stream.set_nodelay(true);
    match &venue.tls {
        None => send(TokioIo::new(stream), request).await,
        Some((config, name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let stream = connector.connect(name.clone(), stream).await;
            send(TokioIo::new(stream.map_err(|_| unreachable())?), request).await
        }
    }
}

async fn send<I>(io: I, request: Request<Sent>) -> Result<Response<hyper::body::Incoming>, Trouble>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let made = http1::Builder::new().handshake(io).await;
    let (mut sender, connection) = made.map_err(|_| Trouble::Broken)?;
    // Ends by itself once the protocol has been switched, or either side is gone.
    spawn_local(async move { drop(connection.with_upgrades().await) });
    let answered = sender.send_request(request).await;
    answered.map_err(|_| Trouble::Broken)
}

/// RFC 6455 4.1: what a client must find in the answer. Nothing was offered, so nothing may be chosen.
fn is_accepted(status: StatusCode, headers: &HeaderMap, key: &HeaderValue) -> bool {
    let is = |name, wanted: &[u8]| {
        let value: Option<&HeaderValue> = headers.get(name);
        value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted))
    };
    let accepted: Option<&HeaderValue> = headers.get(SEC_WEBSOCKET_ACCEPT);
    status == StatusCode::SWITCHING_PROTOCOLS
        && is(UPGRADE, b"websocket")
        && is(CONNECTION, b"upgrade")
        && accepted == Some(&accept(key))
        && !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)
        && !headers.contains_key(SEC_WEBSOCKET_PROTOCOL)
}

fn accept(key: &HeaderValue) -> HeaderValue {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &accept_input(key.as_bytes()));
    // Base64 is a valid value.
    HeaderValue::try_from(STANDARD.encode(hash)).unwrap_or(WEBSOCKET)
}

fn fresh_key() -> Result<HeaderValue, Trouble> {
    let mut bytes = [0; 16];
    let failed = || Trouble::NotSent(Code::Internal.into());
    rand::fill(&mut bytes).map_err(|_| failed())?;
    HeaderValue::try_from(STANDARD.encode(bytes)).map_err(|_| failed())
}
