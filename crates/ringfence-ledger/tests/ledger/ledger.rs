//! The ledger in a real directory: group commit, durability, following, locking, keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{ORIGIN, Running, answered, config, intent, key, read, verifier};
use ringfence_ledger::{
    Durability, LedgerError, Mode, Progress, Reader, Refused, SigningKey, Standing, verify,
};

fn report(directory: &Path) -> ringfence_ledger::Report {
    verify(directory, Some(&verifier().to_string()), &mut |_| {}).unwrap()
}

fn texts(reader: &mut Reader) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    while let Some((index, entry)) = reader.next_entry().unwrap() {
        found.push((index, String::from_utf8(entry.to_vec()).unwrap()));
    }
    found
}

#[test]
fn strict_entries_are_durable_when_told_and_readable_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::open(directory.path());
    assert_eq!(running.recovery, ringfence_ledger::Recovery::default());
    let written: Vec<Vec<u8>> = (0..5).map(|n| read(&format!("m-{n}"))).collect();
    for entry in &written {
        let ticket = running.ledger.append(entry, Durability::Strict).unwrap();
        assert_eq!(running.settled(ticket), Standing::Durable);
    }
    assert_eq!(running.ledger.committed(), 5);
    for from in 0..6 {
        let mut reader = Reader::open(directory.path(), from).unwrap();
        let found = texts(&mut reader);
        assert_eq!(found.len() as u64, 5 - from);
        for (index, text) in found {
            assert_eq!(text.as_bytes(), written[usize::try_from(index).unwrap()]);
        }
    }
    running.ledger.close().unwrap();
    let report = report(directory.path());
    assert!(
        report.clean() && report.size == 5 && report.signed_size == 5,
        "{report:?}"
    );
}

#[test]
fn a_reader_follows_a_growing_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.preallocate_bytes = 1 << 20;
    let running = Running::try_open(config).unwrap();
    let mut reader = Reader::open(directory.path(), 0).unwrap();
    assert_eq!(texts(&mut reader), []);
    for number in 0..10 {
        running.strict(&read(&format!("m-{number}")));
        let found = texts(&mut reader);
        assert_eq!(found.len(), 1);
        assert!(found[0].0 == number && found[0].1.contains(&format!("\"m-{number}\"")));
    }
}

#[test]
fn a_log_opened_again_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let running = Running::open(directory.path());
        assert_eq!(running.recovery.size, round * 2);
        running.strict(&intent(&format!("m-{round}")));
        running.strict(&answered(&format!("m-{round}")));
        running.ledger.close().unwrap();
        let report = report(directory.path());
        assert!(report.clean() && report.size == round * 2 + 2, "{report:?}");
        assert_eq!(report.open_intents, 0);
    }
}

#[test]
fn intents_without_outcome_get_an_unknown_one_when_opened() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::open(directory.path());
    running.strict(&intent("done"));
    running.strict(&answered("done"));
    running.strict(&intent("in \"flight\"\n"));
    running.strict(&read("a read needs none"));
    running.ledger.close().unwrap();
    assert_eq!(report(directory.path()).open_intents, 1);
    let running = Running::open(directory.path());
    assert_eq!((running.recovery.unknown, running.recovery.size), (1, 6));
    let found = texts(&mut Reader::open(directory.path(), 4).unwrap());
    for part in [
        r#""message":"in \"flight\"\n""#,
        r#""reason":"crash","result":"unknown""#,
    ] {
        assert!(found[0].1.contains(part), "{found:?}");
    }
    assert!(
        found[1]
            .1
            .contains(r#"{"cut_bytes":0,"unknown":1},"event":"ledger.recovered""#)
    );
    running.ledger.close().unwrap();
    assert_eq!(Running::open(directory.path()).recovery.unknown, 0);
}

#[test]
fn a_second_gateway_on_the_same_ledger_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = Running::open(directory.path());
    let second = Running::try_open(config(directory.path())).err().unwrap();
    assert!(matches!(second, LedgerError::Locked { .. }), "{second}");
    assert!(second.to_string().contains("in use by another process"));
    assert!(report(directory.path()).live);
    first.ledger.close().unwrap();
    assert!(!report(directory.path()).live);
    Running::open(directory.path());
}

