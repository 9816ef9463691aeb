//! Whatever is asked after a call that takes out of use has returned is refused, ten thousand times over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringfence_core::address::Cidr;
use ringfence_core::authority::{Act, check};
use ringfence_core::credential::{CredentialTable, NewCredential, State};
use ringfence_core::operation::{Operation, Scopes};
use ringfence_core::session::{Coverage, Demands};
use ringfence_core::sign::{Algorithm, VerifyingKey};

const ROUNDS: u32 = 10_000;
/// How long is listened for an accept after each return.
const LISTEN: Duration = Duration::from_micros(20);

/// When the last accepted question was asked, and how many there were.
#[derive(Default)]
struct Accepts {
    last_ns: AtomicU64,
    count: AtomicU64,
}

fn credential() -> NewCredential {
    NewCredential {
        key_id: "k1".into(),
        account: "alice".into(),
        key: VerifyingKey::from_parts(Algorithm::HmacSha256, &[7; 32]).unwrap(),
        scopes: Scopes::parse(["trade"]).unwrap(),
        allow: [Cidr::parse("192.0.2.0/24").unwrap()].into(),
        demands: Demands::default(),
        expires_us: None,
        state: State::Active,
        held: None,
        standing: None,
        shard: None,
    }
}

fn ask(table: &CredentialTable, act: &Act, start: Instant, accepts: &Accepts) {
    // Taken before the question: so an accept is counted against the call only if it came after it.
    let asked_ns = u64::try_from(start.elapsed().as_nanos()).unwrap();
    let who = table.get("k1").unwrap();
    if check(&who, act, 0).is_ok() {
        accepts.last_ns.fetch_max(asked_ns, Ordering::SeqCst);
        accepts.count.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn nothing_asked_after_the_return_is_accepted_in_ten_thousand_rounds() {
    let (table, accepts) = (CredentialTable::new(), Accepts::default());
    table.put(credential()).unwrap();
    let (over, start, act) = (
        AtomicBool::new(false),
        Instant::now(),
        Act {
            operation: Operation::OrderPlace,
            peer: IpAddr::from([192, 0, 2, 1]),
            coverage: Coverage::Venue,
            certificate: None,
        },
    );
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    ask(&table, &act, start, &accepts);
                    // So that few processors are enough for all three.
                    std::thread::yield_now();
                }
            });
        }
        let mut late = 0;
        for round in 0..ROUNDS {
            let before = accepts.count.load(Ordering::SeqCst);
            while accepts.count.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
            // By itself, and by the principal it acts for.
            let by_principal = round % 2 == 1;
            if by_principal {
                table.hold(["alice"], true);
            } else {
                table.set_state("k1", State::Suspended).unwrap();
            }
            let returned = start.elapsed();
            while start.elapsed() < returned + LISTEN {
                std::hint::spin_loop();
            }
            let last = Duration::from_nanos(accepts.last_ns.load(Ordering::SeqCst));
            late += u32::from(last > returned);
            if by_principal {
                table.hold(["alice"], false);
            } else {
                table.set_state("k1", State::Active).unwrap();
            }
        }
        over.store(true, Ordering::Relaxed);
        assert_eq!(late, 0);
    });
}
