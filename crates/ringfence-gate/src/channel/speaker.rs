//! What is done with each message of a channel, and who acts on it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Uri};
use ringfence_core::edge::EdgeRefusal;
use ringfence_core::mode::{Control, Mode};
use ringfence_core::operation::Operation;
use ringfence_core::overload::Priority;
use ringfence_core::pipeline::Decision;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::Session;
use ringfence_wire::websocket::CloseCode;
use ringfence_wire::{Asked, Dialect, Heading, Said, Spoke, Spoken};
use tokio::task::spawn_local;

use super::BANNED;
use super::Opened;
use super::legs::Legs;
use super::logon::{Handed, Proved};
use super::mailbox::{Mailbox, UnderWay};
use super::task::Task;
use crate::carry::Permitted;
use crate::client::Client;
use crate::clock::now_us;
use crate::judge::Heard;
use crate::lane::Lane;
use crate::minted::Hash;
use crate::ongoing::FORBIDDEN;
use crate::pipeline::{Asking, Edge, Passing, SaidOn, Stopped, Turned};
use crate::shared::MessageId;

/// Who is connected, and who acts.
pub(super) struct Speaker {
    pub(super) client: Rc<Client>,
    lane: Rc<Lane>,
    pub(super) path: Rc<str>,
    pub(super) connection: MessageId,
    connected_us: u64,
    pub(super) session: Option<Session>,
    /// What is kept of the token that a message showed last, and the session that it began.
    pub(super) shown: Option<(Hash, Arc<Session>)>,
    /// The token that the last logon handed out.
    pub(super) handed: Option<Handed>,
    pub(super) since_us: u64,
    /// Who acts where nobody has logged on: the credential that the connection's certificate is.
    vouched: RefCell<Option<Session>>,
    pub(super) mailbox: Rc<Mailbox>,
    /// The venue's ends of it.
    pub(super) legs: Legs,
    /// How long nothing more is to be read, after a message of a flood.
    pub(super) pause: Option<Duration>,
    /// What others are asked of the message that is held.
    word: Option<Rc<Word>>,
}

/// What others say of a message, once they have.
#[derive(Default)]
struct Word(RefCell<Option<Heard>>);

/// A message that waits for the one before it.
pub(super) struct Held {
    pub(super) text: String,
    pub(super) edge: Edge,
    pub(super) started_us: u64,
}

/// A message that is being judged.
pub(super) struct Hearing<'t> {
    pub(super) text: &'t str,
    pub(super) edge: Edge,
    pub(super) started_us: u64,
}

impl Speaker {
    pub(super) fn new(client: &Rc<Client>, lane: &Rc<Lane>, opened: Opened) -> Self {
        let now_us = now_us();
        Self {
            client: Rc::clone(client),
            lane: Rc::clone(lane),
            path: opened.path,
            connection: opened.id,
            connected_us: now_us,
            session: opened.session,
            shown: None,
            handed: None,
            since_us: now_us,
            vouched: RefCell::new(client.session(now_us)),
            mailbox: Rc::default(),
            legs: Legs::default(),
            pause: None,
            word: None,
        }
        .told(opened.said)
    }

    /// Says the first word.
    fn told(self, said: Option<String>) -> Self {
        if let Some(said) = said {
            self.mailbox.post(said);
        }
        self
    }

    /// Tells whether its address is kept out, or the key of the session, or of the venue behind it, is no longer good for anything.
    pub(super) fn is_silenced(&self, now_us: u64) -> bool {
        self.client.is_shut_out() || self.is_nobody_s() || self.legs.are_silenced(now_us)
    }

    /// Returns what a client is told that is silenced, by the code of a close.
    pub(super) fn silenced_by(&self, now_us: u64) -> (CloseCode, &'static str) {
        match self.is_nobody_s() {
            false if self.client.is_shut_out() => (CloseCode::POLICY, BANNED),
            // Who connects again is heard.
            false if self.legs.lost_venue_key() => {
                let reason = "the venue key was exchanged or removed";
                (CloseCode::GOING_AWAY, reason)
            }
            false if self.legs.are_forbidden(now_us) => (CloseCode::POLICY, FORBIDDEN),
            _ => {
                let reason = "the key of this session is not in force";
                (CloseCode::POLICY, reason)
            }
        }
    }

