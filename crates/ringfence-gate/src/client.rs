//! What one engine thread and one client connection have to themselves.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use ringfence_core::address::Prefix;
use ringfence_core::ban::Mark;
use ringfence_core::edge::{EdgePass, EdgeRefusal};
use ringfence_core::mode::{Control, Mode};
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::Trace;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::{Session, Thumbprint};
use ringfence_wire::Scratch;
use tokio::sync::Notify;

use crate::certificate::Presented;
use crate::clock::now_us;
use crate::cluster::Link;
use crate::commit::CommitWait;
use crate::deadline::Deadlines;
use crate::flood::{Floods, Pressed};
use crate::hosts::Venue;
use crate::listen::Door;
use crate::looks::Leave;
use crate::masks::Masks;
use crate::pool::Pool;
use crate::scratches::Scratches;
use crate::shared::Shared;
use crate::socket::{LANDING_BYTES, Landing};
use crate::turns::Turns;

/// What one engine thread has to itself.
pub(crate) struct Thread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) pool: Rc<Pool>,
    /// Connections to the gateway's own admin API, where it is offered.
    pub(crate) admin: Option<Rc<Pool>>,
    /// The way to what is shared with other gateways, where something is.
    pub(crate) link: Option<Rc<Link>>,
    /// Who goes first where the thread cannot keep up.
    pub(crate) turns: Turns,
    pub(crate) commits: CommitWait,
    pub(crate) scratches: Scratches,
    /// For the message of a channel that holds the request which it stands for.
    pub(crate) frames: RefCell<Scratch>,
    pub(crate) landing: Landing,
    pub(crate) masks: Masks,
    pub(crate) floods: Floods,
    /// Told once to whoever accepts connections.
    pub(crate) drain: Notify,
    /// Whether connections end with the message they are at.
    pub(crate) draining: Cell<bool>,
    /// Whether the thread is at its end, and tasks can no longer be begun.
    pub(crate) ended: Cell<bool>,
}

impl Thread {
    /// Makes what the engine's thread of this number has.
    pub(crate) fn new(shared: Arc<Shared>, number: usize) -> Self {
        let deadlines = Deadlines::new();
        let pool = |venue: &Arc<Venue>, number| {
            let (venue, shared) = (Arc::clone(venue), Arc::clone(&shared));
            Rc::new(Pool::new(shared, venue, Rc::clone(&deadlines), number))
        };
        let (admin, turns) = (shared.admin.as_ref(), Turns::new(&shared.overload));
        Self {
            pool: pool(&shared.venue, Some(number)),
            admin: admin.map(|admin| pool(&admin.venue, None)),
            link: shared.cluster.clone().map(Link::new),
            shared,
            deadlines,
            turns,
            commits: CommitWait::default(),
            scratches: Scratches::default(),
            frames: RefCell::default(),
            landing: Rc::new(RefCell::new(vec![0; LANDING_BYTES].into())),
            masks: Masks::default(),
            floods: Floods::default(),
            drain: Notify::new(),
            draining: Cell::new(false),
            ended: Cell::new(false),
        }
    }

    /// Returns the connections that a message of `operation` goes by.
    ///
    /// # Errors
    ///
    /// `venue_unreachable` where there is no admin API.
    pub(crate) fn pool_for(&self, operation: Operation) -> Result<&Rc<Pool>, Code> {
        if operation.administers() {
            self.admin.as_ref().ok_or(Code::VenueUnreachable)
        } else {
            Ok(&self.pool)
        }
    }

    /// Stops accepting, and ends every connection with the message it is at.
    pub(crate) fn begin_drain(&self) {
        self.draining.set(true);
        self.drain.notify_waiters();
        self.deadlines.wake_all();
    }
}

/// One client connection.
pub(crate) struct Client {
    pub(crate) thread: Rc<Thread>,
    pub(crate) door: Rc<Door>,
    pub(crate) peer: IpAddr,
    pub(crate) prefix: Prefix,
    /// By which it is read.
    pub(crate) leave: Leave,
    /// Whether it is a balancer's own, as to look whether we are well: nobody is banned for what comes on it.
    of_balancer: bool,
    /// The certificate that it presented; set once, by the handshake.
    pub(crate) presented: OnceCell<Presented>,
    /// The key that was proved on it last, unless something false came since.
    proved: Cell<Option<Mark>>,
    /// When that was told to the table of those who are known.
    noted_us: Cell<u64>,
    /// What the bans in force make of it.
    looked: Cell<Looked>,
    /// Refused because its shard is over its budget.
    pub(crate) pressed: Pressed,
}

