//! Issuers' access tokens on requests: who acts by them, and what a refusal says of them.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, WWW_AUTHENTICATE,
};
use ringfence_core::budget::Usages;
use ringfence_core::mode::Control;
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Detail, Refusal};
use ringfence_core::session::{Coverage, Session};
use ringfence_wire::issuer::{Asked, PROOF, Proof};
use ringfence_wire::{Mints, Shown};

use crate::body::Answer;
use crate::clock::now_us;
use crate::minted::{Hash, hash};
use crate::nonce::NONCE;
use crate::pipeline::Passing;
use crate::record::Reading;
use crate::refuse::MESSAGE;

/// Who acts by a request's token.
pub(crate) struct Token {
    pub(crate) session: Arc<Session>,
    /// What the token's key must have signed of this request, where the token is bound to one.
    pub(crate) proof: Option<Proof>,
}

/// What is kept of a token that was shown for another one, and the session that it stands for.
pub(crate) type Renewed = (Hash, Arc<Session>);

/// What a logon hands out.
pub(crate) struct Tokens {
    pub(crate) token: String,
    /// By which the next is had; empty where none is.
    pub(crate) next: String,
}

impl Passing {
    /// Returns who acts by the token that the request carries; none where it carries none of a known issuer.
    ///
    /// # Errors
    ///
    /// As `Issuers::read`; `credential_unknown` when the credential that the token stands for is none.
    pub(crate) fn token(&self, now_us: u64) -> Result<Option<Token>, Refusal> {
        let shared = &self.client.thread.shared;
        let door = &self.client.door;
        if let Some(session) = shared.minted.carried(&self.head.headers, &door.name) {
            let proof = None;
            return Ok(Some(Token { session, proof }));
        }
        let issuers = shared.issuers.now();
        if issuers.is_empty() {
            return Ok(None);
        }
        let asked = Asked {
            method: self.signed_method(),
            secure: self.client.door.tls.is_some(),
            host: self.authority(),
            path: self.head.uri.path(),
        };
        let found = issuers.read(&self.head.headers, &asked, now_us)?;
        let Some(mut vouched) = found else {
            return Ok(None);
        };
        if let Some(proof) = &vouched.proof {
            door.authorities.check(self.authority())?;
            if let Some(nonces) = &door.nonces {
                nonces.check(proof.nonce(), now_us)?;
            }
        }
        let bound = vouched.proof.as_mut().and_then(Proof::take_key);
        let core = &shared.core;
        let session = core.vouch(&vouched.key_id, Coverage::Venue, vouched.until_us, bound)?;
        Ok(Some(Token {
            session: Arc::new(session.resting_on(vouched.warrant)),
            proof: vouched.proof,
        }))
    }

    /// Returns the authority that the request came with.
    pub(crate) fn authority(&self) -> &str {
        let host = self.head.headers.get(HOST);
        let host = host.and_then(|host| host.to_str().ok());
        let authority = || self.head.uri.authority().map(http::uri::Authority::as_str);
        host.or_else(authority).unwrap_or_default()
    }

    /// Returns the request's header fields without its token: it is none of the dialect's.
    pub(crate) fn without_token(&self) -> HeaderMap {
        let mut headers = self.head.headers.clone();
        headers.remove(AUTHORIZATION);
        headers
    }

    /// Says to who carried a token, or signed natively, that a step-up would help (RFC 9470 3). Venues know no such thing.
    fn challenge_step_up(&self, refusal: &Refusal, headers: &mut HeaderMap) {
        let shown = &self.head.headers;
        let token = shown.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let begins = |start: &[u8]| token.is_some_and(|token| token.starts_with(start));
        let scheme = match () {
            () if begins(b"DPoP ") => "DPoP",
            () if begins(b"Bearer ") => "Bearer",
            () if shown.contains_key("signature-input") => "Ringfence",
            () => return,
        };
        let mut text = format!(r#"{scheme} error="insufficient_user_authentication""#);
        if let Detail::StepUp(wanted) = &refusal.detail {
            let (strengths, max_age_s) = (&wanted.strengths, wanted.max_age_s);
            text.push_str(&format!(
                r#", acr_values="{strengths}", max_age={max_age_s}"#
            ));
        }
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
    }

    /// Says to who carried a token what is wrong with it (RFC 6750 3, RFC 9449 7.1), or that a step-up is missing.
    pub(crate) fn challenge(&self, refusal: &Refusal, headers: &mut HeaderMap) {
        if refusal.code == Code::StepUpRequired {
            return self.challenge_step_up(refusal, headers);
        }
        let control = refusal.code.control();
        let theirs = matches!(control, Some(Control::Identity | Control::Freshness))
            || refusal.code == Code::CredentialSessionEnded;
        if !theirs || self.client.thread.shared.issuers.now().is_empty() {
            return;
        }
        let value = self
            .head
            .headers
            .get(AUTHORIZATION)
            .map(HeaderValue::as_bytes);
        let bearer = value.is_some_and(|value| value.starts_with(b"Bearer "));
        let dpop = value.is_some_and(|value| value.starts_with(b"DPoP "));
        let of_proof = match &refusal.detail {
            Detail::Field(name) => {
                ["ath", "cnf", "dpop", "htm", "htu", "jti", "jwk"].contains(&&**name)
            }
            Detail::None
            | Detail::Distance(_)
            | Detail::From(_)
            | Detail::Limit(_)
            | Detail::Policies(_)
            | Detail::Scope(_)
            | Detail::StepUp(_) => {
                matches!(refusal.code, Code::ReplaySeen | Code::TimeStale)
            }
        };
        let text = match (dpop, bearer, of_proof) {
            _ if refusal.code == Code::SignatureNonce => {
                r#"DPoP error="use_dpop_nonce", algs="ES256 EdDSA RS256""#
            }
            (true, _, true) => r#"DPoP error="invalid_dpop_proof", algs="ES256 EdDSA RS256""#,
            (true, _, false) => r#"DPoP error="invalid_token", algs="ES256 EdDSA RS256""#,
            (false, true, _) => r#"Bearer error="invalid_token", DPoP algs="ES256 EdDSA RS256""#,
            (false, false, _) => r#"DPoP algs="ES256 EdDSA RS256""#,
        };
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(text));
    }

