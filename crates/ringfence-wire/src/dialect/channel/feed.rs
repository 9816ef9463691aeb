//! What a channel's client may have the venue push: methods and topics that are listed, and messages written anew.

mod compile;
mod effect;

use std::collections::HashMap;

use ringfence_core::refusal::{Code, Refusal};
use serde_json::{Map, Value};

use super::super::frame::NOWHERE;
use super::super::name::Name;
use super::super::route::{Route, When};
use super::super::scheme::{Seal, write_time};
use super::super::scratch::Pairs;
use super::super::{Dialect, Scratch, says};
use super::template::{Sealing, Template};
use super::{Asked, Channel, Heading, Said, inside};
use crate::json;
use effect::Ends;
pub use effect::{Effect, Times};

/// Longest value of a topic's field.
const FIELD_BYTES: usize = 256;
/// Longest topic that is a text: a hundred symbols.
const TEXT_BYTES: usize = 2048;

/// Whose WebSocket to the venue a message goes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leg {
    /// That of the credential that acts.
    Private,
    /// Nobody's.
    Public,
}

/// A message that goes to the venue's own WebSocket.
#[derive(Debug)]
pub struct Following<'a> {
    /// As the controls see it.
    pub asked: Asked<'a>,
    /// On which leg it is said.
    pub leg: Leg,
    /// Whether that is opened for it.
    pub opens: bool,
    /// Whether it is a logon in itself, in egress.
    pub logon: bool,
    /// As it is said to the venue.
    pub message: String,
    /// What it begins and ends.
    pub effect: Effect,
}

/// What a channel's client may have the venue push.
#[derive(Debug)]
pub(super) struct Feed {
    fixed: Box<[(Box<str>, Box<str>)]>,
    topics: Option<Topics>,
    /// By name; where there are several, the topic tells.
    methods: HashMap<Box<str>, Box<[Follow]>>,
    /// What the venue says first; empty: nothing is waited for.
    greeted: When,
    logon: Option<Logon>,
    ticket: Option<Ticket>,
}

/// How we have the venue give us a token, and where a message shows it.
#[derive(Debug)]
pub struct Ticket {
    /// Method and path of the request for it.
    route: (Box<str>, Box<str>),
    answer: Box<str>,
    parameter: Box<str>,
}

impl Ticket {
    /// Returns the token that the venue's answer has.
    pub fn read(&self, body: &str) -> Option<String> {
        let token = json::find(body, &self.answer).ok()??;
        let token = json::said(token).ok()?;
        (!token.is_empty()).then(|| token.into_owned())
    }

    /// Returns a message of the channel with `token` in it; none if it is no object.
    pub fn show(&self, message: &str, token: &str) -> Option<String> {
        let mut message: Map<String, Value> = serde_json::from_str(message).ok()?;
        put(&mut message, &self.parameter, token.into());
        Some(Value::from(message).to_string())
    }
}

/// Where topics stand, and how.
#[derive(Debug)]
struct Topics {
    at: Box<str>,
    /// Where the name of the only one stands, if it is no list; at `at` itself, if it is a text.
    one: Option<Name>,
    /// Where the name stands in one, if it is no text.
    name: Option<Box<str>>,
    fields: Box<[Box<str>]>,
    /// Those that make no topic of their own.
    options: Box<[Box<str>]>,
}

/// One thing that the venue is asked for on a leg.
#[derive(Debug)]
pub(super) struct Follow {
    pub(super) route: Route,
    pub(super) leg: Leg,
    pub(super) opens: bool,
    pub(super) logon: bool,
    says: Option<Box<str>>,
    /// Its topics; `*` is one part between points, `:*` a list at the end.
    topics: Box<[Box<str>]>,
    numbers: Box<[Name]>,
    flags: Box<[Name]>,
    ends: Option<Ends>,
}

#[derive(Debug)]
struct Logon {
    message: Template,
    frame: usize,
    later_us: u64,
    accepted: When,
}

