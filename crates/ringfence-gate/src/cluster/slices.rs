//! Units that were fetched ahead of their use: what messages are charged to without asking anybody.
//!
//! Invariant: what is used here was charged at the server before, in the same window: so all gateways together never use
//! more than the quota of a fixed window. A slice is dropped before its window can be over at the server, by a clock
//! that nobody sets; what is left of it then is lost to everybody.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringfence_core::budget::{Charge, Usage};
use ringfence_core::cluster::Name;

use super::asking::{Ask, Had, Terms};

/// Parts, with a lock each.
const PARTS: usize = 16;
/// A slice of a bucket is let go after so long: nobody else can use it.
const HELD: Duration = Duration::from_millis(500);
/// For how long before its end the next window's slice is fetched.
const LEAD: Duration = Duration::from_millis(100);
/// A slice should last about so long: it is doubled if it lasts half of it, and halved if it lasts twice.
const LASTS: Duration = Duration::from_millis(50);
/// Prices that are fetched with the first message of a subject.
const FIRST: u64 = 4;

/// All slices that this gateway holds.
pub(crate) struct Slices {
    parts: [Mutex<Part>; PARTS],
    /// That one part has at most; beyond them, every message asks.
    most: usize,
}

#[derive(Default)]
struct Part {
    slices: HashMap<Name, Slice>,
    swept: Option<Instant>,
}

/// What is held for one subject of one limit.
struct Slice {
    /// By the server's clock; 0 of what has no windows.
    window: u64,
    units: u64,
    until: Instant,
    /// What was left at the server when it was asked last.
    left: u64,
    /// When all is back there.
    reset: Instant,
    /// What is fetched at once.
    size: u64,
    fetched: Instant,
    asking: bool,
    next: Option<Next>,
}

/// The next window's.
struct Next {
    window: u64,
    units: u64,
    from: Instant,
    until: Instant,
}

/// Whether a message is charged to what is held.
pub(super) enum Covered {
    /// It is not, and so much more is wanted.
    Not(u64),
    /// Nor would it be at the server.
    Over(u64, Usage),
    Whole(Usage, u64, Wanted),
}

/// What is to be fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    Next(u64),
    Nothing,
    Now(u64),
}

impl Slices {
    /// Makes room for about so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            most: most.div_ceil(PARTS),
        }
    }

    /// Returns units that are held, of all subjects.
    pub(crate) fn units(&self) -> u64 {
        let now = Instant::now();
        let parts = self.parts.iter().map(|part| {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let held = part.slices.values().filter(|slice| now < slice.until);
            held.map(|slice| slice.units).sum::<u64>()
        });
        parts.sum()
    }

    /// Charges a message to what is held, if that is enough. What is wanted in its stead is being asked from then on.
    pub(super) fn cover(&self, charge: &Charge, terms: &Terms, now: Instant) -> Covered {
        let lease = terms.lease.unwrap_or_default().max(1);
        let mut part = self.part(&charge.name);
        let Some(slice) = part.slices.get_mut(&charge.name) else {
            if !part.has_room(self.most, now) {
                return Covered::Not(0);
            }
            let want = charge.price.saturating_mul(FIRST).min(lease);
            part.slices.insert(charge.name, Slice::asked(now, want));
            return Covered::Not(want);
        };
        slice.turn(now);
        let held = now < slice.until;
        if held && slice.units >= charge.price {
            slice.units -= charge.price;
            let wanted = slice.wanted(terms, now, lease);
            return Covered::Whole(slice.usage(charge, terms, now), slice.window, wanted);
        }
        if held && terms.turns() && slice.left < charge.price {
            // What was used of a window does not come back before its end.
            let usage = slice.usage(charge, terms, now);
            return Covered::Over(usage.reset_ms, usage);
        }
        if slice.asking {
            return Covered::Not(0);
        }
        slice.asking = true;
        Covered::Not(slice.wants(now, lease))
    }

    /// Puts units that the server gave, which it was asked for at `asked` and has answered by `now`.
    pub(super) fn put(&self, ask: &Ask<'_>, had: &Had, (asked, now): (Instant, Instant)) {
        let (turns, more) = (ask.terms.turns(), had.more.min(ask.want));
        let reset = asked + Duration::from_millis(had.reset_ms);
        // The server's window ends no earlier than if it had answered as soon as it was asked.
        let until = if turns { reset } else { asked + HELD };
        let window = if turns {
            had.now_ms / ask.terms.window_ms + ask.ahead
        } else {
            0
        };
        let mut part = self.part(&ask.charge.name);
        let slice = part.slices.entry(ask.charge.name);
        let slice = slice.or_insert_with(|| Slice::asked(now, more));
        slice.asking = false;
        if ask.ahead > 0 {
            // It has begun by when it would have if the server had answered only just now.
            let begins = had.reset_ms.saturating_sub(ask.terms.window_ms);
            slice.next = Some(Next {
                window,
                units: more,
                from: now + Duration::from_millis(begins),
                until,
            });
            return;
        }
        slice.turn(now);
        if window > slice.window {
            let next = slice.next.take().filter(|next| next.window == window);
            (slice.window, slice.units) = (window, next.map_or(0, |next| next.units));
            slice.until = until;
        } else if window < slice.window {
            // It was of a window that is over.
            return;
        } else if turns {
            slice.until = slice.until.min(until);
        } else {
            // What of a bucket is not held any more, is lost.
            slice.units = if now < slice.until { slice.units } else { 0 };
            slice.until = until;
        }
        slice.units += more;
        (slice.left, slice.reset, slice.fetched) = (had.left, reset, asked);
    }

    /// Notes that what was to be fetched was not.
    pub(super) fn unasked(&self, name: &Name) {
        if let Some(slice) = self.part(name).slices.get_mut(name) {
            slice.asking = false;
        }
    }

    /// Puts back what a message was charged, in this window, that is refused elsewhere.
    pub(super) fn give_back(&self, charge: &Charge, window: u64) {
        let mut part = self.part(&charge.name);
        let slice = part.slices.get_mut(&charge.name);
        if let Some(slice) = slice.filter(|slice| slice.window == window) {
            slice.units += charge.price;
        }
    }

    fn part(&self, name: &Name) -> MutexGuard<'_, Part> {
        let part = usize::from(name[0]) % PARTS;
        // Nothing panics while it is held.
        self.parts[part]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Tells whether there is room for one more, once what is not held any more has made some.
    fn has_room(&mut self, most: usize, now: Instant) -> bool {
        if self.slices.len() < most {
            return true;
        }
        let due = self.swept.is_none_or(|swept| now >= swept + LEAD);
        if due {
            self.swept = Some(now);
            self.slices
                .retain(|_, slice| slice.asking || now < slice.until || slice.next.is_some());
        }
        self.slices.len() < most
    }
}

