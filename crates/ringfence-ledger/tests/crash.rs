//! A crash at any instant loses nothing that was acknowledged and leaves nothing half there; a disk
//! that fails and comes back loses no acknowledged entry and records the gap.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::HashSet;
use std::path::Path;

use ringfence_ledger::{
    Durability, LedgerError, Mode, Part, Progress, Refused, Standing, verify_in,
};
use support::{FaultStore, How, Plan, Running, answered, intent, read, verifier};

const HOWS: [How; 3] = [How::Before, How::After, How::Partly];

fn entries(store: &FaultStore) -> Vec<String> {
    // The frames, found by their canonical start; the reader itself is tested elsewhere.
    let bytes = store.file(Part::Entries).unwrap_or_default();
    let mut found = Vec::new();
    let mut at = 0;
    while at + 3 < bytes.len() {
        let length = usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        // What a hash in front of one begins with may look like a frame: it is no text.
        let text = bytes.get(at + 2..at + 2 + length);
        let text = text.and_then(|text| std::str::from_utf8(text).ok());
        match text.filter(|text| text.starts_with('{') && text.ends_with("\"v\":1}")) {
            Some(text) => {
                found.push(text.to_owned());
                at += 2 + length;
            }
            None => at += 1,
        }
    }
    found
}

/// Orders, each acknowledged before the next; returns the ids that were acknowledged.
fn trade(store: &FaultStore, orders: u32) -> HashSet<String> {
    let mut acknowledged = HashSet::new();
    let Ok(running) = Running::in_store(store.clone()) else {
        return acknowledged;
    };
    for number in 0..orders {
        let message = format!("0badcafe-{number}");
        if running.strict(&intent(&message)) != Standing::Durable {
            break;
        }
        acknowledged.insert(message.clone());
        let _ = running
            .ledger
            .append(&answered(&message), Durability::Relaxed);
    }
    let _ = running.ledger.close();
    acknowledged
}

fn holds(store: &FaultStore, acknowledged: &HashSet<String>, context: &str) {
    let report = verify_in(store, Some(&verifier()), false, &mut |_| {}).unwrap();
    let new = store.file(Part::Entries).is_none();
    assert!(
        new || report.first_bad.is_none(),
        "{context}: false alarm {:?}",
        report.first_bad
    );
    let running = match Running::in_store(store.clone()) {
        Ok(running) => running,
        Err(error) => panic!("{context}: does not open: {error}"),
    };
    assert_eq!(
        running.strict(&read("after")),
        Standing::Durable,
        "{context}"
    );
    running.ledger.close().unwrap();
    let report = verify_in(store, Some(&verifier()), false, &mut |_| {}).unwrap();
    assert!(report.clean(), "{context}: {report:?}");
    assert_eq!(
        report.open_intents, 0,
        "{context}: an intent without outcome"
    );
    let entries = entries(store);
    assert_eq!(entries.len() as u64, report.size, "{context}");
    for message in acknowledged {
        let quoted = format!("\"message\":\"{message}\"");
        let count = |kind: &str| {
            let kind = format!("\"kind\":\"{kind}\"");
            entries
                .iter()
                .filter(|e| e.contains(&quoted) && e.contains(&kind))
                .count()
        };
        assert_eq!(
            (count("decision"), count("outcome")),
            (1, 1),
            "{context}: {message}"
        );
    }
}

#[test]
fn dying_at_any_step_loses_nothing_that_was_acknowledged() {
    for how in HOWS {
        for step in 0.. {
            let store = FaultStore::default();
            store.plan(Some(Plan {
                step,
                how,
                dies: true,
            }));
            let acknowledged = trade(&store, 3);
            if !store.hit() {
                assert!(step > 15, "the scenario has too few steps: {step}");
                assert_eq!(acknowledged.len(), 3);
                break;
            }
            let context = format!("{how:?} step {step}");
            holds(
                &store.after_kill(),
                &acknowledged,
                &format!("{context}, killed"),
            );
            for (name, kept) in [
                ("nothing", (|_| false) as fn(usize) -> bool),
                ("everything", |_| true),
                ("even sectors", |sector| sector % 2 == 0),
                ("odd sectors", |sector| sector % 2 == 1),
                ("the third of three", |sector| sector % 3 == 2),
            ] {
                let after = store.after_power_failure(&kept);
                holds(
                    &after,
                    &acknowledged,
                    &format!("{context}, power, {name} kept"),
                );
            }
        }
    }
}

