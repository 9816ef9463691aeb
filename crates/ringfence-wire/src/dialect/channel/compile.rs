//! From the written channel to the compiled one. Every error names the field.

use std::collections::{BTreeMap, HashMap};

use super::super::compile::wrong;
use super::super::definition::{
    BodyKind, ChannelDefinition, MethodDefinition, ReplyDefinition, SessionDefinition,
};
use super::super::name::Name;
use super::super::route::RouteTable;
use super::super::scheme::Signing;
use super::super::{DialectError, Frame};
use super::feed::Feed;
use super::manner::{Items, Several};
use super::names::Renames;
use super::template::Template;
use super::{Channel, Method, Session, Tokens};

/// What a channel is compiled against.
struct Against<'a> {
    routes: &'a RouteTable,
    frames: &'a [Frame],
}

impl Channel {
    pub(in crate::dialect) fn compile(
        written: &ChannelDefinition,
        routes: &RouteTable,
        frames: &[Frame],
        signing: Option<&Signing>,
    ) -> Result<Self, DialectError> {
        let against = Against { routes, frames };
        if written.paths.is_empty() {
            return Err(wrong("paths", "without a path nobody can open it"));
        }
        if written.id_kinds.is_empty() {
            return Err(wrong("id_kinds", "an id is something"));
        }
        if written.time.is_some() && !matches!(signing, Some(Signing::Canonical(_))) {
            return Err(wrong(
                "time",
                "it needs `signing`, by whose unit it is read",
            ));
        }
        let frame = written.frame.as_ref();
        let frame = frame.map(|name| against.frame(name, "frame"));
        let time = written.time.as_ref();
        let template = |text, field: &str| Template::compile(text, field);
        let channel = Self {
            paths: boxed(&written.paths),
            id: Name::from(&*written.id),
            id_kinds: written.id_kinds.as_slice().into(),
            id_absent: written.id_absent.as_deref().map(Box::from),
            method: Name::from(&*written.method),
            own: boxed(&written.own),
            parameters: written.parameters.as_str().into(),
            beside: boxed(&written.beside),
            names: Renames::compile(&written.names),
            token: written.token.as_deref().map(Name::from),
            repeated: written.repeated.as_deref().map(Name::from),
            limits: written.limits.as_deref().map(Name::from),
            failed: written.failed.as_deref().map(Box::from),
            frame: frame.transpose()?,
            time: time.map(|time| {
                let names = [&time.parameter, &time.window_parameter];
                let [time, window] = names.map(|name| Name::from(&**name));
                (time, window)
            }),
            methods: against.methods(written)?,
            replies: replies(&written.replies)?,
            texts: written
                .texts
                .iter()
                .map(|(text, answer)| (text.as_str().into(), answer.as_str().into()))
                .collect(),
            session: match &written.session {
                Some(session) => Some(against.session(session, &written.parameters)?),
                None => None,
            },
            feed: match &written.feed {
                Some(feed) => Some(Feed::compile(feed, frames, routes)?),
                None => None,
            },
            welcome: match &written.welcome {
                Some(welcome) => Some(template(welcome, "welcome")?),
                None => None,
            },
            answer: template(&written.answer, "answer")?,
            error: template(&written.error, "error")?,
            malformed: template(&written.malformed, "malformed")?,
        };
        channel.distinct()?;
        Ok(channel)
    }

    /// Checks that no name means two things.
    fn distinct(&self) -> Result<(), DialectError> {
        let session = self.session.iter().flat_map(|session| {
            let more = [&session.status, &session.logout].into_iter().flatten();
            std::iter::once(&session.logon).chain(more.map(|(name, _)| name))
        });
        // A route may be asked on the feed's leg, too, where one is open, and what the gateway answers otherwise.
        let feed = self.feed.iter().flat_map(Feed::names);
        let feed = feed
            .filter(|name| !self.methods.contains_key(*name) && !self.replies.contains_key(*name));
        let mut all: Vec<_> = self.methods.keys().chain(self.replies.keys()).collect();
        all.extend(feed);
        all.extend(session);
        let count = all.len();
        all.sort();
        all.dedup();
        if all.len() < count {
            return Err(wrong("methods", "one name means two things"));
        }
        Ok(())
    }
}

fn boxed(names: &[String]) -> Box<[Box<str>]> {
    names.iter().map(|name| name.as_str().into()).collect()
}

type Replies = HashMap<Box<str>, Template>;

fn replies(written: &BTreeMap<String, String>) -> Result<Replies, DialectError> {
    let compiled = written.iter().map(|(name, text)| {
        let template = Template::compile(text, &format!("replies.{name}"))?;
        Ok((name.as_str().into(), template))
    });
    compiled.collect()
}

