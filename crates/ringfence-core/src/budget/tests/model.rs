//! Every history of messages is judged as by a plain model that remembers every one of them.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::{About, Age, Algorithm, LIMITS_MAX, Operations, Subject, Subjects, Usage};
use super::{BudgetTable, Cost, Counts, Limit, Payer, Usages, address, credentials};
use crate::credential::Credential;
use crate::guard::OrderText;
use crate::operation::Operation;

const START_MS: u64 = 1_700_000_000_000;
const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "unlisted"];
const OPERATIONS: [Operation; 3] = [
    Operation::OrderPlace,
    Operation::OrderCancel,
    Operation::MarketRead,
];

#[derive(Clone, Debug)]
struct Call {
    peer: u8,
    /// 4 is nobody.
    who: usize,
    operation: Operation,
    symbols: Vec<usize>,
    /// For how long the orders have stood that it cancels.
    age_ms: Option<u64>,
    weight: u32,
    step_ms: u64,
}

impl Call {
    fn cost(&self) -> Cost {
        let items = self.symbols.len() as u32;
        Cost {
            weight: self.weight,
            orders: if self.operation == Operation::OrderPlace {
                items
            } else {
                0
            },
            items,
        }
    }
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let operation = prop::sample::select(OPERATIONS.to_vec());
    let symbols = prop::collection::vec(0..3_usize, 0..4);
    let age_ms = prop::option::of(0..60_u64);
    let call = (
        0..3_u8,
        0..5_usize,
        operation,
        symbols,
        age_ms,
        0..4_u32,
        0..40_u64,
    );
    let call = call.prop_map(
        |(peer, who, operation, symbols, age_ms, weight, step_ms)| Call {
            peer,
            who,
            operation,
            symbols,
            age_ms,
            weight,
            step_ms,
        },
    );
    prop::collection::vec(call, 1..120)
}

/// Those that no fill changes.
const COUNTS: [Counts; 4] = [
    Counts::Items,
    Counts::Orders,
    Counts::Requests,
    Counts::Weight,
];
/// What a cancel costs on top, by how long the order has stood.
const AGES: [Age; 2] = [
    Age {
        below_ms: 20,
        units: 3,
    },
    Age {
        below_ms: 40,
        units: 1,
    },
];

/// Whether cancels are counted, admitted, and dearer of young orders.
fn cancels() -> impl Strategy<Value = [bool; 3]> {
    any::<[bool; 3]>()
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let subjects = [
        &[Subject::Account][..],
        &[Subject::Address],
        &[Subject::Credential],
        &[Subject::Global],
        &[Subject::Network],
        &[Subject::Operation, Subject::Account],
        &[Subject::Symbol],
        &[Subject::Account, Subject::Symbol],
    ];
    let subject = prop::sample::select(subjects.to_vec());
    let counts = prop::sample::select(COUNTS.to_vec());
    let algorithms = vec![
        Algorithm::Fixed,
        Algorithm::Anchored,
        Algorithm::Sliding,
        Algorithm::Drain { rate: 3 },
    ];
    let algorithm = prop::sample::select(algorithms);
    let only = prop::sample::select(vec![None, Some(Operation::OrderPlace)]);
    let limit = (
        subject,
        counts,
        algorithm,
        only,
        cancels(),
        0..12_u64,
        1..300_u64,
    );
    let limit = limit.prop_map(
        |(subject, counts, algorithm, only, [cancels, admits, ages], quota, window_ms)| {
            let first = Subjects::from(subject[0]);
            let subject = subject.iter().fold(first, |all, one| all.with(*one));
            Limit {
                algorithm,
                operations: only
                    .map_or_else(Operations::default, |o| Operations::default().with(o)),
                cancels,
                admits,
                ages: match ages {
                    true => [(Operation::OrderCancel, AGES.into())].into(),
                    false => Box::default(),
                },
                ..Limit::fixed("one", subject, counts, quota, window_ms)
            }
        },
    );
    prop::collection::vec(limit, 0..LIMITS_MAX)
}

/// What was used of one limit by one subject: when, and how much.
type Used = Vec<(u64, u64)>;

/// Everything that was ever charged.
#[derive(Default)]
struct Oracle(HashMap<(usize, String), Used>);