#[test]
fn another_key_or_another_origin_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Running::open(directory.path()).ledger.close().unwrap();
    let mut other = config(directory.path());
    other.signing_key = SigningKey::generate().unwrap();
    let error = Running::try_open(other).err().unwrap();
    assert!(
        matches!(error, LedgerError::Foreign { what: "key", .. }),
        "{error}"
    );
    let mut other = config(directory.path());
    other.origin = "example.com/other".into();
    let error = Running::try_open(other).err().unwrap();
    assert!(
        matches!(error, LedgerError::Foreign { what: "origin", .. }),
        "{error}"
    );
}

#[test]
fn files_are_for_the_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("new/ledger");
    let running = Running::open(&directory);
    running.strict(&read("m"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn verifying_what_is_not_a_ledger_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let mut none = |_| {};
    for path in [directory.path(), &directory.path().join("none")] {
        let error = verify(path, None, &mut none).unwrap_err();
        assert!(matches!(error, LedgerError::Missing { .. }), "{error}");
        assert!(Reader::open(path, 0).is_err());
    }
    Running::open(directory.path()).ledger.close().unwrap();
    let error = verify(directory.path(), Some("not a key"), &mut none).unwrap_err();
    assert!(matches!(error, LedgerError::Key(_)), "{error}");
}

#[test]
fn relaxed_entries_wait_for_company_but_not_longer_than_said() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.mode = Mode::Strict { group_ms: 50 };
    let running = Running::try_open(config).unwrap();
    let start = Instant::now();
    let first = running
        .ledger
        .append(&read("a"), Durability::Relaxed)
        .unwrap();
    let second = running
        .ledger
        .append(&read("b"), Durability::Relaxed)
        .unwrap();
    assert_eq!(running.settled(first), Standing::Durable);
    assert!(
        start.elapsed() >= Duration::from_millis(45),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(running.ledger.standing(second), Standing::Durable);
    assert_eq!(running.ledger.status().batches, 1);
    // A strict entry takes those that wait along at once.
    let relaxed = running
        .ledger
        .append(&read("c"), Durability::Relaxed)
        .unwrap();
    let strict = running
        .ledger
        .append(&read("d"), Durability::Strict)
        .unwrap();
    assert_eq!(running.settled(strict), Standing::Durable);
    assert_eq!(running.ledger.standing(relaxed), Standing::Durable);
    assert_eq!(running.ledger.status().batches, 2);
}

#[test]
fn in_group_mode_strict_entries_wait_for_the_group() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.mode = Mode::Group { ms: 50 };
    let running = Running::try_open(config).unwrap();
    let start = Instant::now();
    assert_eq!(running.strict(&read("a")), Standing::Durable);
    assert!(start.elapsed() >= Duration::from_millis(45));
}

#[test]
fn a_checkpoint_is_signed_while_running_and_not_while_idle() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.checkpoint_ms = 30;
    let running = Running::try_open(config).unwrap();
    let size = || {
        fs::metadata(directory.path().join("checkpoints"))
            .unwrap()
            .len()
    };
    running.strict(&read("a"));
    let before = size();
    let end = Instant::now() + Duration::from_secs(5);
    while running.ledger.status().signed_size < 1 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(running.ledger.status().signed_size, 1);
    let signed = size();
    assert!(signed > before);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(size(), signed, "an idle log signs nothing");
}

#[test]
fn progress_is_told_once_per_batch_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::open(directory.path());
    for number in 0..20 {
        running.strict(&read(&format!("m-{number}")));
    }
    running.ledger.close().unwrap();
    let told = running.told.0.lock().unwrap();
    let sizes: Vec<u64> = told
        .iter()
        .map(|progress| match progress {
            Progress::Committed { size } => *size,
            Progress::Failed { .. } | Progress::Resumed { .. } => panic!("{progress:?}"),
        })
        .collect();
    assert_eq!(sizes, (1..=20).collect::<Vec<u64>>());
}

#[test]
fn many_threads_lose_and_repeat_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let running = Arc::new(Running::open(directory.path()));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let running = Arc::clone(&running);
            scope.spawn(move || {
                for number in 0..200 {
                    let entry = read(&format!("{thread}-{number}"));
                    if number % 10 == 0 {
                        assert_eq!(running.strict(&entry), Standing::Durable);
                    } else {
                        running.ledger.append(&entry, Durability::Relaxed).unwrap();
                    }
                }
            });
        }
    });
    running.ledger.close().unwrap();
    let found = texts(&mut Reader::open(directory.path(), 0).unwrap());
    assert_eq!(found.len(), 1600);
    for thread in 0..8 {
        let own = format!("\"message\":\"{thread}-");
        let numbers: Vec<String> = found
            .iter()
            .filter_map(|(_, text)| text.split_once(&own))
            .map(|(_, rest)| rest.split('"').next().unwrap().to_owned())
            .collect();
        assert_eq!(numbers, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
    }
    assert!(report(directory.path()).clean());
}

