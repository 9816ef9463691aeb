//! Ratios are bounded exactly, as a model says that remembers everything; what is refused are orders and changes, never
//! a cancel.

use proptest::prelude::*;

use super::super::{About, Algorithm, BudgetError, Fill, Stakes, Subjects, Usage};
use super::{
    BudgetTable, Cost, Counts, Limit, Payer, Subject, Usages, address, credentials, limit, order,
    payer,
};
use crate::credential::Credential;
use crate::operation::Operation;
use crate::refusal::{Detail, Refusal, Retry};

const WINDOW_MS: u64 = 10_000;
const NOW_MS: u64 = 1_700_000_000_000;
const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

fn ratio(counts: Counts, subject: impl Into<Subjects>, quota: u64, max_e4: u64) -> Limit {
    Limit {
        algorithm: Algorithm::Ratio { max_e4 },
        ..Limit::fixed("ratio", subject, counts, quota, WINDOW_MS)
    }
}

fn pair() -> Subjects {
    Subjects::from(Subject::Account).with(Subject::Symbol)
}

fn table(limits: Vec<Limit>) -> BudgetTable {
    BudgetTable::new(limits, 1000)
        .unwrap()
        .with_symbols(SYMBOLS)
}

/// Asks for `operation` about one order of so many lots in `symbol`; returns what its fills change.
fn ask(
    table: &BudgetTable,
    who: &Credential,
    (operation, symbol, lots): (Operation, &str, u64),
    now_ms: u64,
    usages: &mut Usages,
) -> Result<Stakes, Refusal> {
    let orders = [order(symbol)];
    let cancels = operation == Operation::OrderCancel;
    let about: [About; 1] = [table.about(symbol, None, lots)];
    let payer = Payer {
        operation,
        orders: if cancels { &[] } else { &orders },
        about: &about,
        ..payer(address(1), Some(who))
    };
    let cost = Cost {
        weight: 1,
        orders: u32::from(operation == Operation::OrderPlace),
        items: 1,
    };
    let _charged = table.take(&payer, cost, now_ms, usages)?;
    let placed = Payer {
        orders: &orders,
        ..payer
    };
    Ok(table.stakes(&placed, now_ms))
}

fn trade(lots: u64, now_ms: u64) -> Fill {
    Fill {
        first: false,
        first_ms: None,
        last_ms: None,
        lots,
        now_ms,
    }
}

/// Asks as alice does in one instrument.
fn alice(table: &BudgetTable, operation: Operation, lots: u64) -> Result<Stakes, Refusal> {
    let what = (operation, SYMBOLS[0], lots);
    ask(
        table,
        &credentials()[0],
        what,
        NOW_MS,
        &mut Usages::default(),
    )
}

#[test]
fn orders_to_trades_count_as_the_regulation_has_it() {
    use Operation::{OrderAmend, OrderCancel, OrderPlace};
    // At most 2 to 1, less one: 3 messages for each trade, and 4 whatever there is.
    let table = table(vec![ratio(Counts::OrderToTrade, pair(), 4, 20_000)]);
    let placed = alice(&table, OrderPlace, 0).unwrap();
    // To change an order is to delete one and to add one.
    alice(&table, OrderAmend, 0).unwrap();
    assert!(alice(&table, OrderAmend, 0).is_err());
    alice(&table, OrderPlace, 0).unwrap();
    assert!(alice(&table, OrderPlace, 0).is_err());
    // Cancels pass and count: 6 of them.
    alice(&table, OrderCancel, 0).unwrap();
    alice(&table, OrderCancel, 0).unwrap();
    table.filled(&placed, &trade(0, NOW_MS));
    assert!(alice(&table, OrderPlace, 0).is_err());
    table.filled(&placed, &trade(0, NOW_MS));
    assert!(alice(&table, OrderPlace, 0).is_err());
    table.filled(&placed, &trade(0, NOW_MS));
    for _ in 0..3 {
        alice(&table, OrderPlace, 0).unwrap();
    }
    let refusal = alice(&table, OrderPlace, 0).unwrap_err();
    assert_eq!(refusal.retry, Retry::AfterMs(WINDOW_MS));
    let Detail::Limit(detail) = refusal.detail else {
        panic!("{refusal}")
    };
    assert_eq!(
        &*detail.bound,
        "2 order_to_trade above 4 in 10000 ms: 9 to 3"
    );
    // Elsewhere, and of others, it is another ratio.
    let elsewhere = (OrderPlace, SYMBOLS[1], 0);
    let who = credentials();
    for (c, what) in [(0, elsewhere), (2, (OrderPlace, SYMBOLS[0], 0))] {
        let mut usages = Usages::default();
        assert!(ask(&table, &who[c], what, NOW_MS, &mut usages).is_ok());
    }
    // And in the next window.
    let what = (OrderPlace, SYMBOLS[0], 0);
    assert!(
        ask(
            &table,
            &who[0],
            what,
            NOW_MS + WINDOW_MS,
            &mut Usages::default()
        )
        .is_ok()
    );
}