impl Slice {
    /// Makes one that holds nothing yet.
    const fn asked(now: Instant, size: u64) -> Self {
        Self {
            window: 0,
            units: 0,
            until: now,
            left: 0,
            reset: now,
            size,
            fetched: now,
            asking: true,
            next: None,
        }
    }

    /// Goes on with the next window's units once this one is over.
    fn turn(&mut self, now: Instant) {
        let next = self
            .next
            .take_if(|next| now >= next.from && now >= self.until);
        if let Some(next) = next {
            (self.window, self.units) = (next.window, next.units);
            self.until = next.until;
            // Nobody has said how much is left there; that it is something, the next answer tells.
            (self.left, self.reset) = (u64::MAX >> 1, next.until);
        }
    }

    /// Returns what is to be fetched beside, and notes that it is.
    fn wanted(&mut self, terms: &Terms, now: Instant, lease: u64) -> Wanted {
        if self.asking {
            return Wanted::Nothing;
        }
        let lead = LEAD.min(Duration::from_millis(terms.window_ms / 4));
        let wanted = if terms.turns() && self.next.is_none() && now + lead >= self.until {
            Wanted::Next(self.size.clamp(1, lease))
        } else if self.units < self.size.div_ceil(2) && self.left > 0 {
            Wanted::Now(self.wants(now, lease))
        } else {
            Wanted::Nothing
        };
        self.asking = wanted != Wanted::Nothing;
        wanted
    }

    /// Returns how much is to be fetched, by how long the last lasted.
    fn wants(&mut self, now: Instant, lease: u64) -> u64 {
        let lasted = now.saturating_duration_since(self.fetched);
        let size = if lasted < LASTS / 2 {
            self.size.saturating_mul(2)
        } else if lasted > LASTS * 2 {
            self.size / 2
        } else {
            self.size
        };
        self.size = size.clamp(1, lease);
        let held = if now < self.until { self.units } else { 0 };
        self.size.min(lease.saturating_sub(held))
    }

    fn usage(&self, charge: &Charge, terms: &Terms, now: Instant) -> Usage {
        let reset = self.reset.saturating_duration_since(now).as_millis();
        let remaining = self.units.saturating_add(self.left).min(terms.quota);
        Usage {
            limit: charge.limit,
            used: terms.quota - remaining,
            remaining,
            reset_ms: u64::try_from(reset).unwrap_or(u64::MAX).max(1),
        }
    }
}

#[cfg(test)]
mod tests;