/// A batch over several sectors, not yet synced when the power goes: any subset of its sectors.
#[test]
fn any_subset_of_the_last_batch_s_sectors_is_cut_or_kept_whole() {
    for subset in 0..256_usize {
        let store = FaultStore::default();
        let running = Running::in_store_with(store.clone(), group()).unwrap();
        assert_eq!(running.strict(&read("first")), Standing::Durable);
        // Five entries make a batch of three to four sectors; its sync never comes.
        store.plan(Some(Plan {
            step: 1,
            how: How::Before,
            dies: true,
        }));
        for number in 0..5 {
            running
                .ledger
                .append(&read(&format!("lost-{number}")), Durability::Relaxed)
                .unwrap();
        }
        running.until(|told| matches!(told.last(), Some(Progress::Failed { .. })));
        drop(running);
        let start = store.file(Part::Entries).unwrap().len() / 512 - 6;
        let after = store.after_power_failure(&|sector| {
            sector < start || subset >> ((sector - start) % 8) & 1 == 1
        });
        holds(&after, &HashSet::new(), &format!("subset {subset:b}"));
    }
}

fn group() -> ringfence_ledger::LedgerConfig {
    let mut config = support::config(Path::new("unused"));
    config.mode = Mode::Group { ms: 5 };
    config
}

/// The machine's file is copied, or written short, up to any byte of the last batch.
#[test]
fn a_log_cut_at_any_byte_of_its_last_batch_opens_without_it() {
    for zeros in [0, 2048] {
        let store = FaultStore::default();
        let running = Running::in_store_with(store.clone(), group()).unwrap();
        assert_eq!(running.strict(&intent("kept")), Standing::Durable);
        let before = store.file(Part::Entries).unwrap().len();
        let mut last = None;
        for number in 0..3 {
            last = running
                .ledger
                .append(&intent(&format!("l-{number}")), Durability::Strict)
                .ok();
        }
        assert_eq!(running.settled(last.unwrap()), Standing::Durable);
        // As it stands, not closed: the last checkpoint is the one of the empty log.
        let whole = store.after_kill();
        let bytes = whole.file(Part::Entries).unwrap();
        for length in before..bytes.len() {
            let cut = whole.after_kill();
            let mut image = bytes[..length].to_vec();
            image.resize(
                if zeros == 0 {
                    length
                } else {
                    bytes.len() + zeros
                },
                0,
            );
            let all_there = image[..bytes.len().min(image.len())] == bytes[..];
            cut.put(Part::Entries, Some(image));
            let running = Running::in_store(cut.clone()).unwrap();
            // The one intent that is certain, or all four where only zeros are missing.
            let unknown = if all_there { 4 } else { 1 };
            assert_eq!(running.recovery.unknown, unknown, "cut at {length}");
            drop(running);
            holds(
                &cut,
                &HashSet::from(["kept".to_owned()]),
                &format!("cut at {length}"),
            );
        }
    }
}

#[test]
fn damage_anywhere_but_in_a_torn_batch_refuses_to_open_and_changes_nothing() {
    let store = FaultStore::default();
    let acknowledged = trade(&store, 2);
    assert_eq!(acknowledged.len(), 2);
    let bytes = store.file(Part::Entries).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let damaged = store.after_kill();
        let mut image = bytes.clone();
        image[at] ^= 4;
        damaged.put(Part::Entries, Some(image.clone()));
        match Running::in_store(damaged.clone()) {
            Err(LedgerError::Damaged(fault)) => assert_eq!(fault.part, Part::Entries, "{at}"),
            Err(other) => panic!("{at}: {other}"),
            Ok(_) => panic!("{at}: opened"),
        }
        assert_eq!(damaged.file(Part::Entries).unwrap(), image, "{at}");
    }
}

