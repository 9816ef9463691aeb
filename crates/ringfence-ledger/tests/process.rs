//! A gateway that is killed, or whose disk is full, with real files: what was acknowledged is there,
//! what could not be written was refused, and the log goes on.
//!
//! The parts that must die or change limits of the process run in a child: this test binary again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ringfence_ledger::{Durability, Progress, Reader, Refused, Standing, verify};
use support::{Running, answered, config, intent, read, verifier};

const DIRECTORY: &str = "RINGFENCE_TEST_LEDGER";

fn child(test: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--ignored"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn directory() -> PathBuf {
    PathBuf::from(std::env::var(DIRECTORY).expect("run by the test that starts it"))
}

#[test]
#[ignore = "the child of a_killed_gateway_has_written_all_it_acknowledged"]
fn trading() {
    let mut config = config(&directory());
    config.preallocate_bytes = 1 << 20;
    config.checkpoint_ms = 3;
    let running = Running::try_open(config).unwrap();
    for number in running.recovery.size.. {
        let message = format!("0badcafe-{number}");
        assert_eq!(running.strict(&intent(&message)), Standing::Durable);
        println!("acknowledged {message}");
        std::io::stdout().flush().unwrap();
        running
            .ledger
            .append(&answered(&message), Durability::Relaxed)
            .unwrap();
    }
}

#[test]
fn a_killed_gateway_has_written_all_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    for round in 0..12 {
        let mut gateway = child("trading", directory.path());
        let lines = BufReader::new(gateway.stdout.take().unwrap()).lines();
        let messages = lines.map_while(Result::ok).filter_map(|line| {
            line.split_once("acknowledged ")
                .map(|(_, message)| message.to_owned())
        });
        // Killed at another point of its cycle each time.
        acknowledged.extend(messages.take(3 + round * 7));
        gateway.kill().unwrap();
        gateway.wait().unwrap();
    }
    let vkey = verifier().to_string();
    let report = verify(directory.path(), Some(&vkey), &mut |_| {}).unwrap();
    assert!(report.first_bad.is_none(), "{report:?}");
    Running::open(directory.path()).ledger.close().unwrap();
    let report = verify(directory.path(), Some(&vkey), &mut |_| {}).unwrap();
    assert!(report.clean() && report.open_intents == 0, "{report:?}");
    let mut reader = Reader::open(directory.path(), 0).unwrap();
    let mut decided = HashSet::new();
    while let Some((_, entry)) = reader.next_entry().unwrap() {
        let entry = String::from_utf8(entry.to_vec()).unwrap();
        if entry.contains("\"kind\":\"decision\"") {
            let message = entry
                .split("\"message\":\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            assert!(
                decided.insert(message.to_owned()),
                "{message} is there twice"
            );
        }
    }
    assert!(acknowledged.is_subset(&decided));
}

// Files of this process may not grow past `bytes`; writing beyond fails with EFBIG.
#[allow(unsafe_code)]
fn limit_files(bytes: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: both calls take plain values, and a pointer to one that outlives the call.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
}

#[test]
#[ignore = "the child of a_full_disk_refuses_until_there_is_space"]
fn filling() {
    let running = Running::open(&directory());
    assert_eq!(running.strict(&intent("before")), Standing::Durable);
    limit_files(4096);
    let mut lost = 0;
    for number in 0..100 {
        if running.strict(&intent(&format!("full-{number}"))) == Standing::Lost {
            lost += 1;
        }
    }
    assert!(lost > 50 && !running.ledger.healthy());
    assert_eq!(
        running.ledger.append(&read("r"), Durability::Relaxed),
        Err(Refused::Failed)
    );
    limit_files(libc::RLIM_INFINITY);
    running.until(|told| matches!(told.last(), Some(Progress::Resumed { .. })));
    assert_eq!(running.strict(&intent("after")), Standing::Durable);
    running.ledger.close().unwrap();
}

#[test]
fn a_full_disk_refuses_until_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    assert!(child("filling", directory.path()).wait().unwrap().success());
    let vkey = verifier().to_string();
    let report = verify(directory.path(), Some(&vkey), &mut |_| {}).unwrap();
    assert!(report.clean(), "{report:?}");
    let mut reader = Reader::open(directory.path(), 0).unwrap();
    let mut all = String::new();
    while let Some((_, entry)) = reader.next_entry().unwrap() {
        all.push_str(std::str::from_utf8(entry).unwrap());
    }
    assert!(all.contains("\"event\":\"ledger.gap\""));
    assert!(all.contains("\"message\":\"before\"") && all.contains("\"message\":\"after\""));
}
