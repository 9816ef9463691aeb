//! The limit grows while the venue keeps up, shrinks when it does not, and stays where it must.

use proptest::prelude::*;

use super::*;

const ORDER: Priority = Priority::Order;

/// A venue that works on `width` messages at once, each for `each_us`: more wait there.
fn took(width: usize, each_us: u64, under_way: usize) -> u64 {
    each_us * (under_way.div_ceil(width) as u64).max(1)
}

/// Uses all of the limit for so many windows of a venue.
fn run(limit: &mut Gradient, now_us: &mut u64, windows: usize, width: usize, each_us: u64) {
    for _ in 0..windows {
        for _ in 0..20 {
            *now_us += 10_000;
            let under_way = limit.limit();
            limit.answered(ORDER, took(width, each_us, under_way), under_way, *now_us);
        }
    }
}

#[test]
fn it_begins_small_and_grows_with_each_answer_to_all_there_is() {
    let mut limit = Gradient::new(4, 64);
    assert_eq!(limit.limit(), 10);
    run(&mut limit, &mut 0, 3, 1000, 20_000);
    assert_eq!(limit.limit(), 64);
}

#[test]
fn a_venue_that_becomes_slow_is_spared_and_one_that_recovers_is_used_again() {
    let (mut limit, mut now_us) = (Gradient::new(4, 64), 0);
    run(&mut limit, &mut now_us, 20, 1000, 20_000);
    // It works on 8 at once from here on.
    run(&mut limit, &mut now_us, 50, 8, 20_000);
    assert!((8..24).contains(&limit.limit()), "{}", limit.limit());
    run(&mut limit, &mut now_us, 100, 1000, 20_000);
    assert_eq!(limit.limit(), 64);
}

#[test]
fn a_venue_that_stays_slow_is_the_new_usual_after_a_while() {
    let (mut limit, mut now_us) = (Gradient::new(4, 64), 0);
    run(&mut limit, &mut now_us, 20, 1000, 20_000);
    // It has moved away: everything takes four times as long, however little there is.
    run(&mut limit, &mut now_us, 30, 1000, 80_000);
    assert!(limit.limit() < 16, "{}", limit.limit());
    run(&mut limit, &mut now_us, 600, 1000, 80_000);
    assert_eq!(limit.limit(), 64);
}

#[test]
fn slow_orders_after_quick_reads_are_no_slow_venue() {
    let (mut limit, mut now_us) = (Gradient::new(4, 64), 0);
    for round in 0..4000_u64 {
        now_us += 10_000;
        // Half a second of each.
        let (priority, us) = match round / 50 % 2 {
            0 => (Priority::MarketRead, 6_000),
            _ => (ORDER, 60_000),
        };
        let used = limit.limit();
        limit.answered(priority, us, used, now_us);
    }
    assert_eq!(limit.limit(), 64);
}

#[test]
fn what_is_quick_is_never_slow() {
    let (mut limit, mut now_us) = (Gradient::new(4, 64), 0);
    run(&mut limit, &mut now_us, 20, 1000, 100);
    run(&mut limit, &mut now_us, 20, 1000, QUICK_US);
    assert_eq!(limit.limit(), 64);
}

#[test]
fn it_does_not_grow_by_what_does_not_use_it() {
    let mut limit = Gradient::new(4, 64);
    for now_us in (0..100).map(|n| n * 100_000) {
        limit.answered(ORDER, 20_000, 2, now_us);
    }
    assert_eq!(limit.limit(), 10);
}

#[test]
fn what_is_lost_takes_some_away_and_a_restart_all_but_the_floor() {
    let (mut limit, mut now_us) = (Gradient::new(4, 64), 0);
    run(&mut limit, &mut now_us, 20, 1000, 20_000);
    limit.lost();
    assert_eq!(limit.limit(), 57);
    limit.restart();
    assert_eq!(limit.limit(), 4);
    run(&mut limit, &mut now_us, 20, 1000, 20_000);
    assert_eq!(limit.limit(), 64);
}

proptest! {
    #[test]
    fn it_is_never_outside_its_bounds(
        floor in 0..100_usize, ceiling in 0..100_usize,
        steps in proptest::collection::vec((0..4_usize, any::<u64>(), 0..200_usize, 0..300_000_u64, 0..20_u8), 0..200)
    ) {
        let mut limit = Gradient::new(floor, ceiling);
        let mut now_us = 0_u64;
        for (class, took_us, under_way, passes_us, what) in steps {
            now_us += passes_us;
            match what {
                0 => limit.lost(),
                1 => limit.restart(),
                _ => { limit.answered(Priority::ALL[class], took_us, under_way, now_us); }
            }
            prop_assert!((1..=ceiling.max(1)).contains(&limit.limit()));
            prop_assert!(limit.limit() >= floor.min(ceiling));
        }
    }
}
