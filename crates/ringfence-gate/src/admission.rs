//! Tokens that open a WebSocket: shown in its handshake here, and the venue's own for its end of it, in egress.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Method, Response, Uri};
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::Permit;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::Session;
use ringfence_wire::{Leg, Mints, Outgoing, Route, VenueAdmission, Way};
use rustls::pki_types::ServerName;

use crate::body::{Answer, Content};
use crate::channel::Opened;
use crate::clock::now_us;
use crate::exchange::{Trouble, exchange};
use crate::forward;
use crate::hosts::{Place, Venue};
use crate::lane::Next;
use crate::minted::hash;
use crate::pipeline::Passing;
use crate::stream::{Far, Opening};

impl Passing {
    /// Returns who acts by the token that a handshake shows; none where no token is asked for, or it is nobody's.
    /// `proved` tells whether the handshake says otherwise who acts.
    ///
    /// # Errors
    ///
    /// `credential_missing` without a token, `credential_unknown` for what is none of this listener's, or opens something
    /// else; `signature_twofold` for one beside another proof.
    pub(crate) fn admitted(
        &self,
        route: &Route,
        proved: bool,
        now_us: u64,
    ) -> Result<Option<Arc<Session>>, Refusal> {
        let door = &self.client.door;
        let Some((admission, minting)) = door.speech.dialect.admission(route) else {
            return Ok(None);
        };
        let somebody_s = minting.signed;
        let seconds = minting.mints().map_or(0, |mints| mints.seconds);
        let query = self.head.uri.query().unwrap_or_default();
        let minted = &self.client.thread.shared.minted;
        match admission.token(query) {
            Some(_) if proved => {
                // Who of the two acts would be for each reader to say.
                let twofold = Refusal::new(Code::SignatureTwofold);
                Err(twofold.field(admission.parameter()))
            }
            None if proved && somebody_s => Ok(None),
            None => Err(Code::CredentialMissing.into()),
            Some(token) if somebody_s => {
                let found = minted.admits(&hash(token), &door.name);
                Ok(Some(found.ok_or(Code::CredentialUnknown)?))
            }
            Some(token) if minted.is_nobody_s(token, &door.name, seconds, now_us) => Ok(None),
            Some(_) => Err(Code::CredentialUnknown.into()),
        }
    }

    /// Returns the address at which a token of the gateway's own is shown: the client's own word for this listener.
    ///
    /// # Errors
    ///
    /// `signature_authority` where that is none of its names: what is said there is not said to us.
    pub(crate) fn endpoint(&self, mints: &Mints) -> Result<String, Refusal> {
        let Some(opens) = mints.opens() else {
            return Ok(String::new());
        };
        let (door, authority) = (&self.client.door, self.authority());
        door.authorities.check(authority)?;
        let scheme = if door.tls.is_some() { "wss" } else { "ws" };
        Ok(format!("{scheme}://{authority}{}", opens.path))
    }

    /// Opens a WebSocket on which a client is told that its token is over, where the venue does so.
    pub(crate) fn told_over(
        &self,
        route: &Route,
        opening: Option<&Opening>,
        refusal: &Refusal,
    ) -> Option<Response<Answer>> {
        let opening = opening?;
        let over = matches!(
            refusal.code,
            Code::CredentialUnknown | Code::CredentialSessionEnded
        );
        let (admission, _) = self.client.door.speech.dialect.admission(route)?;
        let query = self.head.uri.query().unwrap_or_default();
        let heading = admission.heading(query, self.id.as_str());
        let said = admission.over(&heading).filter(|_| over)?;
        let opened = Opened {
            path: self.head.uri.path().into(),
            id: self.id.clone(),
            session: None,
            said: Some(said),
            over: true,
        };
        *self.lane.next.borrow_mut() = Some(Next::Channel(opened));
        Some(self.opened(opening))
    }

    /// Opens the venue's end of a WebSocket. In egress a venue that admits by a token is asked for one first.
    ///
    /// # Errors
    ///
    /// What kept it from opening.
    pub(crate) async fn reach(
        &self,
        permit: &Permit,
        outgoing: Outgoing,
        (operation, whose): (Operation, Leg),
    ) -> Result<Far, Trouble> {
        let shared = &self.client.thread.shared;
        let dialect = &self.client.door.speech.dialect;
        let request = forward::request(permit, self, &self.head.method, outgoing, operation);
        let mut request = request.map_err(Trouble::NotSent)?;
        let admission = dialect.venue_admission(self.head.uri.path());
        let admission = admission.filter(|_| shared.core.egress.is_some());
        let Some((admission, minting)) = admission else {
            shared
                .core
                .revalidate(permit, now_us())
                .map_err(Trouble::NotSent)?;
            let host = shared.hosts.at(request.uri().path(), whose);
            return self.open_far(host.unwrap_or(&shared.venue), request).await;
        };
        let answer = self.ask_venue(permit, minting).await?;
        let way = admission.way(&answer, self.id.as_str());
        let way = way.ok_or(Trouble::Malformed)?;
        let venue = elsewhere(&shared.venue, admission, &way)?;
        let target = Uri::from_maybe_shared(Bytes::from(way.target));
        *request.uri_mut() = target.map_err(|_| Trouble::Malformed)?;
        let venue = venue.as_ref().unwrap_or(&shared.venue);
        shared
            .core
            .revalidate(permit, now_us())
            .map_err(Trouble::NotSent)?;
        self.open_far(venue, request).await
    }

    /// Asks the venue for a token of its own, as whom the permit names, and returns its answer.
    pub(crate) async fn ask_venue(
        &self,
        permit: &Permit,
        minting: &Route,
    ) -> Result<String, Trouble> {
        let thread = &self.client.thread;
        let outgoing = Outgoing {
            target: minting.path.to_string(),
            body: Vec::new(),
            content_type: None,
        };
        let method: Method = minting.method.parse().map_err(|_| Trouble::Malformed)?;
        let parcel = forward::parcel(permit, self, &method, outgoing, minting.operation);
        let parcel = parcel.map_err(Trouble::NotSent)?;
        let sent_us = now_us();
        let response = exchange(&thread.pool, permit, parcel, || {}).await?;
        if let Some(refusal) = self.heard(permit, &response, sent_us) {
            return Err(Trouble::NotSent(refusal));
        }
        match response.into_body() {
            Content::Whole(Some(body)) => {
                String::from_utf8(body.to_vec()).map_err(|_| Trouble::Malformed)
            }
            Content::Whole(None) | Content::Stream { .. } => Err(Trouble::Malformed),
        }
    }
}

/// Returns the venue's end where it is not at the venue's own address.
///
/// # Errors
///
/// `Malformed` for an address that the venue may not send us to.
fn elsewhere(
    venue: &Venue,
    admission: &VenueAdmission,
    way: &Way,
) -> Result<Option<Venue>, Trouble> {
    if venue.host.as_bytes() == way.authority.as_bytes() && venue.tls.is_some() == way.secure {
        return Ok(None);
    }
    let Some((config, _)) = venue.tls.as_ref().filter(|_| admission.may_be(way)) else {
        return Err(Trouble::Malformed);
    };
    let name = ServerName::try_from(way.host.clone()).map_err(|_| Trouble::Malformed)?;
    let host = HeaderValue::try_from(&way.authority).map_err(|_| Trouble::Malformed)?;
    Ok(Some(Venue {
        host,
        place: Place::Net(format!("{}:{}", way.host, way.port.unwrap_or(443))),
        tls: Some((Arc::clone(config), name)),
        connections: venue.connections,
        connect_timeout: venue.connect_timeout,
        response_timeout: venue.response_timeout,
    }))
}
