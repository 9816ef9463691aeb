//! The clock. Nobody else reads it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Returns microseconds since the Unix epoch in UTC; 0 if the system's clock is before it, which refuses everything
/// that carries a time.
pub(crate) fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        })
}

/// Returns the microseconds since `start`.
pub(crate) fn elapsed_us(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
