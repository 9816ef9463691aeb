//! The names that a listener goes by. What is signed for `@authority` (RFC 9421 2.2.3) or `htu` (RFC 9449 4.2) is signed
//! for one of them, or for another gateway: two that hold the same key must not take each other's messages.

use ringfence_core::refusal::{Code, Refusal};

use crate::error::GateError;

/// A name, and the port that belongs to it; none: it is good with any.
#[derive(Clone, Debug)]
struct Name {
    host: Box<str>,
    port: Option<u16>,
}

/// The names of one listener. None: nothing that names one is taken.
#[derive(Clone, Debug)]
pub(crate) struct Authorities {
    names: Box<[Name]>,
    /// The port that a name without one stands for where it is signed.
    own_port: u16,
}

impl Authorities {
    /// Reads `HOST` and `HOST:PORT`; a host may begin with `*.`, which stands for one label.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] for what is no name.
    pub(crate) fn new(written: &[String], secure: bool, field: &str) -> Result<Self, GateError> {
        let mut names = Vec::with_capacity(written.len());
        for (index, text) in written.iter().enumerate() {
            let wrong = "is not HOST or HOST:PORT";
            let wrong = || GateError::config(format!("{field}[{index}]"), wrong);
            let (host, port) = split(text).ok_or_else(wrong)?;
            let host = host.to_ascii_lowercase().into();
            names.push(Name { host, port });
        }
        Ok(Self {
            names: names.into(),
            own_port: if secure { 443 } else { 80 },
        })
    }

    /// Checks that `authority`, as a message came with it, is one of them.
    ///
    /// # Errors
    ///
    /// `signature_authority`.
    pub(crate) fn check(&self, authority: &str) -> Result<(), Refusal> {
        let ours = split(authority).is_some_and(|(host, port)| {
            let port = port.unwrap_or(self.own_port);
            let mut names = self.names.iter();
            names
                .any(|name| name.port.is_none_or(|wanted| wanted == port) && fits(&name.host, host))
        });
        let foreign = || Refusal::new(Code::SignatureAuthority).field("host");
        ours.then_some(()).ok_or_else(foreign)
    }
}

/// Returns host and port of an authority; an address of IPv6 keeps its brackets.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        Some(_) | None => (authority, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    (!host.is_empty() && host.contains(':') == bracketed).then_some((host, port))
}

/// Tells whether `host` is `name`, whose case is low.
fn fits(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(rest) => host
            .split_once('.')
            .is_some_and(|(label, under)| !label.is_empty() && under.eq_ignore_ascii_case(rest)),
        None => host.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests;
