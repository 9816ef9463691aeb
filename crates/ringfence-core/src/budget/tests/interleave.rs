//! No interleaving of two or three threads passes a limit: loom tries every one of them, on the table that serves, with
//! its lock in the place of the system's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Debug;
use std::hash::RandomState;

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex, MutexGuard};
use loom::thread;

use super::super::{Algorithm, Counts, Latch, Limit, Payer, Subject, Subjects, Table, Usages};
use super::{BudgetTable, ONE, address, limit};
use crate::operation::Operation;

/// loom's mutex.
#[derive(Debug)]
enum Loom {}

impl Latch for Loom {
    type Of<T: Debug> = Mutex<T>;
    type Held<'a, T: Debug + 'a> = MutexGuard<'a, T>;

    fn around<T: Debug>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn lock<T: Debug>(of: &Mutex<T>) -> MutexGuard<'_, T> {
        of.lock().unwrap()
    }
}

/// Within a window, whose end no thread's clock reaches.
const NOW_MS: u64 = 1_700_000_000_500;

/// In two parts. loom plays the same again and again, so that `random` must be the same each time.
fn table(limits: Vec<Limit>, random: &RandomState) -> Arc<Table<Loom>> {
    let table = Table::in_parts(limits, 100, 2).unwrap();
    Arc::new(table.keyed(random.clone()))
}

fn payer(peer: u8) -> Payer<'static> {
    Payer {
        peer: address(peer),
        operation: Operation::OrderPlace,
        orders: &[],
        about: &[],
        credential: None,
        upstream: None,
        venue: None,
    }
}

fn passes(table: &Table<Loom>, peer: u8, now_ms: u64) -> bool {
    let mut usages = Usages::default();
    table.take(&payer(peer), ONE, now_ms, &mut usages).is_ok()
}

/// Runs `ask` on so many threads, and returns how often it said yes.
fn count(threads: u8, ask: impl Fn(u8) -> bool + Clone + Send + 'static) -> u64 {
    let admitted = Arc::new(AtomicU64::new(0));
    let others: Vec<_> = (1..threads)
        .map(|number| {
            let (ask, admitted) = (ask.clone(), Arc::clone(&admitted));
            thread::spawn(move || {
                admitted.fetch_add(u64::from(ask(number)), Ordering::SeqCst);
            })
        })
        .collect();
    admitted.fetch_add(u64::from(ask(0)), Ordering::SeqCst);
    for other in others {
        other.join().unwrap();
    }
    admitted.load(Ordering::SeqCst)
}

/// Each with so many threads that it is tried in a moment; all charge under the same locks.
fn algorithms() -> [(Algorithm, u8); 4] {
    [
        (Algorithm::Fixed, 3),
        (Algorithm::Anchored, 2),
        (Algorithm::Sliding, 2),
        (Algorithm::Drain { rate: 1 }, 2),
    ]
}

#[test]
fn threads_share_a_limit_and_have_another_of_their_own() {
    for (algorithm, threads) in algorithms() {
        let (random, quota) = (RandomState::new(), u64::from(threads) - 1);
        loom::model(move || {
            let law = |subject, quota| Limit {
                algorithm,
                ..limit(subject, Counts::Requests, quota, 1000)
            };
            // Strangers of three addresses, in two parts, and all of them in one.
            let table = table(
                vec![law(Subject::Global, quota), law(Subject::Address, 1)],
                &random,
            );
            let asked = Arc::clone(&table);
            // Clocks of threads differ by a moment.
            let admitted = count(threads, move |n| passes(&asked, n, NOW_MS - u64::from(n)));
            assert_eq!(admitted, quota);
        });
    }
}

#[test]
fn what_is_under_way_is_never_more_than_may_be() {
    let random = RandomState::new();
    loom::model(move || {
        let at_once = Limit {
            algorithm: Algorithm::Concurrent,
            ..limit(Subject::Global, Counts::Requests, 1, 0)
        };
        let limits = vec![at_once, limit(Subject::Address, Counts::Requests, 9, 1000)];
        let table = table(limits, &random);
        let under_way = Arc::new(AtomicU64::new(0));
        let asked = Arc::clone(&table);
        count(2, move |number| {
            let mut usages = Usages::default();
            let charged = asked.take(&payer(number), ONE, NOW_MS, &mut usages);
            if charged.is_ok() {
                assert_eq!(under_way.fetch_add(1, Ordering::SeqCst), 0);
                under_way.fetch_sub(1, Ordering::SeqCst);
            }
            charged.is_ok()
        });
        // All was given back.
        assert!(passes(&table, 0, NOW_MS));
    });
}

/// Two limits, and two addresses whose records stand in both parts, but the other way round.
#[test]
fn two_messages_that_meet_in_two_parts_do_not_wait_for_each_other() {
    let limits = || {
        let twice = Subjects::from(Subject::Address).with(Subject::Operation);
        let second = Limit::fixed("two", twice, Counts::Requests, 1, 1000);
        vec![limit(Subject::Address, Counts::Requests, 1, 1000), second]
    };
    let random = RandomState::new();
    let plain: BudgetTable = Table::in_parts(limits(), 100, 2).unwrap();
    let plain = plain.keyed(random.clone());
    let with = |parts: [usize; 2]| (0..=255).find(|n| plain.parts_of(&payer(*n)) == parts);
    let peers = [with([0, 1]).unwrap(), with([1, 0]).unwrap()];
    loom::model(move || {
        let table = table(limits(), &random);
        let asked = Arc::clone(&table);
        let admitted = count(2, move |n| passes(&asked, peers[usize::from(n)], NOW_MS));
        assert_eq!(admitted, 2);
    });
}
