//! A trading channel: a WebSocket on which each message is judged, recorded and carried like the request that it stands
//! for (docs/adr/0019). The venue never sees the channel, and an idle one holds no connection to it.

mod follow;
mod leg;
mod legs;
mod logon;
mod mailbox;
mod speaker;
mod task;
mod wanted;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use ringfence_core::session::Session;
use ringfence_wire::websocket::{
    CloseCode, Decoder, Event, Kind, Limits, Sender, Violation, close, frame,
};
use ringfence_wire::{Heading, Said, Spoke};

use crate::body::Answer;
use crate::carry::{Permitted, Recorded};
use crate::client::Client;
use crate::clock::now_us;
use crate::lane::{Lane, Next};
use crate::outbox::{KEPT_BYTES, Outbox, QUIET};
use crate::pipeline::Passing;
use crate::pushing::Held;
use crate::shared::MessageId;
use crate::socket::Carrier;
use crate::stream::Opening;
use leg::{Gone, Grant};
use legs::Legs;
use speaker::{Held as Waiting, Speaker};

/// Largest message of a client: one order is much smaller.
const MESSAGE_BYTES: usize = 16 * 1024;
const FRAMES: u32 = 64;
/// Pings and pongs of a client in a second; what else it says counts against its address.
const CONTROLS_PER_S: u32 = 20;
const SECOND_US: u64 = 1_000_000;
/// What a client is told whose address is kept out for a while.
pub(crate) const BANNED: &str = "this address is kept out for a while";
/// How long a client has to go after our last word.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes of answers that are put together for one write, unless one is larger.
const WRITE_BYTES: usize = 64 * 1024;

/// A channel that a handshake has opened.
pub(crate) struct Opened {
    pub(crate) path: Rc<str>,
    /// The handshake's message, after which the connection is called.
    pub(crate) id: MessageId,
    /// Who acts on it from the start, where the handshake itself proved it.
    pub(crate) session: Option<Session>,
    /// What the client is told first.
    pub(crate) said: Option<String>,
    /// Its token is over: nothing is heard of it, and the channel is closed once that is told.
    pub(crate) over: bool,
}

impl Passing {
    /// Returns what the client of a channel is told first, if anything is.
    fn welcome(&self) -> Option<String> {
        let dialect = &self.client.door.speech.dialect;
        let (path, query) = (self.head.uri.path(), self.head.uri.query());
        let route = dialect.route("GET", path)?;
        let name = self.id.as_str();
        let heading = match dialect.admission(route) {
            Some((admission, _)) => admission.heading(query.unwrap_or_default(), name),
            None => Heading::default(),
        };
        let said = Said {
            connection: name,
            now_ms: now_us() / 1000,
            ..Said::default()
        };
        dialect.speak_own(path, Spoke::Welcome, &heading, &said)
    }

    /// Answers the handshake of a channel. Nothing is asked of the venue yet.
    pub(crate) fn open_channel(&self, opening: &Opening, permitted: Permitted) -> Response<Answer> {
        let path = self.head.uri.path();
        let dialect = &self.client.door.speech.dialect;
        let lasts_us = dialect.session_us(path);
        let opened = Opened {
            said: self.welcome(),
            over: false,
            path: path.into(),
            id: self.id.clone(),
            // Of a handshake that is signed natively: then it was a logon.
            session: permitted.permit.session(now_us().saturating_add(lasts_us)),
        };
        *self.lane.next.borrow_mut() = Some(Next::Channel(opened));
        let answer = self.opened(opening);
        if let Recorded::Reading(reading) = permitted.recorded {
            reading.answered(answer.status().as_u16());
        }
        answer
    }
}

