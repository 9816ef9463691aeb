//! What messages that follow one another have to themselves: a whole connection of HTTP/1.1.
//!
//! What belongs to everybody on a connection is the [`Client`](crate::client::Client)'s.

use std::cell::RefCell;
use std::rc::Rc;

use crate::client::Client;
use crate::stream::Far;
use crate::watch::Watch;

/// One sequence of messages.
pub(crate) struct Lane {
    pub(crate) watch: Rc<Watch>,
    /// The venue's end of the stream that the lane is about to become.
    pub(crate) far: RefCell<Option<Far>>,
}

impl Lane {
    /// Opens one, whose first message must begin in time.
    pub(crate) fn open(client: &Client) -> Self {
        let thread = &client.thread;
        Self {
            watch: Rc::new(Watch::new(&thread.deadlines, thread.shared.http.patience())),
            far: RefCell::default(),
        }
    }
}
