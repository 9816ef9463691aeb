//! The handle on a running ledger.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::binder::Binder;
use crate::canonical::unescape;
use crate::entry::{EventEntry, Fate, NAME_BYTES, OutcomeEntry, Value};
use crate::error::LedgerError;
use crate::flights::Flight;
use crate::heartbeat::Heart;
use crate::ledger::{
    Durability, LedgerConfig, Mode, Progress, QUEUE_BYTES, Recovery, Refused, Standing, Status,
    Ticket, Volumes,
};
use crate::log::{Found, Log, Pending};
use crate::personal::{Address, Commitment, Memory};
use crate::posix::PosixStore;
use crate::prompt::be_prompt;
use crate::queue::{Shared, Wake};
use crate::store::Store;
use crate::writer::Writer;

/// The clock the ledger stamps its own entries with: microseconds since the Unix epoch (UTC).
pub type Clock = fn() -> u64;

/// Receives [`Progress`] on the writer's thread; everything waits while it runs.
pub type OnProgress = Box<dyn Fn(Progress) + Send>;

/// An open ledger. Shared by all threads; the last one to drop it closes it.
pub struct Ledger {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<Result<(), LedgerError>>>>,
    memory: Option<Arc<Memory>>,
}

impl Ledger {
    /// Opens or creates the ledger in `config.directory`, recovers it and starts its writer.
    ///
    /// The whole log is read and checked. An incomplete last batch, which nobody was told is
    /// durable, is cut off; intents without an outcome get one, with result `unknown`.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]: `Locked` when another process has it, `Damaged` with the place when it is
    /// not as it was written (nothing is changed then), `Foreign` when it is another log.
    pub fn open(
        config: LedgerConfig,
        clock: Clock,
        on_progress: OnProgress,
    ) -> Result<(Self, Recovery), LedgerError> {
        // Before anything is created.
        config.signing_key.verifier(&config.origin)?;
        match config.volumes {
            Volumes::Whole => {
                let store = PosixStore::open(&config.directory)?;
                Self::open_in(Box::new(store), config, clock, on_progress)
            }
            Volumes::Monthly => {
                let (directory, key) = (&config.directory, &config.signing_key);
                let (binder, log, found) = Binder::open(directory, &config.origin, key, clock())?;
                Self::start(log, &found, Some(binder), &config, clock, on_progress)
            }
        }
    }

    /// The same as one log in any [`Store`]; `config.directory` is not used.
    ///
    /// # Errors
    ///
    /// As [`Ledger::open`].
    pub fn open_in(
        store: Box<dyn Store>,
        config: LedgerConfig,
        clock: Clock,
        on_progress: OnProgress,
    ) -> Result<(Self, Recovery), LedgerError> {
        let verifier = config.signing_key.verifier(&config.origin)?;
        let (log, found) = Log::open(store, config.signing_key.clone(), verifier)?;
        Self::start(log, &found, None, &config, clock, on_progress)
    }

    /// A ledger that takes nothing, in the place of one that is damaged: no file is touched, every
    /// append is refused, so that whatever must be recorded is not done.
    pub fn refusing(mode: Mode) -> Self {
        let shared = Arc::new(Shared::new(mode, 0));
        shared.fail(0, 0);
        Self {
            shared,
            writer: Mutex::new(None),
            memory: None,
        }
    }

