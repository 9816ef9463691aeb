//! What messages that follow one another have to themselves: a whole connection of HTTP/1.1, or one stream of HTTP/2.
//!
//! What belongs to everybody on a connection is the [`Client`](crate::client::Client)'s.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

use crate::channel::{Channel, Opened};
use crate::client::Client;
use crate::relay::{Lease, Relay};
use crate::socket::Carrier;
use crate::stream::Far;
use crate::watch::Watch;

/// How messages come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    Http1,
    Http2,
    /// As messages of a trading channel.
    WebSocket,
}

impl Transport {
    /// Returns the word that the ledger keeps.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
            Self::WebSocket => "websocket",
        }
    }
}

/// One sequence of messages.
pub(crate) struct Lane {
    pub(crate) transport: Transport,
    pub(crate) watch: Rc<Watch>,
    /// What the lane is about to become.
    pub(crate) next: RefCell<Option<Next>>,
}

impl Lane {
    /// Opens one, whose first message must begin in time.
    pub(crate) fn open(client: &Client, transport: Transport) -> Self {
        let thread = &client.thread;
        Self {
            transport,
            watch: Rc::new(Watch::new(&thread.deadlines, thread.shared.http.patience())),
            next: RefCell::default(),
        }
    }
}

/// What a lane becomes on which a WebSocket was opened.
pub(crate) enum Next {
    Channel(Opened),
    /// A stream, with the venue's end of it, and by whose leave it is passed on where it is somebody's.
    Stream(Far, Option<Rc<Lease>>),
}

impl Next {
    /// Serves it until either side ends it. `early` is what the client sent before it was answered.
    pub(crate) fn serve(
        self,
        client: &Rc<Client>,
        lane: &Rc<Lane>,
        near: Carrier,
        early: &[u8],
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        match self {
            Self::Channel(opened) => Box::pin(Channel::new(client, lane, near, opened).run(early)),
            Self::Stream(far, lease) => {
                Box::pin(Relay::new(client, &lane.watch, near, (far, lease)).run(early))
            }
        }
    }
}