    /// Tells whether the key of the session is no longer good for anything.
    fn is_nobody_s(&self) -> bool {
        let bans = &self.client.thread.shared.core.bans;
        let banned = |session: &Session| {
            let key_id = session.credential().key_id();
            bans.check_key(key_id, now_us()).is_err()
        };
        let over = |session: &Session| !session.is_in_force() || banned(session);
        let shown = self.shown.as_ref().map(|(_, session)| &**session);
        let mut known = self.session.as_ref().into_iter().chain(shown).peekable();
        match known.peek() {
            Some(_) => known.any(over),
            None => self.vouched.borrow().as_ref().is_some_and(over),
        }
    }

    /// Hears one message, and returns it if it has to wait for the one before it.
    pub(super) fn hear(&mut self, text: &str) -> Option<Held> {
        let started_us = now_us();
        self.word = None;
        match self.client.admit(started_us) {
            Ok(edge) => self.judge(Hearing {
                text,
                edge,
                started_us,
            }),
            Err(over) => {
                self.turn_away(text, over, started_us);
                None
            }
        }
    }

    /// Tells whether others have not said yet what they think of the message that is held.
    pub(super) fn awaits_word(&self) -> bool {
        let word = self.word.as_ref();
        word.is_some_and(|word| word.0.borrow().is_none())
    }

    /// Has others asked of a message, which is held until they have said.
    pub(super) fn await_word(
        &mut self,
        passing: Rc<Passing>,
        (decision, edge): (Decision, Edge),
        (text, started_us): (&str, u64),
        operation: Operation,
    ) -> Held {
        let word = Rc::<Word>::default();
        self.word = Some(Rc::clone(&word));
        let under_way = UnderWay::new(&self.mailbox, false);
        spawn_local(async move {
            let heard = passing.hear(decision, operation).await;
            *word.0.borrow_mut() = Some(heard);
            // Wakes the channel.
            drop(under_way);
        });
        Held {
            text: text.to_owned(),
            edge,
            started_us,
        }
    }

    /// Returns what others said of the message that is taken up.
    pub(super) fn heard(&mut self) -> Option<Heard> {
        self.word.take()?.0.take()
    }

    /// Goes on with a message that had to wait.
    pub(super) fn take_up(&mut self, held: Held) -> Option<Held> {
        let Held {
            text,
            edge,
            started_us,
        } = held;
        let held = self.judge(Hearing {
            text: &text,
            edge,
            started_us,
        });
        if held.is_none() {
            // What was said of this message is of no other.
            self.word = None;
        }
        held
    }

    fn judge(&mut self, hearing: Hearing<'_>) -> Option<Held> {
        let client = Rc::clone(&self.client);
        if self.legs.is_opening() {
            // Who acts must not change under a leg that is being opened.
            return Some(Held {
                text: hearing.text.to_owned(),
                edge: hearing.edge,
                started_us: hearing.started_us,
            });
        }
        let dialect = &client.door.speech.dialect;
        if let Some(answer) = dialect.channel_text(&self.path, hearing.text) {
            self.mailbox.post(answer.to_owned());
            return None;
        }
        let mut frames = client.thread.frames.borrow_mut();
        let heading = match dialect.heading(&self.path, hearing.text, &mut frames) {
            Ok(heading) => heading,
            Err(refusal) => {
                self.refuse(None, refusal, &hearing);
                return None;
            }
        };
        let legs = &self.legs;
        let spoken = dialect.spoken(&self.path, &heading, hearing.text, &mut frames, |leg| {
            legs.is_open(leg)
        });
        match spoken {
            Err(refusal) => self.refuse(Some(&heading), refusal, &hearing),
            Ok(Spoken::Follows(following)) => return self.follow(&heading, following, hearing),
            Ok(Spoken::Asks(asked)) => return self.ask(&heading, &asked, hearing),
            Ok(Spoken::Logon(claim, window)) => {
                return self.log_on(&heading, Proved::Signed(claim, window), hearing);
            }
            Ok(Spoken::Refresh(shown)) => {
                return self.log_on(&heading, Proved::Renewed(shown), hearing);
            }
            Ok(Spoken::Status) => self.own(Spoke::Status, &heading, &self.said()),
            Ok(Spoken::Reply) => self.own(Spoke::Reply, &heading, &self.said()),
            Ok(Spoken::Logout) => {
                self.session = None;
                self.handed = None;
                self.legs.leave_private();
                self.own(Spoke::Logout, &heading, &self.said());
            }
        }
        None
    }

