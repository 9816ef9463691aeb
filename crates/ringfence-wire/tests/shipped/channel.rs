//! A message of a trading channel, as the gateway hears it.

use ringfence_core::pipeline::{Core, Message};
use ringfence_core::refusal::{Code, Refusal};
use ringfence_wire::{Dialect, Heading, Said, Scratch, Spoken};
use serde_json::Value;

use super::{Meaning, PEER};

/// What came of a message.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Came {
    /// A permitted message that a request may stand for.
    Asked(Meaning),
    /// A session of the key.
    Session(String),
    /// What the gateway answers by itself.
    Own,
}

/// Decides on a message without a session, at its own time; what is refused comes with the answer.
pub(crate) fn hear(dialect: &Dialect, core: &Core, text: &str) -> Result<Came, (Code, Value)> {
    if dialect.channel_text(text).is_some() {
        return Ok(Came::Own);
    }
    let mut scratch = Scratch::default();
    let heading = match dialect.heading(text, &mut scratch) {
        Ok(heading) => heading,
        Err(refusal) => return Err(answered(dialect, None, &refusal)),
    };
    let came = judge(dialect, core, &heading, text, &mut scratch);
    came.map_err(|refusal| answered(dialect, Some(&heading), &refusal))
}

fn answered(dialect: &Dialect, heading: Option<&Heading>, refusal: &Refusal) -> (Code, Value) {
    let (answer, _) = dialect.speak_refusal(heading, refusal, &Said::default());
    // Whatever is refused, the answer is JSON.
    (refusal.code, serde_json::from_str(&answer).unwrap())
}

fn judge(
    dialect: &Dialect,
    core: &Core,
    heading: &Heading,
    text: &str,
    scratch: &mut Scratch,
) -> Result<Came, Refusal> {
    let asked = match dialect.spoken(heading, text, scratch)? {
        Spoken::Asks(asked) => asked,
        Spoken::Logon(claim, _) => {
            core.credentials
                .get(claim.key_id)
                .ok_or(Code::CredentialUnknown)?
                .key()
                .verify(&claim)?;
            return Ok(Came::Session(claim.key_id.to_owned()));
        }
        Spoken::Status | Spoken::Logout | Spoken::Reply => return Ok(Came::Own),
    };
    let signed = match asked.claim {
        Some((claim, window)) => (Some(claim), window),
        None => (None, dialect.window()),
    };
    let mut scratch = Scratch::default();
    let reading = dialect.read_asked(&asked, signed, &mut scratch)?;
    let now_us = reading.claim.map_or(0, |claim| claim.stamp.time_us);
    let message = Message {
        peer: PEER,
        operation: asked.route.operation,
        signed: asked.route.signed,
        claim: reading.claim,
        session: None,
        certificate: None,
        order: reading.order,
        funds: reading.funds,
        cost: reading.cost,
    };
    let edge = core.admit(PEER, now_us).unwrap();
    let decision = core.decide(&message, edge, &reading.window, now_us);
    let _permit = decision.outcome?;
    Ok(Came::Asked(Meaning {
        operation: asked.route.operation,
        outgoing: dialect.forward(asked.route, &asked.head(), asked.body.as_bytes()),
        order: format!("{:?}", reading.order),
    }))
}

/// Returns what a message is as a request, whoever sent it: method, target and body; or why it is none.
pub(crate) fn request(dialect: &Dialect, text: &str) -> Result<(String, String, String), Code> {
    let mut scratch = Scratch::default();
    let code = |refusal: Refusal| refusal.code;
    let heading = dialect.heading(text, &mut scratch).map_err(code)?;
    let Spoken::Asks(asked) = dialect.spoken(&heading, text, &mut scratch).map_err(code)? else {
        return Err(Code::RouteUnknown);
    };
    let mut scratch = Scratch::default();
    let signed = (None, dialect.window());
    dialect
        .read_asked(&asked, signed, &mut scratch)
        .map_err(code)?;
    let outgoing = dialect.forward(asked.route, &asked.head(), asked.body.as_bytes());
    let body = String::from_utf8(outgoing.body).unwrap();
    Ok((asked.route.method.to_string(), outgoing.target, body))
}