impl Oracle {
    fn take(&mut self, limits: &[Limit], call: &Call, now_ms: u64) -> bool {
        let mut charges: Vec<((usize, String), u64)> = Vec::new();
        for (index, limit) in limits.iter().enumerate() {
            if !counts(limit, call.operation) {
                continue;
            }
            for (subject, share) in subjects(limit.subject, call) {
                let price = match limit.counts {
                    Counts::Items => u64::from(share.items.max(1)),
                    Counts::Orders => u64::from(share.orders),
                    Counts::Requests => 1,
                    Counts::Weight => u64::from(share.weight),
                    // They have models of their own.
                    Counts::CancelToOrder
                    | Counts::OrderToTrade
                    | Counts::Unfilled
                    | Counts::VolumeToTrade => u64::MAX,
                };
                let young = young(limit, call, share.items.max(1));
                charges.push(((index, subject), price + young));
            }
        }
        let none = Used::new();
        let fits = charges.iter().all(|(key, price)| {
            let used = self.0.get(key).unwrap_or(&none);
            let limit = &limits[key.0];
            let admitted = limit.admits && call.operation == Operation::OrderCancel;
            *price == 0 || admitted || fits(limit, used, *price, now_ms)
        });
        for (key, price) in charges.into_iter().filter(|(_, price)| fits && *price > 0) {
            self.0.entry(key).or_default().push((now_ms, price));
        }
        fits
    }
}

/// Returns what so many orders cost on top for how long they have stood.
fn young(limit: &Limit, call: &Call, orders: u32) -> u64 {
    let cancels = call.operation == Operation::OrderCancel;
    if limit.ages.is_empty() || !cancels {
        return 0;
    }
    let age_ms = call.age_ms.filter(|_| !call.symbols.is_empty());
    let each = match age_ms {
        None | Some(0..20) => 3,
        Some(20..40) => 1,
        Some(_) => 0,
    };
    each * u64::from(orders)
}

fn counts(limit: &Limit, operation: Operation) -> bool {
    let named = operation == Operation::OrderPlace;
    let all = limit.operations == Operations::default();
    let cancels = operation == Operation::OrderCancel;
    named || all && (limit.cancels || !cancels)
}

/// Names the subjects of a message in a limit, each with its share of the cost.
fn subjects(kinds: Subjects, call: &Call) -> Vec<(String, Cost)> {
    let mut name = String::new();
    for kind in kinds.iter() {
        match kind {
            Subject::Account | Subject::Credential if call.who == 4 => return Vec::new(),
            Subject::Account => name += &format!("a{}", call.who / 2),
            Subject::Address => name += &format!("p{}", call.peer),
            Subject::Credential => name += &format!("c{}", call.who),
            Subject::Operation => name += call.operation.as_str(),
            Subject::Global
            | Subject::Network
            | Subject::Organisation
            | Subject::Shard
            | Subject::Stranger
            | Subject::Symbol
            | Subject::Upstream
            | Subject::Venue => {}
        }
    }
    if !kinds.contains(Subject::Symbol) {
        return vec![(name, call.cost())];
    }
    let of = |symbol: usize| call.symbols.iter().filter(|s| **s == symbol).count() as u32;
    let named = (0..3).filter(|symbol| of(*symbol) > 0);
    let share = |symbol| Cost {
        weight: call.weight,
        orders: if call.cost().orders > 0 {
            of(symbol)
        } else {
            0
        },
        items: of(symbol),
    };
    named
        .map(|symbol| (format!("{name}s{symbol}"), share(symbol)))
        .collect()
}

