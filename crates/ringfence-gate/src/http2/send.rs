//! Sending an answer's body at the pace of a client that must take it in time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body as _;

use crate::body::Answer;
use crate::client::Client;
use crate::deadline::before;
use crate::watch::Watch;

/// A client has its full time for each piece, and no more for taking a piece in crumbs.
const PIECE_BYTES: usize = 16 * 1024;

/// Why a body was not sent whole.
enum Unsent {
    /// The client gave it up, or is gone.
    Gone,
    /// The client took too long.
    Late,
}

/// Sends `body`, and ends the stream.
pub(super) async fn pour(
    mut body: Answer,
    mut outgoing: SendStream<Bytes>,
    client: &Client,
    watch: &Watch,
) {
    loop {
        let next = poll_fn(|context| match Pin::new(&mut body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
            Poll::Pending => outgoing.poll_reset(context).map(|_| Err(Unsent::Gone)),
        });
        let data = match next.await {
            Err(_) => return,
            Ok(None) => {
                let _ = outgoing.send_data(Bytes::new(), true);
                return;
            }
            // The client must not take a part for the whole.
            Ok(Some(Err(_))) => return outgoing.send_reset(Reason::INTERNAL_ERROR),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        let last = body.is_end_stream();
        match send(data, last, &mut outgoing, watch).await {
            Ok(()) if last => return,
            Ok(()) => {}
            Err(Unsent::Gone) => return,
            Err(Unsent::Late) => {
                let counters = &client.thread.shared.counters;
                counters.timed_out.fetch_add(1, Ordering::Relaxed);
                return outgoing.send_reset(Reason::CANCEL);
            }
        }
    }
}

async fn send(
    mut data: Bytes,
    last: bool,
    outgoing: &mut SendStream<Bytes>,
    watch: &Watch,
) -> Result<(), Unsent> {
    if data.is_empty() && last {
        let sent = outgoing.send_data(data, true);
        return sent.map_err(|_| Unsent::Gone);
    }
    while !data.is_empty() {
        let mut piece = data.split_to(PIECE_BYTES.min(data.len()));
        watch.deadline.set(watch.patience.body);
        while !piece.is_empty() {
            let room = before(&watch.deadline, room(outgoing, piece.len())).await;
            let count = room.ok_or(Unsent::Late)??.min(piece.len());
            let part = piece.split_to(count);
            let ends = last && piece.is_empty() && data.is_empty();
            outgoing.send_data(part, ends).map_err(|_| Unsent::Gone)?;
        }
        watch.deadline.clear();
    }
    Ok(())
}

/// Waits until some of `wanted` bytes can be sent; returns how many.
async fn room(outgoing: &mut SendStream<Bytes>, wanted: usize) -> Result<usize, Unsent> {
    outgoing.reserve_capacity(wanted);
    // What is there already is not told again.
    while outgoing.capacity() == 0 {
        match poll_fn(|context| outgoing.poll_capacity(context)).await {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(Unsent::Gone),
        }
    }
    Ok(outgoing.capacity())
}