/// A disk that fails once, at any step, in any way, and then works again.
#[test]
fn a_failing_disk_refuses_and_tells_and_resumes_with_the_gap_recorded() {
    std::thread::scope(|scope| {
        for how in HOWS {
            for step in 0..8 {
                scope.spawn(move || fail_once(how, step));
            }
        }
    });
}

fn fail_once(how: How, step: u64) {
    let context = format!("{how:?} step {step}");
    let store = FaultStore::default();
    let running = Running::in_store(store.clone()).unwrap();
    assert_eq!(running.strict(&intent("before")), Standing::Durable);
    store.plan(Some(Plan {
        step,
        how,
        dies: false,
    }));
    let mut acknowledged = HashSet::from(["before".to_owned()]);
    let mut lost = HashSet::new();
    for number in 0..1000 {
        let message = format!("0badcafe-{number}");
        match running.strict(&intent(&message)) {
            Standing::Durable => acknowledged.insert(message),
            Standing::Lost => lost.insert(message),
            Standing::Pending => panic!("{context}: settled is not pending"),
        };
        if store.hit() && !running.ledger.healthy() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let failed = |told: &[Progress]| told.iter().any(|p| matches!(p, Progress::Failed { .. }));
    running.until(failed);
    // While it is failed: refused at once, and counted.
    if !running.ledger.healthy() {
        let refused = running
            .ledger
            .append(&intent("meanwhile"), Durability::Strict);
        assert_eq!(refused, Err(Refused::Failed), "{context}");
        let refused = running
            .ledger
            .append(&read("meanwhile"), Durability::Relaxed);
        assert_eq!(refused, Err(Refused::Failed), "{context}");
    }
    running.until(|told| told.iter().any(|p| matches!(p, Progress::Resumed { .. })));
    assert!(running.ledger.healthy(), "{context}");
    assert_eq!(
        running.strict(&intent("later")),
        Standing::Durable,
        "{context}"
    );
    acknowledged.insert("later".into());
    running.ledger.close().unwrap();
    let written = entries(&store);
    assert!(
        written
            .iter()
            .any(|e| e.contains("ledger.gap") && e.contains("\"lost\":1")),
        "{context}"
    );
    for message in &lost {
        let quoted = format!("\"message\":\"{message}\"");
        assert!(
            !written.iter().any(|e| e.contains(&quoted)),
            "{context}: {message} was lost"
        );
    }
    holds(&store, &acknowledged, &context);
}

#[test]
fn a_ticket_of_a_lost_entry_stays_lost_when_its_index_is_used_again() {
    let store = FaultStore::default();
    let running = Running::in_store(store.clone()).unwrap();
    let kept = running
        .ledger
        .append(&read("kept"), Durability::Strict)
        .unwrap();
    assert_eq!(running.settled(kept), Standing::Durable);
    store.plan(Some(Plan {
        step: 0,
        how: How::Before,
        dies: false,
    }));
    let lost = running
        .ledger
        .append(&read("lost"), Durability::Strict)
        .unwrap();
    assert_eq!(running.settled(lost), Standing::Lost);
    running.until(|told| told.iter().any(|p| matches!(p, Progress::Resumed { .. })));
    assert_eq!(running.strict(&read("other")), Standing::Durable);
    assert_eq!(running.ledger.standing(lost), Standing::Lost);
    assert_eq!(running.ledger.standing(kept), Standing::Durable);
}

#[test]
fn closing_a_failed_ledger_says_so_and_opening_recovers() {
    let store = FaultStore::default();
    let running = Running::in_store(store.clone()).unwrap();
    assert_eq!(running.strict(&intent("kept")), Standing::Durable);
    store.plan(Some(Plan {
        step: 0,
        how: How::Partly,
        dies: true,
    }));
    assert_eq!(running.strict(&intent("lost")), Standing::Lost);
    assert!(running.ledger.close().is_err());
    holds(
        &store.after_kill(),
        &HashSet::from(["kept".to_owned()]),
        "closed while failed",
    );
}
