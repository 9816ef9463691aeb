//! Taking out of a message what signed it, so that it can be signed anew.

use http::header::{HeaderName, HeaderValue};
use ringfence_core::refusal::{Code, Refusal};

use super::super::scratch::Scratch;
use super::super::{Dialect, Outgoing};
use super::sign::kind;
use super::{Place, Scheme, Signing};
use crate::form;

/// A message with nothing of whoever signed it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsigned {
    /// Path.
    pub path: String,
    /// Query, without `?`.
    pub query: String,
    /// Body.
    pub body: String,
}

impl Dialect {
    /// Takes everything that the scheme puts into query and body out of `outgoing`: key, signature, time, window, nonce,
    /// passphrase and constants. What stays keeps its order.
    ///
    /// Header fields of the scheme are not in it: they are none of those that travel on.
    ///
    /// # Errors
    ///
    /// `form_parameter_unknown` when something of it stands where it cannot be taken out, `form_malformed`.
    pub fn unsigned(&self, outgoing: Outgoing) -> Result<Unsigned, Refusal> {
        let Outgoing { target, body, .. } = outgoing;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut message = Unsigned {
            path: path.to_owned(),
            query: query.to_owned(),
            body: String::from_utf8(body).map_err(|_| Code::FormMalformed)?,
        };
        // What a scheme in code writes was left out when the message was written anew.
        let Some(scheme) = self.signing.as_ref().and_then(Signing::canonical) else {
            return Ok(message);
        };
        let is_form = kind(&message.body) == super::super::definition::BodyKind::Form;
        for name in scheme.own() {
            without(&mut message.query, name);
            if is_form {
                without(&mut message.body, name);
            }
        }
        let mut scratch = Scratch::default();
        scratch.read(
            &message.query,
            &message.body,
            (kind(&message.body), None),
            None,
        )?;
        for (_, name, _) in scratch.pairs().iter() {
            if scheme.own().any(|own| own == name) {
                return Err(Refusal::new(Code::FormParameterUnknown).field(name));
            }
        }
        Ok(message)
    }

    /// Returns the scheme's window as a header field, where it stands in one: it is signed then, so that it is written
    /// rather than left to the venue.
    pub fn window_field(&self) -> Option<(HeaderName, HeaderValue)> {
        let scheme = self.signing.as_ref()?.canonical()?;
        match scheme.window.as_ref()? {
            Place::Header { name, part: None } => {
                let window_ms = scheme.rule.default_us / 1000;
                Some((name.clone(), HeaderValue::from(window_ms)))
            }
            Place::Header { part: Some(_), .. } | Place::Parameter(..) => None,
        }
    }
}

impl Scheme {
    /// Returns every parameter that a signer writes.
    fn own(&self) -> impl Iterator<Item = &str> {
        let phrase = self.passphrase.as_ref().map(|(place, _)| place);
        let phrase = phrase.and_then(Place::parameter);
        self.parameters().chain(phrase.map(|name| name.as_str()))
    }
}

fn without(text: &mut String, name: &str) {
    let mut rest = String::with_capacity(text.len());
    form::without(text, name, &mut rest);
    *text = rest;
}
