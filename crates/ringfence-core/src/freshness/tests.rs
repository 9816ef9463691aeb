//! A message is fresh exactly when Binance's rule says so:
//! `time < now + ahead && now - time <= window`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::Window;
use crate::refusal::{Code, Detail};
use crate::sign::Stamp;

const RULE: Window = Window {
    default_us: 5,
    max_us: 8,
    ahead_us: 2,
};

/// Exhaustive in a small world: times, windows and clocks in 0..16, and the two ends of time.
#[test]
fn the_rule_is_the_published_one() {
    let numbers = || (0..16_u64).chain([u64::MAX - 1, u64::MAX]);
    for time_us in numbers() {
        for window_us in numbers() {
            for now_us in numbers() {
                let stamp = Stamp { time_us, window_us };
                let (time, window, now) = (
                    i128::from(time_us),
                    i128::from(window_us),
                    i128::from(now_us),
                );
                let fresh = window <= 8 && time < now + 2 && now - time <= window;
                // The end of time is not ahead of itself; it is 584,000 years away.
                if now_us < u64::MAX - 2 {
                    assert_eq!(
                        RULE.check(stamp, now_us).is_ok(),
                        fresh,
                        "{stamp:?} at {now_us}"
                    );
                } else {
                    assert!(fresh || RULE.check(stamp, now_us).is_err());
                }
            }
        }
    }
}

#[test]
fn each_way_to_be_outside_has_its_code_and_distance() {
    for (time_us, window_us, code, past_us) in [
        (100, 9, Code::WindowTooLarge, 1),
        (102, 5, Code::TimeAhead, 0),
        (110, 5, Code::TimeAhead, 8),
        (94, 5, Code::TimeStale, 1),
        (0, 5, Code::TimeStale, 95),
    ] {
        let refusal = RULE.check(Stamp { time_us, window_us }, 100).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.detail),
            (code, Detail::Distance(past_us))
        );
    }
}
