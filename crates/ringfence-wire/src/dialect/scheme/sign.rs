//! Signing a message by the same description that verifies it.

use std::fmt;

use http::header::{HeaderMap, HeaderValue};
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::SigningKey;

use super::super::definition::{BodyKind, PassphraseForm};
use super::super::scratch::Scratch;
use super::super::{Dialect, Head};
use super::place::Into;
use super::{Place, Scheme, Signing, time};
use crate::form;

/// A message before it is signed. What it carries already (a time, a nonce, a window) is kept.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Method.
    pub method: &'a str,
    /// Path.
    pub path: &'a str,
    /// Query, escaped as it will be sent, without `?`.
    pub query: &'a str,
    /// Header fields.
    pub headers: &'a HeaderMap,
    /// Body, form or JSON.
    pub body: &'a str,
}

/// Who signs, and when. Its debug form tells nothing that signs.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    /// The venue's id of the key.
    pub key_id: &'a str,
    /// The key.
    pub key: &'a SigningKey,
    /// The passphrase that some venues give out with a key.
    pub passphrase: Option<&'a str>,
    /// Microseconds since the Unix epoch.
    pub now_us: u64,
    /// Never used before with this key: a number that grows, where the venue asks for one.
    pub nonce: &'a str,
}

impl fmt::Debug for Seal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({} at {})", self.key_id, self.now_us)
    }
}

/// A message as it is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// Query, without `?`.
    pub query: String,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body.
    pub body: String,
}

impl Dialect {
    /// Signs `draft`.
    ///
    /// # Errors
    ///
    /// What [`Dialect::read`] would find wrong with it; `signature_missing` when the dialect cannot sign with this key.
    pub fn sign(&self, draft: &Draft<'_>, seal: &Seal<'_>) -> Result<Signed, Refusal> {
        let scheme = match self.signing.as_ref().ok_or(Code::SignatureMissing)? {
            Signing::Canonical(scheme) => scheme,
            Signing::Code(coded) => return coded.code.sign(draft, seal),
        };
        let mut sheet = Sheet::of(scheme, draft);
        sheet.fill(seal)?;
        let payload = sheet.payload()?;
        let text = seal.key.sign(&payload, scheme.encodings, scheme.hmac);
        let text = text.ok_or(Code::SignatureMissing)?;
        sheet.put(&scheme.signature, &text)?;
        Ok(sheet.signed)
    }

    /// Writes the key's name into `draft`, and no signature.
    ///
    /// # Errors
    ///
    /// `signature_missing` when the dialect has no place for it alone.
    pub fn sign_by_name(&self, draft: &Draft<'_>, seal: &Seal<'_>) -> Result<Signed, Refusal> {
        let scheme = self.signing.as_ref().and_then(Signing::canonical);
        let scheme = scheme.ok_or(Code::SignatureMissing)?;
        let mut sheet = Sheet::of(scheme, draft);
        sheet.put(&scheme.key, seal.key_id)?;
        Ok(sheet.signed)
    }
}

/// A message that is being signed.
struct Sheet<'a> {
    scheme: &'a Scheme,
    draft: &'a Draft<'a>,
    signed: Signed,
}

impl<'a> Sheet<'a> {
    fn of(scheme: &'a Scheme, draft: &'a Draft<'a>) -> Self {
        Self {
            scheme,
            draft,
            signed: Signed {
                query: draft.query.to_owned(),
                headers: draft.headers.clone(),
                body: draft.body.to_owned(),
            },
        }
    }

    /// Adds what a signed message carries and this one does not.
    fn fill(&mut self, seal: &Seal<'_>) -> Result<(), Refusal> {
        let scheme = self.scheme;
        self.add(&scheme.key, seal.key_id)?;
        for (place, value) in &scheme.constants {
            self.add(place, value)?;
        }
        if let Some(place) = &scheme.time {
            self.add(place, &time::write(scheme.unit, seal.now_us))?;
        }
        // No window is added: the venue's own default stands.
        if let Some(place) = &scheme.nonce {
            self.add(place, seal.nonce)?;
        }
        if let (Some((place, form)), Some(phrase)) = (&scheme.passphrase, seal.passphrase) {
            let text = match form {
                PassphraseForm::Text => Some(phrase.to_owned()),
                PassphraseForm::Signed => {
                    let key = seal.key;
                    key.sign(phrase.as_bytes(), scheme.encodings, scheme.hmac)
                }
            };
            self.add(place, &text.ok_or(Code::SignatureMissing)?)?;
        }
        Ok(())
    }

    fn head(&self) -> Head<'_> {
        Head {
            method: self.draft.method,
            path: self.draft.path,
            query: &self.signed.query,
            content_type: None,
            key: None,
            headers: Some(&self.signed.headers),
            secure: false,
            session: false,
        }
    }

    fn read(&self) -> Result<Scratch, Refusal> {
        let mut scratch = Scratch::default();
        let body = &self.signed.body;
        let signature = self.scheme.signature_name();
        scratch.read(&self.signed.query, body, (kind(body), None), signature)?;
        Ok(scratch)
    }

    fn payload(&self) -> Result<Vec<u8>, Refusal> {
        let mut scratch = self.read()?;
        scratch.sign(self.scheme, &self.head(), &self.signed.body)?;
        Ok(scratch.payload().to_vec())
    }

    fn add(&mut self, place: &Place, value: &str) -> Result<(), Refusal> {
        let scratch = self.read()?;
        let there = place.read(&self.head(), scratch.pairs())?.is_some();
        if there {
            Ok(())
        } else {
            self.put(place, value)
        }
    }

    fn put(&mut self, place: &Place, value: &str) -> Result<(), Refusal> {
        let (name, into) = match place {
            Place::Header { name, part } => {
                let text = match (part, self.signed.headers.get(name)) {
                    (None, _) => value.to_owned(),
                    (Some((scheme, part)), None) => format!("{scheme} {part}={value}"),
                    (Some((_, part)), Some(list)) => {
                        let list = list.to_str().map_err(|_| Code::FormMalformed)?;
                        format!("{list},{part}={value}")
                    }
                };
                let text = HeaderValue::try_from(text).map_err(|_| Code::FormMalformed)?;
                self.signed.headers.insert(name.clone(), text);
                return Ok(());
            }
            Place::Parameter(name, into) => (name.as_str(), *into),
        };
        let form = kind(&self.signed.body) == BodyKind::Form;
        let body = match into {
            Into::Body => true,
            Into::Either => form && !self.signed.body.is_empty(),
            Into::Query => false,
        };
        if body && !form {
            let value = serde_json::Value::from(value);
            let name = serde_json::Value::from(name);
            let rest = self.signed.body.trim_start().get(1..).unwrap_or_default();
            let comma = if rest.trim_start().starts_with('}') {
                ""
            } else {
                ","
            };
            self.signed.body = format!("{{{name}:{value}{comma}{rest}");
            return Ok(());
        }
        let text = if body {
            &mut self.signed.body
        } else {
            &mut self.signed.query
        };
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        form::escape(value, text);
        Ok(())
    }
}

/// Returns the media type of a body that is JSON or a form.
pub fn essence(body: &str) -> &'static str {
    super::super::read::essence(kind(body))
}

/// Tells what a body is by how it starts.
pub(super) fn kind(body: &str) -> BodyKind {
    if body.trim_start().starts_with(['{', '[']) {
        BodyKind::Json
    } else {
        BodyKind::Form
    }
}
