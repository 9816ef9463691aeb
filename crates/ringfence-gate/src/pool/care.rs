//! How a venue is spared that is slow, or away: so many messages at once, and none for a while.

use std::cell::RefCell;
use std::rc::Rc;

use ringfence_core::overload::{Breaker, Circuit, Gradient, Priority, Share};
use ringfence_core::refusal::{Code, Refusal};
use ringfence_ledger::Value;

use super::Pool;
use crate::gauges::Gauge;
use crate::record;
use crate::snapshot::OverloadConfig;

/// What is known of how the venue keeps up. The admin API, on a socket of our own, has none.
pub(super) struct Care {
    /// None where as many may be under way as there are connections.
    gradient: Option<RefCell<Gradient>>,
    /// None where the venue is asked however often it does not answer.
    breaker: Option<RefCell<Breaker>>,
    /// How many may be under way at most that do not reduce risk.
    most: usize,
    /// Which of the engine's threads this is.
    thread: usize,
}

impl Care {
    pub(super) fn new(config: &OverloadConfig, share: Share, thread: usize) -> Self {
        let most = share.all - share.reserve;
        let gradient = || Gradient::new(config.floor, most);
        Self {
            most,
            gradient: config.adaptive.then(|| RefCell::new(gradient())),
            breaker: config.fuse().map(|fuse| RefCell::new(Breaker::new(fuse))),
            thread,
        }
    }
}

impl Pool {
    /// Holds to the limit as it is now, and shows it.
    pub(super) fn heed_limit(&self) {
        let Some(care) = &self.care else { return };
        let found = care.gradient.as_ref().map(|found| found.borrow().limit());
        let limit = found.unwrap_or(care.most);
        self.places.borrow_mut().set_limit(limit);
        if let Some(gauge) = self.gauge() {
            gauge.show_concurrency(limit);
        }
    }

    /// Refuses what would not be let through to a venue that is away, before it waits for its turn.
    pub(super) fn look(&self, priority: Priority) -> Result<(), Refusal> {
        match self.breaker() {
            Some(breaker) => {
                let seen = breaker.borrow().look(priority, self.now_us());
                seen.map_err(away)
            }
            None => Ok(()),
        }
    }

    /// Lets a message through whose turn it is, unless the venue is away.
    pub(super) fn pass(&self, priority: Priority) -> Result<(), Refusal> {
        let Some(breaker) = self.breaker() else {
            return Ok(());
        };
        let now_us = self.now_us();
        let mut breaker = breaker.borrow_mut();
        let passed = breaker.admit(priority, now_us).map_err(away);
        let circuit = breaker.circuit(now_us);
        if circuit != Circuit::Closed
            && let Some(gauge) = self.gauge()
        {
            gauge.show_circuit(circuit);
        }
        passed
    }

    fn gradient(&self) -> Option<&RefCell<Gradient>> {
        self.care.as_ref()?.gradient.as_ref()
    }

    /// Notes that the venue answered what was sent to it at `sent_us`.
    pub(super) fn answered(self: &Rc<Self>, priority: Priority, sent_us: u64) {
        let now_us = self.now_us();
        let back = self.breaker().is_some_and(|b| b.borrow_mut().succeeded());
        let mut changed = false;
        if let Some(gradient) = self.gradient() {
            let (mut gradient, under_way) = (gradient.borrow_mut(), self.places.borrow().taken());
            let took_us = now_us.saturating_sub(sent_us);
            changed = gradient.answered(priority, took_us, under_way, now_us);
            if back {
                gradient.restart();
            }
        }
        if back {
            self.tell(Circuit::Closed, None);
        }
        if changed || back {
            self.heed_limit();
            self.seat_next();
        }
    }

    /// Notes that the venue could not be reached, or did not answer.
    pub(super) fn failed(&self) {
        let now_us = self.now_us();
        if let Some(gradient) = self.gradient() {
            gradient.borrow_mut().lost();
            self.heed_limit();
        }
        let opened = self.breaker().and_then(|b| b.borrow_mut().failed(now_us));
        if let Some(lasts_us) = opened {
            self.tell(Circuit::Open, Some(lasts_us));
        }
    }

    /// Tells that the venue is away now, and for how long it is left alone; or that it is back.
    fn tell(&self, circuit: Circuit, lasts_us: Option<u64>) {
        let Some(care) = &self.care else { return };
        if let Some(gauge) = self.gauge() {
            gauge.show_circuit(circuit);
        }
        let thread = i64::try_from(care.thread).unwrap_or(i64::MAX);
        let event = if circuit == Circuit::Closed {
            "venue.back"
        } else {
            "venue.away"
        };
        let wait_ms = i64::try_from(lasts_us.unwrap_or_default() / 1000).unwrap_or(i64::MAX);
        let detail = [
            ("thread", Value::Int(thread)),
            ("wait_ms", Value::Int(wait_ms)),
        ];
        let _ = record::event(&self.shared, event, &detail);
    }

    fn breaker(&self) -> Option<&RefCell<Breaker>> {
        self.care.as_ref()?.breaker.as_ref()
    }

    fn gauge(&self) -> Option<&Gauge> {
        let care = self.care.as_ref()?;
        self.shared.gauges.get(care.thread)
    }
}

/// Nothing is sent to a venue that is away; after `wait_us` it is asked again.
fn away(wait_us: u64) -> Refusal {
    Refusal::new(Code::VenueUnreachable).retry_after(wait_us.div_ceil(1000))
}
