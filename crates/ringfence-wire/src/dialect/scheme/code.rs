//! Schemes that no list of pieces describes: a document of its own is signed, not a string made of the message.
//!
//! Code says how such a document is read and written; where things stand, who may be meant and how old it may be is data
//! all the same.

use std::fmt;

use ringfence_core::freshness::Window;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::Coverage;
use ringfence_core::sign::{Claim, HmacForm, Recovered, SignatureEncodings, Stamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::compile::wrong;
use super::super::scratch::Pairs;
use super::super::{DialectError, Head, Route};
use super::cdp_jwt::CdpJwt;
use super::eip712::Eip712;
use super::native_only::NativeOnly;
use super::{Description, Draft, Scheme, Seal, Signed, Source};
use crate::jws::JwsScratch;

/// How a dialect's requests are signed.
#[derive(Debug)]
pub(in crate::dialect) enum Signing {
    /// A canonical string.
    Canonical(Box<Scheme>),
    /// Code.
    Code(Coded),
}

/// A scheme in code, and its time rule.
#[derive(Debug)]
pub(in crate::dialect) struct Coded {
    pub(super) code: Box<dyn SchemeCode>,
    pub(super) rule: Window,
}

impl Coded {
    /// As [`SchemeCode::read`].
    pub(in crate::dialect) fn read(
        &self,
        source: &Source<'_>,
        proof: &mut Proof,
    ) -> Result<(), Refusal> {
        self.code.read(source, proof)
    }
}

/// What a scheme in code does.
pub(in crate::dialect) trait SchemeCode: fmt::Debug + Send + Sync {
    /// Reads who signed the message and what was signed.
    ///
    /// # Errors
    ///
    /// What is missing or malformed, and what the signed document says that the message does not.
    fn read(&self, source: &Source<'_>, proof: &mut Proof) -> Result<(), Refusal>;

    /// Checks that a message carries nothing of this scheme, since it is signed in another.
    ///
    /// # Errors
    ///
    /// `signature_twofold`, naming what is there.
    fn absent(&self, head: &Head<'_>, pairs: &Pairs) -> Result<(), Refusal>;

    /// Returns what was signed piece by piece, for people.
    ///
    /// # Errors
    ///
    /// As [`SchemeCode::read`].
    fn steps(&self, source: &Source<'_>) -> Result<Vec<(String, Vec<u8>)>, Refusal>;

    /// Returns the message of `draft` with its signature.
    ///
    /// # Errors
    ///
    /// `signature_algorithm` for a key of another algorithm; what reading it would find wrong.
    fn sign(&self, draft: &Draft<'_>, seal: &Seal<'_>) -> Result<Signed, Refusal>;

    /// Returns how it signs, for people.
    fn describe(&self) -> Description;

    /// Returns the body less the signature; none where none stands in it.
    fn without_signature(&self, body: &str) -> Option<String>;
}

/// What a scheme in code found in one message. Reused by the next.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Proof {
    pub(super) key_id: String,
    /// Memory for a token's parts.
    pub(super) token: JwsScratch,
    /// What was signed.
    pub(super) payload: Vec<u8>,
    pub(super) signature: String,
    pub(super) encodings: SignatureEncodings,
    pub(super) stamp: Option<Stamp>,
    pub(super) recovered: Option<Recovered>,
}

impl Proof {
    /// Forgets what the message before left.
    pub(in crate::dialect) fn clear(&mut self) {
        self.key_id.clear();
        self.payload.clear();
        self.signature.clear();
        self.encodings = SignatureEncodings::default();
        self.stamp = None;
        self.recovered = None;
    }

    /// Returns who signed the message, by its own word.
    ///
    /// # Errors
    ///
    /// `credential_missing`, `signature_missing`, `time_missing`.
    pub(in crate::dialect) fn claim(&self) -> Result<Claim<'_>, Refusal> {
        if self.key_id.is_empty() {
            return Err(Code::CredentialMissing.into());
        }
        if self.signature.is_empty() && self.recovered.is_none() {
            return Err(Code::SignatureMissing.into());
        }
        Ok(Claim {
            key_id: &self.key_id,
            payload: &self.payload,
            otherwise: None,
            signature: self.signature.as_bytes(),
            encodings: self.encodings,
            hmac: HmacForm::default(),
            coverage: Coverage::Venue,
            recovered: self.recovered,
            stamp: self.stamp.ok_or(Code::TimeMissing)?,
        })
    }
}

/// The time rule of a scheme whose times stand where its code knows.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeRule {
    pub(super) window_default_ms: u64,
    pub(super) window_max_ms: u64,
    pub(super) ahead_ms: u64,
}

impl Signing {
    /// Compiles a scheme in code from the JSON of its `signing`; none where it names no code.
    ///
    /// # Errors
    ///
    /// [`DialectError`] naming the first field that is wrong.
    pub(in crate::dialect) fn from_json(written: &Value) -> Result<Option<Self>, DialectError> {
        let Some(name) = written.get("code") else {
            return Ok(None);
        };
        let mut rest = written.clone();
        if let Some(rest) = rest.as_object_mut() {
            rest.remove("code");
        }
        let coded = match name.as_str() {
            Some("coinbase-cdp-jwt") => CdpJwt::compile(read(&rest)?)?,
            Some("hyperliquid-eip712") => Eip712::compile(read(&rest)?)?,
            Some("native") => NativeOnly::compile(read(&rest)?),
            Some(_) | None => {
                let what = format!("unknown code {name}");
                return Err(wrong("signing.code", what));
            }
        };
        Ok(Some(Self::Code(coded)))
    }

    /// Returns its time rule.
    pub(in crate::dialect) const fn rule(&self) -> Window {
        match self {
            Self::Canonical(scheme) => scheme.rule,
            Self::Code(coded) => coded.rule,
        }
    }

    /// Returns the canonical scheme, if it is one.
    pub(in crate::dialect) const fn canonical(&self) -> Option<&Scheme> {
        match self {
            Self::Canonical(scheme) => Some(scheme),
            Self::Code(_) => None,
        }
    }

    /// Checks that a message carries nothing of this scheme, since it is signed in another.
    ///
    /// # Errors
    ///
    /// `signature_twofold`, naming what is there.
    pub(in crate::dialect) fn absent(&self, head: &Head<'_>, pairs: &Pairs) -> Result<(), Refusal> {
        match self {
            Self::Canonical(scheme) => scheme.absent(head, pairs),
            Self::Code(coded) => coded.code.absent(head, pairs),
        }
    }

    /// Tells whether a message says nothing of who sends it: neither a key nor a signature.
    ///
    /// # Errors
    ///
    /// What cannot be read.
    pub(in crate::dialect) fn is_silent(
        &self,
        head: &Head<'_>,
        pairs: &Pairs,
    ) -> Result<bool, Refusal> {
        match self {
            Self::Canonical(scheme) => scheme.is_silent(head, pairs),
            Self::Code(coded) => Ok(coded.code.absent(head, pairs).is_ok()),
        }
    }

    /// Returns the scheme of a message that names its key and nothing else, on a route that asks for no more.
    ///
    /// # Errors
    ///
    /// What cannot be read.
    pub(in crate::dialect) fn named(
        &self,
        route: &Route,
        head: &Head<'_>,
        pairs: &Pairs,
    ) -> Result<Option<&Scheme>, Refusal> {
        let enough = route.lends().is_some_and(|lends| lends.by_name);
        let scheme = self.canonical().filter(|_| enough);
        match scheme {
            Some(scheme) if scheme.names_alone(head, pairs)? => Ok(Some(scheme)),
            Some(_) | None => Ok(None),
        }
    }

    /// Returns the name of the parameter that holds the signature, where one does.
    pub(in crate::dialect) fn signature_name(&self) -> Option<&str> {
        self.canonical().and_then(Scheme::signature_name)
    }

    /// Returns the parameters that the scheme itself uses.
    pub(in crate::dialect) fn parameters(&self) -> impl Iterator<Item = &str> {
        let scheme = self.canonical().into_iter();
        scheme.flat_map(Scheme::parameters)
    }

    /// Returns what the signature does not cover of a request.
    pub(in crate::dialect) fn holes(&self) -> Vec<&'static str> {
        match self {
            Self::Canonical(scheme) => scheme.holes(),
            Self::Code(coded) => coded.code.describe().holes,
        }
    }

    /// Returns how it signs, for people.
    pub(in crate::dialect) fn describe(&self) -> Description {
        match self {
            Self::Canonical(scheme) => scheme.describe(),
            Self::Code(coded) => coded.code.describe(),
        }
    }

    /// Returns what was signed piece by piece, for people.
    ///
    /// # Errors
    ///
    /// What the scheme finds wrong.
    pub(in crate::dialect) fn steps(
        &self,
        source: &Source<'_>,
    ) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
        match self {
            Self::Canonical(scheme) => scheme.steps(source),
            Self::Code(coded) => coded.code.steps(source),
        }
    }

    /// Returns the body less the signature; none where none stands in it.
    pub(in crate::dialect) fn without_signature(&self, body: &str) -> Option<String> {
        match self {
            Self::Canonical(_) => None,
            Self::Code(coded) => coded.code.without_signature(body),
        }
    }
}

/// Reads a part of `signing`, keeping the path of what is wrong.
fn read<T: DeserializeOwned>(written: &Value) -> Result<T, DialectError> {
    serde_path_to_error::deserialize(written).map_err(|error| {
        let path = error.path().to_string();
        let field = match &*path {
            "." => "signing".to_owned(),
            path => format!("signing.{path}"),
        };
        wrong(&field, error.inner().to_string())
    })
}
