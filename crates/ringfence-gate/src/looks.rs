//! Looks at what clients have sent: so many at a time, at those first who ask seldom.
//!
//! A thread hears of all that has arrived at once. To read a message's head costs it ten times as much as to hear of it, and
//! what stands there is known only then: under a flood from thousands of connections a cancel would be read after all of
//! theirs. So where there is more to read than can be, connections wait in a line that is fair to each of them, and a
//! cancel counts for nothing in it: who only cancels never waits for more than one round.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use ringfence_core::overload::{Along, Fair};
use tokio::sync::Notify;

use crate::clock::elapsed_us;

/// Heads that are read in one round.
const AT_ONCE: usize = 4;

/// The looks of one thread.
pub(crate) struct Looks {
    line: RefCell<Fair<Rc<Flow>>>,
    /// How many there were in this round.
    taken: Cell<usize>,
    /// Told when there are [`AT_ONCE`] of them.
    spent: Rc<Notify>,
    start: Instant,
}

/// What one connection has had.
pub(crate) struct Flow {
    along: Cell<Along>,
    /// The same before the last look.
    before: Cell<Along>,
    stands: Cell<Stands>,
    /// Since when the message waited that was looked at last; none: it did not.
    waits_since_us: Cell<Option<u64>>,
    waker: RefCell<Option<Waker>>,
}

/// By which a connection is read.
#[derive(Clone)]
pub(crate) struct Leave {
    looks: Rc<Looks>,
    pub(crate) flow: Rc<Flow>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stands {
    Outside,
    InLine,
    /// It may look.
    Called,
}

impl Looks {
    /// Makes those of a thread that is told when a round is over.
    pub(crate) fn new(spent: &Rc<Notify>, start: Instant) -> Self {
        Self {
            line: RefCell::default(),
            taken: Cell::new(0),
            spent: Rc::clone(spent),
            start,
        }
    }

    /// Makes a new connection's.
    pub(crate) fn leave(self: &Rc<Self>) -> Leave {
        let along = self.line.borrow().newcomer();
        let flow = Flow {
            along: Cell::new(along),
            before: Cell::new(along),
            stands: Cell::new(Stands::Outside),
            waits_since_us: Cell::new(None),
            waker: RefCell::default(),
        };
        Leave {
            looks: Rc::clone(self),
            flow: Rc::new(flow),
        }
    }

    /// Tells whether `flow` may look without waiting.
    fn at_once(&self, flow: &Flow) -> bool {
        match flow.stands.get() {
            Stands::Called => true,
            Stands::InLine => false,
            Stands::Outside => self.taken.get() < AT_ONCE && self.line.borrow().is_empty(),
        }
    }

    /// Has `flow`, for which something has arrived, wait in line, from where it wakes its task.
    fn enter(&self, flow: &Rc<Flow>, context: &Context<'_>) {
        if flow.stands.replace(Stands::InLine) == Stands::Outside {
            flow.waits_since_us.set(Some(elapsed_us(self.start)));
            let mut line = self.line.borrow_mut();
            line.enter(flow.along.get(), Rc::clone(flow));
            // Nobody may be left in a round that has just begun.
            self.spent.notify_one();
        }
        match &mut *flow.waker.borrow_mut() {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }

    /// Counts a look that `flow` took.
    fn take(&self, flow: &Flow) {
        if flow.stands.replace(Stands::Outside) == Stands::Outside {
            flow.waits_since_us.set(None);
        }
        let along = flow.along.get();
        flow.before.set(along);
        flow.along.set(self.line.borrow_mut().serve(along));
        let taken = self.taken.get() + 1;
        self.taken.set(taken);
        if taken == AT_ONCE {
            self.spent.notify_one();
        }
    }

    /// Begins a round: calls as many as may look in it. Returns how long the first of them has waited, and whether others wait
    /// still.
    pub(crate) fn call(&self, now_us: u64) -> (u64, bool) {
        let mut line = self.line.borrow_mut();
        let (mut called, mut longest_us) = (0, 0);
        self.taken.set(0);
        while called < AT_ONCE
            && let Some(flow) = line.next()
        {
            // One whose connection has gone is nobody's any more.
            if Rc::strong_count(&flow) == 1 {
                continue;
            }
            called += 1;
            flow.stands.set(Stands::Called);
            let since_us = flow.waits_since_us.get().unwrap_or(now_us);
            longest_us = longest_us.max(now_us.saturating_sub(since_us));
            if let Some(waker) = flow.waker.borrow_mut().take() {
                waker.wake();
            }
        }
        (longest_us, called == AT_ONCE)
    }
}

impl Leave {
    /// Ready once the connection may be read, by what tells whether something has `arrived`. Without a flood, at once.
    pub(crate) fn poll(
        &self,
        context: &mut Context<'_>,
        arrived: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if self.looks.at_once(&self.flow) {
            return Poll::Ready(Ok(()));
        }
        ready!(arrived(context))?;
        self.looks.enter(&self.flow, context);
        Poll::Pending
    }

    /// Counts what a try to read found: if it was nothing, the look is for others, and this one waits again when more arrives.
    pub(crate) fn tried<T>(&self, read: Poll<T>) -> Poll<T> {
        match read {
            Poll::Ready(_) => self.looks.take(&self.flow),
            Poll::Pending => self.flow.stands.set(Stands::Outside),
        }
        read
    }
}

impl Flow {
    /// Since when the message that is on its way waited to be looked at; none: it did not.
    pub(crate) fn waits_since_us(&self) -> Option<u64> {
        self.waits_since_us.get()
    }

    /// Takes back what the last look cost: it was at something that reduces risk.
    pub(crate) fn spare(&self) {
        self.along.set(self.before.get());
    }
}

#[cfg(test)]
mod tests;
