//! No limit is ever exceeded, by any history of messages and any interleaving of threads; and a
//! message that is refused charges nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod venue;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use proptest::prelude::*;

use super::{BudgetError, BudgetTable, Cost, Counts, LIMITS_MAX, Limit, Payer, Subject, Usages};
use crate::credential::tests::credential;
use crate::credential::{Credential, CredentialTable};
use crate::refusal::{Code, Detail, Refusal, Retry};

const ONE: Cost = Cost {
    weight: 1,
    orders: 1,
};

fn limit(subject: Subject, counts: Counts, quota: u64, window_ms: u64) -> Limit {
    let name = format!("{}-{}-{window_ms}", subject.as_str(), counts.as_str()).into();
    Limit {
        name,
        subject,
        counts,
        quota,
        window_ms,
    }
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

fn payer(peer: IpAddr, credential: Option<&Credential>) -> Payer<'_> {
    Payer {
        peer,
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

#[derive(Clone, Debug)]
struct Call {
    peer: u8,
    /// 4 is nobody.
    who: usize,
    cost: Cost,
    step_ms: u64,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = (0..3_u8, 0..5_usize, 0..4_u32, 0..2_u32, 0..40_u64).prop_map(
        |(peer, who, weight, orders, step_ms)| Call {
            peer,
            who,
            cost: Cost { weight, orders },
            step_ms,
        },
    );
    prop::collection::vec(call, 1..120)
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let subject = prop::sample::select(Subject::ALL.to_vec());
    let counts = prop::sample::select(vec![Counts::Orders, Counts::Requests, Counts::Weight]);
    let limit = (subject, counts, 0..12_u64, 1..300_u64)
        .prop_map(|(subject, counts, quota, window_ms)| limit(subject, counts, quota, window_ms));
    prop::collection::vec(limit, 0..LIMITS_MAX)
}

/// What every subject used in every window, without any bound on memory.
#[derive(Default)]
struct Oracle(HashMap<(usize, String, u64), u64>);

impl Oracle {
    fn take(&mut self, limits: &[Limit], call: &Call, now_ms: u64) -> bool {
        let mut charges = Vec::new();
        for (index, limit) in limits.iter().enumerate() {
            let subject = match (limit.subject, call.who) {
                (Subject::Address, _) => format!("{}", call.peer),
                (Subject::Account | Subject::Credential, 4) => continue,
                (Subject::Account, who) => format!("a{}", who / 2),
                (Subject::Credential, who) => format!("c{who}"),
                (Subject::Upstream | Subject::Venue, _) => continue,
            };
            let price = match limit.counts {
                Counts::Orders => u64::from(call.cost.orders),
                Counts::Requests => 1,
                Counts::Weight => u64::from(call.cost.weight),
            };
            charges.push((
                (index, subject, now_ms / limit.window_ms),
                price,
                limit.quota,
            ));
        }
        let used = |key| self.0.get(key).copied().unwrap_or(0);
        let fits = charges
            .iter()
            .all(|(key, price, quota)| *price == 0 || used(key) + price <= *quota);
        if fits {
            for (key, price, _) in charges {
                *self.0.entry(key).or_default() += price;
            }
        }
        fits
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn every_history_is_judged_as_by_a_model_with_unbounded_memory(
        limits in limits(), calls in calls()
    ) {
        let who = credentials();
        let table = BudgetTable::new(limits.clone(), 1000).unwrap();
        let (mut oracle, mut now_ms) = (Oracle::default(), 1_700_000_000_000);
        for call in &calls {
            now_ms += call.step_ms;
            let credential = who.get(call.who).map(|c| &**c);
            let taken = take(&table, call.peer, credential, call.cost, now_ms);
            prop_assert_eq!(taken.is_ok(), oracle.take(&limits, call, now_ms));
        }
    }

    #[test]
    fn a_clock_that_leaps_forward_and_back_changes_nothing(
        limits in limits(), calls in calls(), leaps in prop::collection::vec(0..40_u64, 120)
    ) {
        let who = credentials();
        let table = BudgetTable::new(limits.clone(), 1000).unwrap();
        let (mut oracle, mut now_ms) = (Oracle::default(), 1_700_000_000_000);
        // All excursions go to one place: a counter remembers two windows, not three.
        let far_ms = now_ms + 86_400_000;
        for (call, leap) in calls.iter().zip(leaps) {
            now_ms += call.step_ms;
            let reading_ms = if leap < 4 { far_ms } else { now_ms };
            let credential = who.get(call.who).map(|c| &**c);
            let taken = take(&table, call.peer, credential, call.cost, reading_ms);
            prop_assert_eq!(taken.is_ok(), oracle.take(&limits, call, reading_ms));
        }
    }

    #[test]
    fn a_refused_message_charges_nothing(limits in limits(), calls in calls()) {
        let who = credentials();
        let table = BudgetTable::new(limits, 1000).unwrap();
        let now_ms = 1_700_000_000_000;
        let free = Cost { weight: 0, orders: 0 };
        for call in &calls {
            let credential = who.get(call.who).map(|c| &**c);
            let standing = |table: &BudgetTable| {
                // A message that is free, where requests are not counted, looks without charging.
                let mut usages = Usages::default();
                let _ = table.take(&payer(address(call.peer), credential), free, now_ms, &mut usages);
                let counts = |u: &&super::Usage| table.limits[usize::from(u.limit)].counts;
                let kept = usages.as_slice().iter().filter(|u| counts(u) != Counts::Requests);
                kept.copied().collect::<Vec<_>>()
            };
            let before = standing(&table);
            if take(&table, call.peer, credential, call.cost, now_ms).is_err() {
                let after = standing(&table);
                if before.len() == after.len() {
                    prop_assert_eq!(before, after);
                }
            }
        }
    }
}

#[test]
fn a_clock_that_steps_back_refills_nothing() {
    let table =
        BudgetTable::new(vec![limit(Subject::Address, Counts::Requests, 2, 100)], 100).unwrap();
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
    let table = BudgetTable::new(limits, 100).unwrap();
    let who = credentials();
    assert!(take(&table, 1, Some(&who[0]), ONE, 60_500).is_ok());
    let refusal = take(&table, 1, Some(&who[0]), ONE, 60_500).unwrap_err();
    assert_eq!(refusal.code, Code::BudgetExceeded);
    assert_eq!(refusal.retry, Retry::AfterMs(59_500));
    let Detail::Limit(detail) = refusal.detail else {
        panic!("{refusal}")
    };
    assert_eq!(&*detail.name, "credential-weight-60000");
    assert_eq!(detail.subject, Subject::Credential);
    assert_eq!((detail.quota, detail.window_ms), (1, 60_000));
}

#[test]
fn usages_stand_in_the_order_of_the_configuration() {
    let limits = vec![
        limit(Subject::Credential, Counts::Weight, 10, 1000),
        limit(Subject::Account, Counts::Orders, 5, 10_000),
        limit(Subject::Address, Counts::Requests, 7, 1000),
        limit(Subject::Credential, Counts::Weight, 2, 60_000),
    ];
    let table = BudgetTable::new(limits, 100).unwrap();
    let who = credentials();
    let cost = Cost {
        weight: 2,
        orders: 1,
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
    let table = BudgetTable::new(limits, 100).unwrap();
    assert_eq!(take(&table, 1, None, ONE, 0).unwrap().as_slice().len(), 1);
    assert!(take(&table, 1, None, ONE, 0).is_err());
    assert!(take(&table, 2, None, ONE, 0).is_ok());
}

#[test]
fn a_full_table_refuses_new_addresses_and_keeps_the_known_ones() {
    let limits = vec![limit(Subject::Address, Counts::Requests, 2, 1000)];
    // One address per shard.
    let table = BudgetTable::new(limits, 1).unwrap();
    let known: Vec<u8> = (0..=255)
        .filter(|n| take(&table, *n, None, ONE, 500).is_ok())
        .collect();
    assert!((1..=64).contains(&known.len()));
    let refused = (0..=255).find(|n| !known.contains(n)).unwrap();
    let refusal = take(&table, refused, None, ONE, 500).unwrap_err();
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
    assert!(take(&table, refused, None, ONE, 1000).is_ok());
    let forgotten = known
        .iter()
        .copied()
        .find(|n| table.shard_of(address(*n)) == table.shard_of(address(refused)))
        .unwrap();
    assert!(take(&table, forgotten, None, ONE, 999).is_err());
    assert!(take(&table, forgotten, None, ONE, 2500).is_ok());
}

#[test]
fn forgetting_an_address_while_the_clock_leaps_refills_nothing() {
    let limits = vec![limit(Subject::Address, Counts::Requests, 1, 1000)];
    let table = BudgetTable::new(limits, 1).unwrap();
    let shard = table.shard_of(address(0));
    let mut same = (0..=255).filter(|n| table.shard_of(address(*n)) == shard);
    let (first, second) = (same.next().unwrap(), same.next().unwrap());
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
    let table = BudgetTable::new(limits, 100).unwrap();
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
