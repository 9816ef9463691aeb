//! How long publishing a log takes, and a receipt from it.
//!
//! `cargo run --release -p ringfence-ledger --example prove_rate -- DIR ENTRIES [short]`: `short` entries
//! have 110 bytes instead of 300, so that 100 million fit a small disk.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ringfence_ledger::{
    Durability, Fate, Ledger, LedgerConfig, Mode, OutcomeEntry, Refused, SigningKey, Volumes,
    prove, publish,
};

const PROOFS: u64 = 2_000;

const REASON: &str = "as long as an entry of an order is, about three hundred bytes of text, which is what an order with its \
                      controls and its fields takes up here";

fn write(directory: PathBuf, entries: u64, reason: Option<&str>) {
    let config = LedgerConfig {
        directory,
        origin: "example.com/bench".into(),
        signing_key: SigningKey::from_seed(&[7; 32]).unwrap(),
        volumes: Volumes::Whole,
        mode: Mode::Group { ms: 5 },
        checkpoint_ms: 1000,
        heartbeat_ms: 0,
        commit_addresses: false,
        preallocate_bytes: 16 << 20,
    };
    let ledger = Ledger::open(config, || 1, Box::new(|_| {})).unwrap().0;
    let mut entry = Vec::new();
    for number in 0..entries {
        OutcomeEntry {
            latency_us: Some(900),
            message: &format!("0badcafe0badcafe-{number}"),
            order: None,
            orders: &[],
            reason,
            result: Fate::Answered,
            status: Some(200),
            time_us: 1_790_000_000_000_000 + number,
        }
        .encode(&mut entry);
        while ledger.append(&entry, Durability::Relaxed) == Err(Refused::Full) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    ledger.close().unwrap();
}

fn main() {
    let mut words = std::env::args().skip(1);
    let directory = PathBuf::from(words.next().expect("DIR"));
    let entries: u64 = words.next().expect("ENTRIES").parse().unwrap();
    let short = words.next().is_some_and(|word| word == "short");
    write(directory.clone(), entries, (!short).then_some(REASON));
    let start = Instant::now();
    let size = publish(&directory).unwrap().checkpoint.size;
    let took = start.elapsed();
    let rate = size as f64 / took.as_secs_f64();
    println!("published {size} entries in {took:.1?}: {rate:.0} entries/s");
    let mut times: Vec<Duration> = (0..PROOFS)
        .map(|number| {
            // Spread over the log by a step that has no factor in common with most sizes.
            let index = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
            let start = Instant::now();
            prove(&directory, index).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100];
    println!("receipt: p50 {:.0?}, p99 {:.0?}", at(50), at(99));
}
