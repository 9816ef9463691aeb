//! For how long what is known of credentials may be acted by, unless somebody who asks the store says again that it is so.
//!
//! It counts by a clock that nobody sets. Without anybody who says so, it never ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ENDLESS: u64 = u64::MAX;

/// A time that is renewed, or is over.
#[derive(Debug)]
pub(crate) struct Lease {
    start: Instant,
    /// Milliseconds since `start`.
    until_ms: AtomicU64,
}

impl Lease {
    /// Makes one without an end.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            until_ms: AtomicU64::new(ENDLESS),
        }
    }

    /// Lets it last for so long from `seen` on; none: without an end. Several may say so, in any order: what was seen last
    /// counts, and what is seen once ends an endless one.
    pub(crate) fn renew(&self, seen: Instant, lasts: Option<Duration>) {
        let until = lasts.map(|lasts| seen.saturating_duration_since(self.start) + lasts);
        let until_ms = until.map_or(ENDLESS, |until| {
            u64::try_from(until.as_millis()).unwrap_or(ENDLESS)
        });
        let later = |now| (now == ENDLESS || now < until_ms).then_some(until_ms);
        let _ = self
            .until_ms
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    /// Tells whether it is over at `now`.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.start);
        since.as_millis() >= u128::from(self.until_ms.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_over_at_its_end_and_lasts_again_once_renewed() {
        let lease = Lease::new();
        let start = lease.start;
        assert!(!lease.is_over(start + 1_000_000 * SECOND), "without an end");
        lease.renew(start, Some(SECOND));
        let held = [0, 999, 1000, 5000].map(|ms| !lease.is_over(start + Duration::from_millis(ms)));
        assert_eq!(held, [true, true, false, false]);
        lease.renew(start + 5 * SECOND, Some(SECOND));
        assert!(!lease.is_over(start + Duration::from_millis(5999)));
        lease.renew(start, None);
        assert!(!lease.is_over(start + 1_000_000 * SECOND), "without an end");
    }

    #[test]
    fn what_was_seen_earlier_does_not_shorten_it() {
        let lease = Lease::new();
        let start = lease.start;
        lease.renew(start + SECOND, Some(SECOND));
        lease.renew(start, Some(SECOND));
        assert!(!lease.is_over(start + Duration::from_millis(1999)));
        assert!(lease.is_over(start + 2 * SECOND));
    }
}
