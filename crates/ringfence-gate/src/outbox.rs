//! What waits to be written to one side of a connection.

use std::io::{self, IoSlice};
use std::task::Poll;
use std::time::Duration;

/// Memory kept between messages.
pub(crate) const KEPT_BYTES: usize = 4 * 1024;
/// After this long without any, nothing is kept.
pub(crate) const QUIET: Duration = Duration::from_secs(1);

/// What is to be written to one side.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sent: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Gives back its memory, if nothing waits in it.
    pub(crate) fn trim(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Writes what waits and `fresh` behind it, in one go, and keeps what was not taken.
    pub(crate) fn send_with(
        &mut self,
        fresh: &[u8],
        write: impl FnOnce(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> io::Result<()> {
        let waiting = self.bytes.get(self.sent..).unwrap_or_default();
        let count = match write(&[IoSlice::new(waiting), IoSlice::new(fresh)]) {
            Poll::Pending => 0,
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(count) => count?,
        };
        let of_fresh = count.saturating_sub(waiting.len());
        self.sent += count - of_fresh;
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        }
        let rest = fresh.get(of_fresh..).unwrap_or_default();
        self.bytes.extend_from_slice(rest);
        Ok(())
    }

    /// Writes what it can; tells whether it wrote any.
    pub(crate) fn poll_send(
        &mut self,
        mut write: impl FnMut(&[u8]) -> Poll<io::Result<usize>>,
    ) -> io::Result<bool> {
        let mut moved = false;
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match write(rest) {
                Poll::Pending => return Ok(moved),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.sent += count;
                    moved = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.sent = 0;
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    //! However little is taken at once, everything is written once and in order.

    #![allow(clippy::unwrap_used)]

    use std::io;
    use std::task::Poll;

    use super::Outbox;

    /// What a peer takes who takes up to `room` bytes.
    fn taken(taker: &mut Vec<u8>, part: &[u8], room: &mut usize) -> usize {
        let count = part.len().min(*room);
        taker.extend_from_slice(&part[..count]);
        *room -= count;
        count
    }

    #[test]
    fn what_is_not_taken_of_two_pieces_is_kept_in_order() {
        let (waits, fresh) = (b"waits".as_slice(), b"fresh".as_slice());
        for sent in 0..=waits.len() {
            for room in 0..=10 {
                let mut out = Outbox {
                    bytes: waits.to_vec(),
                    sent,
                };
                let (mut taker, mut left) = (waits[..sent].to_vec(), room);
                out.send_with(fresh, |parts| match room {
                    0 => Poll::Pending,
                    _ => {
                        let counts = parts.iter().map(|part| taken(&mut taker, part, &mut left));
                        Poll::Ready(Ok(counts.sum()))
                    }
                })
                .unwrap();
                assert_eq!(out.is_empty(), taker.len() == 10, "{sent} {room}");
                out.bytes.extend_from_slice(b" last");
                out.poll_send(|part| Poll::Ready(Ok(taken(&mut taker, part, &mut 3))))
                    .unwrap();
                assert_eq!(taker, b"waitsfresh last", "{sent} {room}");
            }
        }
    }

    #[test]
    fn a_peer_that_takes_none_or_is_gone_is_an_error() {
        let mut out = Outbox::default();
        let none = out.send_with(b"x", |_| Poll::Ready(Ok(0)));
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::WriteZero);
        let gone = out.send_with(b"x", |_| Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())));
        assert_eq!(gone.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
