//! What the ledger's tests share: a clock, a key, entries, and a disk in memory that fails at will.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use ringfence_ledger::{
    Address, Controls, DecisionEntry, Durability, Fate, Ledger, LedgerConfig, Mode, OutcomeEntry,
    Part, Progress, Recovery, Saw, SigningKey, Source, Standing, Store, Ticket, Verdict,
    VerifierKey, Volumes,
};

pub const ORIGIN: &str = "example.com/test";

/// A clock that moves one microsecond per reading.
pub fn clock() -> u64 {
    static NOW_US: AtomicU64 = AtomicU64::new(1_790_000_000_000_000);
    NOW_US.fetch_add(1, Ordering::Relaxed)
}

pub fn key() -> SigningKey {
    SigningKey::from_seed(&[9; 32]).unwrap()
}

pub fn verifier() -> VerifierKey {
    key().verifier(ORIGIN).unwrap()
}

pub fn config(directory: &Path) -> LedgerConfig {
    LedgerConfig {
        directory: directory.to_owned(),
        origin: ORIGIN.into(),
        signing_key: key(),
        volumes: Volumes::Whole,
        mode: Mode::Strict { group_ms: 1 },
        checkpoint_ms: 60_000,
        heartbeat_ms: 0,
        commit_addresses: false,
        preallocate_bytes: 0,
    }
}

/// A permitted order: an intent that needs an outcome.
pub fn intent(message: &str) -> Vec<u8> {
    decision(message, true)
}

/// A permitted read.
pub fn read(message: &str) -> Vec<u8> {
    decision(message, false)
}

fn decision(message: &str, state_changing: bool) -> Vec<u8> {
    entry(
        std::net::IpAddr::from([192, 0, 2, 1]).into(),
        message,
        state_changing,
    )
}

/// A permitted order from an address.
pub fn order(address: Address, message: &str) -> Vec<u8> {
    entry(address, message, true)
}

/// A permitted read from an address.
pub fn from(address: Address, message: &str) -> Vec<u8> {
    entry(address, message, false)
}

fn entry(address: Address, message: &str, state_changing: bool) -> Vec<u8> {
    let mut out = Vec::new();
    DecisionEntry {
        about: None,
        abouts: &[],
        account: Some("alice"),
        address,
        claimed: None,
        controls: Controls {
            edge: Saw::Passed,
            ..Controls::default()
        },
        credential: None,
        dialect: "binance",
        latency_us: 12,
        listener: "spot",
        message,
        method: "POST",
        operation: Some("order.place"),
        order: None,
        orders: &[],
        verdict: Verdict::Permitted,
        path: "/api/v3/order",
        proof: None,
        route: None,
        shard: None,
        state_changing,
        status: None,
        time_us: clock(),
        topics: &[],
        transport: "http/1.1",
    }
    .encode(&mut out);
    out
}

pub fn answered(message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    OutcomeEntry {
        latency_us: Some(900),
        message,
        order: None,
        orders: &[],
        reason: None,
        result: Fate::Answered,
        status: Some(200),
        time_us: clock(),
    }
    .encode(&mut out);
    out
}

/// A ledger and what it told.
pub struct Running {
    pub ledger: Ledger,
    pub recovery: Recovery,
    pub told: Arc<(Mutex<Vec<Progress>>, Condvar)>,
}

/// Appends entries as short as they may be, of which a ledger takes many and every bit can be flipped.
pub fn grow(directory: &Path, numbers: std::ops::Range<usize>) {
    let running = Running::open(directory);
    let mut last = None;
    for at in numbers {
        let entry = format!("{{\"a\":{at}}}");
        let relaxed = Durability::Relaxed;
        last = Some(running.ledger.append(entry.as_bytes(), relaxed).unwrap());
    }
    running.settled(last.unwrap());
    running.ledger.close().unwrap();
}

impl Running {
    pub fn open(directory: &Path) -> Self {
        Self::try_open(config(directory)).unwrap()
    }

    pub fn try_open(config: LedgerConfig) -> Result<Self, ringfence_ledger::LedgerError> {
        let (told, on_progress) = listener();
        let (ledger, recovery) = Ledger::open(config, clock, on_progress)?;
        Ok(Self {
            ledger,
            recovery,
            told,
        })
    }

    pub fn in_store(store: impl Store + 'static) -> Result<Self, ringfence_ledger::LedgerError> {
        let mut config = config(Path::new("unused"));
        config.checkpoint_ms = 1;
        Self::in_store_with(store, config)
    }

