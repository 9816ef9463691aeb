//! Nothing that was looked at before a revocation is written after its call has returned.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use ringfence_core::credential::{CredentialTable, State};

use super::{Pushing, Settled};
use crate::minted::tests::credential;

/// How long a call may take that nothing holds back, on a machine that is busy.
const AMPLE: Duration = Duration::from_millis(300);
const ROUNDS: usize = 200;
const PUSHERS: usize = 3;

/// How something is looked at and written: whether it may be, and the writing of it.
type Look<'a> = &'a mut dyn FnMut() -> bool;
type Write<'a> = &'a mut dyn FnMut(bool);

/// Plays the one order of events that matters: somebody looks and may write, the key is revoked, and only then is it
/// written. Tells whether the revocation's call had returned by then. `push` and `settle` are the two sides of the lock.
fn writes_after_the_call(push: impl Fn(Look<'_>, Write<'_>) + Send, settle: impl Fn()) -> bool {
    let keys = keys();
    let key = keys.get("k").unwrap();
    let returned = AtomicBool::new(false);
    let (looked, has_looked) = channel();
    thread::scope(|scope| {
        let returned = &returned;
        let pusher = scope.spawn(move || {
            let mut late = false;
            push(
                &mut || {
                    let may = key.state() == State::Active;
                    looked.send(()).unwrap();
                    may
                },
                &mut |may| {
                    let since = Instant::now();
                    while !returned.load(Ordering::SeqCst) && since.elapsed() < AMPLE {
                        thread::yield_now();
                    }
                    late = may && returned.load(Ordering::SeqCst);
                },
            );
            late
        });
        has_looked.recv().unwrap();
        keys.set_state("k", State::Deactivated).unwrap();
        settle();
        returned.store(true, Ordering::SeqCst);
        pusher.join().unwrap()
    })
}

/// As a channel does it.
fn by_the_lock(pushing: &Pushing, look: Look<'_>, write: Write<'_>) {
    pushing.write(|_| look(), write);
}

/// As whoever has changed a key does.
fn settled(pushing: &Pushing) {
    let Settled(()) = pushing.settle();
}

#[test]
fn a_revocation_returns_only_when_what_was_looked_at_before_it_is_written() {
    let pushing = Pushing::default();
    let push = |look: Look<'_>, write: Write<'_>| by_the_lock(&pushing, look, write);
    assert!(!writes_after_the_call(push, || settled(&pushing)));
}

/// The same with either side taken away, or let go of between looking and writing: this is what it stands against.
#[test]
fn without_the_lock_it_is_written_after_the_call_has_returned() {
    let pushing = Pushing::default();
    let settle = || settled(&pushing);
    let bare = |look: Look<'_>, write: Write<'_>| write(look());
    assert!(writes_after_the_call(bare, settle));
    let let_go = |look: Look<'_>, write: Write<'_>| {
        let may = pushing.write(|_| look(), |may| may);
        write(may);
    };
    assert!(writes_after_the_call(let_go, settle));
    let push = |look: Look<'_>, write: Write<'_>| by_the_lock(&pushing, look, write);
    assert!(writes_after_the_call(push, || ()));
}

/// The other order, again and again: whoever looks after the call has returned may not write.
#[test]
fn what_is_looked_at_after_the_call_is_never_written() {
    for _ in 0..ROUNDS {
        let (keys, pushing) = (keys(), Pushing::default());
        let key = keys.get("k").unwrap();
        let (returned, late) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..PUSHERS {
                scope.spawn(|| {
                    let mut over = false;
                    while !over {
                        over = pushing.write(
                            |_| key.state() == State::Active,
                            |may| {
                                late.fetch_or(
                                    may && returned.load(Ordering::SeqCst),
                                    Ordering::SeqCst,
                                );
                                !may || late.load(Ordering::SeqCst)
                            },
                        );
                    }
                });
            }
            keys.set_state("k", State::Deactivated).unwrap();
            settled(&pushing);
            returned.store(true, Ordering::SeqCst);
        });
        assert!(!late.into_inner());
    }
}

fn keys() -> CredentialTable {
    let keys = CredentialTable::new();
    keys.put(credential("k".to_owned())).unwrap();
    keys
}
