//! Where the gateway's threads leave entries for the writer.
//!
//! One mutex, held for the copy of one entry. The writer is woken only when it sleeps and the entry
//! is one it should wake for, so that under load an append costs no system call.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::LedgerError;
use crate::flights::{Flight, Flights};
use crate::ledger::{Durability, Mode, QUEUE_BYTES, Refused, Standing, Ticket};
use crate::log::Pending;
use crate::personal::Commitment;

/// Whether an append wakes the writer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wake {
    /// Not now: whoever appends wakes it soon, once for several entries.
    Later,
    /// At once, if it sleeps.
    Now,
}

/// How deeply the writer sleeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sleep {
    /// It will look at the queue by itself.
    Awake,
    /// Nothing waits: any entry wakes it.
    Idle,
    /// Relaxed entries wait for company until a time: only what cannot wait wakes it.
    Gathering,
}

/// What is to be erased, and who waits for it.
pub(crate) type Erasure = (HashSet<Commitment>, Sender<Result<u64, LedgerError>>);

struct Queue {
    pending: Pending,
    erasures: Vec<Erasure>,
    flights: Flights,
    /// How many of the pending entries are strict.
    strict: u32,
    /// When the first pending entry came.
    since: Option<Instant>,
    /// Number of the next entry: its index, less those that the writer put in by itself.
    next: u64,
    generation: u64,
    failed: bool,
    closing: bool,
    sleep: Sleep,
    /// Entries refused or discarded since the log failed.
    lost_relaxed: u64,
    lost_strict: u64,
}

/// What the threads and the writer share.
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    mode: Mode,
    /// Numbers that are durable. Written by the writer only, before `generation` changes.
    committed: AtomicU64,
    /// Durable entries, those of the writer included.
    pub(crate) size: AtomicU64,
    /// How often the log failed.
    generation: AtomicU64,
    /// For each generation that ended, the durable entries at that time.
    ends: Mutex<Vec<u64>>,
    healthy: AtomicBool,
    pub(crate) signed_size: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) lost: AtomicU64,
}

/// What the writer should do next.
pub(crate) enum Work {
    /// Commit this batch, of whose entries so many are strict.
    Commit { strict: u32 },
    /// The time that was given has come.
    Due,
    /// Nothing waits: lay out space.
    Idle,
    /// Personal data is to be erased.
    Erase(Erasure),
    /// Everything is written; stop.
    Close,
}

