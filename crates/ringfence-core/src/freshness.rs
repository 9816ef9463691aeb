//! The time window: how far a message's own clock may be from ours.

use crate::refusal::{Code, Detail, Refusal};
use crate::sign::Stamp;

/// A dialect's rule. Binance: `time < now + 1000 ms && now - time <= recvWindow`, default 5000 ms,
/// at most 60000 ms (REST docs, "Timing security").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Microseconds, when the message names none.
    pub default_us: u64,
    /// Largest that a message may name, in microseconds.
    pub max_us: u64,
    /// How far ahead of ours a message's clock may be, in microseconds; exclusive.
    pub ahead_us: u64,
}

impl Window {
    /// Checks `stamp` at `now_us`.
    ///
    /// # Errors
    ///
    /// `window_too_large`, `time_ahead` or `time_stale`, with the distance.
    pub fn check(&self, stamp: Stamp, now_us: u64) -> Result<(), Refusal> {
        if stamp.window_us > self.max_us {
            let past_us = stamp.window_us - self.max_us;
            return Err(Refusal::new(Code::WindowTooLarge).with(Detail::Distance(past_us)));
        }
        let horizon_us = now_us.saturating_add(self.ahead_us);
        if stamp.time_us >= horizon_us {
            let past_us = stamp.time_us - horizon_us;
            return Err(Refusal::new(Code::TimeAhead).with(Detail::Distance(past_us)));
        }
        let age_us = now_us.saturating_sub(stamp.time_us);
        if age_us > stamp.window_us {
            let past_us = age_us - stamp.window_us;
            return Err(Refusal::new(Code::TimeStale).with(Detail::Distance(past_us)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
