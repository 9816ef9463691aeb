//! Coinbase's CDP keys: each request carries a JSON Web Token of its own, which names method, host and path.
//!
//! Source: Coinbase CDP docs, "JWT authentication" (read 2026-11), and the tokens of ccxt 4.5.90 and
//! coinbase-advanced-py 1.8.4: the latter names one `uri`, as ccxt does with ES256; with EdDSA ccxt names a list of one,
//! `uris`. ccxt leaves `http://` where it does not talk TLS.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HOST, HeaderValue};
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::{Algorithm, EcdsaForm, Encoding, HmacForm, SignatureEncodings, Stamp};
use serde::Deserialize;
use serde_json::json;

use super::code::{Coded, Proof, SchemeCode, TimeRule};
use super::compile::bounds;
use super::place::field;
use super::{Description, Draft, Seal, Signed, Source};
use crate::dialect::compile::wrong;
use crate::dialect::scratch::Pairs;
use crate::dialect::{DialectError, Head};
use crate::json;
use crate::jws::{self, Jws, JwsScratch};

/// The words of the scheme, as data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// Hosts that a token may name beside the one that the request was sent to; a signer names the first.
    hosts: Vec<String>,
    /// What `iss` may say; a signer says the first.
    issuers: Vec<String>,
    /// What `aud` may say, where it stands.
    audiences: Vec<String>,
    /// The window is what lies between `nbf` and `exp`.
    time: TimeRule,
}

#[derive(Debug)]
pub(super) struct CdpJwt(Written);

const BEARER: &str = "Bearer ";
const ENCODINGS: SignatureEncodings = SignatureEncodings {
    ecdsa: Some((Encoding::Base64Url, EcdsaForm::Fixed)),
    ed25519: Some(Encoding::Base64Url),
    hmac: None,
    rsa: None,
};
const SECOND_US: u64 = 1_000_000;

/// What a token says.
#[derive(Debug, Default)]
struct Claims<'a> {
    key_name: Cow<'a, str>,
    subject: Cow<'a, str>,
    uri: Cow<'a, str>,
    issuer: Cow<'a, str>,
    nonce: Cow<'a, str>,
    kind: Option<Cow<'a, str>>,
    not_before: Option<u64>,
    expires: Option<u64>,
}

impl CdpJwt {
    pub(super) fn compile(written: Written) -> Result<Coded, DialectError> {
        for (name, list) in [("hosts", &written.hosts), ("issuers", &written.issuers)] {
            if list.is_empty() {
                return Err(wrong(&format!("signing.{name}"), "it is empty"));
            }
        }
        let TimeRule {
            window_default_ms,
            window_max_ms,
            ahead_ms,
        } = written.time;
        let rule = bounds(window_default_ms, window_max_ms, ahead_ms, "signing")?;
        let code = Box::new(Self(written));
        Ok(Coded { code, rule })
    }

    /// Reads the token of a request, and what it says.
    fn token<'a>(
        &self,
        head: &Head<'a>,
        scratch: &'a mut JwsScratch,
    ) -> Result<(Jws<'a>, Claims<'a>), Refusal> {
        let value = field(head, &AUTHORIZATION)?.ok_or(Code::CredentialMissing)?;
        let token = value.strip_prefix(BEARER).ok_or(Code::CredentialMissing)?;
        let mut claims = Claims::default();
        let jws = Jws::read_with(token, scratch, &mut |value| {
            let said = json::said(value.raw)?;
            match value.path {
                "kid" => claims.key_name = said,
                "nonce" => claims.nonce = said,
                "typ" => claims.kind = Some(said),
                member => return Err(malformed(member)),
            }
            Ok(())
        })?;
        if !matches!(
            jws.algorithm,
            Algorithm::EcdsaP256Sha256 | Algorithm::Ed25519
        ) {
            return Err(Code::SignatureAlgorithm.into());
        }
        if claims.kind.as_ref().is_some_and(|kind| kind != "JWT") {
            return Err(malformed("typ"));
        }
        let payload = std::str::from_utf8(jws.payload).map_err(|_| Code::SignatureMalformed)?;
        json::values(payload, &mut |value| self.claim(value, &mut claims))?;
        Ok((jws, claims))
    }

    /// Takes one of the claims; what is not known here is refused.
    fn claim<'a>(
        &self,
        value: json::Value<'_, 'a>,
        claims: &mut Claims<'a>,
    ) -> Result<(), Refusal> {
        let said = json::said(value.raw)?;
        let known = |list: &[String]| list.iter().any(|one| *one == said);
        match value.path {
            "aud" | "aud.0" if known(&self.0.audiences) => {}
            "exp" => claims.expires = seconds(value.raw),
            "iat" if seconds(value.raw).is_some() => {}
            "iss" => claims.issuer = said,
            "nbf" => claims.not_before = seconds(value.raw),
            "sub" => claims.subject = said,
            "uri" | "uris.0" if claims.uri.is_empty() => claims.uri = said,
            path => return Err(malformed(path)),
        }
        Ok(())
    }

    /// Checks that a token is meant for this request.
    fn check(&self, head: &Head<'_>, claims: &Claims<'_>) -> Result<(), Refusal> {
        if claims.subject != claims.key_name {
            return Err(malformed("sub"));
        }
        if claims.nonce.is_empty() {
            return Err(malformed("nonce"));
        }
        if !self.0.issuers.iter().any(|one| *one == claims.issuer) {
            return Err(malformed("iss"));
        }
        let own = field(head, &HOST)?;
        let hosts = self.0.hosts.iter().map(String::as_str).chain(own);
        let target = claims.uri.strip_prefix(head.method);
        let target = target.and_then(|rest| rest.strip_prefix(' '));
        let target = target.ok_or(Code::SignatureInvalid)?;
        let target = target.strip_prefix("https://").unwrap_or(target);
        let target = target.strip_prefix("http://").unwrap_or(target);
        let mut meant = hosts.filter_map(|host| target.strip_prefix(host));
        match meant.any(|path| path == head.path) {
            true => Ok(()),
            false => Err(Refusal::new(Code::SignatureInvalid).field("uri")),
        }
    }
}