impl Dialect {
    /// Returns how we say on a leg of a channel who acts; `id` is that of the message, as JSON.
    ///
    /// # Errors
    ///
    /// `signature_missing` where the dialect has no such logon, or not by this kind of key.
    pub fn seal_leg(&self, path: &str, id: &str, seal: &Seal<'_>) -> Result<String, Refusal> {
        let missing = || Refusal::new(Code::SignatureMissing);
        let logon = self.leg_logon(path).ok_or_else(missing)?;
        let frame = self.frames.get(logon.frame).ok_or_else(missing)?;
        let scheme = &frame.scheme;
        let heading = Heading {
            id: id.to_owned(),
            ..Heading::default()
        };
        let time = write_time(scheme.unit(), seal.now_us.saturating_add(logon.later_us));
        let write = |signature: &str| {
            let said = Said {
                key: Some(seal.key_id),
                seal: Sealing {
                    nonce: seal.nonce,
                    passphrase: seal.passphrase.unwrap_or_default(),
                    signature,
                    time: &time,
                },
                ..Said::default()
            };
            logon.message.fill(&heading, &said).ok_or_else(missing)
        };
        let mut scratch = Scratch::default();
        let unsigned = write("")?;
        scratch.read_frame(&unsigned)?;
        scratch.sign(scheme, &NOWHERE, &unsigned)?;
        let key = seal.key;
        let signature = key.sign(scratch.payload(), scheme.encodings, scheme.hmac);
        write(&signature.ok_or_else(missing)?)
    }

    /// Returns how we have the venue give us what each message on a private leg shows, where it does.
    pub fn leg_ticket(&self, path: &str) -> Option<(&Ticket, &Route)> {
        let ticket = self.channel(path)?.feed.as_ref()?.ticket.as_ref()?;
        let (verb, path) = &ticket.route;
        Some((ticket, self.routes.find(verb, path)?))
    }

    /// Tells whether the venue's answer says that our logon was taken.
    pub fn leg_accepts(&self, path: &str, answer: &str) -> bool {
        let mut scratch = Scratch::default();
        let read = scratch.read_frame(answer);
        let logon = self.leg_logon(path);
        read.is_ok() && logon.is_some_and(|logon| says(&logon.accepted, &scratch))
    }

    /// Tells whether the venue says something before it is told anything.
    pub fn leg_is_greeted(&self, path: &str) -> bool {
        self.feed(path).is_some_and(|feed| !feed.greeted.is_empty())
    }

    /// Tells whether what the venue said first is what it is to say.
    pub fn leg_greets(&self, path: &str, said: &str) -> bool {
        let mut scratch = Scratch::default();
        let read = scratch.read_frame(said);
        let feed = self.feed(path);
        read.is_ok() && feed.is_some_and(|feed| says(&feed.greeted, &scratch))
    }

    /// Returns the paths at which the venue's ends of WebSockets are opened, as the dialect has them.
    pub fn venue_websockets(&self) -> impl Iterator<Item = &str> {
        let feeds = self.channels.iter().filter_map(|c| c.feed.as_ref());
        let follows = feeds.flat_map(|feed| feed.methods.values().flatten());
        let legs = follows.map(|follow| &*follow.route.path);
        let streams = self.routes.iter().filter(|route| route.stream);
        legs.chain(streams.map(|route| &*route.path))
    }

    fn feed(&self, path: &str) -> Option<&Feed> {
        self.channel(path)?.feed.as_ref()
    }

    fn leg_logon(&self, path: &str) -> Option<&Logon> {
        self.feed(path)?.logon.as_ref()
    }
}

