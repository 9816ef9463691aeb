//! An open stream: what the venue tells goes to the client, what the client asks for goes to the venue, message
//! by message. Either side is read only when what it said before has been taken by the other.
//!
//! On a private stream the client says nothing, and what the venue pushes is passed on by a [`Lease`].

mod lease;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use ringfence_wire::websocket::{
    CloseCode, Decoder, Event, Kind, Limits, Sender, Violation, close, frame,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::channel::BANNED;
use crate::client::Client;
use crate::clock::now_us;
use crate::fills;
use crate::outbox::{KEPT_BYTES, Outbox, QUIET};
use crate::pushing::Held;
use crate::socket::Carrier;
use crate::stream::{FRAMES, Far, VENUE_MESSAGE_BYTES};
use crate::watch::Watch;
pub(crate) use lease::Lease;

const SECOND_US: u64 = 1_000_000;
/// How long a client has to go after our last word.
const LINGER: Duration = Duration::from_secs(1);

/// One stream.
pub(crate) struct Relay {
    client: Rc<Client>,
    watch: Rc<Watch>,
    /// Of a private stream.
    lease: Option<Rc<Lease>>,
    near: Carrier,
    far: Far,
    from_near: Decoder,
    from_far: Decoder,
    to_near: Outbox,
    to_far: Outbox,
    /// Something that was written is not on its way to the client yet.
    unflushed: bool,
    /// Nothing more is read; what is left to write is each side's last word.
    ending: bool,
    /// All has been written, and the time to go runs.
    shut: bool,
    /// It has been quiet, and keeps no memory for messages until the next one.
    trimmed: bool,
    /// Sides that were asked whether they are there, and have said nothing since: near, far.
    asked: [bool; 2],
    second: u64,
    messages: u32,
}

/// Which end something is said of.
#[derive(Clone, Copy, Eq, PartialEq)]
enum End {
    Near,
    Far,
}

impl Relay {
    pub(crate) fn new(
        client: &Rc<Client>,
        watch: &Rc<Watch>,
        near: Carrier,
        (far, lease): (Far, Option<Rc<Lease>>),
    ) -> Self {
        let client_bytes = client.thread.shared.http.stream_message_bytes;
        let limits = |message| Limits {
            message,
            frames: FRAMES,
        };
        Self {
            client: Rc::clone(client),
            watch: Rc::clone(watch),
            lease,
            near,
            far,
            from_near: Decoder::new(Sender::Client, limits(client_bytes)),
            from_far: Decoder::new(Sender::Server, limits(VENUE_MESSAGE_BYTES)),
            to_near: Outbox::default(),
            to_far: Outbox::default(),
            unflushed: false,
            ending: false,
            shut: false,
            trimmed: false,
            asked: [false; 2],
            second: 0,
            messages: 0,
        }
    }

    /// Carries messages until either side ends it. `early` is what the client sent before it was answered.
    // No `async fn`: its future would have room for two of these.
    pub(crate) fn run(mut self, early: &[u8]) -> impl Future<Output = ()> + use<> {
        self.renew();
        self.heard_near(early);
        std::future::poll_fn(move |context| self.poll(context))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.client.thread.draining.get() {
            self.end(CloseCode::GOING_AWAY, "the gateway is shutting down");
        }
        if self.client.is_shut_out() && !self.ending {
            self.end(CloseCode::POLICY, BANNED);
        }
        let over = |lease: &Lease| !lease.holds(now_us());
        if self.lease.as_deref().is_some_and(over) && self.silence().is_err() {
            return Poll::Ready(());
        }
        loop {
            match self.turn(context) {
                Err(_) => return Poll::Ready(()),
                Ok(true) => self.renew(),
                Ok(false) => break,
            }
        }
        if self.ending && self.to_near.is_empty() && self.to_far.is_empty() {
            return self.linger(context);
        }
        if self.watch.deadline.poll_passed(context).is_ready() {
            return self.out_of_time(context);
        }
        Poll::Pending
    }

