//! What goes upstream, written anew: the parsed target and body, a closed list of header fields, the attestation.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version};
use http_body_util::Full;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_wire::Outgoing;
use ringfence_wire::http::{FORWARDED, nominated};

use crate::attest::Attested;
use crate::clock::now_us;
use crate::pipeline::Passing;
use crate::pool::Sent;

const ATTESTATION: HeaderName = HeaderName::from_static("x-ringfence-attestation");

/// Builds the request to the venue. Needs the permit: nothing else can be forwarded.
///
/// # Errors
///
/// `http_target_invalid` if the target cannot be written.
pub(crate) fn request(
    permit: &Permit,
    passing: &Passing,
    outgoing: Outgoing,
    operation: Operation,
) -> Result<Request<Sent>, Refusal> {
    let (shared, head) = (&passing.client.thread.shared, &passing.head);
    let credential = permit.credential();
    let body = Bytes::from(outgoing.body);
    let attestation = shared.attestor.attest(&Attested {
        account: credential.map(|c| c.account()),
        credential: credential.map(|c| c.key_id()),
        operation: operation.as_str(),
        message: passing.id.as_str(),
        method: head.method.as_str(),
        target: &outgoing.target,
        body: &body,
        now_us: now_us(),
    });
    let invalid = || Refusal::new(Code::HttpTargetInvalid);
    let target = Uri::from_maybe_shared(Bytes::from(outgoing.target)).map_err(|_| invalid())?;
    let attestation = HeaderValue::from_maybe_shared(Bytes::from(attestation));
    let attestation = attestation.map_err(|_| invalid())?;
    let length = body.len();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = target;
    let headers = request.headers_mut();
    headers.reserve(FORWARDED.len() + 3);
    headers.insert(HOST, shared.venue.host.clone());
    copy(&head.headers, headers);
    // The venue must read the body as we did, whatever the client called it.
    if let Some(content_type) = outgoing.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if length > 0 || matches!(head.method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers.insert(ATTESTATION, attestation);
    Ok(request)
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
