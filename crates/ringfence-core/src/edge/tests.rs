//! One address gets no more than its quota per window, and strangers cannot make memory grow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{EdgeBudget, EdgeSummary};
use crate::address::Prefix;
use crate::refusal::{Code, Retry};

const SECOND_US: u64 = 1_000_000;

fn v4(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

fn admitted(edge: &EdgeBudget, address: IpAddr, now_us: u64, times: usize) -> usize {
    (0..times)
        .filter(|_| edge.admit(address, now_us).is_ok())
        .count()
}

#[test]
fn an_address_is_refused_past_its_quota_until_the_window_ends() {
    let edge = EdgeBudget::new(3, 1000, 100);
    let now_us = 7 * SECOND_US + 250_000;
    assert_eq!(admitted(&edge, v4(1), now_us, 5), 3);
    let over = edge.admit(v4(1), now_us).unwrap_err();
    assert_eq!(over.refusal.code, Code::EdgeRate);
    assert_eq!(over.refusal.retry, Retry::AfterMs(750));
    assert_eq!(admitted(&edge, v4(2), now_us, 5), 3);
    assert_eq!(admitted(&edge, v4(1), 8 * SECOND_US, 5), 3);
}

#[test]
fn all_addresses_of_a_v6_customer_share_one_quota() {
    let edge = EdgeBudget::new(2, 1000, 100);
    let host = |n: u16| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n));
    assert_eq!(
        (0..9).filter(|n| edge.admit(host(*n), 0).is_ok()).count(),
        2
    );
    let neighbour = IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1));
    assert!(edge.admit(neighbour, 0).is_ok());
}

#[test]
fn an_address_is_the_same_whether_mapped_or_not() {
    let edge = EdgeBudget::new(1, 1000, 100);
    let mapped = IpAddr::from(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201));
    assert!(edge.admit(v4(1), 0).is_ok());
    assert!(edge.admit(mapped, 0).is_err());
}

#[test]
fn only_the_first_refusal_of_a_window_stands_alone_and_the_rest_is_summed_up() {
    let edge = EdgeBudget::new(1, 1000, 100);
    let firsts = (0..6)
        .filter_map(|_| edge.admit(v4(1), 0).err())
        .filter(|over| over.first)
        .count();
    assert_eq!(firsts, 1);
    assert_eq!(edge.take_summaries(SECOND_US - 1), []);
    let summary = EdgeSummary {
        prefix: Prefix::of(v4(1)),
        refused: 4,
    };
    assert_eq!(edge.take_summaries(SECOND_US), [summary]);
    assert_eq!(edge.take_summaries(SECOND_US), []);
    assert!(edge.admit(v4(1), SECOND_US).is_ok());
    assert!(edge.admit(v4(1), SECOND_US).unwrap_err().first);
}

#[test]
fn every_refusal_is_either_first_or_summed_up_however_windows_end() {
    let edge = EdgeBudget::new(1, 1000, 16);
    let (mut refused, mut told) = (0, 0);
    for n in 0..20_000_u64 {
        if let Err(over) = edge.admit(v4((n * 7 % 251) as u8), n * 500) {
            refused += 1;
            told += u64::from(over.first);
        }
        if n % 3000 == 0 {
            told += edge
                .take_summaries(n * 500)
                .iter()
                .map(|s| s.refused)
                .sum::<u64>();
        }
    }
    let end_us = 100 * SECOND_US;
    told += edge
        .take_summaries(end_us)
        .iter()
        .map(|s| s.refused)
        .sum::<u64>();
    assert!(refused > 10_000);
    assert_eq!(told, refused);
}

/// A window that is left to strangers alone: all who may be counted exactly are there and stay.
fn full(quota: u64) -> (EdgeBudget, Vec<IpAddr>) {
    // One address per shard.
    let edge = EdgeBudget::new(quota, 1000, 1);
    for n in 0..=255 {
        let _ = admitted(&edge, v4(n), 0, quota as usize / 8 + 1);
    }
    let exact = edge.shards.iter().flat_map(|shard| {
        let shard = shard.lock().unwrap();
        let known: Vec<_> = shard.entries.keys().copied().collect();
        known
    });
    let known = exact.map(|prefix| prefix.network().unwrap().0).collect();
    (edge, known)
}

#[test]
fn strangers_pass_though_others_filled_the_table() {
    let (edge, known) = full(40);
    assert_eq!(known.len(), 16);
    // Each of 200 strangers has a quota of its own.
    for n in 0..200 {
        let stranger = IpAddr::from([198, 51, 100, n]);
        assert!(edge.admit(stranger, 0).is_ok(), "{n}");
    }
    assert!(known.iter().all(|it| edge.admit(*it, 0).is_ok()));
}

