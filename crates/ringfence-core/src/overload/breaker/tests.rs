//! It opens after so many failures in a row, asks by reads whether the venue is back, and is never in a cancel's way.

use super::*;

const FUSE: Fuse = Fuse {
    failures: 3,
    open_us: 1000,
};

fn open() -> Breaker {
    let mut breaker = Breaker::new(FUSE);
    assert_eq!(breaker.failed(0), None);
    assert_eq!(breaker.failed(0), None);
    assert_eq!(breaker.failed(0), Some(1000));
    breaker
}

#[test]
fn failures_open_it_only_in_a_row() {
    let mut breaker = Breaker::new(FUSE);
    for _ in 0..10 {
        assert_eq!(breaker.failed(0), None);
        assert_eq!(breaker.failed(0), None);
        assert!(!breaker.succeeded());
    }
    assert_eq!(breaker.circuit(0), Circuit::Closed);
}

#[test]
fn while_it_is_open_all_but_cancels_are_told_when_to_come_back() {
    let mut breaker = open();
    assert_eq!(breaker.circuit(999), Circuit::Open);
    assert_eq!(breaker.admit(Priority::MarketRead, 400), Err(600));
    assert_eq!(breaker.admit(Priority::Order, 400), Err(1600));
    assert_eq!(breaker.admit(Priority::RiskReducing, 400), Ok(()));
}

#[test]
fn one_read_at_a_time_asks_whether_the_venue_is_back() {
    let mut breaker = open();
    assert_eq!(breaker.circuit(1000), Circuit::HalfOpen);
    assert_eq!(breaker.look(Priority::AccountRead, 1000), Ok(()));
    assert_eq!(breaker.admit(Priority::AccountRead, 1000), Ok(()));
    assert_eq!(breaker.admit(Priority::AccountRead, 1000), Err(1000));
    // Nobody has heard of that one again.
    assert_eq!(breaker.admit(Priority::MarketRead, 2000), Ok(()));
    assert!(breaker.succeeded());
    assert_eq!(breaker.admit(Priority::Order, 2000), Ok(()));
    assert_eq!(breaker.circuit(2000), Circuit::Closed);
}

#[test]
fn an_order_asks_only_when_nothing_else_has_come() {
    let mut breaker = open();
    assert_eq!(breaker.admit(Priority::Order, 1999), Err(1));
    assert_eq!(breaker.admit(Priority::Order, 2000), Ok(()));
    assert_eq!(breaker.admit(Priority::Order, 2000), Err(1000));
}

#[test]
fn each_time_that_the_venue_is_not_back_it_is_left_alone_for_longer() {
    let mut breaker = open();
    let mut now_us = 1000;
    for lasts_us in [2000, 4000, 8000, 8000] {
        assert_eq!(breaker.admit(Priority::MarketRead, now_us), Ok(()));
        assert_eq!(breaker.failed(now_us), Some(lasts_us));
        // What was under way before is no news.
        assert_eq!(breaker.failed(now_us), None);
        now_us += lasts_us;
    }
    assert!(breaker.succeeded());
    assert_eq!(open().failed(1000), Some(2000));
}

/// Every history of seven steps.
#[test]
fn no_history_stops_a_cancel_or_lets_two_ask_at_once() {
    for history in 0..6_u64.pow(7) {
        let (mut breaker, mut rest, mut now_us) = (Breaker::new(FUSE), history, 0);
        let mut asked_us = None;
        for _ in 0..7 {
            match rest % 6 {
                0 => now_us += 700,
                1 => {
                    if breaker.failed(now_us).is_some() {
                        asked_us = None;
                    }
                }
                2 => {
                    breaker.succeeded();
                    asked_us = None;
                }
                step => {
                    let priority = Priority::ALL[step as usize - 3];
                    let away = breaker.circuit(now_us);
                    let admitted = breaker.look(priority, now_us).is_ok();
                    assert_eq!(admitted, breaker.admit(priority, now_us).is_ok());
                    assert!(!(admitted && away == Circuit::Open), "{history}");
                    if admitted && away == Circuit::HalfOpen {
                        let before = asked_us.replace(now_us);
                        assert!(
                            before.is_none_or(|before| now_us - before >= 1000),
                            "{history}"
                        );
                    }
                }
            }
            assert!(breaker.look(Priority::RiskReducing, now_us).is_ok());
            rest /= 6;
        }
    }
}
