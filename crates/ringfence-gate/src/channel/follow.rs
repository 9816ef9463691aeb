//! A message that goes to the venue's own WebSocket: judged like any other, then said there anew.

use std::rc::Rc;
use std::time::Duration;

use http::HeaderMap;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_wire::{Effect, Following, Heading, Leg as Which, Outgoing};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::leg::{Grant, Leg};
use super::mailbox::UnderWay;
use super::speaker::{Hearing, Held, Speaker};
use super::task::Task;
use crate::carry::{Permitted, Recorded};
use crate::clock::now_us;
use crate::egress::seal;
use crate::exchange::Trouble;
use crate::ongoing::Ongoing;
use crate::pipeline::{Passing, Stopped};

/// The status that the ledger keeps of what was passed on: the venue's own answer goes to the client unread.
const PASSED_ON: u16 = 202;

/// What is said on a leg.
struct Saying {
    leg: Which,
    message: String,
    /// In egress it is written as the logon, with our key.
    logon: bool,
    /// What it begins and ends.
    effect: Effect,
}

impl Speaker {
    /// Has a message judged, and says it on its leg; opens that if need be.
    pub(super) fn follow(
        &mut self,
        heading: &Heading,
        following: Following<'_>,
        hearing: Hearing<'_>,
    ) -> Option<Held> {
        let (leg, asked) = (following.leg, &following.asked);
        if !following.opens && !self.legs.is_open(leg) {
            let refusal = Refusal::new(Code::FormParameterInvalid).field(&heading.method);
            self.refuse(Some(heading), refusal, &hearing);
            return None;
        }
        let passing = match self.passing(Some(heading), Some(asked), hearing.started_us) {
            Ok(passing) => Rc::new(passing),
            Err(refusal) => {
                self.refuse(Some(heading), refusal, &hearing);
                return None;
            }
        };
        let heard = self.heard();
        let shown = self.shown(asked);
        // What the message says itself of who acts counts before who has logged on.
        let own = match &shown {
            Ok(Some(session)) => Some(session.until_us()),
            _ if asked.claim.is_some() => Some(self.lasts_us()),
            _ => None,
        };
        match self.permit(&passing, asked, shown, (hearing.edge, heard)) {
            Err(Stopped::Turned(turned)) => self.turned(Some(heading), &turned, &passing),
            Err(Stopped::Waits(waiting)) => {
                let (said, operation) = ((hearing.text, hearing.started_us), asked.route.operation);
                return Some(self.await_word(passing, *waiting, said, operation));
            }
            Ok(permitted) => {
                let until_us = own.unwrap_or_else(|| self.until_us());
                let saying = Saying {
                    leg,
                    message: following.message,
                    logon: following.logon,
                    effect: following.effect,
                };
                self.pass_on(heading, saying, passing, (permitted, until_us));
            }
        }
        None
    }

    /// Until when that may be passed on which who has logged on asks for now, or the connection's certificate.
    fn until_us(&self) -> u64 {
        match &self.session {
            Some(session) => session.until_us(),
            None => {
                let vouched = self.client.session(now_us());
                vouched.map_or_else(|| self.lasts_us(), |session| session.until_us())
            }
        }
    }

    /// Until when a session lasts that begins now.
    fn lasts_us(&self) -> u64 {
        let dialect = &self.client.door.speech.dialect;
        now_us().saturating_add(dialect.session_us(&self.path))
    }

    fn pass_on(
        &mut self,
        heading: &Heading,
        saying: Saying,
        passing: Rc<Passing>,
        (permitted, until_us): (Permitted, u64),
    ) {
        let leg = saying.leg;
        let credential = permitted.permit.credential().cloned();
        let other = credential.is_some() && !self.legs.is_of(credential.as_deref());
        if leg == Which::Private && other {
            // Of another key: what is pushed is one account's.
            self.legs.leave_private();
        }
        let task = Task {
            passing,
            heading: heading.clone(),
            connection: self.connection.clone(),
            under_way: UnderWay::new(&self.mailbox, false),
            limits: self.client.door.speech.usage.rows(&permitted.usages),
        };
        match self.legs.get(leg) {
            Some(open) => task.say(open, &saying, permitted, until_us),
            None => {
                let opening = Box::pin(task.open(saying, permitted, until_us));
                self.legs.open(leg, opening);
            }
        }
    }
}

impl Task {
    /// Says it on a leg that is open.
    fn say(self, leg: &mut Leg, saying: &Saying, permitted: Permitted, until_us: u64) {
        let Permitted {
            permit, recorded, ..
        } = permitted;
        let written = match permit.venue_key() {
            Some(_) if saying.logon => self.sealed(&permit),
            Some(_) => self.showing(leg, &saying.message),
            None => Ok(saying.message.clone()),
        };
        match written {
            Ok(message) => {
                leg.say(&message);
                leg.wanted.note(&saying.effect, now_us());
                if permit.credential().is_some() {
                    leg.grant = Rc::new(leg.grant.renewed(permit, until_us));
                }
                answered(recorded, PASSED_ON);
            }
            Err(refusal) => self.refused(&refusal, recorded),
        }
    }

