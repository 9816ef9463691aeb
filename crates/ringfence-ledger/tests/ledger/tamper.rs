//! Whatever is changed in a closed log is found, and what is found is named; an untouched log
//! raises no alarm.

use crate::support::{FaultStore, ORIGIN, Running, intent, read, verifier};
use ringfence_ledger::{FaultKind, Part, Report, SigningKey, Standing, VerifierKey, verify_in};

const PARTS: [Part; 3] = [Part::Entries, Part::Checkpoints, Part::Newest];

type Files = Vec<(Part, Option<Vec<u8>>)>;

/// Three batches of one, two and one entries, closed twice: three checkpoints.
fn closed_log() -> Files {
    let store = FaultStore::default();
    let first = Running::in_store(store.clone()).unwrap();
    assert_eq!(first.strict(&read("0badcafe-0")), Standing::Durable);
    first.ledger.close().unwrap();
    let mut config = crate::support::config(std::path::Path::new("unused"));
    config.mode = ringfence_ledger::Mode::Group { ms: 30 };
    let second = Running::in_store_with(store.clone(), config).unwrap();
    let relaxed = ringfence_ledger::Durability::Relaxed;
    second.ledger.append(&read("0badcafe-1"), relaxed).unwrap();
    let last = second.ledger.append(&read("0badcafe-2"), relaxed).unwrap();
    second.settled(last);
    let last = second.ledger.append(&read("0badcafe-3"), relaxed).unwrap();
    second.settled(last);
    second.ledger.close().unwrap();
    PARTS
        .iter()
        .map(|part| (*part, store.file(*part)))
        .collect()
}

fn report(files: &Files, key: Option<&VerifierKey>) -> Report {
    verify_in(&FaultStore::of(files), key, false, &mut |_| {}).unwrap()
}

fn with(files: &Files, part: Part, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = files.clone();
    let bytes = files.iter_mut().find(|(found, _)| *found == part).unwrap();
    change(bytes.1.as_mut().unwrap());
    files
}

fn bytes(files: &Files, part: Part) -> &[u8] {
    files
        .iter()
        .find(|(found, _)| *found == part)
        .unwrap()
        .1
        .as_ref()
        .unwrap()
}

