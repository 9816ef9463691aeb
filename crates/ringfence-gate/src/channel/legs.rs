//! The venue's ends of one channel: one for who acts on it, one for nobody. None is open before it is asked for.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ringfence_core::credential::Credential;
use ringfence_core::session::Session;
use ringfence_wire::Leg as Which;

use super::leg::{Gone, Grant, Leg};
use crate::outbox::Outbox;

/// A leg that is being opened; nothing if it could not be, which the client has been told.
type Opening = Pin<Box<dyn Future<Output = Option<Leg>>>>;

#[derive(Default)]
pub(super) struct Legs {
    private: Option<Box<Leg>>,
    public: Option<Box<Leg>>,
    opening: Option<(Which, Opening)>,
}

impl Legs {
    pub(super) const fn is_open(&self, which: Which) -> bool {
        match which {
            Which::Private => self.private.is_some(),
            Which::Public => self.public.is_some(),
        }
    }

    /// Tells whether one is being opened: what comes meanwhile waits.
    pub(super) const fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    pub(super) fn get(&mut self, which: Which) -> Option<&mut Leg> {
        self.slot(which).as_deref_mut()
    }

    fn slot(&mut self, which: Which) -> &mut Option<Box<Leg>> {
        match which {
            Which::Private => &mut self.private,
            Which::Public => &mut self.public,
        }
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Leg> {
        let both = [&mut self.private, &mut self.public].into_iter();
        both.filter_map(|leg| leg.as_deref_mut())
    }

    pub(super) fn open(&mut self, which: Which, opening: Opening) {
        self.opening = Some((which, opening));
    }

    /// Goes on with the one that is being opened; tells whether that is done.
    pub(super) fn poll_opening(&mut self, context: &mut Context<'_>) -> bool {
        let Some((which, opening)) = &mut self.opening else {
            return false;
        };
        let Poll::Ready(leg) = opening.as_mut().poll(context) else {
            return false;
        };
        let which = *which;
        self.opening = None;
        *self.slot(which) = leg.map(Box::new);
        true
    }

    /// Ends each that has been good for nothing for long enough.
    pub(super) fn leave_unused(&mut self, now_us: u64) {
        for slot in [&mut self.private, &mut self.public] {
            slot.take_if(|leg| leg.unused_for(now_us) == Some(Duration::ZERO));
        }
    }

    /// Returns in what time one ends because nothing is subscribed to on it.
    pub(super) fn unused_for(&self, now_us: u64) -> Option<Duration> {
        let both = [&self.private, &self.public].into_iter().flatten();
        both.filter_map(|leg| leg.unused_for(now_us)).min()
    }

    /// Ends the private one.
    pub(super) fn leave_private(&mut self) {
        self.private = None;
    }

    /// Ends the private one, unless it is that of who acts on the channel from now on.
    pub(super) fn keep_private(&mut self, session: Option<&Session>) {
        let credential = session.map(Session::credential);
        if !self.is_of(credential.map(|credential| &**credential)) {
            self.leave_private();
        }
    }

    /// Tells whether the private one is open for this very key.
    pub(super) fn is_of(&self, credential: Option<&Credential>) -> bool {
        let leg = self.private.as_deref();
        let of = leg.and_then(|leg| leg.grant.credential());
        of.zip(credential).is_some_and(|(of, credential)| {
            of.key_id() == credential.key_id() && of.account() == credential.account()
        })
    }

    /// Tells whether what is pushed may no longer be passed on.
    pub(super) fn are_silenced(&self, now_us: u64) -> bool {
        let leg = self.private.as_deref();
        leg.is_some_and(|leg| !leg.grant.holds(now_us))
    }

    /// Tells whether they are silenced for the policies alone.
    pub(super) fn are_forbidden(&self, now_us: u64) -> bool {
        let leg = self.private.as_deref();
        leg.is_some_and(|leg| leg.grant.opened.is_forbidden(now_us))
    }

    /// Tells whether they are silenced for the venue key alone.
    pub(super) fn lost_venue_key(&self) -> bool {
        let leg = self.private.as_deref();
        leg.is_some_and(|leg| leg.grant.lost_venue_key())
    }

    /// Tells whether a venue's end has not taken all that was said.
    pub(super) fn are_full(&self) -> bool {
        let both = [&self.private, &self.public].into_iter().flatten();
        both.into_iter().any(|leg| leg.is_full())
    }

    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = false;
        for leg in self.each() {
            moved |= leg.poll_send(context)?;
        }
        Ok(moved)
    }

    /// Reads each once, and puts what was pushed into `to_near`; tells whether anything was read. `pushed` is set to
    /// by whose leave that may be passed on, if it is somebody's.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        landing: &mut [u8],
        to_near: &mut Outbox,
        pushed: &mut Option<Rc<Grant>>,
    ) -> Result<bool, Gone> {
        let mut moved = false;
        if let Some(leg) = &mut self.private {
            let before = to_near.bytes.len();
            let read = leg.poll_read(context, landing, to_near);
            // What came before the venue went is somebody's, too.
            if to_near.bytes.len() > before {
                *pushed = Some(Rc::clone(&leg.grant));
            }
            moved |= read?;
        }
        if let Some(leg) = &mut self.public {
            moved |= leg.poll_read(context, landing, to_near)?;
        }
        Ok(moved)
    }

    pub(super) fn watch_over(&mut self, now_us: u64, half_us: u64) -> Result<(), Gone> {
        let mut legs = self.each();
        legs.try_for_each(|leg| leg.watch_over(now_us, half_us))
    }

    pub(super) fn trim(&mut self) {
        self.each().for_each(Leg::trim);
    }

    /// Tells whether there is one.
    pub(super) const fn are_none(&self) -> bool {
        self.private.is_none() && self.public.is_none()
    }
}
