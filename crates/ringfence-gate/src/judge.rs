//! Judging one message: read by its dialect, decided by the core, recorded. Waits for nothing but the word of the server
//! that gateways share, where it needs that.

use std::slice;
use std::sync::Arc;

use bytes::Bytes;
use h2::ext::Protocol;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use ringfence_core::budget::{Answer, Usages};
use ringfence_core::guard::OrderText;
use ringfence_core::mode::Control;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::{Decision, Message, Permit, Trace};
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::session::{Coverage, Session};
use ringfence_core::sign::Algorithm;
use ringfence_wire::http::single;
use ringfence_wire::issuer::PROOF_WINDOW;
use ringfence_wire::{Head, Outgoing, Route};

use crate::carry::{Intent, Permitted, Recorded};
use crate::clock::now_us;
use crate::lane::Transport;
use crate::pipeline::{Asking, Edge, Passing, Stopped, Turned};
use crate::placing::Placing;
use crate::receipts::Wanted;
use crate::record::{self, Decided};

/// A decision, and what others say of it.
pub(crate) struct Heard {
    decision: Box<Decision>,
    /// What it is on.
    operation: Operation,
    said: Answer,
}

impl Passing {
    /// Records a refusal that comes before the core has seen the message.
    pub(crate) fn turn_early(
        &self,
        refusal: Refusal,
        edge: Trace,
        operation: Option<Operation>,
    ) -> Turned {
        let mut trace = [Trace::NotReached; 8];
        trace[0] = edge;
        if refusal.code.control() == Some(Control::Operation) {
            trace[1] = Trace::Refused(refusal.code);
        } else if operation.is_some() {
            trace[1] = Trace::Passed;
        }
        let decided = Decided {
            operation,
            trace,
            refusal: Some(&refusal),
            decided_us: now_us(),
            ..self.decided()
        };
        self.turn(decided, &refusal)
    }

    /// Records a refusal at the edge.
    pub(crate) fn turn_edge(&self, refusal: Refusal) -> Turned {
        let client = &self.client;
        let mut trace = [Trace::NotReached; 8];
        trace[0] = Trace::Refused(refusal.code);
        let rendered = self.render(&refusal);
        let decided = Decided {
            trace,
            refusal: Some(&refusal),
            status: Some(rendered.status),
            decided_us: now_us(),
            ..self.decided()
        };
        record::refusal(&client.thread.shared, &decided);
        Turned {
            refusal,
            rendered,
            usages: Usages::default(),
        }
    }

