//! No history of clock readings lets a signature change state twice, or after a read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{HashMap, HashSet};

use super::{ReplayMemory, ReplayRoom, Use};
use crate::refusal::Code;
use crate::sign::{Nonce, Signed, Stamp, Verified};

fn signed(number: u8, time_us: u64, window_us: u64) -> Verified<Signed> {
    Verified::for_test(Signed {
        stamp: Stamp { time_us, window_us },
        nonce: Nonce::from([number; 16]),
    })
}

/// An empty memory, and one with `fill` claims that outlast every test: enough of them make it use
/// trees instead of a list.
fn memory(fill: u8, room: &ReplayRoom) -> ReplayMemory {
    let mut memory = ReplayMemory::default();
    for n in 0..fill {
        let claim = signed(100 + n, 1_000_000, 0);
        assert!(memory.claim(&claim, Use::Read, 0, room).is_ok());
    }
    memory
}

fn room() -> ReplayRoom {
    ReplayRoom::new(1000, 1000)
}

#[derive(Debug)]
struct Step {
    number: u8,
    time_us: u64,
    purpose: Use,
    now_us: u64,
}

/// Reads the `index`th history: per step one of two signatures (the first stamped 1, the second 2,
/// windows of one), one of two uses, and a clock reading in 0..5.
fn history(index: u64, steps: usize) -> Vec<Step> {
    let mut rest = index;
    let step = || {
        let number = (rest % 2) as u8;
        let purpose = [Use::Read, Use::Spend][(rest / 2 % 2) as usize];
        let now_us = rest / 4 % 5;
        rest /= 20;
        Step {
            number,
            time_us: u64::from(number) + 1,
            purpose,
            now_us,
        }
    };
    std::iter::repeat_with(step).take(steps).collect()
}

/// Exhaustive in a small world: every history of four steps, with clocks that step back and leap
/// forward: 20^4 histories, each with room for one claim and for all, few claims and many.
#[test]
fn no_history_spends_a_signature_twice_or_after_a_read() {
    let worlds = [(1, 0), (4, 0), (1, 9), (4, 9), (4, 7)];
    for (index, (capacity, fill)) in
        (0..20_u64.pow(4)).flat_map(|index| worlds.map(|world| (index, world)))
    {
        let room = ReplayRoom::new(capacity + usize::from(fill), 20);
        let mut memory = memory(fill, &room);
        let mut uses = HashMap::new();
        for step in history(index, 4) {
            let claim = signed(step.number, step.time_us, 1);
            let claim = memory.claim(&claim, step.purpose, step.now_us, &room);
            if claim.is_ok() {
                let earlier = uses.insert(step.number, step.purpose);
                assert!(
                    earlier.is_none() || (earlier, step.purpose) == (Some(Use::Read), Use::Read),
                    "{step:?} in {:?}",
                    history(index, 4)
                );
            }
            assert_eq!(room.taken(), memory.len());
        }
    }
}

/// The same world with the same signature shown under changing stamps: while a claim is kept, no
/// stamp gets past it. (That a stamp is fixed by the signed bytes is the dialect's duty.)
#[test]
fn another_stamp_does_not_hide_a_signature_that_is_remembered() {
    for (index, fill) in (0..(3 * 3 * 4_u64).pow(3)).flat_map(|index| [(index, 0), (index, 9)]) {
        let room = room();
        let mut memory = memory(fill, &room);
        let mut rest = index;
        // The latest deadline that the spent signature was shown with, until the clock passes it.
        let mut kept_us = None;
        for _ in 0..3 {
            let (time_us, window_us, now_us) = (rest % 3 + 1, rest / 3 % 3, rest / 9 % 4);
            rest /= 36;
            kept_us = kept_us.filter(|deadline_us| now_us <= *deadline_us);
            let claim = signed(7, time_us, window_us);
            let passed = memory.claim(&claim, Use::Spend, now_us, &room).is_ok();
            assert!(!(passed && kept_us.is_some()), "history {index}");
            if passed || kept_us.is_some() {
                kept_us = kept_us.max(Some(time_us + window_us));
            }
        }
    }
}

/// Whoever was never forgotten is not shut out: a fresh signature whose deadline lies past all
/// deadlines ever used is admitted at any reading of the clock.
#[test]
fn a_clock_that_leaps_forward_and_back_shuts_nobody_out() {
    for index in 0..20_u64.pow(3) {
        let (mut memory, room) = (ReplayMemory::default(), room());
        for step in history(index, 3) {
            let claim = signed(step.number, step.time_us, 1);
            let _ = memory.claim(&claim, step.purpose, step.now_us, &room);
        }
        for now_us in [0, 4, u64::MAX, 0] {
            let mut fresh = ReplayMemory {
                claims: memory.claims.clone(),
                floor_us: memory.floor_us,
                ..ReplayMemory::default()
            };
            let claim = fresh.claim(&signed(9, 3, 1), Use::Spend, now_us, &room);
            assert!(claim.is_ok(), "history {index} at {now_us}");
        }
    }
}

#[test]
fn a_spent_signature_is_refused_for_every_later_use() {
    let (mut memory, room) = (ReplayMemory::default(), room());
    assert!(
        memory
            .claim(&signed(1, 10, 5), Use::Spend, 10, &room)
            .is_ok()
    );
    for purpose in [Use::Read, Use::Spend] {
        let again = memory.claim(&signed(1, 10, 5), purpose, 15, &room);
        assert_eq!(again.unwrap_err(), Code::ReplaySeen);
    }
}

