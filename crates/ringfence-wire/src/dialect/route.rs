//! Routes: method and path to operation, weight and parameters.

use std::collections::{BTreeMap, HashMap};

use ringfence_core::operation::Operation;
use ringfence_core::refusal::{Code, Refusal};

use super::admission::Admission;
use super::batch::Batch;
use super::compile::wrong;
use super::definition::{BodyKind, MintsDefinition, Shown};
use super::name::{Name, Names, Tag};
use super::order::OrderNames;
use super::private::Private;
use super::scheme::{Scheme, Signing};
use super::scratch::Pairs;
use super::weigh::Weigh;
use super::{DialectError, Scratch};

/// Names in a body, and what stands there; an empty text is anything.
pub(super) type When = Box<[(Name, Box<str>)]>;

/// One route.
#[derive(Debug)]
pub struct Route {
    /// Its place in the table.
    pub id: u16,
    /// Method, or `*`.
    pub method: Box<str>,
    /// Path, or `/**`.
    pub path: Box<str>,
    /// What it asks.
    pub operation: Operation,
    /// Whether a signature is asked for.
    pub signed: bool,
    /// Whether it is a WebSocket with market data, or a private one.
    pub stream: bool,
    /// Whether it is a WebSocket on which each message asks for another route.
    pub channel: bool,
    /// How its body is written.
    pub body: BodyKind,
    /// What the body says where it is this route, of those with its method and path, that is meant.
    pub(super) when: When,
    /// Where its orders stand, where it carries several.
    pub(super) batch: Option<Box<Batch>>,
    /// What the gateway answers itself.
    pub(super) mints: Option<Box<Mints>>,
    /// Where it is a WebSocket that a token opens: the route that hands that out.
    pub(super) admission: Option<u16>,
    /// What it has to do with the token of a private stream.
    pub(super) private: Option<Box<Private>>,
    /// What took its place at the venue.
    pub retired: Option<Box<str>>,
    /// Where its order's fields stand, if not where the dialect says.
    pub(super) order_names: Option<Box<OrderNames>>,
    /// Weight unless a parameter says otherwise.
    pub weight: u32,
    /// Orders that one message places.
    pub orders: u32,
    /// The side of every order, where the order itself does not say.
    pub(super) side: Option<&'static str>,
    pub(super) weight_by: Box<[Weigh]>,
    /// Closed list of parameters; none means that any may stand there.
    pub(super) parameters: Option<Names>,
}

/// A token that the gateway makes for who signed the message.
#[derive(Debug)]
pub struct Mints {
    /// How the message is signed, if not by the dialect's own scheme.
    pub(super) signing: Option<Signing>,
    pub(super) only: When,
    /// Where the token is shown.
    pub shown: Shown,
    /// How long the token is good, in seconds.
    pub seconds: u64,
    /// How the next is had without a signature.
    pub refresh: Option<Refresh>,
    /// What it opens, where it is shown in a handshake.
    pub(super) opens: Option<Admission>,
    answer: Box<str>,
}

/// A token that is good for one more of those that a route hands out, once.
#[derive(Debug)]
pub struct Refresh {
    only: When,
    token: Name,
    /// How long after the signature the last one can be had, in seconds.
    pub seconds: u64,
}

impl Refresh {
    /// Returns the token that a message shows, if it is a refresh.
    pub(super) fn shown<'a>(&self, pairs: &'a Pairs) -> Option<&'a str> {
        let says = |(name, wanted): &(Name, Box<str>)| pairs.get(name) == Some(&**wanted);
        let token = self.only.iter().all(says).then(|| pairs.get(&self.token));
        token.flatten()
    }

    /// Tells whether what is called `name` belongs to it.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut names = self.only.iter().map(|(name, _)| name);
        self.token.as_str() == name || names.any(|one| one.as_str() == name)
    }

    /// Returns the same under other names.
    pub(super) fn named(&self, name: impl Fn(&str) -> Name) -> Self {
        let only = self.only.iter();
        let only = only.map(|(known, value)| (name(known.as_str()), value.clone()));
        Self {
            only: only.collect(),
            token: name(self.token.as_str()),
            seconds: self.seconds,
        }
    }
}

/// Longest that a token of the gateway's own is good: a day.
const TOKEN_SECONDS_MAX: u64 = 86_400;

