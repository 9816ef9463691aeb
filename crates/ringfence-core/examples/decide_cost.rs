//! Prints what deciding on one signed order costs, by algorithm and by number of threads, and what on a batch.
//!
//! `cargo run --release -p ringfence-core --example decide_cost`; with `--json` a line for each size of a batch, for
//! `make bench`.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs)]

use std::collections::HashMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Instant;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence_core::address::Cidr;
use ringfence_core::ban::Bans;
use ringfence_core::budget::{BudgetTable, Cost, Counts, Limit, Subject};
use ringfence_core::credential::{CredentialTable, NewCredential, State};
use ringfence_core::decimal::Decimal;
use ringfence_core::edge::EdgeBudget;
use ringfence_core::freshness::Window;
use ringfence_core::funds::Withdrawals;
use ringfence_core::guard::{Guard, Instrument, OrderKind, OrderText};
use ringfence_core::mode::{Control, Mode, Modes};
use ringfence_core::operation::{Operation, Scopes};
use ringfence_core::pipeline::{Core, Message};
use ringfence_core::placed::PlacedOrders;
use ringfence_core::replay::ReplayRoom;
use ringfence_core::session::{Coverage, Demands};
use ringfence_core::sign::{
    Algorithm, Claim, Encoding, HmacForm, SignatureEncodings, Stamp, VerifyingKey,
};

const LIMIT: OrderKind = OrderKind::LIMIT;
const NOW_US: u64 = 1_700_000_000_000_000;
const ORDERS: usize = 50_000;
/// Orders of one message.
const AT_ONCE: [usize; 5] = [1, 2, 5, 20, 50];
const WINDOW: Window = Window {
    default_us: 5_000_000,
    max_us: 60_000_000,
    ahead_us: 1_000_000,
};

type Sign = Box<dyn Fn(&[u8]) -> String>;

/// What signs, and the key that verifies it.
struct Signer {
    name: &'static str,
    sign: Sign,
    key: Box<dyn Fn() -> VerifyingKey>,
    orders: usize,
}

fn signers() -> Vec<Signer> {
    let secret = [7; 64];
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let random = SystemRandom::new();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let ed25519 = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let ed25519_public = ed25519.public_key().as_ref().to_vec();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let rsa_public = rsa.public_key().as_ref().to_vec();
    let key = |algorithm, material: Vec<u8>| {
        Box::new(move || VerifyingKey::from_parts(algorithm, &material).unwrap())
    };
    vec![
        Signer {
            name: "hmac-sha256",
            sign: Box::new(move |payload| {
                let tag = hmac::sign(&hmac_key, payload);
                tag.as_ref().iter().map(|b| format!("{b:02x}")).collect()
            }),
            key: key(Algorithm::HmacSha256, secret.to_vec()),
            orders: ORDERS,
        },
        Signer {
            name: "ed25519",
            sign: Box::new(move |payload| STANDARD.encode(ed25519.sign(payload))),
            key: key(Algorithm::Ed25519, ed25519_public),
            orders: 5000,
        },
        Signer {
            name: "rsa-2048",
            sign: Box::new(move |payload| {
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    payload,
                    &mut signature,
                )
                .unwrap();
                STANDARD.encode(signature)
            }),
            key: key(Algorithm::RsaPkcs1Sha256, rsa_public),
            orders: 2000,
        },
    ]
}

fn core(modes: Modes) -> Core {
    let decimal = |text| Decimal::parse(text).unwrap();
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
    let limits = [
        (Subject::Credential, Counts::Weight, 60_000),
        (Subject::Account, Counts::Orders, 10_000),
        (Subject::Account, Counts::Orders, 86_400_000),
        (Subject::Address, Counts::Requests, 300_000),
    ];
    let limits = limits.map(|(subject, counts, window_ms)| {
        Limit::fixed(subject.as_str(), subject, counts, 1_000_000_000, window_ms)
    });
    Core {
        egress: None,
        policy: None,
        withdrawals: Withdrawals::default(),
        credentials: CredentialTable::new(),
        edge: EdgeBudget::new(1_000_000_000, 1000, 65_536),
        bans: Bans::default(),
        budget: BudgetTable::new(limits.to_vec(), 1_000_000).unwrap(),
        guard: Guard::new(HashMap::from([("BTCUSDT".into(), instrument)])),
        room: ReplayRoom::new(1 << 20, 1 << 24),
        shares: None,
        placed: PlacedOrders::default(),
        modes,
    }
}

