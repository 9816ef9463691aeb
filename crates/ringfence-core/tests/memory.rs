//! A credential in use takes less than a kilobyte, and a permitted order allocates next to nothing.
//!
//! One test, because it counts what the whole process allocates.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use aws_lc_rs::hmac;
use ringfence_core::address::Cidr;
use ringfence_core::ban::Bans;
use ringfence_core::budget::{BudgetTable, Cost, Counts, Limit, Subject};
use ringfence_core::credential::{CredentialTable, NewCredential, State};
use ringfence_core::decimal::Decimal;
use ringfence_core::edge::EdgeBudget;
use ringfence_core::freshness::Window;
use ringfence_core::funds::Withdrawals;
use ringfence_core::guard::{Guard, Instrument, OrderKind, OrderText};
use ringfence_core::mode::Modes;
use ringfence_core::operation::{Operation, Scopes};
use ringfence_core::pipeline::{Core, Message};
use ringfence_core::placed::PlacedOrders;
use ringfence_core::replay::ReplayRoom;
use ringfence_core::session::{Coverage, Demands};
use ringfence_core::sign::{
    Algorithm, Claim, Encoding, HmacForm, SignatureEncodings, Stamp, VerifyingKey,
};

struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed to the system's allocator unchanged; counting touches no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        CALLS.fetch_add(1, Ordering::Relaxed);
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

const LIMIT: OrderKind = OrderKind::LIMIT;
const CREDENTIALS: u32 = 100_000;
const NOW_US: u64 = 1_700_000_000_000_000;
const WINDOW: Window = Window {
    default_us: 5_000_000,
    max_us: 60_000_000,
    ahead_us: 1_000_000,
};

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn limit(subject: Subject, counts: Counts, window_ms: u64) -> Limit {
    let name = format!("{}-{window_ms}", subject.as_str());
    Limit::fixed(&name, subject, counts, 1_000_000_000, window_ms)
}

fn core() -> Core {
    let instrument = Instrument {
        tick: decimal("0.01"),
        lot: decimal("0.00001"),
        min_quantity: decimal("0.00001"),
        max_quantity: decimal("9000"),
        min_notional: Some(decimal("5")),
        max_notional: decimal("9000000"),
        price_min: decimal("0.01"),
        price_max: decimal("1000000"),
        whole_position: false,
    };
    let limits = vec![
        limit(Subject::Credential, Counts::Weight, 60_000),
        limit(Subject::Credential, Counts::Requests, 300_000),
        limit(Subject::Account, Counts::Orders, 10_000),
        limit(Subject::Account, Counts::Orders, 86_400_000),
        limit(Subject::Address, Counts::Weight, 60_000),
    ];
    Core {
        credentials: CredentialTable::new(),
        edge: EdgeBudget::new(1_000_000_000, 1000, 65_536),
        bans: Bans::default(),
        budget: BudgetTable::new(limits, 1_000_000).unwrap(),
        guard: Guard::new(HashMap::from([("BTCUSDT".into(), instrument)])),
        room: ReplayRoom::new(262_144, 4_194_304),
        shares: None,
        placed: PlacedOrders::default(),
        modes: Modes::default(),
        egress: None,
        policy: None,
        withdrawals: Withdrawals::default(),
    }
}

/// A credential with an account of its own, an id and a secret as long as Binance's, two networks.
fn credential(number: u32) -> NewCredential {
    NewCredential {
        key_id: format!("{number:064}").into(),
        account: format!("account-{number:08}").into(),
        key: VerifyingKey::from_parts(Algorithm::HmacSha256, &secret(number)).unwrap(),
        scopes: Scopes::parse(["read", "trade"]).unwrap(),
        allow: ["192.0.2.0/24", "2001:db8::/32"]
            .map(|network| Cidr::parse(network).unwrap())
            .into(),
        demands: Demands::default(),
        expires_us: Some(NOW_US + 1),
        state: State::Active,
        held: None,
        standing: None,
        shard: None,
    }
}

fn secret(number: u32) -> Vec<u8> {
    format!("{number:064}").into_bytes()
}

/// Signs and sends one order of a credential; returns how often deciding on it allocated.
fn send(core: &Core, number: u32, payload: &str) -> usize {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret(number));
    let tag = hmac::sign(&key, payload.as_bytes());
    let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let key_id = format!("{number:064}");
    let message = Message {
        peer: IpAddr::from([192, 0, 2, 1]),
        operation: Operation::OrderPlace,
        signed: true,
        claim: Some(Claim {
            key_id: &key_id,
            payload: payload.as_bytes(),
            signature: hex.as_bytes(),
            otherwise: None,
            hmac: HmacForm::default(),
            encodings: SignatureEncodings {
                ecdsa: None,
                ed25519: Some(Encoding::Base64),
                hmac: Some(Encoding::Hex),
                rsa: Some(Encoding::Base64),
            },
            coverage: Coverage::Venue,
            recovered: None,
            stamp: Stamp {
                time_us: NOW_US,
                window_us: WINDOW.default_us,
            },
        }),
        named: None,
        session: None,
        certificate: None,
        transport: "http/1.1",
        funds: None,
        about: &[],
        orders: &[OrderText {
            symbol: "BTCUSDT",
            side: "BUY",
            kind: "LIMIT",
            terms: Some(LIMIT),
            price: Some("30000.00"),
            quantity: Some("0.01000000"),
            ..OrderText::default()
        }],
        cost: Cost {
            weight: 1,
            orders: 1,
            items: 1,
        },
    };
    let before = CALLS.load(Ordering::Relaxed);
    let edge = core.admit(message.peer, NOW_US).unwrap();
    let decision = core.decide(&message, edge, &WINDOW, NOW_US);
    let allocated = CALLS.load(Ordering::Relaxed) - before;
    decision.outcome.unwrap().revalidate(NOW_US).unwrap();
    allocated
}

#[test]
fn a_hundred_thousand_credentials_take_less_than_a_kilobyte_each() {
    let core = core();
    let before = BYTES.load(Ordering::Relaxed);
    for number in 0..CREDENTIALS {
        core.credentials.put(credential(number)).unwrap();
    }
    let each = |now: isize| (now - before) / CREDENTIALS as isize;
    let idle = each(BYTES.load(Ordering::Relaxed));
    for number in 0..CREDENTIALS {
        send(&core, number, "symbol=BTCUSDT&n=0");
    }
    let used = each(BYTES.load(Ordering::Relaxed));
    println!("{idle} bytes per idle credential, {used} after an order of each");
    assert_eq!(core.credentials.len(), CREDENTIALS as usize);
    assert!(idle <= 1024 && used <= 1024, "{idle} idle, {used} used");

    // The first order made the counters; what is left is how the limits stand, and what replay memory keeps.
    let orders = 2000;
    let allocated: usize = (1..=orders)
        .map(|n| send(&core, 7, &format!("symbol=BTCUSDT&n={n}")))
        .sum();
    println!("{allocated} allocations for {orders} orders");
    assert!(
        allocated <= 2 * orders,
        "{allocated} allocations for {orders} orders"
    );
}
