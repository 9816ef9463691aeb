//! One log a month: a volume continues the one before it, nothing is lost or said twice where one
//! ends and the next begins, and whatever was done to a volume is found.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{answered, config, intent, read, verifier};
use ringfence_ledger::receipt::Receipt;
use ringfence_ledger::{
    DROPPED, Durability, EventEntry, FaultKind, Ledger, LedgerConfig, LedgerError, Month, Reader,
    Recovery, Report, Standing, Ticket, Value, Volumes, find_message, prove, publish, verify,
    volumes,
};

/// 2026-11-30T23:59:00Z.
const START_US: u64 = 1_796_083_140_000_000;
const MONTH_US: u64 = 31 * 86_400_000_000;

/// A month's clock of one test: a ledger takes a plain function.
macro_rules! clock {
    ($name:ident) => {
        static $name: AtomicU64 = AtomicU64::new(START_US);
    };
}

fn next_month(clock: &AtomicU64) {
    clock.fetch_add(MONTH_US, Ordering::Relaxed);
}

fn monthly(directory: &Path) -> LedgerConfig {
    LedgerConfig {
        volumes: Volumes::Monthly,
        checkpoint_ms: 1,
        ..config(directory)
    }
}

fn open(directory: &Path, clock: fn() -> u64) -> (Ledger, Recovery) {
    Ledger::open(monthly(directory), clock, Box::new(|_| {})).unwrap()
}

/// The same, but it does nothing by itself: its folder can be copied as a crash leaves it.
fn open_quiet(directory: &Path, clock: fn() -> u64) -> Ledger {
    let mut config = monthly(directory);
    config.checkpoint_ms = 60_000;
    Ledger::open(config, clock, Box::new(|_| {})).unwrap().0
}

fn durable(ledger: &Ledger, ticket: Ticket) {
    while ledger.standing(ticket) == Standing::Pending {
        std::thread::yield_now();
    }
    assert_eq!(ledger.standing(ticket), Standing::Durable);
}

fn write(ledger: &Ledger, message: &str) {
    let ticket = ledger.append(&read(message), Durability::Strict).unwrap();
    durable(ledger, ticket);
}

fn departs(ledger: &Ledger, message: &str) {
    let ticket = ledger.append_intent(&intent(message), message).unwrap();
    ledger.wake();
    durable(ledger, ticket);
}

fn lands(ledger: &Ledger, message: &str) {
    let ticket = ledger.append_outcome(&answered(message), message).unwrap();
    durable(ledger, ticket);
}

fn proved(directory: &Path) -> Report {
    let vkey = verifier().to_string();
    verify(directory, Some(&vkey), &mut |_| {}).unwrap()
}

fn fault(directory: &Path) -> FaultKind {
    let report = proved(directory);
    let fault = report.first_bad.expect("something is wrong");
    assert!(!fault.sentence.is_empty() && report.bad_volume.is_some());
    fault.kind
}

fn all(directory: &Path) -> Vec<String> {
    let mut reader = Reader::open(directory, 0).unwrap();
    let mut entries = Vec::new();
    while let Some((index, entry)) = reader.next_entry().unwrap() {
        assert_eq!(index, entries.len() as u64);
        entries.push(String::from_utf8(entry.to_vec()).unwrap());
    }
    entries
}

/// Three volumes with one order each, closed.
fn three(directory: &Path, clock: &'static AtomicU64, now: fn() -> u64) {
    let (ledger, _) = open(directory, now);
    for volume in 0..3 {
        departs(&ledger, &format!("o-{volume}"));
        lands(&ledger, &format!("o-{volume}"));
        next_month(clock);
    }
    write(&ledger, "end");
    ledger.close().unwrap();
}

#[test]
fn a_new_month_begins_a_volume_while_the_ledger_is_open() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    three(directory.path(), &NOW, || NOW.load(Ordering::Relaxed));
    let report = proved(directory.path());
    assert!(report.clean() && report.open_intents == 0, "{report:?}");
    let months: Vec<String> = report.volumes.iter().map(|v| v.month.to_string()).collect();
    assert_eq!(months, ["2026-11", "2026-12", "2027-01", "2027-03"]);
    assert_eq!(report.origin, crate::support::ORIGIN);
    // Four links, three orders with outcomes, one read.
    assert_eq!(report.size, 4 + 6 + 1);
    let entries = all(directory.path());
    assert_eq!(entries.len() as u64, report.size);
    let opened: Vec<_> = entries
        .iter()
        .filter(|e| e.contains("ledger.opened"))
        .collect();
    assert_eq!(opened.len(), 4);
    assert!(
        opened[1].contains("\"previous\":\"2026-11\",") && opened[1].contains("\"sequence\":3,")
    );
}

