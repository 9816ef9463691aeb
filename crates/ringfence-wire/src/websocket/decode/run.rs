//! Whole messages that stand in the bytes just as they would be written anew, so that nobody need write them.

use super::super::encode::CONTROL_MAX;
use super::{Decoder, Sender};

impl Decoder {
    /// Takes whole messages, pings and pongs off the front of `input`, and returns them as they stand there: byte for
    /// byte what [`frame`](crate::websocket::frame) makes of them without a mask.
    ///
    /// It stops before whatever stands there otherwise, right or wrong: [`Decoder::next`] reads that, and alone says what
    /// breaks the protocol. A client's bytes are masked, so none of them are returned.
    pub fn run<'i>(&mut self, input: &mut &'i [u8]) -> &'i [u8] {
        self.forget_told();
        let between = self.have == 0 && self.open.is_none() && self.kind.is_none();
        if self.sender == Sender::Client || self.closed || !between {
            return &[];
        }
        let mut end = 0;
        while let Some(length) = input.get(end..).and_then(|rest| self.plain(rest)) {
            end += length;
        }
        let (run, rest) = input.split_at(end);
        *input = rest;
        run
    }

    // Returns how long the frame at the start of `bytes` is: whole, a message by itself, its length in the shortest form.
    fn plain(&self, bytes: &[u8]) -> Option<usize> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (head, length) = match second {
            short @ ..126 => (2, usize::from(short)),
            126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
            // Masked, or so long that it is never whole in what is read at once.
            _ => return None,
        };
        let payload = bytes.get(head..head + length)?;
        let sound = match first {
            0x81 => self.takes(length) && is_text(payload),
            0x82 => self.takes(length),
            0x89 | 0x8a => length <= CONTROL_MAX,
            // Parts of a message, a close, or what must not be.
            _ => false,
        };
        (sound && (head == 2 || length >= 126)).then_some(head + length)
    }

    const fn takes(&self, length: usize) -> bool {
        length <= self.limits.message && self.limits.frames > 0
    }
}

// Nearly all that venues say is ASCII, which is several times quicker to tell.
fn is_text(payload: &[u8]) -> bool {
    payload.is_ascii() || std::str::from_utf8(payload).is_ok()
}
