//! Windows that end at every moment. A window is cut into thirteen steps, and a line is the number of its newest step and
//! what was used in that and the thirteen before: they cover the window wherever in a step it begins. So a unit
//! comes back at most a step late, and never early.

use super::Standing;

/// Steps of a line: those of a window, and one more.
const STEPS: usize = 14;
/// Words of a line: the newest step's number, and two counts in each.
const LINE: usize = 1 + STEPS / 2;
pub(super) const WORDS: usize = 2 * LINE;

#[derive(Clone, Copy, Debug)]
pub(in crate::budget) struct Sliding {
    quota: u32,
    step_ms: u64,
}

/// What was used in each step, the newest first.
type Used = [u32; STEPS];

impl Sliding {
    pub(super) const fn new(quota: u32, window_ms: u64) -> Self {
        Self {
            quota,
            step_ms: window_ms.div_ceil(STEPS as u64 - 1),
        }
    }

    pub(super) fn start(&self, cell: &mut [u64], floor_ms: u64) {
        if floor_ms > 0 {
            let (low, high) = cell.split_at_mut(LINE);
            let step = floor_ms / self.step_ms;
            high[0] = step;
            self.use_up(low, step);
        }
    }

    pub(super) fn look(&self, cell: &mut [u64], now_ms: u64) -> Standing {
        let line = self.turn(cell, now_ms / self.step_ms);
        let (newest, used) = read(&cell[line..line + LINE]);
        let all = sum(&used);
        let end_ms = self.back_ms(newest, &used).unwrap_or_default();
        Standing {
            used: all.min(u64::from(self.quota)),
            left: u64::from(self.quota).saturating_sub(all),
            reset_ms: end_ms.saturating_sub(now_ms).max(1),
            line,
        }
    }

    /// Returns the line on which `step` is counted, brought to it.
    fn turn(&self, cell: &mut [u64], step: u64) -> usize {
        let (low, high) = cell.split_at_mut(LINE);
        if is_unused(high) && step < high[0] {
            // Nothing was used there: it is as if the clock had never been there.
            high.copy_from_slice(low);
            self.use_up(low, high[0]);
        }
        if step >= high[0] {
            if step > high[0] && !is_unused(high) {
                low.copy_from_slice(high);
                bring(high, step);
                if !is_unused(high) {
                    // Times are used up to here without a gap: whoever comes back before them finds nothing.
                    self.use_up(low, low[0]);
                }
            }
            high[0] = step;
            return LINE;
        }
        // What is used before has come back until the newest time, or else counts as used then.
        let at = step.max(low[0]);
        if high[0].saturating_sub(at) < STEPS as u64 {
            return LINE;
        }
        bring(low, at);
        0
    }

    fn use_up(&self, line: &mut [u64], step: u64) {
        let mut used = [0; STEPS];
        used[0] = self.quota;
        write(line, step, &used);
    }

    pub(super) fn wait_ms(&self, cell: &[u64], standing: Standing, price: u64) -> u64 {
        let (_, used) = read(&cell[standing.line..standing.line + LINE]);
        let most = u64::from(self.quota).saturating_sub(price);
        // So many of the oldest steps must have gone.
        let gone = (0..STEPS).find(|gone| sum(&used[..STEPS - gone]) <= most);
        let until_all = STEPS - used.iter().position(|n| *n > 0).unwrap_or(STEPS);
        let earlier = until_all - gone.unwrap_or(until_all).min(until_all);
        let earlier_ms = (earlier as u64).saturating_mul(self.step_ms);
        standing.reset_ms.saturating_sub(earlier_ms)
    }

    pub(super) fn charge(&self, cell: &mut [u64], standing: Standing, price: u64) {
        let line = &mut cell[standing.line..standing.line + LINE];
        let (newest, mut used) = read(line);
        // What is charged was found to fit the quota, or is admitted whatever was used before.
        used[0] = used[0].saturating_add(u32::try_from(price).unwrap_or(u32::MAX));
        write(line, newest, &used);
    }

    /// Takes a charge of a step back, if the line still has that.
    pub(super) fn take_back(&self, cell: &mut [u64], (step, line): (u64, usize), price: u64) {
        let line = &mut cell[line..line + LINE];
        let (newest, mut used) = read(line);
        let back = newest
            .checked_sub(step)
            .and_then(|ago| used.get_mut(ago as usize));
        if let Some(used) = back {
            *used = used.saturating_sub(u32::try_from(price).unwrap_or(0));
        }
        write(line, newest, &used);
    }

    pub(super) fn idle_ms(&self, cell: &[u64]) -> u64 {
        let lines = cell.chunks_exact(LINE).map(|line| {
            let (newest, used) = read(line);
            self.back_ms(newest, &used).unwrap_or_default()
        });
        lines.max().unwrap_or_default()
    }

    /// Returns when all that was used has come back; nothing if nothing was.
    fn back_ms(&self, newest: u64, used: &Used) -> Option<u64> {
        // What was used last comes back last.
        let last = used.iter().position(|n| *n > 0)? as u64;
        let step = newest.saturating_sub(last).saturating_add(STEPS as u64);
        Some(step.saturating_mul(self.step_ms))
    }
}

/// Brings a line to a later step.
fn bring(line: &mut [u64], step: u64) {
    let (newest, used) = read(line);
    let by = usize::try_from(step.saturating_sub(newest)).unwrap_or(STEPS);
    let mut later = [0; STEPS];
    if by < STEPS {
        later[by..].copy_from_slice(&used[..STEPS - by]);
    }
    write(line, step, &later);
}

fn is_unused(line: &[u64]) -> bool {
    line[1..].iter().all(|word| *word == 0)
}

fn sum(used: &[u32]) -> u64 {
    used.iter().map(|n| u64::from(*n)).sum()
}

/// INVARIANT: a line has [`LINE`] words; so below.
fn read(line: &[u64]) -> (u64, Used) {
    let used = std::array::from_fn(|n| (line[1 + n / 2] >> (32 * (n % 2))) as u32);
    (line[0], used)
}

fn write(line: &mut [u64], newest: u64, used: &Used) {
    line[0] = newest;
    for (word, pair) in line[1..].iter_mut().zip(used.chunks_exact(2)) {
        *word = u64::from(pair[0]) | u64::from(pair[1]) << 32;
    }
}
