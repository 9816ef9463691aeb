//! How the writer shares a core with those who wait for it.

/// What the writer asks the scheduler for at once, in nanoseconds: the least there is, and a batch takes about as long.
#[cfg(target_os = "linux")]
const SLICE_NS: u64 = 100_000;
/// By so much it goes before those who are as nice as it was.
#[cfg(target_os = "linux")]
const NICER: i32 = 5;
#[cfg(target_os = "linux")]
const LEAST_NICE: i32 = -20;

/// Has the calling thread run soon after each wait, for a short time, instead of later for a longer one. It gets little more of
/// the core by that, and whoever is refused it goes on as before.
///
/// A commit waits for the disk several times. On a core that an engine thread keeps busy, the writer would be left to wait
/// after each of them until that one's slice is over, 3 to 5 ms. By a slice that is shorter than theirs it is taken up at
/// once: Linux from 6.12 on (sched(7), EEVDF). Older ones take up at once who has slept. Where that is allowed, it also goes
/// before who is as nice: else it has to wait when it has just had its share.
#[cfg(target_os = "linux")]
pub(crate) fn be_prompt() {
    let Some(mut how) = get() else {
        return;
    };
    // Whoever runs the gateway under another policy knows why.
    if how.sched_policy != libc::SCHED_OTHER as u32 {
        return;
    }
    how.sched_runtime = SLICE_NS;
    let nice = how.sched_nice;
    how.sched_nice = (nice - NICER).max(LEAST_NICE);
    if !set(&how) {
        how.sched_nice = nice;
        set(&how);
    }
}

/// Elsewhere nothing is asked for.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn be_prompt() {}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn get() -> Option<libc::sched_attr> {
    // SAFETY: all of it are numbers, for which zero is one.
    let mut how: libc::sched_attr = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::sched_attr>() as libc::c_uint;
    // SAFETY: the kernel writes as much as `size` says to `how`, which is as large.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut how, size, 0) };
    (read == 0).then_some(how)
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn set(how: &libc::sched_attr) -> bool {
    // SAFETY: the kernel reads as much as `how` itself says of it.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const *how, 0) == 0 }
}

#[cfg(test)]
mod tests {
    //! The writer is taken up at once.
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_is_prompt_has_a_short_slice() {
        let told = std::thread::spawn(|| {
            super::be_prompt();
            super::get().unwrap()
        });
        let told = told.join().unwrap();
        // Before 6.12 there is none to be told.
        assert!([super::SLICE_NS, 0].contains(&told.sched_runtime));
        assert!(told.sched_nice <= super::get().unwrap().sched_nice);
    }
}
