//! What one shard uses of its limits the others have still, and who floods without a key uses up its own few cells.

use std::net::Ipv4Addr;

use super::super::{Counts, Limit, Strangers, Subject, Subjects, Usages};
use super::{BudgetTable, ONE, payer, take};
use crate::credential::CredentialTable;
use crate::credential::tests::credential;
use crate::refusal::{Code, Detail};
use crate::shard::Shards;

fn limit(subject: impl Into<Subjects>, quota: u64) -> Limit {
    Limit::fixed("one", subject, Counts::Requests, quota, 1000)
}

/// Credentials c0 and c1 in shard 0, c2 in shard 1, and c3 in none.
fn sharded() -> CredentialTable {
    let table = CredentialTable::in_shards(Shards::new(2));
    for (number, shard) in [(0, 0), (1, 0), (2, 1), (3, 9)] {
        let mut new = credential(&format!("c{number}"), &format!("a{number}"));
        new.shard = table.shards().shard(shard);
        table.put(new).unwrap();
    }
    table
}

#[test]
fn the_accounts_of_a_shard_share_its_limit_and_no_other_shard_does() {
    let known = sharded();
    let table = BudgetTable::new(vec![limit(Subject::Shard, 2)], 1000).unwrap();
    let asked = |id| {
        let who = known.get(id).unwrap();
        take(&table, 1, Some(&who), ONE, 5).is_ok()
    };
    assert!(asked("c0") && asked("c1"));
    assert!(!asked("c0") && !asked("c1"));
    assert!(asked("c2") && asked("c2"));
    assert!(!asked("c2"));
    // Who stands in none is counted by none.
    assert!((0..9).all(|_| asked("c3")));
}

#[test]
fn a_move_takes_an_account_to_the_budget_of_its_new_shard() {
    let known = sharded();
    let table = BudgetTable::new(vec![limit(Subject::Shard, 1)], 1000).unwrap();
    let who = known.get("c0").unwrap();
    assert!(take(&table, 1, Some(&who), ONE, 5).is_ok());
    assert!(take(&table, 1, Some(&who), ONE, 5).is_err());
    known.place(["a0"], known.shards().shard(1));
    assert!(take(&table, 1, Some(&who), ONE, 5).is_ok());
}

#[test]
fn a_shard_s_own_limits_can_be_looked_at() {
    let known = sharded();
    let limits = vec![
        limit(Subject::Account, 9),
        limit(Subject::Shard, 3),
        limit(Subjects::from(Subject::Shard).with(Subject::Operation), 7),
        Limit::fixed("two", Subject::Shard, Counts::Weight, 50, 1000),
    ];
    let table = BudgetTable::new(limits, 1000).unwrap();
    let who = known.get("c0").unwrap();
    take(&table, 1, Some(&who), ONE, 5).unwrap();
    let standing = |number| {
        let shard = known.shards().shard(number).unwrap();
        let usages = table.of_shard(shard, 5).into_iter();
        usages
            .map(|usage| (usage.limit, usage.used, usage.remaining))
            .collect::<Vec<_>>()
    };
    assert_eq!(standing(0), [(1, 1, 2), (3, 1, 49)]);
    assert_eq!(standing(1), [(1, 0, 3), (3, 0, 50)]);
}

#[test]
fn a_network_has_as_many_cells_as_are_said_all_different_and_always_the_same() {
    let random = std::hash::RandomState::new();
    for (cells, each) in [(1, 1), (2, 2), (4, 4), (64, 2), (4096, 3)] {
        let strangers = Strangers::new(cells, each).unwrap();
        for number in 0..200_u32 {
            let of = |host: u32| {
                let peer = Ipv4Addr::from(number << 8 | host);
                strangers.of(&random, peer.into()).collect::<Vec<_>>()
            };
            let mut found = of(1);
            assert_eq!(found, of(200));
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), usize::from(each));
            assert!(found.iter().all(|cell| *cell < cells));
        }
    }
    for (cells, each) in [(0, 0), (0, 1), (4, 0), (1, 2), (64, 5)] {
        assert_eq!(Strangers::new(cells, each), None);
    }
}

/// Cells are chosen as cards are dealt: each pair of 64 comes as often as chance has it.
#[test]
fn every_choice_of_cells_is_as_likely_as_every_other() {
    let (random, strangers) = (std::hash::RandomState::new(), Strangers::new(8, 2).unwrap());
    let mut counts = [0_u32; 64];
    for number in 0..28_000_u32 {
        let peer = Ipv4Addr::from(number << 8);
        let mut pair: Vec<u16> = strangers.of(&random, peer.into()).collect();
        pair.sort_unstable();
        counts[usize::from(pair[0] * 8 + pair[1])] += 1;
    }
    let pairs: Vec<_> = counts.into_iter().filter(|count| *count > 0).collect();
    assert_eq!(pairs.len(), 28);
    // 1,000 each; ten standard deviations are 316.
    assert!(pairs.iter().all(|count| count.abs_diff(1000) < 316));
}

#[test]
fn who_floods_without_a_key_keeps_hardly_any_other_network_out() {
    let limits = vec![limit(Subject::Stranger, 100)];
    let table = BudgetTable::new(limits, 1000).unwrap();
    let asked = |network: u32| {
        let peer = Ipv4Addr::from(0x0a00_0000 | network << 8 | 7);
        let taken = table.take(&payer(peer.into(), None), ONE, 5, &mut Usages::default());
        taken.is_ok()
    };
    // One network asks a hundred times what a cell has: it gets its two cells, and no more.
    assert_eq!((0..10_000).filter(|_| asked(0)).count(), 200);
    // Of a thousand others each asks twice; half of one in expectation has the very same two cells.
    let kept_out = (1..=1000).filter(|network| !asked(*network) || !asked(*network));
    let kept_out = kept_out.count();
    assert!(kept_out <= 8, "{kept_out} of 1000 are kept out");
}

#[test]
fn a_stranger_that_is_refused_hears_by_which_limit() {
    let table = BudgetTable::new(vec![limit(Subject::Stranger, 1)], 1000).unwrap();
    assert!(take(&table, 1, None, ONE, 5).is_ok());
    assert!(take(&table, 1, None, ONE, 5).is_ok());
    let refusal = take(&table, 1, None, ONE, 5).unwrap_err();
    assert_eq!(refusal.code, Code::BudgetExceeded);
    let Detail::Limit(limit) = refusal.detail else {
        panic!("{refusal:?}");
    };
    assert_eq!(limit.subject.to_string(), "stranger");
}

#[test]
fn who_has_a_key_is_no_stranger() {
    let known = sharded();
    let table = BudgetTable::new(vec![limit(Subject::Stranger, 1)], 1000).unwrap();
    let who = known.get("c0").unwrap();
    assert!((0..9).all(|_| take(&table, 1, Some(&who), ONE, 5).is_ok()));
}