impl SchemeCode for CdpJwt {
    fn read(&self, source: &Source<'_>, proof: &mut Proof) -> Result<(), Refusal> {
        let (jws, claims) = self.token(source.head, &mut proof.token)?;
        self.check(source.head, &claims)?;
        let time = |claim: Option<u64>, name: &str| {
            let us = claim.and_then(|seconds| seconds.checked_mul(SECOND_US));
            us.ok_or_else(|| Refusal::new(Code::TimeMalformed).field(name))
        };
        let (from_us, until_us) = (
            time(claims.not_before, "nbf")?,
            time(claims.expires, "exp")?,
        );
        let ends = || Refusal::new(Code::TimeMalformed).field("exp");
        proof.stamp = Some(Stamp {
            time_us: from_us,
            window_us: until_us.checked_sub(from_us).ok_or_else(ends)?,
        });
        // `organizations/<id>/apiKeys/<id>`: the last part is what the credential is called here.
        let id = claims.key_name.rsplit('/').next().unwrap_or_default();
        proof.key_id.push_str(id);
        proof.payload.extend_from_slice(jws.signed);
        proof.signature.push_str(jws.signature);
        proof.encodings = jws.encodings();
        Ok(())
    }

    fn absent(&self, head: &Head<'_>, _: &Pairs) -> Result<(), Refusal> {
        match field(head, &AUTHORIZATION)? {
            Some(_) => Err(Refusal::new(Code::SignatureTwofold).field("authorization")),
            None => Ok(()),
        }
    }

    fn steps(&self, source: &Source<'_>) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
        let mut scratch = JwsScratch::default();
        let (jws, _) = self.token(source.head, &mut scratch)?;
        Ok(vec![
            ("header".to_owned(), jws.header.into()),
            ("claims".to_owned(), jws.payload.to_vec()),
        ])
    }

    fn sign(&self, draft: &Draft<'_>, seal: &Seal<'_>) -> Result<Signed, Refusal> {
        let algorithm = match seal.key.algorithm() {
            known @ (Algorithm::EcdsaP256Sha256 | Algorithm::Ed25519) => jws::name(known),
            Algorithm::HmacSha256
            | Algorithm::RsaPkcs1Sha256
            | Algorithm::Secp256k1Eip712
            | Algorithm::X509 => {
                return Err(Code::SignatureAlgorithm.into());
            }
        };
        let host = draft.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| self.0.hosts.first().map(String::as_str));
        let from = seal.now_us / SECOND_US;
        let header = json!({
            "alg": algorithm, "kid": seal.key_id, "nonce": seal.nonce, "typ": "JWT",
        });
        let claims = json!({
            "sub": seal.key_id,
            "iss": self.0.issuers.first(),
            "nbf": from,
            "exp": from + self.0.time.window_default_ms / 1000,
            "uri": format!("{} {}{}", draft.method, host.unwrap_or_default(), draft.path),
        });
        let part = |value: serde_json::Value| jws::encode(value.to_string().as_bytes());
        let payload = format!("{}.{}", part(header), part(claims));
        let key = seal.key;
        let signature = key.sign(payload.as_bytes(), ENCODINGS, HmacForm::default());
        let signature = signature.ok_or(Code::SignatureAlgorithm)?;
        let value = HeaderValue::try_from(format!("{BEARER}{payload}.{signature}"));
        let mut headers = draft.headers.clone();
        headers.insert(AUTHORIZATION, value.map_err(|_| Code::FormMalformed)?);
        Ok(Signed {
            query: draft.query.to_owned(),
            headers,
            body: draft.body.to_owned(),
        })
    }

    fn describe(&self) -> Description {
        let header = |what| format!("{what} in the token of header authorization");
        Description {
            payload: vec![
                "the token's header".to_owned(),
                "the token's claims, of which uri is method, host and path".to_owned(),
            ],
            algorithms: vec![
                "ES256 in a compact JWS".to_owned(),
                "EdDSA in a compact JWS".to_owned(),
            ],
            places: vec![
                ("key", header("kid and sub")),
                ("time", header("nbf")),
                ("window", header("exp")),
                ("nonce", header("nonce")),
            ],
            holes: vec!["query", "body"],
        }
    }

    fn without_signature(&self, _body: &str) -> Option<String> {
        None
    }
}

/// A token that is read well but says what it should not.
fn malformed(claim: &str) -> Refusal {
    Refusal::new(Code::SignatureMalformed).field(claim)
}

/// Reads a NumericDate without fractions, as all clients write it.
fn seconds(raw: &str) -> Option<u64> {
    let plain = raw.len() <= 11 && raw.bytes().all(|byte| byte.is_ascii_digit());
    raw.parse().ok().filter(|_| plain)
}
