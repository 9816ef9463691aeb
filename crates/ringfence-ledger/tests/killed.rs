//! A gateway that is killed right before or right after each thing that it does to the disk, also
//! while a month ends and while it recovers: nothing that it acknowledged is lost or there twice.
//!
//! What is on the disk after a power cut is another matter: see `crash.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/steps.rs"]
mod steps;
mod support;

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};

use ringfence_ledger::{Ledger, LedgerConfig, Reader, Standing, Ticket, Volumes, verify};
use steps::End;
use support::{answered, config, order, verifier};

const DIRECTORY: &str = "RINGFENCE_TEST_LEDGER";
const MONTH: &str = "RINGFENCE_TEST_MONTH";

/// 2026-11-15T12:00:00Z.
const START_US: u64 = 1_794_744_000_000_000;
const MONTH_US: u64 = 30 * 86_400_000_000;

static NOW: AtomicU64 = AtomicU64::new(START_US);

fn now() -> u64 {
    NOW.fetch_add(1, Ordering::Relaxed)
}

fn said(name: &str) -> String {
    std::env::var(name).expect("run by the test that starts it")
}

#[test]
#[ignore = "the child of the tests below"]
fn trading() {
    let run: u64 = said(MONTH).parse().unwrap();
    NOW.fetch_add(run * MONTH_US, Ordering::Relaxed);
    let config = LedgerConfig {
        volumes: Volumes::Monthly,
        checkpoint_ms: 1,
        commit_addresses: true,
        preallocate_bytes: 1 << 14,
        ..config(&PathBuf::from(said(DIRECTORY)))
    };
    let (tell, told) = channel();
    let on_progress = Box::new(move |_| tell.send(()).unwrap_or_default());
    let (ledger, _) = Ledger::open(config, now, on_progress).unwrap();
    let ledger = Trading { ledger, told, run };
    ledger.departs("a");
    ledger.departs("b");
    ledger.lands("a");
    NOW.fetch_add(MONTH_US, Ordering::Relaxed);
    ledger.departs("c");
    ledger.lands("b");
    // Nobody hears what became of `c`, and nobody of `d`.
    ledger.departs("d");
    ledger.lands("c");
    ledger.ledger.close().unwrap();
}

struct Trading {
    ledger: Ledger,
    told: Receiver<()>,
    run: u64,
}

impl Trading {
    fn departs(&self, name: &str) {
        let message = format!("{name}-{}", self.run);
        // One nobody has seen before, in every volume and run.
        let address = [203, 0, 113, name.as_bytes()[0]];
        let address = self.ledger.address(std::net::IpAddr::from(address));
        let ticket = self
            .ledger
            .append_intent(&order(address, &message), &message);
        self.ledger.wake();
        self.acknowledge(ticket.unwrap(), &format!("departs {message}"));
    }

    fn lands(&self, name: &str) {
        let message = format!("{name}-{}", self.run);
        let ticket = self.ledger.append_outcome(&answered(&message), &message);
        self.acknowledge(ticket.unwrap(), &format!("lands {message}"));
    }

    fn acknowledge(&self, ticket: Ticket, what: &str) {
        while self.ledger.standing(ticket) == Standing::Pending {
            self.told.recv().unwrap();
        }
        assert_eq!(self.ledger.standing(ticket), Standing::Durable);
        writeln!(std::io::stdout().lock(), "acknowledged {what}").unwrap();
    }
}

/// Runs the child as number `run` up to step `at`, and returns how it ended and what it
/// acknowledged.
fn trade(directory: &Path, run: u64, at: u64) -> (End, Vec<String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "trading", "--nocapture", "--ignored"])
        .env(DIRECTORY, directory)
        .env(MONTH, run.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let (end, mut child) = steps::run(&mut command, at);
    let mut out = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    let lines = out
        .lines()
        .filter_map(|line| line.split_once("acknowledged "));
    (end, lines.map(|(_, what)| what.to_owned()).collect())
}

/// Proves that the ledger is sound and holds what was acknowledged, everything once.
fn holds(directory: &Path, acknowledged: &[String], context: &str) {
    let vkey = verifier().to_string();
    let report = verify(directory, Some(&vkey), &mut |_| {}).unwrap();
    assert!(report.clean(), "{context}: {report:?}");
    assert_eq!(report.open_intents, 1, "{context}: only the last run's `d`");
    let mut found: HashMap<String, u32> = HashMap::new();
    let (mut departed, mut landed) = (HashSet::new(), HashSet::new());
    let mut reader = Reader::open(directory, 0).unwrap();
    while let Some((_, entry)) = reader.next_entry().unwrap() {
        let text = std::str::from_utf8(entry).unwrap();
        let field = |name: &str| {
            let rest = text
                .split_once(&format!("\"{name}\":\""))
                .map(|(_, rest)| rest);
            rest.and_then(|rest| rest.split_once('"'))
                .map_or("", |(value, _)| value)
        };
        let (kind, message) = (field("kind"), field("message"));
        let what = match kind {
            "decision" => format!("departs {message}"),
            "outcome" => format!("lands {message}"),
            _ => continue,
        };
        match kind {
            "decision" => departed.insert(message.to_owned()),
            _ => landed.insert(message.to_owned()),
        };
        *found.entry(what).or_default() += 1;
    }
    for what in acknowledged {
        assert!(found.contains_key(what), "{context}: {what} is lost");
    }
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{context}: {twice:?}");
    assert!(
        landed.is_subset(&departed),
        "{context}: an outcome of nothing"
    );
    assert_eq!(departed.len() - landed.len(), 1, "{context}");
}

/// The steps of one run in an empty folder.
fn steps_of_a_run() -> u64 {
    let directory = tempfile::tempdir().unwrap();
    match trade(directory.path(), 0, u64::MAX) {
        (End::Done(steps), _) => steps,
        (End::Killed, _) => unreachable!("nobody kills it"),
    }
}

/// Kills at each step from `first` on, `stride` apart, and again at another step of the recovery.
fn kill_at_steps(first: u64, stride: usize) {
    let steps = steps_of_a_run();
    assert!(steps > 60, "{steps} steps are too few for a month's end");
    let mut kills = 0;
    for at in (first..steps).step_by(stride) {
        for again in 0..RECOVERIES {
            let directory = tempfile::tempdir().unwrap();
            // Over the whole run, another place each time.
            let later = (at * 7 + again * steps / RECOVERIES) % steps;
            let mut acknowledged = Vec::new();
            for (run, at) in [(0, at), (1 + again % 3, later), (6, u64::MAX)] {
                let (end, said) = trade(directory.path(), run, at);
                kills += u64::from(end == End::Killed);
                acknowledged.extend(said);
            }
            let context = format!("killed at step {at}, then in run {again} at step {later}");
            holds(directory.path(), &acknowledged, &context);
        }
    }
    println!("{kills} kills at {steps} steps");
    assert!(
        kills > steps / stride as u64,
        "{kills} kills at {steps} steps"
    );
}

const RECOVERIES: u64 = 6;

#[test]
fn killed_at_any_even_step_nothing_acknowledged_is_lost() {
    kill_at_steps(0, 2);
}

#[test]
fn killed_at_any_odd_step_nothing_acknowledged_is_lost() {
    kill_at_steps(1, 2);
}
