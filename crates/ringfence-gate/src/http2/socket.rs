//! A client's socket as the HTTP/2 parser sees it: its frames are counted, what has begun must end in time, and what we
//! write must be taken in time.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::tally::{Place, Tally};
use super::{LINGER, STREAMS_MAX};
use crate::clock::now_us;
use crate::deadline::{Deadline, Deadlines};
use crate::looks::Leave;
use crate::socket::Carrier;
use crate::watch::Patience;

/// Bytes thrown away at once.
const DISCARDED_BYTES: usize = 1024;

/// What is known of a connection below its parser; shared by the socket and the connection's task.
pub(super) struct Meter {
    tally: RefCell<Tally>,
    flooded: Cell<bool>,
    /// Where the bytes ended that were read last.
    place: Cell<(Place, u64)>,
    /// For what has begun to come.
    coming: Deadline,
    /// For what the client does not take.
    taking: Deadline,
    /// For the client to go after our last word.
    leaving: Deadline,
    patience: Patience,
}

impl Meter {
    pub(super) fn new(deadlines: &Rc<Deadlines>, patience: &Patience) -> Self {
        Self {
            tally: RefCell::new(Tally::new(STREAMS_MAX)),
            flooded: Cell::new(false),
            place: Cell::new((Place::Between, 0)),
            coming: deadlines.make(),
            taking: deadlines.make(),
            leaving: deadlines.make(),
            patience: *patience,
        }
    }

    /// Returns how many messages have begun, with a whole head.
    pub(super) fn heads(&self) -> usize {
        self.tally.borrow().heads()
    }

    pub(super) fn is_flooded(&self) -> bool {
        self.flooded.get()
    }

    /// Ready once a head or a frame that has begun took too long.
    pub(super) fn poll_late(&self, context: &Context<'_>) -> Poll<()> {
        self.coming.poll_passed(context)
    }

    /// Ready once the client took nothing for too long.
    pub(super) fn poll_stuck(&self, context: &Context<'_>) -> Poll<()> {
        self.taking.poll_passed(context)
    }

    fn read(&self, bytes: &[u8]) {
        let mut tally = self.tally.borrow_mut();
        if tally.read(bytes, now_us() / 1000).is_err() {
            self.flooded.set(true);
        }
        let place = tally.place();
        // From its first byte on: what comes slowly does not get more time by coming.
        if self.place.replace((place, tally.begun())) != (place, tally.begun()) {
            match place {
                Place::Between => self.coming.clear(),
                Place::Head => self.coming.set(self.patience.head),
                Place::Frame => self.coming.set(self.patience.body),
            }
        }
    }
}

/// One client's socket.
pub(super) struct Socket {
    carrier: Carrier,
    meter: Rc<Meter>,
    leave: Leave,
    /// Whether the client does not take what we write.
    stalled: bool,
    /// Whether nothing more is written, and the time to go runs.
    shut: bool,
}

impl Socket {
    pub(super) const fn new(carrier: Carrier, meter: Rc<Meter>, leave: Leave) -> Self {
        Self {
            carrier,
            meter,
            leave,
            stalled: false,
            shut: false,
        }
    }

    /// Notes whether the client takes what we write; the first time that it does not, its time begins.
    fn note(&mut self, stalled: bool) {
        match (stalled, std::mem::replace(&mut self.stalled, stalled)) {
            (true, false) => self.meter.taking.set(self.meter.patience.body),
            (false, true) => self.meter.taking.clear(),
            (true, true) | (false, false) => {}
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        if socket.meter.is_flooded() {
            return Poll::Pending;
        }
        let carrier = &socket.carrier;
        let arrived = |context: &mut Context<'_>| carrier.poll_readable(context);
        ready!(socket.leave.poll(context, arrived))?;
        let before = buffer.filled().len();
        let read = socket.carrier.poll_fill(context, buffer);
        ready!(socket.leave.tried(read))?;
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        socket.meter.read(fresh);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let polled = socket.carrier.poll_write(context, bytes);
        socket.note(polled.is_pending());
        if let Poll::Ready(Ok(count)) = polled {
            socket.meter.tally.borrow_mut().took(count);
        }
        polled
    }

    // TLS takes what is written, and is stuck with it only here.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let polled = socket.carrier.poll_flush(context);
        socket.note(polled.is_pending());
        polled
    }

    /// Says that we are done, and waits for the client to go: closing while it still sends would be a reset, which
    /// takes our last word with it.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        if !std::mem::replace(&mut socket.shut, true) {
            socket.meter.leaving.set(LINGER);
        }
        if socket.meter.leaving.poll_passed(context).is_pending() {
            // A client that is gone already has nothing to be told; why it was to be told matters to the parser's caller.
            let _ = ready!(socket.carrier.poll_shutdown(context));
            let mut unread = [0; DISCARDED_BYTES];
            while let Ok(1..) = ready!(socket.carrier.poll_read(context, &mut unread)) {}
        }
        Poll::Ready(Ok(()))
    }
}
