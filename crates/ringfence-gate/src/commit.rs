//! Waiting for the ledger: the writer wakes each engine thread once per batch, which wakes those of its messages
//! whose entries the batch settled, and no others.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use ringfence_core::overload::Priority;
use ringfence_ledger::{Ledger, Standing, Ticket};
use tokio::sync::Notify;
use tokio::task::yield_now;

/// Messages that go on in one round, and then what has arrived is looked at: after a commit that took long there are hundreds.
const AT_ONCE: usize = 8;

/// The messages of one thread that wait for their entries.
#[derive(Debug, Default)]
pub(crate) struct CommitWait {
    /// Set while a wake-up of the writer is due. On one core a writer that is woken at once takes the core from us and
    /// commits a single entry; woken when all messages at hand are judged, it commits them together.
    waking: Cell<bool>,
    /// What reduces risk.
    urgent: RefCell<Waiting>,
    others: RefCell<Waiting>,
}

/// In the order of their tickets, as one thread appends them.
type Waiting = VecDeque<(Ticket, Waker)>;

impl CommitWait {
    /// Waits until the entry of a message of `priority` is durable; false when it is lost.
    pub(crate) async fn durable(
        &self,
        ledger: &Ledger,
        ticket: Ticket,
        priority: Priority,
    ) -> bool {
        let waiting = match priority {
            Priority::RiskReducing => &self.urgent,
            Priority::Order | Priority::AccountRead | Priority::MarketRead => &self.others,
        };
        if !self.waking.replace(true) {
            let due = Due(&self.waking, ledger);
            yield_now().await;
            drop(due);
        }
        let mut queued = false;
        poll_fn(|context| match ledger.standing(ticket) {
            Standing::Durable => Poll::Ready(true),
            Standing::Lost => Poll::Ready(false),
            Standing::Pending => {
                // A commit between the look above and this line has notified the thread's bridge, which runs after us.
                if !queued {
                    let entry = (ticket, context.waker().clone());
                    waiting.borrow_mut().push_back(entry);
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
            loop {
                wake(&self.urgent, ledger, usize::MAX);
                if wake(&self.others, ledger, AT_ONCE) < AT_ONCE {
                    break;
                }
                yield_now().await;
            }
        }
    }
}

/// A wake-up of the writer that is due, also when the message that would have done it is given up meanwhile.
struct Due<'a>(&'a Cell<bool>, &'a Ledger);

impl Drop for Due<'_> {
    fn drop(&mut self) {
        let Self(waking, ledger) = self;
        waking.set(false);
        ledger.wake();
    }
}

/// Wakes so many at most of those whose entries are settled. Returns how many.
fn wake(waiting: &RefCell<Waiting>, ledger: &Ledger, most: usize) -> usize {
    let mut waiting = waiting.borrow_mut();
    let settled = waiting
        .iter()
        .take(most)
        .take_while(|(ticket, _)| ledger.standing(*ticket) != Standing::Pending);
    let woken = settled.count();
    waiting.drain(..woken).for_each(|(_, waker)| waker.wake());
    woken
}

#[cfg(test)]
mod tests {
    //! What reduces risk goes on first, and nothing that has arrived waits for hundreds that do.
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::rc::Rc;

    use ringfence_ledger::{LedgerConfig, Mode, SigningKey, Volumes};
    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    /// Fewer than the runtime takes up before it looks at anything else, so that all of them wait for the same commit.
    const ORDERS: usize = 40;

    /// Has [`ORDERS`] orders and then a cancel wait for one commit. Returns the order in which they went on, and how many
    /// had by each time that something else had its turn.
    async fn order_of_going_on() -> (Vec<Priority>, Vec<usize>) {
        let folder = tempfile::tempdir().unwrap();
        let notified = Arc::new(Notify::new());
        let told = Arc::clone(&notified);
        let config = LedgerConfig {
            directory: folder.path().join("ledger"),
            origin: "test".into(),
            signing_key: SigningKey::from_seed(&[9; 32]).unwrap(),
            volumes: Volumes::Whole,
            // Nothing is committed before it is asked for.
            mode: Mode::Strict { group_ms: 60_000 },
            checkpoint_ms: 60_000,
            heartbeat_ms: 0,
            commit_addresses: false,
            preallocate_bytes: 0,
        };
        let ledger = Ledger::open(
            config,
            crate::clock::now_us,
            Box::new(move |_| told.notify_one()),
        );
        let ledger = Rc::new(ledger.unwrap().0);
        let commits = Rc::new(CommitWait::default());
        let went_on: Rc<RefCell<Vec<Priority>>> = Rc::default();
        let mut last = None;
        for at in 0..=ORDERS {
            let priority = if at == ORDERS {
                Priority::RiskReducing
            } else {
                Priority::Order
            };
            let ticket = ledger.append_intent(b"{}", &at.to_string()).unwrap();
            let (commits, ledger) = (Rc::clone(&commits), Rc::clone(&ledger));
            let went_on = Rc::clone(&went_on);
            last = Some(spawn_local(async move {
                assert!(commits.durable(&ledger, ticket, priority).await);
                went_on.borrow_mut().push(priority);
            }));
        }
        // All are in line when the bridge hears of the commit.
        yield_now().await;
        let (bridge, own) = (Rc::clone(&commits), Rc::clone(&ledger));
        let bridge = spawn_local(async move { bridge.bridge(&own, notified).await });
        last.unwrap().await.unwrap();
        let mut turns = Vec::new();
        while went_on.borrow().len() <= ORDERS {
            turns.push(went_on.borrow().len());
            yield_now().await;
        }
        bridge.abort();
        (went_on.take(), turns)
    }

    #[test]
    fn a_cancel_goes_on_first_and_orders_some_at_a_time() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (order, turns) = runtime.block_on(LocalSet::new().run_until(order_of_going_on()));
        assert_eq!(order.len(), ORDERS + 1);
        // The first order wakes the writer, and may find its entry durable without having waited.
        let place = order.iter().position(|one| *one == Priority::RiskReducing);
        assert!(place.unwrap() <= 1, "{place:?}");
        let most = turns.windows(2).map(|two| two[1] - two[0]).max().unwrap();
        assert!(most <= AT_ONCE, "{most} of {ORDERS} in one turn");
    }
}
