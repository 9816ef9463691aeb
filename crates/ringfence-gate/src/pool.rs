//! The upstream pool of one engine thread: keep-alive connections to the venue, bounded in number and in waiting.
//!
//! A connection has no task of its own: whoever has the lease drives it. So an exchange takes no hand-over between two
//! tasks, and an answer wakes the one task that waits for it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use ringfence_core::refusal::Code;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::deadline::{Deadline, Deadlines};
use crate::hosts::{Place, Venue};
use crate::shared::Shared;

/// The body of a request to the venue.
pub(crate) type Sent = Full<Bytes>;

/// Largest response head that is taken, in bytes.
const RESPONSE_HEAD_MAX: usize = 64 * 1024;
/// Messages that may wait for a connection at once.
const WAITING_MAX: usize = 1024;

/// Connections to the venue.
pub(crate) struct Pool {
    pub(crate) shared: Arc<Shared>,
    venue: Arc<Venue>,
    deadlines: Rc<Deadlines>,
    idle: RefCell<Vec<Connection>>,
    /// Connections that are open or being opened.
    open: Cell<usize>,
    /// Who waits for a connection, longest first.
    waiting: RefCell<VecDeque<oneshot::Sender<Grant>>>,
}

/// An open connection with nothing under way.
struct Connection {
    sender: SendRequest<Sent>,
    driver: Driver,
    deadline: Deadline,
    /// Its place among those that may be open.
    _slot: Slot,
}

/// What moves bytes on a connection; nothing once it has closed.
struct Driver(Option<Pin<Box<dyn Future<Output = hyper::Result<()>>>>>);

impl Driver {
    /// Moves what can be moved. Only this completes an answer or a part of its body, so those are polled right after
    /// it, and with no waker of their own: they would wake the task that is running.
    fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(driver) = &mut self.0
            && driver.as_mut().poll(context).is_ready()
        {
            // How it ended, whoever waits for an answer is told by hyper.
            self.0 = None;
        }
    }

    /// Looks once whether the venue has closed it, or sent what nobody asked for.
    fn look(&mut self) {
        self.poll(&mut unheard());
    }
}

/// A context that wakes nobody.
fn unheard() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// What one who waited gets.
enum Grant {
    /// A connection that was given back.
    Connection(Connection),
    /// Leave to open a new one, in the place of one that ended.
    Slot(Slot),
}

/// A connection lent to one message. Dropped without being given back, it is closed.
pub(crate) struct Lease {
    connection: Connection,
    pool: Rc<Pool>,
}

impl Lease {
    /// Sends `request`. The answer's head must come in time; `None` if it does not.
    pub(crate) async fn send(
        &mut self,
        request: Request<Sent>,
    ) -> Option<Result<Response<Incoming>, TrySendError<Request<Sent>>>> {
        let connection = &mut self.connection;
        connection.deadline.set(self.pool.venue.response_timeout);
        let sending = connection.sender.try_send_request(request);
        before(&mut connection.driver, &connection.deadline, sending).await
    }

    /// Waits for `future`, which reads from this connection, as long as the venue has for its answer.
    pub(crate) async fn before<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let connection = &mut self.connection;
        before(&mut connection.driver, &connection.deadline, future).await
    }

    /// Takes up the next part of `incoming`, the body that this connection brings.
    pub(crate) fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.connection.driver.poll(context);
        Pin::new(incoming).poll_frame(&mut unheard())
    }

    /// Notes that the venue has sent something: it has its full time again for what follows.
    pub(crate) fn hear(&self) {
        let patience = self.pool.venue.response_timeout;
        self.connection.deadline.set(patience);
    }

    /// Tells whether the venue has been silent for too long.
    pub(crate) fn poll_silent(&self, context: &Context<'_>) -> Poll<()> {
        self.connection.deadline.poll_passed(context)
    }

    /// Returns the connection for the next message.
    pub(crate) fn give_back(self) {
        let Self { connection, pool } = self;
        connection.deadline.clear();
        if connection.sender.is_closed() {
            return;
        }
        if let Some(Grant::Connection(connection)) = pool.grant(Grant::Connection(connection)) {
            pool.idle.borrow_mut().push(connection);
        }
    }
}

