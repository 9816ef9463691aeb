//! One permitted message of a channel, from its permit to its answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::Body as _;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_wire::{Heading, Said};

use super::mailbox::UnderWay;
use crate::body::{Answer, Content};
use crate::carry::Permitted;
use crate::clock::now_us;
use crate::pipeline::Passing;
use crate::shared::MessageId;

pub(super) struct Task {
    pub(super) passing: Rc<Passing>,
    pub(super) heading: Heading,
    pub(super) connection: MessageId,
    pub(super) under_way: UnderWay,
    /// How limits stand, for its answer.
    pub(super) limits: String,
}

impl Task {
    pub(super) async fn run(self, permitted: Permitted) {
        let Permitted {
            permit,
            outgoing,
            operation,
            recorded,
            borrower,
            ..
        } = permitted;
        let sending = (outgoing, borrower);
        let bringing = self.passing.bring(recorded, &permit, sending, operation);
        let (asked, reading) = bringing.await;
        let spoken = match asked {
            Ok(response) => self.speak(response, operation.changes_state()).await,
            Err(refusal) => Err(refusal),
        };
        let path = self.path();
        let (answers, status) = match spoken {
            Ok(answered) => answered,
            Err(refusal) => {
                let client = &self.passing.client;
                client.thread.shared.counters.refuse(refusal.code);
                let dialect = &client.door.speech.dialect;
                let said = self.said(0, "");
                let (answer, status) =
                    dialect.speak_refusal(path, Some(&self.heading), &refusal, &said);
                (vec![answer], status)
            }
        };
        if let Some(reading) = reading {
            reading.answered(status);
        }
        self.under_way.end(answers);
    }

    /// Returns the venue's answer as messages, and its status.
    async fn speak(
        &self,
        response: Response<Content>,
        changes_state: bool,
    ) -> Result<(Vec<String>, u16), Refusal> {
        let (head, content) = response.into_parts();
        let status = head.status.as_u16();
        // What has been done cannot be refused any more.
        let broken = || match changes_state {
            true => Refusal::new(Code::VenueOutcomeUnknown),
            false => Refusal::new(Code::VenueMalformed),
        };
        let body = match content {
            Content::Whole(body) => body.unwrap_or_default(),
            Content::Stream { .. } => {
                let long = Answer::new(content, &self.passing.lane.watch);
                gather(long, &self.under_way)
                    .await
                    .map_err(|code| code.map_or_else(broken, Refusal::new))?
            }
        };
        let text = std::str::from_utf8(&body).map_err(|_| broken())?;
        let dialect = &self.passing.client.door.speech.dialect;
        let spoken = dialect.speak(self.path(), &self.heading, &self.said(status, text));
        Ok((spoken.ok_or_else(broken)?, status))
    }

    /// Where the channel was opened.
    pub(super) fn path(&self) -> &str {
        let said = self.passing.said.as_ref();
        said.map_or("", |said| &said.path)
    }

    pub(super) fn said<'a>(&'a self, status: u16, body: &'a str) -> Said<'a> {
        Said {
            status,
            body,
            connection: self.connection.as_str(),
            trace: self.passing.id.as_str(),
            now_ms: now_us() / 1000,
            limits: &self.limits,
            ..Said::default()
        }
    }
}

/// Collects a long answer, as far as the channel has room for it; `overloaded` if it has not, nothing if it broke off.
async fn gather(mut answer: Answer, under_way: &UnderWay) -> Result<Bytes, Option<Code>> {
    let mut whole = BytesMut::new();
    while let Some(piece) = poll_fn(|context| Pin::new(&mut answer).poll_frame(context)).await {
        let Ok(data) = piece.map_err(|_| None)?.into_data() else {
            continue;
        };
        if !under_way.keep(data.len()) {
            return Err(Some(Code::Overloaded));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
