//! What a token admits to that is shown in a WebSocket's handshake: where that is, what the handshake says, and how the
//! gateway is admitted at the venue's own end.

use http::Uri;

use super::channel::{Heading, Said, Template};
use super::compile::wrong;
use super::definition::{AdmissionDefinition, VenueAdmissionDefinition};
use super::{Dialect, DialectError, Route};
use crate::{form, json};

/// Longest name that a client gives its connection.
const ID_BYTES: usize = 64;

/// What a token opens.
#[derive(Debug)]
pub struct Admission {
    /// The path of the WebSocket.
    pub path: Box<str>,
    /// All that may stand in the handshake's query.
    pub(super) parameters: Box<[Box<str>]>,
    token: Box<str>,
    id: Option<Box<str>>,
    over: Option<Template>,
    venue: Option<VenueAdmission>,
}

/// How the gateway is admitted by a token of the venue's.
#[derive(Debug)]
pub struct VenueAdmission {
    parameter: Box<str>,
    id: Option<Box<str>>,
    token: Box<str>,
    endpoint: Box<str>,
    hosts: Box<[Box<str>]>,
}

/// Where the venue's end is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Way {
    /// Host, and the port where it says one.
    pub authority: String,
    /// The host alone.
    pub host: String,
    /// The port, where it says one.
    pub port: Option<u16>,
    /// Whether it is reached by TLS.
    pub secure: bool,
    /// Path and query, with the token.
    pub target: String,
}

impl Dialect {
    /// Returns what a token must admit to before `route` is taken, and the route by which that is handed out.
    pub fn admission(&self, route: &Route) -> Option<(&Admission, &Route)> {
        let admission = self.routes.admission(route)?;
        Some((admission, self.minting(admission)?))
    }

    /// Returns how the venue admits to its end of the WebSocket at `path`, and the route by which it hands its token out.
    pub fn venue_admission(&self, path: &str) -> Option<(&VenueAdmission, &Route)> {
        let admission = self.routes.admission(self.routes.find("GET", path)?)?;
        Some((admission.venue.as_ref()?, self.minting(admission)?))
    }

    fn minting(&self, admission: &Admission) -> Option<&Route> {
        let opens = |route: &&Route| {
            let opens = route.mints().and_then(|mints| mints.opens());
            opens.is_some_and(|opens| opens.path == admission.path)
        };
        self.routes.iter().find(opens)
    }
}

impl Admission {
    pub(super) fn compile(
        written: &AdmissionDefinition,
        field: &str,
    ) -> Result<Self, DialectError> {
        let named = [Some(&written.token), written.id.as_ref()];
        let named = named.into_iter().flatten().chain(&written.beside);
        let mut parameters: Vec<Box<str>> = named.map(|name| name.as_str().into()).collect();
        let count = parameters.len();
        parameters.sort();
        parameters.dedup();
        if parameters.len() < count {
            return Err(wrong(field, "one parameter means two things"));
        }
        let over = written.over.as_ref();
        let over = over.map(|text| Template::compile(text, &format!("{field}.over")));
        let venue = written.venue.as_ref();
        let venue = venue.map(|venue| VenueAdmission::compile(written, venue, field));
        Ok(Self {
            path: written.path.as_str().into(),
            parameters: parameters.into(),
            token: written.token.as_str().into(),
            id: written.id.as_deref().map(Box::from),
            over: over.transpose()?,
            venue: venue.transpose()?,
        })
    }

    /// Returns the name of the parameter that is the token.
    pub fn parameter(&self) -> &str {
        &self.token
    }

    /// Returns the token that a handshake shows, as it stands there; its query has been read before.
    pub fn token<'q>(&self, query: &'q str) -> Option<&'q str> {
        value(query, &self.token)
    }

    /// Returns a handshake's query without the token, which is good here alone.
    pub(super) fn without_token(&self, query: &str, out: &mut String) {
        form::without(query, &self.token, out);
    }

    /// Returns the heading of what a client is told first: what it calls its connection, or else `name`.
    pub fn heading(&self, query: &str, name: &str) -> Heading {
        let id = self.id.as_ref().and_then(|id| value(query, id));
        let mut decoded = String::new();
        let id = id.filter(|id| form::decode(id, &mut decoded).is_ok());
        let id = id.map(|_| &*decoded).filter(|id| id.len() <= ID_BYTES);
        Heading {
            id: serde_json::to_string(id.unwrap_or(name)).unwrap_or_default(),
            has_id: true,
            ..Heading::default()
        }
    }

    /// Returns what who shows a token that is over is told before the WebSocket is closed, where the venue does so.
    pub fn over(&self, heading: &Heading) -> Option<String> {
        self.over.as_ref()?.fill(heading, &Said::default())
    }
}

/// Returns a value as it stands in a query.
fn value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut pairs = form::pairs(query, None).map_while(Result::ok);
    let pair = pairs.find(|pair| pair.name == name)?;
    Some(pair.value)
}

impl VenueAdmission {
    fn compile(
        handshake: &AdmissionDefinition,
        written: &VenueAdmissionDefinition,
        field: &str,
    ) -> Result<Self, DialectError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        let host = |host: &String| {
            let name = host.strip_prefix("*.").unwrap_or(host);
            name.contains('.') && name.bytes().all(plain)
        };
        if !written.hosts.iter().all(host) {
            let what = "a host is a domain's name in low case, with `*.` before it for one label";
            return Err(wrong(&format!("{field}.venue.hosts"), what));
        }
        Ok(Self {
            parameter: handshake.token.as_str().into(),
            id: handshake.id.as_deref().map(Box::from),
            token: written.token.as_str().into(),
            endpoint: written.endpoint.as_str().into(),
            hosts: written
                .hosts
                .iter()
                .map(|host| host.as_str().into())
                .collect(),
        })
    }

    /// Returns where the venue's end is by what its answer says, for a connection called `name`; none where it says no
    /// such thing. Where that may be is for [`VenueAdmission::may_be`] to tell.
    pub fn way(&self, answer: &str, name: &str) -> Option<Way> {
        let said = |path| {
            let raw = json::find(answer, path).ok()??;
            raw.starts_with('"').then(|| json::said(raw).ok())?
        };
        let (token, endpoint) = (said(&self.token)?, said(&self.endpoint)?);
        let uri: Uri = endpoint.parse().ok()?;
        let authority = uri.authority()?;
        let secure = match uri.scheme_str()? {
            "wss" => true,
            "ws" => false,
            _ => return None,
        };
        if token.is_empty() || authority.as_str().contains('@') || uri.query().is_some() {
            return None;
        }
        let mut target = format!("{}?{}=", uri.path(), self.parameter);
        form::escape(&token, &mut target);
        if let Some(id) = &self.id {
            target.push_str(&format!("&{id}="));
            form::escape(name, &mut target);
        }
        Some(Way {
            authority: authority.as_str().to_owned(),
            host: authority.host().to_owned(),
            port: authority.port_u16(),
            secure,
            target,
        })
    }

    /// Tells whether a way leads to where the venue's ends may be beside its own address.
    pub fn may_be(&self, way: &Way) -> bool {
        let host = way.host.to_ascii_lowercase();
        let fits = |wanted: &str| match wanted.strip_prefix("*.") {
            Some(rest) => {
                let parts = host.split_once('.');
                parts.is_some_and(|(label, under)| !label.is_empty() && under == rest)
            }
            None => *wanted == *host,
        };
        way.secure && self.hosts.iter().any(|wanted| fits(wanted))
    }
}

#[cfg(test)]
mod tests;
