//! Prints what a look at the limits nearest to their edge costs, by the number of subjects, and what messages notice of it.
//!
//! `cargo run --release -p ringfence-core --example survey_cost`

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ringfence_core::budget::{
    BudgetTable, Cost, Counts, Known, Limit, Payer, Subject, Survey, Usages,
};
use ringfence_core::operation::Operation;

const NOW_MS: u64 = 1_700_000_000_000;
const MESSAGES: u32 = 500_000;

/// Returns a table of so many addresses with three limits each.
fn table(addresses: u32) -> BudgetTable {
    let limit =
        |name, counts, window_ms| Limit::fixed(name, Subject::Address, counts, 1 << 20, window_ms);
    let limits = vec![
        limit("weight", Counts::Weight, 60_000),
        limit("requests", Counts::Requests, 1000),
        limit("orders", Counts::Orders, 10_000),
    ];
    let table = BudgetTable::new(limits, 1 << 21).unwrap();
    for peer in 0..addresses {
        ask(&table, peer);
    }
    table
}

fn ask(table: &BudgetTable, peer: u32) {
    let payer = Payer {
        peer: IpAddr::V4(Ipv4Addr::from_bits(peer)),
        operation: Operation::OrderPlace,
        orders: &[],
        about: &[],
        credential: None,
        upstream: None,
        venue: None,
    };
    let cost = Cost {
        weight: 1,
        orders: 1,
        items: 1,
    };
    let charged = table.take(&payer, cost, NOW_MS, &mut Usages::default());
    drop(charged.unwrap());
}

/// Returns how long one look takes.
fn look(table: &BudgetTable, survey: &mut Survey) -> Duration {
    let start = Instant::now();
    table.survey(survey, 50, NOW_MS, Arc::<Known>::default);
    start.elapsed()
}

/// Returns how long messages take, half of them and all but one in ten thousand; with somebody who looks 20 times a second,
/// or never.
fn messages(table: &BudgetTable, addresses: u32, watched: bool) -> [Duration; 2] {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut survey = Survey::default();
            while watched && !over.load(Ordering::Relaxed) {
                look(table, &mut survey);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let mut times: Vec<Duration> = (0..MESSAGES)
            .map(|n| {
                let start = Instant::now();
                ask(table, n.wrapping_mul(0x9e37_79b1) % addresses);
                start.elapsed()
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        times.sort_unstable();
        [
            times[times.len() / 2],
            times[times.len() - times.len() / 10_000],
        ]
    })
}

fn main() {
    for addresses in [1_000, 100_000, 1_000_000] {
        let table = table(addresses);
        let mut survey = Survey::default();
        let mut times: Vec<_> = (0..21).map(|_| look(&table, &mut survey)).collect();
        times.sort_unstable();
        println!("{addresses:>9} addresses: {:.1?} for a look", times[10]);
        for (watched, said) in [
            (false, "nobody looks"),
            (true, "looked at 20 times a second"),
        ] {
            let [half, most] = messages(&table, addresses, watched);
            println!("          {said}: {half:.1?} for a message, {most:.1?} for one in 10,000");
        }
    }
}
