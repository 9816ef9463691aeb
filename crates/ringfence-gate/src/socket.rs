//! A client's socket as the HTTP parser sees it: one whole, unambiguous head at a time, and never a byte of the next
//! message while one is being answered.
//!
//! So what the parser makes of a head cannot depend on what was sent behind it, each head has its own deadline, and a
//! head that is refused is answered in the dialect's form.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;
use ringfence_core::refusal::Code;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::framing::{Bounds, Found, Frame, Scanner};
use crate::http2::Channel;
use crate::looks::Leave;
use crate::tls::H2;
use crate::watch::{Phase, Watch};

/// Bytes read of a client at once: so much may be held of what it sends behind its present message.
const READ_BYTES: usize = 16 * 1024;
/// Bytes read of a venue's stream at once. Twice as many do not stay in the cache until they are written.
pub(crate) const LANDING_BYTES: usize = 32 * 1024;

/// The memory that all sockets of a thread read into.
pub(crate) type Landing = Rc<RefCell<Box<[u8]>>>;

/// What carries the bytes.
pub(crate) enum Carrier {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// One stream of HTTP/2 that has become a WebSocket.
    Stream(Box<Channel>),
}

/// Says what a client is told whose head is refused before the parser sees it.
pub(crate) trait Refuse {
    /// Records the refusal and returns the whole answer, head and body.
    fn refuse_head(&self, code: Code) -> Vec<u8>;
}

/// One client's socket.
pub(crate) struct Socket<R> {
    carrier: Carrier,
    landing: Landing,
    watch: Rc<Watch>,
    refuse: Rc<R>,
    leave: Leave,
    bounds: Bounds,
    /// Read and not handed over: a head that is not whole, or what was sent behind the present message.
    held: Vec<u8>,
    scanner: Scanner,
    /// Bytes of the present message that the parser may still have.
    due: u64,
    /// Whether the parser asked for the next head before we wanted to give it.
    asked: bool,
    /// Whether the peer does not take what we write.
    stalled: bool,
    /// What is left of the last word.
    farewell: Option<(Vec<u8>, usize)>,
}

impl<R: Refuse> Socket<R> {
    pub(crate) fn new(
        carrier: Carrier,
        landing: Landing,
        watch: Rc<Watch>,
        refuse: Rc<R>,
        leave: Leave,
        bounds: Bounds,
    ) -> Self {
        Self {
            carrier,
            landing,
            watch,
            refuse,
            leave,
            bounds,
            held: Vec::new(),
            scanner: Scanner::default(),
            due: 0,
            asked: false,
            stalled: false,
            farewell: None,
        }
    }

    /// Gives back the carrier, and what was read from it and not handed over.
    pub(crate) fn into_parts(self) -> (Carrier, Vec<u8>) {
        (self.carrier, self.held)
    }

    /// Gives the parser bytes of the message that it has begun.
    fn poll_rest(
        &mut self,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.held.is_empty() {
            let landing = Rc::clone(&self.landing);
            let mut landing = landing.borrow_mut();
            let count = ready!(self.carrier.poll_read(context, &mut landing))?;
            let fresh = landing.get(..count).unwrap_or_default();
            let given = self.hand_over(fresh, &mut cursor);
            let rest = fresh.get(given..).unwrap_or_default();
            self.held.extend_from_slice(rest);
        } else {
            let held = std::mem::take(&mut self.held);
            let given = self.hand_over(&held, &mut cursor);
            self.held = held;
            self.held.drain(..given);
        }
        Poll::Ready(Ok(()))
    }

    /// Copies as much of `bytes` as is due and fits; returns how much.
    fn hand_over(&mut self, bytes: &[u8], cursor: &mut ReadBufCursor<'_>) -> usize {
        let due = usize::try_from(self.due).unwrap_or(usize::MAX);
        let count = bytes.len().min(due).min(cursor.remaining());
        cursor.put_slice(bytes.get(..count).unwrap_or_default());
        self.due -= count as u64;
        if self.due == 0 && self.watch.phase() == Phase::Draining {
            self.watch.enter(Phase::Head);
        }
        count
    }

