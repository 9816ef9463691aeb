//! A circuit breaker: a venue that does not answer is left alone for a while, then asked by one message at a time whether it is
//! back.
//!
//! Invariant: what reduces risk always goes through.

use super::Priority;

/// How many times as long it stays open at most as the first time.
const LONGEST: u64 = 8;

/// When it opens, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fuse {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open; twice as long each time that the venue is not back by then.
    pub open_us: u64,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Circuit {
    /// Everything goes through.
    Closed,
    /// Nothing goes but what reduces risk.
    Open,
    /// One message at a time goes, to see whether the venue is back.
    HalfOpen,
}

impl Circuit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Returns the word used in status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The breaker of one venue.
#[derive(Debug)]
pub struct Breaker {
    fuse: Fuse,
    /// Failures since the last answer.
    failures: u32,
    opened: Option<Opened>,
}

#[derive(Clone, Copy, Debug)]
struct Opened {
    /// How long it stays open this time.
    lasts_us: u64,
    /// From when on it is half open.
    until_us: u64,
    /// Until when the message that asks has, if one does.
    asking_until_us: Option<u64>,
}

impl Breaker {
    /// Makes one that is closed.
    pub const fn new(fuse: Fuse) -> Self {
        Self {
            fuse,
            failures: 0,
            opened: None,
        }
    }

    /// Returns how it stands.
    pub const fn circuit(&self, now_us: u64) -> Circuit {
        match self.opened {
            None => Circuit::Closed,
            Some(opened) if now_us < opened.until_us => Circuit::Open,
            Some(_) => Circuit::HalfOpen,
        }
    }

    /// Lets a message through, which then asks whether the venue is back if it is not known to be.
    ///
    /// Reads ask first: of an order nobody would know whether the venue had done it. One asks only when nothing else has
    /// come for as long again as the breaker was open.
    ///
    /// # Errors
    ///
    /// After how many microseconds to come back.
    pub fn admit(&mut self, priority: Priority, now_us: u64) -> Result<(), u64> {
        let Some(opened) = &mut self.opened else {
            return Ok(());
        };
        if priority == Priority::RiskReducing {
            return Ok(());
        }
        let reads = priority <= Priority::AccountRead;
        let asking_us = opened.asking_until_us.unwrap_or(0);
        let own_us = match reads {
            true => opened.until_us,
            false => opened.until_us.saturating_add(opened.lasts_us),
        };
        let from_us = own_us.max(asking_us);
        if now_us < from_us {
            return Err(from_us - now_us);
        }
        opened.asking_until_us = Some(now_us.saturating_add(opened.lasts_us));
        Ok(())
    }

    /// Tells after how many microseconds to come back, if a message would not be let through.
    ///
    /// # Errors
    ///
    /// As [`Breaker::admit`].
    pub fn look(&self, priority: Priority, now_us: u64) -> Result<(), u64> {
        let mut seen = Self {
            opened: self.opened,
            ..*self
        };
        seen.admit(priority, now_us)
    }

    /// Notes that the venue answered. Returns whether it was thought to be away.
    pub fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.opened.take().is_some()
    }

    /// Notes that it could not be reached, or did not answer. Returns for how many microseconds it is left alone, if that
    /// begins now.
    pub fn failed(&mut self, now_us: u64) -> Option<u64> {
        self.failures = self.failures.saturating_add(1);
        let lasts_us = match self.opened {
            None if self.failures < self.fuse.failures => return None,
            None => self.fuse.open_us,
            // It was open already: one that went before, or reduces risk.
            Some(opened) if now_us < opened.until_us => return None,
            Some(opened) => {
                let longest_us = self.fuse.open_us.saturating_mul(LONGEST);
                opened.lasts_us.saturating_mul(2).min(longest_us)
            }
        };
        self.opened = Some(Opened {
            lasts_us,
            until_us: now_us.saturating_add(lasts_us),
            asking_until_us: None,
        });
        Some(lasts_us)
    }
}

#[cfg(test)]
mod tests;