    /// The deadline has passed: one side takes nothing, or nothing is said, for a while or for too long.
    fn out_of_time(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_waiting() {
            let counters = &self.client.thread.shared.counters;
            counters.timed_out.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut self.trimmed, true) {
            self.trim();
        } else if self.lease.is_some() && self.asked == [false; 2] {
            self.ask();
            self.renew();
        } else {
            self.end(CloseCode::GOING_AWAY, "nothing was said for too long");
            self.renew();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Asks both sides whether they are there: for hours there may be nothing to push.
    fn ask(&mut self) {
        self.asked = [true; 2];
        let mask = self.client.thread.masks.take();
        frame(&mut self.to_near.bytes, Kind::Ping, b"", None);
        frame(&mut self.to_far.bytes, Kind::Ping, b"", Some(mask));
    }

    /// Gives back what is kept for messages, and waits for the rest of the time that one may take.
    fn trim(&mut self) {
        self.from_near.shrink(0);
        self.from_far.shrink(0);
        self.to_near.trim();
        self.to_far.trim();
        let rest = self.watch.patience.idle.saturating_sub(QUIET);
        self.watch.deadline.set(rest);
    }

    /// Waits for the client to go: closing while it still sends would be a reset, which takes our last word with it.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.shut, true) {
            self.watch.deadline.set(LINGER);
        }
        // Again and again, until it is done; then it does nothing more.
        let _ = self.near.poll_shutdown(context);
        let _ = Pin::new(&mut self.far).poll_shutdown(context);
        let landing = Rc::clone(&self.client.thread.landing);
        let mut landing = landing.borrow_mut();
        loop {
            match self.near.poll_read(context, &mut landing) {
                Poll::Pending => return self.watch.deadline.poll_passed(context),
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    }

    /// Moves what can be moved once; tells whether anything was.
    fn turn(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = self.send_near(context)?;
        let far = &mut self.far;
        moved |= self
            .to_far
            .poll_send(|bytes| Pin::new(&mut *far).poll_write(context, bytes))?;
        let _ = Pin::new(far).poll_flush(context)?;
        if !self.ending && self.to_near.is_empty() {
            moved |= self.read(End::Far, context)?;
        }
        if !self.ending && self.to_far.is_empty() {
            moved |= self.read(End::Near, context)?;
        }
        Ok(moved)
    }

    /// Writes what it can to the client. What was pushed on a private stream is written only if it still may.
    fn send_near(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let Some(lease) = self.lease.clone() else {
            return self.write_near(context);
        };
        let shared = Arc::clone(&self.client.thread.shared);
        let may = |held: &Held<'_>| lease.may_be_written(held, now_us());
        shared.pushing.write(may, |may| {
            if !may {
                self.silence()?;
            }
            self.write_near(context)
        })
    }

    fn write_near(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let near = &mut self.near;
        let moved = self
            .to_near
            .poll_send(|bytes| near.poll_write(context, bytes))?;
        // A TLS stream keeps what was written until it is flushed.
        self.unflushed = near.poll_flush(context)?.is_pending();
        Ok(moved)
    }

    /// Ends a private stream that is nobody's any more, with what was pushed on it and not written yet.
    fn silence(&mut self) -> io::Result<()> {
        let lease = self.lease.take();
        let reason = lease.map_or("", |lease| lease.over_by(now_us()));
        if self.to_near.sent > 0 || self.unflushed {
            // Part of it is on its way, where no last word can be put behind it.
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.to_near = Outbox::default();
        self.to_far.bytes.truncate(self.to_far.sent);
        self.ending = false;
        self.end(CloseCode::POLICY, reason);
        Ok(())
    }

    fn read(&mut self, end: End, context: &mut Context<'_>) -> io::Result<bool> {
        let landing = Rc::clone(&self.client.thread.landing);
        let mut landing = landing.borrow_mut();
        let polled = match end {
            End::Near => self.near.poll_read(context, &mut landing),
            End::Far => {
                let mut buffer = ReadBuf::new(&mut landing);
                let polled = Pin::new(&mut self.far).poll_read(context, &mut buffer);
                polled.map_ok(|()| buffer.filled().len())
            }
        };
        let Poll::Ready(count) = polled else {
            return Ok(false);
        };
        let heard = landing.get(..count?).unwrap_or_default();
        self.asked[usize::from(end == End::Far)] = false;
        match end {
            _ if heard.is_empty() => self.gone(end),
            End::Near => self.heard_near(heard),
            End::Far => self.heard_far(heard, context)?,
        }
        Ok(true)
    }

    /// One side has gone without a word.
    fn gone(&mut self, end: End) {
        match end {
            End::Near => self.tell(End::Far, CloseCode::GOING_AWAY, ""),
            End::Far => self.tell(End::Near, CloseCode::BAD_GATEWAY, "the venue has gone"),
        }
        self.ending = true;
    }

    fn heard_far(&mut self, mut bytes: &[u8], context: &mut Context<'_>) -> io::Result<()> {
        while !self.ending {
            if self.lease.is_none() {
                self.pass(&mut bytes, context)?;
            }
            let out = &mut self.to_near.bytes;
            match self.from_far.next(&mut bytes) {
                Ok(None) => {
                    self.from_far.shrink(KEPT_BYTES);
                    break;
                }
                Ok(Some(Event::Text(text))) => {
                    if let Some(lease) = &self.lease {
                        let core = &self.client.thread.shared.core;
                        fills::pushed(core, &self.client.door.speech.dialect, lease.permit(), text);
                    }
                    let told = self.lease.as_deref().map(|lease| lease.told(text));
                    let told = told.as_deref().unwrap_or(text);
                    frame(out, Kind::Text, told.as_bytes(), None);
                }
                Ok(Some(Event::Binary(payload))) => frame(out, Kind::Binary, payload, None),
                Ok(Some(Event::Ping(payload))) => frame(out, Kind::Ping, payload, None),
                Ok(Some(Event::Pong(payload))) => frame(out, Kind::Pong, payload, None),
                Ok(Some(Event::Close(said))) => {
                    let (code, reason) = said.unwrap_or((CloseCode::NORMAL, ""));
                    close(out, code, reason, None);
                    self.tell(End::Far, code, "");
                    self.ending = true;
                }
                Err(violation) => self.violated(End::Far, violation),
            }
        }
        Ok(())
    }

    /// Passes on what the venue wrote as we would. A little is kept for the next writing: a system call costs more than
    /// a copy of it does, and a venue could make us do one for each few bytes.
    fn pass(&mut self, bytes: &mut &[u8], context: &mut Context<'_>) -> io::Result<()> {
        let run = self.from_far.run(bytes);
        if run.len() < KEPT_BYTES || !self.near.is_write_vectored() {
            self.to_near.bytes.extend_from_slice(run);
            return Ok(());
        }
        let near = &mut self.near;
        self.to_near
            .send_with(run, |parts| near.poll_write_vectored(context, parts))
    }

    fn heard_near(&mut self, mut bytes: &[u8]) {
        while !self.ending {
            let heard = self.from_near.next(&mut bytes);
            let (kind, payload) = match heard {
                Ok(None) => return self.from_near.shrink(KEPT_BYTES),
                Ok(Some(Event::Text(text))) => {
                    let dialect = &self.client.door.speech.dialect;
                    if self.lease.is_some() || !dialect.stream_takes(text) {
                        return self.refuse("this message is not offered on a stream");
                    }
                    (Kind::Text, text.as_bytes())
                }
                Ok(Some(Event::Binary(payload))) => {
                    if !self.client.door.speech.dialect.stream_takes_binary() {
                        let what = "streams take text";
                        let code = CloseCode::UNSUPPORTED;
                        return self.violated(End::Near, Violation { code, what });
                    }
                    (Kind::Binary, payload)
                }
                Ok(Some(Event::Ping(payload))) => (Kind::Ping, payload),
                Ok(Some(Event::Pong(payload))) => (Kind::Pong, payload),
                Ok(Some(Event::Close(said))) => {
                    let (code, reason) = said.unwrap_or((CloseCode::NORMAL, ""));
                    let mask = self.client.thread.masks.take();
                    close(&mut self.to_far.bytes, code, reason, Some(mask));
                    self.tell(End::Near, code, "");
                    self.ending = true;
                    return;
                }
                Err(violation) => return self.violated(End::Near, violation),
            };
            let mask = self.client.thread.masks.take();
            frame(&mut self.to_far.bytes, kind, payload, Some(mask));
            if !self.counts() {
                return self.refuse("too many messages in a second");
            }
        }
    }

    /// Counts a message of the client, a ping too; false if it is one too many.
    fn counts(&mut self) -> bool {
        let second = now_us() / SECOND_US;
        if self.second != second {
            (self.second, self.messages) = (second, 0);
        }
        self.messages += 1;
        self.messages <= self.client.thread.shared.http.stream_messages_per_s
    }

    fn refuse(&mut self, what: &'static str) {
        let code = CloseCode::POLICY;
        self.violated(End::Near, Violation { code, what });
    }

    fn violated(&mut self, end: End, violation: Violation) {
        let Violation { code, what } = violation;
        match end {
            End::Near => {
                // What it said so far goes no further.
                self.to_far.bytes.truncate(self.to_far.sent);
                self.tell(End::Near, code, what);
                self.tell(End::Far, CloseCode::GOING_AWAY, "");
            }
            End::Far => {
                self.tell(End::Far, code, what);
                self.tell(
                    End::Near,
                    CloseCode::BAD_GATEWAY,
                    "the venue broke the protocol",
                );
            }
        }
        self.ending = true;
    }

    fn end(&mut self, code: CloseCode, reason: &str) {
        if !self.ending {
            self.tell(End::Near, code, reason);
            self.tell(End::Far, code, "");
            self.ending = true;
        }
    }

    fn tell(&mut self, end: End, code: CloseCode, reason: &str) {
        match end {
            End::Near => close(&mut self.to_near.bytes, code, reason, None),
            End::Far => {
                let mask = self.client.thread.masks.take();
                close(&mut self.to_far.bytes, code, reason, Some(mask));
            }
        }
    }

    /// Something has moved: the next thing has its full time.
    fn renew(&mut self) {
        self.trimmed = false;
        let patience = self.watch.patience;
        self.watch.deadline.set(if self.is_waiting() {
            patience.body
        } else {
            patience.idle.min(QUIET)
        });
    }

    /// Tells whether something is to be written.
    fn is_waiting(&self) -> bool {
        self.ending || !self.to_near.is_empty() || !self.to_far.is_empty()
    }
}
