//! Trading channels: a message that asks for a route is read as the request that it stands for (docs/adr/0019).
//!
//! Nothing of a message goes on but what its route takes: a JSON body goes as sent, parameters of a query or a form are
//! written anew from their decoded values. So a message meets the same readers, and the venue the same bytes, as the
//! request would.

mod anew;
mod compile;
mod feed;
mod manner;
mod names;
mod template;

use std::collections::HashMap;

use ringfence_core::freshness::Window;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::{Claim, Stamp};

use super::batch::Batch;
use super::definition::{BodyKind, IdKind};
use super::frame::NOWHERE;
use super::name::Name;
use super::route::{Mints, Refresh};
use super::scheme::{Scheme, Signing};
use super::scratch::Pairs;
use super::{Dialect, Frame, Head, Route, Scratch};
use crate::{form, json};
pub use feed::{Effect, Following, Leg, Ticket, Times};
use feed::{Feed, Follow};
use manner::{Items, Several};
use names::Renames;
pub(super) use template::Template;
pub use template::{Said, Spoke};

const DAY_SECONDS: u32 = 86_400;
/// Longest id of a message.
const ID_BYTES: usize = 64;
/// Longest name of what a message asks.
const METHOD_BYTES: usize = 64;

/// How a channel's messages are written.
#[derive(Debug)]
pub(super) struct Channel {
    paths: Box<[Box<str>]>,
    id: Name,
    id_kinds: Box<[IdKind]>,
    id_absent: Option<Box<str>>,
    method: Name,
    /// Parameters that mean nothing to a route.
    own: Box<[Box<str>]>,
    /// Where parameters stand.
    parameters: Box<str>,
    beside: Box<[Box<str>]>,
    names: Renames,
    /// Where a message shows who acts by it.
    token: Option<Name>,
    /// What answers repeat.
    repeated: Option<Name>,
    /// Where a message says whether its answer tells how limits stand.
    limits: Option<Name>,
    /// Where an answer says what went wrong, whatever its status.
    failed: Option<Box<str>>,
    /// Which of the dialect's frames a message is that is signed itself.
    frame: Option<usize>,
    /// Where time and window of a session's message stand.
    time: Option<(Name, Name)>,
    methods: HashMap<Box<str>, Method>,
    replies: HashMap<Box<str>, Template>,
    texts: HashMap<Box<str>, Box<str>>,
    session: Option<Session>,
    feed: Option<Feed>,
    /// What the client is told first.
    welcome: Option<Template>,
    answer: Template,
    error: Template,
    malformed: Template,
}

/// A message that asks for a route.
#[derive(Debug)]
struct Method {
    /// Method and path of the route.
    route: (Box<str>, Box<str>),
    /// Where the parameters stand.
    parameters: Box<str>,
    /// Whether its JSON is written anew, since the route has other names for it.
    anew: bool,
    /// If they are not the channel's.
    names: Option<Renames>,
    repeated: Option<Name>,
    answer: Option<Template>,
    items: Option<Items>,
    several: Option<Box<Several>>,
}

#[derive(Debug)]
struct Session {
    seconds: u32,
    logon: Box<str>,
    /// What a logon costs.
    weight: u32,
    frame: usize,
    answer: Template,
    /// What it hands out.
    mints: Option<Tokens>,
    error: Option<Template>,
    status: Option<(Box<str>, Template)>,
    logout: Option<(Box<str>, Template)>,
}

/// The tokens of a route, that a logon hands out, too.
#[derive(Debug)]
struct Tokens {
    route: (Box<str>, Box<str>),
    /// As a message shows it.
    refresh: Option<Refresh>,
}

/// What an answer repeats of its message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Heading {
    /// Its id, as JSON.
    pub id: String,
    /// Whether the message itself has one.
    pub has_id: bool,
    /// The name of what it asks.
    pub method: String,
    /// One value of it, as JSON, where the channel repeats one.
    pub repeated: Option<String>,
    /// The orders that it names, as JSON, where those are several and each is answered.
    pub each: Box<[String]>,
    /// Whether its answer tells how limits stand.
    pub limits: bool,
}

