//! What the kernel knows of its clock: where it counts from, whether it is disciplined, how far it
//! may be off. Recorded with heartbeats, so that the times of entries can be judged later.
//!
//! Source: adjtimex(2); RFC 5905 for the two errors. RTS 25 (EU 2017/574) asks for the source and
//! the divergence to be documented.

use std::fs;

const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// The state of the system's clock.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ClockState {
    /// Whether something (NTP, PTP) disciplines it. Where this is false the errors mean nothing.
    pub(crate) synchronised: bool,
    /// The most it may be off, in microseconds.
    pub(crate) error_us: i64,
    /// What it is estimated to be off, in microseconds.
    pub(crate) estimate_us: i64,
    /// What is being slewed away at the moment, in microseconds.
    pub(crate) offset_us: i64,
}

impl ClockState {
    /// Asks the kernel; none where it does not tell.
    pub(crate) fn now() -> Option<Self> {
        let mut state = timex()?;
        // STA_NANO: the offset is in nanoseconds.
        if state.status & libc::STA_NANO != 0 {
            state.offset /= 1_000;
        }
        Some(Self {
            synchronised: state.status & libc::STA_UNSYNC == 0,
            error_us: state.maxerror,
            estimate_us: state.esterror,
            offset_us: state.offset,
        })
    }
}

#[allow(unsafe_code)]
fn timex() -> Option<libc::timex> {
    // SAFETY: `timex` is plain numbers, for which zeros are valid; modes = 0 changes nothing, and
    // the call writes into `state` only.
    unsafe {
        let mut state: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut state) >= 0).then_some(state)
    }
}

/// The counter the clock is built on, such as `tsc`; empty where the kernel does not tell.
pub(crate) fn source() -> String {
    line(SOURCE)
}

/// The id of this boot of the machine; empty where the kernel does not tell.
pub(crate) fn host_boot() -> String {
    line(BOOT)
}

fn line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim_end().to_owned()
}
