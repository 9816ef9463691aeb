//! Heartbeats come at their interval, count without gaps within a run, also across a failing disk,
//! and verifying tells when one is missing.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{FaultStore, How, Plan, Running, config, read, verifier};
use ringfence_ledger::{
    Durability, EventEntry, LedgerConfig, Part, Progress, Reader, Report, Value, verify,
};
use serde_json::Value as Json;

fn beating(directory: &Path) -> LedgerConfig {
    let mut config = config(directory);
    config.heartbeat_ms = 2;
    config
}

/// Waits until the log has `size` entries.
fn grown(running: &Running, size: u64) {
    let end = Instant::now() + Duration::from_secs(20);
    while running.ledger.committed() < size {
        assert!(Instant::now() < end, "only {}", running.ledger.committed());
        std::thread::yield_now();
    }
}

fn beats(directory: &Path) -> Vec<Json> {
    let (mut reader, mut found) = (Reader::open(directory, 0).unwrap(), Vec::new());
    while let Some((_, entry)) = reader.next_entry().unwrap() {
        let entry: Json = serde_json::from_slice(entry).unwrap();
        if entry["event"] == "ledger.heartbeat" {
            found.push(entry["detail"].clone());
        }
    }
    found
}

fn report(directory: &Path) -> Report {
    verify(directory, Some(&verifier().to_string()), &mut |_| {}).unwrap()
}

#[test]
fn silence_is_recorded_run_by_run() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let running = Running::try_open(beating(directory.path())).unwrap();
        grown(&running, running.recovery.size + 5);
        running.ledger.close().unwrap();
    }
    let beats = beats(directory.path());
    let boots: Vec<&str> = beats
        .iter()
        .map(|beat| beat["boot"].as_str().unwrap())
        .collect();
    let second = boots.iter().position(|boot| *boot != boots[0]).unwrap();
    assert!(boots[second..].iter().all(|boot| *boot == boots[second]));
    for (run, from) in [(&beats[..second], 0), (&beats[second..], 0)] {
        for (beat, number) in run.iter().zip(from..) {
            assert_eq!(beat["sequence"], Json::from(number));
            assert_eq!(beat["interval_ms"], 2);
        }
    }
    let report = report(directory.path());
    assert!(report.clean(), "{report:?}");
    assert_eq!(report.heartbeats.count, beats.len() as u64);
    assert_eq!(report.heartbeats.missing, 0);
    assert!(report.heartbeats.longest_us > 0);
}

#[test]
fn a_heartbeat_tells_the_state_of_the_clock() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::try_open(beating(directory.path())).unwrap();
    grown(&running, 1);
    running.ledger.close().unwrap();
    let beat = &beats(directory.path())[0];
    assert!(beat["clock_synchronised"].is_boolean());
    for field in ["clock_error_us", "clock_estimate_us", "clock_offset_us"] {
        assert!(beat[field].is_i64(), "{field}");
    }
    let line = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let boot = line("/proc/sys/kernel/random/boot_id");
    assert_eq!(beat["host_boot"], boot.trim_end());
    let source = line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    assert_eq!(beat["clock_source"], source.trim_end());
}

#[test]
fn heartbeats_keep_their_numbers_while_orders_come() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::try_open(beating(directory.path())).unwrap();
    for at in 0..300 {
        running.strict(&read(&format!("0badcafe-{at}")));
    }
    grown(&running, 303);
    running.ledger.close().unwrap();
    let report = report(directory.path());
    assert!(report.clean(), "{report:?}");
    assert!(
        report.heartbeats.count >= 3 && report.heartbeats.missing == 0,
        "{report:?}"
    );
}

#[test]
fn a_number_whose_entry_was_lost_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = FaultStore::default();
    let running = Running::in_store_with(store.clone(), beating(directory.path())).unwrap();
    grown(&running, 3);
    store.plan(Some(Plan {
        step: 0,
        how: How::Before,
        dies: false,
    }));
    running.until(|told| {
        told.iter()
            .any(|one| matches!(one, Progress::Resumed { .. }))
    });
    let resumed = running.ledger.committed();
    grown(&running, resumed + 3);
    running.ledger.close().unwrap();
    for part in [Part::Entries, Part::Checkpoints, Part::Newest] {
        let bytes = store.file(part).unwrap();
        std::fs::write(directory.path().join(part.file_name()), bytes).unwrap();
    }
    let report = report(directory.path());
    assert!(report.clean(), "{report:?}");
    assert_eq!(
        report.heartbeats.missing,
        0,
        "{:?}",
        beats(directory.path())
    );
}

#[test]
fn a_missing_heartbeat_is_told() {
    for (numbers, missing) in [
        (&[("a", 0), ("a", 1), ("a", 2), ("b", 0)][..], 0),
        (&[("a", 0), ("a", 1), ("a", 3)], 1),
        (&[("a", 2), ("a", 3)], 2),
        (&[("a", 0), ("a", 0)], 1),
        (&[("a", 0), ("b", 1)], 1),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let running = Running::open(directory.path());
        for (boot, sequence) in numbers {
            let detail = [
                ("boot", Value::Text(boot)),
                ("sequence", Value::Int(*sequence)),
            ];
            let (event, time_us) = ("ledger.heartbeat", crate::support::clock());
            let mut entry = Vec::new();
            EventEntry {
                event,
                detail: &detail,
                time_us,
            }
            .encode(&mut entry);
            let ticket = running.ledger.append(&entry, Durability::Strict).unwrap();
            running.settled(ticket);
        }
        running.ledger.close().unwrap();
        let found = report(directory.path()).heartbeats;
        assert_eq!(
            (found.count, found.missing),
            (numbers.len() as u64, missing),
            "{numbers:?}"
        );
    }
}

#[test]
fn without_an_interval_there_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::open(directory.path());
    running.strict(&read("0badcafe-0"));
    running.ledger.close().unwrap();
    assert_eq!(report(directory.path()).heartbeats.count, 0);
}
