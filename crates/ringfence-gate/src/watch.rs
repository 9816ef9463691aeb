//! Where one client connection stands: shared by its socket, its service and its task, all on one thread.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::deadline::{Deadline, Deadlines};

/// Where a connection stands between two heads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Waiting for a head, or reading one.
    Head,
    /// The parser has a whole head and has not called the service. Whatever it writes now is its own opinion.
    Parsing,
    /// The service has the message.
    Serving,
    /// The service has answered; the answer's body is not at its end.
    Answering,
    /// The whole answer is with the writer, and not flushed.
    Flushing,
    /// The answer is flushed; the rest of a body that nobody wanted is still to come.
    Draining,
    /// Nothing more is read; what is left to write is our last word.
    Ending,
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a whole head, from its first byte.
    pub(crate) head: Duration,
    /// For a whole body; also for taking up any part of an answer.
    pub(crate) body: Duration,
    /// Between two messages.
    pub(crate) idle: Duration,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Watch {
    phase: Cell<Phase>,
    /// Set for whatever the connection waits for now.
    pub(crate) deadline: Deadline,
    pub(crate) patience: Patience,
    /// The last thing to be written before the connection is closed.
    farewell: RefCell<Vec<u8>>,
}

impl Watch {
    /// Makes one for a connection that must send its first head in time.
    pub(crate) fn new(deadlines: &std::rc::Rc<Deadlines>, patience: Patience) -> Self {
        let deadline = deadlines.make();
        deadline.set(patience.head);
        Self {
            phase: Cell::new(Phase::Head),
            deadline,
            patience,
            farewell: RefCell::default(),
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Goes on to `phase`, and sets the deadline that it has.
    pub(crate) fn enter(&self, phase: Phase) {
        // An ending is never taken back: the parser may still finish what it was at.
        if self.phase.get() == Phase::Ending {
            return;
        }
        self.phase.set(phase);
        match phase {
            Phase::Head => self.deadline.set(self.patience.idle),
            Phase::Draining | Phase::Ending => self.deadline.set(self.patience.body),
            Phase::Parsing | Phase::Serving | Phase::Answering => self.deadline.clear(),
            // What is left to write may have a deadline already.
            Phase::Flushing => {}
        }
    }

    /// Ends the connection with `bytes` as its last word.
    pub(crate) fn end_with(&self, bytes: Vec<u8>) {
        *self.farewell.borrow_mut() = bytes;
        self.enter(Phase::Ending);
    }

    pub(crate) fn take_farewell(&self) -> Vec<u8> {
        std::mem::take(&mut *self.farewell.borrow_mut())
    }
}