    /// Reads the message by its dialect, decides on it and records the decision.
    #[allow(clippy::result_large_err)] // moved once; a box would cost each refusal an allocation
    pub(crate) async fn judge(
        &self,
        route: &Route,
        edge: Edge,
        body: &Bytes,
    ) -> Result<Permitted, Turned> {
        let client = &self.client;
        let dialect = &client.door.speech.dialect;
        let mut scratch = client.thread.scratches.lend();
        let edge_trace = edge.1;
        let settled = dialect.settle(route, body, &mut scratch);
        let route = settled.map_err(|refusal| self.turn_early(refusal, edge_trace, None))?;
        let now_us = now_us();
        let early = |refusal| self.turn_early(refusal, edge_trace, Some(route.operation));
        let token = self.token(now_us).map_err(early)?;
        let (token, proof) = token.map_or((None, None), |token| (Some(token.session), token.proof));
        let shown = self.shown(route, now_us).map_err(early)?;
        let bare = token.as_ref().map(|_| self.without_token());
        let session = shown.as_ref().map(|shown| Arc::clone(&shown.loan.session));
        let session = session.or(token);
        let session = session.or_else(|| client.session(now_us).map(Arc::new));
        let read = self.dialect_head(session.is_some()).and_then(|head| {
            let headers = bare.as_ref().or(head.headers);
            let head = Head { headers, ..head };
            let mut reading = dialect.read(route, &head, body, &mut scratch)?;
            let coverage = reading.claim.as_ref().map(|claim| claim.coverage);
            if coverage == Some(Coverage::Whole) {
                // Signed natively, for one name.
                client.door.authorities.check(self.authority())?;
            }
            if bare.is_some() && reading.claim.is_some() {
                // Who of the two acts would be for each reader to say.
                return Err(Refusal::new(Code::SignatureTwofold).field("authorization"));
            }
            if bare.is_some() && reading.refresh.is_some() {
                return Err(Refusal::new(Code::SignatureTwofold).field("authorization"));
            }
            let unsigned = reading.claim.is_none() && reading.refresh.is_none();
            if route.mints().is_some() && route.signed && unsigned {
                // Who acts by a token, or a certificate, has none made that outlives it.
                return Err(Code::SignatureMissing.into());
            }
            Self::check_private(route, &reading, (shown.is_some(), bare.is_some()))?;
            if let Some(proof) = &proof {
                reading.claim = Some(proof.claim());
                reading.window = PROOF_WINDOW;
            }
            Ok((head, reading))
        });
        let (head, reading) = read.map_err(early)?;
        let renewed = reading.refresh.map(|shown| self.renewed(shown));
        let renewed = renewed.transpose().map_err(|code| early(code.into()))?;
        let proved = reading.claim.is_some() || bare.is_some();
        let admitted = self.admitted(route, proved, now_us).map_err(early)?;
        let logon = route.channel && (reading.claim.is_some() || admitted.is_some());
        let renewed_s = renewed.as_ref().map(|(_, session)| Arc::clone(session));
        let session = admitted.or(renewed_s).or(session);
        let asking = Asking {
            operation: if logon {
                Operation::SessionLogon
            } else {
                route.operation
            },
            signed: route.signed || logon,
            reading,
            session: session.as_deref(),
        };
        let outgoing = || match &shown {
            Some(shown) => dialect.open(route, &head, &shown.loan.venue),
            None => dialect.forward(route, &head, body),
        };
        let mut permitted = match self.decide(&asking, (edge, None), now_us, outgoing) {
            Ok(permitted) => permitted,
            Err(Stopped::Turned(turned)) => return Err(turned),
            Err(Stopped::Waits(waiting)) => {
                let (decision, edge) = *waiting;
                let heard = self.hear(decision, asking.operation).await;
                let decided = self.decide(&asking, (edge, Some(heard)), now_us, outgoing);
                decided.map_err(|stopped| self.turned(stopped))?
            }
        };
        permitted.shown = shown;
        permitted.minted = route
            .mints()
            .map(|mints| self.mint(mints, &permitted.permit, renewed.as_ref(), now_us));
        Ok(permitted)
    }

    /// Lets the core decide as of `now_us`, the one time at which all of a message is judged, and records its decision.
    /// What goes to the venue is written only if it may. A message that needs others' word waits, once.
    #[allow(clippy::result_large_err)] // as above
    pub(crate) fn decide(
        &self,
        asking: &Asking<'_>,
        (edge, heard): (Edge, Option<Heard>),
        now_us: u64,
        outgoing: impl FnOnce() -> Outgoing,
    ) -> Result<Permitted, Stopped> {
        let (client, operation) = (&self.client, asking.operation);
        let message = Message {
            peer: client.peer,
            operation,
            signed: asking.signed,
            claim: asking.reading.claim,
            named: asking.reading.named,
            session: asking.session,
            certificate: client.certificate(now_us),
            transport: self.decided().transport.as_str(),
            orders: asking.reading.orders.as_slice(),
            about: asking.reading.about.as_slice(),
            funds: asking.reading.funds,
            cost: asking.reading.cost,
        };
        let core = &client.thread.shared.core;
        let decision = match heard {
            Some(heard) if heard.operation == operation => {
                core.settle(&message, *heard.decision, heard.said, now_us)
            }
            // Its channel is another than it was: whatever was decided, was of another message.
            Some(_) => return Err(self.turn_early(Code::Internal.into(), edge.1, None).into()),
            None => {
                let again = core.shares.as_ref().map(|_| edge.clone());
                let decision = core.decide(&message, edge, &asking.reading.window, now_us);
                self.learn(&message, &decision, now_us);
                match again {
                    Some(again) if decision.sharing.is_some() => {
                        return Err(Stopped::Waits(Box::new((decision, again))));
                    }
                    Some(_) | None => decision,
                }
            }
        };
        let wanted = match &decision.credential {
            Some(credential) if operation == Operation::ReceiptRead => {
                self.wanted(credential.account())
            }
            Some(_) | None => None,
        };
        let (permit, usages, recorded) = self.record(asking, decision, now_us)?;
        let opens = operation == Operation::StreamOpen;
        let borrower = opens.then(|| self.borrower(&asking.reading, &permit));
        Ok(Permitted {
            permit,
            outgoing: outgoing(),
            operation,
            usages,
            recorded,
            wanted,
            minted: None,
            borrower: borrower.flatten(),
            shown: None,
        })
    }

