//! Messages that a channel's client is answered with.

use std::collections::HashMap;
use std::fmt::Write as _;

use ringfence_core::refusal::Refusal;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::super::compile::wrong;
use super::super::definition::Unit;
use super::super::scheme::write_time;
use super::super::{Dialect, DialectError};
use super::{Channel, Heading};
use crate::json;

/// What an answer can speak of, beside its message's heading.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// The status of the route's answer.
    pub status: u16,
    /// The body of the route's answer.
    pub body: &'a str,
    /// The connection's name.
    pub connection: &'a str,
    /// The key of the session.
    pub key: Option<&'a str>,
    /// When the session began, in milliseconds since the Unix epoch.
    pub since_ms: Option<u64>,
    /// When the connection was opened, in milliseconds since the Unix epoch.
    pub connected_ms: u64,
    /// In milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The name of the message in the ledger.
    pub trace: &'a str,
    /// What was wrong, for people.
    pub message: &'a str,
    /// How we log on at the venue.
    pub seal: Sealing<'a>,
    /// The token that a logon hands out, and the one that the next is had for.
    pub tokens: [&'a str; 2],
    /// What is told of each of a list.
    pub items: &'a str,
    /// How limits stand, as members of a list.
    pub limits: &'a str,
}

/// What a logon at the venue is written from, beside the key.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Sealing<'a> {
    pub nonce: &'a str,
    pub passphrase: &'a str,
    pub signature: &'a str,
    pub time: &'a str,
}

/// Which of the gateway's own answers is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)]
pub enum Spoke {
    Logon,
    Logout,
    Reply,
    Status,
    Welcome,
}

/// A message with places that are filled in.
#[derive(Debug)]
pub(in crate::dialect) struct Template {
    parts: Box<[Part]>,
    /// Whether it takes the answer's body apart.
    members: bool,
}

#[derive(Clone, Debug)]
enum Part {
    Body,
    /// A value of the outermost object of the body; `null` where there is none.
    Member(Box<str>),
    /// The same further inside, with `.` between the names.
    Inner(Box<str>),
    Connected,
    Connection,
    Id,
    Items,
    Key,
    /// A member of this name, where the message wants it.
    Limits(Box<str>),
    Message,
    Method,
    Nonce,
    Now,
    NowText,
    Passphrase,
    Refresh,
    Signature,
    Repeated,
    Since,
    Status,
    Text(Box<str>),
    Time,
    Token,
    Trace,
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "body" => Self::Body,
            "connected_ms" => Self::Connected,
            "connection" => Self::Connection,
            "id" => Self::Id,
            "items" => Self::Items,
            "key" => Self::Key,
            "message" => Self::Message,
            "method" => Self::Method,
            "nonce" => Self::Nonce,
            "now" => Self::NowText,
            "now_ms" => Self::Now,
            "passphrase" => Self::Passphrase,
            "refresh" => Self::Refresh,
            "signature" => Self::Signature,
            "repeated" => Self::Repeated,
            "since_ms" => Self::Since,
            "status" => Self::Status,
            "time" => Self::Time,
            "token" => Self::Token,
            "trace" => Self::Trace,
            _ if name.starts_with("limits.") => {
                Self::Limits(name.trim_start_matches("limits.").into())
            }
            _ => match name.strip_prefix("body.")? {
                inner if inner.contains('.') => Self::Inner(inner.into()),
                name => Self::Member(name.into()),
            },
        })
    }
}

type Members<'a> = HashMap<&'a str, &'a RawValue>;

impl Template {
    /// Compiles a JSON text in which `{name}` stands for something; a brace before anything but a letter is a brace.
    pub(in crate::dialect) fn compile(text: &str, field: &str) -> Result<Self, DialectError> {
        let mut parts = Vec::new();
        let (mut from, mut look) = (0, 0);
        while let Some(at) = text.get(look..).and_then(|rest| rest.find('{')) {
            let open = look + at;
            look = open + 1;
            let rest = text.get(look..).unwrap_or_default();
            if !rest.starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            let name = rest.split('}').next().unwrap_or_default();
            let part = Part::named(name);
            let part = part.ok_or_else(|| wrong(field, format!("unknown placeholder {name:?}")))?;
            parts.push(Part::Text(text.get(from..open).unwrap_or_default().into()));
            parts.push(part);
            from = look + name.len() + 1;
            look = from;
        }
        parts.push(Part::Text(text.get(from..).unwrap_or_default().into()));
        let template = Self {
            members: parts.iter().any(|part| matches!(part, Part::Member(_))),
            parts: parts.into(),
        };
        let sample = Said {
            body: "{}",
            seal: Sealing {
                time: "0",
                ..Sealing::default()
            },
            ..Said::default()
        };
        let heading = Heading {
            id: "1".into(),
            ..Heading::default()
        };
        let sample = template.fill(&heading, &sample).unwrap_or_default();
        match serde_json::from_str::<IgnoredAny>(&sample) {
            Ok(_) => Ok(template),
            Err(e) => Err(wrong(field, format!("it makes no JSON: {e}"))),
        }
    }

    /// Tells whether a token, and one for the next, are filled in.
    pub(super) fn hands_out(&self) -> [bool; 2] {
        let has = |wanted: fn(&Part) -> bool| self.parts.iter().any(wanted);
        [
            has(|part| matches!(part, Part::Token)),
            has(|part| matches!(part, Part::Refresh)),
        ]
    }

