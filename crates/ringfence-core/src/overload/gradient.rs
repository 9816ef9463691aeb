//! How many messages may be under way to a venue at once, found by how long it takes for them.
//!
//! After Netflix's Gradient2 (concurrency-limits 0.5, `Gradient2Limit`): the limit follows the ratio of how long answers
//! usually take to how long they take now. Here it is of what was expected of the very messages that were answered, each by its
//! class, so that slow orders after quick reads are no slow venue; and what is usual falls quickly and rises slowly, so that a
//! venue that stays slow is spared until it is clear that it stays so.

use super::Priority;

/// Messages that a window has at least, and how long it is at least.
const WINDOW_SAMPLES: u64 = 10;
const WINDOW_US: u64 = 100_000;
/// Nothing is slow that takes no longer than this: it may be our own scheduling.
const QUICK_US: u64 = 5_000;
/// Times as long as usual, in thousandths, that is still no sign of a queue.
const TOLERANCE_MILLI: u64 = 1500;
/// The most that one window takes away: a half.
const GRADIENT_MIN_MILLI: u64 = 500;
/// Room for bursts, and for finding out that more is possible.
const QUEUE: u64 = 4;
/// How much of a window's finding is believed at once: a fifth.
const SMOOTHING: u64 = 5;
/// What one lost answer leaves of the limit, in thousandths.
const AFTER_LOSS_MILLI: u64 = 900;
/// Where it starts, if there is room for so many.
const START: usize = 10;
/// How much what is usual moves towards what was: up by this part in a window, down by that.
const RISE_PART: u64 = 512;
const FALL_PART: u64 = 4;

/// A limit of messages under way.
#[derive(Debug)]
pub struct Gradient {
    floor: u64,
    ceiling: u64,
    /// In thousandths. `floor <= limit <= ceiling`.
    limit_milli: u64,
    /// Whether it grows by one with each answer: nothing has been slow since it began.
    starting: bool,
    /// How long answers usually take, by class; 0: there was none.
    usual_us: [u64; Priority::COUNT],
    window: Window,
}

/// What was answered since the last finding.
#[derive(Debug, Default)]
struct Window {
    since_us: u64,
    counts: [u64; Priority::COUNT],
    sums_us: [u64; Priority::COUNT],
    /// The most that were under way at once.
    most: u64,
}

impl Gradient {
    /// Makes one that never allows less than `floor` or more than `ceiling`.
    pub fn new(floor: usize, ceiling: usize) -> Self {
        let ceiling = (ceiling as u64).max(1);
        let floor = (floor as u64).clamp(1, ceiling);
        let mut made = Self {
            floor,
            ceiling,
            limit_milli: floor * 1000,
            starting: true,
            usual_us: [0; Priority::COUNT],
            window: Window::default(),
        };
        made.set(START as u64 * 1000);
        made
    }

    /// Returns how many may be under way now.
    pub const fn limit(&self) -> usize {
        (self.limit_milli / 1000) as usize
    }

    /// Begins anew from the floor: the venue was away, and what waits must not fall upon it at once.
    pub fn restart(&mut self) {
        self.limit_milli = self.floor * 1000;
        self.starting = true;
        self.window = Window::default();
    }

    /// Notes that an answer took `took_us` while `under_way` messages were. Returns whether the limit is another one now.
    pub fn answered(
        &mut self,
        priority: Priority,
        took_us: u64,
        under_way: usize,
        now_us: u64,
    ) -> bool {
        let before = self.limit();
        let window = &mut self.window;
        if window.most == 0 {
            window.since_us = now_us;
        }
        // INVARIANT: there is a place for each class; so below.
        window.counts[priority as usize] += 1;
        window.sums_us[priority as usize] =
            window.sums_us[priority as usize].saturating_add(took_us);
        window.most = window.most.max(under_way.max(1) as u64);
        if self.starting && self.is_used(under_way as u64) {
            self.set(self.limit_milli + 1000);
        }
        let count: u64 = self.window.counts.iter().sum();
        let long = now_us.saturating_sub(self.window.since_us) >= WINDOW_US;
        if long && count >= WINDOW_SAMPLES {
            let window = std::mem::take(&mut self.window);
            self.find(&window);
        }
        self.limit() != before
    }

    /// Notes that an answer did not come in time.
    pub fn lost(&mut self) {
        self.starting = false;
        self.set(self.limit_milli * AFTER_LOSS_MILLI / 1000);
    }

    /// Draws the conclusion of a window.
    fn find(&mut self, window: &Window) {
        let (mut expected_us, mut took_us) = (0_u64, 0_u64);
        for (class, usual_us) in self.usual_us.iter_mut().enumerate() {
            let (count, sum_us) = (window.counts[class], window.sums_us[class]);
            let Some(each_us) = sum_us.checked_div(count) else {
                continue;
            };
            *usual_us = match *usual_us {
                0 => each_us,
                usual if each_us < usual => usual - (usual - each_us).div_ceil(FALL_PART),
                usual => usual + (each_us - usual) / RISE_PART,
            };
            expected_us =
                expected_us.saturating_add(count.saturating_mul((*usual_us).max(QUICK_US)));
            took_us = took_us.saturating_add(sum_us);
        }
        let gradient_milli = expected_us.saturating_mul(TOLERANCE_MILLI) / took_us.max(1);
        let gradient_milli = gradient_milli.clamp(GRADIENT_MIN_MILLI, 1000);
        if gradient_milli < 1000 {
            self.starting = false;
        }
        // Who does not use what there is finds out nothing about it.
        if !self.is_used(window.most) {
            return;
        }
        let found_milli = self.limit_milli * gradient_milli / 1000 + QUEUE * 1000;
        let kept_milli = self.limit_milli * (SMOOTHING - 1) / SMOOTHING;
        self.set(kept_milli + found_milli / SMOOTHING);
    }

    /// Tells whether this many are at least half of what may be.
    const fn is_used(&self, under_way: u64) -> bool {
        under_way * 2000 >= self.limit_milli
    }

    fn set(&mut self, limit_milli: u64) {
        self.limit_milli = limit_milli.clamp(self.floor * 1000, self.ceiling * 1000);
    }
}

#[cfg(test)]
mod tests;