    pub fn in_store_with(
        store: impl Store + 'static,
        config: LedgerConfig,
    ) -> Result<Self, ringfence_ledger::LedgerError> {
        let (told, on_progress) = listener();
        let (ledger, recovery) = Ledger::open_in(Box::new(store), config, clock, on_progress)?;
        Ok(Self {
            ledger,
            recovery,
            told,
        })
    }

    /// Waits until it is known what became of `ticket`.
    pub fn settled(&self, ticket: Ticket) -> Standing {
        let mut told = self.told.0.lock().unwrap();
        loop {
            match self.ledger.standing(ticket) {
                Standing::Pending => {}
                standing @ (Standing::Durable | Standing::Lost) => return standing,
            }
            told = self
                .told
                .1
                .wait_timeout(told, Duration::from_secs(20))
                .unwrap()
                .0;
        }
    }

    pub fn strict(&self, entry: &[u8]) -> Standing {
        match self.ledger.append(entry, Durability::Strict) {
            Ok(ticket) => self.settled(ticket),
            Err(_) => Standing::Lost,
        }
    }

    /// Waits until `wanted` holds for what was told, at most 20 s.
    pub fn until(&self, wanted: impl Fn(&[Progress]) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        let mut told = self.told.0.lock().unwrap();
        while !wanted(&told) {
            assert!(Instant::now() < end, "told only {told:?}");
            told = self
                .told
                .1
                .wait_timeout(told, Duration::from_millis(100))
                .unwrap()
                .0;
        }
    }
}

type Told = Arc<(Mutex<Vec<Progress>>, Condvar)>;

fn listener() -> (Told, ringfence_ledger::OnProgress) {
    let told = Told::default();
    let teller = Arc::clone(&told);
    let on_progress = move |progress| {
        teller.0.lock().unwrap().push(progress);
        teller.1.notify_all();
    };
    (told, Box::new(on_progress))
}

/// How a step goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// Fails and does nothing.
    Before,
    /// Does it and reports failure.
    After,
    /// Does a part of it and reports failure; a failed sync leaves the page cache clean.
    Partly,
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Counts from 0.
    pub step: u64,
    pub how: How,
    /// Whether everything after that step fails without effect: the process died there.
    pub dies: bool,
}

#[derive(Clone, Default)]
struct FileState {
    durable: Vec<u8>,
    cached: Vec<u8>,
    /// Whether the cache knows that it is ahead of the disk.
    dirty: bool,
}

#[derive(Clone, Default)]
struct Disk {
    files: BTreeMap<&'static str, FileState>,
    step: u64,
    plan: Option<Plan>,
    hit: bool,
}

/// A disk in memory, shared by all who open it, that can fail at any step.
#[derive(Clone, Default)]
pub struct FaultStore(Arc<Mutex<Disk>>);

enum Go {
    Whole,
    WholeThenFail,
    PartThenFail,
    Fail,
}

fn broken() -> io::Error {
    io::Error::other("injected")
}

impl FaultStore {
    pub fn plan(&self, plan: Option<Plan>) {
        let mut disk = self.0.lock().unwrap();
        disk.plan = plan;
        disk.step = 0;
        disk.hit = false;
    }

    /// Whether the plan's step was reached.
    pub fn hit(&self) -> bool {
        self.0.lock().unwrap().hit
    }

    /// The disk as a new process sees it after the old one was killed.
    pub fn after_kill(&self) -> Self {
        let disk = self.0.lock().unwrap().clone();
        let store = Self(Arc::new(Mutex::new(disk)));
        store.plan(None);
        store
    }

    /// The disk after a power failure: of what was not synced, the sectors for which `kept` says
    /// so reached it.
    pub fn after_power_failure(&self, kept: &dyn Fn(usize) -> bool) -> Self {
        let store = self.after_kill();
        for file in store.0.lock().unwrap().files.values_mut() {
            let mut image = file.durable.clone();
            if file.dirty {
                for start in (0..file.cached.len()).step_by(512) {
                    let end = file.cached.len().min(start + 512);
                    if !kept(start / 512) {
                        continue;
                    }
                    image.resize(image.len().max(end), 0);
                    image[start..end].copy_from_slice(&file.cached[start..end]);
                }
            }
            *file = FileState {
                durable: image.clone(),
                cached: image,
                dirty: false,
            };
        }
        store
    }

    pub fn file(&self, part: Part) -> Option<Vec<u8>> {
        self.0
            .lock()
            .unwrap()
            .files
            .get(part.file_name())
            .map(|file| file.cached.clone())
    }

