//! Personal data: entries hold commitments, what they stand for lies beside, and it can be erased
//! for good without touching the tree. What is gone or altered without being erased is found.

use std::collections::HashSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{FaultStore, How, Plan, Running, config, from, verifier};
use ringfence_ledger::{
    Address, Commitment, Durability, ERASED, EventEntry, FaultKind, Ledger, LedgerConfig, Part,
    Reader, Standing, Value, Volumes, erase, verify, verify_in,
};

/// 2026-11-30T23:59:00Z.
const START_US: u64 = 1_796_083_140_000_000;
const MONTH_US: u64 = 31 * 86_400_000_000;

const ALICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));
const BOB: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

macro_rules! clock {
    ($name:ident) => {
        static $name: AtomicU64 = AtomicU64::new(START_US);
    };
}

fn open(directory: &Path, clock: fn() -> u64) -> Ledger {
    let config = LedgerConfig {
        volumes: Volumes::Monthly,
        commit_addresses: true,
        ..config(directory)
    };
    Ledger::open(config, clock, Box::new(|_| {})).unwrap().0
}

fn put(ledger: &Ledger, entry: &[u8]) {
    let ticket = ledger.append(entry, Durability::Strict).unwrap();
    while ledger.standing(ticket) == Standing::Pending {
        std::thread::yield_now();
    }
    assert_eq!(ledger.standing(ticket), Standing::Durable);
}

/// Records a read from `address`, and returns what its entry holds instead.
fn seen(ledger: &Ledger, address: IpAddr) -> Commitment {
    let sealed = ledger.address(address);
    put(ledger, &from(sealed, "m"));
    match sealed {
        Address::Committed(commitment) => commitment,
        other @ (Address::Clear(_) | Address::Withheld) => panic!("{other:?}"),
    }
}

fn tell(ledger: &Ledger, volume: &str, count: i64) {
    let detail = [
        ("count", Value::Int(count)),
        ("volume", Value::Text(volume)),
    ];
    let mut entry = Vec::new();
    EventEntry {
        event: ERASED,
        detail: &detail,
        time_us: START_US,
    }
    .encode(&mut entry);
    put(ledger, &entry);
}

fn fault(directory: &Path) -> Option<FaultKind> {
    let vkey = verifier().to_string();
    let report = verify(directory, Some(&vkey), &mut |_| {}).unwrap();
    report.first_bad.map(|fault| fault.kind)
}

fn holds(directory: &Path, text: &str) -> bool {
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let content = fs::read(&path).unwrap();
            if content.windows(text.len()).any(|at| at == text.as_bytes()) {
                return true;
            }
        }
    }
    false
}

#[test]
fn entries_hold_commitments_of_a_month_each_and_survive_a_restart() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path(), || NOW.load(Ordering::Relaxed));
    let first = seen(&ledger, ALICE);
    assert_eq!(seen(&ledger, ALICE), first);
    assert_ne!(seen(&ledger, BOB), first);
    ledger.close().unwrap();
    let ledger = open(directory.path(), || NOW.load(Ordering::Relaxed));
    assert_eq!(seen(&ledger, ALICE), first);
    NOW.fetch_add(MONTH_US, Ordering::Relaxed);
    // The entry that begins the month still has the commitment of the one before.
    assert_eq!(seen(&ledger, ALICE), first);
    let second = seen(&ledger, ALICE);
    assert_ne!(second, first);
    ledger.close().unwrap();
    assert_eq!(fault(directory.path()), None);
    let mut reader = Reader::open(directory.path(), 0).unwrap();
    while let Some((_, entry)) = reader.next_entry().unwrap() {
        let text = std::str::from_utf8(entry).unwrap();
        assert!(!text.contains("203.0.113.9"), "{text}");
    }
    let file = fs::read_to_string(directory.path().join("2026-12/personal")).unwrap();
    assert!(file.contains(second.as_str()) && !file.contains(first.as_str()));
}

#[test]
fn what_is_erased_is_gone_from_every_byte_and_what_is_told_of_it_is_enough() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path(), || NOW.load(Ordering::Relaxed));
    let older = seen(&ledger, ALICE);
    seen(&ledger, BOB);
    NOW.fetch_add(MONTH_US, Ordering::Relaxed);
    seen(&ledger, BOB);
    let newer = seen(&ledger, ALICE);
    tell(&ledger, "2026-11", 1);
    tell(&ledger, "2026-12", 1);
    assert!(holds(directory.path(), "203.0.113.9"));
    let old = directory.path().join("2026-11");
    assert_eq!(erase(&old, &HashSet::from([older])).unwrap(), 1);
    assert_eq!(ledger.erase(HashSet::from([newer])).unwrap(), 1);
    assert_eq!(ledger.erase(HashSet::from([newer])).unwrap(), 0);
    assert!(!holds(directory.path(), "203.0.113.9"));
    assert!(holds(directory.path(), "198.51.100.7"));
    // It comes again as somebody new.
    assert_ne!(seen(&ledger, ALICE), newer);
    ledger.close().unwrap();
    let vkey = verifier().to_string();
    let report = verify(directory.path(), Some(&vkey), &mut |_| {}).unwrap();
    assert!(report.clean(), "{report:?}");
    assert_eq!((report.personal, report.erased), (2, 2));
}

