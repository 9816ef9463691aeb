//! Private streams that a token opens: what a route has to do with one (docs/adr/0034).
//!
//! The venue's token stays in the gateway. Where the venue hands one out, its answer is written anew with one of the
//! gateway's own; where a client shows that, the request is written anew with the venue's.

use std::borrow::Cow;

use ringfence_core::refusal::{Code, Refusal};
use serde::Deserialize;

use super::compile::wrong;
use super::definition::LendsDefinition;
use super::name::Name;
use super::scratch::Pairs;
use super::{Dialect, DialectError, Head, Outgoing, Route};
use crate::{form, json};

/// What a message asks of the token of a private stream.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Lending {
    /// To have it, for as long as it is good from now on.
    Begin,
    /// To have it good for longer. The venue knows whose it is.
    Prolong,
    /// To have it end. The venue is not told: its own token may be another's, too.
    End,
}

/// A route by which a private stream's token is had.
#[derive(Debug)]
pub struct Lends {
    /// What the message asks.
    pub does: Lending,
    /// Whether the key's name is enough.
    pub by_name: bool,
    /// How long the token is good, in seconds.
    pub seconds: u64,
    token: Name,
    answer: Box<str>,
}

/// What a route has to do with the token of a private stream.
#[derive(Debug)]
pub(super) enum Private {
    Lends(Lends),
    /// It opens the stream: the parameter that shows the token, or the segment of the path in its place.
    Shows(Name, Option<Box<str>>),
}

/// Longest that a token is good without being prolonged: a day.
const SECONDS_MAX: u64 = 86_400;
/// Longest token of a venue.
const TOKEN_MAX: usize = 512;
/// Shortest that is taken for one where it stands among names of market streams; ccxt calls such streams `0`, `1`, ...
const TOKEN_MIN: usize = 32;

impl Lends {
    pub(super) fn compile(written: &LendsDefinition, field: &str) -> Result<Self, DialectError> {
        let sample = written.answer.replace("{token}", "x");
        let told = written.answer.contains("{token}");
        let json = serde_json::from_str::<serde_json::Value>(&sample).is_ok();
        if !json || (written.does == Lending::Begin && !told) {
            let what = "JSON text, with {token} in it where the token is handed out";
            return Err(wrong(&format!("{field}.answer"), what));
        }
        if written.seconds == 0 || written.seconds > SECONDS_MAX {
            let what = format!("1 to {SECONDS_MAX}");
            return Err(wrong(&format!("{field}.seconds"), what));
        }
        Ok(Self {
            does: written.does,
            by_name: written.by_name,
            seconds: written.seconds,
            token: Name::from(&*written.token),
            answer: written.answer.as_str().into(),
        })
    }

    /// Returns the token in the venue's answer; none where there is none that could stand in an address.
    pub fn found<'a>(&self, body: &'a [u8]) -> Option<Cow<'a, str>> {
        let text = std::str::from_utf8(body).ok()?;
        let raw = json::find(text, self.token.as_str()).ok()??;
        let raw = raw.starts_with('"').then_some(raw)?;
        let token = json::said(raw).ok()?;
        is_token(&token).then_some(token)
    }

    /// Returns what the client is answered, as JSON.
    pub fn answer(&self, token: &str) -> String {
        self.answer.replace("{token}", token)
    }
}

impl Private {
    /// Compiles that of a route which opens a stream: its path has a segment for the token, or it has a parameter.
    pub(super) fn shown(name: &str, path: &str) -> Self {
        let segment = format!("{{{name}}}");
        let inside = path.split('/').any(|part| part == segment);
        Self::Shows(name.into(), inside.then(|| segment.into()))
    }
}

/// Tells whether `text` can be a token: unlike the names of market streams, it has neither `@` nor `!`.
fn is_token(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    !text.is_empty() && text.len() <= TOKEN_MAX && text.bytes().all(plain)
}

impl Route {
    /// Returns what is done here with the token of a private stream.
    pub fn lends(&self) -> Option<&Lends> {
        match self.private.as_deref() {
            Some(Private::Lends(lends)) => Some(lends),
            Some(Private::Shows(..)) | None => None,
        }
    }

    /// Tells whether it opens a private stream by a token.
    pub fn shows(&self) -> bool {
        matches!(self.private.as_deref(), Some(Private::Shows(..)))
    }

    /// Tells whether what stands in `path` in place of a token could be one.
    pub(super) fn fits_token(&self, path: &str) -> bool {
        match self.private.as_deref() {
            Some(Private::Shows(_, Some(segment))) => {
                let shown = self.segment(path, segment);
                shown.is_some_and(|text| is_token(text) && text.len() >= TOKEN_MIN)
            }
            Some(Private::Lends(_) | Private::Shows(_, None)) | None => true,
        }
    }

    /// Returns the token that a message which asks for a stream's token shows.
    pub(super) fn lent<'a>(&self, pairs: &'a Pairs) -> Option<&'a str> {
        pairs.get(&self.lends()?.token)
    }
}

impl Dialect {
    /// Returns the token that the opening of a private stream shows.
    ///
    /// # Errors
    ///
    /// `credential_missing` where it shows none, `form_duplicate` where it shows two, `token_unknown` for what can be none.
    pub fn shown<'a>(&self, route: &Route, head: &Head<'a>) -> Result<Cow<'a, str>, Refusal> {
        let missing = || Refusal::new(Code::CredentialMissing);
        let Some(Private::Shows(name, segment)) = route.private.as_deref() else {
            return Err(missing());
        };
        if let Some(segment) = segment {
            return route
                .segment(head.path, segment)
                .map(Cow::from)
                .ok_or_else(missing);
        }
        let mut values = head.query.split('&').filter_map(|pair| {
            let (known, value) = pair.split_once('=').unwrap_or((pair, ""));
            (known == name.as_str()).then_some(value)
        });
        match (values.next(), values.next()) {
            (Some(value), None) if is_token(value) => Ok(value.into()),
            (Some(""), None) | (None, _) => Err(missing()),
            (Some(_), None) => Err(Code::TokenUnknown.into()),
            (Some(_), Some(_)) => Err(Refusal::new(Code::FormDuplicate).field(name.as_str())),
        }
    }

    /// Writes the opening of a private stream anew, with the venue's `token` in place of the one that was shown.
    pub fn open(&self, route: &Route, head: &Head<'_>, token: &str) -> Outgoing {
        let mut outgoing = Outgoing {
            target: head.path.to_owned(),
            body: Vec::new(),
            content_type: None,
        };
        match route.private.as_deref() {
            Some(Private::Shows(_, Some(segment))) => {
                outgoing.target = route.path.replace(&**segment, token);
            }
            Some(Private::Shows(name, None)) => {
                let mut rest = String::new();
                form::without(head.query, name.as_str(), &mut rest);
                let mark = if rest.is_empty() { "" } else { "&" };
                outgoing.target = format!("{}?{}={token}{mark}{rest}", head.path, name.as_str());
            }
            Some(Private::Lends(_)) | None => {}
        }
        outgoing
    }
}
