//! Bodies: read to a bound, and answered whole or streamed.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use ringfence_core::refusal::Code;

use crate::pool::Lease;

/// The body of an answer.
pub(crate) enum Answer {
    /// All of it.
    Whole(Option<Bytes>),
    /// The venue's, as it comes. The connection goes back to its pool at the end.
    Stream {
        incoming: Incoming,
        lease: Option<Lease>,
    },
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream { incoming, lease } => {
                let polled = Pin::new(incoming).poll_frame(context);
                match &polled {
                    Poll::Ready(None) => {
                        if let Some(lease) = lease.take() {
                            lease.give_back();
                        }
                    }
                    // Trailers would need their own rules; they are dropped (RFC 9110 6.5.1 allows it).
                    Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => {
                        return Poll::Ready(None);
                    }
                    Poll::Ready(Some(_)) | Poll::Pending => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// Reads a request's body of at most `limit` bytes.
///
/// # Errors
///
/// `http_body_too_large`, `http_timeout`, `http_malformed`.
pub(crate) async fn read(
    mut body: Incoming,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Code> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(Code::HttpBodyTooLarge);
    }
    let reading = async {
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Code::HttpMalformed)?.into_data() else {
                continue;
            };
            if first.len().max(rest.len()) + data.len() > limit {
                return Err(Code::HttpBodyTooLarge);
            }
            if first.is_empty() {
                // Small bodies come in one piece and are never copied.
                first = data;
            } else {
                if rest.is_empty() {
                    rest.extend_from_slice(&first);
                }
                rest.extend_from_slice(&data);
            }
        }
        Ok(if rest.is_empty() {
            first
        } else {
            rest.freeze()
        })
    };
    tokio::time::timeout(timeout, reading)
        .await
        .unwrap_or(Err(Code::HttpTimeout))
}

/// Tells whether an answer with this status to this method has no body (RFC 9112 6.3).
pub(crate) fn has_none(method: &http::Method, status: StatusCode) -> bool {
    method == http::Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