#[test]
fn a_volume_that_is_written_is_not_erased_behind_its_writers_back() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path(), || NOW.load(Ordering::Relaxed));
    let known = seen(&ledger, ALICE);
    let volume = directory.path().join("2026-11");
    let refused = erase(&volume, &HashSet::from([known])).unwrap_err();
    assert!(refused.to_string().contains("another"), "{refused}");
    ledger.close().unwrap();
}

#[test]
fn what_is_gone_untold_is_missed() {
    clock!(NOW);
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path(), || NOW.load(Ordering::Relaxed));
    let (first, second) = (seen(&ledger, ALICE), seen(&ledger, BOB));
    tell(&ledger, "2026-11", 1);
    ledger.close().unwrap();
    let volume = directory.path().join("2026-11");
    assert_eq!(erase(&volume, &HashSet::from([first])).unwrap(), 1);
    assert_eq!(fault(directory.path()), None);
    assert_eq!(erase(&volume, &HashSet::from([second])).unwrap(), 1);
    assert_eq!(fault(directory.path()), Some(FaultKind::PersonalMissing));
    fs::remove_file(volume.join("personal")).unwrap();
    assert_eq!(fault(directory.path()), Some(FaultKind::PersonalMissing));
}

#[test]
fn every_altered_bit_of_the_file_is_found() {
    let store = FaultStore::default();
    trade(&store, 3);
    let good = store.file(Part::Personal).unwrap();
    let files =
        [Part::Entries, Part::Checkpoints, Part::Newest].map(|part| (part, store.file(part)));
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            let other = FaultStore::of(&files);
            other.put(Part::Personal, Some(bytes));
            let report = verify_in(&other, Some(&verifier()), false, &mut |_| {}).unwrap();
            let kind = report.first_bad.map(|fault| fault.kind);
            let found = matches!(
                kind,
                Some(FaultKind::PersonalAltered | FaultKind::PersonalMissing)
            );
            assert!(found, "byte {at} bit {bit}: {kind:?}");
        }
    }
}

/// Reads from so many addresses; returns those that were acknowledged.
fn trade(store: &FaultStore, addresses: u8) -> Vec<IpAddr> {
    let mut config = config(Path::new("unused"));
    (config.checkpoint_ms, config.commit_addresses) = (1, true);
    let mut acknowledged = Vec::new();
    let Ok(running) = Running::in_store_with(store.clone(), config) else {
        return acknowledged;
    };
    for number in 0..addresses {
        let address = IpAddr::from([203, 0, 113, number]);
        let sealed = running.ledger.address(address);
        if running.strict(&from(sealed, &format!("m-{number}"))) == Standing::Durable {
            acknowledged.push(address);
        }
    }
    let _ = running.ledger.close();
    acknowledged
}

fn resolves(store: &FaultStore, acknowledged: &[IpAddr], context: &str) {
    // Opening recovers.
    trade(store, 0);
    let report = verify_in(store, Some(&verifier()), false, &mut |_| {}).unwrap();
    assert!(report.clean(), "{context}: {report:?}");
    let file = store.file(Part::Personal).unwrap_or_default();
    let text = String::from_utf8(file).unwrap();
    for address in acknowledged {
        assert!(
            text.contains(&format!("\"{address}\"")),
            "{context}: {address}"
        );
    }
}

#[test]
fn no_entry_outlives_what_it_stands_for_whatever_step_fails() {
    let mut hits = 0;
    for step in 0..200 {
        let before = hits;
        for how in [How::Before, How::After, How::Partly] {
            let store = FaultStore::default();
            let dies = true;
            store.plan(Some(Plan { step, how, dies }));
            let acknowledged = trade(&store, 4);
            hits += u32::from(store.hit());
            let context = format!("step {step} {how:?}");
            resolves(&store.after_kill(), &acknowledged, &context);
            for kept in [0, 1, 2] {
                let store = store.after_power_failure(&|sector| sector % 3 == kept);
                resolves(
                    &store,
                    &acknowledged,
                    &format!("{context}, power cut {kept}"),
                );
            }
        }
        if hits == before {
            break;
        }
    }
    assert!(hits > 60, "{hits} steps");
}

#[test]
fn a_disk_that_fails_and_comes_back_loses_no_value_of_an_entry_that_follows() {
    for step in 4..24 {
        for how in [How::Before, How::After, How::Partly] {
            let store = FaultStore::default();
            let mut config = config(Path::new("unused"));
            config.commit_addresses = true;
            let running = Running::in_store_with(store.clone(), config).unwrap();
            let dies = false;
            store.plan(Some(Plan {
                step: step - 4,
                how,
                dies,
            }));
            for number in 0..3 {
                let sealed = running.ledger.address(IpAddr::from([203, 0, 113, number]));
                running.strict(&from(sealed, "m"));
            }
            store.plan(None);
            running.until(|_| running.ledger.healthy());
            // The same addresses: their lines must not have gone with the batch that failed.
            for number in 0..3 {
                let sealed = running.ledger.address(IpAddr::from([203, 0, 113, number]));
                assert_eq!(running.strict(&from(sealed, "again")), Standing::Durable);
            }
            running.ledger.close().unwrap();
            let report = verify_in(&store, Some(&verifier()), false, &mut |_| {}).unwrap();
            assert!(report.clean(), "step {step} {how:?}: {report:?}");
        }
    }
}