#[test]
fn a_read_may_repeat_but_never_changes_state() {
    let (mut memory, room) = (ReplayMemory::default(), room());
    for now_us in [10, 10, 15] {
        assert!(
            memory
                .claim(&signed(1, 10, 5), Use::Read, now_us, &room)
                .is_ok()
        );
    }
    let turned = memory.claim(&signed(1, 10, 5), Use::Spend, 15, &room);
    assert_eq!(turned.unwrap_err(), Code::ReplaySeen);
    assert_eq!(memory.len(), 1);
}

#[test]
fn a_forgotten_signature_is_stale_also_when_the_clock_steps_back() {
    let (mut memory, room) = (ReplayMemory::default(), room());
    assert!(
        memory
            .claim(&signed(1, 10, 5), Use::Spend, 10, &room)
            .is_ok()
    );
    assert!(
        memory
            .claim(&signed(2, 20, 5), Use::Spend, 20, &room)
            .is_ok()
    );
    assert_eq!(memory.len(), 1);
    let back = memory.claim(&signed(1, 10, 5), Use::Spend, 10, &room);
    assert_eq!(back.unwrap_err(), Code::TimeStale);
}

#[test]
fn full_memory_refuses_rather_than_forgets() {
    let (mut memory, room) = (ReplayMemory::default(), ReplayRoom::new(1, 10));
    assert!(
        memory
            .claim(&signed(1, 10, 5), Use::Spend, 10, &room)
            .is_ok()
    );
    let full = memory.claim(&signed(2, 11, 5), Use::Spend, 11, &room);
    assert_eq!(full.unwrap_err(), Code::ReplayFull);
    let again = memory.claim(&signed(1, 10, 5), Use::Spend, 11, &room);
    assert_eq!(again.unwrap_err(), Code::ReplaySeen);
    assert!(
        memory
            .claim(&signed(2, 11, 5), Use::Spend, 16, &room)
            .is_ok()
    );
}

#[test]
fn all_credentials_together_keep_no_more_than_the_total() {
    let room = ReplayRoom::new(10, 3);
    let mut memories = [ReplayMemory::default(), ReplayMemory::default()];
    let admitted: usize = (0..10)
        .flat_map(|n| [(0, n), (1, n)])
        .filter(|(m, n)| {
            memories[*m]
                .claim(&signed(*n, 10, 5), Use::Read, 10, &room)
                .is_ok()
        })
        .count();
    assert_eq!((admitted, room.taken()), (3, 3));
    assert!(room.is_full(None));
    assert_eq!(memories[0].forget(16, usize::MAX, &room), 2);
    assert_eq!(room.taken(), 1);
}

#[test]
fn a_burst_is_forgotten_piece_by_piece_and_never_keeps_room_from_the_next() {
    let (mut memory, room) = (ReplayMemory::default(), ReplayRoom::new(200, 200));
    for n in 0..200 {
        assert!(
            memory
                .claim(&signed(n, 10, 5), Use::Spend, 10, &room)
                .is_ok()
        );
    }
    let mut kept = memory.len();
    for n in 0..14 {
        assert!(
            memory
                .claim(&signed(200 + n, 20, 5), Use::Spend, 20, &room)
                .is_ok()
        );
        assert!(memory.len() <= kept.saturating_sub(15).max(14));
        kept = memory.len();
    }
    assert_eq!((memory.len(), room.taken()), (14, 14));
}

#[test]
fn reads_with_a_longer_window_are_remembered_for_all_of_it() {
    let (mut memory, room) = (ReplayMemory::default(), room());
    assert!(
        memory
            .claim(&signed(1, 10, 2), Use::Read, 10, &room)
            .is_ok()
    );
    assert!(
        memory
            .claim(&signed(1, 10, 50), Use::Read, 11, &room)
            .is_ok()
    );
    let turned = memory.claim(&signed(1, 10, 50), Use::Spend, 40, &room);
    assert_eq!(turned.unwrap_err(), Code::ReplaySeen);
}

#[test]
fn what_was_remembered_longer_is_forgotten_in_the_end() {
    for fill in [0, 20] {
        let room = room();
        let mut memory = memory(fill, &room);
        assert!(
            memory
                .claim(&signed(1, 10, 2), Use::Read, 10, &room)
                .is_ok()
        );
        assert!(
            memory
                .claim(&signed(1, 10, 50), Use::Read, 11, &room)
                .is_ok()
        );
        assert_eq!(memory.forget(60, usize::MAX, &room), 0);
        assert_eq!(memory.forget(61, usize::MAX, &room), 1);
        assert_eq!(
            memory.forget(1_000_001, usize::MAX, &room),
            usize::from(fill)
        );
        assert!(memory.is_empty() && room.taken() == 0);
    }
}

#[test]
fn deadlines_at_the_end_of_time_do_not_overflow() {
    let (mut memory, room) = (ReplayMemory::default(), room());
    let last = signed(1, u64::MAX, u64::MAX);
    assert!(memory.claim(&last, Use::Spend, u64::MAX, &room).is_ok());
    assert_eq!(
        memory
            .claim(&last, Use::Spend, u64::MAX, &room)
            .unwrap_err(),
        Code::ReplaySeen
    );
}

#[test]
fn many_signatures_are_each_admitted_once() {
    let (mut memory, room) = (ReplayMemory::default(), ReplayRoom::new(10_000, 10_000));
    let mut admitted = HashSet::new();
    for round in 0..3_u64 {
        for n in 0..2000_u64 {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let stamp = Stamp {
                time_us: 1000 + n,
                window_us: 500,
            };
            let nonce = Nonce::from(bytes);
            let claim = Verified::for_test(Signed { stamp, nonce });
            let now_us = 1000 + n + round * 100;
            if memory.claim(&claim, Use::Spend, now_us, &room).is_ok() {
                assert!(admitted.insert(n), "{n} in round {round}");
            }
        }
    }
    assert_eq!(admitted.len(), 2000);
}
