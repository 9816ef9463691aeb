//! No history of clock readings uses a window twice, and none that comes back locks anybody out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use super::Counter;

fn take(counter: &mut Counter, window: u64, quota: u64) -> bool {
    let slot = counter.slot(window);
    let fits = slot.used < quota;
    slot.used += u64::from(fits);
    fits
}

/// Every history of seven readings in windows 0..5, quotas 1 and 2: 2 * 5^7 histories.
fn every_history(mut judge: impl FnMut(u64, &[u64])) {
    for quota in 1..=2 {
        for history in 0..5_u32.pow(7) {
            let mut rest = history;
            let readings: Vec<u64> = std::iter::repeat_with(|| {
                let window = u64::from(rest % 5);
                rest /= 5;
                window
            })
            .take(7)
            .collect();
            judge(quota, &readings);
        }
    }
}

#[test]
fn no_history_uses_more_than_one_quota_per_window_visited() {
    every_history(|quota, readings| {
        let mut counter = Counter::default();
        let admitted = readings
            .iter()
            .filter(|w| take(&mut counter, **w, quota))
            .count() as u64;
        // Window 0 counts as visited: an empty counter starts there.
        let visited: BTreeSet<_> = readings.iter().chain(&[0]).collect();
        assert!(admitted <= quota * visited.len() as u64, "{readings:?}");
    });
}

#[test]
fn the_newest_window_stays_used_up_while_the_clock_steps_back_and_returns() {
    every_history(|quota, readings| {
        let mut counter = Counter::default();
        let (mut newest, mut used_up) = (0, false);
        for window in readings {
            used_up &= *window <= newest;
            newest = newest.max(*window);
            let admitted = take(&mut counter, *window, quota);
            assert!(!(admitted && used_up && *window == newest), "{readings:?}");
            used_up |= !admitted && *window == newest;
        }
    });
}

#[test]
fn a_clock_that_goes_forward_is_counted_as_by_one_counter_per_window() {
    every_history(|quota, readings| {
        if !readings.is_sorted() {
            return;
        }
        let mut oracle = BTreeMap::<u64, u64>::new();
        let mut counter = Counter::default();
        for window in readings {
            let used = oracle.entry(*window).or_default();
            let expected = *used < quota;
            *used += u64::from(expected);
            assert_eq!(take(&mut counter, *window, quota), expected, "{readings:?}");
        }
    });
}

#[test]
fn a_leap_forward_and_back_goes_on_where_it_was() {
    let mut counter = Counter::default();
    assert!(take(&mut counter, 10, 2));
    assert!(take(&mut counter, 4_000, 2));
    assert!(take(&mut counter, 10, 2));
    assert!(!take(&mut counter, 10, 2));
    assert!(take(&mut counter, 11, 2));
    assert!(take(&mut counter, 4_000, 2));
    assert!(!take(&mut counter, 4_000, 2));
}

#[test]
fn a_counter_may_be_forgotten_once_every_used_window_has_ended() {
    let mut counter = Counter::default();
    assert_eq!(counter.spent_until(), 0);
    assert!(take(&mut counter, 7, 1));
    assert_eq!(counter.spent_until(), 8);
    assert_eq!(counter.slot(9).used, 0);
    assert_eq!(counter.spent_until(), 8);
    assert!(take(&mut counter, 9, 1));
    assert_eq!(counter.spent_until(), 10);
}

#[test]
fn what_may_have_been_forgotten_counts_as_used_up() {
    let mut counter = Counter::starting(7);
    for window in [6, 3, 0] {
        assert!(!take(&mut counter, window, 5));
    }
    assert!(take(&mut counter, 7, 1));
    assert!(!take(&mut counter, 6, 5));
    assert!(take(&mut Counter::starting(0), 0, 1));
}
