//! WebSocket (RFC 6455), sans I/O: bytes to whole messages and back.
//!
//! Strict: what the RFC says must not be sent ends the connection, by the close code that it names. Extensions are not
//! negotiated, so the reserved bits are always wrong. Text is checked as it comes: a message that can no longer become
//! valid UTF-8 is refused with its first wrong byte, not with its last.

mod close;
mod decode;
mod encode;
mod handshake;

pub use close::{CloseCode, Violation};
pub use decode::{Decoder, Event, Limits, Sender};
pub use encode::{CONTROL_MAX, Kind, close, frame};
pub use handshake::{Handshake, accept_input, handshake};

#[cfg(test)]
mod tests;
