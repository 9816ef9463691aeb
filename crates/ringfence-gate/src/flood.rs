//! Who goes on asking: a flood is answered a few times in a window, then made to wait, because answering is work too.
//!
//! Addresses that are over their edge budget, as one thread knows them, and connections whose shard is over its own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use ringfence_core::address::Prefix;

/// Refusals that an address gets at once in a window; the connection of each further one is held.
const ANSWERED_AT_ONCE: u32 = 32;
/// Longest that a connection is held, in milliseconds.
const HOLD_MAX_MS: u64 = 1000;
/// Connections that an address keeps while it is over its budget; more are closed as they come.
const CONNECTIONS_WHILE_OVER: usize = 4;
/// Addresses that are remembered; of more, none is held.
const ADDRESSES_MAX: usize = 4096;

/// Refusals by a shard's budget that a connection gets at once.
const PRESSED_AT_ONCE: u64 = 8;
/// After so long one of them is forgotten, in microseconds.
const PRESSED_US: u64 = 125_000;
/// So long the answer to each further one is held: a flood of ten times the budget becomes one of little more than it, and a
/// cancel that is sent next on that connection is no later than that.
const PRESSED_HOLD: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
struct Flood {
    /// End of the window, in microseconds since the epoch.
    until_us: u64,
    refused: u32,
}

/// The addresses that are over their budget now.
#[derive(Debug, Default)]
pub(crate) struct Floods(RefCell<HashMap<Prefix, Flood>>);

impl Floods {
    /// Notes a refusal that lasts `after_ms`, and returns how long the answer is to be held.
    pub(crate) fn refused(&self, from: Prefix, after_ms: u64, now_us: u64) -> Duration {
        let mut floods = self.0.borrow_mut();
        if floods.len() >= ADDRESSES_MAX && !floods.contains_key(&from) {
            floods.retain(|_, flood| flood.until_us > now_us);
            if floods.len() >= ADDRESSES_MAX {
                return Duration::ZERO;
            }
        }
        let fresh = Flood {
            until_us: now_us.saturating_add(after_ms.saturating_mul(1000)),
            refused: 0,
        };
        let flood = floods.entry(from).or_insert(fresh);
        if flood.until_us <= now_us {
            *flood = fresh;
        }
        flood.refused = flood.refused.saturating_add(1);
        if flood.refused <= ANSWERED_AT_ONCE {
            return Duration::ZERO;
        }
        Duration::from_millis(after_ms.min(HOLD_MAX_MS))
    }

    /// Tells whether the `nth` connection of an address is one too many for one that is over its budget.
    pub(crate) fn turns_away(&self, from: Prefix, nth: usize, now_us: u64) -> bool {
        let floods = self.0.borrow();
        nth > CONNECTIONS_WHILE_OVER
            && floods
                .get(&from)
                .is_some_and(|flood| flood.until_us > now_us)
    }
}

/// How often a connection was refused because its shard is over its budget.
#[derive(Debug, Default)]
pub(crate) struct Pressed {
    /// When all of it is forgotten, in microseconds since the epoch.
    until_us: Cell<u64>,
}

impl Pressed {
    /// Notes a refusal, and returns how long its answer is to be held.
    pub(crate) fn refused(&self, now_us: u64) -> Duration {
        // One by one, not all at a time: each second would begin with a burst of all connections.
        let until_us = self.until_us.get().max(now_us) + PRESSED_US;
        let most_us = now_us + PRESSED_AT_ONCE * PRESSED_US;
        self.until_us.set(until_us.min(most_us));
        if until_us > most_us {
            PRESSED_HOLD
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    //! Only an address that is over its budget waits, and only until its window ends.

    use super::*;

    fn address(last: u8) -> Prefix {
        Prefix::of([10, 0, 0, last].into())
    }

    #[test]
    fn the_first_refusals_of_a_window_are_answered_at_once_and_later_ones_held() {
        let floods = Floods::default();
        for _ in 0..ANSWERED_AT_ONCE {
            assert_eq!(floods.refused(address(1), 300, 0), Duration::ZERO);
        }
        let held = floods.refused(address(1), 300, 0);
        assert_eq!(held, Duration::from_millis(300));
        let bounded = floods.refused(address(1), 60_000, 0);
        assert_eq!(bounded, Duration::from_millis(HOLD_MAX_MS));
        assert_eq!(floods.refused(address(2), 300, 0), Duration::ZERO);
        assert_eq!(floods.refused(address(1), 300, 300_000), Duration::ZERO);
    }

    #[test]
    fn more_than_a_few_connections_are_turned_away_until_the_window_ends() {
        let floods = Floods::default();
        let nth = CONNECTIONS_WHILE_OVER + 1;
        assert!(!floods.turns_away(address(1), nth, 0));
        let _ = floods.refused(address(1), 300, 0);
        assert!(floods.turns_away(address(1), nth, 299_999));
        assert!(!floods.turns_away(address(1), CONNECTIONS_WHILE_OVER, 0));
        assert!(!floods.turns_away(address(2), nth, 0));
        assert!(!floods.turns_away(address(1), nth, 300_000));
    }

    #[test]
    fn a_connection_that_goes_on_while_its_shard_is_over_is_held_until_it_rests() {
        let (pressed, now_us) = (Pressed::default(), 1_000_000_000);
        for _ in 0..PRESSED_AT_ONCE {
            assert_eq!(pressed.refused(now_us), Duration::ZERO);
        }
        for asked in 0..100 {
            assert_eq!(pressed.refused(now_us + asked), PRESSED_HOLD);
        }
        assert_eq!(pressed.refused(now_us + 100 + PRESSED_US), Duration::ZERO);
        assert_eq!(pressed.refused(now_us + 100 + PRESSED_US), PRESSED_HOLD);
    }

    #[test]
    fn memory_is_bounded_and_what_does_not_fit_is_not_held() {
        let floods = Floods::default();
        for number in 0..2 * u32::try_from(ADDRESSES_MAX).unwrap_or(u32::MAX) {
            let _ = floods.refused(Prefix::of(std::net::Ipv4Addr::from(number).into()), 300, 0);
        }
        assert_eq!(floods.0.borrow().len(), ADDRESSES_MAX);
    }
}
