//! Which header fields travel on, in either direction.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH,
    CONTENT_TYPE, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, TRANSFER_ENCODING,
    USER_AGENT,
};

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
    // RFC 9112 6.3: Transfer-Encoding overrides Content-Length, which may then be wrong.
    let miscounted = headers.contains_key(TRANSFER_ENCODING);
    // Content-Length frames the message whatever Connection says of it.
    let goes = |name: &HeaderName| match name {
        name if *name == CONTENT_LENGTH => miscounted,
        name => is_ours(name) || nominated(headers, name),
    };
    // Hardly any response has one: look before collecting.
    if headers.keys().any(goes) {
        let named: Vec<HeaderName> = headers.keys().filter(|name| goes(name)).cloned().collect();
        for name in named {
            headers.remove(name);
        }
    }
}

/// Tells whether a field is of the hop, or says what only the gateway may say.
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    ) || name.starts_with("x-ringfence-")
}
