//! The rules of HTTP/1.1 that a parsed head must still satisfy, and which header fields travel on.
//!
//! Whatever the parser before us accepts: a message that two servers could read in two ways is refused here.
//! Source: RFC 9110 and RFC 9112; deviations name their reason.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH,
    CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::{Method, Uri, Version};
use ringfence_core::refusal::{Code, Refusal};

use crate::form::percent_valid;

/// Checks a request's head.
///
/// # Errors
///
/// `http_framing_ambiguous`, `http_target_invalid`, `http_malformed` or `http_upgrade_unsupported`.
pub fn check(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    check_framing(version, headers)?;
    check_target(method, uri)?;
    check_host(uri, version, headers)?;
    if let Some(expected) = single(headers, &EXPECT, Code::HttpMalformed)?
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(Refusal::new(Code::HttpMalformed).field("Expect"));
    }
    // Other protocols may be ignored (RFC 9110 7.8), as the field is never passed on; a WebSocket client would wait.
    let websocket = headers.get_all(UPGRADE).iter().any(|value| {
        value
            .as_bytes()
            .to_ascii_lowercase()
            .windows(9)
            .any(|w| w == b"websocket")
    });
    if websocket {
        Err(Code::HttpUpgradeUnsupported.into())
    } else {
        Ok(())
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
    match length {
        Some(digits) if digits.is_empty() || !digits.as_bytes().iter().all(u8::is_ascii_digit) => {
            Err(Refusal::new(AMBIGUOUS).field("Content-Length"))
        }
        Some(_) | None => Ok(()),
    }
}

/// RFC 9112 3.2: origin form, or absolute form for http(s). No CONNECT, no asterisk.
fn check_target(method: &Method, uri: &Uri) -> Result<(), Refusal> {
    let path = uri.path();
    let valid = method != Method::CONNECT
        && path.starts_with('/')
        && uri
            .scheme_str()
            .is_none_or(|scheme| matches!(scheme, "http" | "https"))
        && percent_valid(path.as_bytes())
        && !path.contains('\\');
    if valid {
        Ok(())
    } else {
        Err(Code::HttpTargetInvalid.into())
    }
}

/// RFC 9112 3.2: exactly one Host in HTTP/1.1, and the one of an absolute-form target.
fn check_host(uri: &Uri, version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = || Refusal::new(Code::HttpMalformed).field("Host");
    let Some(host) = single(headers, &HOST, Code::HttpMalformed)? else {
        return if version == Version::HTTP_11 {
            Err(refused())
        } else {
            Ok(())
        };
    };
    let bytes = host.as_bytes();
    let plain = bytes.iter().all(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'~' | b':' | b'[' | b']')
    });
    let ports = bytes.rsplit(|b| *b == b']').next().unwrap_or_default();
    if bytes.is_empty() || !plain || ports.iter().filter(|b| **b == b':').count() > 1 {
        return Err(refused());
    }
    match uri.authority() {
        // Whoever routes by one and logs by the other could be led astray.
        Some(authority) if !bytes.eq_ignore_ascii_case(authority.as_str().as_bytes()) => {
            Err(refused())
        }
        Some(_) | None => Ok(()),
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

/// Header fields of a request that go on to the venue. A closed list: credentials, cookies, hop-by-hop fields and
/// whatever we do not know stay here. Host, Content-Length and the attestation are written by us.
pub const FORWARDED: [HeaderName; 8] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    CONTENT_TYPE,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    USER_AGENT,
];

/// Tells whether the `Connection` field names `name`, which makes it hop-by-hop (RFC 9110 7.6.1).
pub fn nominated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(CONNECTION).iter().any(|value| {
        value.as_bytes().split(|b| *b == b',').any(|token| {
            token
                .trim_ascii()
                .eq_ignore_ascii_case(name.as_str().as_bytes())
        })
    })
}

/// Removes from a response what belongs to the hop between venue and gateway, and what only we may say.
pub fn strip_response(headers: &mut HeaderMap) {
    const HOP: [&str; 10] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-ringfence-message",
        "x-ringfence-attestation",
    ];
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .keys()
            .filter(|name| nominated(headers, name))
            .cloned()
            .collect();
        for name in named.iter().filter(|name| **name != CONTENT_LENGTH) {
            headers.remove(name);
        }
    }
    for name in HOP {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
