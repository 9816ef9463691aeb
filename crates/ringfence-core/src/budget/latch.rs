//! The lock around each part of the table: the system's, or in tests one whose every interleaving is tried.

use std::fmt::Debug;
use std::ops::DerefMut;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock around one value.
pub trait Latch: Debug + 'static {
    /// The lock around a `T`.
    type Of<T: Debug>: Debug;
    /// What holds it.
    type Held<'a, T: Debug + 'a>: DerefMut<Target = T>;

    /// Makes a lock around `value`.
    fn around<T: Debug>(value: T) -> Self::Of<T>;

    /// Waits for it.
    fn lock<T: Debug>(of: &Self::Of<T>) -> Self::Held<'_, T>;
}

/// The system's mutex.
#[derive(Debug)]
pub enum System {}

impl Latch for System {
    type Of<T: Debug> = Mutex<T>;
    type Held<'a, T: Debug + 'a> = MutexGuard<'a, T>;

    fn around<T: Debug>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn lock<T: Debug>(of: &Mutex<T>) -> MutexGuard<'_, T> {
        // Nothing between a look and a charge can panic, so a poisoned lock is still good.
        of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
