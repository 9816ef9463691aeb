//! What a permit opened and goes on: asked about again, by whoever is in force then.

use std::cell::Cell;
use std::rc::Rc;

use ringfence_core::pipeline::Permit;
use ringfence_core::policy::Serial;

use crate::client::Thread;

/// The permit of what is open.
pub(crate) struct Ongoing {
    thread: Rc<Thread>,
    pub(crate) permit: Permit,
    /// By which set of policies it was last said that it may go on.
    judged: Cell<Option<Serial>>,
}

impl Ongoing {
    pub(crate) fn new(thread: &Rc<Thread>, permit: Permit) -> Self {
        Self {
            thread: Rc::clone(thread),
            judged: Cell::new(permit.judged()),
            permit,
        }
    }

    /// Returns that of a later message on the same thing.
    pub(crate) fn renewed(&self, permit: Permit) -> Self {
        Self::new(&self.thread, permit)
    }

    /// Tells whether it may go on at `now_us`: the credential is in force, and the policies permit it still.
    pub(crate) fn holds(&self, now_us: u64) -> bool {
        let core = &self.thread.shared.core;
        let said = core.goes_on(&self.permit, self.judged.get(), now_us);
        said.map(|judged| self.judged.set(judged)).is_ok()
    }
}
