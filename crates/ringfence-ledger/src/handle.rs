//! The handle on a running ledger.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::LedgerError;
use crate::ledger::{
    Durability, LedgerConfig, Mode, Progress, Recovery, Refused, Standing, Status, Ticket,
};

/// The clock the ledger stamps its own entries with: microseconds since the Unix epoch (UTC).
pub type Clock = fn() -> u64;

/// Receives [`Progress`] on the writer's thread.
pub type OnProgress = Box<dyn Fn(Progress) + Send>;

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    next: u64,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    committed: AtomicU64,
    healthy: AtomicBool,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open ledger.
pub struct Ledger {
    shared: Arc<Shared>,
    mode: Mode,
    writer: Mutex<Option<JoinHandle<Result<(), LedgerError>>>>,
}

impl Ledger {
    /// Opens or creates the ledger in `config.directory`, recovers it and starts its writer.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; nothing was changed on disk when it is `Damaged`.
    pub fn open(
        config: LedgerConfig,
        _clock: Clock,
        on_progress: OnProgress,
    ) -> Result<(Self, Recovery), LedgerError> {
        config.signing_key.verifier(&config.origin)?;
        fs::create_dir_all(&config.directory).map_err(LedgerError::io("making the directory"))?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(config.directory.join("entries.log"))
            .map_err(LedgerError::io("opening entries.log"))?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            wake: Condvar::new(),
            committed: AtomicU64::new(0),
            healthy: AtomicBool::new(true),
        });
        let inner = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("ringfence-ledger".into())
            .spawn(move || run(&inner, file, &on_progress))
            .map_err(LedgerError::io("starting the writer"))?;
        let ledger = Self {
            shared,
            mode: config.mode,
            writer: Mutex::new(Some(writer)),
        };
        Ok((ledger, Recovery::default()))
    }

    /// Puts one entry (as written by the encoders of `entry`) in line and returns its ticket.
    ///
    /// # Errors
    ///
    /// [`Refused`]; the entry is not recorded and must not be acted upon.
    pub fn append(&self, entry: &[u8], _durability: Durability) -> Result<Ticket, Refused> {
        let Ok(length) = u16::try_from(entry.len()) else {
            return Err(Refused::Length);
        };
        let mut queue = self.shared.queue();
        if queue.closed {
            return Err(Refused::Closed);
        }
        queue.bytes.extend_from_slice(&length.to_be_bytes());
        queue.bytes.extend_from_slice(entry);
        let index = queue.next;
        queue.next += 1;
        drop(queue);
        self.shared.wake.notify_one();
        Ok(Ticket {
            generation: 0,
            index,
        })
    }

    /// What became of the entry that `ticket` names.
    pub fn standing(&self, ticket: Ticket) -> Standing {
        if ticket.index < self.committed() {
            Standing::Durable
        } else {
            Standing::Pending
        }
    }

    /// Durable entries so far.
    pub fn committed(&self) -> u64 {
        self.shared.committed.load(Ordering::Acquire)
    }

    /// Whether entries can be written.
    pub fn healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Acquire)
    }

    /// When commits happen.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Numbers for status pages.
    pub fn status(&self) -> Status {
        Status {
            size: self.committed(),
            healthy: self.healthy(),
            ..Status::default()
        }
    }

    /// Writes what waits, signs the last checkpoint and releases the directory. Later appends are
    /// refused; closing again does nothing.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`] when the end could not be written.
    pub fn close(&self) -> Result<(), LedgerError> {
        self.shared.queue().closed = true;
        self.shared.wake.notify_one();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        writer.map_or(Ok(()), |writer| writer.join().unwrap_or(Ok(())))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

fn run(shared: &Shared, mut file: File, on_progress: &OnProgress) -> Result<(), LedgerError> {
    loop {
        let mut queue = shared.queue();
        while queue.bytes.is_empty() && !queue.closed {
            queue = shared
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let (bytes, size, closed) = (std::mem::take(&mut queue.bytes), queue.next, queue.closed);
        drop(queue);
        if bytes.is_empty() && closed {
            return Ok(());
        }
        file.write_all(&bytes).map_err(LedgerError::io("writing"))?;
        file.sync_data().map_err(LedgerError::io("syncing"))?;
        shared.committed.store(size, Ordering::Release);
        on_progress(Progress::Committed { size });
    }
}