/// One channel.
pub(crate) struct Channel {
    client: Rc<Client>,
    lane: Rc<Lane>,
    near: Carrier,
    decoder: Decoder,
    out: Outbox,
    speaker: Speaker,
    /// A message that waits for the one before it.
    held: Option<Waiting>,
    /// What came behind that, or behind one of a flood.
    behind: Vec<u8>,
    /// Nothing is read before this has passed: the address is over its budget.
    paused: bool,
    /// It has been quiet, and keeps no memory for messages until the next one.
    trimmed: bool,
    /// The deadline is that of a leg that is good for nothing any more.
    leaving: bool,
    /// We have asked whether the client is still there, and it has said nothing since.
    asked: bool,
    heard_us: u64,
    /// By whose leave that may be written which was pushed and is not written yet.
    pushed: Option<Rc<Grant>>,
    /// Nothing more is read; what is under way is answered.
    closing: Option<(CloseCode, &'static str)>,
    /// Our last word is among what is to be written.
    ending: bool,
    /// All has been written, and the time to go runs.
    shut: bool,
    second: u64,
    controls: u32,
}

impl Channel {
    pub(crate) fn new(client: &Rc<Client>, lane: &Rc<Lane>, near: Carrier, opened: Opened) -> Self {
        let limits = Limits {
            message: MESSAGE_BYTES,
            frames: FRAMES,
        };
        let over = opened.over;
        let over = over.then_some((CloseCode::POLICY, "the token is over"));
        Self {
            closing: over,
            client: Rc::clone(client),
            lane: Rc::clone(lane),
            near,
            decoder: Decoder::new(Sender::Client, limits),
            out: Outbox::default(),
            speaker: Speaker::new(client, lane, opened),
            held: None,
            behind: Vec::new(),
            paused: false,
            trimmed: false,
            leaving: false,
            asked: false,
            heard_us: now_us(),
            pushed: None,
            ending: false,
            shut: false,
            second: 0,
            controls: 0,
        }
    }

    /// Answers messages until either side ends it. `early` is what the client sent before the handshake was answered.
    // No `async fn`: its future would have room for two of these.
    pub(crate) fn run(mut self, early: &[u8]) -> impl Future<Output = ()> + use<> {
        self.renew();
        self.heard(early);
        std::future::poll_fn(move |context| self.poll(context))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.speaker.mailbox.wake_by(context);
        if self.client.thread.draining.get() {
            self.leave(CloseCode::GOING_AWAY, "the gateway is shutting down");
        }
        let now_us = now_us();
        if self.speaker.is_silenced(now_us) && self.silence().is_err() {
            return Poll::Ready(());
        }
        self.watch_over(now_us);
        loop {
            match self.turn(context) {
                Err(_) => return Poll::Ready(()),
                Ok(true) if self.paused => {}
                Ok(true) => self.renew(),
                Ok(false) => break,
            }
        }
        if self.ending && self.out.is_empty() {
            return self.linger(context);
        }
        if self.lane.watch.deadline.poll_passed(context).is_ready() {
            return self.out_of_time(context);
        }
        Poll::Pending
    }