#[test]
fn a_new_month_begins_a_volume_when_the_ledger_is_opened() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let now: fn() -> u64 = || NOW.load(Ordering::Relaxed);
    let (ledger, _) = open(directory.path(), now);
    write(&ledger, "a");
    drop(ledger);
    next_month(&NOW);
    let (ledger, recovery) = open(directory.path(), now);
    assert_eq!((recovery.size, recovery.unknown), (3, 0));
    drop(ledger);
    // A clock that was set back begins nothing: the newest volume goes on.
    NOW.store(START_US, Ordering::Relaxed);
    let (ledger, _) = open(directory.path(), now);
    write(&ledger, "b");
    drop(ledger);
    let report = proved(directory.path());
    assert!(report.clean() && report.volumes.len() == 2, "{report:?}");
}

#[test]
fn a_volume_begun_with_orders_under_way_knows_them() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let now: fn() -> u64 = || NOW.load(Ordering::Relaxed);
    let ledger = open_quiet(directory.path(), now);
    departs(&ledger, "lands-later");
    departs(&ledger, "never-lands");
    departs(&ledger, "landed");
    lands(&ledger, "landed");
    next_month(&NOW);
    lands(&ledger, "lands-later");
    // No `close`: as a crash leaves it, but for what the system's memory would have kept.
    let crashed = tempfile::tempdir().unwrap();
    copy(directory.path(), crashed.path());
    let carried: Vec<_> = all(crashed.path())
        .into_iter()
        .filter(|e| e.contains("ledger.carried"))
        .collect();
    assert_eq!(carried.len(), 2, "{carried:?}");
    let (recovered, recovery) = open(crashed.path(), now);
    assert_eq!(recovery.unknown, 1);
    drop(recovered);
    let report = proved(crashed.path());
    assert!(report.clean() && report.open_intents == 0, "{report:?}");
    let unknown: Vec<_> = all(crashed.path())
        .into_iter()
        .filter(|e| e.contains("\"unknown\"") && e.contains("outcome"))
        .collect();
    assert_eq!(unknown.len(), 1);
    assert!(unknown[0].contains("never-lands"));
}

#[test]
fn an_order_that_a_crash_left_open_is_settled_in_the_volume_that_follows() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let now: fn() -> u64 = || NOW.load(Ordering::Relaxed);
    let ledger = open_quiet(directory.path(), now);
    departs(&ledger, "open");
    let crashed = tempfile::tempdir().unwrap();
    copy(directory.path(), crashed.path());
    next_month(&NOW);
    let (recovered, recovery) = open(crashed.path(), now);
    assert_eq!(recovery.unknown, 1);
    drop(recovered);
    let report = proved(crashed.path());
    assert!(report.clean() && report.open_intents == 0, "{report:?}");
    let last = &report.volumes[1];
    assert!(
        all(crashed.path())[last.sequence as usize..]
            .iter()
            .any(|e| e.contains("\"open\""))
    );
}

#[test]
fn an_intent_whose_outcome_no_volume_has_is_counted_as_open() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let now: fn() -> u64 = || NOW.load(Ordering::Relaxed);
    let (ledger, _) = open(directory.path(), now);
    departs(&ledger, "open");
    next_month(&NOW);
    write(&ledger, "another month");
    assert_eq!(proved(directory.path()).open_intents, 1);
}

#[test]
fn receipts_name_the_volume_and_the_ledgers_key_verifies_them() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    three(directory.path(), &NOW, || NOW.load(Ordering::Relaxed));
    for volume in volumes(directory.path()).unwrap() {
        publish(&volume.directory).unwrap();
    }
    let entries = all(directory.path());
    for (index, entry) in entries.iter().enumerate() {
        let receipt = prove(directory.path(), index as u64).unwrap();
        let receipt = Receipt::parse(&receipt.text()).unwrap();
        let proven = receipt.verify(&verifier(), None).unwrap();
        assert_eq!(proven.entry, entry.as_bytes());
    }
    let receipt = prove(directory.path(), 4).unwrap();
    let month = crate::support::key()
        .verifier(&format!("{}/2026-12", crate::support::ORIGIN))
        .unwrap();
    let proven = receipt.verify(&month, None).unwrap();
    assert_eq!(
        (proven.index, proven.checkpoint.origin.as_str()),
        (1, month.name())
    );
    let another = crate::support::key()
        .verifier("example.com/another")
        .unwrap();
    assert!(receipt.verify(&another, None).is_err());
    assert_eq!(find_message(directory.path(), "o-1").unwrap(), [4, 5]);
    let report = proved(directory.path());
    assert!(report.clean(), "{report:?}");
    assert_eq!(report.published, Some(report.size));
}

