//! What is held is used once, in its own window, and fetched again before it is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ringfence_core::budget::{Across, Algorithm, Counts, How, Limit, OnLoss, Subject};

use super::*;

const WINDOW_MS: u64 = 1000;
const BEGAN_MS: u64 = 5_000_000;

fn terms(algorithm: Algorithm) -> Terms {
    let across = Across::Cluster {
        how: How::Lease(10),
        on_loss: OnLoss::LeaseOut,
    };
    let limit = Limit {
        across,
        algorithm,
        ..Limit::fixed("l", Subject::Account, Counts::Requests, 100, WINDOW_MS)
    };
    Terms::of(&limit).unwrap()
}

fn charge(price: u64) -> Charge {
    Charge {
        limit: 0,
        name: [3; 16],
        price,
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Slices, and the server that answers them.
struct Play {
    slices: Slices,
    terms: Terms,
    start: Instant,
}

impl Play {
    fn new(algorithm: Algorithm) -> Self {
        Self {
            slices: Slices::new(100),
            terms: terms(algorithm),
            start: Instant::now(),
        }
    }

    fn cover(&self, price: u64, at_ms: u64) -> Covered {
        let now = self.start + ms(at_ms);
        self.slices.cover(&charge(price), &self.terms, now)
    }

    /// Whether a message is covered.
    fn covers(&self, price: u64, at_ms: u64) -> bool {
        matches!(self.cover(price, at_ms), Covered::Whole(..))
    }

    /// Has the server give `more` of what is left, asked at `at_ms` and answered 10 ms later.
    fn put(&self, more: u64, left: u64, ahead: u64, at_ms: u64) {
        let ask = Ask {
            charge: charge(0),
            terms: &self.terms,
            want: more,
            ahead,
        };
        // The server looks at its clock in between.
        let now_ms = BEGAN_MS + at_ms + 5;
        let had = Had {
            now_ms,
            used: 100 - left,
            left,
            reset_ms: WINDOW_MS - now_ms % WINDOW_MS + ahead * WINDOW_MS,
            more,
        };
        let asked = self.start + ms(at_ms);
        self.slices.put(&ask, &had, (asked, asked + ms(10)));
    }
}

#[test]
fn a_subject_of_which_nothing_is_held_asks_and_only_the_first_message_for_more() {
    let play = Play::new(Algorithm::Fixed);
    assert!(matches!(play.cover(2, 0), Covered::Not(8)));
    assert!(matches!(play.cover(2, 1), Covered::Not(0)));
    play.put(8, 80, 0, 0);
    assert!(play.covers(8, 10));
    assert!(!play.covers(1, 11));
}

#[test]
fn what_is_held_ends_before_its_window_can_be_over_at_the_server() {
    let play = Play::new(Algorithm::Fixed);
    play.put(8, 80, 0, 0);
    // Asked at 0, and answered that 995 ms were left: at 995 at the earliest.
    assert!(play.covers(1, 994));
    assert!(!play.covers(1, 995));
}

#[test]
fn the_next_window_s_units_are_fetched_before_it_and_used_only_in_it() {
    let play = Play::new(Algorithm::Fixed);
    play.put(8, 80, 0, 0);
    let Covered::Whole(_, _, wanted) = play.cover(1, 950) else {
        panic!("it is held");
    };
    assert!(matches!(wanted, Wanted::Next(_)), "{wanted:?}");
    play.put(6, 94, 1, 950);
    // This one's are over, and the next has begun at 1005 at the latest.
    assert!(!play.covers(1, 1004));
    assert!(play.covers(6, 1005));
    assert!(!play.covers(1, 1006));
}

#[test]
fn units_of_a_window_that_is_over_are_not_put_into_the_next() {
    let play = Play::new(Algorithm::Fixed);
    play.put(4, 80, 0, 1500);
    let Covered::Whole(_, window, _) = play.cover(4, 1510) else {
        panic!("it is held");
    };
    // An answer that comes late is of the window before.
    play.put(9, 80, 0, 900);
    assert!(!play.covers(1, 1511));
    play.put(3, 80, 0, 2100);
    play.slices.give_back(&charge(4), window);
    assert!(!play.covers(4, 2111), "given back after its window");
    assert!(play.covers(3, 2112));
}

#[test]
fn what_does_not_fit_what_is_left_is_refused_without_asking_until_the_window_ends() {
    let play = Play::new(Algorithm::Fixed);
    play.put(2, 1, 0, 0);
    assert!(matches!(play.cover(3, 20), Covered::Over(975, _)));
    assert!(play.covers(2, 21), "what is held still counts");
    assert!(matches!(play.cover(3, 996), Covered::Not(_)));
}

#[test]
fn more_is_fetched_at_half_and_never_more_than_a_lease_is_held() {
    let play = Play::new(Algorithm::Fixed);
    play.put(10, 80, 0, 0);
    let mut fetched = 0;
    for at_ms in 11..19 {
        let Covered::Whole(_, _, wanted) = play.cover(1, at_ms) else {
            panic!("it is held");
        };
        if let Wanted::Now(want) = wanted {
            fetched += 1;
            let held = 10 - (at_ms - 10);
            assert!(want <= 10 - held, "{want} beside {held}");
        }
    }
    assert_eq!(fetched, 1, "once, until it is answered");
}

#[test]
fn what_is_held_of_a_bucket_is_let_go_when_it_is_not_used() {
    let play = Play::new(Algorithm::Drain { rate: 10 });
    play.put(8, 80, 0, 0);
    assert!(play.covers(1, 499));
    assert!(!play.covers(1, 500));
    play.put(2, 80, 0, 600);
    assert!(!play.covers(3, 620), "what was let go is gone");
}

#[test]
fn subjects_beyond_the_room_ask_every_time_and_old_ones_make_room() {
    let (slices, terms, start) = (Slices::new(16), terms(Algorithm::Fixed), Instant::now());
    let named = |n: u8| Charge {
        name: [0, n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ..charge(1)
    };
    assert!(matches!(
        slices.cover(&named(1), &terms, start),
        Covered::Not(4)
    ));
    assert!(matches!(
        slices.cover(&named(2), &terms, start),
        Covered::Not(0)
    ));
    slices.unasked(&named(1).name);
    let later = start + ms(500);
    assert!(matches!(
        slices.cover(&named(2), &terms, later),
        Covered::Not(4)
    ));
}
