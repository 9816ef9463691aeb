//! Who may use a connection to the venue now, and who waits for it.

use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ringfence_core::overload::{Place, Priority};
use ringfence_core::refusal::Code;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Pool;

/// A place among the messages under way. Dropped, it goes to whoever is next. It does not keep the pool.
pub(super) struct Seat {
    pool: Weak<Pool>,
    priority: Priority,
}

impl Seat {
    fn new(pool: &Rc<Pool>, priority: Priority) -> Self {
        Self {
            pool: Rc::downgrade(pool),
            priority,
        }
    }

    pub(super) const fn priority(&self) -> Priority {
        self.priority
    }

    /// Gives it up without passing it on.
    fn discard(mut self) {
        self.pool = Weak::new();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Gone if the thread has ended.
        if let Some(pool) = self.pool.upgrade() {
            pool.places.borrow_mut().end(self.priority);
            pool.seat_next();
        }
    }
}

impl Pool {
    /// Takes a place, or waits for one.
    ///
    /// # Errors
    ///
    /// `overloaded` when it has waited for too long, or had to go for what is more urgent.
    pub(super) async fn seat(self: &Rc<Self>, place: Place) -> Result<Seat, Code> {
        if self.places.borrow_mut().take(place.priority) {
            return Ok(Seat::new(self, place.priority));
        }
        // Rare and large: it does not make every message's future as large.
        let seated = Box::pin(self.wait(place)).await;
        if seated.is_none() {
            self.shared.counters.shed(place.priority);
        }
        seated.ok_or(Code::Overloaded)
    }

    async fn wait(self: &Rc<Self>, place: Place) -> Option<Seat> {
        let _counted = Waiting::new(&self.shared.counters.waiting);
        let (granted, mut grant) = oneshot::channel();
        let now_us = self.now_us();
        let patience_us = self.places.borrow().patience_us(place.priority, now_us);
        let entered = self.places.borrow_mut().wait(place, granted, now_us);
        // Who had to go for this one hears so by the drop.
        drop(entered.ok()?);
        loop {
            match timeout(Duration::from_micros(patience_us), &mut grant).await {
                Ok(granted) => return granted.ok(),
                // What reduces risk stays while anything less urgent is there: that ends in time, and then it is its turn.
                Err(_)
                    if self.places.borrow().is_in_the_way_of(place.priority)
                        && place.priority == Priority::RiskReducing => {}
                Err(_) => return None,
            }
        }
    }

    /// Gives the places that are free to those who are next.
    pub(super) fn seat_next(self: &Rc<Self>) {
        loop {
            // Not held while granting: a place that nobody takes comes back.
            let next = self.places.borrow_mut().next(self.now_us());
            let Some((priority, waiter)) = next else {
                return;
            };
            if let Err(unwanted) = waiter.send(Seat::new(self, priority)) {
                unwanted.discard();
                self.places.borrow_mut().end(priority);
            }
        }
    }
}

/// Counts one who waits, also if it goes before it is told anything.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