    // Settles what a crash left in `log`, and starts its writer.
    fn start(
        mut log: Log,
        found: &Found,
        binder: Option<Binder>,
        config: &LedgerConfig,
        clock: Clock,
        on_progress: OnProgress,
    ) -> Result<(Self, Recovery), LedgerError> {
        if cfg!(feature = "unlogged") {
            eprintln!("ringfence: ALARM: this build records nothing; it is for measuring only");
        }
        if config.checkpoint_ms == 0 {
            return Err(LedgerError::Setting("checkpoint_ms must be at least 1"));
        }
        let before = binder.as_ref().map_or(0, |binder| binder.before);
        let unknown = settle_intents(&mut log, found, clock)?;
        if log.unsigned() {
            log.sign()
                .map_err(LedgerError::io("signing a checkpoint"))?;
        }
        while log.wants_space(2 * config.preallocate_bytes) {
            // A full disk shows when entries are written, and is dealt with there.
            if log.reserve(config.preallocate_bytes).is_err() {
                break;
            }
        }
        let recovery = Recovery {
            size: before + log.size(),
            cut_bytes: found.cut_bytes,
            unknown,
        };
        let shared = Arc::new(Shared::new(config.mode, before + log.size()));
        shared
            .signed_size
            .store(before + log.signed_size(), Ordering::Relaxed);
        shared.bytes.store(log.bytes(), Ordering::Relaxed);
        let memory = remembering(&log, config.commit_addresses)?;
        let writer = Writer {
            shared: Arc::clone(&shared),
            log,
            binder,
            own: 0,
            roll_at: None,
            clock,
            on_progress,
            checkpoint: Duration::from_millis(config.checkpoint_ms),
            heart: Heart::start(config.heartbeat_ms),
            preallocate: config.preallocate_bytes,
            batch: Pending::default(),
            memory: memory.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("ringfence-ledger".into())
            .spawn(move || {
                be_prompt();
                writer.run()
            })
            .map_err(LedgerError::io("starting the ledger's thread"))?;
        Ok((
            Self {
                shared,
                writer: Mutex::new(Some(thread)),
                memory,
            },
            recovery,
        ))
    }

    /// Puts one entry, as the encoders of `entry` write it, in line and returns its ticket.
    ///
    /// Does not wait. The entry is recorded when its [`Standing`] is `Durable`.
    ///
    /// # Errors
    ///
    /// [`Refused`]; the entry is not recorded, and what it permits must not be done.
    pub fn append(&self, entry: &[u8], durability: Durability) -> Result<Ticket, Refused> {
        self.shared
            .append(entry, durability, Wake::Now, Flight::None)
    }

    /// The same for the intent of `message`: a permitted decision that changes state, whose outcome
    /// follows. In [`Mode::Strict`] this leaves the writer asleep: the caller must
    /// [`wake`](Self::wake) it soon, on every path, or the entry waits for the next append. Several
    /// intents then share a commit.
    ///
    /// # Errors
    ///
    /// As [`Ledger::append`].
    pub fn append_intent(&self, entry: &[u8], message: &str) -> Result<Ticket, Refused> {
        let wake = match self.mode() {
            Mode::Strict { .. } => Wake::Later,
            Mode::Group { .. } => Wake::Now,
        };
        let flight = Flight::Departs(message);
        self.shared.append(entry, Durability::Strict, wake, flight)
    }

    /// The same for the outcome of `message`.
    ///
    /// # Errors
    ///
    /// As [`Ledger::append`].
    pub fn append_outcome(&self, entry: &[u8], message: &str) -> Result<Ticket, Refused> {
        let flight = Flight::Lands(message);
        self.shared
            .append(entry, Durability::Relaxed, Wake::Now, flight)
    }

    /// Indices that the entry with the number of a ticket may have. Entries that the writer puts in by
    /// itself as a month begins shift those that follow; after a failure older ones may not be found.
    pub fn indices(&self, number: u64) -> [u64; 2] {
        [number, number + self.shared.own()]
    }

    /// What the next entries say for `address`: it, or the commitment to it.
    pub fn address(&self, address: IpAddr) -> Address {
        match &self.memory {
            Some(memory) => memory.seal(address, |line| self.shared.keep(line)),
            None => Address::Clear(address),
        }
    }

    /// Removes for good what `commitments` stand for in the volume that is being written, and returns
    /// how many there were. What they stood for gets new ones when it comes again.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; the writer tries to go on, as after any failure to write.
    pub fn erase(&self, commitments: HashSet<Commitment>) -> Result<u64, LedgerError> {
        if let Some(memory) = &self.memory {
            memory.forget(&commitments);
        }
        let (answer, answered) = channel();
        self.shared.erase((commitments, answer));
        answered
            .recv()
            .unwrap_or(Err(LedgerError::Setting("the ledger is closed")))
    }

    /// Wakes the writer for what was appended later, if it sleeps.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// What became of the entry that `ticket` names. Changes from `Pending` once, and whenever it
    /// does a [`Progress`] is told afterwards.
    pub fn standing(&self, ticket: Ticket) -> Standing {
        self.shared.standing(ticket)
    }

    /// Durable entries so far.
    pub fn committed(&self) -> u64 {
        self.shared.committed()
    }

    /// Whether entries can be written.
    pub fn healthy(&self) -> bool {
        self.shared.healthy()
    }

    /// When commits happen. In [`Mode::Group`] nobody need wait for a ticket.
    pub fn mode(&self) -> Mode {
        self.shared.mode()
    }

    /// Numbers for status pages.
    pub fn status(&self) -> Status {
        Status {
            size: self.committed(),
            signed_size: self.shared.signed_size.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            batches: self.shared.batches.load(Ordering::Relaxed),
            lost: self.shared.lost.load(Ordering::Relaxed),
            healthy: self.healthy(),
        }
    }

    /// Writes what waits, signs the last checkpoint and releases the directory. Later appends are
    /// refused; closing again does nothing.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`] when the end could not be written; opening recovers.
    pub fn close(&self) -> Result<(), LedgerError> {
        self.shared.close();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(writer) = writer else { return Ok(()) };
        writer.join().unwrap_or_else(|_| {
            let source = std::io::Error::other("the ledger's thread panicked");
            Err(LedgerError::Io {
                doing: "writing the ledger",
                source,
            })
        })
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `close`.
        let _ = self.close();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

fn remembering(log: &Log, wanted: bool) -> Result<Option<Arc<Memory>>, LedgerError> {
    if !wanted {
        return Ok(None);
    }
    let memory = Memory::new()?;
    memory.start(&log.lines()?.unwrap_or_default());
    Ok(Some(Arc::new(memory)))
}

// Gives every intent of an earlier run that has no outcome one, and records that we did.
fn settle_intents(log: &mut Log, found: &Found, clock: Clock) -> Result<u64, LedgerError> {
    let (mut batch, mut entry, mut unknown) = (Pending::default(), Vec::new(), 0);
    let commit = |log: &mut Log, batch: &mut Pending| {
        log.commit(batch)
            .map_err(LedgerError::io("recording what a crash left open"))
    };
    for message in &found.open_intents {
        let message = unescape(message);
        // A cut id names no single message.
        if message.len() > NAME_BYTES {
            continue;
        }
        OutcomeEntry {
            latency_us: None,
            message: &message,
            order: None,
            orders: &[],
            reason: Some("crash"),
            result: Fate::Unknown,
            status: None,
            time_us: clock(),
        }
        .encode(&mut entry);
        push(&mut batch, &entry);
        unknown += 1;
        if batch.body() > QUEUE_BYTES / 2 {
            commit(log, &mut batch)?;
        }
    }
    if unknown > 0 || found.cut_bytes > 0 {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let detail = [
            ("cut_bytes", number(found.cut_bytes)),
            ("unknown", number(unknown)),
        ];
        EventEntry {
            event: "ledger.recovered",
            detail: &detail,
            time_us: clock(),
        }
        .encode(&mut entry);
        push(&mut batch, &entry);
        commit(log, &mut batch)?;
    }
    Ok(unknown)
}

fn push(batch: &mut Pending, entry: &[u8]) {
    // The encoders write no longer ones.
    batch.push(u16::try_from(entry.len()).unwrap_or(u16::MAX), entry);
}
