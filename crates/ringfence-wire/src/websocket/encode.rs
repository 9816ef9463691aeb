//! Writing frames.

use super::close::CloseCode;

/// Most bytes that a control frame holds (RFC 6455 5.5).
pub const CONTROL_MAX: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)]
pub enum Kind {
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Kind {
    /// Tells whether it is a control frame.
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Appends one whole frame to `out`. A client gives a fresh `mask` for each, a server none.
///
/// A control frame's payload is cut to [`CONTROL_MAX`].
pub fn frame(out: &mut Vec<u8>, kind: Kind, payload: &[u8], mask: Option<[u8; 4]>) {
    let payload = match kind.is_control() {
        true => payload.get(..CONTROL_MAX).unwrap_or(payload),
        false => payload,
    };
    out.reserve(payload.len() + 14);
    // One frame is one message: FIN is set.
    out.push(0x80 | kind as u8);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        // The casts lose nothing, by their arms.
        length @ ..126 => out.push(masked | length as u8),
        length @ 126..65_536 => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    match mask {
        None => out.extend_from_slice(payload),
        Some(mask) => {
            out.extend_from_slice(&mask);
            let start = out.len();
            out.extend_from_slice(payload);
            apply(&mut out[start..], mask);
        }
    }
}

/// Appends a close frame. A reason that is too long is cut at a character.
pub fn close(out: &mut Vec<u8>, code: CloseCode, reason: &str, mask: Option<[u8; 4]>) {
    let mut end = reason.len().min(CONTROL_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = [0; CONTROL_MAX];
    payload[..2].copy_from_slice(&code.number().to_be_bytes());
    payload[2..2 + end].copy_from_slice(&reason.as_bytes()[..end]);
    frame(out, Kind::Close, &payload[..2 + end], mask);
}

/// Applies `mask`, whose first byte belongs to the first of `bytes`; twice is not at all.
pub(super) fn apply(bytes: &mut [u8], mask: [u8; 4]) {
    let (fours, rest) = bytes.as_chunks_mut::<4>();
    let word = u32::from_ne_bytes(mask);
    for four in fours {
        *four = (u32::from_ne_bytes(*four) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
