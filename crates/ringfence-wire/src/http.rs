//! The rules that a parsed head must still satisfy, HTTP/1.1's here, and which header fields travel on.
//!
//! Whatever the parser before us accepts: a message that two servers could read in two ways is refused here.
//! Source: RFC 9110 and RFC 9112; deviations name their reason.

mod accept;
mod fields;
mod http2;

use http::header::{
    CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Method, Uri, Version};
use ringfence_core::refusal::{Code, Refusal};

use crate::form::percent_valid;

pub use accept::prefers;
pub use fields::{FORWARDED, nominated, strip_response};
pub use http2::{check_extended_connect, check_http2};

/// Checks a request's head.
///
/// # Errors
///
/// `http_framing_ambiguous`, `http_target_invalid` or `http_malformed`. Whether it may switch to another protocol is
/// [`crate::websocket::handshake`]'s matter.
pub fn check(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    if version != Version::HTTP_11 && version != Version::HTTP_10 {
        return Err(Code::HttpMalformed.into());
    }
    check_framing(version, headers)?;
    check_target(method, uri)?;
    if !check_host(uri, headers)? && version == Version::HTTP_11 {
        return Err(Refusal::new(Code::HttpMalformed).field("Host"));
    }
    check_names(headers)?;
    check_expect(headers)
}

fn check_expect(headers: &HeaderMap) -> Result<(), Refusal> {
    match single(headers, &EXPECT, Code::HttpMalformed)? {
        Some(expected) if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Refusal::new(Code::HttpMalformed).field("Expect"))
        }
        Some(_) | None => Ok(()),
    }
}

/// RFC 9112 6.1 to 6.3: one way to tell the body's length, or none.
fn check_framing(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    const AMBIGUOUS: Code = Code::HttpFramingAmbiguous;
    let coding = single(headers, &TRANSFER_ENCODING, AMBIGUOUS)?;
    let length = single(headers, &CONTENT_LENGTH, AMBIGUOUS)?;
    if let Some(coding) = coding {
        let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
        if length.is_some() || !chunked || version != Version::HTTP_11 {
            return Err(Refusal::new(AMBIGUOUS).field("Transfer-Encoding"));
        }
    }
    check_length(length)
}

fn check_length(length: Option<&HeaderValue>) -> Result<(), Refusal> {
    match length {
        Some(digits) if digits.is_empty() || !digits.as_bytes().iter().all(u8::is_ascii_digit) => {
            Err(Refusal::new(Code::HttpFramingAmbiguous).field("Content-Length"))
        }
        Some(_) | None => Ok(()),
    }
}

/// RFC 9112 3.2: origin form, or absolute form for http(s). No CONNECT, no asterisk.
///
/// Bytes outside visible ASCII and `\`, which some servers take for `/`, are no part of a URI (RFC 3986 2); the
/// parser before us lets them through. A fragment it has cut off already.
fn check_target(method: &Method, uri: &Uri) -> Result<(), Refusal> {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let bytes = target.as_bytes();
    let valid = method != Method::CONNECT
        && target.starts_with('/')
        && uri
            .scheme_str()
            .is_none_or(|scheme| matches!(scheme, "http" | "https"))
        && bytes
            .iter()
            .all(|b| b.is_ascii_graphic() && *b != b'#' && *b != b'\\')
        && percent_valid(bytes);
    if valid {
        Ok(())
    } else {
        Err(Code::HttpTargetInvalid.into())
    }
}

/// RFC 9112 3.2: at most one Host, and the one of an absolute-form target. Returns whether there is one.
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<bool, Refusal> {
    let refused = || Refusal::new(Code::HttpMalformed).field("Host");
    let Some(host) = single(headers, &HOST, Code::HttpMalformed)? else {
        return Ok(false);
    };
    if !is_host(host.as_bytes()) {
        return Err(refused());
    }
    match uri.authority() {
        // Whoever routes by one and logs by the other could be led astray.
        Some(authority)
            if !host
                .as_bytes()
                .eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(refused())
        }
        Some(_) | None => Ok(true),
    }
}

/// RFC 3986 3.2.2: a name, or an address in brackets, and a port. No `,`, which would make two hosts of one, and no
/// escapes: a name that needs them is no DNS name.
fn is_host(host: &[u8]) -> bool {
    let (name, rest) = match host.iter().position(|b| *b == b']') {
        Some(end) => host.split_at(end + 1),
        None => host.split_at(host.iter().position(|b| *b == b':').unwrap_or(host.len())),
    };
    let named = match name.strip_prefix(b"[") {
        Some(address) => {
            let inner = address.strip_suffix(b"]").unwrap_or_default();
            !inner.is_empty()
                && inner
                    .iter()
                    .all(|b| b.is_ascii_hexdigit() || b":.".contains(b))
        }
        None => {
            let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(b);
            !name.is_empty() && name.iter().all(plain)
        }
    };
    let port = rest.strip_prefix(b":").unwrap_or(rest);
    named && port.iter().all(u8::is_ascii_digit) && (rest.is_empty() || rest.first() == Some(&b':'))
}

/// Names with `_`: servers that hand fields on as CGI variables take `_` for `-`, so `Transfer_Encoding` would be a
/// second Transfer-Encoding there.
fn check_names(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.keys().find(|name| name.as_str().contains('_')) {
        Some(name) => Err(Refusal::new(Code::HttpMalformed).field(name.as_str())),
        None => Ok(()),
    }
}

/// Returns the only value of `name`; more than one is refused with `code`.
///
/// # Errors
///
/// `code`, naming the field.
pub fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    code: Code,
) -> Result<Option<&'h HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Refusal::new(code).field(name.as_str())),
        (value, _) => Ok(value),
    }
}

/// Returns captured header fields as a map, in order.
///
/// # Errors
///
/// `http_malformed`, naming the field that is none.
pub fn captured(fields: &[(String, String)]) -> Result<HeaderMap, Refusal> {
    let mut map = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let malformed = || Refusal::new(Code::HttpMalformed).field(name);
        let named = HeaderName::try_from(name).map_err(|_| malformed())?;
        let value = HeaderValue::try_from(value).map_err(|_| malformed())?;
        map.append(named, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests;
