//! A publisher that is killed at any moment leaves what verifies, and the next one completes it.
//!
//! The publisher runs in a child: this test binary again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ringfence_ledger::{publish, verify};
use support::{grow, verifier};

const DIRECTORY: &str = "RINGFENCE_TEST_LEDGER";
const ENTRIES: usize = 3_000;
const KILLS: u32 = 40;

fn publisher(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "publishing", "--ignored"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the child of a_killed_publisher_leaves_what_verifies"]
fn publishing() {
    let directory = PathBuf::from(std::env::var(DIRECTORY).expect("run by the test above"));
    publish(&directory).unwrap();
}

#[test]
fn a_killed_publisher_leaves_what_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let (path, vkey) = (directory.path(), verifier().to_string());
    let (mut size, mut interrupted) = (0, 0);
    for kill in 0..KILLS {
        // Every fourth begins with nothing, so that full tiles are on their way too.
        if kill % 4 == 0 && path.join("tlog").exists() {
            fs::remove_dir_all(path.join("tlog")).unwrap();
        }
        let more = if size == 0 { ENTRIES } else { 97 };
        grow(path, 0..more);
        size += more as u64;
        let mut child = publisher(path);
        std::thread::sleep(Duration::from_micros(u64::from(kill) * 700 + 300));
        child.kill().unwrap();
        child.wait().unwrap();
        let report = verify(path, Some(&vkey), &mut |_| {}).unwrap();
        assert!(report.first_bad.is_none(), "{report:?}");
        assert!(report.published_bad.is_none(), "kill {kill}: {report:?}");
        if report.published != Some(size) {
            interrupted += 1;
        }
        if kill % 2 == 1 {
            publish(path).unwrap();
            let report = verify(path, Some(&vkey), &mut |_| {}).unwrap();
            assert!(
                report.clean() && report.published == Some(size),
                "{report:?}"
            );
        }
    }
    assert!(
        interrupted > KILLS / 4,
        "only {interrupted} of {KILLS} came in time"
    );
}