    /// The deadline has passed: the pause is over, or the client takes nothing, or says nothing.
    fn out_of_time(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.paused) {
            self.renew();
        } else if self.out.is_empty() && self.speaker.legs.are_full() {
            self.venue_gone(Gone("the venue takes nothing"));
            self.renew();
        } else if self.ending || !self.out.is_empty() {
            let counters = &self.client.thread.shared.counters;
            counters.timed_out.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(());
        } else if !std::mem::replace(&mut self.trimmed, true) {
            self.trim();
        } else if std::mem::take(&mut self.leaving) {
            self.speaker.legs.leave_unused(now_us());
            self.trim();
        } else if std::mem::replace(&mut self.asked, true) {
            self.end(CloseCode::GOING_AWAY, "nothing was said for too long");
            self.renew();
        } else {
            frame(&mut self.out.bytes, Kind::Ping, b"", None);
            self.renew();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gives back what is kept for messages, and waits for the rest of the time that one may take.
    fn trim(&mut self) {
        self.decoder.shrink(0);
        self.out.trim();
        self.speaker.legs.trim();
        let rest = self.lane.watch.patience.idle / 2;
        let rest = rest.saturating_sub(QUIET);
        let due = self.speaker.legs.unused_for(now_us());
        let due = due.filter(|due| *due < rest);
        self.leaving = due.is_some();
        self.lane.watch.deadline.set(due.unwrap_or(rest));
    }

    /// Waits for the client to go: closing while it still sends would be a reset, which takes our last word with it.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.shut, true) {
            self.lane.watch.deadline.set(LINGER);
        }
        // Again and again, until it is done; then it does nothing more.
        let _ = self.near.poll_shutdown(context);
        let landing = Rc::clone(&self.client.thread.landing);
        let mut landing = landing.borrow_mut();
        loop {
            match self.near.poll_read(context, &mut landing) {
                Poll::Pending => return self.lane.watch.deadline.poll_passed(context),
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    }

    /// Moves what can be moved once; tells whether anything was.
    fn turn(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        self.collect();
        let mut moved = self.send(context)?;
        moved |= self.speaker.legs.poll_opening(context);
        match self.speaker.legs.poll_send(context) {
            Ok(some) => moved |= some,
            Err(_) => self.venue_gone(Gone("the venue has gone")),
        }
        let writing = self.pushed.is_some() || !self.out.is_empty();
        if self.ending || self.paused || self.closing.is_some() || writing {
            return Ok(moved);
        }
        // First: whoever logs on with another key hears nothing more of the last one's.
        moved |= self.turn_near(context)?;
        moved |= self.turn_legs(context);
        Ok(moved)
    }

    /// Writes what it can to the client. What was pushed to somebody is written only if it still may.
    fn send(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let Some(grant) = self.pushed.clone() else {
            return self.write(context);
        };
        let shared = Arc::clone(&self.client.thread.shared);
        let may = |held: &Held<'_>| grant.may_be_written(held, now_us());
        shared.pushing.write(may, |may| {
            if !may {
                self.silence()?;
            }
            self.write(context)
        })
    }

    fn write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let near = &mut self.near;
        let moved = self
            .out
            .poll_send(|bytes| near.poll_write(context, bytes))?;
        // A TLS stream keeps what was written until it is flushed.
        if near.poll_flush(context)?.is_ready() && self.out.is_empty() {
            self.pushed = None;
        }
        Ok(moved)
    }