/// One thread's orders: who sends them, and each with its signature.
struct Batch {
    key_id: String,
    orders: Vec<(String, String)>,
}

fn batch(signer: &Signer, key_id: String) -> Batch {
    let orders = (0..signer.orders).map(|n| {
        let payload = format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01000000\
             &price=30000.00&recvWindow=5000&timestamp=1700000000000&newClientOrderId={n:08}"
        );
        let signature = (signer.sign)(payload.as_bytes());
        (payload, signature)
    });
    Batch {
        orders: orders.collect(),
        key_id,
    }
}

/// Decides on each message, which has `at_once` orders.
fn decide_all(core: &Core, batch: &Batch, at_once: usize) {
    let order = OrderText {
        symbol: "BTCUSDT",
        side: "BUY",
        kind: "LIMIT",
        terms: Some(LIMIT),
        price: Some("30000.00"),
        quantity: Some("0.01000000"),
        ..OrderText::default()
    };
    let orders = vec![order; at_once];
    for (n, (payload, signature)) in (0..).zip(&batch.orders) {
        // Time goes on by 20 us a message: 50,000 a second, so that a window holds 250,000.
        let now_us = NOW_US + n * 20;
        let message = Message {
            peer: IpAddr::from([192, 0, 2, 1]),
            operation: Operation::OrderPlace,
            signed: true,
            claim: Some(Claim {
                key_id: &batch.key_id,
                payload: payload.as_bytes(),
                signature: signature.as_bytes(),
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
                    time_us: now_us,
                    window_us: WINDOW.default_us,
                },
            }),
            named: None,
            session: None,
            certificate: None,
            transport: "http/1.1",
            funds: None,
            orders: &orders,
            about: &[],
            cost: Cost {
                weight: 1,
                orders: at_once as u32,
                items: at_once as u32,
            },
        };
        let edge = core.admit(message.peer, now_us).unwrap();
        let decision = core.decide(black_box(&message), edge, &WINDOW, now_us);
        black_box(&decision).outcome.as_ref().unwrap();
    }
}

/// Has the core know who sends.
fn known(core: Core, signer: &Signer, batches: &[Batch]) -> Core {
    for batch in batches {
        let new = NewCredential {
            key_id: batch.key_id.as_str().into(),
            account: "alice".into(),
            key: (signer.key)(),
            scopes: Scopes::parse(["trade"]).unwrap(),
            allow: [Cidr::parse("192.0.2.0/24").unwrap()].into(),
            demands: Demands::default(),
            expires_us: None,
            state: State::Active,
            held: None,
            standing: None,
            shard: None,
        };
        core.credentials.put(new).unwrap();
    }
    core
}

/// Returns nanoseconds per message and thread, of the quickest of nine runs: the machine's other work
/// only ever adds to it.
fn measure(signer: &Signer, modes: Modes, threads: usize, at_once: usize) -> u128 {
    let batches: Vec<_> = (0..threads)
        .map(|thread| batch(signer, format!("{thread:064}")))
        .collect();
    let runs = (0..9).map(|_| {
        let core = known(core(modes), signer, &batches);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for batch in &batches {
                scope.spawn(|| decide_all(&core, batch, at_once));
            }
        });
        start.elapsed().as_nanos() / signer.orders as u128
    });
    runs.min().unwrap_or_default()
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("--json") => by_batch(),
        _ => by_control(),
    }
}

fn by_batch() {
    let mut signer = signers().swap_remove(0);
    signer.orders = 10_000;
    for at_once in AT_ONCE {
        let ns = measure(&signer, Modes::default(), 1, at_once);
        println!("{{\"orders\":{at_once},\"ns\":{ns}}}");
    }
}

fn by_control() {
    let all = Modes::default();
    for signer in signers() {
        for threads in [1, 2] {
            let ns = measure(&signer, all, threads, 1);
            println!(
                "{:12} {threads} thread(s), all controls: {ns} ns an order",
                signer.name
            );
        }
    }
    let signers = signers();
    let whole = measure(&signers[0], all, 1, 1);
    for control in Control::ALL {
        let mut modes = all.with(control, Mode::Off);
        if control == Control::Identity {
            // Nobody may trade: authority would refuse.
            modes = modes.with(Control::Authority, Mode::Off);
        }
        let ns = measure(&signers[0], modes, 1, 1);
        println!("without {:10} {ns} ns ({whole} with)", control.as_str());
    }
}