    /// Has a message judged as the request that it stands for, and begins to carry it.
    fn ask(&mut self, heading: &Heading, asked: &Asked<'_>, hearing: Hearing<'_>) -> Option<Held> {
        let operation = asked.route.operation;
        if operation.changes_state() && self.mailbox.is_ordered() {
            return Some(Held {
                text: hearing.text.to_owned(),
                edge: hearing.edge,
                started_us: hearing.started_us,
            });
        }
        let passing = match self.passing(Some(heading), Some(asked), hearing.started_us) {
            Ok(passing) => Rc::new(passing),
            Err(refusal) => {
                self.refuse(Some(heading), refusal, &hearing);
                return None;
            }
        };
        let shown = self.shown(asked);
        let heard = self.heard();
        match self.permit(&passing, asked, shown, (hearing.edge, heard)) {
            Err(Stopped::Turned(turned)) => self.turned(Some(heading), &turned, &passing),
            Err(Stopped::Waits(waiting)) => {
                let said = (hearing.text, hearing.started_us);
                return Some(self.await_word(passing, *waiting, said, operation));
            }
            Ok(permitted) => {
                let task = Task {
                    passing,
                    heading: heading.clone(),
                    connection: self.connection.clone(),
                    under_way: UnderWay::new(&self.mailbox, operation.changes_state()),
                    limits: self.client.door.speech.usage.rows(&permitted.usages),
                };
                // Carried to its end, even if the client hangs up.
                spawn_local(task.run(permitted));
            }
        }
        None
    }

    #[allow(clippy::result_large_err)] // moved once
    pub(super) fn permit(
        &self,
        passing: &Passing,
        asked: &Asked<'_>,
        shown: Result<Option<Arc<Session>>, Code>,
        (edge, heard): (Edge, Option<Heard>),
    ) -> Result<Permitted, Stopped> {
        let (thread, route) = (&self.client.thread, asked.route);
        let dialect = &self.client.door.speech.dialect;
        let trace = edge.1;
        let early = |refusal| {
            let turned = passing.turn_early(refusal, trace, Some(route.operation));
            Stopped::Turned(turned)
        };
        let priority = Priority::of_operation(route.operation);
        if thread.turns.level().refuses(priority) {
            thread.shared.counters.shed(priority);
            return Err(early(Code::Overloaded.into()));
        }
        if !self.mailbox.has_room() {
            return Err(early(Code::Overloaded.into()));
        }
        let shown = shown.map_err(|code| early(code.into()))?;
        let now_us = now_us();
        self.timely(asked, dialect, now_us).map_err(early)?;
        let mut scratch = thread.scratches.lend();
        let signed = match asked.claim {
            Some((claim, window)) => (Some(claim), window),
            None => (None, dialect.window()),
        };
        let reading = dialect.read_asked(asked, signed, &mut scratch);
        // What the message shows counts before who has logged on, and that before the connection's certificate.
        let known = shown.as_deref().or(self.session.as_ref());
        let vouched = match known {
            Some(_) => None,
            None => self.client.session(now_us),
        };
        let mut reading = reading.map_err(early)?;
        // Who has logged on with the key that it names need not rest on the name.
        let known_key = known.map(|session| session.credential().key_id());
        reading.named = asked.named.filter(|name| Some(*name) != known_key);
        let asking = Asking {
            operation: route.operation,
            signed: route.signed,
            reading,
            session: known.or(vouched.as_ref()),
        };
        let decided = passing.decide(&asking, (edge, heard), now_us, || {
            dialect.forward(route, &asked.head(), asked.body.as_bytes())
        });
        if vouched.is_some() {
            *self.vouched.borrow_mut() = vouched;
        }
        decided
    }

    /// Checks the time that a session's message says: it is not signed, but it is the client's own word on how late
    /// it may still be acted upon.
    fn timely(&self, asked: &Asked<'_>, dialect: &Dialect, now_us: u64) -> Result<(), Refusal> {
        let mode = self.client.thread.shared.core.modes.of(Control::Freshness);
        match asked.stamp {
            Some(stamp) if mode == Mode::Enforce => dialect.window().check(stamp, now_us),
            Some(_) | None => Ok(()),
        }
    }

