//! Memory that messages are read into: one of it for each message that is being judged, used again by the next.
//!
//! Most messages are judged in one go, and use the same; one that waits for others' word keeps its own meanwhile.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use ringfence_wire::Scratch;

/// As many are kept as are idle at most.
const IDLE_MAX: usize = 64;

/// What one thread has.
#[derive(Default)]
#[allow(clippy::vec_box)] // lent out and given back as a pointer
pub(crate) struct Scratches(RefCell<Vec<Box<Scratch>>>);

impl Scratches {
    /// Lends one out.
    pub(crate) fn lend(&self) -> Borrowed<'_> {
        let idle = self.0.borrow_mut().pop();
        Borrowed {
            scratch: idle.unwrap_or_default(),
            all: self,
        }
    }
}

/// One that is in use.
pub(crate) struct Borrowed<'a> {
    scratch: Box<Scratch>,
    all: &'a Scratches,
}

impl Deref for Borrowed<'_> {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        &self.scratch
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut Scratch {
        &mut self.scratch
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut idle = self.all.0.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(std::mem::take(&mut self.scratch));
        }
    }
}
