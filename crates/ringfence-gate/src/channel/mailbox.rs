//! Answers on their way to the client of a channel, and how many are still to come.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

/// Messages of one channel that are under way at once; more are refused.
pub(super) const UNDER_WAY_MAX: usize = 64;
/// Bytes of long answers that one channel keeps at once.
const KEPT_MAX: usize = 4 * 1024 * 1024;

/// Where the messages of one channel that are under way leave their answers.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    /// With how many bytes of each are counted in `kept`.
    answers: RefCell<VecDeque<(String, usize)>>,
    under_way: Cell<usize>,
    /// Whether one of them changes state.
    ordered: Cell<bool>,
    /// Bytes of long answers that are here, or come.
    kept: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Mailbox {
    pub(super) fn wake_by(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(known) => known.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
    }

    /// Leaves a short answer.
    pub(super) fn post(&self, answer: String) {
        self.answers.borrow_mut().push_back((answer, 0));
    }

    pub(super) fn take(&self) -> Option<String> {
        let (answer, kept) = self.answers.borrow_mut().pop_front()?;
        self.kept.set(self.kept.get() - kept);
        Some(answer)
    }

    /// Tells whether one more message may be under way.
    pub(super) fn has_room(&self) -> bool {
        self.under_way.get() < UNDER_WAY_MAX
    }

    /// Tells whether a message that changes state is under way: the next such waits, so that the venue gets them in the
    /// order in which they came.
    pub(super) const fn is_ordered(&self) -> bool {
        self.ordered.get()
    }

    /// Tells whether all has been answered and taken.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.get() == 0 && self.answers.borrow().is_empty()
    }
}

/// One message that is under way, for as long as this lives.
pub(super) struct UnderWay {
    mailbox: Rc<Mailbox>,
    ordered: bool,
    /// Bytes of its answer so far, if that is long.
    kept: Cell<usize>,
}

impl UnderWay {
    pub(super) fn new(mailbox: &Rc<Mailbox>, ordered: bool) -> Self {
        mailbox.under_way.set(mailbox.under_way.get() + 1);
        mailbox.ordered.set(mailbox.ordered.get() || ordered);
        Self {
            mailbox: Rc::clone(mailbox),
            ordered,
            kept: Cell::new(0),
        }
    }

    /// Makes room for `bytes` more of its answer; false if there is none.
    pub(super) fn keep(&self, bytes: usize) -> bool {
        let all = self.mailbox.kept.get() + bytes;
        let fits = all <= KEPT_MAX;
        if fits {
            self.mailbox.kept.set(all);
            self.kept.set(self.kept.get() + bytes);
        }
        fits
    }

    /// Leaves its answers, in their order.
    pub(super) fn end(self, answers: impl IntoIterator<Item = String>) {
        let mut kept = self.kept.take();
        let mut waiting = self.mailbox.answers.borrow_mut();
        for answer in answers {
            waiting.push_back((answer, std::mem::take(&mut kept)));
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mailbox = &self.mailbox;
        mailbox.kept.set(mailbox.kept.get() - self.kept.get());
        mailbox.under_way.set(mailbox.under_way.get() - 1);
        if self.ordered {
            mailbox.ordered.set(false);
        }
        if let Some(waker) = &*mailbox.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}