#[test]
fn a_reader_follows_from_one_volume_into_the_next() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = open(directory.path(), || NOW.load(Ordering::Relaxed));
    write(&ledger, "a");
    let mut reader = Reader::open(directory.path(), 1).unwrap();
    assert_eq!(reader.next_entry().unwrap().unwrap().0, 1);
    assert!(reader.next_entry().unwrap().is_none());
    next_month(&NOW);
    write(&ledger, "b");
    assert_eq!(reader.next_entry().unwrap().unwrap().0, 2);
    let (index, entry) = reader.next_entry().unwrap().unwrap();
    assert!(index == 3 && String::from_utf8_lossy(entry).contains("\"b\""));
    assert!(reader.next_entry().unwrap().is_none());
    assert_eq!(ledger.committed(), 4);
}

#[test]
fn one_volume_is_proved_by_itself() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    three(directory.path(), &NOW, || NOW.load(Ordering::Relaxed));
    let volume = directory.path().join("2026-12");
    assert!(proved(&volume).clean());
    assert_eq!(
        fault_of(&volume, "example.com/another"),
        FaultKind::CheckpointSignature
    );
}

fn fault_of(directory: &Path, name: &str) -> FaultKind {
    let vkey = crate::support::key().verifier(name).unwrap().to_string();
    let report = verify(directory, Some(&vkey), &mut |_| {}).unwrap();
    report.first_bad.expect("another ledger's key").kind
}

#[test]
fn a_volume_that_is_gone_is_missed() {
    clock!(NOW);
    for gone in ["2026-11", "2026-12", "2027-01"] {
        let directory = tempfile::tempdir().unwrap();
        NOW.store(START_US, Ordering::Relaxed);
        three(directory.path(), &NOW, || NOW.load(Ordering::Relaxed));
        fs::remove_dir_all(directory.path().join(gone)).unwrap();
        assert_eq!(fault(directory.path()), FaultKind::VolumeMissing, "{gone}");
    }
}

#[test]
fn a_volume_exchanged_for_another_is_found() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    three(directory.path(), &NOW, || NOW.load(Ordering::Relaxed));
    let (one, other) = (
        directory.path().join("2026-11"),
        directory.path().join("2026-12"),
    );
    let aside = directory.path().join("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&aside, &other).unwrap();
    assert_eq!(fault(directory.path()), FaultKind::CheckpointSignature);
    let unsigned = verify(directory.path(), None, &mut |_| {}).unwrap();
    assert_eq!(unsigned.first_bad.unwrap().kind, FaultKind::VolumeLink);
}

// What only somebody with the ledger's key can do: the volume is sound in itself.
#[test]
fn a_volume_written_anew_after_it_ended_is_found() {
    clock!(NOW);
    let now: fn() -> u64 = || NOW.load(Ordering::Relaxed);
    let directory = tempfile::tempdir().unwrap();
    three(directory.path(), &NOW, now);
    let forged = directory.path().join("2026-12");
    fs::remove_dir_all(&forged).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    NOW.store(START_US, Ordering::Relaxed);
    let (ledger, _) = open(elsewhere.path(), now);
    departs(&ledger, "o-0");
    lands(&ledger, "o-0");
    next_month(&NOW);
    write(&ledger, "other");
    ledger.close().unwrap();
    copy(&elsewhere.path().join("2026-12"), &forged);
    assert_eq!(fault(directory.path()), FaultKind::VolumeLink);
    // Opening looks at the newest link only.
    NOW.store(START_US + 4 * MONTH_US, Ordering::Relaxed);
    fs::remove_dir_all(directory.path().join("2027-03")).unwrap();
    fs::remove_dir_all(directory.path().join("2027-01")).unwrap();
    fs::remove_dir_all(directory.path().join("2026-11")).unwrap();
    copy(
        &elsewhere.path().join("2026-11"),
        &directory.path().join("2026-11"),
    );
    drop(open(directory.path(), now));
    assert!(proved(directory.path()).clean());
    let older = directory.path().join("2027-04");
    let months = volumes(directory.path()).unwrap();
    assert!(months.iter().any(|v| v.directory == older), "{months:?}");
    fs::remove_dir_all(directory.path().join("2026-12")).unwrap();
    copy(
        &elsewhere.path().join("2026-11"),
        &directory.path().join("2026-12"),
    );
    let refused = Ledger::open(monthly(directory.path()), now, Box::new(|_| {}))
        .err()
        .unwrap();
    assert!(
        matches!(&refused, LedgerError::Volume { volume, .. } if volume == "2027-04"),
        "{refused}"
    );
}

