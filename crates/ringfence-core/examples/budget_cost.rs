//! Prints what charging six limits of one message costs, by the number of subjects, and two more that fills change; what
//! a fill costs, what a subject takes, and how many of ten million messages on two threads were over.
//!
//! `cargo run --release -p ringfence-core --example budget_cost`

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::time::Instant;

use ringfence_core::budget::{
    Algorithm, BudgetTable, Cost, Counts, Fill, Limit, Payer, Subject, Subjects, Usages,
};
use ringfence_core::guard::OrderText;
use ringfence_core::operation::Operation;

struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: everything is handed to the system's allocator unchanged; counting touches no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const NOW_MS: u64 = 1_700_000_000_000;
const ONE: Cost = Cost {
    weight: 1,
    orders: 1,
    items: 1,
};

fn limit(
    subject: Subjects,
    counts: Counts,
    algorithm: Algorithm,
    quota: u64,
    window_ms: u64,
) -> Limit {
    Limit {
        algorithm,
        ..Limit::fixed("one", subject, counts, quota, window_ms)
    }
}

/// Six limits, three of them on what strangers can make: addresses.
fn six(quota: u64) -> Vec<Limit> {
    let (address, symbol) = (Subject::Address, Subject::Symbol);
    let bucket = Algorithm::Drain { rate: 1000 };
    [
        (address.into(), Counts::Weight, Algorithm::Fixed, 60_000),
        (address.into(), Counts::Requests, bucket, 1000),
        (address.into(), Counts::Orders, Algorithm::Anchored, 30_000),
        (
            Subjects::from(address).with(symbol),
            Counts::Orders,
            Algorithm::Fixed,
            10_000,
        ),
        (
            Subject::Network.into(),
            Counts::Requests,
            Algorithm::Fixed,
            1000,
        ),
        (Subject::Global.into(), Counts::Requests, bucket, 1000),
    ]
    .map(|(subject, counts, algorithm, window_ms)| {
        limit(subject, counts, algorithm, quota, window_ms)
    })
    .into()
}

/// Two more, that fills change: orders that are not filled, and a ratio of orders to trades.
fn eight(quota: u64) -> Vec<Limit> {
    let (address, pair) = (
        Subjects::from(Subject::Address),
        Subjects::from(Subject::Address).with(Subject::Symbol),
    );
    let ratio = Algorithm::Ratio { max_e4: 5_000_000 };
    let more = [
        (address, Counts::Unfilled, Algorithm::Fixed, 10_000),
        (pair, Counts::OrderToTrade, ratio, 86_400_000),
    ];
    let more = more.map(|(subject, counts, algorithm, window_ms)| {
        limit(subject, counts, algorithm, quota, window_ms)
    });
    six(quota).into_iter().chain(more).collect()
}

fn orders() -> [OrderText<'static>; 1] {
    [OrderText {
        symbol: "BTCUSDT",
        ..OrderText::default()
    }]
}

fn payer<'a>(orders: &'a [OrderText<'a>], peer: u32) -> Payer<'a> {
    Payer {
        peer: IpAddr::V4(Ipv4Addr::from_bits(peer)),
        operation: Operation::OrderPlace,
        orders,
        about: &[],
        credential: None,
        upstream: None,
        venue: None,
    }
}

fn ask(table: &BudgetTable, peer: u32, now_ms: u64) -> bool {
    let orders = orders();
    let payer = payer(&orders, peer);
    let mut usages = Usages::default();
    let taken = table.take(black_box(&payer), ONE, now_ms, &mut usages);
    black_box(&usages);
    taken.is_ok()
}

/// Returns nanoseconds of a message that meets these limits, with so many addresses in the table, in no order.
fn cost(limits: Vec<Limit>, addresses: u32) -> u128 {
    const MESSAGES: u32 = 1_000_000;
    let table = BudgetTable::new(limits, 1 << 23).unwrap();
    for peer in 0..addresses {
        ask(&table, peer, NOW_MS);
    }
    let runs = (0..5).map(|_| {
        let start = Instant::now();
        for n in 0..MESSAGES {
            let peer = n.wrapping_mul(0x9e37_79b1) % addresses;
            ask(&table, peer, NOW_MS + u64::from(n / 100));
        }
        start.elapsed().as_nanos() / u128::from(MESSAGES)
    });
    runs.min().unwrap()
}

/// Returns nanoseconds of noting whose budgets an order was charged to, and of a fill that changes them.
fn fill() -> u128 {
    const ADDRESSES: u32 = 100_000;
    let table = BudgetTable::new(eight(1 << 30), 1 << 23).unwrap();
    for peer in 0..ADDRESSES {
        ask(&table, peer, NOW_MS);
    }
    let start = Instant::now();
    for n in 0..ADDRESSES {
        let (orders, peer) = (orders(), n.wrapping_mul(0x9e37_79b1) % ADDRESSES);
        let stakes = table.stakes(&payer(&orders, peer), NOW_MS);
        let fill = Fill {
            first: true,
            first_ms: None,
            last_ms: None,
            lots: 1,
            now_ms: NOW_MS,
        };
        table.filled(black_box(&stakes), &fill);
    }
    start.elapsed().as_nanos() / u128::from(ADDRESSES)
}

/// Returns bytes of each of a million addresses with three limits, index and all.
fn size() -> isize {
    const ADDRESSES: u32 = 1_000_000;
    let mut limits = six(1 << 30);
    limits.truncate(3);
    let before = BYTES.load(Ordering::Relaxed);
    let table = BudgetTable::new(limits, 1 << 21).unwrap();
    for peer in 0..ADDRESSES {
        ask(&table, peer, NOW_MS);
    }
    let bytes = BYTES.load(Ordering::Relaxed) - before;
    drop(table);
    bytes / ADDRESSES as isize
}

/// Returns how many of ten million messages on two threads passed more than they may.
fn over() -> u64 {
    const QUOTA: u64 = 1_000;
    let table = BudgetTable::new(six(QUOTA), 1 << 16).unwrap();
    let windows: Vec<AtomicU64> = (0..500).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..5_000_000_u64 {
                    // Ten seconds go by while ten thousand messages come.
                    let now_ms = NOW_MS + n;
                    if ask(&table, 1, now_ms) {
                        let window = now_ms / 10_000 - NOW_MS / 10_000;
                        windows[window as usize % 500].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let excess = windows
        .iter()
        .map(|passed| passed.load(Ordering::Relaxed).saturating_sub(QUOTA));
    excess.sum()
}

fn main() {
    for addresses in [1, 1_000, 100_000, 1_000_000] {
        let (six, eight) = (
            cost(six(1 << 30), addresses),
            cost(eight(1 << 30), addresses),
        );
        println!(
            "{addresses:>9} addresses: {six} ns for six limits, {eight} ns with two that fills change"
        );
    }
    println!("{} ns for a fill", fill());
    println!("{} bytes an address, with three limits", size());
    println!("{} over, of 2 x 5,000,000 messages", over());
}
