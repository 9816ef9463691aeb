//! What a volume's entries tell, taken in one after the other: which intents are open, how the heart
//! beat, what the volume took over from the one before.

use std::collections::HashSet;

use crate::canonical::Fields;
use crate::fault::Fault;
use crate::heartbeat::{EVENT, Pulse, field};
use crate::personal::{Seen, unaccounted};
use crate::volume::{CARRIED, DROPPED, ERASED, Link, Month, OPENED, Opened, decode_root};

/// What the entries of a volume told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Ids of permitted state-changing messages without an outcome, as they stand in the entries.
    pub(crate) open_intents: HashSet<Box<str>>,
    /// Ids of those of the volume before that this one took over or settled.
    pub(crate) taken_over: HashSet<Box<str>>,
    pub(crate) pulse: Pulse,
    /// What the first entry says, where it opens a volume.
    pub(crate) opened: Option<Opened>,
    /// Volumes of which an entry says that they were dropped.
    pub(crate) dropped: Vec<Link>,
    /// Where personal data is looked at.
    pub(crate) seen: Option<Seen>,
    /// Of how many commitments an entry says that what they stood for was erased, by volume.
    pub(crate) erased: Vec<(Month, u64)>,
}

impl Told {
    /// Takes in entry `index` of the volume.
    pub(crate) fn take(&mut self, index: u64, fields: &Fields<'_>) {
        if let Some(seen) = &mut self.seen {
            let address = match fields.kind {
                "event" => field(fields.detail, "address").trim_matches('"'),
                _ => fields.address,
            };
            seen.take(index, address);
        }
        match fields.kind {
            "decision" if fields.state_changing && fields.outcome == "permitted" => {
                self.open_intents.insert(fields.message.into());
            }
            "outcome" if !self.open_intents.remove(fields.message) => {
                self.taken_over.insert(fields.message.into());
            }
            "event" => self.event(index, fields),
            _ => {}
        }
    }

    /// What is wrong where values are gone that nobody said were erased.
    pub(crate) fn unaccounted(&self) -> Option<Fault> {
        let gone = self.seen.as_ref()?.missing.len() as u64;
        (gone > 0).then(|| unaccounted(gone, 0))
    }

    fn event(&mut self, index: u64, fields: &Fields<'_>) {
        match fields.event {
            EVENT => self.pulse.take(fields.detail, fields.time_us),
            OPENED if index == 0 => {
                self.opened = Opened::parse(fields.detail);
                let first = self.opened.is_some_and(|opened| opened.previous.is_none());
                if let Some(seen) = self.seen.as_mut().filter(|_| first) {
                    seen.orphaned = false;
                }
            }
            CARRIED => {
                let message = field(fields.detail, "message").trim_matches('"');
                self.taken_over.insert(message.into());
                self.open_intents.insert(message.into());
            }
            ERASED => self.erased.extend(erased(fields.detail)),
            DROPPED => self.dropped.extend(dropped(fields.detail)),
            _ => {}
        }
    }
}

fn erased(detail: &str) -> Option<(Month, u64)> {
    let text = |name| field(detail, name).trim_matches('"');
    Some((Month::parse(text("volume"))?, text("count").parse().ok()?))
}

fn dropped(detail: &str) -> Option<Link> {
    let text = |name| field(detail, name).trim_matches('"');
    Some(Link {
        month: Month::parse(text("volume"))?,
        size: text("size").parse().ok()?,
        root: decode_root(text("root"))?,
    })
}
