//! Issuers' access tokens (RFC 9068), and the proofs that bind a request to a token's key (DPoP, RFC 9449).
//!
//! A token says who acts; what it may do, from where and until when is the credential's that its subject is mapped to.

use std::collections::HashMap;
use std::fmt;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use ringfence_core::freshness::Window;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::{Coverage, Warrant};
use ringfence_core::sign::{
    Algorithm, Claim, Digest, HmacForm, SignatureEncodings, Stamp, VerifyingKey,
};

use crate::http::single;
use crate::json;
use crate::jws::{self, Jwk, Jws, JwsScratch};

/// Where a proof stands.
pub const PROOF: HeaderName = HeaderName::from_static("dpop");
const SECOND_US: u64 = 1_000_000;
/// A proof is made for one request: it is good for a minute, and its clock may be a little ahead (RFC 9449 11.1).
pub const PROOF_WINDOW: Window = Window {
    default_us: 60 * SECOND_US,
    max_us: 60 * SECOND_US,
    ahead_us: 5 * SECOND_US,
};

/// What is known of one issuer.
#[derive(Debug)]
pub struct IssuerTerms {
    /// What `iss` says.
    pub issuer: String,
    /// What `aud` says, alone or in a list.
    pub audience: String,
    /// The issuer's public keys.
    pub keys: Vec<Jwk>,
    /// Algorithms that are taken of them.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names who acts.
    pub subject: String,
    /// What it says, and the credential that acts then.
    pub credentials: HashMap<String, String>,
    /// Longest time from `iat` to `exp`, in seconds.
    pub max_lifetime_s: u64,
    /// Whether a token is only good with a proof.
    pub dpop: Dpop,
}

/// Whether tokens need proofs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dpop {
    /// A token that is bound to no key is taken as it is.
    Optional,
    /// It is not.
    Required,
}

/// All issuers whose tokens are taken.
#[derive(Debug, Default)]
pub struct Issuers(Vec<Issuer>);

#[derive(Debug)]
struct Issuer {
    terms: IssuerTerms,
    /// In the order of the terms'.
    keys: Vec<Known>,
}

/// One of an issuer's keys.
#[derive(Debug)]
struct Known {
    key: VerifyingKey,
    /// What those rest on who act by it.
    warrant: Warrant,
}

/// What is wrong with an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerError {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for IssuerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.what)
    }
}

impl std::error::Error for IssuerError {}

/// A request as proofs name it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Method.
    pub method: &'a str,
    /// Whether it came over TLS.
    pub secure: bool,
    /// `Host` as sent.
    pub host: &'a str,
    /// Path as sent.
    pub path: &'a str,
}

/// Who acts, by a token that was verified.
#[derive(Debug)]
pub struct Vouched {
    /// The credential that acts.
    pub key_id: String,
    /// Microseconds since the Unix epoch from which on the token is no longer good.
    pub until_us: u64,
    /// The key by which the request must be signed, and what it says of that.
    pub proof: Option<Proof>,
    /// The issuer's word, which ends with the key that it was given by.
    pub warrant: Warrant,
}

/// A proof whose signature is still to be verified, once, by who remembers it.
#[derive(Debug)]
pub struct Proof {
    /// The key of the proof and of the token, until it is taken.
    key: Option<VerifyingKey>,
    signed: Vec<u8>,
    signature: String,
    encodings: SignatureEncodings,
    stamp: Stamp,
    /// What it was made with that the gateway gave out.
    nonce: Option<String>,
}

impl Proof {
    /// Returns the nonce that it was made with.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Returns the key that the proof must verify by; it is given out once.
    pub fn take_key(&mut self) -> Option<VerifyingKey> {
        self.key.take()
    }

    /// Returns what the bound key must have signed.
    pub fn claim(&self) -> Claim<'_> {
        Claim {
            key_id: "",
            payload: &self.signed,
            otherwise: None,
            signature: self.signature.as_bytes(),
            encodings: self.encodings,
            hmac: HmacForm::default(),
            // Method, host and path, but neither query nor body (RFC 9449 4.2).
            coverage: Coverage::Venue,
            recovered: None,
            stamp: self.stamp,
        }
    }
}

