//! What messages that follow one another have to themselves: a whole connection of HTTP/1.1, or one stream of HTTP/2.
//!
//! What belongs to everybody on a connection is the [`Client`](crate::client::Client)'s.

use std::cell::RefCell;
use std::rc::Rc;

use crate::client::Client;
use crate::stream::Far;
use crate::watch::Watch;

/// How messages come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    Http1,
    Http2,
}

impl Transport {
    /// Returns the word that the ledger keeps.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

/// One sequence of messages.
pub(crate) struct Lane {
    pub(crate) transport: Transport,
    pub(crate) watch: Rc<Watch>,
    /// The venue's end of the stream that the lane is about to become.
    pub(crate) far: RefCell<Option<Far>>,
}

impl Lane {
    /// Opens one, whose first message must begin in time.
    pub(crate) fn open(client: &Client, transport: Transport) -> Self {
        let thread = &client.thread;
        Self {
            transport,
            watch: Rc::new(Watch::new(&thread.deadlines, thread.shared.http.patience())),
            far: RefCell::default(),
        }
    }
}
