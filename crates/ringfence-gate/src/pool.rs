//! The upstream pool of one engine thread: keep-alive connections to the venue, bounded in number and in waiting.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use ringfence_core::refusal::Code;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::shared::Shared;

/// The body of a request to the venue.
pub(crate) type Sent = Full<Bytes>;

/// Largest response head that is taken, in bytes.
const RESPONSE_HEAD_MAX: usize = 64 * 1024;

/// Connections to the venue.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    idle: RefCell<Vec<SendRequest<Sent>>>,
    /// Connections that are open or being opened.
    open: Cell<usize>,
    freed: Notify,
}

/// A connection lent to one message. Dropped without being given back, it is closed.
pub(crate) struct Lease {
    pub(crate) sender: SendRequest<Sent>,
    pool: Rc<Pool>,
}

impl Lease {
    /// Returns the connection for the next message.
    pub(crate) fn give_back(self) {
        self.pool.idle.borrow_mut().push(self.sender);
        self.pool.freed.notify_one();
    }
}

impl Pool {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            idle: RefCell::default(),
            open: Cell::new(0),
            freed: Notify::new(),
        }
    }

    /// Lends a connection: an idle one, a new one, or the next that is given back.
    ///
    /// # Errors
    ///
    /// `venue_unreachable`, `overloaded`. Nothing was sent.
    pub(crate) async fn lend(self: &Rc<Self>) -> Result<Lease, Code> {
        let patience = self.shared.venue.connect_timeout;
        timeout(patience, self.lend_patiently())
            .await
            .unwrap_or_else(|_| {
                let busy = self.open.get() >= self.shared.venue.connections;
                Err(if busy {
                    Code::Overloaded
                } else {
                    Code::VenueUnreachable
                })
            })
    }

    async fn lend_patiently(self: &Rc<Self>) -> Result<Lease, Code> {
        loop {
            while let Some(mut sender) = self.take_idle() {
                if sender.ready().await.is_ok() {
                    return Ok(Lease {
                        sender,
                        pool: Rc::clone(self),
                    });
                }
            }
            if self.open.get() < self.shared.venue.connections {
                return self.connect().await;
            }
            self.freed.notified().await;
        }
    }

    fn take_idle(&self) -> Option<SendRequest<Sent>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(sender) = idle.pop() {
            if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    async fn connect(self: &Rc<Self>) -> Result<Lease, Code> {
        let slot = Slot::take(self);
        let venue = &self.shared.venue;
        let stream = TcpStream::connect(&venue.address)
            .await
            .map_err(|_| Code::VenueUnreachable)?;
        // Without it a small request would wait for the venue's acknowledgement of the last one.
        let _ = stream.set_nodelay(true);
        let sender = match &venue.tls {
            None => self.handshake(TokioIo::new(stream), slot).await?,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await;
                let stream = stream.map_err(|_| Code::VenueUnreachable)?;
                self.handshake(TokioIo::new(stream), slot).await?
            }
        };
        Ok(Lease {
            sender,
            pool: Rc::clone(self),
        })
    }

    async fn handshake<I>(&self, io: I, slot: Slot) -> Result<SendRequest<Sent>, Code>
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(RESPONSE_HEAD_MAX)
            .handshake(io)
            .await
            .map_err(|_| Code::VenueUnreachable)?;
        spawn_local(async move {
            // Whoever waits for an answer on it is told by hyper.
            let _ = connection.await;
            drop(slot);
        });
        Ok(sender)
    }
}

/// A counted connection; dropping it lets another be opened.
struct Slot(Rc<Pool>);

impl Slot {
    fn take(pool: &Rc<Pool>) -> Self {
        pool.open.set(pool.open.get() + 1);
        Self(Rc::clone(pool))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
        self.0.freed.notify_one();
    }
}
