//! Who acts on a channel from now on: a logon, and the tokens of the gateway's own that it hands out or that are shown.

use std::rc::Rc;
use std::sync::Arc;

use ringfence_core::budget::Cost;
use ringfence_core::freshness::Window;
use ringfence_core::operation::Operation;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::Session;
use ringfence_core::sign::Claim;
use ringfence_wire::{Asked, Each, Heading, Outgoing, Reading, Said, Shown, Spoke};

use super::speaker::{Hearing, Held, Speaker};
use crate::carry::{Permitted, Recorded};
use crate::clock::now_us;
use crate::minted::{Hash, hash};
use crate::pipeline::{Asking, Passing, Stopped};
use crate::shared::Shared;
use crate::token::{Renewed, Tokens};

/// By what a logon proves who acts.
pub(super) enum Proved<'a> {
    Signed(Claim<'a>, Window),
    /// A token of ours that is good for this once.
    Renewed(&'a str),
}

/// A token that was handed out on a channel, and is good for no longer than that.
pub(super) struct Handed {
    shared: Arc<Shared>,
    token: Hash,
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.shared.minted.forget(&self.token);
    }
}

impl Speaker {
    /// Returns the session of the token that a message shows. One that has begun here goes on for as long as the
    /// connection has one, though the token begins no other by then.
    pub(super) fn shown(&mut self, asked: &Asked<'_>) -> Result<Option<Arc<Session>>, Code> {
        let shown = asked.token.map(|token| self.shown_by(hash(token)));
        shown.transpose()
    }

    fn shown_by(&mut self, token: Hash) -> Result<Arc<Session>, Code> {
        if let Some((_, session)) = self.shown.as_ref().filter(|(known, _)| *known == token) {
            return Ok(Arc::clone(session));
        }
        let shared = &self.client.thread.shared;
        let (door, now_us) = (&self.client.door, now_us());
        let found = shared.minted.find(&token, &door.name, Shown::Message);
        let (found, last_us) = found.ok_or(Code::CredentialUnknown)?;
        if found.until_us() <= now_us {
            return Err(Code::CredentialSessionEnded);
        }
        let until_us = now_us.saturating_add(door.speech.dialect.session_us(&self.path));
        let until_us = until_us.min(last_us);
        let (key_id, coverage) = (found.credential().key_id(), found.coverage());
        let session = Arc::new(shared.core.vouch(key_id, coverage, until_us, None)?);
        self.shown = Some((token, Arc::clone(&session)));
        Ok(session)
    }

    /// Begins a session, in place of the one before.
    pub(super) fn log_on(
        &mut self,
        heading: &Heading,
        proved: Proved<'_>,
        hearing: Hearing<'_>,
    ) -> Option<Held> {
        let heard = self.heard();
        let passing = match self.passing(Some(heading), None, hearing.started_us) {
            Ok(passing) => Rc::new(passing),
            Err(refusal) => {
                self.refuse(Some(heading), refusal, &hearing);
                return None;
            }
        };
        let (claim, window, renewed) = match proved {
            Proved::Signed(claim, window) => (Some(claim), window, None),
            Proved::Renewed(shown) => match passing.renewed(shown) {
                Ok(renewed) => {
                    let window = self.client.door.speech.dialect.window();
                    (None, window, Some(renewed))
                }
                Err(code) => {
                    self.refuse(Some(heading), code.into(), &hearing);
                    return None;
                }
            },
        };
        let asking = Asking {
            operation: Operation::SessionLogon,
            signed: true,
            reading: Reading {
                named: None,
                lent: None,
                refresh: None,
                claim,
                window,
                orders: Each::None,
                funds: None,
                about: Each::None,
                cost: Cost {
                    weight: self.client.door.speech.dialect.session_weight(&self.path),
                    orders: 0,
                    items: 1,
                },
                route: 0,
            },
            session: renewed.as_ref().map(|(_, session)| &**session),
        };
        // Nothing of it goes to the venue.
        let nothing = || Outgoing {
            target: String::new(),
            body: Vec::new(),
            content_type: None,
        };
        let now_us = now_us();
        match passing.decide(&asking, (hearing.edge, heard), now_us, nothing) {
            Err(Stopped::Turned(turned)) => self.turned(Some(heading), &turned, &passing),
            Err(Stopped::Waits(waiting)) => {
                let said = (hearing.text, hearing.started_us);
                let operation = asking.operation;
                return Some(self.await_word(passing, *waiting, said, operation));
            }
            Ok(permitted) => self.begin(heading, &passing, permitted, renewed.as_ref(), now_us),
        }
        None
    }

    /// Begins the session of a permitted logon, and answers it.
    fn begin(
        &mut self,
        heading: &Heading,
        passing: &Passing,
        permitted: Permitted,
        renewed: Option<&Renewed>,
        now_us: u64,
    ) {
        let Permitted {
            permit, recorded, ..
        } = permitted;
        // It makes room for the next.
        self.handed = None;
        let dialect = &self.client.door.speech.dialect;
        let mints = dialect.session_mints(&self.path);
        let tokens = mints.map(|mints| passing.tokens(mints, &permit, renewed, now_us));
        let tokens = match tokens.transpose() {
            Ok(tokens) => tokens,
            Err(refusal) => return self.turn_down(heading, &refusal, passing, recorded),
        };
        let until_us = now_us.saturating_add(dialect.session_us(&self.path));
        let last_us = renewed.map_or(u64::MAX, |(_, session)| session.until_us());
        self.since_us = now_us;
        self.session = permit.session(until_us.min(last_us));
        // What is pushed to another is pushed no longer.
        self.legs.keep_private(self.session.as_ref());
        if let Recorded::Reading(reading) = recorded {
            reading.answered(200);
        }
        self.hand_out(heading, tokens.as_ref());
    }

    /// Says why a logon that was permitted begins nothing.
    fn turn_down(
        &self,
        heading: &Heading,
        refusal: &Refusal,
        passing: &Passing,
        recorded: Recorded,
    ) {
        let client = &self.client;
        client.thread.shared.counters.refuse(refusal.code);
        if let Recorded::Reading(reading) = recorded {
            let status = client.door.speech.dialect.render(refusal).status;
            reading.answered(status);
        }
        self.tell(Some(heading), refusal, passing, "");
    }

    /// Answers a logon, with its tokens where it has some.
    fn hand_out(&mut self, heading: &Heading, tokens: Option<&Tokens>) {
        self.handed = tokens.map(|tokens| Handed {
            shared: Arc::clone(&self.client.thread.shared),
            token: hash(&tokens.token),
        });
        let said = Said {
            tokens: tokens.map_or(["", ""], |tokens| [&tokens.token, &tokens.next]),
            ..self.said()
        };
        self.own(Spoke::Logon, heading, &said);
    }
}
