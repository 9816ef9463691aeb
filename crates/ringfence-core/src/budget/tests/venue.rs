//! What all use of the venue is one budget, exact across threads; what the venue says of it makes ours smaller.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use super::super::{
    Algorithm, BudgetTable, Charged, Cost, Counts, Limit, Meter, Payer, Subject, Told, Usages,
};
use super::{ONE, address, credentials, limit};
use crate::operation::Operation;
use crate::refusal::{Code, Refusal};

const MINUTE: u64 = 60_000;

fn table(quota: u64) -> BudgetTable {
    let limits = vec![
        limit(Subject::Venue, Counts::Weight, quota, MINUTE),
        limit(Subject::Upstream, Counts::Weight, 10 * quota, MINUTE),
    ];
    BudgetTable::new(limits, 10_000).unwrap()
}

struct Venue {
    upstream: Arc<Meter>,
    key: Arc<Meter>,
}

impl Venue {
    fn new() -> Self {
        Self {
            upstream: Arc::default(),
            key: Arc::new(Meter::new("main")),
        }
    }

    fn take(&self, table: &BudgetTable, who: usize, now_ms: u64) -> Result<Charged, Refusal> {
        let known = credentials();
        let payer = Payer {
            peer: address(1),
            operation: Operation::OrderPlace,
            orders: &[],
            about: &[],
            credential: Some(&known[who]),
            upstream: Some(&self.upstream),
            venue: Some(&self.key),
        };
        table.take(&payer, ONE, now_ms, &mut Usages::default())
    }
}

fn told(used: u64, now_ms: u64) -> Told {
    Told {
        counts: Counts::Weight,
        window_ms: MINUTE,
        used,
        now_ms,
        times_ms: [Some(now_ms), None],
    }
}

#[test]
fn all_accounts_of_a_venue_key_share_its_budget() {
    let (table, venue) = (table(4), Venue::new());
    for who in [0, 2, 1, 3] {
        venue.take(&table, who, 5).map(drop).unwrap();
    }
    for who in 0..4 {
        let refusal = venue.take(&table, who, 5).unwrap_err();
        assert_eq!(refusal.code, Code::BudgetExceeded);
    }
    // Another key has its own; what all use is common.
    let other = Venue {
        upstream: Arc::clone(&venue.upstream),
        key: Arc::new(Meter::new("other")),
    };
    other.take(&table, 0, 5).map(drop).unwrap();
}

#[test]
fn what_the_venue_says_makes_the_budget_smaller_and_never_larger() {
    let (table, venue) = (table(10), Venue::new());
    venue.take(&table, 0, 5).map(drop).unwrap();
    // Somebody else uses the key, too.
    table.correct(&venue.key, Subject::Venue, &told(8, 5), ONE);
    table.correct(&venue.key, Subject::Venue, &told(2, 5), ONE);
    venue.take(&table, 0, 5).map(drop).unwrap();
    venue.take(&table, 0, 5).map(drop).unwrap();
    venue.take(&table, 0, 5).unwrap_err();
    // The next minute is a new one.
    venue.take(&table, 0, MINUTE).map(drop).unwrap();
}

#[test]
fn what_is_under_way_comes_on_top_of_what_the_venue_has_seen() {
    let (table, venue) = (table(10), Venue::new());
    let first = venue.take(&table, 0, 5).unwrap();
    let second = venue.take(&table, 0, 5).unwrap();
    // The venue has seen the first and eight of somebody else; the second is still to come.
    table.correct(&venue.key, Subject::Venue, &told(9, 5), ONE);
    venue.take(&table, 0, 5).unwrap_err();
    drop((first, second));
}

#[test]
fn what_another_window_used_says_nothing_of_this_one() {
    let (table, venue) = (table(10), Venue::new());
    let now_ms = MINUTE + 5;
    for times_ms in [
        [Some(MINUTE - 1), None],
        [Some(now_ms), Some(MINUTE - 1)],
        [Some(now_ms), Some(2 * MINUTE)],
    ] {
        let told = Told {
            times_ms,
            ..told(10, now_ms)
        };
        table.correct(&venue.key, Subject::Venue, &told, ONE);
        venue.take(&table, 0, now_ms).map(drop).unwrap();
    }
    let other = |counts, window_ms| Told {
        counts,
        window_ms,
        ..told(10, now_ms)
    };
    table.correct(
        &venue.key,
        Subject::Venue,
        &other(Counts::Orders, MINUTE),
        ONE,
    );
    table.correct(
        &venue.key,
        Subject::Venue,
        &other(Counts::Weight, 1_000),
        ONE,
    );
    venue.take(&table, 0, now_ms).map(drop).unwrap();
    table.correct(&venue.key, Subject::Venue, &told(u64::MAX, now_ms), ONE);
    venue.take(&table, 0, now_ms).unwrap_err();
}

/// The venue counts what it gets, ours and another's, and says so with each answer. However the threads come to meet,
/// it never gets more of ours than was left when it last spoke.
#[test]
fn nothing_is_over_sent_on_two_threads_while_another_program_uses_the_key() {
    const QUOTA: u64 = 500;
    for _ in 0..20 {
        let (table, venue) = (table(QUOTA), Venue::new());
        let seen = AtomicU64::new(0);
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            for who in [0, 3] {
                let (table, venue, seen, start) = (&table, &venue, &seen, &start);
                scope.spawn(move || {
                    start.wait();
                    while let Ok(under_way) = venue.take(table, who, 5) {
                        // The other program has done before the budget is nearly used: of what it does between our
                        // look and the venue's nobody can tell us in time.
                        let foreign = u64::from(seen.load(Ordering::SeqCst) < QUOTA / 2);
                        let used = seen.fetch_add(1 + foreign, Ordering::SeqCst) + 1 + foreign;
                        table.correct(&venue.key, Subject::Venue, &told(used, 5), ONE);
                        drop(under_way);
                    }
                });
            }
        });
        let seen = seen.into_inner();
        assert!(seen <= QUOTA, "{seen} of {QUOTA}");
        assert!(seen >= QUOTA - 4, "{seen} of {QUOTA}");
    }
}

#[test]
fn what_the_venue_says_counts_whatever_the_algorithm() {
    let algorithms = [
        Algorithm::Anchored,
        Algorithm::Drain { rate: 1 },
        Algorithm::Sliding,
    ];
    for algorithm in algorithms {
        let limit = Limit {
            algorithm,
            ..limit(Subject::Venue, Counts::Weight, 10, MINUTE)
        };
        let (table, venue) = (BudgetTable::new(vec![limit], 10_000).unwrap(), Venue::new());
        venue.take(&table, 0, MINUTE).map(drop).unwrap();
        let told = told(9, MINUTE + 1);
        table.correct(&venue.key, Subject::Venue, &told, ONE);
        venue.take(&table, 0, MINUTE + 1).map(drop).unwrap();
        venue.take(&table, 0, MINUTE + 1).unwrap_err();
    }
}

#[test]
fn a_meter_without_limits_charges_nothing() {
    let table = BudgetTable::new(Vec::new(), 10_000).unwrap();
    let venue = Venue::new();
    venue.take(&table, 0, 5).map(drop).unwrap();
    table.correct(&venue.key, Subject::Venue, &told(9, 5), Cost::default());
}
