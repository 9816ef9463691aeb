//! One request to the venue and its answer. Nothing that may have been sent is sent again.

use std::rc::Rc;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Method, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Refusal};

use crate::body::{Content, Uncollected, collect};
use crate::clock::now_us;
use crate::forward::Parcel;
use crate::pool::{Lease, Pool};

/// Answers up to this many bytes are collected and sent on in one write; larger ones are streamed.
const COLLECT_MAX: usize = 64 * 1024;
/// Connections tried for one message, all but the last of which died unused.
const ATTEMPTS: usize = 4;

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing reached the venue.
    NotSent(Refusal),
    /// The venue may have got it and said nothing in time.
    Silent,
    /// The venue may have got it and broke off.
    Broken,
    /// The venue answered with what is no answer.
    Malformed,
}

impl Trouble {
    /// Returns the word that the ledger keeps.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::NotSent(refusal) => refusal.code.as_str(),
            Self::Silent => "timeout",
            Self::Broken => "connection_lost",
            Self::Malformed => "malformed_answer",
        }
    }

    /// Returns what a client is told, by whether its message may have changed something.
    pub(crate) fn refusal(self, changes_state: bool) -> Refusal {
        match self {
            Self::NotSent(refusal) => refusal,
            Self::Silent | Self::Broken | Self::Malformed if changes_state => {
                Code::VenueOutcomeUnknown.into()
            }
            Self::Silent => Code::VenueTimeout.into(),
            Self::Broken | Self::Malformed => Code::VenueMalformed.into(),
        }
    }
}

/// Sends `parcel` and returns the answer. `sending` is called before the first byte may leave.
///
/// The permit is looked at again just before that, when all waiting is over: a revocation that returned meanwhile is
/// obeyed.
pub(crate) async fn exchange(
    pool: &Rc<Pool>,
    permit: &Permit,
    parcel: Parcel,
    sending: impl Fn(),
) -> Result<Response<Content>, Trouble> {
    let bodiless = *parcel.method() == Method::HEAD;
    let (response, mut lease) = send(pool, permit, parcel, sending).await?;
    let (mut head, incoming) = response.into_parts();
    let hint = incoming.size_hint().exact();
    if !is_sound(&head) {
        return Err(Trouble::Malformed);
    }
    if !bodiless && hint != Some(0) {
        // The length is written anew from the body itself.
        head.headers.remove(CONTENT_LENGTH);
    }
    if hint.is_none_or(|length| length > COLLECT_MAX as u64) {
        lease.hear();
        let lease = Some(lease);
        return Ok(Response::from_parts(
            head,
            Content::Stream { incoming, lease },
        ));
    }
    let whole = if hint == Some(0) {
        None
    } else {
        Some(gather(&mut lease, incoming).await?)
    };
    lease.give_back();
    Ok(Response::from_parts(head, Content::Whole(whole)))
}

async fn gather(lease: &mut Lease, incoming: Incoming) -> Result<bytes::Bytes, Trouble> {
    match lease.before(collect(incoming, COLLECT_MAX)).await {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(Uncollected::Broken | Uncollected::TooLong)) => Err(Trouble::Broken),
        None => Err(Trouble::Silent),
    }
}

/// Tells whether the length of an answer can be read in one way only (RFC 9112 6.3), and is not a switch to another
/// protocol, for which nobody asked.
fn is_sound(head: &Parts) -> bool {
    let headers = &head.headers;
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let framed = match (codings.next(), codings.next()) {
        (None, _) => headers.get_all(CONTENT_LENGTH).iter().count() <= 1,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    };
    let version = matches!(head.version, Version::HTTP_10 | Version::HTTP_11);
    framed && version && !head.status.is_informational()
}

async fn send(
    pool: &Rc<Pool>,
    permit: &Permit,
    mut parcel: Parcel,
    sending: impl Fn(),
) -> Result<(Response<Incoming>, Lease), Trouble> {
    for _ in 0..ATTEMPTS {
        let lent = pool.lend(permit.place()).await;
        let mut lease = lent.map_err(Trouble::NotSent)?;
        let core = &pool.shared.core;
        let fresh = core.revalidate(permit, now_us());
        // Signed only now, where it is: when all waiting is over.
        let ready = fresh.and_then(|()| parcel.take(&pool.shared, now_us()));
        let request = match ready {
            Ok(request) => request,
            Err(refusal) => {
                lease.give_back();
                return Err(Trouble::NotSent(refusal));
            }
        };
        sending();
        match lease.send(request).await {
            None => return Err(Trouble::Silent),
            Some(Ok(response)) => return Ok((response, lease)),
            Some(Err(mut failed)) => match failed.take_message() {
                // hyper gives the message back only if not a byte of it was written.
                Some(unsent) => parcel.put_back(unsent),
                None if failed.error().is_parse() => return Err(Trouble::Malformed),
                None => return Err(Trouble::Broken),
            },
        }
    }
    Err(Trouble::NotSent(Code::VenueUnreachable.into()))
}
