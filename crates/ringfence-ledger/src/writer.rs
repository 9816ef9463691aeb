//! The writer's thread: batches, checkpoints, space, and what happens when the disk fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::binder::Binder;
use crate::entry::{EventEntry, Value};
use crate::error::LedgerError;
use crate::flights::Flight;
use crate::handle::{Clock, OnProgress};
use crate::heartbeat::Heart;
use crate::ledger::{Durability, Progress};
use crate::log::{Log, Pending};
use crate::personal::Memory;
use crate::queue::{Erasure, Shared, Wake, Work};
use crate::volume::Month;

/// Time between two tries to bring a failed log back.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Log,
    /// Where the ledger is divided into volumes: begins them.
    pub(crate) binder: Option<Binder>,
    /// Entries without a ticket since the log last failed: those that open volumes.
    pub(crate) own: u64,
    /// When beginning a volume is tried again, after it failed.
    pub(crate) roll_at: Option<Instant>,
    pub(crate) clock: Clock,
    pub(crate) on_progress: OnProgress,
    pub(crate) checkpoint: Duration,
    pub(crate) heart: Option<Heart>,
    pub(crate) preallocate: u64,
    pub(crate) batch: Pending,
    /// Where addresses are committed to, rather than written.
    pub(crate) memory: Option<Arc<Memory>>,
}

/// Time between two tries to begin a volume.
const ROLL_AGAIN: Duration = Duration::from_secs(60);

/// Tells whoever waits if the writer's thread ends in any way but the right one.
struct Fuse(Arc<Shared>);

impl Drop for Fuse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(0, 0);
            self.0.close();
        }
    }
}

impl Writer {
    /// Writes until the ledger is closed.
    pub(crate) fn run(mut self) -> Result<(), LedgerError> {
        let _fuse = Fuse(Arc::clone(&self.shared));
        // When the checkpoint over the oldest entry not yet covered is due.
        let mut sign_at: Option<Instant> = None;
        let mut space = true;
        loop {
            let idle = space && self.log.wants_space(self.preallocate);
            let mut batch = std::mem::take(&mut self.batch);
            let beat_at = self.heart.as_ref().map(|heart| heart.due);
            let due = sign_at.into_iter().chain(beat_at).min();
            let work = self.shared.take(&mut batch, idle, due);
            self.batch = batch;
            let done = match work {
                Work::Commit { strict } => self
                    .roll()
                    .map_err(|error| (strict, error))
                    .and_then(|()| self.commit(strict)),
                Work::Due if beat_at == due => {
                    self.beat();
                    Ok(())
                }
                Work::Due => self.sign(),
                Work::Idle => {
                    // A full disk shows here first, while what is laid out can still be written.
                    space = self.reserve();
                    Ok(())
                }
                Work::Erase(erasure) => self.erase(erasure).map_err(|error| (0, error)),
                Work::Close => return self.close(),
            };
            if let Err((strict, error)) = done {
                self.fail(strict, &error);
                if !self.retry() {
                    return Err(LedgerError::Io {
                        doing: "writing the ledger",
                        source: error,
                    });
                }
                space = true;
            }
            sign_at = match (self.log.unsigned(), sign_at) {
                (false, _) => None,
                (true, None) => Some(Instant::now() + self.checkpoint),
                (true, due) => due,
            };
        }
    }

    fn commit(&mut self, strict: u32) -> Result<(), (u32, std::io::Error)> {
        self.log
            .commit(&mut self.batch)
            .map_err(|error| (strict, error))?;
        self.shared.batches.fetch_add(1, Ordering::Relaxed);
        self.publish();
        (self.on_progress)(Progress::Committed { size: self.size() });
        Ok(())
    }

    // Entries of the ledger, over all volumes.
    fn size(&self) -> u64 {
        self.binder.as_ref().map_or(0, |binder| binder.before) + self.log.size()
    }

    // Begins the volume of a new month. As long as that fails without harm, the old one goes on.
    fn roll(&mut self) -> Result<(), std::io::Error> {
        let time_us = (self.clock)();
        let Some(binder) = &mut self.binder else {
            return Ok(());
        };
        let month = Month::of(time_us);
        let waits = self.roll_at.is_some_and(|at| Instant::now() < at);
        if month <= binder.month || waits {
            return Ok(());
        }
        let opened = binder.end(&mut self.log)?;
        let open_intents = self.shared.outstanding();
        if let Err(error) = binder.prepare(month, &opened, &open_intents, time_us) {
            self.roll_at = Some(Instant::now() + ROLL_AGAIN);
            alarm(&format!(
                "volume {month} cannot be begun ({error}); {} goes on, tried again in {} s",
                binder.month,
                ROLL_AGAIN.as_secs()
            ));
            return Ok(());
        }
        let (log, _) = binder.adopt(month).map_err(std::io::Error::other)?;
        self.own += log.size();
        self.log = log;
        self.roll_at = None;
        self.remember().map_err(std::io::Error::other)?;
        self.publish();
        Ok(())
    }