impl Issuers {
    /// Adds an issuer.
    ///
    /// # Errors
    ///
    /// [`IssuerError`] for one that could vouch for nobody, or for everybody.
    pub fn add(&mut self, terms: IssuerTerms) -> Result<(), IssuerError> {
        let wrong = |field, what| Err(IssuerError { field, what });
        if terms.issuer.is_empty()
            || self
                .0
                .iter()
                .any(|known| known.terms.issuer == terms.issuer)
        {
            return wrong("issuer", "it is empty or known already");
        }
        if terms.audience.is_empty() || terms.subject.is_empty() {
            return wrong("audience", "audience and subject must say something");
        }
        if terms.max_lifetime_s == 0 {
            return wrong("max_lifetime_s", "it is zero");
        }
        let symmetric = |a: &Algorithm| !jws::public(*a);
        if terms.algorithms.is_empty() || terms.algorithms.iter().any(symmetric) {
            return wrong("algorithms", "one or more of ES256, EdDSA and RS256");
        }
        let twice = |jwk: &Jwk| {
            terms
                .keys
                .iter()
                .filter(|other| other.kid == jwk.kid)
                .count()
                > 1
        };
        if terms.keys.iter().any(twice) {
            return wrong("jwks", "two keys have one name");
        }
        let known = |jwk: &Jwk| {
            jwk.key().map(|key| Known {
                key,
                warrant: Warrant::default(),
            })
        };
        let keys = terms.keys.iter().map(known).collect::<Result<_, _>>();
        let Ok(keys) = keys else {
            return wrong("jwks", "a key cannot be read");
        };
        self.0.push(Issuer { terms, keys });
        Ok(())
    }

    /// Has who acts by a key that `before` knew, too, go on to.
    pub fn follow(&mut self, before: &Self) {
        for issuer in &mut self.0 {
            for (jwk, known) in issuer.terms.keys.iter().zip(&mut issuer.keys) {
                if let Some(warrant) = before.warrant(&issuer.terms.issuer, jwk) {
                    known.warrant = warrant.clone();
                }
            }
        }
    }

    /// Ends all that rests on a key that `after` does not know.
    pub fn withdraw_for(&self, after: &Self) {
        for issuer in &self.0 {
            for (jwk, known) in issuer.terms.keys.iter().zip(&issuer.keys) {
                if after.warrant(&issuer.terms.issuer, jwk).is_none() {
                    known.warrant.withdraw();
                }
            }
        }
    }