/// What a message of a channel wants.
#[derive(Debug)]
pub enum Spoken<'a> {
    /// What a request may ask, too.
    Asks(Asked<'a>),
    /// What only the venue's own WebSocket can do.
    Follows(Following<'a>),
    /// To begin a session.
    Logon(Claim<'a>, Window),
    /// The same by a token of the gateway's own, which is good for that once.
    Refresh(&'a str),
    /// To be told of the session.
    Status,
    /// To end the session.
    Logout,
    /// Something that the gateway answers by itself.
    Reply,
}

/// A message as the request that it stands for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What it asks.
    pub route: &'a Route,
    /// Its parameters, where the route has them in the query.
    pub query: String,
    /// The same, where the route has them in a form; else its JSON as sent.
    pub body: String,
    /// Who it says signed it, and the window of that.
    pub claim: Option<(Claim<'a>, Window)>,
    /// When it says it was sent, if it is not signed itself.
    pub stamp: Option<Stamp>,
    /// The token that it shows in place of a signature.
    pub token: Option<&'a str>,
    /// The key that it names, where it carries no signature and needs none.
    pub named: Option<&'a str>,
    /// What it subscribes to, or no longer, for the record.
    pub topics: Vec<String>,
}

impl Asked<'_> {
    /// Returns the head of the request.
    pub fn head(&self) -> Head<'_> {
        Head {
            method: &self.route.method,
            path: &self.route.path,
            query: &self.query,
            ..NOWHERE
        }
    }
}

impl Dialect {
    fn channel(&self, path: &str) -> Option<&Channel> {
        let mut channels = self.channels.iter();
        channels.find(|channel| channel.paths.iter().any(|one| **one == *path))
    }

    /// Returns where channels are opened.
    pub fn channel_paths(&self) -> impl Iterator<Item = &str> {
        let paths = self.channels.iter().flat_map(|channel| &channel.paths);
        paths.map(|path| &**path)
    }

    /// Returns what the gateway answers to a text that is no JSON, where the venue has such.
    pub fn channel_text(&self, path: &str, text: &str) -> Option<&str> {
        let channel = self.channel(path)?;
        channel.texts.get(text).map(|answer| &**answer)
    }

    /// Returns how long a session lasts, in microseconds; a day where the venue has none and a handshake began it.
    pub fn session_us(&self, path: &str) -> u64 {
        let session = self.channel(path).and_then(|c| c.session.as_ref());
        u64::from(session.map_or(DAY_SECONDS, |session| session.seconds)) * 1_000_000
    }

    /// Returns what a logon costs: as much by whatever transport, where it may come by more than one.
    pub fn session_weight(&self, path: &str) -> u32 {
        let session = self.channel(path).and_then(|c| c.session.as_ref());
        session.map_or(1, |session| session.weight)
    }

    /// Returns the tokens that a logon hands out, where it does.
    pub fn session_mints(&self, path: &str) -> Option<&Mints> {
        let tokens = self.channel(path)?.session.as_ref()?.mints.as_ref()?;
        let (verb, path) = &tokens.route;
        self.routes.find(verb, path)?.mints()
    }

    /// Reads a message of a channel strictly, as far as its answer needs it.
    ///
    /// # Errors
    ///
    /// `form_malformed` or `form_duplicate` for what is no JSON, or could be read in two ways; `form_parameter_missing`
    /// or `form_parameter_invalid` for its id. No answer can repeat that.
    pub fn heading(
        &self,
        path: &str,
        text: &str,
        scratch: &mut Scratch,
    ) -> Result<Heading, Refusal> {
        let channel = self.channel(path).ok_or(Code::RouteUnknown)?;
        scratch.read_frame(text)?;
        let pairs = scratch.pairs();
        let method = pairs.get_typed(&channel.method);
        let method = method.filter(|(name, quoted)| *quoted && name.len() <= METHOD_BYTES);
        let asked = method.and_then(|(name, _)| channel.methods.get(name));
        let repeated = asked.and_then(|asked| asked.repeated.as_ref());
        let repeated = repeated.or(channel.repeated.as_ref());
        let repeated = repeated.and_then(|name| pairs.get_typed(name));
        let several = asked.and_then(|asked| asked.several.as_ref());
        let limits = channel.limits.as_ref();
        Ok(Heading {
            limits: limits.is_some_and(|name| pairs.get_typed(name) != Some(("false", false))),
            repeated: repeated.and_then(|(text, quoted)| literal(text, quoted)),
            each: several.map_or_else(Box::default, |several| several.each(pairs)),
            id: channel.id_of(pairs)?,
            has_id: channel.has_id(pairs),
            // One that is no text is none that is known.
            method: method.map_or(String::new(), |(name, _)| name.to_owned()),
        })
    }

    /// Reads what a message wants; [`Dialect::heading`] has read `text` into `scratch`. `open` tells which of the
    /// channel's legs are.
    ///
    /// # Errors
    ///
    /// `route_unknown` for what is not offered; a `form_*` refusal for what is not of the channel's form; what the
    /// scheme finds missing.
    pub fn spoken<'a>(
        &'a self,
        path: &str,
        heading: &Heading,
        text: &str,
        scratch: &'a mut Scratch,
        open: impl Fn(Leg) -> bool,
    ) -> Result<Spoken<'a>, Refusal> {
        let channel = self.channel(path).ok_or(Code::RouteUnknown)?;
        let name = heading.method.as_str();
        let follow = channel.feed.as_ref();
        let follow = follow.and_then(|feed| feed.get(name, scratch.pairs()));
        let other = channel.methods.contains_key(name) || channel.replies.contains_key(name);
        if let Some(follow) = follow
            && (!other || open(follow.leg))
        {
            return self.follows(channel, follow, heading, text, scratch);
        }
        if let Some(method) = channel.methods.get(name) {
            return self.asked(channel, method.as_said(heading), text, scratch);
        }
        if channel.replies.contains_key(name) {
            return Ok(Spoken::Reply);
        }
        let session = channel.session.as_ref().ok_or(Code::RouteUnknown)?;
        let is = |reply: &Option<(Box<str>, Template)>| {
            let reply = reply.as_ref();
            reply.is_some_and(|(known, _)| **known == *name)
        };
        if is(&session.status) {
            return Ok(Spoken::Status);
        }
        if is(&session.logout) {
            return Ok(Spoken::Logout);
        }
        if *session.logon != *name {
            return Err(Code::RouteUnknown.into());
        }
        let refresh = session.mints.as_ref().and_then(|m| m.refresh.as_ref());
        if let Some(refresh) = refresh.filter(|one| one.shown(scratch.pairs()).is_some()) {
            let scratch: &'a Scratch = scratch;
            let shown = channel.renewal(refresh, scratch.pairs())?;
            return Ok(Spoken::Refresh(shown));
        }
        let frame = self.frames.get(session.frame);
        let frame = frame.filter(|frame| frame.is(scratch));
        let Frame { scheme, .. } = frame.ok_or(Code::SignatureMissing)?;
        scratch.sign(scheme, &NOWHERE, text)?;
        let claim = scheme.claim(&NOWHERE, scratch)?;
        Ok(Spoken::Logon(claim, scheme.rule))
    }

    fn follows<'a>(
        &'a self,
        channel: &'a Channel,
        follow: &'a Follow,
        heading: &Heading,
        text: &str,
        scratch: &'a mut Scratch,
    ) -> Result<Spoken<'a>, Refusal> {
        let route = &follow.route;
        let (message, topics) = channel.follow(follow, heading, scratch.pairs())?;
        let effect = follow.effect(heading, &topics, scratch.pairs());
        let scheme = self.own_scheme(channel, route, scratch)?;
        if let Some(scheme) = scheme {
            scratch.sign(scheme, &NOWHERE, text)?;
        }
        let scratch: &'a Scratch = scratch;
        Ok(Spoken::Follows(Following {
            leg: follow.leg,
            opens: follow.opens,
            logon: follow.logon,
            message,
            asked: Asked {
                route,
                query: String::new(),
                body: String::new(),
                claim: claim(scheme, scratch)?,
                stamp: None,
                token: channel.token_of(scratch),
                named: None,
                topics,
            },
            effect,
        }))
    }

    fn asked<'a>(
        &'a self,
        channel: &'a Channel,
        method: &'a Method,
        text: &str,
        scratch: &'a mut Scratch,
    ) -> Result<Spoken<'a>, Refusal> {
        let (verb, path) = &method.route;
        let route = self.routes.find(verb, path).ok_or(Code::RouteUnknown)?;
        let scheme = self.own_scheme(channel, route, scratch)?;
        if let Some(scheme) = scheme {
            scratch.sign(scheme, &NOWHERE, text)?;
        }
        let scratch: &'a Scratch = scratch;
        let by_name = route.lends().is_some_and(|lends| lends.by_name);
        let stamp = match (&channel.time, &self.signing) {
            (Some(time), Some(Signing::Canonical(own)))
                if route.signed && scheme.is_none() && !by_name =>
            {
                Some(stamp(own, time, scratch.pairs())?)
            }
            _ => None,
        };
        let parameters = match route.body {
            BodyKind::Json if method.anew => {
                let list = route.batch.as_deref().map_or("", Batch::place);
                channel.anew(method, list, scratch.pairs())?
            }
            BodyKind::Json => channel.body(method, text, scratch.pairs())?,
            BodyKind::Form => channel.form(method, scratch.pairs())?,
        };
        // What is signed goes on as it is.
        let parameters = match &self.order_names {
            Some(names) if scheme.is_none() => names.renamed(parameters, &self.words),
            Some(_) | None => parameters,
        };
        let (query, body) = match &*route.method {
            "POST" | "PUT" => (String::new(), parameters),
            _ => (parameters, String::new()),
        };
        Ok(Spoken::Asks(Asked {
            route,
            query,
            body,
            claim: claim(scheme, scratch)?,
            stamp,
            token: channel.token_of(scratch),
            named: self.named(channel, route, scratch),
            topics: Vec::new(),
        }))
    }

    /// Returns the scheme by which the message is signed itself; one that names a key or gives a signature must be.
    fn own_scheme(
        &self,
        channel: &Channel,
        route: &Route,
        scratch: &Scratch,
    ) -> Result<Option<&Scheme>, Refusal> {
        let frame = channel.frame.and_then(|index| self.frames.get(index));
        let Some(frame) = frame.filter(|_| route.signed) else {
            return Ok(None);
        };
        let scheme = &frame.scheme;
        let names = [&scheme.key, &scheme.signature];
        let mut names = names.into_iter().filter_map(|place| place.parameter());
        let signed = names.any(|name| scratch.pairs().get(name).is_some());
        match frame.is(scratch) {
            true => Ok(Some(scheme)),
            false if self.named(channel, route, scratch).is_some() => Ok(None),
            false if signed => Err(Code::SignatureMissing.into()),
            false => Ok(None),
        }
    }

    /// Returns the key that a message names which carries no signature, on a route that asks for no more.
    fn named<'a>(&self, channel: &Channel, route: &Route, scratch: &'a Scratch) -> Option<&'a str> {
        route.lends().filter(|lends| lends.by_name)?;
        let scheme = &self.frames.get(channel.frame?)?.scheme;
        let named = scheme.names_alone(&NOWHERE, scratch.pairs()).ok()?;
        let key_id = scheme.key_id(&NOWHERE, scratch.pairs()).ok()?;
        key_id.filter(|_| named)
    }
}