#[test]
fn volume_counts_what_was_asked_for_and_what_was_traded() {
    use Operation::{OrderCancel, OrderPlace};
    // At most 9 to 1, less one: ten times what was traded, and 100 lots whatever there is.
    let table = table(vec![ratio(Counts::VolumeToTrade, pair(), 100, 90_000)]);
    let placed = alice(&table, OrderPlace, 60).unwrap();
    assert!(alice(&table, OrderPlace, 41).is_err());
    alice(&table, OrderCancel, 60).unwrap();
    assert!(alice(&table, OrderPlace, 1).is_err());
    table.filled(&placed, &trade(12, NOW_MS));
    assert!(alice(&table, OrderPlace, 1).is_err());
    table.filled(&placed, &trade(1, NOW_MS));
    alice(&table, OrderPlace, 10).unwrap();
    assert!(alice(&table, OrderPlace, 1).is_err());
}

#[test]
fn cancels_to_orders_refuse_orders_and_changes_until_the_window_ends() {
    use Operation::{OrderAmend, OrderCancel, OrderPlace};
    // One cancel for each two orders, and two whatever there is.
    let table = table(vec![ratio(
        Counts::CancelToOrder,
        Subject::Account,
        2,
        5_000,
    )]);
    for _ in 0..4 {
        alice(&table, OrderPlace, 0).unwrap();
        alice(&table, OrderAmend, 0).unwrap();
    }
    alice(&table, OrderCancel, 0).unwrap();
    alice(&table, OrderCancel, 0).unwrap();
    alice(&table, OrderPlace, 0).unwrap();
    alice(&table, OrderCancel, 0).unwrap();
    // 3 to 5 orders: one more of them would not be enough, and none is let in.
    let refusal = alice(&table, OrderPlace, 0).unwrap_err();
    let Detail::Limit(detail) = refusal.detail else {
        panic!("{refusal}")
    };
    assert_eq!(
        &*detail.bound,
        "0.5 cancel_to_order above 2 in 10000 ms: 3 to 5"
    );
    assert!(alice(&table, OrderAmend, 0).is_err());
    alice(&table, OrderCancel, 0).unwrap();
    let what = (OrderPlace, SYMBOLS[0], 0);
    let later_ms = NOW_MS + WINDOW_MS;
    let who = credentials();
    assert!(ask(&table, &who[0], what, later_ms, &mut Usages::default()).is_ok());
}

#[test]
fn a_trade_counts_in_the_window_in_which_it_was() {
    let table = table(vec![ratio(
        Counts::OrderToTrade,
        Subject::Account,
        1,
        10_000,
    )]);
    let placed = alice(&table, Operation::OrderPlace, 0).unwrap();
    let next_ms = NOW_MS + WINDOW_MS;
    let who = credentials();
    let place = || {
        let what = (Operation::OrderPlace, SYMBOLS[0], 0);
        ask(&table, &who[0], what, next_ms, &mut Usages::default()).is_ok()
    };
    assert!(place());
    // Heard late: it was in the window before, as far as anybody says.
    table.filled(&placed, &trade(0, next_ms));
    let told = |last_ms| Fill {
        last_ms: Some(last_ms),
        ..trade(0, next_ms)
    };
    table.filled(&placed, &told(next_ms - 1));
    assert!(!place());
    table.filled(&placed, &told(next_ms));
    assert!(place() && !place());
}

#[test]
fn what_is_refused_elsewhere_is_taken_back_of_both_sides() {
    let limits = vec![
        ratio(Counts::CancelToOrder, Subject::Account, 0, 10_000),
        ratio(Counts::OrderToTrade, Subject::Account, 2, 0),
    ];
    let (table, who) = (table(limits), credentials());
    let orders = [order(SYMBOLS[0])];
    let payer = Payer {
        orders: &orders,
        ..payer(address(1), Some(&who[0]))
    };
    let cost = Cost {
        weight: 1,
        orders: 1,
        items: 1,
    };
    for _ in 0..5 {
        let taken = table.take_for_now(&payer, cost, NOW_MS, &mut Usages::default());
        taken.unwrap().1.unwrap().give_back();
    }
    // None of them counts as placed, to which the cancel would be one of five.
    alice(&table, Operation::OrderCancel, 0).unwrap();
    let refusal = alice(&table, Operation::OrderPlace, 0).unwrap_err();
    let Detail::Limit(detail) = refusal.detail else {
        panic!("{refusal}")
    };
    assert_eq!(
        &*detail.bound,
        "1 cancel_to_order above 0 in 10000 ms: 1 to 0"
    );
}