impl Feed {
    /// Returns what a message asks for; one whose topic is in no list is refused as the first.
    pub(super) fn get(&self, name: &str, pairs: &Pairs) -> Option<&Follow> {
        let all = self.methods.get(name)?;
        let topic = self.topics.as_ref().and_then(|topics| topics.one.as_ref());
        let topic = topic.and_then(|name| pairs.get(name)).unwrap_or_default();
        let takes = |follow: &&Follow| follow.topics.iter().any(|one| fits(one, topic));
        all.iter().find(takes).or(all.first())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Box<str>> {
        self.methods.keys()
    }
}

impl Channel {
    /// Writes a message to the venue anew from what it may say, and returns the topics that it names, too.
    pub(super) fn follow(
        &self,
        follow: &Follow,
        heading: &Heading,
        pairs: &Pairs,
    ) -> Result<(String, Vec<String>), Refusal> {
        let feed = self.feed.as_ref().ok_or(Code::RouteUnknown)?;
        let mut out = Map::new();
        for (name, value) in &feed.fixed {
            out.insert(name.to_string(), Value::from(&**value));
        }
        if heading.has_id {
            let id = serde_json::from_str(&heading.id).map_err(|_| Code::FormMalformed)?;
            put(&mut out, self.id.as_str(), id);
        }
        let method = follow.says.as_deref().unwrap_or(&heading.method);
        put(&mut out, self.method.as_str(), Value::from(method));
        for name in &follow.numbers {
            if let Some((text, quoted)) = pairs.get_typed(name) {
                let number: Option<i64> = text.parse().ok().filter(|_| !quoted);
                let wrong = || Refusal::new(Code::FormParameterInvalid).field(name.as_str());
                put(&mut out, name.as_str(), number.ok_or_else(wrong)?.into());
            }
        }
        for name in &follow.flags {
            let flag = match pairs.get_typed(name) {
                None => continue,
                Some(("true", false)) => true,
                Some(("false", false)) => false,
                Some(_) => {
                    return Err(Refusal::new(Code::FormParameterInvalid).field(name.as_str()));
                }
            };
            put(&mut out, name.as_str(), flag.into());
        }
        let topics = feed.topics.as_ref().filter(|_| !follow.topics.is_empty());
        // Means nothing to the venue's end: the key, the token, when it was sent.
        let times = self.time.iter().flat_map(|(time, window)| [time, window]);
        let times = times.filter_map(|name| inside(name.as_str(), &self.parameters));
        let own: Vec<&str> = self.own.iter().map(|own| &**own).chain(times).collect();
        let said = match topics {
            Some(topics) if topics.is_text() => vec![topics.read_text(pairs)?],
            Some(topics) if topics.one.is_some() => vec![topics.read_one(pairs, &own)?],
            Some(topics) => topics.read(pairs)?,
            None => Vec::new(),
        };
        self.all_known(follow, topics, pairs)?;
        let mut named = Vec::new();
        if let Some(topics) = topics {
            named.extend(said.iter().flat_map(|topic| topics.named(topic)));
            for topic in &said {
                topics.check(topic, &follow.topics)?;
            }
            let mut said = said;
            let said = match said.pop() {
                Some(topic) if topics.one.is_some() => topic,
                last => said.into_iter().chain(last).collect(),
            };
            put(&mut out, &topics.at, said);
        }
        Ok((Value::from(out).to_string(), named))
    }

    /// Checks that nothing else stands in the message.
    fn all_known(
        &self,
        follow: &Follow,
        topics: Option<&Topics>,
        pairs: &Pairs,
    ) -> Result<(), Refusal> {
        let times = self.time.iter().flat_map(|(time, window)| [time, window]);
        for (_, name, value) in pairs.iter() {
            let own = inside(name, &self.parameters)
                .is_some_and(|name| self.own.iter().any(|own| **own == *name));
            let mut plain = follow.numbers.iter().chain(&follow.flags);
            let plain = plain.any(|one| one.as_str() == name);
            let time = times.clone().any(|one| one.as_str() == name);
            let topic = topics.is_some_and(|topics| {
                inside(name, &topics.at).is_some() || topics.is_text() && name == &*topics.at
            });
            let empty = name == &*self.parameters && matches!(value, "{}" | "[]" | "null");
            if !(own || plain || time || topic || empty || self.may_stand(name)) {
                return Err(Refusal::new(Code::FormParameterUnknown).field(name));
            }
        }
        Ok(())
    }
}

impl Topics {
    /// Returns the topics that a message names.
    fn read(&self, pairs: &Pairs) -> Result<Vec<Value>, Refusal> {
        let mut all: Vec<Value> = Vec::new();
        let mut last = "";
        for (_, name, value) in pairs.iter() {
            let Some(place) = inside(name, &self.at) else {
                continue;
            };
            let wrong = || Refusal::new(Code::FormParameterInvalid).field(name);
            let quoted = pairs.get_typed(&Name::from(name));
            if !quoted.is_some_and(|(_, quoted)| quoted) || value.len() > FIELD_BYTES {
                return Err(wrong());
            }
            let Some((index, field)) = place.split_once('.') else {
                all.push(value.into());
                continue;
            };
            let known = self.name.iter().chain(&self.fields);
            if !known.into_iter().any(|known| **known == *field) {
                return Err(Refusal::new(Code::FormParameterUnknown).field(name));
            }
            if index != last {
                all.push(Map::new().into());
                last = index;
            }
            let Some(Value::Object(topic)) = all.last_mut() else {
                return Err(wrong());
            };
            topic.insert(field.to_owned(), value.into());
        }
        if all.is_empty() {
            return Err(Refusal::new(Code::FormParameterMissing).field(&self.at));
        }
        Ok(all)
    }

