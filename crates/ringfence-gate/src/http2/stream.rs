//! One stream: a request, taken the way of any message, and its answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use h2::server::SendResponse;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::Opened;
use super::channel::Channel;
use super::send::pour;
use crate::body::Answer;
use crate::client::Client;
use crate::lane::{Lane, Transport};
use crate::serve::PanicAlarm;
use crate::socket::Carrier;
use crate::watch::Phase;

/// Serves one stream until either side ends it.
pub(super) async fn serve(
    client: Rc<Client>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    opened: Opened,
) {
    let alarm = PanicAlarm(&client);
    let lane = Rc::new(Lane::open(&client, Transport::Http2));
    lane.watch.enter(Phase::Serving);
    let headless = request.method() == Method::HEAD;
    let (request, channel) = incoming(request, &mut respond);
    let serving = Rc::clone(&client).serve(Rc::clone(&lane), request);
    if let Some(answer) = unless_reset(serving, &mut respond).await {
        let next = lane.next.borrow_mut().take();
        match (next, channel) {
            (Some(next), Some(incoming)) => {
                // A tunnel has no length (RFC 9110 8.6).
                let (head, _) = head(answer, Length::None);
                if let Ok(outgoing) = respond.send_response(head, false) {
                    let near = Carrier::Stream(Box::new(Channel::new(incoming, outgoing)));
                    next.serve(&client, &lane, near, &[]).await;
                }
            }
            _ => answer_with(answer, headless, &mut respond, &client, &lane).await,
        }
    }
    drop(alarm);
    drop(opened);
}

/// Makes a request like any other of what came; a stream that wants to become a WebSocket has no body.
fn incoming(
    request: Request<RecvStream>,
    respond: &mut SendResponse<Bytes>,
) -> (Request<Inbound>, Option<RecvStream>) {
    let (mut head, stream) = request.into_parts();
    // As HTTP/1.1 says it, for whatever reads fields.
    if !head.headers.contains_key(HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::try_from(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
    if head.extensions.get::<Protocol>().is_some() {
        // What HTTP/1.1 asks for by GET (RFC 8441 5).
        head.method = Method::GET;
        let none = Inbound {
            stream: None,
            length: Some(0),
        };
        return (Request::from_parts(head, none), Some(stream));
    }
    let waits = head
        .headers
        .get(EXPECT)
        .is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if waits && !stream.is_end_stream() {
        let mut go_on = Response::new(());
        *go_on.status_mut() = StatusCode::CONTINUE;
        // Whoever is not told sends after a while anyway.
        let _ = respond.send_informational(go_on);
    }
    let length = head.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    let body = Inbound {
        stream: Some(stream),
        length,
    };
    (Request::from_parts(head, body), None)
}

/// Waits for an answer; nothing if the client gives the stream up before.
async fn unless_reset(
    serving: impl Future<Output = Response<Answer>>,
    respond: &mut SendResponse<Bytes>,
) -> Option<Response<Answer>> {
    let mut serving = pin!(serving);
    poll_fn(|context| match serving.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => respond.poll_reset(context).map(|_| None),
    })
    .await
}

async fn answer_with(
    answer: Response<Answer>,
    headless: bool,
    respond: &mut SendResponse<Bytes>,
    client: &Client,
    lane: &Lane,
) {
    let length = if headless {
        Length::OfWhatIsLeftOut
    } else {
        Length::OfBody
    };
    let (head, body) = head(answer, length);
    let ends = headless || body.is_end_stream();
    // An error means that the stream or the connection is gone.
    let Ok(outgoing) = respond.send_response(head, ends) else {
        return;
    };
    if !ends {
        pour(body, outgoing, client, &lane.watch).await;
    }
}

/// What an answer's length is that of.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Length {
    None,
    OfBody,
    /// An answer to HEAD has the length that one to GET would have, where it is known.
    OfWhatIsLeftOut,
}

/// Writes an answer's head as HTTP/2 has it.
fn head(answer: Response<Answer>, of: Length) -> (Response<()>, Answer) {
    let (mut head, body) = answer.into_parts();
    let headers = &mut head.headers;
    // RFC 9113 8.2.2. The connection goes on: its messages cannot be taken for one another.
    headers.remove(CONNECTION);
    if let Some(length) = body.size_hint().exact()
        && (of == Length::OfBody || (of == Length::OfWhatIsLeftOut && length > 0))
        && !matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        )
        && !headers.contains_key(CONTENT_LENGTH)
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    // RFC 9110 6.6.1.
    if !headers.contains_key(DATE)
        && let Ok(now) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now()))
    {
        headers.insert(DATE, now);
    }
    (Response::from_parts(head, ()), body)
}

/// A request's body. What it took of the connection's window comes back with the end of the stream.
struct Inbound {
    stream: Option<RecvStream>,
    length: Option<u64>,
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        // Trailers are left where they are: no message here has any that count.
        match &mut self.stream {
            Some(stream) => stream
                .poll_data(context)
                .map(|data| data.map(|data| data.map(Frame::data))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