    /// Looks whether the peer has gone while its message is being answered. What it sends meanwhile is held back, and
    /// nothing more is read behind it: that is what keeps a client from sending without end.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.asked = true;
        if !self.held.is_empty() {
            return Poll::Pending;
        }
        let landing = Rc::clone(&self.landing);
        let mut landing = landing.borrow_mut();
        match ready!(self.carrier.poll_read(context, &mut landing))? {
            0 => Poll::Ready(Ok(())),
            count => {
                let fresh = landing.get(..count).unwrap_or_default();
                self.held.extend_from_slice(fresh);
                Poll::Pending
            }
        }
    }

    /// Gives the parser the next head, once it is whole.
    fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let (carrier, held) = (&self.carrier, !self.held.is_empty());
        let arrived = |context: &mut Context<'_>| match held {
            true => Poll::Ready(Ok(())),
            false => carrier.poll_readable(context),
        };
        ready!(self.leave.poll(context, arrived))?;
        let landing = Rc::clone(&self.landing);
        let mut landing = landing.borrow_mut();
        let mut looked = false;
        loop {
            if self.held.is_empty() {
                let read = self.carrier.poll_read(context, &mut landing);
                let count = ready!(self.leave.tried(read))?;
                if count == 0 {
                    return Poll::Ready(Ok(()));
                }
                let fresh = landing.get(..count).unwrap_or_default();
                match self.scanner.scan(fresh, self.bounds) {
                    Ok(Found::Head { length, frame }) => {
                        self.begin(length, frame);
                        let given = self.hand_over(fresh, &mut cursor);
                        let rest = fresh.get(given..).unwrap_or_default();
                        self.held.extend_from_slice(rest);
                        return Poll::Ready(Ok(()));
                    }
                    Ok(Found::Partial) => {
                        self.held.extend_from_slice(fresh);
                        self.watch.deadline.set(self.watch.patience.head);
                    }
                    Err(code) => return self.refuse_head(code),
                }
                continue;
            }
            if !std::mem::replace(&mut looked, true) && held {
                let _ = self.leave.tried(Poll::Ready(()));
                // The first look at what was held back while the last message was answered.
                if self.scanner.is_new() {
                    self.watch.deadline.set(self.watch.patience.head);
                }
            }
            match self.scanner.scan(&self.held, self.bounds) {
                Ok(Found::Head { length, frame }) => {
                    self.begin(length, frame);
                    return self.poll_rest(context, cursor);
                }
                Ok(Found::Partial) => {}
                Err(code) => return self.refuse_head(code),
            }
            let count = ready!(self.carrier.poll_read(context, &mut landing))?;
            if count == 0 {
                // It hung up in the middle of a head: nobody is there to be told.
                self.held.clear();
                return Poll::Ready(Ok(()));
            }
            let fresh = landing.get(..count).unwrap_or_default();
            self.held.extend_from_slice(fresh);
        }
    }

    fn begin(&mut self, head: usize, frame: Frame) {
        self.scanner = Scanner::default();
        self.due = match frame {
            Frame::Length(body) => body.saturating_add(head as u64),
            // Its end is for the parser to find; the connection is closed behind it (see `Client::serve`).
            Frame::Chunked => u64::MAX,
        };
        self.watch.enter(Phase::Parsing);
    }

    /// Refuses what is no acceptable head. To the parser it looks as if the peer had hung up.
    fn refuse_head(&self, code: Code) -> Poll<io::Result<()>> {
        let answer = self.refuse.refuse_head(code);
        self.watch.end_with(answer);
        Poll::Ready(Ok(()))
    }

    /// The parser found fault with a head that we let through and says so in its own words; we say it in the dialect's.
    fn overrule(&self, answer: &[u8]) -> usize {
        let code = match answer.get(9..12) {
            Some(b"431") => Code::HttpHeaderTooLarge,
            Some(b"414") => Code::HttpTargetInvalid,
            Some(_) | None => Code::HttpMalformed,
        };
        let answer_ours = self.refuse.refuse_head(code);
        self.watch.end_with(answer_ours);
        answer.len()
    }

    /// Notes whether the peer takes what we write; the first time that it does not, its time begins.
    fn note(&mut self, stalled: bool) {
        let watch = &self.watch;
        match (stalled, std::mem::replace(&mut self.stalled, stalled)) {
            (true, false) => watch.deadline.set(watch.patience.body),
            // While a body is read, its own deadline has been overwritten.
            (false, true) => match watch.phase() {
                Phase::Serving => watch.deadline.set(watch.patience.body),
                Phase::Head
                | Phase::Parsing
                | Phase::Answering
                | Phase::Flushing
                | Phase::Draining
                | Phase::Ending => watch.deadline.clear(),
            },
            (true, true) | (false, false) => {}
        }
    }

    fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let watch = &self.watch;
        let (bytes, written) = self
            .farewell
            .get_or_insert_with(|| (watch.take_farewell(), 0));
        while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
            *written += match ready!(self.carrier.poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => count,
            };
        }
        Poll::Ready(Ok(()))
    }
}

