//! What an order used comes back when it is first filled: once, in its window, to whom it was charged, and to nobody else.

use proptest::prelude::*;

use super::super::{Algorithm, BudgetError, Fill, Stakes};
use super::{
    BudgetTable, Counts, Limit, ONE, Payer, Subject, Usages, address, credentials, limit, order,
    payer, small,
};
use crate::credential::Credential;
use crate::refusal::Code;

const WINDOW_MS: u64 = 10_000;
const NOW_MS: u64 = 1_700_000_000_000;

fn unfilled(subject: Subject, quota: u64) -> Limit {
    limit(subject, Counts::Unfilled, quota, WINDOW_MS)
}

/// Places an order; returns what its fills change.
fn place(table: &BudgetTable, who: &Credential, now_ms: u64) -> Result<Stakes, Code> {
    let orders = [order("BTCUSDT")];
    let payer = Payer {
        orders: &orders,
        ..payer(address(1), Some(who))
    };
    let taken = table.take(&payer, ONE, now_ms, &mut Usages::default());
    let _charged = taken.map_err(|refusal| refusal.code)?;
    Ok(table.stakes(&payer, now_ms))
}

fn first(now_ms: u64) -> Fill {
    Fill {
        first: true,
        first_ms: None,
        last_ms: None,
        lots: 0,
        now_ms,
    }
}

#[test]
fn what_is_filled_is_not_counted_and_the_rest_is_refused_at_the_number() {
    let limits = vec![unfilled(Subject::Account, 3)];
    let (table, who) = (BudgetTable::new(limits, 10_000).unwrap(), credentials());
    for _ in 0..20 {
        let stakes = place(&table, &who[0], NOW_MS).unwrap();
        table.filled(&stakes, &first(NOW_MS));
    }
    let placed: Vec<_> = (0..3)
        .map(|_| place(&table, &who[0], NOW_MS).unwrap())
        .collect();
    assert_eq!(
        place(&table, &who[0], NOW_MS).unwrap_err(),
        Code::BudgetExceeded
    );
    // Filled further, it is not filled first; nor does another account get anything.
    table.filled(
        &placed[0],
        &Fill {
            first: false,
            ..first(NOW_MS)
        },
    );
    let others = place(&table, &who[2], NOW_MS).unwrap();
    table.filled(&others, &first(NOW_MS));
    assert_eq!(
        place(&table, &who[1], NOW_MS).unwrap_err(),
        Code::BudgetExceeded
    );
    table.filled(&placed[0], &first(NOW_MS));
    assert!(place(&table, &who[1], NOW_MS).is_ok());
    assert_eq!(
        place(&table, &who[0], NOW_MS).unwrap_err(),
        Code::BudgetExceeded
    );
}

#[test]
fn a_fill_gives_back_in_the_window_that_the_venue_gave_it_back_in_or_in_none() {
    let limits = vec![unfilled(Subject::Account, 1)];
    let (table, who) = (BudgetTable::new(limits, 10_000).unwrap(), credentials());
    let (old, next_ms) = (place(&table, &who[0], NOW_MS).unwrap(), NOW_MS + WINDOW_MS);
    place(&table, &who[0], next_ms).unwrap();
    let full = |now_ms| place(&table, &who[0], now_ms).is_err();
    // Heard of in the next window: nobody says that it was filled in that.
    table.filled(&old, &first(next_ms));
    assert!(full(next_ms));
    let told = |first_ms| Fill {
        first_ms: Some(first_ms),
        ..first(next_ms)
    };
    for other_ms in [next_ms - 1, next_ms + WINDOW_MS] {
        table.filled(&old, &told(other_ms));
        assert!(full(next_ms), "{other_ms}");
    }
    table.filled(&old, &told(next_ms + 5));
    assert!(!full(next_ms));
    // Nothing comes back that was not used.
    let later_ms = next_ms + WINDOW_MS;
    let late = Fill {
        first_ms: Some(later_ms),
        ..first(later_ms)
    };
    table.filled(&old, &late);
    place(&table, &who[0], later_ms).unwrap();
    assert!(full(later_ms));
}

#[test]
fn a_subject_that_was_forgotten_gets_nothing_back() {
    let limits = vec![unfilled(Subject::Address, 1), unfilled(Subject::Account, 9)];
    let (table, who) = (small(limits, 1), credentials());
    let stakes = place(&table, &who[0], NOW_MS).unwrap();
    let later_ms = NOW_MS + 5 * WINDOW_MS;
    let other = payer(address(2), None);
    assert!(
        table
            .take(&other, ONE, later_ms, &mut Usages::default())
            .is_ok()
    );
    table.filled(&stakes, &first(later_ms));
}

#[test]
fn only_windows_on_the_clock_give_back() {
    for algorithm in [
        Algorithm::Anchored,
        Algorithm::Concurrent,
        Algorithm::Drain { rate: 1 },
        Algorithm::Sliding,
    ] {
        let limit = Limit {
            algorithm,
            ..unfilled(Subject::Account, 1)
        };
        let error = BudgetTable::new(vec![limit], 1).unwrap_err();
        assert_eq!(error, BudgetError::NotFixed(0));
        let said = "limits[0] counts what fills give back, which algorithm fixed can";
        assert_eq!(error.to_string(), said);
    }
    assert!(
        !BudgetTable::new(vec![limit(Subject::Account, Counts::Orders, 1, 1)], 1)
            .unwrap()
            .follows_fills()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// The model remembers every order: how many of those that were charged in a window were not filled in it, or were charged
    /// before and filled in it, as the venue says.
    #[test]
    fn every_history_of_fills_is_counted_as_by_a_model_with_unbounded_memory(
        quota in 1..6_u64,
        steps in prop::collection::vec((0..2_500_u64, 0..8_usize, any::<bool>(), any::<bool>()), 1..150),
    ) {
        let limits = vec![unfilled(Subject::Account, quota), unfilled(Subject::Credential, quota + 1)];
        let (table, who) = (BudgetTable::new(limits, 1000).unwrap(), credentials());
        let mut orders: Vec<(Stakes, usize, u64, bool)> = Vec::new();
        let (mut now_ms, mut used) = (NOW_MS, [[0_u64; 4]; 2]);
        let mut window = now_ms / WINDOW_MS;
        for (step_ms, which, fills, tells) in steps {
            now_ms += step_ms;
            if now_ms / WINDOW_MS != window {
                (window, used) = (now_ms / WINDOW_MS, [[0; 4]; 2]);
            }
            if fills && !orders.is_empty() {
                let count = orders.len();
                let (stakes, c, charged_ms, filled) = &mut orders[which % count];
                let first_ms = tells.then_some(now_ms - step_ms.min(now_ms % WINDOW_MS));
                table.filled(stakes, &Fill { first: !*filled, first_ms, ..first(now_ms) });
                if !*filled && (tells || *charged_ms / WINDOW_MS == window) {
                    used[0][*c / 2] = used[0][*c / 2].saturating_sub(1);
                    used[1][*c] = used[1][*c].saturating_sub(1);
                }
                *filled = true;
                continue;
            }
            let c = which % 4;
            let fits = used[0][c / 2] < quota && used[1][c] < quota + 1;
            let placed = place(&table, &who[c], now_ms);
            prop_assert_eq!(placed.is_ok(), fits);
            if let Ok(stakes) = placed {
                used[0][c / 2] += 1;
                used[1][c] += 1;
                orders.push((stakes, c, now_ms, false));
            }
        }
    }
}
