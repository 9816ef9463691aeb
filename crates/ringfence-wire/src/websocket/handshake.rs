//! The opening handshake (RFC 6455 4.2): what a client must ask, and what it is answered.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Version};
use ringfence_core::refusal::{Code, Refusal};

use crate::http::single;

/// What RFC 6455 4.2.2 has hashed behind the key.
const SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Characters of 16 bytes in base64.
const KEY_LENGTH: usize = 24;

/// A client's wish to speak WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Handshake {
    /// `Sec-WebSocket-Key` as it stands.
    pub key: HeaderValue,
}

/// Returns the handshake in a head; none where the client does not ask for WebSocket at all.
///
/// Extensions and subprotocols that are offered are not taken up, which is how they are refused.
///
/// # Errors
///
/// [`Refusal`]: `http_upgrade_unsupported` for another protocol or version, `http_malformed` for a handshake that is
/// not one.
pub fn handshake(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<Option<Handshake>, Refusal> {
    // Other protocols may be ignored (RFC 9110 7.8), as the field is never passed on; a WebSocket client would wait.
    let websocket = |value: &HeaderValue| {
        let mut windows = value.as_bytes().windows(9);
        windows.any(|window| window.eq_ignore_ascii_case(b"websocket"))
    };
    if !headers.get_all(UPGRADE).iter().any(websocket) {
        return Ok(None);
    }
    let unsupported = || Refusal::new(Code::HttpUpgradeUnsupported);
    let malformed = || Refusal::new(Code::HttpMalformed);
    let protocol = single(headers, &UPGRADE, Code::HttpMalformed)?.ok_or_else(malformed)?;
    if !protocol.as_bytes().eq_ignore_ascii_case(b"websocket") {
        return Err(unsupported());
    }
    let bodiless =
        !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING);
    let plain = method == Method::GET && version == Version::HTTP_11 && bodiless;
    if !plain || !names(headers, &CONNECTION, "upgrade") {
        return Err(malformed());
    }
    let spoken = single(headers, &SEC_WEBSOCKET_VERSION, Code::HttpMalformed)?;
    if spoken.is_none_or(|spoken| spoken != "13") {
        return Err(unsupported());
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY, Code::HttpMalformed)?;
    let key = key
        .filter(|key| is_key(key.as_bytes()))
        .ok_or_else(malformed)?;
    Ok(Some(Handshake { key: key.clone() }))
}

/// What is hashed with SHA-1 and written in base64 as `Sec-WebSocket-Accept`.
pub fn accept_input(key: &[u8]) -> Vec<u8> {
    [key, SALT.as_bytes()].concat()
}

/// Tells whether a list in a field names `token`.
fn names(headers: &HeaderMap, field: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(field).iter();
    let mut tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.any(|one| one.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

// Sixteen bytes in base64: the last character but two has four bits that nobody uses.
fn is_key(key: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.split_last_chunk::<2>() {
        Some((digits, b"==")) => {
            let clean = digits.last().is_some_and(|last| b"AQgw".contains(last));
            key.len() == KEY_LENGTH && digits.iter().all(digit) && clean
        }
        Some(_) | None => false,
    }
}
