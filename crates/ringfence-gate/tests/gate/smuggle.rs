//! Nothing of the HTTP/1.1 corpus reaches the venue in a form that two servers could read in two ways.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::common::Bench;
use serde_json::Value;

/// One in six of everything but the 1,500 permutations of one idea. tests/conformance runs all of these,
/// `RINGFENCE_CORPUS=.` every case.
const SHORT: [&str; 4] = ["--source", "^(?!smuggler)", "--limit", "120"];

/// Messages that the corpus would accept and we refuse, with the reason. One that passes must go from here.
const STRICTER: [(&str, &str, &str); 2] = [
    (
        "gunicorn/valid",
        "014",
        "a quote in the target is no URI character (RFC 3986 2)",
    ),
    ("llhttp", "uri: Quotes in URI", "as 014"),
];

#[test]
fn the_corpus_finds_no_desync_and_no_invalid_request() {
    let suite =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites/http1/run_smuggle.py");
    if !suite.exists() {
        eprintln!("skipped: the suite's folder is absent");
        return;
    }
    // The runner is the venue: it binds the port that is free now.
    let venue = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let bench = Bench::start(venue, |snapshot| {
        snapshot["listeners"][0]["dialect"] = "open".into();
        snapshot["http"]["header_bytes"] = 16384.into();
        snapshot["http"]["headers"] = 100.into();
        snapshot["http"]["header_timeout_ms"] = 5000.into();
        snapshot["http"]["body_timeout_ms"] = 5000.into();
    });
    let cases = match std::env::var("RINGFENCE_CORPUS") {
        Ok(source) => vec!["--source".to_owned(), source],
        Err(_) => SHORT.map(str::to_owned).to_vec(),
    };
    let results = bench.folder.path().join("results.jsonl");
    let done = Command::new("python3")
        .arg(suite)
        .args([
            "--proxy",
            &bench.address.to_string(),
            "--backend-port",
            &venue.port().to_string(),
        ])
        .args(&cases)
        .arg("--out")
        .arg(&results)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let rows = std::fs::read_to_string(results).unwrap_or_default();
    let rows: Vec<Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        rows.len() >= 120,
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let name = |row: &Value| (row["source"].to_string(), row["name"].to_string());
    let stricter = |row: &&Value| {
        let listed = STRICTER
            .iter()
            .any(|(source, name, _)| row["source"] == *source && row["name"] == *name);
        !(listed && row["outcome"] == "rejected")
    };
    let failed = rows.iter().filter(|row| row["verdict"] == "FAIL");
    let failed: Vec<_> = failed.filter(stricter).map(name).collect();
    println!("{said}");
    assert!(failed.is_empty(), "{failed:?}\n{said}");
    let outcomes = ["forwarded", "rejected", "sanitized", "silent"];
    assert!(
        rows.iter()
            .all(|row| outcomes.contains(&row["outcome"].as_str().unwrap()))
    );
    assert_eq!(bench.gate.status()["panics"], 0);
}
