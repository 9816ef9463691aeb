//! Waiting for the ledger: the writer wakes each engine thread once per batch, which wakes its own waiting messages.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use ringfence_ledger::{Ledger, Standing, Ticket};
use tokio::sync::Notify;

/// The messages of one thread that wait for their entries.
#[derive(Debug, Default)]
pub(crate) struct CommitWait {
    waiting: RefCell<Vec<Waker>>,
}

impl CommitWait {
    /// Waits until the entry is durable; false when it is lost.
    pub(crate) async fn durable(&self, ledger: &Ledger, ticket: Ticket) -> bool {
        poll_fn(|context| match ledger.standing(ticket) {
            Standing::Durable => Poll::Ready(true),
            Standing::Lost => Poll::Ready(false),
            Standing::Pending => {
                // A commit between the look above and this line has notified the thread's bridge, which runs after us.
                self.waiting.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Wakes this thread's messages whenever the writer has notified it. Never ends.
    pub(crate) async fn bridge(&self, notified: Arc<Notify>) {
        let mut woken = Vec::new();
        loop {
            notified.notified().await;
            std::mem::swap(&mut woken, &mut *self.waiting.borrow_mut());
            woken.drain(..).for_each(Waker::wake);
        }
    }
}