/// Tells whether `price` fits, by the definition of each algorithm and nothing else.
fn fits(limit: &Limit, used: &Used, price: u64, now_ms: u64) -> bool {
    let window_ms = limit.window_ms;
    let since = |from_ms: u64| {
        used.iter()
            .filter(|(at_ms, _)| *at_ms >= from_ms)
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    let sum = match limit.algorithm {
        Algorithm::Fixed => since(now_ms / window_ms * window_ms),
        Algorithm::Anchored => {
            let mut began_ms = None;
            for (at_ms, _) in used {
                began_ms = began_ms
                    .filter(|began_ms| at_ms - began_ms < window_ms)
                    .or(Some(*at_ms));
            }
            began_ms.filter(|b| now_ms - b < window_ms).map_or(0, since)
        }
        Algorithm::Drain { rate } => {
            let (mut level, mut last_ms) = (0_u64, 0);
            for (at_ms, n) in used.iter().chain(&[(now_ms, 0)]) {
                level = level.saturating_sub((at_ms - last_ms) * rate) + n * window_ms;
                // What is admitted beyond the quota is remembered up to another one.
                level = level.min(limit.quota * window_ms * (1 + u64::from(limit.admits)));
                last_ms = *at_ms;
            }
            return level + price * window_ms <= limit.quota * window_ms;
        }
        Algorithm::Sliding => {
            let step_ms = window_ms.div_ceil(13);
            since((now_ms / step_ms - 13) * step_ms)
        }
        Algorithm::Concurrent | Algorithm::Ratio { .. } => 0,
    };
    sum + price <= limit.quota
}

fn judge(
    table: &BudgetTable,
    who: Option<&Credential>,
    call: &Call,
    now_ms: u64,
) -> (bool, Vec<Usage>) {
    let orders: Vec<OrderText<'_>> = call
        .symbols
        .iter()
        .map(|symbol| OrderText {
            symbol: SYMBOLS[*symbol],
            ..OrderText::default()
        })
        .collect();
    let cancels = call.operation == Operation::OrderCancel;
    let about: Vec<About> = orders
        .iter()
        .filter(|_| cancels)
        .map(|order| table.about(order.symbol, call.age_ms, 0))
        .collect();
    let payer = Payer {
        peer: address(call.peer),
        operation: call.operation,
        orders: if cancels { &[] } else { &orders },
        about: &about,
        credential: who,
        upstream: None,
        venue: None,
    };
    let mut usages = Usages::default();
    let taken = table.take(&payer, call.cost(), now_ms, &mut usages).is_ok();
    (taken, usages.as_slice().to_vec())
}

fn table(limits: &[Limit]) -> BudgetTable {
    let table = BudgetTable::new(limits.to_vec(), 10_000).unwrap();
    table.with_symbols(["BTCUSDT", "ETHUSDT"])
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn every_history_is_judged_as_by_a_model_with_unbounded_memory(
        limits in limits(), calls in calls()
    ) {
        let who = credentials();
        let table = table(&limits);
        let (mut oracle, mut now_ms) = (Oracle::default(), START_MS);
        for call in &calls {
            now_ms += call.step_ms;
            let credential = who.get(call.who).map(|c| &**c);
            let (taken, usages) = judge(&table, credential, call, now_ms);
            prop_assert_eq!(taken, oracle.take(&limits, call, now_ms));
            prop_assert!(usages.iter().all(|u| u.used <= limits[usize::from(u.limit)].quota));
        }
    }

    /// An hour away and back, again and again.
    #[test]
    fn a_clock_that_leaps_forward_and_back_changes_nothing(
        limits in limits(), calls in calls(), leaps in prop::collection::vec(0..40_u64, 120)
    ) {
        let who = credentials();
        let table = table(&limits);
        let (mut oracle, mut leapt) = (Oracle::default(), Oracle::default());
        let mut now_ms = START_MS;
        // All excursions go to one moment: a cell remembers two lines of time, not three.
        let far_ms = now_ms + 3_600_000;
        for (call, leap) in calls.iter().zip(leaps) {
            now_ms += call.step_ms;
            let (of, reading_ms) = if leap < 4 { (&mut leapt, far_ms) } else { (&mut oracle, now_ms) };
            let credential = who.get(call.who).map(|c| &**c);
            let (taken, _) = judge(&table, credential, call, reading_ms);
            prop_assert_eq!(taken, of.take(&limits, call, reading_ms));
        }
    }

    #[test]
    fn a_refused_message_charges_nothing(limits in limits(), calls in calls()) {
        let who = credentials();
        let table = table(&limits);
        for call in &calls {
            let credential = who.get(call.who).map(|c| &**c);
            let (taken, first) = judge(&table, credential, call, START_MS);
            if !taken {
                let (again, second) = judge(&table, credential, call, START_MS);
                prop_assert!(!again);
                prop_assert_eq!(first, second);
            }
        }
    }
}
