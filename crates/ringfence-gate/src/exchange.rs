//! One request to the venue and its answer. Nothing that may have been sent is sent again.

use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use ringfence_core::refusal::Code;
use tokio::time::timeout;

use crate::body::Answer;
use crate::pool::{Lease, Pool, Sent};
use crate::shared::Venue;

/// Answers up to this many bytes are collected and sent on in one write; larger ones are streamed.
const COLLECT_MAX: u64 = 64 * 1024;
/// Connections tried for one message, all but the last of which died unused.
const ATTEMPTS: usize = 4;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing reached the venue.
    NotSent(Code),
    /// The venue may have got it and said nothing in time.
    Silent,
    /// The venue may have got it and broke off.
    Broken,
    /// The venue answered with what is no answer.
    Malformed,
}

impl Trouble {
    /// Returns the word that the ledger keeps.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::NotSent(code) => code.as_str(),
            Self::Silent => "timeout",
            Self::Broken => "connection_lost",
            Self::Malformed => "malformed_answer",
        }
    }
}

/// Sends `request` and returns the answer's head and body.
pub(crate) async fn exchange(
    pool: &Rc<Pool>,
    venue: &Venue,
    request: Request<Sent>,
) -> Result<Response<Answer>, Trouble> {
    let bodiless = request.method() == http::Method::HEAD;
    let (response, lease) = send(pool, venue, request).await?;
    if response.status().is_informational() {
        return Err(Trouble::Malformed);
    }
    let (head, incoming) = response.into_parts();
    let none = bodiless || crate::body::has_none(&http::Method::GET, head.status);
    let small = incoming
        .size_hint()
        .exact()
        .is_some_and(|length| length <= COLLECT_MAX);
    if none || small {
        let whole = collect(venue, incoming).await?;
        lease.give_back();
        let whole = Some(whole).filter(|bytes| !bytes.is_empty());
        return Ok(Response::from_parts(head, Answer::Whole(whole)));
    }
    Ok(Response::from_parts(
        head,
        Answer::Stream {
            incoming,
            lease: Some(lease),
        },
    ))
}

async fn collect(venue: &Venue, incoming: Incoming) -> Result<Bytes, Trouble> {
    match timeout(venue.response_timeout, incoming.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(_)) => Err(Trouble::Broken),
        Err(_) => Err(Trouble::Silent),
    }
}

async fn send(
    pool: &Rc<Pool>,
    venue: &Venue,
    mut request: Request<Sent>,
) -> Result<(Response<Incoming>, Lease), Trouble> {
    for _ in 0..ATTEMPTS {
        let mut lease = pool.lend().await.map_err(Trouble::NotSent)?;
        match timeout(
            venue.response_timeout,
            lease.sender.try_send_request(request),
        )
        .await
        {
            Err(_) => return Err(Trouble::Silent),
            Ok(Ok(response)) => return Ok((response, lease)),
            Ok(Err(mut failed)) => match failed.take_message() {
                // hyper gives the message back only if not a byte of it was written.
                Some(unsent) => request = unsent,
                None if failed.error().is_parse() => return Err(Trouble::Malformed),
                None => return Err(Trouble::Broken),
            },
        }
    }
    Err(Trouble::NotSent(Code::VenueUnreachable))
}

/// Returns the code that a client is told, by whether its message may have changed something.
pub(crate) const fn code_of(trouble: Trouble, changes_state: bool) -> Code {
    match trouble {
        Trouble::NotSent(code) => code,
        Trouble::Silent | Trouble::Broken | Trouble::Malformed if changes_state => {
            Code::VenueOutcomeUnknown
        }
        Trouble::Silent => Code::VenueTimeout,
        Trouble::Broken | Trouble::Malformed => Code::VenueMalformed,
    }
}