#[test]
fn closing_writes_what_waits_and_refuses_what_comes() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.mode = Mode::Group { ms: 60_000 };
    let running = Running::try_open(config).unwrap();
    running
        .ledger
        .append(&read("a"), Durability::Relaxed)
        .unwrap();
    running.ledger.close().unwrap();
    assert_eq!(running.ledger.committed(), 1);
    assert_eq!(
        running.ledger.append(&read("b"), Durability::Strict),
        Err(Refused::Closed)
    );
    running.ledger.close().unwrap();
    assert!(report(directory.path()).clean());
}

#[test]
fn entries_of_impossible_length_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::open(directory.path());
    for length in [0, 65_536] {
        let refused = running
            .ledger
            .append(&vec![b'x'; length], Durability::Strict);
        assert_eq!(refused, Err(Refused::Length));
    }
    let longest = format!("{{\"a\":\"{}\"}}", "x".repeat(65_535 - 8));
    assert_eq!(running.strict(longest.as_bytes()), Standing::Durable);
    running.ledger.close().unwrap();
    assert!(report(directory.path()).clean());
}

#[test]
fn a_full_queue_refuses_instead_of_growing() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.mode = Mode::Group { ms: 60_000 };
    // The writer is held in the callback of the first batch, so that the queue fills.
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let on_progress = Box::new(move |_| {
        // Until the sender is dropped.
        let _ = held.recv();
    });
    let (ledger, _) =
        ringfence_ledger::Ledger::open(config, crate::support::clock, on_progress).unwrap();
    let entry = format!("{{\"a\":\"{}\"}}", "x".repeat(60_000));
    let mut taken = 0;
    let refused = loop {
        match ledger.append(entry.as_bytes(), Durability::Relaxed) {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
        assert!(taken < 1000, "nothing bounds the queue");
    };
    assert_eq!(refused, Refused::Full);
    drop(hold);
    ledger.close().unwrap();
    assert_eq!(ledger.committed(), taken);
    assert!(report(directory.path()).clean());
}

#[test]
fn space_laid_out_ahead_is_found_again_and_ended_at_close() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.preallocate_bytes = 1 << 20;
    let running = Running::try_open(config).unwrap();
    running.strict(&read("m"));
    let path = directory.path().join("entries.log");
    assert!(fs::metadata(&path).unwrap().len() > 1 << 20);
    running.ledger.close().unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().len(),
        1024,
        "the head and one batch"
    );
}

#[test]
fn pem_keys_are_read_and_others_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    // RFC 8410 7: PKCS#8 around a seed; here the seed of `support::key`.
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(&[9; 32]);
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    fs::write(&path, &pem).unwrap();
    let found = SigningKey::from_file(&path).unwrap();
    assert_eq!(
        found.verifier(ORIGIN).unwrap(),
        key().verifier(ORIGIN).unwrap()
    );
    assert_eq!(format!("{found:?}"), "SigningKey(..)");
    for wrong in [
        String::new(),
        pem.replace("PRIVATE", "PUBLIC"),
        pem.replace("MC4", "!!!"),
        pem.replace("MC4", "MC5"),
    ] {
        let error = SigningKey::from_pem(&wrong).unwrap_err();
        assert!(!error.to_string().contains(&body), "an error shows the key");
    }
}

#[test]
fn intents_share_the_commit_of_one_wake() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::open(directory.path());
    // So that the writer sleeps.
    running.strict(&read("first"));
    std::thread::sleep(Duration::from_millis(20));
    let tickets: Vec<_> = (0..5)
        .map(|number| {
            let message = format!("m-{number}");
            let entry = read(&message);
            running.ledger.append_intent(&entry, &message).unwrap()
        })
        .collect();
    running.ledger.wake();
    for ticket in tickets {
        assert_eq!(running.settled(ticket), Standing::Durable);
    }
    assert_eq!(running.ledger.status().batches, 2);
}
