//! No limit is ever exceeded, by any history of messages and any interleaving of threads; and a
//! message that is refused charges nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod across;
mod fills;
mod interleave;
mod model;
mod order;
mod orders;
mod ratios;
mod shards;
mod subjects;
mod under_way;
mod venue;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use super::{
    Algorithm, BudgetError, BudgetTable, Cost, Counts, LIMITS_MAX, Limit, Payer, Subject, Usages,
};
use crate::credential::tests::credential;
use crate::credential::{Credential, CredentialTable};
use crate::guard::OrderText;
use crate::operation::Operation;
use crate::refusal::{Code, Detail, Refusal, Retry};

const ONE: Cost = Cost {
    weight: 1,
    orders: 1,
    items: 1,
};

fn limit(subject: Subject, counts: Counts, quota: u64, window_ms: u64) -> Limit {
    let name = format!("{}-{}-{window_ms}", subject.as_str(), counts.as_str());
    Limit::fixed(&name, subject, counts, quota, window_ms)
}

fn address(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

/// Credentials c0..c3 of accounts a0 and a1.
fn credentials() -> Vec<Arc<Credential>> {
    let table = CredentialTable::new();
    (0..4)
        .map(|n| {
            let id = format!("c{n}");
            table.put(credential(&id, &format!("a{}", n / 2))).unwrap();
            table.get(&id).unwrap()
        })
        .collect()
}

fn order(symbol: &str) -> OrderText<'_> {
    OrderText {
        symbol,
        ..OrderText::default()
    }
}

pub(super) fn payer(peer: IpAddr, credential: Option<&Credential>) -> Payer<'_> {
    Payer {
        peer,
        operation: Operation::OrderPlace,
        orders: &[],
        about: &[],
        credential,
        upstream: None,
        venue: None,
    }
}

fn take(
    table: &BudgetTable,
    peer: u8,
    who: Option<&Credential>,
    cost: Cost,
    now_ms: u64,
) -> Result<Usages, Refusal> {
    let mut usages = Usages::default();
    table
        .take(&payer(address(peer), who), cost, now_ms, &mut usages)
        .map(|_| usages)
}

#[test]
fn a_clock_that_steps_back_refills_nothing() {
    let table = BudgetTable::new(
        vec![limit(Subject::Address, Counts::Requests, 2, 100)],
        10_000,
    )
    .unwrap();
    assert!(take(&table, 1, None, ONE, 250).is_ok());
    assert!(take(&table, 1, None, ONE, 350).is_ok());
    assert!(take(&table, 1, None, ONE, 350).is_ok());
    assert!(take(&table, 1, None, ONE, 350).is_err());
    // One unit of the window before is left, and nothing of those before that.
    assert!(take(&table, 1, None, ONE, 250).is_ok());
    for now_ms in [250, 150, 50, 0, 350] {
        assert!(take(&table, 1, None, ONE, now_ms).is_err(), "{now_ms}");
    }
    assert!(take(&table, 1, None, ONE, 400).is_ok());
}

#[test]
fn the_limit_that_lasts_longest_says_when_to_come_back() {
    let limits = vec![
        limit(Subject::Account, Counts::Orders, 1, 10_000),
        limit(Subject::Credential, Counts::Weight, 1, 60_000),
        limit(Subject::Address, Counts::Requests, 1, 1000),
    ];
    let table = BudgetTable::new(limits, 10_000).unwrap();
    let who = credentials();
    assert!(take(&table, 1, Some(&who[0]), ONE, 60_500).is_ok());
    let refusal = take(&table, 1, Some(&who[0]), ONE, 60_500).unwrap_err();
    assert_eq!(refusal.code, Code::BudgetExceeded);
    assert_eq!(refusal.retry, Retry::AfterMs(59_500));
    let Detail::Limit(detail) = refusal.detail else {
        panic!("{refusal}")
    };
    assert_eq!(&*detail.name, "credential-weight-60000");
    assert!(detail.subject.is(Subject::Credential));
    assert_eq!(&*detail.bound, "1 weight in 60000 ms");
}

#[test]
fn usages_stand_in_the_order_of_the_configuration() {
    let limits = vec![
        limit(Subject::Credential, Counts::Weight, 10, 1000),
        limit(Subject::Account, Counts::Orders, 5, 10_000),
        limit(Subject::Address, Counts::Requests, 7, 1000),
        limit(Subject::Credential, Counts::Weight, 2, 60_000),
    ];
    let table = BudgetTable::new(limits, 10_000).unwrap();
    let who = credentials();
    let cost = Cost {
        weight: 2,
        orders: 1,
        items: 1,
    };
    let usages = take(&table, 1, Some(&who[0]), cost, 60_250).unwrap();
    let seen: Vec<_> = usages
        .as_slice()
        .iter()
        .map(|u| (u.limit, u.used, u.remaining, u.reset_ms))
        .collect();
    let expected = [
        (0, 2, 8, 750),
        (1, 1, 4, 9750),
        (2, 1, 6, 750),
        (3, 2, 0, 59_750),
    ];
    assert_eq!(seen, expected);
    // Refused: what is told is what stands, not what would have been charged.
    let mut usages = Usages::default();
    assert!(
        table
            .take(&payer(address(1), Some(&who[0])), cost, 60_250, &mut usages)
            .is_err()
    );
    let used: Vec<_> = usages.as_slice().iter().map(|u| u.used).collect();
    assert_eq!(used, [2, 1, 1, 2]);
}

#[test]
fn anonymous_messages_are_charged_to_the_address_only() {
    let limits = vec![
        limit(Subject::Account, Counts::Requests, 0, 1000),
        limit(Subject::Address, Counts::Requests, 1, 1000),
        limit(Subject::Credential, Counts::Requests, 0, 1000),
    ];
    let table = BudgetTable::new(limits, 10_000).unwrap();
    assert_eq!(take(&table, 1, None, ONE, 0).unwrap().as_slice().len(), 1);
    assert!(take(&table, 1, None, ONE, 0).is_err());
    assert!(take(&table, 2, None, ONE, 0).is_ok());
}

