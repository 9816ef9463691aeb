//! The rules of HTTP/2 that a parsed head must still satisfy before it is written anew as HTTP/1.1.
//!
//! Source: RFC 9113 and RFC 8441. Some of it the parser before us refuses by itself; what is read in two ways by two
//! servers is refused here whatever it does.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_VERSION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Uri};
use ringfence_core::refusal::{Code, Refusal};

use super::{check_expect, check_host, check_length, check_target, single};

/// Bytes that HTTP/1.1 would need beside a field's name and value, which is how heads are measured for both.
const FIELD_BYTES: usize = 4;

/// Checks a request's head: at most `fields` fields of at most `bytes` bytes.
///
/// # Errors
///
/// `http_header_too_large`, `http_framing_ambiguous`, `http_target_invalid` or `http_malformed`.
pub fn check_http2(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    fields: usize,
    bytes: usize,
) -> Result<(), Refusal> {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + FIELD_BYTES
    };
    let target = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if headers.len() > fields || target + headers.iter().map(field).sum::<usize>() > bytes {
        return Err(Code::HttpHeaderTooLarge.into());
    }
    check_origin(uri, headers)?;
    check_target(method, uri)?;
    check_length(single(
        headers,
        &CONTENT_LENGTH,
        Code::HttpFramingAmbiguous,
    )?)?;
    headers.iter().try_for_each(check_field)?;
    check_expect(headers)
}

/// RFC 9113 8.3.1: `:scheme` is the one that is spoken here, `:authority` is given, and `Host` says nothing else.
///
/// Without `:authority` the parser keeps no `:scheme` either, so that one could not be looked at.
fn check_origin(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |field| Err(Refusal::new(Code::HttpMalformed).field(field));
    let Some(authority) = uri.authority() else {
        return refused(":authority");
    };
    if uri.scheme_str() != Some("https") {
        return refused(":scheme");
    }
    if !super::is_host(authority.as_str().as_bytes()) {
        return refused(":authority");
    }
    check_host(uri, headers).map(drop)
}

/// RFC 9113 8.2: no fields of the hop, no value with space around it. No `_` in a name, as in HTTP/1.1.
fn check_field((name, value): (&HeaderName, &HeaderValue)) -> Result<(), Refusal> {
    let of_the_hop = [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(
            name.as_str(),
            "keep-alive" | "proxy-connection" | "http2-settings"
        )
        || (*name == TE && value != "trailers");
    let bytes = value.as_bytes();
    let padded = bytes.trim_ascii().len() < bytes.len();
    if of_the_hop || padded || name.as_str().contains('_') {
        return Err(Refusal::new(Code::HttpMalformed).field(name.as_str()));
    }
    Ok(())
}

/// Checks an extended CONNECT (RFC 8441 5), by which a stream becomes a WebSocket.
///
/// # Errors
///
/// [`Refusal`]: `http_upgrade_unsupported` for another protocol or version, `http_malformed` for one that has a length.
pub fn check_extended_connect(protocol: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let unsupported = || Refusal::new(Code::HttpUpgradeUnsupported);
    if protocol != "websocket" {
        return Err(unsupported());
    }
    let spoken = single(headers, &SEC_WEBSOCKET_VERSION, Code::HttpMalformed)?;
    if spoken.is_none_or(|spoken| spoken != "13") {
        return Err(unsupported());
    }
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(Refusal::new(Code::HttpMalformed).field(CONTENT_LENGTH.as_str()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