impl<R: Refuse> hyper::rt::Read for Socket<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        match socket.watch.phase() {
            Phase::Ending => Poll::Ready(Ok(())),
            Phase::Head => socket.poll_head(context, cursor),
            Phase::Parsing
            | Phase::Serving
            | Phase::Answering
            | Phase::Flushing
            | Phase::Draining => {
                if socket.due > 0 {
                    socket.poll_rest(context, cursor)
                } else {
                    socket.poll_gone(context)
                }
            }
        }
    }
}

impl<R: Refuse> hyper::rt::Write for Socket<R> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        if socket.watch.phase() == Phase::Parsing {
            return Poll::Ready(Ok(socket.overrule(bytes)));
        }
        let polled = socket.carrier.poll_write(context, bytes);
        socket.note(polled.is_pending());
        polled
    }

    // TLS takes what is written, and is stuck with it only here.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let polled = socket.carrier.poll_flush(context);
        socket.note(polled.is_pending());
        ready!(polled)?;
        if socket.watch.phase() == Phase::Flushing {
            // What is left of a body that nobody read is not the next head. The parser reads it away, or closes.
            socket.watch.enter(if socket.due == 0 {
                Phase::Head
            } else {
                Phase::Draining
            });
            if std::mem::take(&mut socket.asked) && !socket.held.is_empty() {
                context.waker().wake_by_ref();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        ready!(socket.poll_farewell(context))?;
        socket.carrier.poll_shutdown(context)
    }
}

impl Carrier {
    /// Tells whether the handshake chose HTTP/2.
    pub(crate) fn speaks_http2(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(H2),
            Self::Plain(_) | Self::Stream(_) => false,
        }
    }

    /// Ready once there may be something to read.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_read_ready(context),
            // What was decrypted and not read yet does not come from the socket.
            Self::Tls(stream) => match stream.get_ref() {
                (socket, session) if session.wants_read() => socket.poll_read_ready(context),
                _ => Poll::Ready(Ok(())),
            },
            Self::Stream(_) => Poll::Ready(Ok(())),
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let most = into.len().min(READ_BYTES);
        let into = into.get_mut(..most).unwrap_or_default();
        let mut buffer = ReadBuf::new(into);
        let polled = self.poll_fill(context, &mut buffer);
        polled.map_ok(|()| buffer.filled().len())
    }

    pub(crate) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(context, buffer),
            Self::Stream(channel) => channel.poll_read(context, buffer),
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
            Self::Stream(channel) => channel.poll_write(context, bytes),
        }
    }

    /// Tells whether several pieces are written as cheaply as one.
    pub(crate) const fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Tls(_) => true,
            Self::Stream(_) => false,
        }
    }

    /// Writes pieces in one go; of a stream of HTTP/2, the first alone.
    pub(crate) fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(context, parts),
            Self::Stream(channel) => {
                let first = parts.iter().find(|part| !part.is_empty());
                channel.poll_write(context, first.map_or(&[], |part| part))
            }
        }
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
            Self::Stream(_) => Poll::Ready(Ok(())),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(context),
            Self::Stream(channel) => channel.poll_shutdown(),
        }
    }
}
