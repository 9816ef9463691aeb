//! Writes a ledger of earlier months, for tests and for looking at: `aged DIR ORIGIN KEY 2020-01:trade 2020-02:security ...`
//!
//! A month `trade` gets an order with its outcome and an event, a month `security` the event alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(missing_docs)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ringfence_ledger::{
    Controls, DecisionEntry, Durability, EventEntry, Fate, Ledger, LedgerConfig, Mode, Month,
    OutcomeEntry, Saw, SigningKey, Verdict, Volumes,
};

static NOW_US: AtomicU64 = AtomicU64::new(0);
const DAY_US: u64 = 86_400_000_000;

fn now() -> u64 {
    NOW_US.fetch_add(1_000, Ordering::Relaxed)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [directory, origin, key, months @ ..] = words.as_slice() else {
        panic!("aged DIR ORIGIN KEY MONTH:trade|security...");
    };
    for (number, word) in months.iter().enumerate() {
        let (month, class) = word.split_once(':').expect("MONTH:CLASS");
        let month = Month::parse(month).expect("a month such as 2020-01");
        let day = (0..).find(|day| Month::of(day * DAY_US) == month).unwrap();
        NOW_US.store((day + 3) * DAY_US, Ordering::Relaxed);
        write(Path::new(directory), origin, key, class == "trade", number);
    }
}

fn write(directory: &Path, origin: &str, key: &str, trade: bool, number: usize) {
    let config = LedgerConfig {
        directory: directory.to_owned(),
        origin: origin.to_owned(),
        signing_key: SigningKey::from_file(Path::new(key)).expect("a key"),
        volumes: Volumes::Monthly,
        mode: Mode::Strict { group_ms: 1 },
        checkpoint_ms: 1_000,
        heartbeat_ms: 0,
        commit_addresses: false,
        preallocate_bytes: 0,
    };
    let (ledger, _) = Ledger::open(config, now, Box::new(|_| {})).expect("a ledger");
    let (mut entry, message) = (Vec::new(), format!("00000000aged-{number}"));
    let event = EventEntry {
        event: "gate.start",
        detail: &[],
        time_us: now(),
    };
    event.encode(&mut entry);
    ledger.append(&entry, Durability::Strict).unwrap();
    if trade {
        intent(&message).encode(&mut entry);
        ledger.append_intent(&entry, &message).unwrap();
        outcome(&message).encode(&mut entry);
        ledger.append_outcome(&entry, &message).unwrap();
    }
    ledger.close().unwrap();
}

fn intent(message: &str) -> DecisionEntry<'_> {
    DecisionEntry {
        about: None,
        abouts: &[],
        account: Some("alice"),
        address: std::net::IpAddr::from([192, 0, 2, 1]).into(),
        claimed: None,
        controls: Controls {
            edge: Saw::Passed,
            ..Controls::default()
        },
        credential: Some("key-1"),
        dialect: "binance",
        latency_us: 12,
        listener: "spot",
        message,
        method: "POST",
        operation: Some("order.place"),
        order: None,
        orders: &[],
        verdict: Verdict::Permitted,
        path: "/api/v3/order",
        proof: None,
        route: None,
        shard: None,
        state_changing: true,
        status: None,
        time_us: now(),
        topics: &[],
        transport: "http/1.1",
    }
}

fn outcome(message: &str) -> OutcomeEntry<'_> {
    OutcomeEntry {
        latency_us: Some(900),
        message,
        order: None,
        orders: &[],
        reason: None,
        result: Fate::Answered,
        status: Some(200),
        time_us: now(),
    }
}