    /// Gives out a nonce with the answer to a proof, where proofs need one (RFC 9449 8.2): the next one is made with it.
    pub(crate) fn give_nonce(&self, answer: &mut Response<Answer>) {
        let nonces = self.client.door.nonces.as_ref();
        let Some(nonces) = nonces.filter(|_| self.head.headers.contains_key(PROOF)) else {
            return;
        };
        let headers = answer.headers_mut();
        headers.insert(NONCE, nonces.given(now_us()));
        // Kept by somebody on the way, it would be given out when it is no longer good.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }

    /// Returns what is kept of a token that is shown for another one, and the session that it stands for.
    ///
    /// # Errors
    ///
    /// `credential_unknown` where it is none, or has been used.
    pub(crate) fn renewed(&self, shown: &str) -> Result<Renewed, Code> {
        let shown = hash(shown);
        let minted = &self.client.thread.shared.minted;
        let session = minted.renews(&shown, &self.client.door.name);
        Ok((shown, session.ok_or(Code::CredentialUnknown)?))
    }

    /// Makes the token of a permitted logon, and returns the answer that hands it out.
    pub(crate) fn mint(
        &self,
        mints: &Mints,
        permit: &Permit,
        renewed: Option<&Renewed>,
        now_us: u64,
    ) -> Result<String, Refusal> {
        let endpoint = self.endpoint(mints)?;
        let Tokens { token, next } = self.tokens(mints, permit, renewed, now_us)?;
        Ok(mints.answer(&token, &next, &endpoint))
    }

    /// Makes the tokens of a permitted logon. One that is `renewed` uses up what it shows, and gets nothing that is good
    /// for longer.
    pub(crate) fn tokens(
        &self,
        mints: &Mints,
        permit: &Permit,
        renewed: Option<&Renewed>,
        now_us: u64,
    ) -> Result<Tokens, Refusal> {
        let minted = &self.client.thread.shared.minted;
        let door = &self.client.door.name;
        if renewed.is_some_and(|(shown, _)| !minted.use_up(shown)) {
            return Err(Code::CredentialUnknown.into());
        }
        let last_us = renewed.map_or(u64::MAX, |(_, session)| session.until_us());
        let until_us = |seconds: u64| {
            let until_us = now_us.saturating_add(seconds.saturating_mul(1_000_000));
            until_us.min(last_us)
        };
        let session = |seconds| permit.session(until_us(seconds)).ok_or(Code::Internal);
        let refresh = mints.refresh.as_ref();
        // Whatever is begun by it is over when the last of them is.
        let last_us = refresh.map_or(last_us, |refresh| until_us(refresh.seconds));
        let token = match (mints.shown, permit.credential()) {
            (Shown::Handshake, None) => minted.nobody_s(door, mints.seconds, now_us)?,
            (Shown::Handshake, Some(_)) => {
                minted.lasting(session(mints.seconds)?, (door, mints.shown), now_us)?
            }
            (Shown::Header | Shown::Message | Shown::Both | Shown::Refresh, _) => minted.mint(
                session(mints.seconds)?,
                (door, mints.shown),
                last_us,
                now_us,
            )?,
        };
        let next = match refresh {
            Some(refresh) => {
                let last = session(refresh.seconds)?;
                minted.lasting(last, (door, Shown::Refresh), now_us)?
            }
            None => String::new(),
        };
        Ok(Tokens { token, next })
    }

    /// Answers a logon with the token that was made for it, or says why none was.
    pub(crate) fn hand_out(
        &self,
        answer: Result<String, Refusal>,
        usages: &Usages,
        reading: Reading,
    ) -> Response<Answer> {
        let answer = match answer {
            Err(refusal) => self.refused(&refusal, usages),
            Ok(text) => {
                let body = Some(Bytes::from(text));
                let mut response = Response::new(Answer::whole(body, &self.lane.watch));
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                // RFC 6749 5.1: nobody on the way keeps it.
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                headers.insert(MESSAGE, self.id.value().clone());
                response
            }
        };
        reading.answered(answer.status().as_u16());
        answer
    }
}
