//! Messages that went to the venue and whose outcome is not durable yet. A new volume takes them
//! over, so that recovery needs to read the newest volume only.

use std::collections::{HashMap, VecDeque};

use crate::ledger::{Standing, Ticket};

/// What is under way. Each change happens together with the append that it is about.
#[derive(Default)]
pub(crate) struct Flights {
    /// Intents without an outcome appended.
    away: HashMap<Box<str>, Ticket>,
    /// Outcomes appended and not yet known to be durable, in order: message, intent, outcome.
    landing: VecDeque<(Box<str>, Ticket, Ticket)>,
}

/// What an append is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flight<'m> {
    /// No message that is waited for.
    None,
    /// The intent of this message.
    Departs(&'m str),
    /// The outcome of this message.
    Lands(&'m str),
}

impl Flights {
    /// Notes what was appended as `ticket`.
    pub(crate) fn note(&mut self, flight: Flight<'_>, ticket: Ticket) {
        match flight {
            Flight::None => {}
            Flight::Departs(message) => {
                self.away.insert(message.into(), ticket);
            }
            Flight::Lands(message) => {
                let departed = self.away.remove_entry(message);
                let departed = departed.map(|(message, intent)| (message, intent, ticket));
                self.landing.extend(departed);
            }
        }
    }

    /// Forgets outcomes that are durable; those that were lost are outstanding again.
    pub(crate) fn settle(&mut self, standing: impl Fn(Ticket) -> Standing) {
        while let Some((_, _, outcome)) = self.landing.front() {
            let standing = standing(*outcome);
            if standing == Standing::Pending {
                break;
            }
            let landed = self.landing.pop_front();
            if let Some((message, intent, _)) = landed.filter(|_| standing == Standing::Lost) {
                self.away.insert(message, intent);
            }
        }
    }

    /// The messages whose intent is durable and whose outcome is not. Intents that were lost are
    /// forgotten: nobody was told that they were permitted.
    pub(crate) fn outstanding(&mut self, standing: impl Fn(Ticket) -> Standing) -> Vec<Box<str>> {
        self.settle(&standing);
        self.away
            .retain(|_, intent| standing(*intent) != Standing::Lost);
        let landing = self
            .landing
            .iter()
            .map(|(message, intent, _)| (message, intent));
        self.away
            .iter()
            .chain(landing)
            .filter(|(_, intent)| standing(**intent) == Standing::Durable)
            .map(|(message, _)| message.clone())
            .collect()
    }
}