/// What was seen when the bans last changed.
#[derive(Clone, Copy, Default)]
struct Looked {
    changes: u64,
    shut_out: bool,
    turned_out: bool,
}

/// How often a key that goes on being used is noted as known.
const NOTED_US: u64 = 60_000_000;

impl Client {
    pub(crate) fn new(thread: &Rc<Thread>, door: &Rc<Door>, peer: IpAddr, prefix: Prefix) -> Self {
        Self {
            thread: Rc::clone(thread),
            door: Rc::clone(door),
            peer,
            prefix,
            leave: thread.turns.looks.leave(),
            of_balancer: false,
            presented: OnceCell::new(),
            proved: Cell::default(),
            pressed: Pressed::default(),
            noted_us: Cell::default(),
            looked: Cell::new(Looked {
                changes: thread.shared.core.bans.table().changes(),
                ..Looked::default()
            }),
        }
    }

    /// Returns it as a connection of the balancer itself.
    pub(crate) fn of_balancer(self) -> Self {
        Self {
            of_balancer: true,
            ..self
        }
    }

    /// Lays what was refused to who is behind it.
    pub(crate) fn offended(&self, proved: Option<&str>, refusal: &Refusal) {
        if !self.of_balancer {
            self.thread.shared.offended(self.peer, proved, refusal);
        }
    }

    /// Runs the edge control on one message.
    ///
    /// # Errors
    ///
    /// As [`Core::admit`].
    pub(crate) fn admit(&self, now_us: u64) -> Result<(EdgePass, Trace), EdgeRefusal> {
        let core = &self.thread.shared.core;
        let (pass, trace) = core.admit(self.peer, now_us)?;
        Ok((pass.after(self.proved.get()), trace))
    }

    /// Notes by which key a message was proved, or that it was by none.
    pub(crate) fn prove(&self, key_id: Option<&str>, now_us: u64) {
        let bans = &self.thread.shared.core.bans;
        let Some(mark) = key_id.map(|key_id| bans.mark(key_id)) else {
            self.proved.set(None);
            return;
        };
        let again = self.proved.replace(Some(mark)) == Some(mark);
        if !again || now_us.saturating_sub(self.noted_us.get()) >= NOTED_US {
            self.noted_us.set(now_us);
            bans.note(self.peer, mark, now_us);
        }
    }

    /// Tells whether what was opened is over because of a ban that came since: it was nobody's that is spared.
    pub(crate) fn is_shut_out(&self) -> bool {
        self.looked().shut_out
    }

    /// Tells whether a ban that came since leaves nothing to say on the connection, whoever says it.
    pub(crate) fn is_turned_out(&self) -> bool {
        self.looked().turned_out
    }

    fn looked(&self) -> Looked {
        let core = &self.thread.shared.core;
        let changes = core.bans.table().changes();
        let seen = self.looked.get();
        if seen.changes == changes {
            return seen;
        }
        let (bans, now_us) = (&core.bans, now_us());
        let enforced = core.modes.of(Control::Edge) == Mode::Enforce;
        let shut_out = enforced && bans.shuts_out(self.peer, self.proved.get(), now_us);
        let spares = |held| bans.may_spare(&held, self.peer, now_us);
        let spared = shut_out && bans.suspicion(self.peer, now_us).is_some_and(spares);
        let looked = Looked {
            changes,
            shut_out,
            turned_out: shut_out && !spared,
        };
        self.looked.set(looked);
        looked
    }

    /// Returns the certificate on the connection, as long as it verifies at `now_us`.
    pub(crate) fn certificate(&self, now_us: u64) -> Option<Thumbprint> {
        self.presented.get()?.thumbprint(now_us)
    }

    /// Returns who acts where a message says nothing itself: the credential that the connection's certificate is.
    pub(crate) fn session(&self, now_us: u64) -> Option<Session> {
        self.presented
            .get()?
            .session(&self.thread.shared.core, now_us)
    }
}
