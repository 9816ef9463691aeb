//! Bodies: read to a bound, and answered whole or streamed.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use ringfence_core::refusal::Code;

use crate::deadline::before;
use crate::pool::Lease;
use crate::watch::{Phase, Watch};

/// What an answer's body is made of.
pub(crate) enum Content {
    /// All of it.
    Whole(Option<Bytes>),
    /// The venue's, as it comes. The connection goes back to its pool at the end.
    Stream {
        incoming: Incoming,
        lease: Option<Lease>,
    },
}

/// The body of an answer. Dropping it tells the connection that the answer has been written as far as it ever will.
pub(crate) struct Answer {
    content: Content,
    watch: Rc<Watch>,
}

/// Why an answer's body broke off; the client's connection is cut then, so that it does not take a part for the whole.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The venue broke off or sent what is no body.
    Venue(hyper::Error),
    /// The venue sent nothing for too long.
    Silent,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Venue(error) => write!(f, "the venue's answer broke off: {error}"),
            Self::Silent => f.write_str("the venue stopped in the middle of its answer"),
        }
    }
}

impl std::error::Error for Broken {}

impl Answer {
    pub(crate) fn new(content: Content, watch: &Rc<Watch>) -> Self {
        Self {
            content,
            watch: Rc::clone(watch),
        }
    }

    pub(crate) fn whole(bytes: Option<Bytes>, watch: &Rc<Watch>) -> Self {
        Self::new(Content::Whole(bytes), watch)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.watch.phase() == Phase::Answering {
            self.watch.enter(Phase::Flushing);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.get_mut().content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream { incoming, lease } => poll_stream(incoming, lease, context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_none(),
            Content::Stream { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Stream { incoming, .. } => incoming.size_hint(),
        }
    }
}

fn poll_stream(
    incoming: &mut Incoming,
    lease: &mut Option<Lease>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
    let Some(held) = lease else {
        return Poll::Ready(None);
    };
    match held.poll_frame(incoming, context) {
        Poll::Pending => {
            ready!(held.poll_silent(context));
            *lease = None;
            Poll::Ready(Some(Err(Broken::Silent)))
        }
        // Trailers would need their own rules; they are left out (RFC 9110 6.5.1 allows it).
        Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
            held.hear();
            // Of a body whose length is known nobody asks what comes after its last byte.
            if incoming.is_end_stream() {
                give_back(lease);
            }
            Poll::Ready(Some(Ok(frame)))
        }
        Poll::Ready(Some(Ok(_)) | None) => {
            give_back(lease);
            Poll::Ready(None)
        }
        Poll::Ready(Some(Err(error))) => {
            *lease = None;
            Poll::Ready(Some(Err(Broken::Venue(error))))
        }
    }
}

fn give_back(lease: &mut Option<Lease>) {
    if let Some(lease) = lease.take() {
        lease.give_back();
    }
}

/// A body that comes in.
pub(crate) trait Inbound: Body<Data = Bytes> + Unpin {}
impl<B: Body<Data = Bytes> + Unpin> Inbound for B {}

/// Reads a request's body of at most `limit` bytes, in the time that its connection's `watch` gives.
///
/// # Errors
///
/// `http_body_too_large`, `http_timeout`, `http_malformed`.
pub(crate) async fn read(body: impl Inbound, limit: usize, watch: &Watch) -> Result<Bytes, Code> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(Code::HttpBodyTooLarge);
    }
    watch.deadline.set(watch.patience.body);
    let read = before(&watch.deadline, collect(body, limit)).await;
    watch.deadline.clear();
    match read {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(Uncollected::TooLong)) => Err(Code::HttpBodyTooLarge),
        Some(Err(Uncollected::Broken)) => Err(Code::HttpMalformed),
        None => Err(Code::HttpTimeout),
    }
}

/// Why a body was not collected.
pub(crate) enum Uncollected {
    /// It broke off, or its chunks are none.
    Broken,
    /// It is longer than the limit.
    TooLong,
}

/// Collects a body of at most `limit` bytes. One that comes in one piece, as small ones do, is not copied.
pub(crate) async fn collect(mut body: impl Inbound, limit: usize) -> Result<Bytes, Uncollected> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.map_err(|_| Uncollected::Broken)?.into_data() else {
            continue;
        };
        if first.len().max(rest.len()) + data.len() > limit {
            return Err(Uncollected::TooLong);
        }
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
        // The length is known to be reached: another look would only wait for the parser to say so.
        if body.is_end_stream() {
            break;
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}
