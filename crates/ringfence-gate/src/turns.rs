//! Turns at one engine thread's time: what reduces risk goes at once, everything else so many at a time, by urgency.
//!
//! A thread takes up what is ready in the order in which it became ready. Under a flood a cancel would stand behind
//! hundreds of orders, each of which costs several times what it costs to read a head and find its route. So after that the
//! others wait for a turn, and between turns what has arrived is looked at (see [`Looks`]). Who waits too long is refused,
//! unverified. Where there is no flood nobody waits, and it costs a count.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringfence_core::overload::{Brownout, Level, Line, Place, Priority, Taken};
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;

use crate::clock::elapsed_us;
use crate::looks::{Flow, Looks};
use crate::snapshot::OverloadConfig;

/// Messages that are begun in one turn, and then what has arrived is looked at again: some tenths of a millisecond.
const AT_ONCE: usize = 4;
/// Messages that are refused in one turn because they waited too long.
const LATE_AT_ONCE: usize = 4;

/// The turns of one thread.
pub(crate) struct Turns {
    pub(crate) looks: Rc<Looks>,
    line: RefCell<Line<oneshot::Sender<()>>>,
    /// Messages that were begun since what has arrived was looked at.
    begun: Cell<usize>,
    /// Told when there are [`AT_ONCE`] of them, or as many looks as there may be.
    spent: Rc<Notify>,
    brownout: RefCell<Brownout>,
    /// The longest that somebody has waited since the lag was noted.
    longest_us: Cell<u64>,
    /// When that was.
    noted_us: Cell<u64>,
    start: Instant,
}

impl Turns {
    pub(crate) fn new(config: &OverloadConfig) -> Self {
        let (spent, start) = (Rc::new(Notify::new()), Instant::now());
        Self {
            looks: Rc::new(Looks::new(&spent, start)),
            // One for each message that a connection or a stream is at: what bounds those bounds it.
            line: RefCell::new(Line::new(usize::MAX, config.waits_ms.compile())),
            begun: Cell::new(0),
            spent,
            brownout: RefCell::new(Brownout::new(config.lag_ms.saturating_mul(1000))),
            longest_us: Cell::new(0),
            noted_us: Cell::new(0),
            start,
        }
    }

    /// Takes a turn for what came on `flow` if one is free; what reduces risk needs none.
    pub(crate) fn at_once(&self, priority: Priority, flow: &Flow) -> bool {
        if needs_none(priority, flow) {
            return true;
        }
        flow.waits_since_us().is_none() && !self.level().refuses(priority) && self.begin()
    }

    /// Begins one message, unless others wait or as many have begun as may.
    fn begin(&self) -> bool {
        let begun = self.begun.get();
        if begun >= AT_ONCE || !self.line.borrow().is_empty() {
            return false;
        }
        self.begun.set(begun + 1);
        if begun + 1 == AT_ONCE {
            self.spent.notify_one();
        }
        true
    }

    /// Waits for a turn. False: there is none in time, which began when what came on `flow` could have been read.
    pub(crate) async fn wait(&self, place: Place, flow: &Flow) -> bool {
        let Place { priority, .. } = place;
        if needs_none(priority, flow) {
            return true;
        }
        if self.level().refuses(priority) {
            return false;
        }
        let now_us = self.now_us();
        let came_us = flow.waits_since_us().unwrap_or(now_us);
        if now_us.saturating_sub(came_us) >= self.line.borrow().bound_us(priority) {
            return false;
        }
        if self.begin() {
            return true;
        }
        let (told, turn) = oneshot::channel();
        let entered = self.line.borrow_mut().enter(place, told, false, now_us);
        // Who had to go for this one hears so by the drop.
        let waits = entered.map(drop).is_ok();
        let got = waits && turn.await.is_ok();
        self.lagged(self.now_us().saturating_sub(came_us));
        got
    }

    /// Gives turns and looks, for as long as the thread lives.
    pub(crate) async fn give(&self) {
        loop {
            self.spent.notified().await;
            loop {
                // What has arrived is heard of before this goes on.
                yield_now().await;
                let now_us = self.now_us();
                let (waited_us, more) = self.looks.call(now_us);
                self.lagged(waited_us);
                if !self.give_some(now_us) && !more {
                    break;
                }
            }
        }
    }

    /// Gives so many their turn, and tells so many that they are late; false if there are fewer of both.
    fn give_some(&self, now_us: u64) -> bool {
        let mut line = self.line.borrow_mut();
        // Nobody has a timer of its own. All of a flood are late together, and to refuse them takes time, too.
        let mut late = line.sweep(LATE_AT_ONCE, now_us);
        let mut begun = 0;
        while begun < AT_ONCE
            && late < LATE_AT_ONCE
            && let Some(taken) = line.take(Priority::MarketRead, now_us)
        {
            match taken {
                // One that has gone takes no turn.
                Taken::InTime(_, waiter) => begun += usize::from(waiter.send(()).is_ok()),
                Taken::Late => late += 1,
            }
        }
        self.begun.set(begun);
        begun == AT_ONCE || late == LATE_AT_ONCE
    }

    fn lagged(&self, waited_us: u64) {
        self.longest_us.set(self.longest_us.get().max(waited_us));
    }

    /// Notes how far the thread is behind. Returns what is new, if anything is.
    pub(crate) fn note(&self, period: Duration) -> Option<Change> {
        let now_us = self.now_us();
        let since_us = now_us.saturating_sub(self.noted_us.replace(now_us));
        // A thread that does not come round notices nothing else.
        let late_us = since_us.saturating_sub(micros(period));
        let lag_us = self.longest_us.replace(0).max(late_us);
        let mut brownout = self.brownout.borrow_mut();
        let before = brownout.note(lag_us, now_us)?;
        let level = brownout.level();
        self.line.borrow_mut().hurry(level == Level::Orders);
        Some(Change {
            before,
            level,
            lag_us,
        })
    }

    /// Returns what is done without.
    pub(crate) fn level(&self) -> Level {
        self.brownout.borrow().level()
    }

    fn now_us(&self) -> u64 {
        elapsed_us(self.start)
    }
}

/// Tells whether what came on `flow` needs no turn: it reduces risk, and its connection is not charged for it.
fn needs_none(priority: Priority, flow: &Flow) -> bool {
    if priority == Priority::RiskReducing {
        flow.spare();
        return true;
    }
    false
}

/// Another level than before.
pub(crate) struct Change {
    pub(crate) before: Level,
    pub(crate) level: Level,
    /// How far the thread was behind.
    pub(crate) lag_us: u64,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
