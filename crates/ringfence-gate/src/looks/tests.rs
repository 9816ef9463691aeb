//! Under a flood of many connections who only cancels, or asks seldom, is looked at first, and nobody is forgotten.
#![allow(clippy::unwrap_used)]

use std::future::poll_fn;
use std::time::Duration;

use ringfence_core::overload::{Place, Priority};
use tokio::task::{spawn_local, yield_now};

use super::*;
use crate::snapshot::OverloadConfig;
use crate::turns::Turns;
use crate::turns::tests::{give, run};

const FLOOD: usize = 500;

fn turns() -> Rc<Turns> {
    let turns = Rc::new(Turns::new(&OverloadConfig::default()));
    give(&turns);
    turns
}

/// Waits for a look at what has arrived on a connection.
async fn look(leave: &Leave) {
    let arrived = |_: &mut Context<'_>| Poll::Ready(Ok(()));
    poll_fn(|context| leave.poll(context, arrived))
        .await
        .unwrap();
    take(leave);
}

/// Looks again and again on so many connections. Returns how often that was.
fn flood(turns: &Rc<Turns>, connections: usize) -> Rc<Cell<usize>> {
    let looks = Rc::new(Cell::new(0));
    for _ in 0..connections {
        let (leave, looks) = (turns.looks.leave(), Rc::clone(&looks));
        spawn_local(async move {
            loop {
                look(&leave).await;
                looks.set(looks.get() + 1);
                yield_now().await;
            }
        });
    }
    looks
}

fn take(leave: &Leave) {
    assert!(leave.tried(Poll::Ready(())).is_ready());
}

async fn until(looks: &Cell<usize>, count: usize) {
    while looks.get() < count {
        yield_now().await;
    }
}

/// Returns how many of a flood are looked at before a connection is that did something else before.
async fn behind(turns: &Rc<Turns>, leave: &Leave, looks: &Cell<usize>) -> usize {
    until(looks, looks.get() + 2 * FLOOD).await;
    let before = looks.get();
    look(leave).await;
    assert!(turns.at_once(Priority::RiskReducing, &leave.flow));
    looks.get() - before
}

#[test]
fn a_connection_that_only_cancels_is_looked_at_in_the_next_round_however_many_wait() {
    run(async {
        let turns = turns();
        let leave = turns.looks.leave();
        let looks = flood(&turns, FLOOD);
        // As all that are new it is behind those that wait, once.
        behind(&turns, &leave, &looks).await;
        for _ in 0..20 {
            let behind = behind(&turns, &leave, &looks).await;
            assert!(behind <= 2 * AT_ONCE, "{behind}");
        }
    });
}

#[test]
fn cancels_one_after_the_other_cost_a_connection_nothing() {
    run(async {
        let turns = turns();
        let leave = turns.looks.leave();
        let looks = flood(&turns, FLOOD);
        behind(&turns, &leave, &looks).await;
        until(&looks, looks.get() + 2 * FLOOD).await;
        let before = looks.get();
        for _ in 0..20 {
            look(&leave).await;
            assert!(turns.at_once(Priority::RiskReducing, &leave.flow));
        }
        assert!(looks.get() - before <= 20 * 2 * AT_ONCE);
        // An order counts as anybody's: after it the connection waits for its turn.
        look(&leave).await;
        let before = looks.get();
        look(&leave).await;
        assert!(looks.get() - before > FLOOD / 2, "{}", looks.get() - before);
    });
}

#[test]
fn each_of_a_flood_is_looked_at_as_often_as_the_others() {
    run(async {
        let turns = turns();
        let many: Vec<_> = (0..100).map(|_| flood(&turns, 1)).collect();
        let count = || many.iter().map(|looks| looks.get());
        while count().sum::<usize>() < 100 * 50 {
            yield_now().await;
        }
        let (least, most) = (count().min().unwrap(), count().max().unwrap());
        assert!(most - least <= 2, "{least} to {most}");
    });
}

#[test]
fn nobody_waits_for_a_look_where_there_is_no_flood() {
    run(async {
        let turns = turns();
        let leave = turns.looks.leave();
        for _ in 0..1000 {
            assert!(turns.looks.at_once(&leave.flow));
            take(&leave);
            assert_eq!(leave.flow.waits_since_us(), None);
            yield_now().await;
            yield_now().await;
        }
    });
}

#[test]
fn what_was_looked_at_too_late_gets_no_turn_but_a_cancel_does() {
    run(async {
        let turns = turns();
        (0..AT_ONCE).for_each(|_| take(&turns.looks.leave()));
        let leave = turns.looks.leave();
        let arrived = |_: &mut Context<'_>| Poll::Ready(Ok(()));
        let first = poll_fn(|context| Poll::Ready(leave.poll(context, arrived))).await;
        assert!(first.is_pending());
        // The thread does something else for longer than anybody waits.
        std::thread::sleep(Duration::from_millis(600));
        look(&leave).await;
        let place = |priority| Place { priority, lane: 0 };
        assert!(!turns.wait(place(Priority::Order), &leave.flow).await);
        assert!(turns.wait(place(Priority::RiskReducing), &leave.flow).await);
    });
}

#[test]
fn a_connection_that_has_gone_takes_no_look_from_others() {
    run(async {
        let turns = turns();
        (0..AT_ONCE).for_each(|_| take(&turns.looks.leave()));
        let arrived = |_: &mut Context<'_>| Poll::Ready(Ok(()));
        for _ in 0..3 * AT_ONCE {
            let leave = turns.looks.leave();
            let polled = poll_fn(|context| Poll::Ready(leave.poll(context, arrived))).await;
            assert!(polled.is_pending());
        }
        let leave = turns.looks.leave();
        let polled = poll_fn(|context| Poll::Ready(leave.poll(context, arrived))).await;
        assert!(polled.is_pending());
        assert_eq!(turns.looks.call(0), (0, false));
        assert!(turns.looks.at_once(&leave.flow));
    });
}

#[test]
fn who_was_called_and_had_nothing_to_read_waits_again() {
    run(async {
        let turns = turns();
        (0..AT_ONCE).for_each(|_| take(&turns.looks.leave()));
        let leave = turns.looks.leave();
        let arrived = |_: &mut Context<'_>| Poll::Ready(Ok(()));
        let polled = poll_fn(|context| Poll::Ready(leave.poll(context, arrived))).await;
        assert!(polled.is_pending());
        assert_eq!(turns.looks.call(0), (0, false));
        assert!(leave.tried(Poll::<()>::Pending).is_pending());
        (0..AT_ONCE).for_each(|_| take(&turns.looks.leave()));
        let polled = poll_fn(|context| Poll::Ready(leave.poll(context, arrived))).await;
        assert!(polled.is_pending());
    });
}
