//! Turns at one engine thread's time: what reduces risk goes at once, everything else so many at a time, by urgency.
//!
//! A thread takes up what is ready in the order in which it became ready. Under a flood a cancel would stand behind
//! hundreds of orders, each of which costs ten times what it costs to read a head and find its route. So after that the others
//! wait for a turn, and between turns all that has arrived is looked at. Who waits too long is refused, unverified.
//! Where there is no flood nobody waits, and it costs a count.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use ringfence_core::overload::{Brownout, Level, Line, Place, Priority};
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;

use crate::clock::elapsed_us;
use crate::snapshot::OverloadConfig;

/// Messages that are begun in one turn, and then what has arrived is looked at again: some tenths of a millisecond.
const AT_ONCE: usize = 16;

/// The turns of one thread.
pub(crate) struct Turns {
    line: RefCell<Line<oneshot::Sender<()>>>,
    /// Messages that were begun since what has arrived was looked at.
    begun: Cell<usize>,
    /// Told when there are [`AT_ONCE`] of them.
    spent: Notify,
    brownout: RefCell<Brownout>,
    /// The longest that somebody has waited since the lag was noted.
    longest_us: Cell<u64>,
    /// When that was.
    noted_us: Cell<u64>,
    start: Instant,
}

impl Turns {
    pub(crate) fn new(config: &OverloadConfig) -> Self {
        Self {
            // One for each message that a connection or a stream is at: what bounds those bounds it.
            line: RefCell::new(Line::new(usize::MAX, config.waits_ms.compile())),
            begun: Cell::new(0),
            spent: Notify::new(),
            brownout: RefCell::new(Brownout::new(config.lag_ms.saturating_mul(1000))),
            longest_us: Cell::new(0),
            noted_us: Cell::new(0),
            start: Instant::now(),
        }
    }

    /// Takes a turn if it is free; what reduces risk needs none.
    pub(crate) fn at_once(&self, priority: Priority) -> bool {
        if priority == Priority::RiskReducing {
            return true;
        }
        let begun = self.begun.get();
        let free = begun < AT_ONCE && self.line.borrow().is_empty();
        if !free || self.level().refuses(priority) {
            return false;
        }
        self.begun.set(begun + 1);
        if begun + 1 == AT_ONCE {
            self.spent.notify_one();
        }
        true
    }

    /// Waits for a turn. False: there is none in time.
    pub(crate) async fn wait(&self, place: Place) -> bool {
        if self.at_once(place.priority) {
            return true;
        }
        if self.level().refuses(place.priority) {
            return false;
        }
        let (told, turn) = oneshot::channel();
        let came_us = self.now_us();
        let entered = self.line.borrow_mut().enter(place, told, false, came_us);
        // Who had to go for this one hears so by the drop.
        let waits = entered.map(drop).is_ok();
        let got = waits && turn.await.is_ok();
        let waited_us = self.now_us().saturating_sub(came_us);
        self.longest_us.set(self.longest_us.get().max(waited_us));
        got
    }

    /// Gives turns, for as long as the thread lives.
    pub(crate) async fn give(&self) {
        loop {
            self.spent.notified().await;
            loop {
                // What has arrived is looked at before this goes on.
                yield_now().await;
                self.begun.set(0);
                if !self.give_some() {
                    break;
                }
            }
        }
    }

    /// Gives so many their turn; false if there are fewer.
    fn give_some(&self) -> bool {
        let (now_us, mut line) = (self.now_us(), self.line.borrow_mut());
        // Who is late hears so now: nobody has a timer of its own.
        line.sweep(now_us);
        let mut begun = 0;
        while begun < AT_ONCE
            && let Some((_, waiter)) = line.next(Priority::MarketRead, now_us)
        {
            // One that has gone takes no turn.
            begun += usize::from(waiter.send(()).is_ok());
        }
        self.begun.set(begun);
        begun == AT_ONCE
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
mod tests;