    /// Opens a leg and says it there. None if it could not be opened; the client is told then.
    async fn open(self, saying: Saying, permitted: Permitted, until_us: u64) -> Option<Leg> {
        let Permitted {
            permit,
            outgoing,
            operation,
            recorded,
            ..
        } = permitted;
        let grant = Rc::new(Grant::new(
            Ongoing::new(&self.passing.client.thread, permit),
            until_us,
        ));
        match self.opened(&grant, outgoing, operation, &saying).await {
            Ok((mut leg, answer)) => {
                leg.wanted.note(&saying.effect, now_us());
                answered(recorded, PASSED_ON);
                if let Some(answer) = answer {
                    self.under_way.end([answer]);
                }
                Some(leg)
            }
            Err(refusal) => {
                self.refused(&refusal, recorded);
                None
            }
        }
    }

    async fn opened(
        &self,
        grant: &Rc<Grant>,
        outgoing: Outgoing,
        operation: Operation,
        saying: &Saying,
    ) -> Result<(Leg, Option<String>), Refusal> {
        let (passing, permit) = (&self.passing, &grant.opened.permit);
        let shared = &passing.client.thread.shared;
        let ticket = match permit.venue_key() {
            Some(_) => self.ticket(permit).await?,
            None => None,
        };
        let far = passing.reach(permit, outgoing, (operation, saying.leg));
        let far = far.await;
        let far = far.map_err(|trouble| trouble.refusal(false))?;
        let mut leg = Leg::new(&passing.client, far, Rc::clone(grant));
        let dialect = &passing.client.door.speech.dialect;
        let patience = shared.venue.response_timeout;
        if dialect.leg_is_greeted(self.path()) {
            let said = heard(patience, &mut leg).await?;
            if !dialect.leg_greets(self.path(), &said) {
                return Err(Code::VenueMalformed.into());
            }
        }
        // Whoever was admitted by a token is known.
        let admitted = dialect.venue_admission(self.path()).is_some();
        if permit.venue_key().is_none() || admitted {
            leg.say(&saying.message);
            return Ok((leg, None));
        }
        shared.core.revalidate(permit, now_us())?;
        if ticket.is_some() {
            leg.ticket = ticket;
            let message = self.showing(&leg, &saying.message)?;
            leg.say(&message);
            return Ok((leg, None));
        }
        leg.say(&self.sealed(permit)?);
        let answer = heard(patience, &mut leg).await?;
        self.accepted(permit, &answer)?;
        if saying.logon {
            return Ok((leg, Some(answer)));
        }
        leg.say(&saying.message);
        Ok((leg, None))
    }

    /// Has the venue give us the token that messages on this leg show, where they do.
    async fn ticket(&self, permit: &Permit) -> Result<Option<Zeroizing<String>>, Refusal> {
        let dialect = &self.passing.client.door.speech.dialect;
        let Some((ticket, route)) = dialect.leg_ticket(self.path()) else {
            return Ok(None);
        };
        let answer = self.passing.ask_venue(permit, route).await;
        let answer = Zeroizing::new(answer.map_err(|trouble| trouble.refusal(false))?);
        let token = ticket.read(&answer);
        let token = token.ok_or_else(|| Refusal::new(Code::VenueMalformed))?;
        Ok(Some(Zeroizing::new(token)))
    }

    /// Returns a message as the leg's messages are, with the venue's token where they show one.
    fn showing(&self, leg: &Leg, message: &str) -> Result<String, Refusal> {
        let dialect = &self.passing.client.door.speech.dialect;
        let ticket = dialect.leg_ticket(self.path()).zip(leg.ticket.as_ref());
        let shown = ticket.map(|((ticket, _), token)| ticket.show(message, token));
        match shown {
            Some(shown) => shown.ok_or_else(|| Code::Internal.into()),
            None => Ok(message.to_owned()),
        }
    }

    /// Writes how we log on with the key that the permit names.
    fn sealed(&self, permit: &Permit) -> Result<String, Refusal> {
        let shared = &self.passing.client.thread.shared;
        let speech = &self.passing.client.door.speech;
        let key = permit.venue_key().ok_or(Code::VenueKeyMissing)?;
        seal(&shared.ring, key, speech, now_us(), |dialect, seal| {
            dialect.seal_leg(self.path(), &self.heading.id, seal)
        })
    }

    /// Checks that the venue took our key.
    fn accepted(&self, permit: &Permit, answer: &str) -> Result<(), Refusal> {
        let dialect = &self.passing.client.door.speech.dialect;
        let key = permit.venue_key().ok_or(Code::VenueKeyMissing)?;
        if dialect.leg_accepts(self.path(), answer) {
            key.note(false, now_us());
            return Ok(());
        }
        let verdict = dialect.verdict(200, &HeaderMap::new(), answer.as_bytes(), now_us());
        let code = verdict.key_refused.unwrap_or_else(|| "logon".into());
        self.passing.key_refused(key, &code, 200);
        Err(Code::VenueKeyRefused.into())
    }

    fn refused(self, refusal: &Refusal, recorded: Recorded) {
        let client = &self.passing.client;
        client.thread.shared.counters.refuse(refusal.code);
        let dialect = &client.door.speech.dialect;
        let said = self.said(0, "");
        let (answer, status) =
            dialect.speak_refusal(self.path(), Some(&self.heading), refusal, &said);
        answered(recorded, status);
        self.under_way.end([answer]);
    }
}

/// Waits for the first message that the venue says on a leg.
async fn heard(patience: Duration, leg: &mut Leg) -> Result<String, Refusal> {
    let said = timeout(patience, leg.answer()).await;
    let said = said.map_err(|_| Trouble::Silent.refusal(false))?;
    said.map_err(|_| Trouble::Broken.refusal(false))
}

fn answered(recorded: Recorded, status: u16) {
    if let Recorded::Reading(reading) = recorded {
        reading.answered(status);
    }
}
