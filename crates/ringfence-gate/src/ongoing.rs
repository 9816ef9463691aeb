//! What a permit opened and goes on: asked about again, by whoever is in force then.

use std::cell::Cell;
use std::rc::Rc;

use ringfence_core::pipeline::Permit;
use ringfence_core::policy::Serial;
use ringfence_core::refusal::Code;

use crate::client::Thread;

/// What the client is told of a channel or a stream that ends because policies that were loaded since forbid it.
pub(crate) const FORBIDDEN: &str = "the policies in force forbid what was opened here";

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
        self.asked(now_us).is_ok()
    }

    /// Tells whether it is the policies alone that have it end at `now_us`: whoever opened it may still do something else.
    pub(crate) fn is_forbidden(&self, now_us: u64) -> bool {
        self.asked(now_us) == Err(Code::PolicyForbids)
    }

    fn asked(&self, now_us: u64) -> Result<(), Code> {
        let core = &self.thread.shared.core;
        let said = core.goes_on(&self.permit, self.judged.get(), now_us);
        let judged = said.map_err(|refusal| refusal.code)?;
        self.judged.set(judged);
        Ok(())
    }
}
