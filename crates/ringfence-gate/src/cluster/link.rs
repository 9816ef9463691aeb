//! One engine thread's connection to the server: what many messages ask goes out together, in one order, and no message
//! waits longer than the deadline.
//!
//! An answer that is late makes the server count as lost, and whoever asks then hears so at once. When all that was asked
//! has been answered, it counts as back; when the oldest answer is overdue for long, the connection is given up and another
//! one begun. Nothing is asked twice: it may have been done.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, sleep_until};

use super::Cluster;
use super::alone::Alone;
use super::greeting::{Greeted, Memory, greet};
use super::server::Stream;
use super::words::{self, Said};
use crate::clock::elapsed_us;

/// How long an answer may be overdue before the connection is given up.
const OVERDUE: Duration = Duration::from_secs(1);
/// How often a link with nothing to ask asks whether anybody is there.
const IDLE: Duration = Duration::from_millis(250);
/// Between two attempts to connect: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Bytes of answers that are read at once.
const HEARD_BYTES: usize = 16 * 1024;
const BROKEN: &str = "it broke off";
/// Messages that may wait on one link at once.
const WAITING_MAX: usize = 65_536;

/// The server did not answer in time, or is not reached at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lost;

/// How a link stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// There is no connection.
    Down,
    /// An answer is overdue.
    Late,
    Up,
}

/// One thread's way to the server.
pub(crate) struct Link {
    pub(super) cluster: Arc<Cluster>,
    state: Cell<State>,
    out: RefCell<BytesMut>,
    /// In the order in which they asked.
    pub(super) waiting: RefCell<VecDeque<Waiting>>,
    asked: Notify,
    /// What was known last of what the server remembers.
    pub(super) memory: RefCell<Option<Memory>>,
    /// Signatures that were taken without the server, for it to know of when it is back.
    pub(super) alone: RefCell<Alone>,
    /// What the server says is not to be relied on: another connection is to be begun.
    doubted: Notify,
    pub(super) me: Weak<Self>,
}

/// Who waits for an answer. Nobody does any more once it is late.
pub(super) struct Waiting {
    since: Instant,
    answer: Option<oneshot::Sender<Said>>,
    /// Whether it tells of what was taken without the server.
    pub(super) tells: bool,
}

