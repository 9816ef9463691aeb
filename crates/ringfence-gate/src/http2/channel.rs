//! One stream that has become a WebSocket (RFC 8441), as the relay sees it: bytes in, bytes out.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::ReadBuf;

/// Bytes written at once; no frame is longer unless the client asks for it.
const WRITTEN_BYTES: usize = 16 * 1024;

/// Both directions of a stream.
pub(crate) struct Channel {
    incoming: RecvStream,
    outgoing: SendStream<Bytes>,
    /// Received and not read.
    held: Bytes,
    shut: bool,
}

impl Channel {
    pub(super) const fn new(incoming: RecvStream, outgoing: SendStream<Bytes>) -> Self {
        Self {
            incoming,
            outgoing,
            held: Bytes::new(),
            shut: false,
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.held.is_empty() {
            match ready!(self.incoming.poll_data(context)) {
                Some(Ok(data)) => self.held = data,
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.held.len().min(buffer.remaining());
        buffer.put_slice(self.held.get(..count).unwrap_or_default());
        self.held.advance(count);
        // Only what was taken makes room for more.
        let released = self.incoming.flow_control().release_capacity(count);
        Poll::Ready(released.map_err(broken))
    }

    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wanted = bytes.len().min(WRITTEN_BYTES);
        self.outgoing.reserve_capacity(wanted);
        while self.outgoing.capacity() == 0 {
            match ready!(self.outgoing.poll_capacity(context)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let count = wanted.min(self.outgoing.capacity());
        let data = Bytes::copy_from_slice(bytes.get(..count).unwrap_or_default());
        let sent = self.outgoing.send_data(data, false);
        Poll::Ready(sent.map(|()| count).map_err(broken))
    }

    pub(crate) fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.shut, true) {
            return Poll::Ready(Ok(()));
        }
        let sent = self.outgoing.send_data(Bytes::new(), true);
        Poll::Ready(sent.map_err(broken))
    }
}

fn broken(error: h2::Error) -> io::Error {
    if error.is_io() {
        error.into_io().unwrap_or(io::ErrorKind::BrokenPipe.into())
    } else {
        io::Error::new(io::ErrorKind::ConnectionReset, error)
    }
}