    pub fn put(&self, part: Part, bytes: Option<Vec<u8>>) {
        let mut disk = self.0.lock().unwrap();
        match bytes {
            None => drop(disk.files.remove(part.file_name())),
            Some(bytes) => {
                let file = FileState {
                    durable: bytes.clone(),
                    cached: bytes,
                    dirty: false,
                };
                disk.files.insert(part.file_name(), file);
            }
        }
    }

    pub fn of(parts: &[(Part, Option<Vec<u8>>)]) -> Self {
        let store = Self::default();
        for (part, bytes) in parts {
            store.put(*part, bytes.clone());
        }
        store
    }

    fn change(
        &self,
        part: Part,
        whole: impl FnOnce(&mut FileState),
        partly: impl FnOnce(&mut FileState),
    ) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let go = disk.go();
        let existed = disk.files.contains_key(part.file_name());
        if !existed && !matches!(go, Go::Whole | Go::WholeThenFail) {
            return Err(broken());
        }
        let file = disk.files.entry(part.file_name()).or_default();
        match go {
            Go::Whole => {
                whole(file);
                Ok(())
            }
            Go::WholeThenFail => {
                whole(file);
                Err(broken())
            }
            Go::PartThenFail => {
                partly(file);
                Err(broken())
            }
            Go::Fail => Err(broken()),
        }
    }
}

impl Disk {
    fn go(&mut self) -> Go {
        let Some(plan) = self.plan else {
            return Go::Whole;
        };
        let step = self.step;
        self.step += 1;
        if step < plan.step || (step > plan.step && !plan.dies) {
            return Go::Whole;
        }
        self.hit = true;
        match plan.how {
            _ if step > plan.step => Go::Fail,
            How::Before => Go::Fail,
            How::After => Go::WholeThenFail,
            How::Partly => Go::PartThenFail,
        }
    }
}

impl Source for FaultStore {
    fn size(&self, part: Part) -> io::Result<Option<u64>> {
        let disk = self.0.lock().unwrap();
        let file = disk.files.get(part.file_name());
        Ok(file.map(|file| file.cached.len() as u64))
    }

    fn read_at(&self, part: Part, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let disk = self.0.lock().unwrap();
        let file = disk
            .files
            .get(part.file_name())
            .ok_or(io::ErrorKind::NotFound)?;
        let bytes = file
            .cached
            .get(usize::try_from(offset).unwrap()..)
            .unwrap_or(&[]);
        let got = bytes.len().min(buffer.len());
        buffer[..got].copy_from_slice(&bytes[..got]);
        Ok(got)
    }
}

fn write(file: &mut FileState, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    file.cached.resize(file.cached.len().max(end), 0);
    file.cached[offset..end].copy_from_slice(bytes);
    file.dirty = true;
}

impl Store for FaultStore {
    fn write_at(&mut self, part: Part, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.change(
            part,
            |file| write(file, offset, bytes),
            |file| write(file, offset, &bytes[..bytes.len() * 2 / 3]),
        )
    }

    fn sync(&mut self, part: Part) -> io::Result<()> {
        self.change(
            part,
            |file| {
                file.durable = file.cached.clone();
                file.dirty = false;
            },
            // The nasty one: the disk has nothing, the cache believes it has all.
            |file| file.dirty = false,
        )
    }

    fn truncate(&mut self, part: Part, size: u64) -> io::Result<()> {
        let size = usize::try_from(size).unwrap();
        self.change(
            part,
            |file| {
                file.cached.resize(size, 0);
                file.durable = file.cached.clone();
                file.dirty = false;
            },
            |file| {
                file.cached.resize(size, 0);
                file.dirty = true;
            },
        )
    }

    fn replace(&mut self, part: Part, bytes: &[u8]) -> io::Result<()> {
        let whole = |file: &mut FileState| {
            *file = FileState {
                durable: bytes.to_vec(),
                cached: bytes.to_vec(),
                dirty: false,
            };
        };
        // The temporary file was written, the rename did not happen.
        self.change(part, whole, |_| {})
    }

    fn settle(&mut self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if matches!(disk.go(), Go::Fail | Go::PartThenFail | Go::WholeThenFail) {
            return Err(broken());
        }
        for file in disk.files.values_mut() {
            if file.dirty {
                file.durable = file.cached.clone();
                file.dirty = false;
            } else {
                file.cached = file.durable.clone();
            }
        }
        Ok(())
    }
}
