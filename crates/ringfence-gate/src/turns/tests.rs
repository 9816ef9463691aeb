//! Under a flood what reduces risk is not behind it, everything else gets its turn by urgency, and late ones get none.
#![allow(clippy::unwrap_used)]

use std::rc::Rc;

use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

use super::*;

type Log = Rc<RefCell<Vec<&'static str>>>;

fn turns(change: impl FnOnce(&mut OverloadConfig)) -> Rc<Turns> {
    let mut config = OverloadConfig::default();
    change(&mut config);
    Rc::new(Turns::new(&config))
}

pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    runtime.unwrap().block_on(future)
}

/// A message that notes when it has its turn, or that it gets none.
fn begin(turns: &Rc<Turns>, log: &Log, priority: Priority) {
    let (turns, log, flow) = (Rc::clone(turns), Rc::clone(log), turns.looks.leave().flow);
    spawn_local(async move {
        let place = Place { priority, lane: 0 };
        let got = turns.at_once(priority, &flow) || turns.wait(place, &flow).await;
        log.borrow_mut()
            .push(if got { priority.as_str() } else { "refused" });
    });
}

pub(crate) fn give(turns: &Rc<Turns>) {
    let turns = Rc::clone(turns);
    spawn_local(async move { turns.give().await });
}

async fn until(log: &Log, count: usize) {
    while log.borrow().len() < count {
        yield_now().await;
    }
}

#[test]
fn a_cancel_behind_hundreds_of_orders_waits_for_one_turn_of_them_at_most() {
    run(async {
        let (turns, log) = (turns(|_| {}), Log::default());
        give(&turns);
        for _ in 0..400 {
            begin(&turns, &log, Priority::Order);
        }
        begin(&turns, &log, Priority::RiskReducing);
        until(&log, 401).await;
        let place = log.borrow().iter().position(|one| *one == "risk_reducing");
        assert!(place.unwrap() <= AT_ONCE, "{place:?}");
    });
}

#[test]
fn what_comes_while_others_wait_goes_before_them_if_it_is_more_urgent() {
    run(async {
        let (turns, log) = (turns(|_| {}), Log::default());
        give(&turns);
        for _ in 0..100 {
            begin(&turns, &log, Priority::MarketRead);
        }
        begin(&turns, &log, Priority::Order);
        begin(&turns, &log, Priority::AccountRead);
        until(&log, 102).await;
        let log = log.borrow();
        let place = |class| log.iter().position(|one| *one == class).unwrap();
        assert_eq!(
            (place("order"), place("account_read")),
            (AT_ONCE, AT_ONCE + 1)
        );
    });
}

#[test]
fn nobody_waits_where_there_is_no_flood() {
    run(async {
        let turns = turns(|_| {});
        give(&turns);
        let flow = turns.looks.leave().flow;
        for _ in 0..1000 {
            assert!(turns.at_once(Priority::MarketRead, &flow));
            yield_now().await;
            yield_now().await;
        }
    });
}

#[test]
fn who_gets_no_turn_in_time_is_refused_but_for_what_reduces_risk() {
    run(async {
        let turns = turns(|config| config.waits_ms.order = 1);
        let log = Log::default();
        for _ in 0..AT_ONCE + 10 {
            begin(&turns, &log, Priority::Order);
        }
        until(&log, AT_ONCE).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        give(&turns);
        until(&log, AT_ONCE + 10).await;
        assert_eq!(log.borrow()[AT_ONCE..], ["refused"; 10]);
        assert!(turns.at_once(Priority::RiskReducing, &turns.looks.leave().flow));
    });
}

#[test]
fn who_is_late_is_refused_a_few_at_a_time() {
    run(async {
        let turns = turns(|config| config.waits_ms.order = 1);
        let log = Log::default();
        for _ in 0..AT_ONCE + 10 * LATE_AT_ONCE {
            begin(&turns, &log, Priority::Order);
        }
        until(&log, AT_ONCE).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now_us = turns.now_us();
        assert!(turns.give_some(now_us));
        let left = turns.line.borrow().len();
        assert_eq!(left, 9 * LATE_AT_ONCE);
    });
}