impl Mints {
    pub(super) fn compile(written: &MintsDefinition, field: &str) -> Result<Self, DialectError> {
        let has = |mark| written.answer.matches(mark).count() == 1;
        let sample = filled(&written.answer, "x", "x", "x");
        let json = serde_json::from_str::<serde_json::Value>(&sample).is_ok();
        let opens = written.opens.as_ref();
        let marks =
            has("{refresh}") == written.refresh.is_some() && has("{endpoint}") == opens.is_some();
        if !json || !has("{token}") || !marks {
            let what = "JSON text with {token} in it, {refresh} where it refreshes and {endpoint} where it opens something";
            return Err(wrong(&format!("{field}.answer"), what));
        }
        if opens.is_some() != (written.shown == Shown::Handshake) {
            let what = "what is shown in a handshake opens something, and nothing else does";
            return Err(wrong(&format!("{field}.opens"), what));
        }
        let opens = opens.map(|opens| Admission::compile(opens, &format!("{field}.opens")));
        let refresh = written.refresh.as_ref();
        for (seconds, name) in std::iter::once((written.seconds, "seconds"))
            .chain(refresh.map(|refresh| (refresh.seconds, "refresh.seconds")))
        {
            if seconds == 0 || seconds > TOKEN_SECONDS_MAX {
                let what = format!("1 to {TOKEN_SECONDS_MAX}");
                return Err(wrong(&format!("{field}.{name}"), what));
            }
        }
        if refresh.is_some_and(|refresh| refresh.only.is_empty()) {
            let what = "without it nothing tells a refresh from a logon";
            return Err(wrong(&format!("{field}.refresh.only"), what));
        }
        let scheme = written.signing.as_ref();
        let scheme = scheme.map(|own| Scheme::compile(own, &format!("{field}.signing")));
        Ok(Self {
            signing: scheme
                .transpose()?
                .map(|own| Signing::Canonical(Box::new(own.of_values()))),
            only: when(&written.only),
            shown: written.shown,
            seconds: written.seconds,
            refresh: refresh.map(|refresh| Refresh {
                only: when(&refresh.only),
                token: Name::from(&*refresh.token),
                seconds: refresh.seconds,
            }),
            opens: opens.transpose()?,
            answer: written.answer.as_str().into(),
        })
    }

    /// Returns what a token opens that is shown in a handshake.
    pub const fn opens(&self) -> Option<&Admission> {
        self.opens.as_ref()
    }

    /// Returns the token that the message shows in place of a signature, if it is a refresh.
    pub(super) fn refreshes<'a>(&self, scratch: &'a Scratch) -> Option<&'a str> {
        self.refresh.as_ref()?.shown(scratch.pairs())
    }

    /// Checks that the message asks for what is handed out here.
    ///
    /// # Errors
    ///
    /// `form_parameter_invalid`, naming what it asks for otherwise.
    pub(super) fn check(&self, scratch: &Scratch) -> Result<(), Refusal> {
        let wrong =
            |(name, wanted): &&(Name, Box<str>)| scratch.pairs().get(name) != Some(&**wanted);
        match self.only.iter().find(wrong) {
            Some((name, _)) => Err(Refusal::new(Code::FormParameterInvalid).field(name.as_str())),
            None => Ok(()),
        }
    }

    /// Returns the answer that hands `token` out, what the next is had for, and where it is to be shown, as JSON. No
    /// value may hold what JSON escapes.
    pub fn answer(&self, token: &str, refresh: &str, endpoint: &str) -> String {
        filled(&self.answer, token, refresh, endpoint)
    }
}

fn filled(answer: &str, token: &str, refresh: &str, endpoint: &str) -> String {
    answer
        .replace("{token}", token)
        .replace("{refresh}", refresh)
        .replace("{endpoint}", endpoint)
}

fn when(written: &BTreeMap<String, String>) -> When {
    let written = written.iter();
    written
        .map(|(name, value)| (Name::from(&**name), value.as_str().into()))
        .collect()
}

impl Route {
    /// Returns the token that the gateway answers this message with, if it does.
    pub fn mints(&self) -> Option<&Mints> {
        self.mints.as_deref()
    }

    /// Returns how its body is written, and where it has several orders.
    pub(super) fn form(&self) -> (BodyKind, Option<&Batch>) {
        (self.body, self.batch.as_deref())
    }

    /// Tells whether it takes every path.
    pub fn is_wildcard(&self) -> bool {
        &*self.path == WILDCARD
    }

    /// Tells whether a parameter called `name` may stand in the message.
    pub(super) fn takes(&self, tag: Tag, name: &str) -> bool {
        let list = self.parameters.as_ref();
        list.is_none_or(|list| list.contains(tag, name))
    }