#[test]
fn a_volume_dropped_by_the_book_is_not_missed() {
    clock!(NOW);
    let now: fn() -> u64 = || NOW.load(Ordering::Relaxed);
    let directory = tempfile::tempdir().unwrap();
    three(directory.path(), &NOW, now);
    let oldest = proved(directory.path()).volumes[0];
    let (ledger, _) = open(directory.path(), now);
    use base64::Engine;
    let root = base64::engine::general_purpose::STANDARD.encode(oldest.root);
    let detail = [
        ("root", Value::Text(&root)),
        ("size", Value::Int(oldest.size as i64)),
        ("volume", Value::Text("2026-11")),
    ];
    let mut entry = Vec::new();
    let event = EventEntry {
        event: DROPPED,
        detail: &detail,
        time_us: now(),
    };
    event.encode(&mut entry);
    durable(&ledger, ledger.append(&entry, Durability::Strict).unwrap());
    ledger.close().unwrap();
    assert!(proved(directory.path()).clean());
    fs::remove_dir_all(directory.path().join("2026-11")).unwrap();
    let report = proved(directory.path());
    assert!(
        report.clean() && report.volumes[0].sequence == 3,
        "{report:?}"
    );
    let dropped = prove(directory.path(), 1).unwrap_err();
    assert!(
        matches!(
            dropped,
            LedgerError::Dropped {
                index: 1,
                oldest: 3
            }
        ),
        "{dropped}"
    );
    let mut reader = Reader::open(directory.path(), 0).unwrap();
    assert_eq!(reader.next_entry().unwrap().unwrap().0, 3);
    // The entry speaks of that volume as it was, and of no other.
    fs::remove_dir_all(directory.path().join("2026-12")).unwrap();
    assert_eq!(fault(directory.path()), FaultKind::VolumeMissing);
}

#[test]
fn a_ledger_in_one_piece_is_not_divided() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let now: fn() -> u64 = || NOW.load(Ordering::Relaxed);
    drop(Ledger::open(config(directory.path()), now, Box::new(|_| {})).unwrap());
    let refused = Ledger::open(monthly(directory.path()), now, Box::new(|_| {}))
        .err()
        .unwrap();
    assert!(matches!(refused, LedgerError::Setting(_)), "{refused}");
}

#[test]
fn a_ledger_has_one_writer_whatever_the_month() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let now: fn() -> u64 = || NOW.load(Ordering::Relaxed);
    let (ledger, _) = open(directory.path(), now);
    next_month(&NOW);
    let refused = Ledger::open(monthly(directory.path()), now, Box::new(|_| {}))
        .err()
        .unwrap();
    assert!(matches!(refused, LedgerError::Locked { .. }), "{refused}");
    drop(ledger);
}

#[test]
fn many_threads_write_while_months_pass() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = open(directory.path(), || NOW.load(Ordering::Relaxed));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let ledger = &ledger;
            scope.spawn(move || {
                for number in 0..150 {
                    let message = format!("{thread}-{number}");
                    departs(ledger, &message);
                    lands(ledger, &message);
                }
            });
        }
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            next_month(&NOW);
        }
    });
    ledger.close().unwrap();
    let report = proved(directory.path());
    assert!(report.clean() && report.open_intents == 0, "{report:?}");
    assert!(report.volumes.len() > 5, "{}", report.volumes.len());
    let mut seen = HashSet::new();
    for entry in all(directory.path()) {
        if entry.contains("\"kind\":\"decision\"") {
            assert!(seen.insert(entry), "twice");
        }
    }
    assert_eq!(seen.len(), 600);
    assert_eq!(ledger.committed(), report.size);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_month_is_what_a_volume_is_called() {
    assert_eq!(Month::of(START_US).to_string(), "2026-11");
}

#[test]
fn a_flipped_bit_in_any_volume_is_found_and_its_volume_named() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    three(directory.path(), &NOW, || NOW.load(Ordering::Relaxed));
    let mut flips = 0;
    for volume in volumes(directory.path()).unwrap() {
        for name in ["entries.log", "checkpoints", "checkpoint"] {
            let path = volume.directory.join(name);
            let sound = fs::read(&path).unwrap();
            // Every bit of one volume's files alone: see `tamper.rs`.
            for at in (0..sound.len()).step_by(3) {
                let mut bytes = sound.clone();
                bytes[at] ^= 1 << (at % 8);
                fs::write(&path, &bytes).unwrap();
                let report = proved(directory.path());
                let context = format!("{} byte {at}", path.display());
                assert!(!report.clean(), "{context}: not found");
                if report.first_bad.is_some() {
                    assert_eq!(report.bad_volume, volume.month, "{context}: {report:?}");
                }
                flips += 1;
            }
            fs::write(&path, &sound).unwrap();
        }
    }
    assert!(flips > 3000 && proved(directory.path()).clean(), "{flips}");
}
