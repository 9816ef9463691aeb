//! No history of clock readings gets more out of a cell than its algorithm gives along some clock that only goes forward.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::super::counts::Counts;
use super::super::limit::{Algorithm, Limit};
use super::super::subject::Subject;
use super::Law;

const HOUR_MS: u64 = 3_600_000;
const START_MS: u64 = 1_700_000_000_000;

fn limit(algorithm: Algorithm, quota: u64, window_ms: u64) -> Limit {
    Limit {
        algorithm,
        ..Limit::fixed("one", Subject::Account, Counts::Weight, quota, window_ms)
    }
}

fn limits() -> impl Strategy<Value = Limit> {
    let algorithm = prop::sample::select(vec![
        Algorithm::Anchored,
        Algorithm::Drain { rate: 1 },
        Algorithm::Drain { rate: 7 },
        Algorithm::Sliding,
        Algorithm::Fixed,
    ]);
    (algorithm, 1..9_u64, 1..200_u64).prop_map(|(a, q, w)| limit(a, q, w))
}

/// A step of the clock, and units that are asked for.
fn readings() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let hour = HOUR_MS as i64;
    let step = prop_oneof![
        10 => 0..30_i64,
        4 => -30..0_i64,
        2 => -400..400_i64,
        1 => prop::sample::select(vec![hour, -hour]),
    ];
    prop::collection::vec((step, 0..4_u64), 1..150)
}

/// What was admitted, and at which time it was counted.
fn play(law: &Law, cell: &mut [u64], readings: &[(i64, u64)]) -> Vec<(u64, u64)> {
    let mut now_ms = START_MS + 10 * HOUR_MS;
    let mut admitted = Vec::new();
    for (step_ms, price) in readings {
        now_ms = now_ms.saturating_add_signed(*step_ms);
        let standing = law.look(cell, now_ms);
        if *price > 0 && *price <= standing.left {
            law.charge(cell, standing, *price);
            admitted.push((cell[standing.line], *price));
        }
    }
    admitted
}

/// Checks what was counted at which time against the algorithm's own words, in whatever order it was.
fn is_within(limit: &Limit, mut admitted: Vec<(u64, u64)>) -> Result<(), TestCaseError> {
    admitted.sort_unstable();
    let (quota, window_ms) = (limit.quota, limit.window_ms);
    for (first, (from, _)) in admitted.iter().enumerate() {
        let mut sum = 0;
        for (at, n) in &admitted[first..] {
            sum += n;
            let most = match limit.algorithm {
                // Counted under the number, or the beginning, of the window.
                Algorithm::Fixed | Algorithm::Anchored if at == from => quota,
                // Windows do not overlap.
                Algorithm::Anchored => {
                    prop_assert!(at - from >= window_ms);
                    u64::MAX
                }
                Algorithm::Sliding if at - from < 14 => quota,
                Algorithm::Drain { rate } => (quota * window_ms + (at - from) * rate) / window_ms,
                Algorithm::Concurrent
                | Algorithm::Fixed
                | Algorithm::Ratio { .. }
                | Algorithm::Sliding => u64::MAX,
            };
            prop_assert!(
                sum <= most,
                "{sum} of {most} from {from} to {at}: {admitted:?}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn no_clock_gets_more_out_of_a_cell_than_its_algorithm_gives(
        limit in limits(), readings in readings()
    ) {
        let law = Law::of(&limit, 0).unwrap();
        let mut cell = vec![0; law.words()];
        is_within(&limit, play(&law, &mut cell, &readings))?;
    }

    /// A subject that is forgotten when it is idle, and known again later, gets no more than one that is remembered
    /// would: of times before it was forgotten it gets nothing.
    #[test]
    fn forgetting_refills_nothing(
        limit in limits(), before in readings(), after in readings(), wait_ms in 0..2000_u64
    ) {
        let law = Law::of(&limit, 0).unwrap();
        let mut cell = vec![0; law.words()];
        let mut admitted = play(&law, &mut cell, &before);
        let floor_ms = law.idle_ms(&cell);
        if floor_ms == 0 {
            return Ok(());
        }
        law.start(&mut cell, floor_ms);
        let mut now_ms = floor_ms + wait_ms;
        for (step_ms, price) in after {
            now_ms = now_ms.saturating_add_signed(step_ms);
            let standing = law.look(&mut cell, now_ms);
            if price > 0 && price <= standing.left {
                law.charge(&mut cell, standing, price);
                admitted.push((cell[standing.line], price));
            }
        }
        is_within(&limit, admitted)?;
    }

    /// Whoever comes back when a refusal says is let in, and a moment before that would not have been.
    #[test]
    fn a_refusal_says_when_to_come_back(limit in limits(), readings in readings(), price in 1..9_u64) {
        let price = price.min(limit.quota);
        let law = Law::of(&limit, 0).unwrap();
        let mut cell = vec![0; law.words()];
        play(&law, &mut cell, &readings);
        let now_ms = START_MS + 200 * HOUR_MS;
        for _ in 0..20 {
            let standing = law.look(&mut cell, now_ms);
            if price <= standing.left {
                law.charge(&mut cell, standing, price);
                continue;
            }
            let wait_ms = law.wait_ms(&cell, standing, price);
            let left = |after_ms: u64| law.look(&mut cell.clone(), now_ms + after_ms).left;
            prop_assert!(left(wait_ms) >= price);
            prop_assert!(wait_ms == 1 || left(wait_ms - 1) < price);
            break;
        }
    }

    #[test]
    fn all_is_back_when_a_look_says_so(limit in limits(), readings in readings()) {
        let law = Law::of(&limit, 0).unwrap();
        let mut cell = vec![0; law.words()];
        play(&law, &mut cell, &readings);
        let now_ms = START_MS + 200 * HOUR_MS;
        let standing = law.look(&mut cell, now_ms);
        law.charge(&mut cell, standing, standing.left);
        let reset_ms = law.look(&mut cell, now_ms).reset_ms;
        prop_assert_eq!(law.look(&mut cell, now_ms + reset_ms).left, limit.quota);
        prop_assert!(law.idle_ms(&cell) <= now_ms + reset_ms);
    }
}

/// A leap forward and back, without anything used there, leaves everything as it was.
#[test]
fn a_look_from_the_future_locks_nobody_out() {
    for algorithm in [
        Algorithm::Anchored,
        Algorithm::Drain { rate: 5 },
        Algorithm::Sliding,
    ] {
        let law = Law::of(&limit(algorithm, 5, 1000), 0).unwrap();
        let mut cell = vec![0; law.words()];
        let standing = law.look(&mut cell, START_MS);
        law.charge(&mut cell, standing, 4);
        law.look(&mut cell, START_MS + HOUR_MS);
        assert_eq!(law.look(&mut cell, START_MS + 1).left, 1, "{algorithm:?}");
        let later = law.look(&mut cell, START_MS + 2000);
        assert_eq!(later.left, 5, "{algorithm:?}");
    }
}
