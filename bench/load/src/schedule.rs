//! When the next request is due.
//!
//! Closed: as soon as a connection is free. Open: at a fixed rate, whatever the answers do; a
//! request that finds no free connection waits, and its latency counts from when it was due, so
//! a slow server cannot make its own measurement look good (coordinated omission).

use std::time::{Duration, Instant};

/// Due times of requests.
pub(crate) struct Schedule {
    start: Instant,
    interval_ns: Option<u64>,
}

impl Schedule {
    /// Starts now; `rate` in requests per second, or none for a closed loop.
    pub(crate) fn start(rate: Option<u64>) -> Self {
        let interval_ns = rate.map(|rate| 1_000_000_000 / rate.max(1));
        Self {
            start: Instant::now(),
            interval_ns,
        }
    }

    /// Nanoseconds since the start.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// When request `index` was or is due; `now_ns` in a closed loop.
    pub(crate) fn due_ns(&self, index: usize, now_ns: u64) -> u64 {
        self.interval_ns
            .map_or(now_ns, |interval| interval * index as u64)
    }

    /// The first request whose time has not passed by more than `LATE_NS`: what a sender that
    /// does not wait goes on with.
    pub(crate) fn skip_late(&self, index: usize, now_ns: u64) -> usize {
        const LATE_NS: u64 = 1_000_000;
        let passed = self
            .interval_ns
            .map_or(0, |interval| now_ns.saturating_sub(LATE_NS) / interval);
        index.max(usize::try_from(passed).unwrap_or(usize::MAX))
    }

    /// How long to wait for answers before looking at the schedule again.
    pub(crate) fn patience(&self, index: usize, now_ns: u64, free: bool) -> Duration {
        const LONGEST_NS: u64 = 10_000_000;
        let wait_ns = match self.interval_ns {
            Some(interval) if free => (interval * index as u64).saturating_sub(now_ns),
            Some(_) | None => LONGEST_NS,
        };
        Duration::from_nanos(wait_ns.min(LONGEST_NS))
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use std::time::Duration;

    #[test]
    fn open_loop_is_due_by_rate_and_closed_loop_is_due_now() {
        let open = Schedule::start(Some(1000));
        assert_eq!(open.due_ns(3, 7), 3_000_000);
        assert_eq!(open.patience(3, 2_000_000, true), Duration::from_millis(1));
        assert_eq!(
            open.patience(3, 2_000_000, false),
            Duration::from_millis(10)
        );
        assert_eq!(Schedule::start(None).due_ns(3, 7), 7);
    }

    #[test]
    fn late_requests_are_skipped_only_in_an_open_loop() {
        let open = Schedule::start(Some(1000));
        assert_eq!(open.skip_late(3, 4_000_000), 3);
        assert_eq!(open.skip_late(3, 9_000_000), 8);
        assert_eq!(open.skip_late(3, 0), 3);
        assert_eq!(Schedule::start(None).skip_late(3, 9_000_000), 3);
    }
}
