//! Requests that ask for the token of a private stream, and the openings of such streams.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response};
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::Session;
use ringfence_wire::{Lending, Lends, Outgoing, Reading, Route};

use crate::body::Content;
use crate::clock::now_us;
use crate::lent::{Handed, Loan};
use crate::minted::{Hash, LENGTH, hash};
use crate::pipeline::Passing;

/// What a permitted message asks of a token.
pub(crate) struct Borrower {
    session: Session,
    /// Which token it is about, where it says so.
    shown: Option<Hash>,
}

/// A token that opens a stream, and what it stands for.
pub(crate) struct Shown {
    pub(crate) token: String,
    pub(crate) loan: Arc<Loan>,
}

const SECOND_US: u64 = 1_000_000;

impl Passing {
    /// Returns what the token stands for by which a private stream is to be opened; none on every other route.
    ///
    /// # Errors
    ///
    /// `credential_missing`, `token_unknown`; `signature_twofold` where somebody else acts by the message, too.
    pub(crate) fn shown(&self, route: &Route, now_us: u64) -> Result<Option<Shown>, Refusal> {
        if !route.shows() {
            return Ok(None);
        }
        let door = &self.client.door;
        let head = self.dialect_head(true)?;
        let token = door.speech.dialect.shown(route, &head)?;
        let lent = &self.client.thread.shared.lent;
        let loan = lent.find(&token, &door.name, now_us);
        Ok(Some(Shown {
            loan: loan.ok_or(Code::TokenUnknown)?,
            token: token.into_owned(),
        }))
    }

    /// Checks that a request says in one way who acts, where it opens a private stream or asks for its token.
    ///
    /// # Errors
    ///
    /// `signature_twofold`; `signature_missing` where who acts by another's word would have a token that outlives it.
    pub(crate) fn check_private(
        route: &Route,
        reading: &Reading<'_>,
        (shown, bearer): (bool, bool),
    ) -> Result<(), Refusal> {
        let own = reading.claim.is_some() || reading.named.is_some();
        if (shown && (own || bearer)) || (bearer && reading.named.is_some()) {
            return Err(Refusal::new(Code::SignatureTwofold).field("authorization"));
        }
        if route.lends().is_some() && !own {
            return Err(Code::SignatureMissing.into());
        }
        Ok(())
    }

    /// Returns what a permitted message asks of a token, if it asks anything of one.
    pub(crate) fn borrower(&self, reading: &Reading<'_>, permit: &Permit) -> Option<Borrower> {
        self.lends()?;
        Some(Borrower {
            session: permit.session(u64::MAX)?,
            shown: reading.lent.map(hash),
        })
    }

    /// Returns what the message's route does with a token.
    pub(crate) fn lends(&self) -> Option<&Lends> {
        let dialect = &self.client.door.speech.dialect;
        let head = &self.head;
        dialect
            .route(head.method.as_str(), head.uri.path())?
            .lends()
    }

    /// Has the venue hand out its token, or prolong it, and answers with one of ours; or ends that.
    ///
    /// # Errors
    ///
    /// `token_unknown` for what is not there to be prolonged or ended; `venue_malformed` where the venue hands out none;
    /// as asking the venue.
    pub(crate) async fn lend(
        &self,
        borrower: Borrower,
        permit: &Permit,
        outgoing: Outgoing,
        operation: Operation,
    ) -> Result<Response<Content>, Refusal> {
        let Borrower { session, shown } = borrower;
        let (shared, door) = (&self.client.thread.shared, &self.client.door.name);
        let lends = self.lends().ok_or(Code::Internal)?;
        let known = shared.lent.of(&session, door, shown.as_ref(), now_us());
        let known = match lends.does {
            Lending::Begin => None,
            Lending::Prolong => Some(known.ok_or(Code::TokenUnknown)?),
            Lending::End => {
                shared.lent.end(&*known.ok_or(Code::TokenUnknown)?);
                // What was pushed by it has been written, or never is, when the client hears so.
                shared.silence();
                return Ok(told(lends.answer("")));
            }
        };
        let response = self.told_by_venue(permit, outgoing, operation).await?;
        if !response.status().is_success() {
            return Ok(response);
        }
        let body = match response.into_body() {
            Content::Whole(body) => body.unwrap_or_default(),
            Content::Stream { .. } => return Err(Code::VenueMalformed.into()),
        };
        let found = lends.found(&body);
        let before = known.as_ref().map(|loan| loan.venue.as_str());
        let now_us = now_us();
        let handed = Handed {
            // What prolongs need not say it again.
            token: found.as_deref().or(before).ok_or(Code::VenueMalformed)?,
            key: permit.venue_key(),
            until_us: now_us.saturating_add(lends.seconds.saturating_mul(SECOND_US)),
        };
        let token = shared.lent.lend(session, door, &handed, now_us)?;
        Ok(told(lends.answer(&token)))
    }
}

/// Returns a path as the ledger may have it, where it is not as it came: without what could be a token, wherever it was
/// shown.
pub(crate) fn masked(path: &str) -> Option<Box<str>> {
    if path.len() < LENGTH {
        return None;
    }
    let secret = |part: &&str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        part.len() >= LENGTH && part.bytes().all(plain)
    };
    let some = path.split('/').any(|part| secret(&part));
    let parts = path.split('/');
    let shown = parts.map(|part| if secret(&part) { "*" } else { part });
    some.then(|| shown.collect::<Vec<_>>().join("/").into())
}

fn told(answer: String) -> Response<Content> {
    let mut response = Response::new(Content::Whole(Some(Bytes::from(answer))));
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // As for all tokens (RFC 6749 5.1): nobody on the way keeps it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    //! The ledger has no token of a path, whatever route it was shown on.

    use super::masked;

    #[test]
    fn what_could_be_a_token_is_left_out_of_a_path() {
        let token = "A-_9".repeat(11);
        let token = token.get(1..).unwrap_or_default();
        for (path, wanted) in [
            (format!("/ws/{token}"), Some("/ws/*")),
            (format!("/nowhere/{token}x/{token}"), Some("/nowhere/*/*")),
            (format!("/{token}/"), Some("/*/")),
            (format!("/ws/btcusdt@{token}"), None),
            ("/fapi/v1/listenKey".to_owned(), None),
            ("/a".repeat(40), None),
        ] {
            assert_eq!(masked(&path).as_deref(), wanted, "{path}");
        }
    }
}
