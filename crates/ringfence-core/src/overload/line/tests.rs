//! More urgent ones go first, lanes take turns, and nobody gets through whose time is over.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const WAITS: Waits = Waits([100, 200, 400, 1000]);

fn at(priority: Priority, lane: u16) -> Place {
    Place { priority, lane }
}

fn all(line: &mut Line<u32>, now_us: u64) -> Vec<u32> {
    std::iter::from_fn(|| line.next(Priority::MarketRead, now_us))
        .map(|(_, who)| who)
        .collect()
}

#[test]
fn the_most_urgent_goes_first_and_of_equals_who_waited_longest() {
    let mut line = Line::new(10, WAITS);
    for (who, priority) in [
        (1, Priority::MarketRead),
        (2, Priority::Order),
        (3, Priority::AccountRead),
        (4, Priority::RiskReducing),
        (5, Priority::Order),
    ] {
        assert_eq!(line.enter(at(priority, 0), who, true, 0), Ok(None));
    }
    assert_eq!(all(&mut line, 10), [4, 2, 5, 3, 1]);
    assert!(line.is_empty());
}

#[test]
fn a_lane_in_which_thousands_wait_costs_the_others_one_turn() {
    let mut line = Line::new(10_000, WAITS);
    for who in 0..5000 {
        line.enter(at(Priority::Order, 7), who, true, 0).unwrap();
    }
    line.enter(at(Priority::Order, 8), 9001, true, 0).unwrap();
    line.enter(at(Priority::Order, 9), 9002, true, 0).unwrap();
    line.enter(at(Priority::Order, 8), 9003, true, 0).unwrap();
    let first: Vec<u32> = all(&mut line, 1).into_iter().take(5).collect();
    assert_eq!(first, [0, 9001, 9002, 1, 9003]);
}

#[test]
fn who_has_waited_too_long_is_never_let_through() {
    let mut line = Line::new(10, WAITS);
    line.enter(at(Priority::Order, 0), 1, true, 0).unwrap();
    line.enter(at(Priority::Order, 0), 2, true, 300).unwrap();
    line.enter(at(Priority::RiskReducing, 0), 3, true, 0)
        .unwrap();
    // What reduces risk is worth something late, too.
    assert_eq!(all(&mut line, 400), [3, 2]);
}

#[test]
fn a_line_that_stands_is_kept_short() {
    let mut line = Line::new(10, WAITS);
    line.enter(at(Priority::Order, 0), 1, true, 0).unwrap();
    assert_eq!(line.patience_us(Priority::Order, 399), 400);
    assert_eq!(line.patience_us(Priority::Order, 400), 100);
    line.enter(at(Priority::Order, 0), 2, true, 399).unwrap();
    assert_eq!(all(&mut line, 500), [2]);
    // Once it was empty, there is time again.
    assert_eq!(line.patience_us(Priority::Order, 500), 400);
    assert_eq!(line.patience_us(Priority::RiskReducing, 500), 1000);
}

#[test]
fn newcomers_can_be_given_little_time_but_for_what_reduces_risk() {
    let mut line = Line::<u32>::new(10, WAITS);
    line.hurry(true);
    let patience = |line: &Line<u32>| Priority::ALL.map(|one| line.patience_us(one, 0));
    assert_eq!(patience(&line), [25, 50, 100, 1000]);
    line.hurry(false);
    assert_eq!(patience(&line), WAITS.0);
}

#[test]
fn of_reads_the_newest_goes_first_once_their_line_stands() {
    let mut line = Line::new(10, WAITS);
    for (who, now_us) in [(1, 0), (2, 50), (3, 90)] {
        line.enter(at(Priority::MarketRead, 0), who, true, now_us)
            .unwrap();
    }
    assert_eq!(
        line.next(Priority::MarketRead, 99),
        Some((Priority::MarketRead, 1))
    );
    assert_eq!(all(&mut line, 110), [3, 2]);
}

#[test]
fn in_a_full_line_the_newest_of_the_least_urgent_goes_for_who_is_more_urgent() {
    let mut line = Line::new(3, WAITS);
    for who in 1..=3 {
        line.enter(at(Priority::MarketRead, 0), who, true, 0)
            .unwrap();
    }
    assert_eq!(line.enter(at(Priority::MarketRead, 1), 4, true, 0), Err(4));
    assert_eq!(line.enter(at(Priority::Order, 0), 5, true, 0), Ok(Some(3)));
    assert_eq!(
        line.enter(at(Priority::AccountRead, 0), 6, true, 0),
        Ok(Some(2))
    );
    assert_eq!(
        line.enter(at(Priority::RiskReducing, 0), 7, false, 0),
        Ok(Some(1))
    );
    assert_eq!(
        line.enter(at(Priority::RiskReducing, 0), 8, false, 0),
        Ok(Some(6))
    );
    assert_eq!(line.len(), 3);
}

#[test]
fn those_whose_time_is_over_take_no_room() {
    let mut line = Line::new(2, WAITS);
    line.enter(at(Priority::Order, 1), 1, true, 0).unwrap();
    line.enter(at(Priority::Order, 2), 2, true, 0).unwrap();
    assert_eq!(line.enter(at(Priority::Order, 3), 3, true, 399), Err(3));
    assert_eq!(line.enter(at(Priority::Order, 3), 3, true, 400), Ok(None));
    assert_eq!(all(&mut line, 401), [3]);
}

proptest! {
    /// Against the plainest model: a list. What comes out is always of the most urgent class in which somebody waits in
    /// time, and of the lane that waited for its turn for longest; nobody is lost but who was late or displaced.
    #[test]
    fn it_does_what_a_list_of_all_would(steps in vec((0..3_u8, 0..4_usize, 0..3_u16, 0..60_u64), 1..200)) {
        let mut line = Line::new(12, WAITS);
        let mut model: Vec<(Priority, u16, u32, u64)> = Vec::new();
        let (mut now_us, mut number) = (0, 0);
        for (step, class, lane, passes_us) in steps {
            now_us += passes_us;
            let priority = Priority::ALL[class];
            if step == 0 {
                let next = line.next(Priority::MarketRead, now_us);
                let live = |(p, _, _, since): &&(Priority, u16, u32, u64)|
                    *p == Priority::RiskReducing || now_us < since + WAITS.of(*p);
                let wanted = model.iter().filter(live).map(|(p, ..)| *p).max();
                match next {
                    Some((got, who)) => {
                        let place = model.iter().position(|(.., w, _)| *w == who).unwrap();
                        let taken = model.remove(place);
                        prop_assert_eq!(taken.0, got);
                        prop_assert!(wanted.is_some());
                        // Somebody with less time than the model knows may have gone; nobody came back.
                        prop_assert!(Some(got) <= wanted);
                        prop_assert!(got == Priority::RiskReducing || now_us < taken.3 + WAITS.of(got));
                    }
                    None => prop_assert!(!model.iter().any(|(p, ..)| *p == Priority::RiskReducing)),
                }
            } else {
                number += 1;
                match line.enter(at(priority, lane), number, true, now_us) {
                    Ok(None) => model.push((priority, lane, number, now_us)),
                    Ok(Some(gone)) => {
                        let place = model.iter().position(|(.., w, _)| *w == gone).unwrap();
                        prop_assert!(model.remove(place).0 < priority);
                        model.push((priority, lane, number, now_us));
                    }
                    Err(who) => {
                        prop_assert_eq!(who, number);
                        prop_assert!(priority != Priority::RiskReducing);
                    }
                }
            }
            prop_assert!(line.len() <= model.len());
        }
    }
}