impl Against<'_> {
    fn frame(&self, name: &str, field: &str) -> Result<usize, DialectError> {
        let found = self.frames.iter().position(|frame| *frame.name == *name);
        found.ok_or_else(|| wrong(field, format!("no frame {name:?}")))
    }

    fn methods(
        &self,
        written: &ChannelDefinition,
    ) -> Result<HashMap<Box<str>, Method>, DialectError> {
        let compiled = written.methods.iter().map(|(name, method)| {
            let method = self.method(name, method, written)?;
            Ok((name.as_str().into(), method))
        });
        compiled.collect()
    }

    fn method(
        &self,
        name: &str,
        written: &MethodDefinition,
        channel: &ChannelDefinition,
    ) -> Result<Method, DialectError> {
        let field = format!("methods.{name}.route");
        let missing = || wrong(&field, format!("no route {:?}", written.route));
        let (verb, path) = written.route.split_once(' ').ok_or_else(missing)?;
        let route = self.routes.find(verb, path).ok_or_else(missing)?;
        let one = *route.method == *verb && *route.path == *path;
        if !one || route.stream || route.channel {
            return Err(wrong(&field, "it is no route with one path for requests"));
        }
        if route.body == BodyKind::Json && !matches!(verb, "POST" | "PUT") {
            return Err(wrong(&field, "a route without a body takes no JSON"));
        }
        let parameters = written.parameters.as_ref();
        let template = |text: &String| Template::compile(text, &format!("methods.{name}.answer"));
        let mut names = channel.names.clone();
        names.extend(written.names.clone());
        let own = !written.names.is_empty();
        let items = written.items.as_ref();
        let items = items.map(|items| Items::compile(items, &format!("methods.{name}.items")));
        Ok(Method {
            // JSON goes on as sent where nothing of it is the channel's own.
            anew: !(channel.own.is_empty() && names.is_empty()),
            names: own.then(|| Renames::compile(&names)),
            repeated: written.repeated.as_deref().map(Name::from),
            answer: written.answer.as_ref().map(template).transpose()?,
            items: items.transpose()?,
            several: match &written.several {
                Some(several) => {
                    let field = format!("methods.{name}.several");
                    let method = self.method(name, &several.method, channel)?;
                    Some(Box::new(Several::compile(several, method, &field)?))
                }
                None => None,
            },
            route: (verb.into(), path.into()),
            parameters: parameters.unwrap_or(&channel.parameters).as_str().into(),
        })
    }

    /// Returns the tokens of the route that is `written`, as a message shows them inside of `parameters`, and its weight.
    fn mints(&self, written: &str, parameters: &str) -> Result<(Tokens, u32), DialectError> {
        const FIELD: &str = "session.logon.mints";
        let missing = || wrong(FIELD, format!("no route {written:?} that mints"));
        let (verb, path) = written.split_once(' ').ok_or_else(missing)?;
        let route = self.routes.find(verb, path).ok_or_else(missing)?;
        let mints = route.mints().ok_or_else(missing)?;
        let inside = |name: &str| Name::from(&*format!("{parameters}.{name}"));
        let tokens = Tokens {
            route: (verb.into(), path.into()),
            refresh: mints.refresh.as_ref().map(|refresh| refresh.named(inside)),
        };
        Ok((tokens, route.weight))
    }

    fn session(
        &self,
        written: &SessionDefinition,
        parameters: &str,
    ) -> Result<Session, DialectError> {
        const FIELD: &str = "session";
        let SessionDefinition {
            seconds,
            logon,
            status,
            logout,
        } = written;
        let template = |text: &str, last: &str| Template::compile(text, &format!("{FIELD}.{last}"));
        let reply = |written: &Option<ReplyDefinition>, last: &str| match written {
            Some(reply) => {
                let answer = template(&reply.answer, &format!("{last}.answer"))?;
                Ok(Some((reply.method.as_str().into(), answer)))
            }
            None => Ok(None),
        };
        if *seconds == 0 {
            return Err(wrong("session.seconds", "a session lasts a while"));
        }
        let error = logon.error.as_ref();
        let error = error.map(|text| template(text, "logon.error"));
        let mints = logon.mints.as_ref();
        let mints = mints
            .map(|route| self.mints(route, parameters))
            .transpose()?;
        let (mints, minting) = mints.unzip();
        if minting.is_some() && logon.weight.is_some() {
            let what = "it is the weight of the route by which it mints";
            return Err(wrong("session.logon.weight", what));
        }
        let answer = template(&logon.answer, "logon.answer")?;
        let refreshes = mints.as_ref().is_some_and(|mints| mints.refresh.is_some());
        if answer.hands_out() != [mints.is_some(), refreshes] {
            let what = "{token} where it mints, and {refresh} where that refreshes";
            return Err(wrong("session.logon.answer", what));
        }
        Ok(Session {
            seconds: *seconds,
            logon: logon.method.as_str().into(),
            weight: minting.or(logon.weight).unwrap_or(1),
            frame: self.frame(&logon.frame, "session.logon.frame")?,
            answer,
            mints,
            error: error.transpose()?,
            status: reply(status, "status")?,
            logout: reply(logout, "logout")?,
        })
    }
}