impl Pool {
    pub(crate) fn new(shared: Arc<Shared>, venue: Arc<Venue>, deadlines: Rc<Deadlines>) -> Self {
        Self {
            shared,
            venue,
            deadlines,
            idle: RefCell::default(),
            open: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    /// Lends a connection: an idle one, a new one, or the next that is given back.
    ///
    /// # Errors
    ///
    /// `venue_unreachable`, `overloaded`. Nothing was sent.
    pub(crate) async fn lend(self: &Rc<Self>) -> Result<Lease, Code> {
        match self.take_idle() {
            Some(connection) => Ok(self.lease(connection)),
            // Rare and large: it does not make every message's future as large.
            None => Box::pin(self.lend_patiently()).await,
        }
    }

    async fn lend_patiently(self: &Rc<Self>) -> Result<Lease, Code> {
        let patience = self.venue.connect_timeout;
        let slot = if self.open.get() < self.venue.connections {
            Slot::take(self)
        } else {
            match timeout(patience, self.wait()?).await {
                Ok(Ok(Grant::Connection(connection))) => return Ok(self.lease(connection)),
                Ok(Ok(Grant::Slot(slot))) => slot,
                Ok(Err(_)) | Err(_) => return Err(Code::Overloaded),
            }
        };
        match timeout(patience, self.connect(slot)).await {
            Ok(connected) => connected.map(|connection| self.lease(connection)),
            Err(_) => Err(Code::VenueUnreachable),
        }
    }

    fn wait(&self) -> Result<oneshot::Receiver<Grant>, Code> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= WAITING_MAX {
            // Those that gave up are still in line.
            waiting.retain(|waiter| !waiter.is_closed());
            if waiting.len() >= WAITING_MAX {
                return Err(Code::Overloaded);
            }
        }
        let (granted, grant) = oneshot::channel();
        waiting.push_back(granted);
        Ok(grant)
    }

    /// Gives `grant` to who has waited longest; returns it if nobody waits.
    fn grant(&self, mut grant: Grant) -> Option<Grant> {
        loop {
            // Not held while granting: what comes back is dropped, and its drop may grant again.
            let Some(waiter) = self.waiting.borrow_mut().pop_front() else {
                return Some(grant);
            };
            match waiter.send(grant) {
                Ok(()) => return None,
                Err(unwanted) => grant = unwanted,
            }
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        loop {
            // Not held while one is dropped: its slot may be granted to another.
            let mut connection = self.idle.borrow_mut().pop()?;
            connection.driver.look();
            // One that is neither ready nor closed has bytes where none belong: it is not used again.
            if connection.sender.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Lets go of the idle connections that the venue has closed.
    pub(crate) fn prune(&self) {
        let mut idle = self.idle.take();
        for connection in &mut idle {
            connection.driver.look();
        }
        let (kept, closed) = idle
            .into_iter()
            .partition::<Vec<_>, _>(|connection| connection.sender.is_ready());
        *self.idle.borrow_mut() = kept;
        drop(closed);
    }

    fn lease(self: &Rc<Self>, connection: Connection) -> Lease {
        Lease {
            connection,
            pool: Rc::clone(self),
        }
    }

    async fn connect(&self, slot: Slot) -> Result<Connection, Code> {
        let venue = &*self.venue;
        let address = match &venue.place {
            Place::Net(address) => address,
            Place::Local(path) => {
                let stream = UnixStream::connect(path).await;
                let stream = stream.map_err(|_| Code::VenueUnreachable)?;
                return self.handshake(TokioIo::new(stream), slot).await;
            }
        };
        let stream = TcpStream::connect(address)
            .await
            .map_err(|_| Code::VenueUnreachable)?;
        // Without it a small request would wait for the venue's acknowledgement of the last one.
        let _ = stream.set_nodelay(true);
        match &venue.tls {
            None => self.handshake(TokioIo::new(stream), slot).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await;
                let stream = stream.map_err(|_| Code::VenueUnreachable)?;
                self.handshake(TokioIo::new(stream), slot).await
            }
        }
    }

    async fn handshake<I>(&self, io: I, slot: Slot) -> Result<Connection, Code>
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(RESPONSE_HEAD_MAX)
            // Head and body leave in one buffer, in one write.
            .writev(false)
            .handshake(io)
            .await
            .map_err(|_| Code::VenueUnreachable)?;
        let mut connection = Connection {
            sender,
            driver: Driver(Some(Box::pin(connection))),
            deadline: self.deadlines.make(),
            _slot: slot,
        };
        poll_fn(|context| {
            connection.driver.poll(context);
            connection.sender.poll_ready(context)
        })
        .await
        .map_err(|_| Code::VenueUnreachable)?;
        Ok(connection)
    }
}

/// Drives a connection until `future`, which waits for what it brings, is done or `deadline` has passed; `None` then.
async fn before<F: Future>(
    driver: &mut Driver,
    deadline: &Deadline,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // Unheard at first, for the same reason: what `future` takes up would wake us to bring more.
        driver.look();
        if let Poll::Ready(output) = future.as_mut().poll(&mut unheard()) {
            return Poll::Ready(Some(output));
        }
        driver.poll(context);
        match future.as_mut().poll(&mut unheard()) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => deadline.poll_passed(context).map(|()| None),
        }
    })
    .await
}

/// A counted connection; dropping it lets another be opened. It does not keep the pool, which keeps it while idle.
struct Slot(Weak<Pool>);

impl Slot {
    fn take(pool: &Rc<Pool>) -> Self {
        pool.open.set(pool.open.get() + 1);
        let counters = &pool.shared.counters;
        counters.upstream_open.fetch_add(1, Ordering::Relaxed);
        Self(Rc::downgrade(pool))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Gone if the thread has ended, or if nobody wanted this slot (see below).
        let Some(pool) = std::mem::take(&mut self.0).upgrade() else {
            return;
        };
        // Whoever waits longest may open one in its place; the count stays as it is then.
        match pool.grant(Grant::Slot(Self(Rc::downgrade(&pool)))) {
            None => {}
            Some(Grant::Slot(mut unwanted)) => {
                unwanted.0 = Weak::new();
                pool.open.set(pool.open.get().saturating_sub(1));
                let counters = &pool.shared.counters;
                counters.upstream_open.fetch_sub(1, Ordering::Relaxed);
            }
            Some(Grant::Connection(_)) => {}
        }
    }
}