    /// Ends a channel whose session is nobody's any more, with what was pushed on it and not written yet.
    fn silence(&mut self) -> io::Result<()> {
        let (code, reason) = self.speaker.silenced_by(now_us());
        self.speaker.legs = Legs::default();
        if self.pushed.take().is_some() {
            if self.out.sent > 0 || self.out.is_empty() {
                // Part of it is on its way, where no last word can be put behind it.
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.out = Outbox::default();
        }
        self.leave(code, reason);
        Ok(())
    }

    /// Hears what the venue pushes.
    fn turn_legs(&mut self, context: &mut Context<'_>) -> bool {
        if self.speaker.legs.are_none() {
            return false;
        }
        let landing = Rc::clone(&self.client.thread.landing);
        let mut landing = landing.borrow_mut();
        let legs = &mut self.speaker.legs;
        match legs.poll_read(context, &mut landing, &mut self.out, &mut self.pushed) {
            Ok(moved) => moved,
            Err(gone) => {
                self.venue_gone(gone);
                true
            }
        }
    }

    /// Asks whether client and venue are there, where one of them speaks and the other does not.
    fn watch_over(&mut self, now_us: u64) {
        if self.ending || self.speaker.legs.are_none() {
            return;
        }
        self.speaker.legs.leave_unused(now_us);
        let half = self.lane.watch.patience.idle / 2;
        let half_us = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        let silent_us = now_us.saturating_sub(self.heard_us);
        if self.asked && silent_us > half_us.saturating_mul(2) {
            self.end(CloseCode::GOING_AWAY, "nothing was said for too long");
        } else if !self.asked && silent_us > half_us {
            self.asked = true;
            frame(&mut self.out.bytes, Kind::Ping, b"", None);
        }
        if let Err(gone) = self.speaker.legs.watch_over(now_us, half_us) {
            self.venue_gone(gone);
        }
    }

    fn venue_gone(&mut self, gone: Gone) {
        self.speaker.legs = Legs::default();
        self.leave(CloseCode::BAD_GATEWAY, gone.0);
    }

    /// Hears the client, unless a message waits for the one before it.
    fn turn_near(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let speaker = &self.speaker;
        let ordered = speaker.mailbox.is_ordered() || speaker.legs.is_opening();
        let waits = ordered || speaker.awaits_word();
        if self.held.is_some() && waits || self.speaker.legs.are_full() {
            return Ok(false);
        }
        if let Some(held) = self.held.take() {
            self.held = self.speaker.take_up(held);
            return Ok(true);
        }
        if !self.behind.is_empty() {
            let behind = std::mem::take(&mut self.behind);
            self.heard(&behind);
            return Ok(true);
        }
        self.read(context)
    }

    /// Puts answers that are there among what is to be written.
    fn collect(&mut self) {
        let mailbox = &self.speaker.mailbox;
        // What was pushed stands alone, so that it can be taken back.
        while !self.ending && self.pushed.is_none() && self.out.bytes.len() < WRITE_BYTES {
            let Some(answer) = mailbox.take() else { break };
            frame(&mut self.out.bytes, Kind::Text, answer.as_bytes(), None);
        }
        // What is under way is answered before we go.
        if let Some((code, reason)) = self.closing
            && !self.ending
            && mailbox.is_idle()
        {
            self.end(code, reason);
        }
    }

    fn read(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let landing = Rc::clone(&self.client.thread.landing);
        let mut landing = landing.borrow_mut();
        let Poll::Ready(count) = self.near.poll_read(context, &mut landing) else {
            return Ok(false);
        };
        let heard = landing.get(..count?).unwrap_or_default();
        if heard.is_empty() {
            // It has gone without a word: nobody is there to be told.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.asked = false;
        self.heard_us = now_us();
        self.heard(heard);
        Ok(true)
    }

    fn heard(&mut self, mut bytes: &[u8]) {
        while !self.ending && self.closing.is_none() {
            if self.held.is_some() || self.paused {
                self.behind.extend_from_slice(bytes);
                return;
            }
            match self.decoder.next(&mut bytes) {
                Ok(None) => return self.decoder.shrink(KEPT_BYTES),
                Ok(Some(Event::Text(text))) => {
                    self.held = self.speaker.hear(text);
                    self.pause();
                }
                Ok(Some(Event::Binary(_))) => {
                    self.end(CloseCode::UNSUPPORTED, "channels take text");
                }
                Ok(Some(Event::Ping(payload))) => {
                    frame(&mut self.out.bytes, Kind::Pong, payload, None);
                    self.count_control();
                }
                Ok(Some(Event::Pong(_))) => self.count_control(),
                Ok(Some(Event::Close(said))) => {
                    let (code, _) = said.unwrap_or((CloseCode::NORMAL, ""));
                    self.end(code, "");
                }
                Err(Violation { code, what }) => self.end(code, what),
            }
        }
    }

    /// Stops reading for a while if the last message was one of a flood.
    fn pause(&mut self) {
        if let Some(pause) = self.speaker.pause.take() {
            self.paused = true;
            self.lane.watch.deadline.set(pause);
        }
    }

    fn count_control(&mut self) {
        let second = now_us() / SECOND_US;
        if self.second != second {
            (self.second, self.controls) = (second, 0);
        }
        self.controls += 1;
        if self.controls > CONTROLS_PER_S {
            self.end(CloseCode::POLICY, "too many pings in a second");
        }
    }

    /// Reads nothing more, and goes once what is under way has been answered.
    fn leave(&mut self, code: CloseCode, reason: &'static str) {
        if self.closing.is_none() {
            self.closing = Some((code, reason));
            // What waits for its turn was never judged.
            self.held = None;
            self.behind = Vec::new();
        }
    }

    fn end(&mut self, code: CloseCode, reason: &str) {
        if !self.ending {
            close(&mut self.out.bytes, code, reason, None);
            self.ending = true;
            self.speaker.legs = Legs::default();
        }
    }

    /// Something has moved: the next thing has its full time.
    fn renew(&mut self) {
        self.trimmed = false;
        self.leaving = false;
        let patience = self.lane.watch.patience;
        let waiting = self.ending || !self.out.is_empty() || self.speaker.legs.are_full();
        self.lane.watch.deadline.set(if waiting {
            patience.body
        } else {
            // Twice in that time the client is to be heard: of itself, or because it was asked.
            (patience.idle / 2).min(QUIET)
        });
    }
}
