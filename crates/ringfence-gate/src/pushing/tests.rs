//! Nothing that was looked at before a revocation is written after its call has returned.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::Pushing;

/// How long a call may take that nothing holds back, on a machine that is busy.
const AMPLE: Duration = Duration::from_millis(300);

/// Plays the one order of events that matters: somebody looks and may write, the leave is taken away, and only then is
/// it written. Tells whether the revocation's call had returned by then. `hold` and `settle` are the two ends of the lock.
fn writes_after_the_call<H>(hold: impl Fn() -> H + Send, settle: impl Fn()) -> bool {
    let (revoked, returned) = (AtomicBool::new(false), AtomicBool::new(false));
    let (looked, has_looked) = channel();
    thread::scope(|scope| {
        let (revoked, returned) = (&revoked, &returned);
        let pusher = scope.spawn(move || {
            let held = hold();
            let may = !revoked.load(Ordering::SeqCst);
            looked.send(()).unwrap();
            let since = Instant::now();
            while !returned.load(Ordering::SeqCst) && since.elapsed() < AMPLE {
                thread::yield_now();
            }
            let late = may && returned.load(Ordering::SeqCst);
            drop(held);
            late
        });
        has_looked.recv().unwrap();
        revoked.store(true, Ordering::SeqCst);
        settle();
        returned.store(true, Ordering::SeqCst);
        pusher.join().unwrap()
    })
}

#[test]
fn a_revocation_returns_only_when_what_was_looked_at_before_it_is_written() {
    let pushing = Pushing::default();
    assert!(!writes_after_the_call(
        || pushing.hold(),
        || pushing.settle()
    ));
}

/// The same without either end: this is what they stand against.
#[test]
fn without_the_lock_it_is_written_after_the_call_has_returned() {
    let pushing = Pushing::default();
    assert!(writes_after_the_call(|| (), || pushing.settle()));
    assert!(writes_after_the_call(|| pushing.hold(), || ()));
}