impl Link {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            cluster,
            state: Cell::new(State::Down),
            out: RefCell::default(),
            waiting: RefCell::default(),
            asked: Notify::new(),
            memory: RefCell::default(),
            alone: RefCell::default(),
            doubted: Notify::new(),
            me: me.clone(),
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.get() == State::Up
    }

    /// Asks what `write` writes, given by which name the server's memory goes. Who waits for the answer longer than the
    /// deadline hears that it is lost.
    pub(super) fn ask(
        &self,
        write: impl FnOnce(&mut BytesMut, &str),
    ) -> Result<oneshot::Receiver<Said>, Lost> {
        let memory = self.memory.borrow();
        match (&*memory, self.state.get()) {
            (Some(memory), State::Up) => self.put(|out| write(out, &memory.id)).ok_or(Lost),
            (Some(_) | None, State::Up | State::Down | State::Late) => Err(Lost),
        }
    }

    /// Notes the time by the server's clock.
    pub(super) fn heard_at(&self, now_ms: u64) {
        if let Some(memory) = &mut *self.memory.borrow_mut() {
            memory.now_ms = memory.now_ms.max(now_ms);
        }
    }

    /// Gives a connection up on which something was said that is no answer.
    pub(super) fn doubt(&self, said: &Said) -> Lost {
        if let Said::Refused(why) = said {
            let code = why.split(' ').next().unwrap_or_default();
            self.cluster
                .standing
                .fails(format!("it refuses EVALSHA: {code}"));
        }
        self.set(State::Late);
        self.doubted.notify_one();
        Lost
    }

    pub(super) fn put(&self, write: impl FnOnce(&mut BytesMut)) -> Option<oneshot::Receiver<Said>> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        let (answer, told) = oneshot::channel();
        write(&mut self.out.borrow_mut());
        waiting.push_back(Waiting {
            since: Instant::now(),
            answer: Some(answer),
            tells: false,
        });
        self.asked.notify_one();
        Some(told)
    }

    /// Keeps the link up. Never ends.
    pub(crate) async fn run(self: Rc<Self>) {
        let (first, most) = PAUSES;
        let mut pause = first;
        loop {
            let known = self
                .memory
                .borrow()
                .as_ref()
                .map(|memory| memory.id.clone());
            match greet(&self.cluster, known.as_deref()).await {
                Ok(greeted) => {
                    pause = first;
                    self.serve(greeted).await;
                }
                Err(problem) => self.cluster.standing.fails(problem),
            }
            sleep(pause).await;
            pause = (pause * 2).min(most);
        }
    }

    /// Serves one connection until it breaks off, or an answer is long overdue.
    async fn serve(&self, greeted: Greeted) {
        let Greeted { stream, memory } = greeted;
        self.compare(&memory);
        *self.memory.borrow_mut() = Some(memory);
        self.set(State::Up);
        let broken = self.exchange(stream).await;
        self.set(State::Down);
        self.cluster.standing.fails(broken.into());
        self.out.borrow_mut().clear();
        // Whoever still waits hears that it is lost.
        let mut waiting = self.waiting.borrow_mut();
        let untold = waiting.iter().any(|one| one.tells);
        waiting.clear();
        self.alone.borrow_mut().more |= untold;
    }

    /// Moves what is asked and answered. Returns why it ended.
    async fn exchange(&self, stream: Box<dyn Stream>) -> &'static str {
        let (reader, writer) = split(stream);
        tokio::select! {
            why = self.write_out(writer) => why,
            why = self.hear(reader) => why,
            why = self.watch() => why,
            () = self.doubted.notified() => "what it says does not count",
        }
    }

    /// Writes what is asked: all that came while the last of it was written, at once.
    async fn write_out(&self, mut writer: WriteHalf<Box<dyn Stream>>) -> &'static str {
        let mut batch = BytesMut::new();
        loop {
            std::mem::swap(&mut batch, &mut self.out.borrow_mut());
            if batch.is_empty() {
                self.asked.notified().await;
                continue;
            }
            let written = writer.write_all_buf(&mut batch).await;
            if written.is_err() || writer.flush().await.is_err() {
                return BROKEN;
            }
        }
    }

    async fn hear(&self, mut reader: ReadHalf<Box<dyn Stream>>) -> &'static str {
        let mut heard = BytesMut::with_capacity(HEARD_BYTES);
        loop {
            match reader.read_buf(&mut heard).await {
                Ok(0) | Err(_) => return BROKEN,
                Ok(_) => {}
            }
            loop {
                let answered = match words::take(&mut heard) {
                    Ok(Some(said)) => self.answered(said),
                    Ok(None) => break,
                    Err(_) => false,
                };
                if !answered {
                    return "it speaks another language";
                }
            }
        }
    }

    /// Hands an answer to whoever waits longest. False: nobody asked.
    fn answered(&self, said: Said) -> bool {
        let first = self.waiting.borrow_mut().pop_front();
        let Some(Waiting { since, answer, .. }) = first else {
            return false;
        };
        let lag_us = elapsed_us(since);
        let standing = &self.cluster.standing;
        standing.lag_us.store(lag_us, Ordering::Relaxed);
        if let Some(answer) = answer {
            // Whoever asked may be gone.
            let _ = answer.send(said);
        }
        if self.state.get() == State::Late && self.waiting.borrow().is_empty() {
            self.set(State::Up);
        }
        true
    }

    /// Lets nobody wait longer than the deadline. Returns when an answer is overdue for long.
    async fn watch(&self) -> &'static str {
        let deadline = self.cluster.deadline;
        let mut idle = Instant::now();
        loop {
            // Whoever asks from here on waits until then at least.
            let first = self.waiting.borrow().iter().find_map(Waiting::open);
            let next = first.unwrap_or_else(Instant::now) + deadline;
            sleep_until(next.into()).await;
            let now = Instant::now();
            let mut waiting = self.waiting.borrow_mut();
            if let Some(oldest) = waiting.front() {
                idle = now;
                if now.saturating_duration_since(oldest.since) >= OVERDUE {
                    return "no answer in time";
                }
            }
            let late = waiting.iter_mut().filter(|one| now >= one.since + deadline);
            let late = late.filter_map(|one| one.answer.take()).count() as u64;
            drop(waiting);
            if late > 0 {
                self.cluster
                    .standing
                    .late
                    .fetch_add(late, Ordering::Relaxed);
                self.set(State::Late);
            }
            if now.saturating_duration_since(idle) >= IDLE {
                idle = now;
                self.put(|out| words::put(out, [&b"PING"[..]].into_iter()));
            }
        }
    }

    /// Has it told if what the server remembers is not what it remembered.
    fn compare(&self, found: &Memory) {
        let known = self.memory.borrow();
        let Some(known) = &*known else { return };
        let standing = &self.cluster.standing;
        if known.id != found.id {
            standing.alarm(
                "cluster.replaced",
                "the server remembers nothing of before".into(),
            );
        } else if found.now_ms < known.now_ms {
            let lost_ms = known.now_ms - found.now_ms;
            let what = format!("the server has lost what it was told in {lost_ms} ms");
            standing.alarm("cluster.older", what);
        }
    }

    fn set(&self, state: State) {
        let before = self.state.replace(state);
        if state == State::Up && before != State::Up {
            self.confess();
        }
        match (before, state) {
            (State::Up, State::Down | State::Late) => self.cluster.standing.fell(),
            (State::Down | State::Late, State::Up) => self.cluster.standing.rose(),
            (State::Up, State::Up) | (State::Down | State::Late, State::Down | State::Late) => {}
        }
    }
}

impl Waiting {
    /// Returns since when somebody waits, if somebody still does.
    fn open(&self) -> Option<Instant> {
        self.answer.as_ref().map(|_| self.since)
    }
}