    // A volume begins with no commitments, so that those of two months cannot be told to be of one
    // address.
    fn remember(&self) -> Result<(), LedgerError> {
        if let Some(memory) = &self.memory {
            memory.start(&self.log.lines()?.unwrap_or_default());
        }
        Ok(())
    }

    fn erase(&mut self, (commitments, answer): Erasure) -> Result<(), std::io::Error> {
        let done = self.log.erase(&commitments);
        let failed = done
            .as_ref()
            .err()
            .map(|error| std::io::Error::other(error.to_string()));
        // Whoever asked may have gone.
        let _ = answer.send(done);
        failed.map_or(Ok(()), Err)
    }

    fn sign(&mut self) -> Result<(), (u32, std::io::Error)> {
        self.log.sign().map_err(|error| (0, error))?;
        self.shared
            .signed_size
            .store(self.signed_size(), Ordering::Relaxed);
        Ok(())
    }

    fn signed_size(&self) -> u64 {
        self.binder.as_ref().map_or(0, |binder| binder.before) + self.log.signed_size()
    }

    // Heartbeats go through the queue like everything else, and wait for no commit of their own.
    fn beat(&mut self) {
        let Some(heart) = &mut self.heart else { return };
        let standing = |ticket| self.shared.standing(ticket);
        if let Some(entry) = heart.beat((self.clock)(), standing)
            && let Ok(ticket) =
                self.shared
                    .append(&entry, Durability::Relaxed, Wake::Now, Flight::None)
        {
            heart.appended(ticket);
        }
    }

    fn publish(&self) {
        self.shared.bytes.store(self.log.bytes(), Ordering::Relaxed);
        self.shared
            .signed_size
            .store(self.signed_size(), Ordering::Relaxed);
        self.shared.committed_to(self.size(), self.own);
    }

    fn reserve(&mut self) -> bool {
        match self.log.reserve(self.preallocate) {
            Ok(()) => true,
            Err(error) => {
                alarm(&format!(
                    "no space can be laid out ahead ({error}); the disk may be full"
                ));
                false
            }
        }
    }

    fn fail(&mut self, strict: u32, error: &std::io::Error) {
        self.shared.fail(strict, self.batch.count());
        self.batch.clear();
        alarm(&format!(
            "writing failed ({error}); state-changing operations are refused"
        ));
        (self.on_progress)(Progress::Failed {
            reason: error.to_string(),
        });
    }

    // Tries to bring the log back until it is, or the ledger is closed (false).
    fn retry(&mut self) -> bool {
        let failed_us = (self.clock)();
        let mut told = String::new();
        loop {
            if self.shared.rest(RETRY) {
                return false;
            }
            match self.recover(failed_us) {
                Ok(lost) => {
                    alarm(&format!("writing again; {lost} entries were lost"));
                    (self.on_progress)(Progress::Resumed {
                        size: self.size(),
                        lost,
                    });
                    return true;
                }
                // Once per reason, not once per second.
                Err(error) if error.to_string() != told => {
                    told = error.to_string();
                    alarm(&format!("still not writable: {told}"));
                }
                Err(_) => {}
            }
        }
    }

    fn recover(&mut self, failed_us: u64) -> Result<u64, LedgerError> {
        // Beginning a volume may have failed after it had become the newest.
        match self
            .binder
            .as_mut()
            .map(Binder::newer)
            .transpose()?
            .flatten()
        {
            Some(log) => {
                self.log = log;
                self.remember()?;
            }
            None => self.log.recover()?,
        }
        let lost = self.shared.lost();
        let entry = self.gap(failed_us, lost);
        self.batch.clear();
        self.batch
            .push(u16::try_from(entry.len()).unwrap_or(u16::MAX), &entry);
        self.log
            .commit(&mut self.batch)
            .map_err(LedgerError::io("writing the ledger"))?;
        self.own = 0;
        let late = self.shared.resume(self.size(), lost);
        self.publish();
        if late != (0, 0) {
            // If this is refused the log has failed again, and the next gap is recorded.
            let _ = self.shared.append(
                &self.gap(failed_us, late),
                Durability::Relaxed,
                Wake::Now,
                Flight::None,
            );
        }
        Ok(lost.0 + late.0)
    }

    fn gap(&self, failed_us: u64, lost: (u64, u64)) -> Vec<u8> {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let detail = [
            ("failed_us", number(failed_us)),
            ("lost", number(lost.0)),
            ("refused", number(lost.1)),
        ];
        let mut entry = Vec::new();
        EventEntry {
            event: "ledger.gap",
            detail: &detail,
            time_us: (self.clock)(),
        }
        .encode(&mut entry);
        entry
    }

    fn close(mut self) -> Result<(), LedgerError> {
        if self.log.unsigned() {
            self.log
                .sign()
                .map_err(LedgerError::io("signing the last checkpoint"))?;
        }
        self.log
            .trim()
            .map_err(LedgerError::io("ending the ledger's file"))?;
        self.publish();
        Ok(())
    }
}

// The one place where the ledger speaks by itself: whoever runs the gateway must learn of this even
// if nothing else works.
fn alarm(what: &str) {
    eprintln!("ringfence: ledger alarm: {what}");
}
