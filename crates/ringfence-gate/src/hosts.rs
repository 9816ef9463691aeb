//! Where the venue is: the address of its API, and the hosts that have its WebSockets.
//!
//! Invariant: a WebSocket goes to the host of the longest listed path that its own begins with, one that is somebody's to
//! that path's private host where there is one, and nowhere else.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Uri;
use ringfence_wire::Leg;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::error::GateError;
use crate::shared::Speech;
use crate::snapshot::UpstreamConfig;
use crate::tls;

/// Where somebody can be reached.
pub(crate) enum Place {
    /// Host and port.
    Net(String),
    /// A Unix socket.
    Local(PathBuf),
}

/// Where messages go.
pub(crate) struct Venue {
    /// What `Host` says.
    pub(crate) host: HeaderValue,
    pub(crate) place: Place,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) connections: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

/// What a URL may begin with: plain, and over TLS.
struct Schemes(&'static str, &'static str);

const API: Schemes = Schemes("http", "https");
const WEBSOCKET: Schemes = Schemes("ws", "wss");

/// The hosts that have WebSockets which are not at the API's address.
#[derive(Default)]
pub(crate) struct Hosts {
    /// The longest path first.
    each: Vec<Host>,
}

struct Host {
    /// Its place in the configuration.
    index: usize,
    /// Without a slash at its end.
    path: Box<str>,
    public: Venue,
    /// For what is somebody's, if that is elsewhere.
    private: Option<Venue>,
}

impl Host {
    fn has(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&*self.path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Hosts {
    /// Returns the host of the WebSocket at `path`; none: it is at the API's address.
    pub(crate) fn at(&self, path: &str, whose: Leg) -> Option<&Venue> {
        let host = self.host(path)?;
        let private = host.private.as_ref().filter(|_| whose == Leg::Private);
        Some(private.unwrap_or(&host.public))
    }

    fn host(&self, path: &str) -> Option<&Host> {
        self.each.iter().find(|host| host.has(path))
    }

    /// Checks that each is there for a WebSocket of the listeners' dialects.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] naming the path at which none is.
    pub(crate) fn check(
        &self,
        egress: bool,
        speeches: &HashMap<String, Arc<Speech>>,
    ) -> Result<(), GateError> {
        let mut used = vec![false; self.each.len()];
        for dialect in speeches.values().map(|speech| &speech.dialect) {
            for path in dialect.venue_websockets() {
                // Where that is, the venue says with its token.
                if egress && dialect.venue_admission(path).is_some() {
                    continue;
                }
                if let Some(host) = self.host(path)
                    && let Some(used) = used.get_mut(host.index)
                {
                    *used = true;
                }
            }
        }
        match used.iter().position(|used| !used) {
            Some(index) => {
                let what = "the gateway opens no WebSocket there; remove it, or correct the path";
                Err(GateError::config(
                    format!("upstream.websockets[{index}].path"),
                    what,
                ))
            }
            None => Ok(()),
        }
    }
}

/// Returns where the API is, and where WebSockets are that are not there.
///
/// # Errors
///
/// [`GateError::Config`] naming the URL or the path that is wrong.
pub(crate) fn build(config: &UpstreamConfig) -> Result<(Venue, Hosts), GateError> {
    let mut maker = Maker { config, tls: None };
    let venue = maker.venue(&config.url, "upstream.url", &API)?;
    let mut each: Vec<Host> = Vec::with_capacity(config.websockets.len());
    for (index, one) in config.websockets.iter().enumerate() {
        let field = |name: &str| format!("upstream.websockets[{index}].{name}");
        let path = one.path.trim_end_matches('/');
        if !one.path.starts_with('/') || one.path.contains(['?', '#']) {
            return Err(GateError::config(field("path"), "a path such as /ws"));
        }
        if each.iter().any(|other| *other.path == *path) {
            let what = format!("{} is there twice; remove one", one.path);
            return Err(GateError::config(field("path"), what));
        }
        let private = one.private.as_deref();
        let private = private.map(|url| maker.venue(url, &field("private"), &WEBSOCKET));
        each.push(Host {
            index,
            path: path.into(),
            public: maker.venue(&one.url, &field("url"), &WEBSOCKET)?,
            private: private.transpose()?,
        });
    }
    each.sort_by_key(|host| std::cmp::Reverse(host.path.len()));
    Ok((venue, Hosts { each }))
}

/// Makes addresses that have the same roots, timeouts and bounds.
struct Maker<'a> {
    config: &'a UpstreamConfig,
    /// Once one asked for it.
    tls: Option<Arc<ClientConfig>>,
}

impl Maker<'_> {
    fn venue(&mut self, url: &str, field: &str, schemes: &Schemes) -> Result<Venue, GateError> {
        let wrong = |e: &dyn std::fmt::Display| GateError::config(field, e);
        let Schemes(plain, secure) = schemes;
        let wanted = format!(
            "a URL such as {secure}://api.example.com or {plain}://127.0.0.1:9000, without a path"
        );
        let uri: Uri = url.parse().map_err(|e| wrong(&e))?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri
            .authority()
            .filter(|a| bare && !a.as_str().contains('@'));
        let authority = authority.ok_or_else(|| wrong(&wanted))?;
        let over_tls = match uri.scheme_str() {
            Some(scheme) if scheme == *secure => true,
            Some(scheme) if scheme == *plain => false,
            Some(_) | None => return Err(wrong(&wanted)),
        };
        let port = authority
            .port_u16()
            .unwrap_or(if over_tls { 443 } else { 80 });
        let tls = if over_tls {
            let name = ServerName::try_from(authority.host().to_owned()).map_err(|e| wrong(&e))?;
            Some((self.tls()?, name))
        } else {
            None
        };
        let config = self.config;
        Ok(Venue {
            place: Place::Net(format!("{}:{port}", authority.host())),
            host: HeaderValue::from_str(authority.as_str()).map_err(|e| wrong(&e))?,
            tls,
            connections: config.connections.max(1),
            connect_timeout: Duration::from_millis(config.connect_timeout_ms),
            response_timeout: Duration::from_millis(config.response_timeout_ms),
        })
    }

    fn tls(&mut self) -> Result<Arc<ClientConfig>, GateError> {
        if let Some(made) = &self.tls {
            return Ok(Arc::clone(made));
        }
        let ca = self.config.ca.as_deref();
        let ca = ca
            .ok_or_else(|| GateError::config("upstream.ca", "a venue reached over TLS needs it"))?;
        let made = tls::venue(ca)?;
        self.tls = Some(Arc::clone(&made));
        Ok(made)
    }
}

#[cfg(test)]
mod tests;
