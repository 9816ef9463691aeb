//! Windows that begin with their first use. A line is when its window began and what was used in it.

use super::Standing;

const LOW: usize = 0;
const HIGH: usize = 2;

pub(super) fn start(cell: &mut [u64], quota: u64, floor_ms: u64) {
    if floor_ms > 0 {
        cell.copy_from_slice(&[floor_ms, quota, floor_ms, 0]);
    }
}

pub(super) fn look(cell: &mut [u64], quota: u64, window_ms: u64, now_ms: u64) -> Standing {
    let line = turn(cell, quota, window_ms, now_ms);
    let (began_ms, used) = (cell[line], cell[line + 1]);
    let end_ms = began_ms.saturating_add(window_ms);
    Standing {
        used: used.min(quota),
        left: quota.saturating_sub(used),
        reset_ms: end_ms.saturating_sub(now_ms).max(1),
        line,
    }
}

/// Returns the line on which `now_ms` is counted, with its window begun if it is a new one.
fn turn(cell: &mut [u64], quota: u64, window_ms: u64, now_ms: u64) -> usize {
    let [low_ms, low, high_ms, high] = cell else {
        // INVARIANT: a cell has four words.
        return LOW;
    };
    if *high == 0 && now_ms < *high_ms {
        // Nothing was used there: it is as if the clock had never been there.
        (*high_ms, *high) = (*low_ms, *low);
        *low = quota;
    }
    if now_ms >= *high_ms {
        if *high == 0 {
            *high_ms = now_ms;
        } else if now_ms - *high_ms >= window_ms {
            (*low_ms, *low) = (*high_ms, *high);
            (*high_ms, *high) = (now_ms, 0);
        }
        return HIGH;
    }
    // Before the newest window: in the one before it, or in a new one in between, if it is over before the newest began.
    let (last_ms, at_ms) = (*low_ms, now_ms.max(*low_ms));
    let new = *low == 0 || at_ms - last_ms >= window_ms;
    let began_ms = if new { at_ms } else { last_ms };
    if began_ms.saturating_add(window_ms) > *high_ms {
        return HIGH;
    }
    if new {
        (*low_ms, *low) = (began_ms, 0);
    }
    LOW
}

pub(super) fn idle_ms(cell: &[u64], window_ms: u64) -> u64 {
    let ends_ms = cell.chunks_exact(2).map(|line| match line {
        [began_ms, used] if *used > 0 => began_ms.saturating_add(window_ms),
        _ => 0,
    });
    ends_ms.max().unwrap_or(0)
}