    /// Returns the segment of `path`, which fits the route, that stands in place of `name`, braces included.
    pub(super) fn segment<'a>(&self, path: &'a str, name: &str) -> Option<&'a str> {
        let mut pairs = self.path.split('/').zip(path.split('/'));
        pairs.find_map(|(wanted, given)| (wanted == name).then_some(given))
    }

    /// Returns the largest weight that a parameter's value makes, if one does.
    pub(super) fn weight_for(&self, name: &str, value: &str) -> Option<u32> {
        let about = self.weight_by.iter();
        let about = about.filter(|by| by.parameter.as_str() == name);
        about.filter_map(|by| by.weight_for(value)).max()
    }
}

pub(super) const WILDCARD: &str = "/**";

#[derive(Debug, Default)]
pub(super) struct RouteTable {
    routes: Vec<Route>,
    /// Path to the routes that have it: two or three, one for each method.
    exact: HashMap<Box<str>, Vec<u16>>,
    /// Paths with open segments, in the order in which they stand.
    open: Vec<u16>,
    wildcards: Vec<u16>,
}

impl RouteTable {
    /// Adds a route; `false` when its method and path are taken, or there are more than 65,536.
    pub(super) fn add(&mut self, mut route: Route) -> bool {
        let Ok(id) = u16::try_from(self.routes.len()) else {
            return false;
        };
        let same = |r: &Route| r.method == route.method && r.path == route.path;
        // Of two routes with one place the body decides, so that each must say what it takes.
        let told = |r: &Route| !r.when.is_empty() && !route.when.is_empty() && r.when != route.when;
        if self.routes.iter().any(|r| same(r) && !told(r)) {
            return false;
        }
        route.id = id;
        if route.is_wildcard() {
            self.wildcards.push(id);
        } else if route.path.contains('{') {
            self.open.push(id);
        } else {
            self.exact.entry(route.path.clone()).or_default().push(id);
        }
        self.routes.push(route);
        true
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Option<&Route> {
        let exact = self.exact.get(path).map(Vec::as_slice).unwrap_or_default();
        let takes = |id: &u16| {
            let route = self.routes.get(usize::from(*id))?;
            (&*route.method == method || &*route.method == "*").then_some(route)
        };
        let open =
            |id: &u16| takes(id).filter(|route| fits(&route.path, path) && route.fits_token(path));
        let found = exact.iter().find_map(takes);
        let found = found.or_else(|| self.open.iter().find_map(open));
        found.or_else(|| self.wildcards.iter().find_map(takes))
    }

    /// Returns the routes that have the method and path of `route`.
    pub(super) fn beside<'a>(&'a self, route: &Route) -> impl Iterator<Item = &'a Route> {
        let (method, path) = (route.method.clone(), route.path.clone());
        let all = self.routes.iter();
        all.filter(move |other| other.method == method && other.path == path)
    }

    pub(super) fn get(&self, route: &Route) -> Option<&Route> {
        self.routes.get(usize::from(route.id))
    }

    /// Makes each WebSocket that a token opens ask for it.
    ///
    /// # Errors
    ///
    /// The number of a route whose token opens none, or one that another's opens, too.
    pub(super) fn admit(&mut self) -> Result<(), u16> {
        let minting = self.routes.iter().filter_map(|route| {
            let opens = route.mints()?.opens.as_ref()?;
            Some((route.id, opens.path.clone(), opens.parameters.clone()))
        });
        for (id, path, parameters) in minting.collect::<Vec<_>>() {
            let place = self.find("GET", &path).map(|route| usize::from(route.id));
            let opened = place.and_then(|place| self.routes.get_mut(place));
            let opened = opened.filter(|route| {
                let socket = route.stream || route.channel;
                socket && *route.path == *path && route.admission.is_none()
            });
            let opened = opened.ok_or(id)?;
            opened.admission = Some(id);
            let names = parameters.iter().map(|name| Name::from(&**name));
            opened.parameters = Some(names.collect());
        }
        Ok(())
    }

    /// Returns what admits to the WebSocket that `route` opens, where a token does.
    pub(super) fn admission(&self, route: &Route) -> Option<&Admission> {
        let minting = self.routes.get(usize::from(route.admission?));
        minting?.mints()?.opens.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }
}

/// Tells whether `path` is `pattern` with any one segment in place of each `{name}`.
///
/// A segment with an escape in it is none: one parser would see a `/` where another does not.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted.starts_with('{') => {
                let plain = |b: u8| {
                    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'@' | b'!')
                };
                if given.is_empty() || !given.bytes().all(plain) {
                    return false;
                }
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            (_, _) => return false,
        }
    }
}