/// Once this much waits, gathering more only adds delay.
const ENOUGH_BYTES: usize = QUEUE_BYTES / 4;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while holding it left whole entries only: pushing cannot panic
    // half-way, and everything else is plain numbers.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(mode: Mode, size: u64) -> Self {
        let queue = Queue {
            pending: Pending::default(),
            erasures: Vec::new(),
            flights: Flights::default(),
            strict: 0,
            since: None,
            next: size,
            generation: 0,
            failed: false,
            closing: false,
            sleep: Sleep::Awake,
            lost_relaxed: 0,
            lost_strict: 0,
        };
        Self {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            mode,
            committed: AtomicU64::new(size),
            size: AtomicU64::new(size),
            generation: AtomicU64::new(0),
            ends: Mutex::new(Vec::new()),
            healthy: AtomicBool::new(true),
            signed_size: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    pub(crate) const fn mode(&self) -> Mode {
        self.mode
    }

    fn gather(&self) -> Duration {
        match self.mode {
            Mode::Strict { group_ms } => Duration::from_millis(group_ms),
            Mode::Group { ms } => Duration::from_millis(ms),
        }
    }

    pub(crate) fn append(
        &self,
        entry: &[u8],
        durability: Durability,
        wake: Wake,
        flight: Flight<'_>,
    ) -> Result<Ticket, Refused> {
        if cfg!(feature = "unlogged") {
            // What opened the log has number 0, and is durable.
            let (generation, index) = (0, 0);
            return Ok(Ticket { generation, index });
        }
        let length = u16::try_from(entry.len()).map_err(|_| Refused::Length)?;
        if length == 0 {
            return Err(Refused::Length);
        }
        let strict = durability == Durability::Strict;
        let mut queue = lock(&self.queue);
        if queue.closing {
            return Err(Refused::Closed);
        }
        if queue.failed {
            queue.lose(u32::from(strict), 1);
            return Err(Refused::Failed);
        }
        if queue.pending.body() + queue.pending.kept() + 2 + entry.len() > QUEUE_BYTES {
            return Err(Refused::Full);
        }
        if queue.pending.count() == 0 {
            queue.since = Some(Instant::now());
        }
        queue.pending.push(length, entry);
        queue.strict += u32::from(strict);
        let ticket = Ticket {
            generation: queue.generation,
            index: queue.next,
        };
        queue.next += 1;
        queue.flights.note(flight, ticket);
        let urgent = strict && matches!(self.mode, Mode::Strict { .. });
        let wake = match (queue.sleep, wake) {
            (Sleep::Awake, _) | (_, Wake::Later) => false,
            (Sleep::Idle, Wake::Now) => true,
            (Sleep::Gathering, Wake::Now) => urgent || queue.pending.body() >= ENOUGH_BYTES,
        };
        if wake {
            queue.sleep = Sleep::Awake;
        }
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        Ok(ticket)
    }

    /// Takes a line of personal data, durable with the next commit. False: there is no room.
    pub(crate) fn keep(&self, line: &[u8]) -> bool {
        let mut queue = lock(&self.queue);
        let room = queue.pending.body() + queue.pending.kept() + line.len() <= QUEUE_BYTES;
        if room {
            queue.pending.keep(line);
        }
        room
    }

    /// Asks the writer to erase. Where it has ended, nobody answers.
    pub(crate) fn erase(&self, erasure: Erasure) {
        let mut queue = lock(&self.queue);
        if !queue.closing {
            queue.erasures.push(erasure);
            queue.sleep = Sleep::Awake;
            self.wake.notify_one();
        }
    }

    /// Wakes the writer for what was appended with [`Wake::Later`], if it sleeps.
    pub(crate) fn wake(&self) {
        let mut queue = lock(&self.queue);
        if queue.sleep != Sleep::Awake && queue.pending.count() > 0 {
            queue.sleep = Sleep::Awake;
            drop(queue);
            self.wake.notify_one();
        }
    }

    /// Waits for work. `idle` says that there is something to do when nothing waits; `due_at`, when
    /// a checkpoint or a heartbeat is due. On `Commit` the entries are in `batch`, which must come
    /// empty.
    pub(crate) fn take(&self, batch: &mut Pending, idle: bool, due_at: Option<Instant>) -> Work {
        let gather = self.gather();
        let mut queue = lock(&self.queue);
        loop {
            queue.sleep = Sleep::Awake;
            let ready = queue.since.map(|since| since + gather);
            if let Some(erasure) = queue.erasures.pop() {
                return Work::Erase(erasure);
            }
            if queue.pending.count() == 0 && queue.closing {
                return Work::Close;
            }
            let due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
            let urgent = queue.strict > 0 && matches!(self.mode, Mode::Strict { .. });
            let enough = queue.pending.body() >= ENOUGH_BYTES;
            if queue.pending.count() > 0 && (urgent || enough || queue.closing || due(ready)) {
                std::mem::swap(batch, &mut queue.pending);
                queue.flights.settle(|ticket| self.standing(ticket));
                queue.since = None;
                return Work::Commit {
                    strict: std::mem::take(&mut queue.strict),
                };
            }
            if due(due_at) {
                return Work::Due;
            }
            if idle {
                return Work::Idle;
            }
            queue.sleep = if ready.is_some() {
                Sleep::Gathering
            } else {
                Sleep::Idle
            };
            queue = self.sleep(queue, ready.into_iter().chain(due_at).min());
        }
    }

    fn sleep<'q>(
        &self,
        queue: MutexGuard<'q, Queue>,
        until: Option<Instant>,
    ) -> MutexGuard<'q, Queue> {
        match until {
            None => self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let span = until.saturating_duration_since(Instant::now());
                let woken = self.wake.wait_timeout(queue, span);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Waits out the time between two tries to recover. True: the ledger is being closed.
    pub(crate) fn rest(&self, span: Duration) -> bool {
        let until = Instant::now() + span;
        let mut queue = lock(&self.queue);
        while !queue.closing && Instant::now() < until {
            queue = self.sleep(queue, Some(until));
        }
        queue.closing
    }

    /// Publishes that `size` entries are durable, `own` of them without a ticket.
    pub(crate) fn committed_to(&self, size: u64, own: u64) {
        self.size.store(size, Ordering::Release);
        self.committed.store(size - own, Ordering::Release);
    }

    /// The messages whose intent is durable and whose outcome is not.
    pub(crate) fn outstanding(&self) -> Vec<Box<str>> {
        let standing = |ticket| self.standing(ticket);
        lock(&self.queue).flights.outstanding(standing)
    }

    /// Discards what waits and refuses what comes. `strict` and `all` count the entries of the
    /// batch that failed.
    pub(crate) fn fail(&self, strict: u32, all: u32) {
        let mut queue = lock(&self.queue);
        let waiting = (queue.strict, queue.pending.count());
        queue.lose(strict + waiting.0, all + waiting.1);
        queue.pending.clear();
        queue.strict = 0;
        queue.since = None;
        queue.failed = true;
        queue.generation += 1;
        lock(&self.ends).push(self.committed.load(Ordering::Acquire));
        self.healthy.store(false, Ordering::Release);
        self.generation.store(queue.generation, Ordering::Release);
    }

    /// Relaxed and strict entries lost since the log failed, for the record of the gap.
    pub(crate) fn lost(&self) -> (u64, u64) {
        let queue = lock(&self.queue);
        (queue.lost_relaxed, queue.lost_strict)
    }

    /// Takes entries again; `size` entries are durable, and `recorded` losses are in the log.
    /// Returns those that came too late to be recorded.
    pub(crate) fn resume(&self, size: u64, recorded: (u64, u64)) -> (u64, u64) {
        let mut queue = lock(&self.queue);
        self.committed_to(size, 0);
        queue.next = size;
        queue.failed = false;
        let late = (
            queue.lost_relaxed - recorded.0,
            queue.lost_strict - recorded.1,
        );
        self.lost.fetch_add(queue.lost_relaxed, Ordering::Relaxed);
        (queue.lost_relaxed, queue.lost_strict) = (0, 0);
        self.healthy.store(true, Ordering::Release);
        late
    }

    /// Refuses what comes and wakes the writer to finish.
    pub(crate) fn close(&self) {
        lock(&self.queue).closing = true;
        self.wake.notify_one();
    }

    /// Durable entries.
    pub(crate) fn committed(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Durable entries that the writer put in by itself since the log last failed.
    pub(crate) fn own(&self) -> u64 {
        let committed = self.committed.load(Ordering::Acquire);
        self.committed().saturating_sub(committed)
    }

    pub(crate) fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    pub(crate) fn standing(&self, ticket: Ticket) -> Standing {
        // In this order: if the generation read last is still the ticket's, the count read before
        // it belongs to that generation too.
        let committed = self.committed.load(Ordering::Acquire);
        if self.generation.load(Ordering::Acquire) == ticket.generation {
            return if ticket.index < committed {
                Standing::Durable
            } else {
                Standing::Pending
            };
        }
        let ends = lock(&self.ends);
        let end = usize::try_from(ticket.generation)
            .ok()
            .and_then(|at| ends.get(at));
        if end.is_some_and(|end| ticket.index < *end) {
            Standing::Durable
        } else {
            Standing::Lost
        }
    }
}

impl Queue {
    fn lose(&mut self, strict: u32, all: u32) {
        self.lost_strict += u64::from(strict);
        self.lost_relaxed += u64::from(all - strict);
    }
}