#[test]
fn a_ratio_is_counted_by_its_own_algorithm_and_by_no_other() {
    let wrong = |limit| BudgetTable::new(vec![limit], 1).unwrap_err();
    let counts = limit(Subject::Account, Counts::OrderToTrade, 1, 1);
    assert_eq!(wrong(counts), BudgetError::NotRatio(0));
    let orders = ratio(Counts::Orders, Subject::Account, 1, 1);
    assert_eq!(wrong(orders), BudgetError::NotRatio(0));
}

#[test]
fn what_is_no_order_is_not_counted() {
    let table = table(vec![ratio(Counts::OrderToTrade, Subject::Account, 1, 1)]);
    let mut usages = Usages::default();
    let what = (Operation::OrderQuery, SYMBOLS[0], 0);
    assert!(ask(&table, &credentials()[0], what, NOW_MS, &mut usages).is_ok());
    assert_eq!(usages.as_slice(), []);
}

/// What one subject did in the present window: messages, lots, cancels, orders, trades, and lots traded.
type Sums = [u64; 6];

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn every_history_is_judged_by_ratios_as_by_a_model_with_unbounded_memory(
        floors in (0..6_u64, 0..60_u64, 0..4_u64),
        maxima in (0..40_000_u64, 0..40_000_u64, 0..20_000_u64),
        steps in prop::collection::vec((0..1_500_u64, 0..5_usize, 0..8_usize, 1..9_u64), 1..150),
    ) {
        let table = table(vec![
            ratio(Counts::OrderToTrade, pair(), floors.0, maxima.0),
            ratio(Counts::VolumeToTrade, pair(), floors.1, maxima.1),
            ratio(Counts::CancelToOrder, Subject::Account, floors.2, maxima.2),
        ]);
        let who = credentials();
        let mut placed: Vec<(Stakes, usize, u64)> = Vec::new();
        let (mut now_ms, mut window) = (NOW_MS, NOW_MS / WINDOW_MS);
        // By account and instrument.
        let mut sums = [Sums::default(); 4];
        for (step_ms, kind, which, lots) in steps {
            now_ms += step_ms;
            if now_ms / WINDOW_MS != window {
                (window, sums) = (now_ms / WINDOW_MS, Default::default());
            }
            if kind >= 3 {
                if let Some((stakes, of, charged_ms)) = placed.get(which) {
                    table.filled(stakes, &trade(lots, now_ms));
                    if charged_ms / WINDOW_MS == window {
                        sums[*of][4] += 1;
                        sums[*of][5] += lots;
                    }
                }
                continue;
            }
            let of = which % 4;
            let account = of / 2;
            let (operation, times) = [
                (Operation::OrderPlace, 1),
                (Operation::OrderAmend, 2),
                (Operation::OrderCancel, 1),
            ][kind];
            let here = sums[of];
            let all = |n: usize| sums[account * 2][n] + sums[account * 2 + 1][n];
            // In ten-thousandths, by the definitions and nothing else: a / b - 1 <= max, c / d <= max.
            let fits = |n: u64, floor: u64, d: u64, each_e4: u64| {
                n <= floor || u128::from(n) * 10_000 <= u128::from(d) * u128::from(each_e4)
            };
            let within = fits(here[0] + times, floors.0, here[4], maxima.0 + 10_000)
                && fits(here[1] + times * lots, floors.1, here[5], maxima.1 + 10_000)
                && fits(all(2), floors.2, all(3), maxima.2);
            let mut usages = Usages::default();
            let what = (operation, SYMBOLS[of % 2], lots);
            let asked = ask(&table, &who[account * 2], what, now_ms, &mut usages);
            prop_assert_eq!(asked.is_ok(), within || kind == 2);
            if let Ok(stakes) = asked {
                sums[of][0] += times;
                sums[of][1] += times * lots;
                sums[of][2] += u64::from(kind == 2);
                sums[of][3] += u64::from(kind == 0);
                if kind == 0 {
                    placed.push((stakes, of, now_ms));
                }
            }
            let used = |limit: u16| {
                let mut usages = usages.as_slice().iter();
                usages.find(|usage: &&Usage| usage.limit == limit).map_or(0, |usage| usage.used)
            };
            let all = sums[account * 2][2] + sums[account * 2 + 1][2];
            prop_assert_eq!([used(0), used(1), used(2)], [sums[of][0], sums[of][1], all]);
        }
    }
}
