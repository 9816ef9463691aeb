//! Deadlines of one engine thread, coarse and cheap: setting one writes a number, and one sweep finds those that passed.
//!
//! A timer entry for every wait would cost a lock and a place in a wheel several times per message; almost none of them
//! ever fires. Deadlines fire up to [`PERIOD`] late, never early.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How often deadlines are looked at.
pub(crate) const PERIOD: Duration = Duration::from_millis(20);

const NEVER: u64 = u64::MAX;

/// All deadlines of one thread.
#[derive(Debug)]
pub(crate) struct Deadlines {
    start: Instant,
    /// Milliseconds since `start` at the last sweep; written by the sweep only.
    swept_ms: Cell<u64>,
    slots: RefCell<Vec<Rc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    at_ms: Cell<u64>,
    passed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// Its place among the slots, so that leaving is a swap.
    place: Cell<usize>,
}

/// One deadline, set and cleared as often as its owner likes. One task at a time waits for it.
#[derive(Debug)]
pub(crate) struct Deadline {
    slot: Rc<Slot>,
    all: Rc<Deadlines>,
}

impl Deadlines {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            start: Instant::now(),
            swept_ms: Cell::new(0),
            slots: RefCell::default(),
        })
    }

    /// Makes a deadline that is not set.
    pub(crate) fn make(self: &Rc<Self>) -> Deadline {
        let mut slots = self.slots.borrow_mut();
        let slot = Rc::new(Slot {
            at_ms: Cell::new(NEVER),
            passed: Cell::new(false),
            waker: RefCell::default(),
            place: Cell::new(slots.len()),
        });
        slots.push(Rc::clone(&slot));
        Deadline {
            slot,
            all: Rc::clone(self),
        }
    }

    /// Fires what has passed. Call it every [`PERIOD`].
    pub(crate) fn sweep(&self) {
        let now_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(NEVER - 1);
        self.swept_ms.set(now_ms);
        for slot in &*self.slots.borrow() {
            if slot.at_ms.get() <= now_ms {
                slot.at_ms.set(NEVER);
                slot.passed.set(true);
                slot.wake();
            }
        }
    }

    /// Wakes everybody who has a deadline, set or not: something all of them must see has changed.
    pub(crate) fn wake_all(&self) {
        self.slots.borrow().iter().for_each(|slot| slot.wake());
    }
}

impl Slot {
    fn wake(&self) {
        // Taken out first: waking may run code that looks at this slot.
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Deadline {
    /// Sets it `after` from now, in place of what was set before.
    pub(crate) fn set(&self, after: Duration) {
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(NEVER);
        let period_ms = u64::try_from(PERIOD.as_millis()).unwrap_or(NEVER);
        // The last sweep is up to a period ago.
        let at_ms = self
            .all
            .swept_ms
            .get()
            .saturating_add(after_ms)
            .saturating_add(period_ms);
        self.slot.passed.set(false);
        self.slot.at_ms.set(at_ms.min(NEVER - 1));
    }

    /// Clears it.
    pub(crate) fn clear(&self) {
        self.slot.at_ms.set(NEVER);
        self.slot.passed.set(false);
    }

    /// Tells whether it has passed since it was set; otherwise the task is woken when it does.
    pub(crate) fn poll_passed(&self, context: &Context<'_>) -> Poll<()> {
        if self.slot.passed.get() {
            return Poll::Ready(());
        }
        let mut waker = self.slot.waker.borrow_mut();
        match &mut *waker {
            Some(known) => known.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Waits until it has passed.
    pub(crate) async fn passed(&self) {
        std::future::poll_fn(|context| self.poll_passed(context)).await;
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut slots = self.all.slots.borrow_mut();
        let place = self.slot.place.get();
        slots.swap_remove(place);
        if let Some(moved) = slots.get(place) {
            moved.place.set(place);
        }
    }
}

/// Runs `future` until `deadline` has passed; `None` then.
pub(crate) async fn before<F: Future>(deadline: &Deadline, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => deadline.poll_passed(context).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    //! A deadline fires once it has passed and not before, and leaves no trace when dropped.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn at(deadlines: &Rc<Deadlines>, ms: u64) {
        // As `sweep`, at a time of our choosing.
        deadlines.swept_ms.set(ms);
        for slot in &*deadlines.slots.borrow() {
            if slot.at_ms.get() <= ms {
                slot.at_ms.set(NEVER);
                slot.passed.set(true);
                slot.wake();
            }
        }
    }

    #[test]
    fn it_fires_after_its_time_and_never_before() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.make();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let context = Context::from_waker(&waker);
        deadline.set(Duration::from_millis(100));
        assert!(deadline.poll_passed(&context).is_pending());
        at(&deadlines, 100);
        assert!(deadline.poll_passed(&context).is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        at(&deadlines, 120);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(deadline.poll_passed(&context).is_ready());
    }

    #[test]
    fn setting_or_clearing_it_anew_forgets_that_it_had_passed() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.make();
        let context = Context::from_waker(Waker::noop());
        for renew in [Deadline::clear, |d: &Deadline| {
            d.set(Duration::from_secs(9));
        }] {
            deadline.set(Duration::ZERO);
            at(&deadlines, deadlines.swept_ms.get() + 20);
            assert!(deadline.poll_passed(&context).is_ready());
            renew(&deadline);
            assert!(deadline.poll_passed(&context).is_pending());
        }
    }

    #[test]
    fn dropping_one_leaves_the_others_in_their_places() {
        let deadlines = Deadlines::new();
        let mut kept: Vec<Deadline> = (0..5).map(|_| deadlines.make()).collect();
        drop(kept.remove(1));
        drop(kept.remove(0));
        for (place, slot) in deadlines.slots.borrow().iter().enumerate() {
            assert_eq!(slot.place.get(), place);
        }
        kept.clear();
        assert!(deadlines.slots.borrow().is_empty());
    }
}
