//! What is shared is named alike by all gateways; and a charge that is taken back leaves nothing, and never gives more.

use super::*;
use crate::budget::{Across, How, OnLoss};
use crate::cluster::ClusterKey;
use crate::guard::OrderText;

const SHARED: Across = Across::Cluster {
    how: How::Exact,
    on_loss: OnLoss::Refuse,
};

fn shared(limits: Vec<Limit>, secret: u8) -> BudgetTable {
    let limits = limits.into_iter().map(|limit| Limit {
        across: SHARED,
        ..limit
    });
    let table = BudgetTable::new(limits.collect(), 10_000).unwrap();
    table
        .with_symbols(["BTC", "ETH"])
        .across(&ClusterKey::new(&[secret; 32]))
}

#[test]
fn gateways_of_one_key_name_a_subject_alike_and_no_two_subjects() {
    let who = credentials();
    let limits = || {
        Subject::ALL
            .into_iter()
            .filter(|s| !matches!(s, Subject::Symbol | Subject::Upstream | Subject::Venue))
            .map(|subject| limit(subject, Counts::Requests, 5, 1000))
            .collect::<Vec<_>>()
    };
    let [one, other, foreign] = [1, 1, 2].map(|secret| shared(limits(), secret));
    let ask = |table: &BudgetTable, peer, who| {
        let charges = table.ask(&payer(address(peer), Some(who)), ONE);
        charges.iter().map(|charge| charge.name).collect::<Vec<_>>()
    };
    let names = ask(&one, 1, &who[0]);
    assert_eq!(names, ask(&other, 1, &who[0]));
    assert!(
        names
            .iter()
            .all(|name| !ask(&foreign, 1, &who[0]).contains(name))
    );
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    // Another key of the same account, in the same network: account, operation, all and network are the same.
    let neighbour = ask(&one, 2, &who[1]);
    let same = names.iter().zip(&neighbour).filter(|(a, b)| a == b).count();
    assert_eq!(same, 5, "account, global, network, operation, organisation");
    let stranger = ask(&one, 2, &who[2]);
    assert_eq!(
        names.iter().zip(&stranger).filter(|(a, b)| a == b).count(),
        3
    );
}

#[test]
fn a_batch_is_charged_to_each_instrument_and_what_is_not_listed_is_one() {
    let limits = vec![limit(Subject::Symbol, Counts::Orders, 9, 1000)];
    let table = shared(limits, 1);
    let order = |symbol| OrderText {
        symbol,
        ..OrderText::default()
    };
    let orders = ["BTC", "XYZ", "BTC", "ABC"].map(order);
    let batch = Payer {
        orders: &orders,
        ..payer(address(1), None)
    };
    let cost = Cost {
        weight: 1,
        orders: 4,
        items: 4,
    };
    let charges = table.ask(&batch, cost);
    let prices: Vec<u64> = charges.iter().map(|charge| charge.price).collect();
    assert_eq!(prices, [2, 2]);
    let one = Payer {
        orders: &orders[..1],
        ..payer(address(1), None)
    };
    assert!(
        charges
            .iter()
            .any(|charge| charge.name == table.ask(&one, ONE)[0].name)
    );
}

#[test]
fn what_a_shared_limit_does_not_count_is_not_asked_and_nothing_of_it_is_counted_here() {
    let free = Limit {
        cancels: false,
        ..limit(Subject::Address, Counts::Requests, 1, 1000)
    };
    let table = shared(vec![free], 1);
    let cancel = Payer {
        operation: Operation::OrderCancel,
        ..payer(address(1), None)
    };
    assert_eq!(table.ask(&cancel, ONE), []);
    for _ in 0..3 {
        let usages = take(&table, 1, None, ONE, 5).unwrap();
        assert_eq!(usages.as_slice(), []);
    }
}

/// Every law, with ten units.
fn laws() -> [Algorithm; 4] {
    [
        Algorithm::Anchored,
        Algorithm::Drain { rate: 3 },
        Algorithm::Fixed,
        Algorithm::Sliding,
    ]
}

#[test]
fn a_charge_that_is_taken_back_at_once_was_never_made() {
    for algorithm in laws() {
        let limit = Limit {
            algorithm,
            ..limit(Subject::Address, Counts::Weight, 10, 1000)
        };
        let table = BudgetTable::new(vec![limit], 10_000).unwrap();
        let who = payer(address(1), None);
        let cost = |weight| Cost { weight, ..ONE };
        take(&table, 1, None, cost(4), 1_000_000).unwrap();
        for _ in 0..20 {
            let mut usages = Usages::default();
            let taken = table.take_for_now(&who, cost(6), 1_000_000, &mut usages);
            taken.unwrap().1.unwrap().give_back();
        }
        let usages = take(&table, 1, None, cost(6), 1_000_000).unwrap();
        assert_eq!(usages.as_slice()[0].remaining, 0, "{algorithm:?}");
    }
}

#[test]
fn what_is_taken_back_late_never_leaves_less_used_than_if_it_had_not_been() {
    // Charges of both histories at these times, and one more of the other, taken back at the end.
    let mut seed = 7_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for algorithm in laws() {
        for round in 0..300 {
            let limit = Limit {
                algorithm,
                ..limit(Subject::Address, Counts::Weight, 1000, 1000)
            };
            let [with, without] =
                [(); 2].map(|()| BudgetTable::new(vec![limit.clone()], 9).unwrap());
            let who = payer(address(1), None);
            let cost = |weight| Cost { weight, ..ONE };
            let mut now_ms = 1_000_000;
            let mut taken = None;
            let at = next(6);
            for step in 0..6 {
                // Also back, and far ahead.
                now_ms = (now_ms + next(700)).saturating_sub(next(300) * next(2));
                if step == at {
                    let mut usages = Usages::default();
                    let (_, back) = with
                        .take_for_now(&who, cost(1 + next(20) as u32), now_ms, &mut usages)
                        .unwrap();
                    taken = back;
                }
                let weight = cost(1 + next(20) as u32);
                take(&with, 1, None, weight, now_ms).unwrap();
                take(&without, 1, None, weight, now_ms).unwrap();
            }
            taken.unwrap().give_back();
            for later in [0, 1, 400, 1200] {
                let look = |table| take(table, 1, None, cost(1), now_ms + later).unwrap();
                let (with, without) = (look(&with), look(&without));
                let used = |usages: &Usages| usages.as_slice()[0].used;
                assert!(
                    used(&with) >= used(&without),
                    "{algorithm:?}, round {round}, {later}"
                );
            }
        }
    }
}