    /// Tells whether a message has one topic, which is a text.
    const fn is_text(&self) -> bool {
        self.one.is_some() && self.name.is_none()
    }

    fn read_text(&self, pairs: &Pairs) -> Result<Value, Refusal> {
        let said = self.one.as_ref().and_then(|at| pairs.get_typed(at));
        let missing = || Refusal::new(Code::FormParameterMissing).field(&self.at);
        match said.ok_or_else(missing)? {
            (topic, true) if topic.len() <= TEXT_BYTES => Ok(topic.into()),
            _ => Err(Refusal::new(Code::FormParameterInvalid).field(&self.at)),
        }
    }

    /// Returns the one topic of a message, without what is the channel's `own`.
    fn read_one(&self, pairs: &Pairs, own: &[&str]) -> Result<Value, Refusal> {
        let mut topic = Map::new();
        for (_, name, value) in pairs.iter() {
            let Some(place) = inside(name, &self.at).filter(|place| !own.contains(place)) else {
                continue;
            };
            let (field, index) = place.split_once('.').unwrap_or((place, ""));
            let mut known = self.name.iter().chain(&self.fields);
            if !known.any(|known| **known == *field) {
                return Err(Refusal::new(Code::FormParameterUnknown).field(name));
            }
            let quoted = pairs.get_typed(&Name::from(name));
            let quoted = quoted.is_some_and(|(_, quoted)| quoted);
            let value = plain(value, quoted).filter(|_| !index.contains('.'));
            let wrong = || Refusal::new(Code::FormParameterInvalid).field(name);
            let value = value.ok_or_else(wrong)?;
            if index.is_empty() {
                topic.insert(field.to_owned(), value);
                continue;
            }
            let list = topic
                .entry(field)
                .or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut().ok_or_else(wrong)?.push(value);
        }
        Ok(topic.into())
    }

    fn check(&self, topic: &Value, listed: &[Box<str>]) -> Result<(), Refusal> {
        let name = match &self.name {
            Some(place) => topic.get(&**place),
            None => Some(topic),
        };
        let name = name.and_then(Value::as_str);
        let known = name.is_some_and(|name| listed.iter().any(|one| fits(one, name)));
        let unknown = || Refusal::new(Code::FormParameterInvalid).field(&self.at);
        known.then_some(()).ok_or_else(unknown)
    }
}

/// Returns a text, a whole number or a truth value as JSON.
fn plain(value: &str, quoted: bool) -> Option<Value> {
    match value {
        _ if value.len() > FIELD_BYTES => None,
        _ if quoted => Some(value.into()),
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        _ => value.parse::<i64>().ok().map(Value::from),
    }
}

/// Tells whether `name` is `pattern` with one plain part in place of each `*`, and a list of them of one at its end.
fn fits(pattern: &str, name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let plain = |part: &str| !part.is_empty() && part.bytes().all(plain);
    if let Some(stem) = pattern.strip_suffix(":*") {
        let list = name.split_once(':').filter(|(before, _)| *before == stem);
        return list.is_some_and(|(_, list)| list.split(',').all(plain));
    }
    let (mut wanted, mut given) = (pattern.split('.'), name.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("*"), Some(part)) if plain(part) => {}
            (Some(wanted), Some(part)) if wanted == part && wanted != "*" => {}
            (_, _) => return false,
        }
    }
}

/// Puts `value` at a name with points, whose parts are objects.
fn put(out: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => drop(out.insert(name.to_owned(), value)),
        Some((outer, rest)) => {
            let inner = out.entry(outer).or_insert_with(|| Map::new().into());
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