    /// Fills it in; none if it needs a body that is no JSON.
    pub(in crate::dialect) fn fill(&self, heading: &Heading, said: &Said<'_>) -> Option<String> {
        let members: Members<'_> = match self.members {
            true => serde_json::from_str(said.body).ok()?,
            false => HashMap::new(),
        };
        let mut out = String::with_capacity(said.body.len() + 128);
        for part in &self.parts {
            // Writing to a String cannot fail.
            match part {
                Part::Body => {
                    serde_json::from_str::<IgnoredAny>(said.body).ok()?;
                    out.push_str(said.body);
                }
                Part::Member(name) => {
                    let member = members.get(&**name);
                    out.push_str(member.map_or("null", |member| member.get()));
                }
                Part::Inner(path) => {
                    out.push_str(json::find(said.body, path).ok()?.unwrap_or("null"));
                }
                Part::Repeated => out.push_str(heading.repeated.as_deref().unwrap_or("null")),
                Part::NowText => {
                    let now_us = said.now_ms.saturating_mul(1000);
                    quote(&write_time(Unit::Iso8601, now_us), &mut out);
                }
                Part::Id => out.push_str(&heading.id),
                Part::Items => out.push_str(said.items),
                Part::Limits(name) if heading.limits => {
                    let _ = write!(out, ",\"{name}\":[{}]", said.limits);
                }
                Part::Limits(_) => {}
                Part::Connection => quote(said.connection, &mut out),
                Part::Message => quote(said.message, &mut out),
                Part::Method => quote(&heading.method, &mut out),
                Part::Key => match said.key {
                    Some(key) => quote(key, &mut out),
                    None => out.push_str("null"),
                },
                Part::Since => match said.since_ms {
                    Some(since) => drop(write!(out, "{since}")),
                    None => out.push_str("null"),
                },
                Part::Connected => drop(write!(out, "{}", said.connected_ms)),
                Part::Now => drop(write!(out, "{}", said.now_ms)),
                Part::Status => drop(write!(out, "{}", said.status)),
                Part::Text(text) => out.push_str(text),
                Part::Nonce => quote(said.seal.nonce, &mut out),
                Part::Passphrase => quote(said.seal.passphrase, &mut out),
                Part::Signature => quote(said.seal.signature, &mut out),
                Part::Refresh => quote(said.tokens[1], &mut out),
                Part::Time => out.push_str(said.seal.time),
                Part::Token => quote(said.tokens[0], &mut out),
                Part::Trace => quote(said.trace, &mut out),
            }
        }
        Some(out)
    }
}

fn quote(text: &str, out: &mut String) {
    // A text has always a form in JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

impl Dialect {
    /// Returns what a route answered as messages, of which there is one unless each of several orders has its own; none
    /// if the answer is no JSON.
    pub fn speak(&self, path: &str, heading: &Heading, said: &Said<'_>) -> Option<Vec<String>> {
        let channel = self.channel(path)?;
        let failed = match &channel.failed {
            Some(place) => json::find(said.body, place).ok()?.is_some(),
            None => false,
        };
        let method = channel.methods.get(&*heading.method);
        if failed || !(200..300).contains(&said.status) {
            return Some(vec![channel.error.fill(heading, said)?]);
        }
        let several = method.and_then(|method| method.several.as_ref());
        if let Some(several) = several.filter(|_| !heading.each.is_empty()) {
            return several.fill(heading, said);
        }
        let items = method.and_then(|method| method.items.as_ref());
        let items = match items {
            Some(items) => items.fill(heading, said)?,
            None => String::new(),
        };
        let own = method.and_then(|method| method.answer.as_ref());
        let said = Said {
            items: &items,
            ..*said
        };
        Some(vec![own.unwrap_or(&channel.answer).fill(heading, &said)?])
    }

    /// Returns one of the gateway's own answers.
    pub fn speak_own(
        &self,
        path: &str,
        spoke: Spoke,
        heading: &Heading,
        said: &Said<'_>,
    ) -> Option<String> {
        let channel = self.channel(path)?;
        let session = channel.session.as_ref();
        let reply = match spoke {
            Spoke::Reply => channel.replies.get(heading.method.as_str()),
            Spoke::Logon => session.map(|session| &session.answer),
            Spoke::Status => session.and_then(|session| Some(&session.status.as_ref()?.1)),
            Spoke::Welcome => channel.welcome.as_ref(),
            Spoke::Logout => session.and_then(|session| Some(&session.logout.as_ref()?.1)),
        };
        reply?.fill(heading, said)
    }

    /// Returns a refusal as a message, and its status; without a heading nothing of the message could be read.
    pub fn speak_refusal(
        &self,
        path: &str,
        heading: Option<&Heading>,
        refusal: &Refusal,
        said: &Said<'_>,
    ) -> (String, u16) {
        let rendered = self.render(refusal);
        let message = refusal.to_string();
        let said = Said {
            status: rendered.status,
            // INVARIANT: compiling made sure that every refusal is rendered as JSON.
            body: std::str::from_utf8(&rendered.body).unwrap_or_default(),
            message: &message,
            ..*said
        };
        let unknown = Heading {
            id: "null".into(),
            ..Heading::default()
        };
        let spoken = self.channel(path).and_then(|channel| match heading {
            Some(heading) => channel.refusal(heading).fill(heading, &said),
            None => channel.malformed.fill(&unknown, &said),
        });
        (spoken.unwrap_or_default(), rendered.status)
    }
}

impl Channel {
    /// Returns how a message is refused.
    fn refusal(&self, heading: &Heading) -> &Template {
        let session = self.session.as_ref();
        let logon = session.filter(|session| *session.logon == *heading.method);
        let own = logon.and_then(|session| session.error.as_ref());
        own.unwrap_or(&self.error)
    }
}