    /// Answers by ourselves.
    pub(super) fn own(&self, spoke: Spoke, heading: &Heading, said: &Said<'_>) {
        let dialect = &self.client.door.speech.dialect;
        // INVARIANT: compiling made sure that what has a name has an answer, and none needs a body.
        if let Some(answer) = dialect.speak_own(&self.path, spoke, heading, said) {
            self.mailbox.post(answer);
        }
    }

    pub(super) fn said(&self) -> Said<'_> {
        let session = self.session.as_ref();
        Said {
            connection: self.connection.as_str(),
            key: session.map(|session| session.credential().key_id()),
            since_ms: session.map(|_| self.since_us / 1000),
            connected_ms: self.connected_us / 1000,
            now_ms: now_us() / 1000,
            ..Said::default()
        }
    }

    /// Records and answers a refusal that comes before the core has seen the message.
    pub(super) fn refuse(
        &self,
        heading: Option<&Heading>,
        refusal: Refusal,
        hearing: &Hearing<'_>,
    ) {
        // Without a target it always can be written.
        if let Ok(passing) = self.passing(heading, None, hearing.started_us) {
            let turned = passing.turn_early(refusal, hearing.edge.1, None);
            self.turned(heading, &turned, &passing);
        }
    }

    /// Answers a message whose address is over its budget; after some, nothing is read for a while.
    fn turn_away(&mut self, text: &str, over: EdgeRefusal, started_us: u64) {
        let client = Rc::clone(&self.client);
        let held = client.over(&over.refusal, started_us);
        self.pause = Some(held).filter(|held| !held.is_zero());
        let (dialect, mut frames) = (
            &client.door.speech.dialect,
            client.thread.frames.borrow_mut(),
        );
        let heading = dialect.heading(&self.path, text, &mut frames).ok();
        let code = over.refusal.code;
        if let Ok(passing) = self.passing(heading.as_ref(), None, started_us) {
            if over.first {
                let turned = passing.turn_edge(over.refusal);
                self.turned(heading.as_ref(), &turned, &passing);
            } else {
                client.thread.shared.counters.refuse(code);
                self.tell(heading.as_ref(), &over.refusal, &passing, "");
            }
        }
    }

    /// Answers what was refused and recorded so.
    pub(super) fn turned(&self, heading: Option<&Heading>, turned: &Turned, passing: &Passing) {
        let limits = self.client.door.speech.usage.rows(&turned.usages);
        self.tell(heading, &turned.refusal, passing, &limits);
    }

    /// Answers a refusal, and tells how the `limits` stand.
    pub(super) fn tell(
        &self,
        heading: Option<&Heading>,
        refusal: &Refusal,
        passing: &Passing,
        limits: &str,
    ) {
        let dialect = &self.client.door.speech.dialect;
        let said = Said {
            trace: passing.id.as_str(),
            limits,
            ..self.said()
        };
        let (answer, _) = dialect.speak_refusal(&self.path, heading, refusal, &said);
        self.mailbox.post(answer);
    }

    /// Makes the request that a message stands for.
    pub(super) fn passing(
        &self,
        heading: Option<&Heading>,
        asked: Option<&Asked<'_>>,
        started_us: u64,
    ) -> Result<Passing, Refusal> {
        let mut request = Request::new(());
        if let Some(asked) = asked {
            let invalid = || Refusal::new(Code::HttpTargetInvalid);
            *request.method_mut() = asked.route.method.parse().map_err(|_| invalid())?;
            *request.uri_mut() = Uri::try_from(&*asked.route.path).map_err(|_| invalid())?;
        }
        let (head, ()) = request.into_parts();
        Ok(Passing {
            client: Rc::clone(&self.client),
            lane: Rc::clone(&self.lane),
            id: self.client.thread.shared.message_id(),
            head,
            masked: None,
            said: Some(SaidOn {
                path: Rc::clone(&self.path),
                method: heading.map_or("", |heading| &heading.method).into(),
                topics: asked.map_or_else(Vec::new, |asked| asked.topics.clone()),
                route: asked.map(|asked| {
                    let route = asked.route;
                    format!("{} {}", route.method, route.path).into()
                }),
            }),
            started_us,
        })
    }
}
