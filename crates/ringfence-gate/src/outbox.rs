//! What waits to be written to one side of a connection.

use std::io;
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