#[test]
fn a_stranger_that_there_is_no_room_for_gets_no_more_than_its_quota() {
    let (edge, _) = full(40);
    let stranger = IpAddr::from([198, 51, 100, 7]);
    let passed = admitted(&edge, stranger, 0, 100);
    assert!((30..=40).contains(&passed), "{passed}");
    let over = edge.admit(stranger, 0).unwrap_err();
    assert_eq!(over.refusal.code, Code::EdgeFull);
    assert!(!over.first);
    let others = edge.take_summaries(SECOND_US);
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].prefix, Prefix::OTHERS);
    assert!(edge.admit(stranger, SECOND_US).is_ok());
}

#[test]
fn whoever_uses_much_is_counted_exactly_though_thousands_of_strangers_knock() {
    let edge = EdgeBudget::new(80, 1000, 64);
    for n in 0..10_000_u32 {
        let sprayed = Ipv6Addr::from(u128::from(n) << 64 | 0x2001_0db8 << 96);
        let _ = edge.admit(sprayed.into(), 0);
    }
    let passed = admitted(&edge, v4(1), 0, 200);
    // The sketch is 64 places wide here, and shared by ten thousand.
    assert!(passed <= 80);
    let over = edge.admit(v4(1), 0).unwrap_err();
    assert_eq!(over.refusal.code, Code::EdgeRate);
}

#[test]
fn strangers_cannot_make_memory_grow() {
    let edge = EdgeBudget::new(1, 1000, 64);
    let bytes = |edge: &EdgeBudget| -> usize {
        let shards = edge.shards.iter();
        shards
            .map(|shard| shard.lock().unwrap().sketch.bytes())
            .sum()
    };
    let before = bytes(&edge);
    for n in 0..50_000_u64 {
        let address = Ipv6Addr::from(u128::from(n) << 64 | 0x2001_0db8 << 96);
        for _ in 0..3 {
            let _ = edge.admit(address.into(), n * 1000);
        }
    }
    for shard in &edge.shards {
        let shard = shard.lock().unwrap();
        assert!(shard.entries.len() <= 4 && shard.ended.len() <= 4);
    }
    assert_eq!(bytes(&edge), before);
}

/// The number that docs/bans.md states.
#[test]
fn a_table_of_the_shipped_size_takes_ten_megabytes() {
    let exact = 65_536 * (size_of::<(Prefix, super::Entry)>() + 1) * 2;
    let sketch = EdgeBudget::new(1, 1000, 65_536);
    let sketch: usize = sketch
        .shards
        .iter()
        .map(|s| s.lock().unwrap().sketch.bytes())
        .sum();
    assert_eq!(sketch, 2 << 20);
    assert!(exact + sketch <= 11 << 20, "{}", exact + sketch);
}

#[test]
fn a_clock_that_leaps_forward_and_back_neither_refills_nor_shuts_out() {
    let edge = EdgeBudget::new(2, 1000, 100);
    let (now_us, far_us) = (100 * SECOND_US, 5000 * SECOND_US);
    assert_eq!(admitted(&edge, v4(1), now_us, 1), 1);
    assert_eq!(admitted(&edge, v4(1), far_us, 3), 2);
    let _ = edge.take_summaries(far_us);
    assert_eq!(admitted(&edge, v4(1), now_us, 3), 1);
    assert_eq!(admitted(&edge, v4(1), now_us + SECOND_US, 3), 2);
    assert_eq!(admitted(&edge, v4(1), now_us, 3), 0);
}

#[test]
fn forgetting_an_address_while_the_clock_leaps_refills_nothing() {
    // One address per shard: whoever comes next in a later window makes the one before forgotten.
    let edge = EdgeBudget::new(1, 1000, 1);
    let mut same =
        (0..=255).filter(|n| Prefix::of(v4(*n)).shard(16) == Prefix::of(v4(0)).shard(16));
    let (first, second) = (same.next().unwrap(), same.next().unwrap());
    assert!(edge.admit(v4(first), 0).is_ok());
    assert!(edge.admit(v4(second), 50 * SECOND_US).is_ok());
    assert!(edge.admit(v4(first), 99 * SECOND_US).is_ok());
    for _ in 0..3 {
        assert!(edge.admit(v4(first), 0).is_err());
    }
}

#[test]
fn no_interleaving_of_threads_exceeds_the_quota() {
    let edge = EdgeBudget::new(1000, 1000, 100);
    let admitted: Vec<AtomicU64> = (0..6).map(|_| AtomicU64::new(0)).collect();
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for window in 0..3_u64 {
                    barrier.wait();
                    for n in 0..1000_u64 {
                        if edge.admit(v4((n % 2) as u8), window * SECOND_US).is_ok() {
                            let place = (window * 2 + n % 2) as usize;
                            admitted[place].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    assert!(admitted.iter().all(|a| a.load(Ordering::Relaxed) == 1000));
}
