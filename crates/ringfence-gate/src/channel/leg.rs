//! One WebSocket to the venue, for what only it can do: what is pushed on it goes to its client (docs/adr/0025).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use std::time::Duration;

use ringfence_core::credential::Credential;
use ringfence_core::pipeline::Permit;
use ringfence_wire::websocket::{CloseCode, Decoder, Event, Kind, Limits, Sender, close, frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zeroize::Zeroizing;

use super::wanted::Wanted;
use crate::client::{Client, Thread};
use crate::clock::now_us;
use crate::fills;
use crate::listen::Door;
use crate::ongoing::Ongoing;
use crate::outbox::{KEPT_BYTES, Outbox};
use crate::pushing::Held;
use crate::stream::{FRAMES, Far, VENUE_MESSAGE_BYTES};

/// Leave to pass on what is pushed: the permit of the message that asked for it, for as long as its session lasts.
pub(super) struct Grant {
    pub(super) opened: Ongoing,
    until_us: u64,
    /// How often the venue key had been exchanged when the leg was logged on with it.
    exchanges: u64,
}

impl Grant {
    pub(super) fn new(opened: Ongoing, until_us: u64) -> Self {
        let exchanges = opened.permit.venue_key().map_or(0, |key| key.exchanges());
        Self {
            opened,
            until_us,
            exchanges,
        }
    }

    /// Returns that of a later message on the same leg, whose logon stays the first one's.
    pub(super) fn renewed(&self, permit: Permit, until_us: u64) -> Self {
        Self {
            opened: self.opened.renewed(permit),
            until_us,
            exchanges: self.exchanges,
        }
    }

    /// Tells whether what was pushed may be written at `now_us`. Who asks so holds back whoever takes the leave away.
    pub(super) fn may_be_written(&self, _held: &Held<'_>, now_us: u64) -> bool {
        self.holds(now_us)
    }

    /// Tells whether it still holds at `now_us`: whoever was permitted is, and in egress the venue key is there, and the
    /// one that the leg was logged on with.
    pub(super) fn holds(&self, now_us: u64) -> bool {
        now_us < self.until_us && !self.lost_venue_key() && self.opened.holds(now_us)
    }

    /// Tells whether it is the venue key that is gone, or another one now: whoever was permitted may still be.
    pub(super) fn lost_venue_key(&self) -> bool {
        let key = self.opened.permit.venue_key();
        key.is_some_and(|key| !key.is_ready() || key.exchanges() != self.exchanges)
    }

    /// Whose pushes they are; nobody's on a public leg.
    pub(super) const fn credential(&self) -> Option<&Arc<Credential>> {
        self.opened.permit.credential()
    }
}

/// The venue's end is no more; why, for the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone(pub(super) &'static str);

const GONE: Gone = Gone("the venue has gone");
const BROKEN: Gone = Gone("the venue broke the protocol");

/// Bytes of the answer to our logon that are read at once.
const ANSWER_BYTES: usize = 4 * 1024;

/// One venue's end.
pub(super) struct Leg {
    thread: Rc<Thread>,
    door: Rc<Door>,
    far: Far,
    decoder: Decoder,
    out: Outbox,
    /// Read behind the answer to our logon.
    behind: Vec<u8>,
    pub(super) grant: Rc<Grant>,
    /// The venue's token, which each message shows in egress.
    pub(super) ticket: Option<Zeroizing<String>>,
    pub(super) wanted: Wanted,
    heard_us: u64,
    /// We have asked whether the venue is still there, and it has said nothing since.
    asked: bool,
}

impl Leg {
    pub(super) fn new(client: &Client, far: Far, grant: Rc<Grant>) -> Self {
        let limits = Limits {
            message: VENUE_MESSAGE_BYTES,
            frames: FRAMES,
        };
        Self {
            thread: Rc::clone(&client.thread),
            door: Rc::clone(&client.door),
            far,
            decoder: Decoder::new(Sender::Server, limits),
            out: Outbox::default(),
            behind: Vec::new(),
            grant,
            ticket: None,
            wanted: Wanted::default(),
            heard_us: now_us(),
            asked: false,
        }
    }

    pub(super) fn say(&mut self, text: &str) {
        frame(
            &mut self.out.bytes,
            Kind::Text,
            text.as_bytes(),
            Some(self.thread.masks.take()),
        );
    }

    /// Returns in what time it ends because nothing is subscribed to on it; none while something is.
    pub(super) fn unused_for(&self, now_us: u64) -> Option<Duration> {
        self.wanted.unused_for(now_us)
    }

    /// Tells whether the venue has not taken all that was said.
    pub(super) fn is_full(&self) -> bool {
        !self.out.is_empty()
    }

    /// Writes what it can; tells whether it wrote any.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let far = &mut self.far;
        let moved = self
            .out
            .poll_send(|bytes| Pin::new(&mut *far).poll_write(context, bytes))?;
        let _ = Pin::new(far).poll_flush(context)?;
        Ok(moved)
    }

    /// Reads once, and puts what was pushed into `to_near`; tells whether anything was read.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        landing: &mut [u8],
        to_near: &mut Outbox,
    ) -> Result<bool, Gone> {
        let behind = std::mem::take(&mut self.behind);
        if !behind.is_empty() {
            return self.heard(&behind, to_near);
        }
        let mut buffer = ReadBuf::new(landing);
        match Pin::new(&mut self.far).poll_read(context, &mut buffer) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                self.heard_us = now_us();
                self.asked = false;
                self.heard(buffer.filled(), to_near)
            }
            Poll::Ready(_) => Err(GONE),
        }
    }

    fn heard(&mut self, mut bytes: &[u8], to_near: &mut Outbox) -> Result<bool, Gone> {
        let (thread, door) = (Rc::clone(&self.thread), Rc::clone(&self.door));
        let grant = Rc::clone(&self.grant);
        self.hear(&mut bytes, |text| {
            fills::pushed(
                &thread.shared.core,
                &door.speech.dialect,
                &grant.opened.permit,
                text,
            );
            frame(&mut to_near.bytes, Kind::Text, text.as_bytes(), None);
            true
        })?;
        self.decoder.shrink(KEPT_BYTES);
        Ok(true)
    }

    /// Answers the venue's pings, and hands over its texts as long as `more` are wanted.
    fn hear(&mut self, bytes: &mut &[u8], mut more: impl FnMut(&str) -> bool) -> Result<(), Gone> {
        loop {
            match self.decoder.next(bytes) {
                Ok(None) => return Ok(()),
                Ok(Some(Event::Text(text))) => {
                    if !more(text) {
                        return Ok(());
                    }
                }
                Ok(Some(Event::Ping(payload))) => {
                    frame(
                        &mut self.out.bytes,
                        Kind::Pong,
                        payload,
                        Some(self.thread.masks.take()),
                    );
                }
                Ok(Some(Event::Pong(_))) => {}
                Ok(Some(Event::Close(_))) => return Err(GONE),
                Ok(Some(Event::Binary(_))) | Err(_) => return Err(BROKEN),
            }
        }
    }

    /// Waits until all is said, and for the first message that the venue answers.
    pub(super) async fn answer(&mut self) -> Result<String, Gone> {
        let mut landing = vec![0; ANSWER_BYTES];
        poll_fn(|context| self.poll_answer(context, &mut landing)).await
    }

    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        landing: &mut [u8],
    ) -> Poll<Result<String, Gone>> {
        loop {
            self.poll_send(context).map_err(|_| GONE)?;
            let mut buffer = ReadBuf::new(landing);
            let read = ready!(Pin::new(&mut self.far).poll_read(context, &mut buffer));
            let mut bytes = buffer.filled();
            if read.is_err() || bytes.is_empty() {
                return Poll::Ready(Err(GONE));
            }
            let mut answer = None;
            self.hear(&mut bytes, |text| {
                answer = Some(text.to_owned());
                false
            })?;
            if let Some(text) = answer {
                self.behind = bytes.to_vec();
                return Poll::Ready(Ok(text));
            }
        }
    }

    /// Asks a venue that has been silent for `half_us` whether it is still there, and gives up one that does not answer.
    pub(super) fn watch_over(&mut self, now_us: u64, half_us: u64) -> Result<(), Gone> {
        let silent_us = now_us.saturating_sub(self.heard_us);
        if self.asked && silent_us > half_us.saturating_mul(2) {
            return Err(GONE);
        }
        if !self.asked && silent_us > half_us {
            self.asked = true;
            frame(
                &mut self.out.bytes,
                Kind::Ping,
                b"",
                Some(self.thread.masks.take()),
            );
        }
        Ok(())
    }

    /// Gives back what is kept for messages.
    pub(super) fn trim(&mut self) {
        self.decoder.shrink(0);
        self.out.trim();
    }
}

impl Drop for Leg {
    /// Says goodbye, if the venue takes it at once.
    fn drop(&mut self) {
        close(
            &mut self.out.bytes,
            CloseCode::GOING_AWAY,
            "",
            Some(self.thread.masks.take()),
        );
        let _ = self.poll_send(&mut Context::from_waker(Waker::noop()));
    }
}