/// Start and padded length of each batch.
fn batches(files: &Files) -> Vec<(usize, usize)> {
    let entries = bytes(files, Part::Entries);
    let starts: Vec<usize> = (512..entries.len())
        .step_by(512)
        .filter(|at| entries[*at..].starts_with(b"\x89RFBATCH"))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([entries.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| (*start, end - start))
        .collect()
}

/// Start and length of each record of `checkpoints`.
fn records(files: &Files) -> Vec<(usize, usize)> {
    let bytes = bytes(files, Part::Checkpoints);
    let (mut at, mut found) = (0, Vec::new());
    while at < bytes.len() {
        let length = 10 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        found.push((at, length));
        at += length;
    }
    found
}

fn found(files: &Files) -> FaultKind {
    let report = report(files, Some(&verifier()));
    report
        .first_bad
        .unwrap_or_else(|| panic!("not found: {:?}", report.unfinished))
        .kind
}

#[test]
fn untouched_log_raises_no_alarm() {
    let files = closed_log();
    let report = self::report(&files, Some(&verifier()));
    assert!(report.clean(), "{report:?}");
    assert_eq!(
        (report.size, report.signed_size, report.checkpoints),
        (4, 4, 3)
    );
    assert!(report.signatures_checked);
    assert_eq!(report.origin, ORIGIN);
}

#[test]
fn without_a_key_the_report_says_that_signatures_were_not_checked() {
    let report = report(&closed_log(), None);
    assert!(report.clean() && !report.signatures_checked);
}

#[test]
fn every_flipped_bit_is_found_with_the_key_and_without() {
    let files = closed_log();
    let entries = bytes(&files, Part::Entries).to_vec();
    std::thread::scope(|scope| {
        for part in PARTS {
            let (files, entries) = (&files, &entries);
            scope.spawn(move || {
                for at in 0..bytes(files, part).len() {
                    for bit in 0..8 {
                        let flipped = with(files, part, |bytes| bytes[at] ^= 1 << bit);
                        let report = report(&flipped, Some(&verifier()));
                        let place = format!("{part:?} byte {at} bit {bit}");
                        let fault = report
                            .first_bad
                            .unwrap_or_else(|| panic!("{place}: missed"));
                        if part == Part::Entries {
                            assert_eq!(fault.part, part, "{place}: {fault}");
                            near(&fault, entries, at, &place);
                        }
                    }
                    let flipped = with(files, part, |bytes| bytes[at] ^= 0x20);
                    assert!(
                        !report(&flipped, None).clean(),
                        "{part:?} byte {at} without key"
                    );
                }
            });
        }
    });
}

// A flip inside the text of an entry is blamed on that entry.
fn near(fault: &ringfence_ledger::Fault, entries: &[u8], at: usize, place: &str) {
    for number in 0..4 {
        let text = format!("0badcafe-{number}");
        let inside = entries
            .windows(text.len())
            .position(|found| found == text.as_bytes());
        let start = inside.unwrap();
        if (start..start + text.len()).contains(&at) {
            assert_eq!(fault.entry, Some(number), "{place}");
            // Where the text breaks, or where the entry starts.
            assert!(fault.offset.abs_diff(at as u64) < 512, "{place}: {fault}");
            assert_eq!(fault.kind, FaultKind::EntryAltered, "{place}");
        }
    }
}

#[test]
fn every_truncation_is_found() {
    let files = closed_log();
    for part in PARTS {
        for length in 0..bytes(&files, part).len() {
            let cut = with(&files, part, |bytes| bytes.truncate(length));
            let report = report(&cut, Some(&verifier()));
            assert!(
                report.first_bad.is_some(),
                "{part:?} cut to {length}: {report:?}"
            );
        }
    }
}

#[test]
fn every_deleted_and_every_inserted_byte_is_found() {
    let files = closed_log();
    for part in PARTS {
        for at in 0..bytes(&files, part).len() {
            let less = with(&files, part, |bytes| {
                bytes.remove(at);
            });
            assert!(
                report(&less, Some(&verifier())).first_bad.is_some(),
                "{part:?} less {at}"
            );
            for byte in [0, b'\n', b'x'] {
                let more = with(&files, part, |bytes| bytes.insert(at, byte));
                let report = report(&more, Some(&verifier()));
                assert!(!report.clean(), "{part:?} more {at}");
            }
        }
    }
}

#[test]
fn appended_bytes_are_found() {
    let files = closed_log();
    for garbage in [
        &b"x"[..],
        b"\n",
        b"{\"kind\":\"event\"}",
        &[1; 600],
        &[0; 100],
    ] {
        for part in PARTS {
            let more = with(&files, part, |bytes| bytes.extend_from_slice(garbage));
            assert!(
                !report(&more, Some(&verifier())).clean(),
                "{part:?} {garbage:?}"
            );
        }
    }
    let more = with(&files, Part::Entries, |bytes| {
        bytes.extend_from_slice(&[b'x'; 100])
    });
    assert_eq!(found(&more), FaultKind::BytesAppended);
}

#[test]
fn a_missing_file_is_found() {
    for part in PARTS {
        let mut files = closed_log();
        files.retain(|(found, _)| *found != part);
        assert_eq!(found(&files), FaultKind::FileMissing, "{part:?}");
    }
}

#[test]
fn dropped_repeated_and_exchanged_batches_are_named() {
    let files = closed_log();
    let [
        (first, first_length),
        (second, second_length),
        (third, third_length),
    ] = batches(&files)[..]
    else {
        panic!("three batches")
    };
    let dropped = with(&files, Part::Entries, |b| drop(b.drain(first..second)));
    assert_eq!(found(&dropped), FaultKind::BatchDropped);
    let dropped = with(&files, Part::Entries, |b| drop(b.drain(second..third)));
    assert_eq!(found(&dropped), FaultKind::BatchDropped);
    let last = with(&files, Part::Entries, |b| b.truncate(third));
    assert_eq!(found(&last), FaultKind::Truncated);
    let repeated = with(&files, Part::Entries, |b| {
        b.extend_from_within(third..third + third_length)
    });
    assert_eq!(found(&repeated), FaultKind::BatchRepeated);
    let exchanged = with(&files, Part::Entries, |b| {
        b[first..third].rotate_left(first_length)
    });
    assert_eq!(found(&exchanged), FaultKind::BatchDropped);
    assert_eq!(first + first_length + second_length, third);
}

#[test]
fn an_older_checkpoint_in_place_of_the_newest_is_found() {
    let files = closed_log();
    let rows = records(&files);
    let old: Vec<Vec<u8>> = rows
        .iter()
        .map(|(at, length)| bytes(&files, Part::Checkpoints)[at + 10..at + length].to_vec())
        .collect();
    let oldest = with(&files, Part::Newest, |bytes| bytes.clone_from(&old[0]));
    assert_eq!(found(&oldest), FaultKind::CheckpointReplaced);
    // One behind is what a crash leaves too, so it is not damage, but it is not clean either.
    let one_behind = with(&files, Part::Newest, |bytes| bytes.clone_from(&old[1]));
    let report = report(&one_behind, Some(&verifier()));
    assert_eq!(report.unfinished.len(), 1, "{report:?}");
    // The newest record removed as well: the log claims less than it has.
    let cut = with(&files, Part::Checkpoints, |bytes| bytes.truncate(rows[2].0));
    assert_eq!(found(&cut), FaultKind::CheckpointReplaced);
    let both = with(&cut, Part::Newest, |bytes| bytes.clone_from(&old[1]));
    let report = self::report(&both, Some(&verifier()));
    assert_eq!(report.unfinished.len(), 1, "{report:?}");
}

#[test]
fn dropped_and_exchanged_checkpoints_are_found() {
    let files = closed_log();
    let rows = records(&files);
    for (at, length) in &rows {
        let less = with(&files, Part::Checkpoints, |b| {
            drop(b.drain(*at..at + length))
        });
        assert!(
            report(&less, Some(&verifier())).first_bad.is_some(),
            "record at {at}"
        );
    }
    let exchanged = with(&files, Part::Checkpoints, |b| {
        b[..rows[2].0].rotate_left(rows[0].1)
    });
    assert_eq!(found(&exchanged), FaultKind::CheckpointDamaged);
}

#[test]
fn a_log_of_another_key_or_another_origin_is_not_accepted() {
    let files = closed_log();
    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    let report = self::report(&files, Some(&other.verifier(ORIGIN).unwrap()));
    assert_eq!(
        report.first_bad.unwrap().kind,
        FaultKind::CheckpointSignature
    );
    let elsewhere = crate::support::key().verifier("example.com/other").unwrap();
    let report = self::report(&files, Some(&elsewhere));
    assert_eq!(
        report.first_bad.unwrap().kind,
        FaultKind::CheckpointSignature
    );
}

/// The log that would have been written had entry 1 been another; checkpoints as they were.
#[test]
fn a_rewritten_log_does_not_fit_its_checkpoints() {
    let files = closed_log();
    let store = FaultStore::default();
    let forged = Running::in_store(store.clone()).unwrap();
    for message in ["0badcafe-0", "0badcafe-1", "forged-2", "0badcafe-3"] {
        forged.strict(&intent(message));
    }
    forged.ledger.close().unwrap();
    let rewritten = with(&files, Part::Entries, |bytes| {
        *bytes = store.file(Part::Entries).unwrap()
    });
    let report = report(&rewritten, Some(&verifier()));
    let fault = report.first_bad.unwrap();
    assert_eq!(fault.kind, FaultKind::Rewritten, "{fault}");
    assert_eq!(fault.part, Part::Checkpoints);
}

#[test]
fn a_head_of_another_log_breaks_the_chain() {
    let files = closed_log();
    let store = FaultStore::default();
    let mut config = crate::support::config(std::path::Path::new("unused"));
    config.origin = "example.com/tesu".into();
    Running::in_store_with(store.clone(), config)
        .unwrap()
        .ledger
        .close()
        .unwrap();
    let head = store.file(Part::Entries).unwrap();
    let moved = with(&files, Part::Entries, |bytes| {
        bytes[..512].copy_from_slice(&head[..512])
    });
    let report = report(&moved, None);
    assert!(report.first_bad.is_some());
}

#[test]
fn every_flipped_bit_among_the_zeros_behind_an_open_log_is_found() {
    let files = with(&closed_log(), Part::Entries, |bytes| {
        bytes.resize(bytes.len() + 1100, 0)
    });
    let untouched = report(&files, Some(&verifier()));
    assert!(
        untouched.first_bad.is_none() && untouched.unfinished.len() == 1,
        "{untouched:?}"
    );
    let end = bytes(&files, Part::Entries).len();
    for at in end - 1100..end {
        for bit in 0..8 {
            let flipped = with(&files, Part::Entries, |bytes| bytes[at] ^= 1 << bit);
            assert_eq!(
                found(&flipped),
                FaultKind::BytesAppended,
                "byte {at} bit {bit}"
            );
        }
    }
}

/// Zeroed sectors look like a torn batch; one that was acknowledged and signed is none.
#[test]
fn a_zeroed_sector_of_a_signed_batch_is_truncation() {
    for length in (20..1100).step_by(60) {
        let store = FaultStore::default();
        let running = Running::in_store(store.clone()).unwrap();
        let entry = format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert_eq!(running.strict(entry.as_bytes()), Standing::Durable);
        running.ledger.close().unwrap();
        let files: Files = PARTS
            .iter()
            .map(|part| (*part, store.file(*part)))
            .collect();
        let end = bytes(&files, Part::Entries).len();
        for sector in (512..end).step_by(512) {
            let zeroed = with(&files, Part::Entries, |b| b[sector..sector + 512].fill(0));
            assert_eq!(
                found(&zeroed),
                FaultKind::Truncated,
                "length {length} sector {sector}"
            );
            let before = zeroed[0].1.clone();
            let reopened = FaultStore::of(&zeroed);
            assert!(Running::in_store(reopened.clone()).is_err());
            assert_eq!(
                reopened.file(Part::Entries),
                before,
                "opening changed a damaged log"
            );
        }
    }
}
