//! What goes upstream, written anew: the parsed target and body, a closed list of header fields, and either the
//! attestation or, in egress, a signature of our own.

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::{Method, Request, Uri, Version};
use http_body_util::Full;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_wire::Outgoing;
use ringfence_wire::http::{FORWARDED, nominated};

use crate::attest::Attested;
use crate::clock::now_us;
use crate::egress::Letter;
use crate::hosts::Venue;
use crate::pipeline::Passing;
use crate::pool::Sent;
use crate::shared::Shared;

const ATTESTATION: HeaderName = HeaderName::from_static("x-ringfence-attestation");
/// What a venue sees of whoever asks in egress; some refuse a request without any.
const AGENT: HeaderValue = HeaderValue::from_static("ringfence");

/// A message on its way to the venue.
#[allow(clippy::large_enum_variant)] // a box would cost every message of an exchange's gateway an allocation
pub(crate) enum Parcel {
    /// As it is sent. Nothing while it is being sent.
    Ready(Option<Request<Sent>>, Method),
    /// To be signed when it is sent.
    Letter(Box<Letter>),
}

impl Parcel {
    pub(crate) fn method(&self) -> &Method {
        match self {
            Self::Ready(_, method) => method,
            Self::Letter(letter) => &letter.method,
        }
    }

    /// Returns it as it is sent now.
    ///
    /// # Errors
    ///
    /// As [`Letter::sign`].
    pub(crate) fn take(&mut self, shared: &Shared, now_us: u64) -> Result<Request<Sent>, Refusal> {
        match self {
            // INVARIANT: it was put back, unless this is the first time.
            Self::Ready(request, _) => request.take().ok_or_else(|| Code::Internal.into()),
            Self::Letter(letter) => letter.sign(&shared.ring, now_us),
        }
    }

    /// Takes back what was not sent. A letter is signed anew.
    pub(crate) fn put_back(&mut self, unsent: Request<Sent>) {
        match self {
            Self::Ready(request, _) => *request = Some(unsent),
            Self::Letter(_) => {}
        }
    }
}

/// Writes the message to the venue. Needs the permit: nothing else can be forwarded.
///
/// # Errors
///
/// As [`request`]; what cannot be signed anew.
pub(crate) fn parcel(
    permit: &Permit,
    passing: &Passing,
    method: &Method,
    outgoing: Outgoing,
    operation: Operation,
) -> Result<Parcel, Refusal> {
    let Some(key) = permit.venue_key() else {
        let request = request(permit, passing, method, outgoing, operation)?;
        return Ok(Parcel::Ready(Some(request), method.clone()));
    };
    let speech = &passing.client.door.speech;
    let mut headers = HeaderMap::with_capacity(FORWARDED.len() + 8);
    address(passing, &passing.client.thread.shared.venue, &mut headers);
    // The body's type is written with the body.
    headers.remove(CONTENT_TYPE);
    if let Some((name, window)) = speech.dialect.window_field() {
        headers.insert(name, window);
    }
    Ok(Parcel::Letter(Box::new(Letter {
        key: key.clone(),
        speech: speech.clone(),
        method: method.clone(),
        message: speech.dialect.unsigned(outgoing)?,
        headers,
        by_name: operation == Operation::StreamOpen
            && passing.lends().is_some_and(|lends| lends.by_name),
    })))
}

/// Builds the request to the venue of what nobody signs.
///
/// # Errors
///
/// `http_target_invalid` if the target cannot be written.
pub(crate) fn request(
    permit: &Permit,
    passing: &Passing,
    method: &Method,
    outgoing: Outgoing,
    operation: Operation,
) -> Result<Request<Sent>, Refusal> {
    let shared = &passing.client.thread.shared;
    let credential = permit.credential();
    let body = Bytes::from(outgoing.body);
    // In egress a venue is told nothing; the admin API always is.
    let (venue, attestor) = match &shared.admin {
        Some(admin) if operation.administers() => (&admin.venue, Some(&admin.attestor)),
        Some(_) | None => {
            let tells = shared.core.egress.is_none();
            (&shared.venue, tells.then_some(&shared.attestor))
        }
    };
    let attestation = attestor.map(|attestor| {
        attestor.attest(&Attested {
            account: credential.map(|c| c.account()),
            credential: credential.map(|c| c.key_id()),
            operation: operation.as_str(),
            message: passing.id.as_str(),
            method: method.as_str(),
            target: &outgoing.target,
            body: &body,
            now_us: now_us(),
        })
    });
    let invalid = || Refusal::new(Code::HttpTargetInvalid);
    let target = Uri::from_maybe_shared(Bytes::from(outgoing.target)).map_err(|_| invalid())?;
    let length = body.len();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = target;
    let headers = request.headers_mut();
    headers.reserve(FORWARDED.len() + 3);
    address(passing, venue, headers);
    // The venue must read the body as we did, whatever the client called it.
    if let Some(content_type) = outgoing.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if length > 0 || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(attestation) = attestation {
        let attestation = HeaderValue::from_maybe_shared(Bytes::from(attestation));
        headers.insert(ATTESTATION, attestation.map_err(|_| invalid())?);
    }
    Ok(request)
}

/// Writes the venue's name and what travels on. In egress that is nothing of what a bot is made with.
fn address(passing: &Passing, venue: &Venue, headers: &mut HeaderMap) {
    let shared = &passing.client.thread.shared;
    headers.insert(HOST, venue.host.clone());
    copy(&passing.head.headers, headers);
    if shared.core.egress.is_some() {
        headers.insert(USER_AGENT, AGENT);
    }
}

fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    let named = from.contains_key(http::header::CONNECTION);
    for name in &FORWARDED {
        if named && nominated(from, name) {
            continue;
        }
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}
