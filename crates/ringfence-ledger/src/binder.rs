//! Begins the volumes of a ledger, one a month, and knows which one is being written.
//!
//! A volume is prepared under another name, with the link to the one before it and the intents that
//! it takes over, both durable and signed. Giving it its name is the commit point: before that the
//! volume before is the newest, after that nothing is added to it any more.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::LedgerError;
use crate::fault::{Fault, FaultKind, Part};
use crate::key::SigningKey;
use crate::log::{Found, Log, Pending};
use crate::posix::{PosixStore, lock_directory};
use crate::publish::newest;
use crate::volume::{Link, Month, Opened, carried, months, origin};

/// Where a volume is prepared; no month, so it counts as none.
const FRESH: &str = ".volume";

/// A ledger's volumes, for the one who writes them.
pub(crate) struct Binder {
    root: PathBuf,
    /// Its lock is the single-writer lock over all volumes; synced after a volume got its name.
    directory: File,
    key: SigningKey,
    name: String,
    /// The volume being written.
    pub(crate) month: Month,
    /// Entries before it.
    pub(crate) before: u64,
}

impl Binder {
    /// Opens the newest volume of the ledger `name` in `root`, or begins one: the first, or that of
    /// the month in which `time_us` is.
    pub(crate) fn open(
        root: &Path,
        name: &str,
        key: &SigningKey,
        time_us: u64,
    ) -> Result<(Self, Log, Found), LedgerError> {
        let directory = lock_directory(root)?;
        if root.join(Part::Entries.file_name()).exists() {
            return Err(LedgerError::Setting(
                "the directory holds a ledger in one piece; name another one for its volumes",
            ));
        }
        let now = Month::of(time_us);
        let mut binder = Self {
            root: root.to_owned(),
            directory,
            key: key.clone(),
            name: name.to_owned(),
            month: now,
            before: 0,
        };
        let Some(newest) = months(root)?.pop() else {
            let first = Opened {
                sequence: 0,
                previous: None,
            };
            binder.prepare(now, &first, &[], time_us)?;
            let (log, found) = binder.adopt(now)?;
            return Ok((binder, log, found));
        };
        let (mut log, found) = binder.reopen(newest)?;
        if newest >= now {
            return Ok((binder, log, found));
        }
        // What a crash left open in it is settled in the volume that follows.
        let doing = LedgerError::io("ending the volume of an earlier month");
        let opened = binder.end(&mut log).map_err(doing)?;
        drop(log);
        let open: Vec<Box<str>> = found.open_intents.into_iter().collect();
        binder.prepare(now, &opened, &open, time_us)?;
        let (log, mut continued) = binder.adopt(now)?;
        continued.cut_bytes += found.cut_bytes;
        Ok((binder, log, continued))
    }

    /// Opens the newest volume again, where that is not the one that is being written.
    pub(crate) fn newer(&mut self) -> Result<Option<Log>, LedgerError> {
        match months(&self.root)?.pop() {
            Some(newest) if newest > self.month => {
                let (log, _) = self.adopt(newest)?;
                Ok(Some(log))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Ends `log`, the volume being written, with a checkpoint over all of it, and returns what the
    /// next one says of it. More can still be added to it; then this must be done again.
    pub(crate) fn end(&self, log: &mut Log) -> io::Result<Opened> {
        if log.unsigned() {
            log.sign()?;
        }
        log.trim()?;
        Ok(Opened {
            sequence: self.before + log.size(),
            previous: Some(Link {
                month: self.month,
                size: log.size(),
                root: log.root(),
            }),
        })
    }

    /// Prepares the volume of `month`; nothing counts of it yet.
    pub(crate) fn prepare(
        &self,
        month: Month,
        opened: &Opened,
        open_intents: &[Box<str>],
        time_us: u64,
    ) -> Result<(), LedgerError> {
        let fresh = self.root.join(FRESH);
        match fs::remove_dir_all(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LedgerError::io("removing an unfinished volume")(error));
            }
            Ok(()) | Err(_) => {}
        }
        let store = PosixStore::open(&fresh)?;
        let verifier = self.key.verifier(&origin(&self.name, month))?;
        let (mut log, _) = Log::open(Box::new(store), self.key.clone(), verifier)?;
        let mut batch = Pending::default();
        let doing = || LedgerError::io("beginning a volume");
        push(&mut batch, &opened.encode(month, time_us));
        for message in open_intents {
            push(&mut batch, &carried(message, time_us));
            if batch.body() > crate::ledger::QUEUE_BYTES / 2 {
                log.commit(&mut batch).map_err(doing())?;
            }
        }
        if batch.count() > 0 {
            log.commit(&mut batch).map_err(doing())?;
        }
        log.sign().map_err(doing())?;
        log.trim().map_err(doing())
    }

    /// Makes the volume that was prepared the newest, and opens it. After an error the newest one
    /// must be looked up again before anything is written.
    pub(crate) fn adopt(&mut self, month: Month) -> Result<(Log, Found), LedgerError> {
        let (fresh, named) = (self.root.join(FRESH), self.root.join(month.to_string()));
        if !named.exists() {
            fs::rename(&fresh, &named).map_err(LedgerError::io("naming a volume"))?;
        }
        self.directory
            .sync_all()
            .map_err(LedgerError::io("naming a volume"))?;
        self.reopen(month)
    }

    // Opens a volume that has its name.
    fn reopen(&mut self, month: Month) -> Result<(Log, Found), LedgerError> {
        let open = || {
            let directory = self.root.join(month.to_string());
            let store = PosixStore::open(&directory)?;
            let verifier = self.key.verifier(&origin(&self.name, month))?;
            let (log, found) = Log::open(Box::new(store), self.key.clone(), verifier)?;
            let opened = found.opened.ok_or_else(|| unlinked(UNTIED.into()))?;
            self.fits(&opened)?;
            Ok((log, found, opened.sequence))
        };
        let (log, found, before) = open().map_err(|error: LedgerError| error.in_volume(month))?;
        (self.month, self.before) = (month, before);
        Ok((log, found))
    }

    // Whether the volume before, if it is there, ends as the link says. `verify` looks closer.
    fn fits(&self, opened: &Opened) -> Result<(), LedgerError> {
        let Some(link) = opened.previous else {
            return Ok(());
        };
        let before = self.root.join(link.month.to_string());
        if !before.exists() {
            return Ok(());
        }
        let end = newest(&before)?.checkpoint;
        if (end.size, end.root) == (link.size, link.root) {
            return Ok(());
        }
        Err(unlinked(changed(&link, end.size)))
    }
}

const UNTIED: &str = "the volume does not begin with the entry that ties it to the one before";

/// What is to be said of a volume that does not end as the next one says.
pub(crate) fn changed(link: &Link, size: u64) -> String {
    format!(
        "it says that volume {} ended with {} entries; that one now has {size}, or others: it was \
         changed after it had ended",
        link.month, link.size
    )
}

fn unlinked(sentence: String) -> LedgerError {
    LedgerError::Damaged(Box::new(Fault {
        part: Part::Entries,
        offset: crate::format::SECTOR,
        entry: Some(0),
        kind: FaultKind::VolumeLink,
        sentence,
    }))
}

fn push(batch: &mut Pending, entry: &[u8]) {
    // Events have at most some thousand bytes.
    batch.push(u16::try_from(entry.len()).unwrap_or(u16::MAX), entry);
}