/// A table of one part with room for `addresses` strangers.
fn small(limits: Vec<Limit>, addresses: usize) -> BudgetTable {
    BudgetTable::in_parts(limits, (addresses * 4).div_ceil(3), 1).unwrap()
}

#[test]
fn a_full_table_refuses_new_addresses_and_keeps_the_known_ones() {
    let limits = vec![limit(Subject::Address, Counts::Requests, 2, 1000)];
    let table = small(limits, 30);
    let known: Vec<u8> = (0..=255)
        .filter(|n| take(&table, *n, None, ONE, 500).is_ok())
        .collect();
    assert_eq!(known, (0..30).collect::<Vec<u8>>());
    let refusal = take(&table, 30, None, ONE, 500).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.retry),
        (Code::BudgetFull, Retry::AfterMs(500))
    );
    for n in &known {
        assert!(take(&table, *n, None, ONE, 999).is_ok());
        assert_eq!(
            take(&table, *n, None, ONE, 999).unwrap_err().code,
            Code::BudgetExceeded
        );
    }
    // Idle ones are reclaimed when their window has ended, and what they used is not refilled by
    // a clock that steps back over that.
    assert!(take(&table, 30, None, ONE, 1000).is_ok());
    let before = known
        .iter()
        .filter(|n| take(&table, **n, None, ONE, 999).is_ok());
    assert_eq!(before.count(), 0);
    for n in known {
        assert!(take(&table, n, None, ONE, 2500).is_ok(), "{n}");
    }
}

#[test]
fn strangers_do_not_take_the_room_of_who_is_known() {
    let limits = vec![
        limit(Subject::Account, Counts::Requests, 9, 1000),
        limit(Subject::Address, Counts::Requests, 9, 1000),
    ];
    let table = small(limits, 3);
    let who = credentials();
    let admitted = (0..=255).filter(|n| take(&table, *n, None, ONE, 500).is_ok());
    assert_eq!(admitted.count(), 3);
    assert!(take(&table, 0, Some(&who[0]), ONE, 500).is_ok());
}

#[test]
fn forgetting_an_address_while_the_clock_leaps_refills_nothing() {
    let table = small(vec![limit(Subject::Address, Counts::Requests, 1, 1000)], 1);
    let (first, second) = (1, 2);
    assert!(take(&table, first, None, ONE, 500).is_ok());
    // The clock leaps: `first` is forgotten. It steps back, leaps and comes back once more.
    assert!(take(&table, second, None, ONE, 50_500).is_ok());
    assert!(take(&table, first, None, ONE, 99_500).is_ok());
    for _ in 0..3 {
        assert!(take(&table, first, None, ONE, 500).is_err());
    }
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let zero = vec![limit(Subject::Address, Counts::Requests, 1, 0)];
    assert_eq!(
        BudgetTable::new(zero, 1).unwrap_err(),
        BudgetError::WindowZero(0)
    );
    let bucket = |quota, rate| Limit {
        algorithm: Algorithm::Drain { rate },
        ..limit(Subject::Address, Counts::Requests, quota, 1000)
    };
    let wrong = |limit| BudgetTable::new(vec![limit], 1).unwrap_err();
    assert_eq!(wrong(bucket(1, 0)), BudgetError::RateZero(0));
    assert_eq!(wrong(bucket(u64::MAX, 1)), BudgetError::TooLarge(0));
    let many = vec![limit(Subject::Address, Counts::Requests, 1, 1); LIMITS_MAX + 1];
    assert_eq!(BudgetTable::new(many, 1).unwrap_err(), BudgetError::TooMany);
}

/// Eight threads, four credentials, three addresses, five windows of 16,000 messages: what was
/// admitted in each window is never above any quota, and limits are met to the last unit.
#[test]
fn no_interleaving_of_threads_exceeds_a_limit() {
    const BOUNDS: [u64; 9] = [900, 900, 700, 700, 700, 500, 500, 500, 500];
    let limits = vec![
        limit(Subject::Account, Counts::Orders, BOUNDS[0], 10),
        limit(Subject::Address, Counts::Requests, BOUNDS[2], 10),
        limit(Subject::Credential, Counts::Weight, BOUNDS[5], 10),
    ];
    // Room for all of them even if they meet in one part of the table.
    let table = BudgetTable::new(limits, 10_000).unwrap();
    let who = credentials();
    let (windows, barrier) = (5, Barrier::new(8));
    let admitted: Vec<AtomicU64> = (0..windows * 9).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..8_usize {
            let (table, who, admitted, barrier) = (&table, &who, &admitted, &barrier);
            scope.spawn(move || {
                for window in 0..windows {
                    barrier.wait();
                    for n in 0..2_000 {
                        let (peer, c) = ((n + thread) % 3, (n / 3 + thread) % 4);
                        let now_ms = window as u64 * 10;
                        if take(table, peer as u8, Some(&who[c]), ONE, now_ms).is_ok() {
                            for subject in [c / 2, 2 + peer, 5 + c] {
                                admitted[window * 9 + subject].fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                }
            });
        }
    });
    for used in admitted.chunks(9) {
        let used: Vec<u64> = used
            .iter()
            .map(|used| used.load(Ordering::Relaxed))
            .collect();
        assert!(
            used.iter().zip(BOUNDS).all(|(used, most)| *used <= most),
            "{used:?}"
        );
        // Whoever was refused met a limit that was used up: both accounts are.
        assert_eq!(used[..2], [900, 900]);
    }
}
