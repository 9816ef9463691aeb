//! So many places are taken at once and no more, and what reduces risk gets one while anything less urgent is there.
#![allow(clippy::unwrap_used)]

use super::*;

const WAITS: Waits = Waits([100, 100, 100, 100]);

fn places(all: usize, percent: usize, room: usize) -> Places<u32> {
    Places::new(Share::new(all, percent), room, WAITS)
}

fn at(priority: Priority) -> Place {
    Place { priority, lane: 0 }
}

#[test]
fn a_reserve_is_rounded_up_and_leaves_one_place_for_everybody() {
    for (all, percent, reserve) in [(64, 10, 7), (8, 10, 1), (2, 10, 1), (1, 10, 0), (0, 50, 0)] {
        assert_eq!(
            Share::new(all, percent).reserve,
            reserve,
            "{percent}% of {all}"
        );
    }
    assert_eq!(Share::new(4, 100).reserve, 3);
    assert_eq!(Share::new(4, 0).reserve, 0);
}

#[test]
fn the_reserve_is_for_what_reduces_risk_alone() {
    let mut places = places(4, 25, 10);
    assert!((0..3).all(|_| places.take(Priority::Order)));
    assert!(!places.take(Priority::Order));
    assert!(places.take(Priority::RiskReducing));
    assert!(!places.take(Priority::RiskReducing));
}

#[test]
fn a_limit_holds_for_all_but_what_reduces_risk() {
    let mut places = places(8, 10, 10);
    places.set_limit(2);
    assert!(places.take(Priority::Order) && places.take(Priority::MarketRead));
    assert!(!places.take(Priority::Order));
    assert!((0..6).all(|_| places.take(Priority::RiskReducing)));
    assert!(!places.take(Priority::RiskReducing));
}

#[test]
fn nobody_overtakes_who_waits() {
    let mut places = places(1, 0, 10);
    assert!(places.take(Priority::Order));
    assert_eq!(places.wait(at(Priority::Order), 1, 0), Ok(None));
    places.end(Priority::Order);
    assert!(!places.take(Priority::Order) && !places.take(Priority::MarketRead));
    assert!(places.take(Priority::RiskReducing));
    assert_eq!(places.next(0), None);
    places.end(Priority::RiskReducing);
    assert_eq!(places.next(0), Some((Priority::Order, 1)));
}

#[test]
fn a_cancel_that_finds_the_line_full_is_kept_while_an_order_is_under_way() {
    let mut places = places(1, 0, 1);
    assert!(places.take(Priority::Order));
    let cancel = at(Priority::RiskReducing);
    assert_eq!(places.wait(cancel, 1, 0), Ok(None));
    assert_eq!(places.wait(cancel, 2, 0), Ok(None));
    places.end(Priority::Order);
    assert_eq!(places.next(0), Some((Priority::RiskReducing, 1)));
    // Nothing is under way but its equals, and one waits: that is all there is room for.
    assert_eq!(places.wait(cancel, 3, 0), Err(3));
}

/// Every history of five steps in a small world: two places, one of them in reserve, room for one, a limit that moves.
#[test]
fn no_history_turns_away_a_cancel_for_anything_less_urgent_or_takes_too_many_places() {
    const STEPS: u64 = 10;
    for history in 0..STEPS.pow(5) {
        let mut places = places(2, 50, 1);
        let (mut rest, mut number) = (history, 0);
        for now_us in 0..5 {
            let step = (rest % STEPS) as usize;
            rest /= STEPS;
            number += 1;
            let priority = Priority::ALL[step % 4];
            let in_the_way = places.is_in_the_way_of(priority);
            match step {
                0..4 if places.take(priority) => {}
                0..4 => {
                    let refused = places.wait(at(priority), number, now_us).is_err();
                    let cancel = priority == Priority::RiskReducing;
                    assert!(!(refused && cancel && in_the_way), "history {history}");
                }
                4..8 => {
                    places.end(priority);
                    while places.next(now_us).is_some() {}
                }
                8 => places.set_limit(1),
                _ => places.set_limit(2),
            }
            assert!(places.taken() <= 2, "history {history}");
            // Nobody waits for a place that is free.
            let cancels = places.line.holds(Priority::RiskReducing);
            assert!(!cancels || places.taken() == 2, "history {history}");
        }
    }
}
