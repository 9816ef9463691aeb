//! The upstream pool of one engine thread: keep-alive connections to the venue, bounded in number and in waiting.
//!
//! A connection has no task of its own: whoever has the lease drives it. So an exchange takes no hand-over between two
//! tasks, and an answer wakes the one task that waits for it.

mod care;
mod seat;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use ringfence_core::overload::{Place, Places, Share};
use ringfence_core::refusal::{Code, Refusal};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::clock::elapsed_us;
use crate::deadline::{Deadline, Deadlines};
use crate::hosts::{Place as At, Venue};
use crate::shared::Shared;
use care::Care;
use seat::Seat;

/// The body of a request to the venue.
pub(crate) type Sent = Full<Bytes>;

/// Largest response head that is taken, in bytes.
const RESPONSE_HEAD_MAX: usize = 64 * 1024;

/// Connections to the venue.
pub(crate) struct Pool {
    pub(crate) shared: Arc<Shared>,
    venue: Arc<Venue>,
    deadlines: Rc<Deadlines>,
    idle: RefCell<Vec<Connection>>,
    /// As many as there may be connections, and who waits for one.
    places: RefCell<Places<oneshot::Sender<Seat>>>,
    /// How the venue is spared; none: it need not be.
    care: Option<Care>,
    start: Instant,
}

/// An open connection with nothing under way.
struct Connection {
    sender: SendRequest<Sent>,
    driver: Driver,
    deadline: Deadline,
    _counted: Counted,
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

/// A connection lent to one message. Dropped without being given back, it is closed.
pub(crate) struct Lease {
    connection: Connection,
    pool: Rc<Pool>,
    /// Last: whoever gets it next finds no connection more than there may be.
    seat: Seat,
}

impl Lease {
    /// Sends `request`. The answer's head must come in time; `None` if it does not.
    pub(crate) async fn send(
        &mut self,
        request: Request<Sent>,
    ) -> Option<Result<Response<Incoming>, TrySendError<Request<Sent>>>> {
        let sent_us = self.pool.now_us();
        let connection = &mut self.connection;
        connection.deadline.set(self.pool.venue.response_timeout);
        let sending = connection.sender.try_send_request(request);
        let answer = before(&mut connection.driver, &connection.deadline, sending).await;
        match &answer {
            Some(Ok(_)) => self.pool.answered(self.seat.priority(), sent_us),
            // One that the venue had closed while nobody used it says nothing of how the venue is; what is no answer does.
            Some(Err(failed)) if failed.message().is_some() || failed.error().is_parse() => {}
            Some(Err(_)) | None => self.pool.failed(),
        }
        answer
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
        let Self {
            connection,
            pool,
            seat,
        } = self;
        connection.deadline.clear();
        if !connection.sender.is_closed() {
            pool.idle.borrow_mut().push(connection);
        }
        drop(seat);
    }
}

impl Pool {
    /// Makes one of the engine's thread of this number; without one it spares nobody.
    pub(crate) fn new(
        shared: Arc<Shared>,
        venue: Arc<Venue>,
        deadlines: Rc<Deadlines>,
        thread: Option<usize>,
    ) -> Self {
        let overload = &shared.overload;
        let share = Share::new(venue.connections, overload.reserve_percent);
        let places = Places::new(share, overload.waiting, overload.waits_ms.compile());
        let care = thread.map(|thread| Care::new(overload, share, thread));
        let made = Self {
            shared,
            venue,
            deadlines,
            idle: RefCell::default(),
            places: RefCell::new(places),
            care,
            start: Instant::now(),
        };
        made.heed_limit();
        made
    }

    /// Lends a connection: an idle one or a new one, as soon as there may be one more message under way.
    ///
    /// # Errors
    ///
    /// `venue_unreachable`, `overloaded`. Nothing was sent.
    pub(crate) async fn lend(self: &Rc<Self>, place: Place) -> Result<Lease, Refusal> {
        self.look(place.priority)?;
        let seat = self.seat(place).await?;
        self.pass(place.priority)?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            // Rare and large: it does not make every message's future as large.
            None => {
                let connected = Box::pin(self.connect_in_time()).await;
                connected.inspect_err(|_| self.failed())?
            }
        };
        Ok(Lease {
            connection,
            pool: Rc::clone(self),
            seat,
        })
    }

    async fn connect_in_time(&self) -> Result<Connection, Code> {
        let connected = timeout(self.venue.connect_timeout, self.connect()).await;
        connected.unwrap_or(Err(Code::VenueUnreachable))
    }

    /// Microseconds since the pool was made.
    fn now_us(&self) -> u64 {
        elapsed_us(self.start)
    }

    fn take_idle(&self) -> Option<Connection> {
        loop {
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

    async fn connect(&self) -> Result<Connection, Code> {
        let venue = &*self.venue;
        let address = match &venue.place {
            At::Net(address) => address,
            At::Local(path) => {
                let stream = UnixStream::connect(path).await;
                let stream = stream.map_err(|_| Code::VenueUnreachable)?;
                return self.handshake(TokioIo::new(stream)).await;
            }
        };
        let stream = TcpStream::connect(address)
            .await
            .map_err(|_| Code::VenueUnreachable)?;
        // Without it a small request would wait for the venue's acknowledgement of the last one.
        let _ = stream.set_nodelay(true);
        match &venue.tls {
            None => self.handshake(TokioIo::new(stream)).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await;
                let stream = stream.map_err(|_| Code::VenueUnreachable)?;
                self.handshake(TokioIo::new(stream)).await
            }
        }
    }

    async fn handshake<I>(&self, io: I) -> Result<Connection, Code>
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
            _counted: Counted::new(&self.shared),
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

/// Counts a connection for as long as it is open.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        let open = &shared.counters.upstream_open;
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let open = &self.0.counters.upstream_open;
        open.fetch_sub(1, Ordering::Relaxed);
    }
}