    /// Returns what rests on an issuer's key; none where that is not known.
    fn warrant(&self, issuer: &str, jwk: &Jwk) -> Option<&Warrant> {
        let found = self.0.iter().find(|known| known.terms.issuer == issuer)?;
        let mut keys = found.terms.keys.iter().zip(&found.keys);
        let same = keys.find(|(known, _)| known.thumbprint == jwk.thumbprint);
        same.map(|(_, known)| &known.warrant)
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads who acts by the token that a request carries; none where it carries none of these issuers'.
    ///
    /// # Errors
    ///
    /// `signature_*` for a token or proof that is malformed or does not fit, naming what; `time_*` for one without
    /// times; `credential_session_ended` for one that is over; `credential_unknown` for a subject of nobody's.
    pub fn read(
        &self,
        headers: &HeaderMap,
        asked: &Asked<'_>,
        now_us: u64,
    ) -> Result<Option<Vouched>, Refusal> {
        let value = single(headers, &AUTHORIZATION, Code::FormDuplicate)?;
        let Some(value) = value.filter(|_| !self.is_empty()) else {
            return Ok(None);
        };
        let Ok(value) = value.to_str() else {
            return Ok(None);
        };
        let (proved, token) = match value.split_once(' ') {
            Some(("DPoP", token)) => (true, token),
            Some(("Bearer", token)) => (false, token),
            Some(_) | None => return Ok(None),
        };
        let mut scratch = JwsScratch::default();
        // The dialect's own tokens are carried alike: whose a token is, its issuer says.
        let issuer = Jws::read(token, &["kid", "typ", "nonce"], &mut scratch)
            .ok()
            .and_then(|jws| self.of(&jws));
        let Some(issuer) = issuer else {
            return match proved {
                true => Err(malformed("iss")),
                false => Ok(None),
            };
        };
        let mut scratch = JwsScratch::default();
        let jws = Jws::read(token, &["kid", "typ"], &mut scratch)?;
        let warrant = issuer.verify(&jws)?.clone();
        let said = Said::read(&jws)?;
        let until_us = issuer.check(&said, now_us)?;
        let key_id = issuer
            .terms
            .credentials
            .get(said.text(&issuer.terms.subject)?);
        let key_id = key_id.ok_or(Code::CredentialUnknown)?.clone();
        let bound = said.optional("cnf.jkt");
        let proof = match (proved, bound, issuer.terms.dpop) {
            (true, Some(thumbprint), _) => Some(proof(headers, asked, token, thumbprint)?),
            (true, None, _) => return Err(malformed("cnf")),
            // A token that is bound to a key says nothing without it, even where others may (RFC 9449 7.1).
            (false, Some(_), _) | (false, None, Dpop::Required) => {
                return Err(Refusal::new(Code::SignatureMissing).field("dpop"));
            }
            (false, None, Dpop::Optional) => None,
        };
        Ok(Some(Vouched {
            key_id,
            until_us,
            proof,
            warrant,
        }))
    }

    fn of(&self, jws: &Jws<'_>) -> Option<&Issuer> {
        let payload = std::str::from_utf8(jws.payload).ok()?;
        let raw = json::find(payload, "iss").ok()??;
        let mut said = String::new();
        json::append(raw, &mut said).ok()?;
        self.0.iter().find(|issuer| issuer.terms.issuer == said)
    }
}

impl Issuer {
    /// Verifies a token's signature by the key that its header names, or by the only one; returns what rests on that.
    fn verify(&self, jws: &Jws<'_>) -> Result<&Warrant, Refusal> {
        let header = Said::of(jws.header)?;
        match header
            .optional("typ")
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            None | Some("jwt" | "at+jwt" | "application/at+jwt") => {}
            Some(_) => return Err(malformed("typ")),
        }
        if !self.terms.algorithms.contains(&jws.algorithm) {
            return Err(Code::SignatureAlgorithm.into());
        }
        let kid = header.optional("kid");
        let mut keys = self.terms.keys.iter().zip(&self.keys);
        let key = match kid {
            Some(kid) => keys.find(|(jwk, _)| jwk.kid.as_deref() == Some(kid)),
            None if self.keys.len() == 1 => keys.next(),
            None => None,
        };
        let (_, known) = key.ok_or_else(|| Refusal::new(Code::SignatureInvalid).field("kid"))?;
        known.key.verify(&bare(jws))?;
        Ok(&known.warrant)
    }

    /// Checks for whom a token is and how long it is good, and returns its end.
    fn check(&self, said: &Said, now_us: u64) -> Result<u64, Refusal> {
        let audience = &self.terms.audience;
        let mut audiences = said.0.iter().filter(|(name, ..)| {
            let index = name.strip_prefix("aud.");
            name == "aud" || index.is_some_and(|rest| !rest.contains('.'))
        });
        if !audiences.any(|(_, value, text)| *text && value == audience) {
            return Err(malformed("aud"));
        }
        let (from, until) = (said.time("iat")?, said.time("exp")?);
        let lifetime = until.checked_sub(from);
        if lifetime.is_none_or(|lifetime| lifetime > self.terms.max_lifetime_s) {
            return Err(Refusal::new(Code::WindowTooLarge));
        }
        let begins = match said.optional("nbf") {
            Some(_) => from.max(said.time("nbf")?),
            None => from,
        };
        let ahead_us = now_us.saturating_add(PROOF_WINDOW.ahead_us);
        if begins.saturating_mul(SECOND_US) >= ahead_us {
            return Err(Code::TimeAhead.into());
        }
        Ok(until.saturating_mul(SECOND_US))
    }
}

/// What a header or payload says: each name from the outermost inwards, its value, and whether that is a text.
struct Said(Vec<(String, String, bool)>);

impl Said {
    fn read(jws: &Jws<'_>) -> Result<Self, Refusal> {
        let payload = std::str::from_utf8(jws.payload);
        Self::of(payload.map_err(|_| Code::SignatureMalformed)?)
    }

