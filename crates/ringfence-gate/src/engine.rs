//! One engine thread: a runtime of its own, its share of every listener, its own connections to the venue.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringfence_ledger::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};

use crate::brownout;
use crate::client::Thread;
use crate::clock::now_us;
use crate::deadline;
use crate::listen::{Door, accept};
use crate::record;
use crate::shared::Shared;

/// How often refusals at the edge are summed up for the ledger.
const SUMMARY_PERIOD: Duration = Duration::from_secs(1);

/// How often idle connections that the venue has closed are let go.
const PRUNE_PERIOD: Duration = Duration::from_secs(1);

/// How far a gate is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Everything is served.
    Serving,
    /// Nothing new is accepted; what is under way ends.
    Draining,
    /// The threads end.
    Ended,
}

/// What a thread is started with.
pub(crate) struct EngineThread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sockets: Vec<(std::net::TcpListener, Door)>,
    pub(crate) notified: Arc<Notify>,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Told whenever a credential has changed.
    pub(crate) changes: watch::Receiver<()>,
    /// Its number; the first one writes the edge's summaries, too, and ends what is over.
    pub(crate) number: usize,
}

impl EngineThread {
    pub(crate) fn run(self) {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(self.serve()),
            Err(error) => eprintln!("ringfence: an engine thread cannot start: {error}"),
        }
    }

    async fn serve(self) {
        let Self {
            shared,
            sockets,
            notified,
            mut stage,
            changes,
            number,
        } = self;
        let sums_up = number == 0;
        let thread = Rc::new(Thread::new(shared, number));
        let bridging = Rc::clone(&thread);
        spawn_local(async move {
            let ledger = &bridging.shared.ledger;
            bridging.commits.bridge(ledger, notified).await;
        });
        spawn_local(watch_time(Rc::clone(&thread), number));
        let turning = Rc::clone(&thread);
        spawn_local(async move { turning.turns.give().await });
        spawn_local(prune(Rc::clone(&thread)));
        if let Some(link) = &thread.link {
            spawn_local(Rc::clone(link).run());
        }
        spawn_local(silence(Rc::clone(&thread), changes));
        for (socket, door) in sockets {
            match TcpListener::from_std(socket) {
                Ok(listener) => {
                    spawn_local(accept(listener, Rc::new(door), Rc::clone(&thread)));
                }
                Err(error) => eprintln!("ringfence: {} cannot listen: {error}", door.name),
            }
        }
        if sums_up {
            spawn_local(sum_up(Arc::clone(&thread.shared)));
        }
        // A sender that is gone is a gate that is gone.
        while stage.changed().await.is_ok() {
            match *stage.borrow_and_update() {
                Stage::Serving => {}
                Stage::Draining => thread.begin_drain(),
                Stage::Ended => break,
            }
        }
        thread.ended.set(true);
    }
}

async fn watch_time(thread: Rc<Thread>, number: usize) {
    let mut ticks = interval(deadline::PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let bans = thread.shared.core.bans.table();
    let mut changes = bans.changes();
    let mut since = None;
    loop {
        ticks.tick().await;
        thread.deadlines.sweep();
        brownout::note(&thread, number, &mut since);
        // Bans by the rules come by the hundred in a flood: what is open looks at them together.
        let now = bans.changes();
        if std::mem::replace(&mut changes, now) != now {
            thread.deadlines.wake_all();
        }
        if number == 0 {
            thread.shared.heed_lease();
            thread.shared.tell_of_cluster();
        }
    }
}

async fn prune(thread: Rc<Thread>) {
    loop {
        tokio::time::sleep(PRUNE_PERIOD).await;
        thread.pool.prune();
        if let Some(admin) = &thread.admin {
            admin.prune();
        }
    }
}

/// Has every connection look whether the session on it is still somebody's, whenever a credential has changed.
async fn silence(thread: Rc<Thread>, mut changes: watch::Receiver<()>) {
    while changes.changed().await.is_ok() {
        thread.deadlines.wake_all();
    }
}

async fn sum_up(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(SUMMARY_PERIOD).await;
        record_edge(&shared, now_us());
        shared.expire_bans();
        if shared.lent.sweep(now_us()) {
            shared.silence();
        }
    }
}

/// Records how many requests of each address were refused at the edge in the windows that have ended at `now_us`.
pub(crate) fn record_edge(shared: &Shared, now_us: u64) {
    for summary in shared.core.edge.take_summaries(now_us) {
        let refused = i64::try_from(summary.refused).unwrap_or(i64::MAX);
        let (address, bits) = match summary.prefix.network() {
            Some((address, bits)) => (shared.ledger.address(address).to_string(), bits),
            None => (summary.prefix.to_string(), 0),
        };
        let detail = [
            ("address", Value::Text(&address)),
            ("bits", Value::Int(bits.into())),
            ("refused", Value::Int(refused)),
        ];
        let _ = record::event(shared, "edge.summary", &detail);
    }
}