    /// Hears what others say of a message.
    pub(crate) async fn hear(&self, decision: Decision, operation: Operation) -> Heard {
        let link = self.client.thread.link.as_ref();
        let said = match link.zip(decision.sharing.as_ref()) {
            // Large, and not in every message's future.
            Some((link, sharing)) => Box::pin(link.judge(sharing, operation)).await,
            None => Answer::Lost,
        };
        Heard {
            decision: Box::new(decision),
            operation,
            said,
        }
    }

    /// Returns the refusal of a message that has waited already.
    fn turned(&self, stopped: Stopped) -> Turned {
        match stopped {
            Stopped::Turned(turned) => turned,
            // INVARIANT: a decision that was settled asks nothing more.
            Stopped::Waits(_) => self.turn_early(Code::Internal.into(), Trace::default(), None),
        }
    }

    /// Puts a decision in the ledger's line.
    #[allow(clippy::result_large_err)] // as above
    fn record(
        &self,
        asking: &Asking<'_>,
        decision: Decision,
        decided_us: u64,
    ) -> Result<(Permit, Usages, Recorded), Turned> {
        let thread = &self.client.thread;
        let dialect = &self.client.door.speech.dialect;
        // Of an order that is named alone the record has the instrument that was found for it.
        let found = decision.instrument.as_deref();
        let named = found.zip(asking.reading.orders.one());
        let named = named.map(|(symbol, order)| OrderText { symbol, ..*order });
        let orders = named.as_ref().map(slice::from_ref);
        let decided = Decided {
            operation: Some(asking.operation),
            credential: decision.credential.as_deref(),
            claimed: decision.claimed.as_deref(),
            proof: decision.credential.as_ref().and_then(|_| proof(asking)),
            orders: orders.unwrap_or(asking.reading.orders.as_slice()),
            about: asking.reading.about.as_slice(),
            trace: decision.trace,
            refusal: decision.outcome.as_ref().err(),
            decided_us,
            ..self.decided()
        };
        let recorded = match &decision.outcome {
            Err(refusal) => Err(self.turn(decided, refusal)),
            Ok(_) if asking.operation.changes_state() => Ok(Recorded::Intent(Intent {
                ticket: record::intent(&thread.shared, &decided),
                route: asking.reading.route,
                placing: Placing::of(asking, &thread.shared.core, dialect),
            })),
            Ok(_) => Ok(Recorded::Reading(record::reading(thread, &decided))),
        };
        let usages = decision.usages;
        match (decision.outcome, recorded) {
            (Ok(permit), Ok(recorded)) => Ok((permit, usages, recorded)),
            (Err(_), Err(turned)) => Err(Turned { usages, ..turned }),
            // INVARIANT: what is recorded is what was decided, by the arms above.
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => {
                let refusal = Code::Internal.into();
                let rendered = self.render(&refusal);
                Err(Turned {
                    refusal,
                    rendered,
                    usages,
                })
            }
        }
    }

    /// Notes who was proved on the connection, and whose request it was that nobody was proved to make.
    fn learn(&self, message: &Message<'_>, decision: &Decision, now_us: u64) {
        let client = &self.client;
        let proves = message.claim.is_some() || message.session.is_some();
        match &decision.credential {
            Some(credential) if proves => client.prove(Some(credential.key_id()), now_us),
            // By its name alone nobody is known.
            Some(_) => {}
            None => {
                if message.claim.is_some() {
                    client.prove(None, now_us);
                }
                if decision.outcome.is_ok() {
                    let core = &client.thread.shared.core;
                    core.bans.unproved(client.peer, now_us);
                }
            }
        }
    }

