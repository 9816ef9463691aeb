//! By whose leave a private stream is passed on.

use std::borrow::Cow;

use ringfence_core::pipeline::Permit;

use crate::lending::Shown;
use crate::ongoing::{FORBIDDEN, Ongoing};
use crate::pushing::Held;

/// Leave to pass on what is pushed on a private stream: the permit of its opening, for as long as the token is good.
pub(crate) struct Lease {
    opened: Ongoing,
    shown: Shown,
}

impl Lease {
    pub(crate) const fn new(opened: Ongoing, shown: Shown) -> Self {
        Self { opened, shown }
    }

    /// Returns the permit of its opening.
    pub(super) const fn permit(&self) -> &Permit {
        &self.opened.permit
    }

    /// Tells whether it still holds at `now_us`.
    pub(super) fn holds(&self, now_us: u64) -> bool {
        self.shown.loan.goes_on(now_us) && self.opened.holds(now_us)
    }

    /// Returns what the client is told once it holds no more.
    pub(super) fn over_by(&self, now_us: u64) -> &'static str {
        match self.shown.loan.goes_on(now_us) && self.opened.is_forbidden(now_us) {
            true => FORBIDDEN,
            false => "the token of this stream is over",
        }
    }

    /// Tells whether what was pushed may be written at `now_us`. Who asks so holds back whoever takes the leave away.
    pub(super) fn may_be_written(&self, _held: &Held<'_>, now_us: u64) -> bool {
        self.holds(now_us)
    }

    /// Returns what is pushed with the client's token in place of the venue's, should the venue name it.
    pub(super) fn told<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let venue = self.shown.loan.venue.as_str();
        if text.contains(venue) {
            text.replace(venue, &self.shown.token).into()
        } else {
            text.into()
        }
    }
}