fn claim<'a>(
    scheme: Option<&Scheme>,
    scratch: &'a Scratch,
) -> Result<Option<(Claim<'a>, Window)>, Refusal> {
    let claim = scheme.map(|scheme| Ok((scheme.claim(&NOWHERE, scratch)?, scheme.rule)));
    claim.transpose()
}

fn stamp(scheme: &Scheme, time: &(Name, Name), pairs: &Pairs) -> Result<Stamp, Refusal> {
    let (time, window) = time;
    let written = pairs.get(time).ok_or(Code::TimeMissing)?;
    let stamp = scheme.stamp(written, pairs.get(window));
    stamp.ok_or_else(|| Refusal::new(Code::TimeMalformed).field(time.as_str()))
}

impl Channel {
    /// Tells whether a message has an id of its own.
    fn has_id(&self, pairs: &Pairs) -> bool {
        let found = pairs.get_typed(&self.id);
        found.is_some_and(|found| found != ("null", false))
    }

    /// Returns the token that a message shows.
    fn token_of<'a>(&self, scratch: &'a Scratch) -> Option<&'a str> {
        let token = self.token.as_ref();
        token.and_then(|name| scratch.pairs().get(name))
    }

    /// Returns the token that a message shows for another one; nothing may stand beside it.
    fn renewal<'a>(&self, refresh: &Refresh, pairs: &'a Pairs) -> Result<&'a str, Refusal> {
        let mut names = pairs.iter().map(|(_, name, _)| name);
        match names.find(|name| !self.may_stand(name) && !refresh.has(name)) {
            Some(name) => Err(Refusal::new(Code::FormParameterUnknown).field(name)),
            None => refresh
                .shown(pairs)
                .ok_or_else(|| Code::SignatureMissing.into()),
        }
    }

    /// Returns a message's id as JSON.
    fn id_of(&self, pairs: &Pairs) -> Result<String, Refusal> {
        let field = self.id.as_str();
        let found = pairs.get_typed(&self.id);
        let takes = |kind| self.id_kinds.contains(&kind);
        // One that is made of others is not found by its own name.
        let made = pairs
            .iter()
            .any(|(_, name, _)| inside(name, field).is_some());
        match found {
            None | Some(("null", false)) if !made => match &self.id_absent {
                Some(absent) => Ok(absent.as_ref().to_owned()),
                None => Err(Refusal::new(Code::FormParameterMissing).field(field)),
            },
            Some((id, true)) if takes(IdKind::Text) && id.len() <= ID_BYTES => {
                serde_json::to_string(id).map_err(|_| Code::FormMalformed.into())
            }
            Some((id, false)) if takes(IdKind::Integer) && id.parse::<i64>().is_ok() => {
                Ok(id.to_owned())
            }
            None | Some(_) => Err(Refusal::new(Code::FormParameterInvalid).field(field)),
        }
    }

    fn names_of<'a>(&'a self, method: &'a Method) -> &'a Renames {
        method.names.as_ref().unwrap_or(&self.names)
    }

    /// Tells whether something called `name` may stand outside the parameters.
    fn may_stand(&self, name: &str) -> bool {
        let known = [self.id.as_str(), self.method.as_str()];
        known.contains(&name) || self.beside.iter().any(|beside| **beside == *name)
    }

    /// Returns the parameters as they stand there.
    fn body(&self, method: &Method, text: &str, pairs: &Pairs) -> Result<String, Refusal> {
        let place = &*method.parameters;
        for (_, name, _) in pairs.iter() {
            if inside(name, place).is_none() && name != place && !self.may_stand(name) {
                return Err(Refusal::new(Code::FormParameterUnknown).field(name));
            }
        }
        let body = json::find_again(text, place)?;
        let missing = || Refusal::new(Code::FormParameterMissing).field(place);
        body.map(str::to_owned).ok_or_else(missing)
    }

    /// Returns the parameters as a form, without those that mean nothing to a route.
    fn form(&self, method: &Method, pairs: &Pairs) -> Result<String, Refusal> {
        let (place, names) = (&*method.parameters, self.names_of(method));
        let mut out = String::new();
        for (_, name, value) in pairs.iter() {
            if name == place && value == "{}" || self.may_stand(name) {
                continue;
            }
            let unknown = || Refusal::new(Code::FormParameterUnknown).field(name);
            let inner = inside(name, place).ok_or_else(unknown)?;
            let own = self.own.iter().any(|own| **own == *inner);
            let (inner, value) = match own {
                true => (inner, value.into()),
                false => names.of(inner, value).ok_or_else(unknown)?,
            };
            // A list has no place in a form; `null` has two readings there, and so have `&` and `=`: schemes sign
            // `name=value&name=value` with nothing escaped, so that two messages would sign alike.
            let plain = !inner.contains(['.', '&', '=']) && !value.contains('&');
            if !plain || matches!(&*value, "{}" | "[]" | "null") {
                return Err(Refusal::new(Code::FormParameterInvalid).field(inner));
            }
            if own {
                continue;
            }
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(inner);
            out.push('=');
            form::escape(&value, &mut out);
        }
        Ok(out)
    }
}

/// Returns a value as JSON; `quoted` tells whether it stood there as text.
fn literal(text: &str, quoted: bool) -> Option<String> {
    match quoted {
        true => serde_json::to_string(text).ok(),
        false => Some(text.to_owned()),
    }
}

/// Returns the rest of `name` inside of what stands at `place`.
fn inside<'a>(name: &'a str, place: &str) -> Option<&'a str> {
    name.strip_prefix(place)?.strip_prefix('.')
}