    /// Records a refusal with its status, in the dialect's own form. Who is kept out is told that and nothing else, and
    /// recorded once in a window.
    fn turn(&self, decided: Decided<'_>, refusal: &Refusal) -> Turned {
        let client = &self.client;
        let shared = &client.thread.shared;
        let proved = decided.credential.map(|who| who.key_id());
        let held = match (proved, refusal.code) {
            (Some(_), _) => None,
            (None, Code::Banned) => Some(refusal.clone()),
            (None, _) => shared.core.held(client.peer, decided.decided_us),
        };
        if proved.is_none() {
            shared.core.bans.unproved(client.peer, decided.decided_us);
        }
        client.offended(proved, held.as_ref().unwrap_or(refusal));
        let refusal = held.clone().unwrap_or_else(|| refusal.clone());
        let rendered = self.render(&refusal);
        let first = |_| shared.core.edge.refused(client.prefix, decided.decided_us);
        if held.is_none_or(first) {
            let decided = Decided {
                status: Some(rendered.status),
                refusal: Some(&refusal),
                ..decided
            };
            record::refusal(shared, &decided);
        } else {
            shared.counters.refuse(refusal.code);
        }
        Turned {
            refusal,
            rendered,
            usages: Usages::default(),
        }
    }

    /// Whose receipt of what a request asks for.
    fn wanted(&self, account: &str) -> Option<Wanted> {
        let id = self.head.uri.path().rsplit('/').next()?;
        Some(Wanted {
            account: account.into(),
            id: id.into(),
        })
    }

    /// Returns what dialects look at; with a `session`, a message need not be signed.
    pub(crate) fn dialect_head(&self, session: bool) -> Result<Head<'_>, Refusal> {
        let headers = &self.head.headers;
        let key = match &self.client.door.speech.key_header {
            Some(name) => single(headers, name, Code::FormDuplicate)?,
            None => None,
        };
        let content_type = single(headers, &CONTENT_TYPE, Code::FormMalformed)?;
        Ok(Head {
            method: self.signed_method(),
            path: self.head.uri.path(),
            query: self.head.uri.query().unwrap_or_default(),
            content_type: plain(content_type, Code::FormMalformed)?,
            key: plain(key, Code::CredentialUnknown)?,
            headers: Some(headers),
            secure: self.client.door.tls.is_some(),
            session,
        })
    }

    /// Returns the method as the client signs it. What opens a WebSocket by HTTP/2 was sent as CONNECT, though it is
    /// taken for the GET that it stands for (RFC 8441 5); signatures cover what was sent (RFC 9421 2.2.1, RFC 9449 4.2).
    pub(crate) fn signed_method(&self) -> &str {
        match self.head.extensions.get::<Protocol>() {
            Some(_) => Method::CONNECT.as_str(),
            None => self.head.method.as_str(),
        }
    }

    fn decided(&self) -> Decided<'_> {
        let unread = Decided::unread(
            &self.client,
            self.lane.transport,
            self.id.as_str(),
            self.started_us,
        );
        match &self.said {
            None => Decided {
                method: self.head.method.as_str(),
                path: self.masked.as_deref().unwrap_or(self.head.uri.path()),
                ..unread
            },
            Some(said) => Decided {
                method: &said.method,
                path: &said.path,
                route: said.route.as_deref(),
                topics: &said.topics,
                transport: Transport::WebSocket,
                ..unread
            },
        }
    }
}

/// Returns by what a known credential was proved, where not by the venue's own signature.
fn proof(asking: &Asking<'_>) -> Option<&'static str> {
    let session = asking.session.map(Session::coverage);
    match (asking.reading.claim, asking.session) {
        // Its name, and the address.
        _ if asking.reading.named.is_some() || session == Some(Coverage::Name) => Some("name"),
        (_, Some(session)) if session.bound().is_some() => Some("token"),
        (Some(claim), _) if claim.coverage == Coverage::Whole => Some("native"),
        (None, Some(session)) => match session.credential().algorithm() {
            Algorithm::X509 => Some("certificate"),
            Algorithm::EcdsaP256Sha256
            | Algorithm::Ed25519
            | Algorithm::HmacSha256
            | Algorithm::RsaPkcs1Sha256
            | Algorithm::Secp256k1Eip712 => Some("session"),
        },
        (Some(_), _) | (None, None) => None,
    }
}

/// Returns a field's value as text; one with bytes outside ASCII is refused with `code`.
fn plain(value: Option<&HeaderValue>, code: Code) -> Result<Option<&str>, Refusal> {
    value
        .map(|value| value.to_str().map_err(|_| Refusal::from(code)))
        .transpose()
}
