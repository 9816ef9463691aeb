//! The one place where a refusal becomes HTTP.

use std::io::Write as _;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use ringfence_core::budget::Usages;
use ringfence_core::pipeline::Trace;
use ringfence_core::refusal::{Code, Refusal, Retry};
use ringfence_wire::http::prefers;
use ringfence_wire::{Rendered, problem};

use crate::body::Answer;
use crate::client::Client;
use crate::clock::now_us;
use crate::lane::Transport;
use crate::pipeline::Passing;
use crate::record::{self, Decided};
use crate::shared::MessageId;
use crate::socket::Refuse;
use crate::usage::{retry_after_s, write_retry_after};

/// The field that tells a client its message's id.
pub(crate) const MESSAGE: HeaderName = HeaderName::from_static("x-ringfence-message");

impl Passing {
    /// Returns `refusal` in the dialect's own form, or as problem details where the client would rather have them.
    pub(crate) fn render(&self, refusal: &Refusal) -> Rendered {
        let dialect = &self.client.door.speech.dialect;
        let own = dialect.refusal_type().filter(|_| self.said.is_none());
        match own {
            Some(own) if prefers(&self.head.headers, problem::MEDIA_TYPE, own) => {
                problem::answer(refusal, self.id.as_str())
            }
            Some(_) | None => dialect.render_for(refusal, self.id.as_str()),
        }
    }

    /// Answers `refusal` in the form that was rendered.
    pub(crate) fn answered(
        &self,
        refusal: &Refusal,
        rendered: Rendered,
        usages: &Usages,
    ) -> Response<Answer> {
        let body = Some(Bytes::from(rendered.body)).filter(|body| !body.is_empty());
        let mut response = Response::new(Answer::whole(body, &self.lane.watch));
        *response.status_mut() = status(rendered.status);
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::try_from(rendered.content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        headers.insert(MESSAGE, self.id.value().clone());
        write_retry_after(refusal, headers);
        self.challenge(refusal, headers);
        self.client.door.speech.usage.write(usages, headers);
        response
    }
}

/// Ends the connection after this answer: what follows on it cannot be trusted to start where it seems to.
pub(crate) fn closing(mut response: Response<Answer>) -> Response<Answer> {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl Refuse for Client {
    fn refuse_head(&self, code: Code) -> Vec<u8> {
        let (refusal, rendered, message) = self.refuse_unread(code, Transport::Http1);
        raw(&refusal, &rendered, message.value())
    }
}

impl Client {
    /// Records the refusal of what never became a request, and returns what there is to answer.
    pub(crate) fn refuse_unread(
        &self,
        code: Code,
        transport: Transport,
    ) -> (Refusal, Rendered, MessageId) {
        let shared = &self.thread.shared;
        let now = now_us();
        let message = shared.message_id();
        // Bytes that are no request count against the address like one.
        let (refusal, edge, recorded) = match self.admit(now) {
            Ok((_, edge)) => (Refusal::new(code), edge, true),
            Err(over) => {
                let edge = Trace::Refused(over.refusal.code);
                self.over(&over.refusal, now);
                (over.refusal, edge, over.first)
            }
        };
        let dialect = &self.door.speech.dialect;
        let rendered = dialect.render_for(&refusal, message.as_str());
        if recorded {
            let mut trace = [Trace::NotReached; 8];
            trace[0] = edge;
            let decided = Decided {
                trace,
                refusal: Some(&refusal),
                status: Some(rendered.status),
                ..Decided::unread(self, transport, message.as_str(), now)
            };
            record::refusal(shared, &decided);
        } else {
            shared.counters.refuse(refusal.code);
        }
        (refusal, rendered, message)
    }
}

/// Writes the whole answer to bytes that never became a request.
fn raw(refusal: &Refusal, rendered: &Rendered, message: &HeaderValue) -> Vec<u8> {
    let mut answer = Vec::with_capacity(rendered.body.len() + 256);
    let status = status(rendered.status);
    let reason = status.canonical_reason().unwrap_or("Refused");
    // Writing to a Vec cannot fail.
    let _ = write!(
        answer,
        "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n",
        status.as_str(),
        rendered.content_type,
        rendered.body.len(),
    );
    if let Retry::AfterMs(after_ms) = refusal.retry {
        let _ = write!(answer, "{RETRY_AFTER}: {}\r\n", retry_after_s(after_ms));
    }
    let _ = write!(answer, "{MESSAGE}: ");
    answer.extend_from_slice(message.as_bytes());
    answer.extend_from_slice(b"\r\n\r\n");
    answer.extend_from_slice(&rendered.body);
    answer
}
