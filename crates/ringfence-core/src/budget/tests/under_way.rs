//! What is under way is counted until it is done with.

use super::super::{Algorithm, Counts, Limit, Subject};
use super::{BudgetTable, ONE, Usages, address, credentials, limit, payer, small, take};
use crate::refusal::{Code, Retry};

fn at_once(subject: Subject, quota: u64) -> Limit {
    Limit {
        algorithm: Algorithm::Concurrent,
        ..limit(subject, Counts::Requests, quota, 0)
    }
}

#[test]
fn a_place_is_given_back_when_the_message_is_done_with() {
    let table = BudgetTable::new(vec![at_once(Subject::Account, 2)], 10_000).unwrap();
    let who = credentials();
    let ask = |c: usize| {
        let payer = payer(address(1), Some(&who[c]));
        table.take(&payer, ONE, 5, &mut Usages::default())
    };
    let (first, second) = (ask(0).unwrap(), ask(1).unwrap());
    let refusal = ask(0).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.retry),
        (Code::BudgetExceeded, Retry::AfterMs(100))
    );
    assert!(ask(2).is_ok());
    drop(first);
    let third = ask(1).unwrap();
    ask(0).unwrap_err();
    drop((second, third));
    let left = ask(0).unwrap();
    drop(left);
}

#[test]
fn a_refused_message_is_not_under_way() {
    let limits = vec![
        at_once(Subject::Account, 1),
        limit(Subject::Account, Counts::Weight, 0, 1000),
    ];
    let table = BudgetTable::new(limits, 10_000).unwrap();
    let who = credentials();
    for _ in 0..3 {
        let refusal = take(&table, 1, Some(&who[0]), ONE, 5).unwrap_err();
        // Were it under way, the first limit would refuse, too, and be named for none of its own.
        assert_eq!(refusal.retry, Retry::AfterMs(995));
        let payer = payer(address(1), Some(&who[0]));
        let mut usages = Usages::default();
        let _ = table.take(&payer, ONE, 5, &mut usages);
        assert_eq!(usages.as_slice()[0].used, 0);
    }
}

#[test]
fn who_has_something_under_way_is_not_forgotten() {
    let table = small(vec![at_once(Subject::Address, 1)], 1);
    let mut usages = Usages::default();
    let held = table.take(&payer(address(1), None), ONE, 5, &mut usages);
    let refusal = take(&table, 2, None, ONE, u64::MAX / 2).unwrap_err();
    assert_eq!(refusal.code, Code::BudgetFull);
    drop(held);
    assert!(take(&table, 2, None, ONE, 5).is_ok());
}