    fn of(text: &str) -> Result<Self, Refusal> {
        let mut said = Vec::new();
        json::values(text, &mut |value| {
            let mut word = String::new();
            json::append(value.raw, &mut word)?;
            said.push((value.path.to_owned(), word, value.raw.starts_with('"')));
            Ok(())
        })
        .map_err(|_| Code::SignatureMalformed)?;
        Ok(Self(said))
    }

    fn optional(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        all.find_map(|(known, value, _)| (known == name).then_some(value.as_str()))
    }

    /// Returns a claim that is a text and not empty.
    fn text(&self, name: &str) -> Result<&str, Refusal> {
        let mut all = self.0.iter();
        let found = all.find(|(known, value, text)| known == name && *text && !value.is_empty());
        found
            .map(|(_, value, _)| value.as_str())
            .ok_or_else(|| malformed(name))
    }

    /// Returns a NumericDate in whole seconds.
    fn time(&self, name: &str) -> Result<u64, Refusal> {
        let mut all = self.0.iter();
        let found = all.find(|(known, _, text)| known == name && !text);
        let plain = |value: &&str| value.bytes().all(|byte| byte.is_ascii_digit());
        let found = found.map(|(_, value, _)| value.as_str()).filter(plain);
        let wrong = || Refusal::new(Code::TimeMalformed).field(name);
        found.and_then(|value| value.parse().ok()).ok_or_else(wrong)
    }
}

/// Returns what a token's signature must fit; its times are its claims' matter.
fn bare<'a>(jws: &'a Jws<'_>) -> Claim<'a> {
    Claim {
        key_id: "",
        payload: jws.signed,
        otherwise: None,
        signature: jws.signature.as_bytes(),
        encodings: jws.encodings(),
        hmac: HmacForm::default(),
        coverage: Coverage::Venue,
        recovered: None,
        stamp: Stamp {
            time_us: 0,
            window_us: 0,
        },
    }
}

fn malformed(name: &str) -> Refusal {
    Refusal::new(Code::SignatureMalformed).field(name)
}

/// Reads the proof of a request, RFC 9449 4.3: everything but its signature and that it was not seen before.
fn proof(
    headers: &HeaderMap,
    asked: &Asked<'_>,
    token: &str,
    thumbprint: &str,
) -> Result<Proof, Refusal> {
    let missing = || Refusal::new(Code::SignatureMissing).field("dpop");
    let value = single(headers, &PROOF, Code::FormDuplicate)?.ok_or_else(missing)?;
    let value = value.to_str().map_err(|_| malformed("dpop"))?;
    let mut scratch = JwsScratch::default();
    let jws = Jws::read(value, &["jwk", "typ"], &mut scratch)?;
    let header = Said::of(jws.header)?;
    if header.text("typ")? != "dpop+jwt" {
        return Err(malformed("typ"));
    }
    let raw = json::find(jws.header, "jwk")?.ok_or_else(|| malformed("jwk"))?;
    let jwk = Jwk::read(raw).map_err(|_| malformed("jwk"))?;
    let invalid = |name: &str| Refusal::new(Code::SignatureInvalid).field(name);
    if jwk.thumbprint.to_string() != thumbprint {
        return Err(invalid("cnf"));
    }
    let said = Said::read(&jws)?;
    said.text("jti")?;
    if said.text("htm")? != asked.method {
        return Err(invalid("htm"));
    }
    let scheme = if asked.secure { "https" } else { "http" };
    if said.text("htu")? != format!("{scheme}://{}{}", asked.host, asked.path) {
        return Err(invalid("htu"));
    }
    let mut digest = token.as_bytes().to_vec();
    Digest::Sha256.replace(&mut digest, 0);
    if said.text("ath")? != jws::encode(&digest) {
        return Err(invalid("ath"));
    }
    let nonce = match said.optional("nonce") {
        Some(_) => Some(said.text("nonce")?.to_owned()),
        None => None,
    };
    let time_us = said.time("iat")?.saturating_mul(SECOND_US);
    Ok(Proof {
        key: Some(jwk.key().map_err(|_| malformed("jwk"))?),
        signed: jws.signed.to_vec(),
        signature: jws.signature.to_owned(),
        encodings: jws.encodings(),
        stamp: Stamp {
            time_us,
            window_us: PROOF_WINDOW.default_us,
        },
        nonce,
    })
}

#[cfg(test)]
mod tests;
