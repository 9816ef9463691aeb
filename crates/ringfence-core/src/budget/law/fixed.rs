//! Windows aligned to the clock: `counter.rs` in words.

use super::Standing;
use crate::counter::{Counter, Place};

pub(super) fn start(cell: &mut [u64], window: u64) {
    write(cell, &Counter::starting(window));
}

pub(super) fn look(cell: &mut [u64], quota: u64, window_ms: u64, now_ms: u64) -> Standing {
    let mut counter = read(cell);
    let place = counter.place(now_ms / window_ms);
    write(cell, &counter);
    let slot = counter.at(place);
    let end_ms = slot.window.saturating_add(1).saturating_mul(window_ms);
    Standing {
        used: slot.used.min(quota),
        left: quota.saturating_sub(slot.used),
        reset_ms: end_ms.saturating_sub(now_ms).max(1),
        line: match place {
            Place::Low => 0,
            Place::High => 2,
        },
    }
}

/// Gives back one unit that was used in `window`.
pub(super) fn refund(cell: &mut [u64], window: u64) {
    let mut counter = read(cell);
    let slot = counter.slot(window);
    // What is not known to have been used is not given back.
    if slot.window == window && slot.used != u64::MAX {
        slot.used = slot.used.saturating_sub(1);
    }
    write(cell, &counter);
}

pub(super) fn idle_ms(cell: &[u64], window_ms: u64) -> u64 {
    read(cell).spent_until().saturating_mul(window_ms)
}

fn read(cell: &[u64]) -> Counter {
    let mut words = [0; 4];
    words.copy_from_slice(cell);
    Counter::from_words(words)
}

fn write(cell: &mut [u64], counter: &Counter) {
    cell.copy_from_slice(&counter.words());
}
