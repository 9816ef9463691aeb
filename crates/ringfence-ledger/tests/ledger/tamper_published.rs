//! Whatever is changed in the published files of a log is found; an untouched publication, an
//! earlier one and an interrupted one raise no alarm. The log's own files are `tamper.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{grow, verifier};
use ringfence_ledger::{FaultKind, Report, publish, stage, verify};

/// 300 entries, published at 3, at 260 and at 300: full and partial tiles of two levels.
fn published() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (from, to) in [(0, 3), (3, 260), (260, 300)] {
        grow(directory.path(), from..to);
        publish(directory.path()).unwrap();
    }
    directory
}

fn report(directory: &Path) -> Report {
    verify(directory, Some(&verifier().to_string()), &mut |_| {}).unwrap()
}

fn found(directory: &Path) -> FaultKind {
    let report = report(directory);
    match (report.first_bad, report.published_bad) {
        (Some(fault), _) => fault.kind,
        (None, Some(fault)) => fault.kind,
        (None, None) => panic!("not found: {:?}", report.unfinished),
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![directory.join("tlog")], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

#[test]
fn untouched_publications_raise_no_alarm() {
    let directory = published();
    let report_now = report(directory.path());
    assert!(report_now.clean(), "{report_now:?}");
    assert_eq!(report_now.published, Some(300));
    let names: Vec<_> = files(directory.path())
        .iter()
        .map(|path| {
            path.strip_prefix(directory.path())
                .unwrap()
                .display()
                .to_string()
        })
        .collect();
    let expected = [
        "tlog/.place",
        "tlog/checkpoint",
        "tlog/tile/0/000",
        "tlog/tile/0/001.p/4",
        "tlog/tile/0/001.p/44",
        "tlog/tile/1/000.p/1",
        "tlog/tile/entries/000",
        "tlog/tile/entries/001.p/4",
        "tlog/tile/entries/001.p/44",
    ];
    assert_eq!(names, expected);
    // Publishing lags behind the log.
    grow(directory.path(), 300..310);
    assert!(report(directory.path()).clean());
    // Interrupted before the checkpoint: no damage, but said.
    stage(directory.path()).unwrap();
    let interrupted = report(directory.path());
    assert!(interrupted.published_bad.is_none() && interrupted.unfinished.len() == 1);
    publish(directory.path()).unwrap();
    assert!(report(directory.path()).clean());
}

#[test]
fn every_flipped_bit_of_every_published_file_is_found() {
    let directory = published();
    for path in files(directory.path()) {
        let sound = fs::read(&path).unwrap();
        // Of long files every bit of some bytes, and one bit of each.
        for at in 0..sound.len() {
            let thin = sound.len() > 400 && at % 31 != 0;
            let bits = if thin { vec![at % 8] } else { (0..8).collect() };
            for bit in bits {
                let mut flipped = sound.clone();
                flipped[at] ^= 1 << bit;
                fs::write(&path, &flipped).unwrap();
                let report = report(directory.path());
                let place = format!("{} byte {at} bit {bit}", path.display());
                assert!(report.published_bad.is_some(), "{place}: {report:?}");
            }
        }
        fs::write(&path, sound).unwrap();
    }
    assert!(report(directory.path()).clean());
}

#[test]
fn every_missing_cut_lengthened_and_exchanged_file_is_found() {
    let directory = published();
    let all = files(directory.path());
    for path in &all {
        let sound = fs::read(path).unwrap();
        let needed = !path.ends_with(".place") && !path.ends_with("4");
        if needed || path.ends_with("44") {
            fs::remove_file(path).unwrap();
            assert!(!report(directory.path()).clean(), "{} gone", path.display());
        }
        for length in [0, 1, sound.len() / 2, sound.len() - 1] {
            fs::write(path, &sound[..length]).unwrap();
            assert!(!report(directory.path()).clean(), "{} cut", path.display());
        }
        for more in [&[0; 1][..], &[0; 32], b"\n"] {
            fs::write(path, [&sound, more].concat()).unwrap();
            assert!(
                !report(directory.path()).clean(),
                "{} longer",
                path.display()
            );
        }
        for other in &all {
            let content = if other == path {
                continue;
            } else {
                fs::read(other).unwrap()
            };
            fs::write(path, content).unwrap();
            assert!(
                !report(directory.path()).clean(),
                "{} exchanged",
                path.display()
            );
        }
        fs::write(path, sound).unwrap();
    }
    assert!(report(directory.path()).clean());
    fs::write(directory.path().join("tlog/tile/0/note.txt"), "x").unwrap();
    assert_eq!(found(directory.path()), FaultKind::BytesAppended);
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
}

#[test]
fn dropped_repeated_and_exchanged_entries_are_found() {
    let directory = published();
    let path = directory.path().join("tlog/tile/entries/000");
    let sound = fs::read(&path).unwrap();
    let frames: Vec<&[u8]> = {
        let (mut rest, mut frames) = (sound.as_slice(), Vec::new());
        while rest.len() > 2 {
            let (frame, more) = rest.split_at(2 + usize::from(rest[1]));
            frames.push(frame);
            rest = more;
        }
        frames
    };
    assert_eq!(frames.len(), 256);
    for at in [0, 100, 254, 255] {
        let mut dropped = frames.clone();
        dropped.remove(at);
        let mut repeated = frames.clone();
        repeated.insert(at, frames[at]);
        let mut exchanged = frames.clone();
        exchanged.swap(at, 17);
        for changed in [dropped, repeated, exchanged] {
            fs::write(&path, changed.concat()).unwrap();
            assert!(
                report(directory.path()).published_bad.is_some(),
                "entry {at}"
            );
        }
    }
}

#[test]
fn an_older_checkpoint_and_a_fork_are_found() {
    let directory = published();
    let elsewhere = tempfile::tempdir().unwrap();
    grow(elsewhere.path(), 0..3);
    publish(elsewhere.path()).unwrap();
    let old = fs::read(elsewhere.path().join("tlog/checkpoint")).unwrap();
    // A log of the same key that differs from entry 3 on: its own files are sound.
    grow(elsewhere.path(), 1_003..1_300);
    publish(elsewhere.path()).unwrap();
    assert!(report(elsewhere.path()).clean());
    let checkpoint = directory.path().join("tlog/checkpoint");
    let newest = fs::read(&checkpoint).unwrap();
    // An older one of this very log: no damage that can be told from an interruption, but said.
    fs::write(&checkpoint, old).unwrap();
    let report_old = report(directory.path());
    assert_eq!(report_old.unfinished.len(), 1, "{report_old:?}");
    fs::write(&checkpoint, newest).unwrap();
    assert!(report(directory.path()).clean());
    copy(elsewhere.path(), directory.path());
    assert_eq!(found(directory.path()), FaultKind::CheckpointReplaced);
}

#[test]
fn tiles_of_a_fork_under_the_own_checkpoint_are_found() {
    let (directory, elsewhere) = (published(), tempfile::tempdir().unwrap());
    for (from, to) in [(1_000, 1_003), (1_003, 1_260), (1_260, 1_300)] {
        grow(elsewhere.path(), from..to);
        publish(elsewhere.path()).unwrap();
    }
    let own = fs::read(directory.path().join("tlog/checkpoint")).unwrap();
    copy(elsewhere.path(), directory.path());
    fs::write(directory.path().join("tlog/checkpoint"), own).unwrap();
    assert_eq!(found(directory.path()), FaultKind::Rewritten);
}
