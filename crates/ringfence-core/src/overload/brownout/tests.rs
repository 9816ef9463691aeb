//! Market reads go first and come back last, cancels never go, and no level flaps.

use super::*;

const TICK_US: u64 = 20_000;

/// Ticks until the level changes; None: it does not within ten seconds.
fn until_change(brownout: &mut Brownout, lag_us: u64, now_us: &mut u64) -> Option<u64> {
    (1..=500).find(|_| {
        *now_us += TICK_US;
        brownout.note(lag_us, *now_us).is_some()
    })
}

#[test]
fn it_goes_up_within_a_moment_and_comes_down_step_by_step() {
    let (mut brownout, mut now_us) = (Brownout::new(50_000), 0);
    for level in [Level::Markets, Level::Reads, Level::Orders] {
        let ticks = until_change(&mut brownout, 60_000, &mut now_us);
        assert!(ticks.is_some_and(|ticks| ticks <= 6), "{ticks:?}");
        assert_eq!(brownout.level(), level);
    }
    assert_eq!(until_change(&mut brownout, 60_000, &mut now_us), None);
    for level in [Level::Reads, Level::Markets, Level::Clear] {
        let ticks = until_change(&mut brownout, 0, &mut now_us);
        assert!(
            ticks.is_some_and(|ticks| (50..=51).contains(&ticks)),
            "{ticks:?}"
        );
        assert_eq!(brownout.level(), level);
    }
    assert_eq!(until_change(&mut brownout, 0, &mut now_us), None);
}

#[test]
fn between_behind_and_well_nothing_changes() {
    let (mut brownout, mut now_us) = (Brownout::new(50_000), 0);
    until_change(&mut brownout, 60_000, &mut now_us);
    assert_eq!(until_change(&mut brownout, 30_000, &mut now_us), None);
    assert_eq!(brownout.level(), Level::Markets);
}

#[test]
fn one_long_moment_is_no_overload() {
    let mut brownout = Brownout::new(50_000);
    for tick in 0..1000 {
        let lag_us = if tick % 5 == 0 { 90_000 } else { 0 };
        assert_eq!(brownout.note(lag_us, tick * TICK_US), None);
    }
}

#[test]
fn no_level_refuses_what_reduces_risk_and_each_refuses_what_the_one_before_did() {
    for level in Level::ALL {
        assert!(!level.refuses(Priority::RiskReducing) && !level.refuses(Priority::Order));
        for priority in Priority::ALL {
            assert!(!level.refuses(priority) || level.up().refuses(priority));
        }
    }
    let counts = Level::ALL.map(|level| {
        let refused = |priority: &Priority| level.refuses(*priority);
        Priority::ALL.iter().filter(|one| refused(one)).count()
    });
    assert_eq!(counts, [0, 1, 2, 2]);
    assert!(Level::Markets.refuses(Priority::MarketRead));
}
