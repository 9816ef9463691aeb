//! Waiting for the ledger: the writer wakes each engine thread once per batch, which wakes those of its messages
//! whose entries the batch settled, and no others.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use ringfence_ledger::{Ledger, Standing, Ticket};
use tokio::sync::Notify;

/// The messages of one thread that wait for their entries.
#[derive(Debug, Default)]
pub(crate) struct CommitWait {
    /// Set while a wake-up of the writer is due. On one core a writer that is woken at once takes the core from us and
    /// commits a single entry; woken when all messages at hand are judged, it commits them together.
    waking: Cell<bool>,
    /// In the order of their tickets, as one thread appends them.
    waiting: RefCell<VecDeque<(Ticket, Waker)>>,
}

impl CommitWait {
    /// Waits until the entry is durable; false when it is lost.
    pub(crate) async fn durable(&self, ledger: &Ledger, ticket: Ticket) -> bool {
        if !self.waking.replace(true) {
            tokio::task::yield_now().await;
            self.waking.set(false);
            ledger.wake();
        }
        let mut queued = false;
        poll_fn(|context| match ledger.standing(ticket) {
            Standing::Durable => Poll::Ready(true),
            Standing::Lost => Poll::Ready(false),
            Standing::Pending => {
                // A commit between the look above and this line has notified the thread's bridge, which runs after us.
                if !queued {
                    let entry = (ticket, context.waker().clone());
                    self.waiting.borrow_mut().push_back(entry);
                    queued = true;
                }
                Poll::Pending
            }
        })
        .await
    }

    /// Wakes this thread's messages whenever the writer has notified it. Never ends.
    pub(crate) async fn bridge(&self, ledger: &Ledger, notified: Arc<Notify>) {
        loop {
            notified.notified().await;
            let mut waiting = self.waiting.borrow_mut();
            while let Some((ticket, _)) = waiting.front()
                && ledger.standing(*ticket) != Standing::Pending
            {
                if let Some((_, waker)) = waiting.pop_front() {
                    waker.wake();
                }
            }
        }
    }
}
