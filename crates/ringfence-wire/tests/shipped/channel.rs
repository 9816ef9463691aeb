//! A message of a trading channel, as the gateway hears it from somebody who has not logged on.

use ringfence_core::budget::Cost;
use ringfence_core::freshness::Window;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::{Core, Message};
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::Claim;
use ringfence_wire::{Asked, Dialect, Heading, Said, Scratch, Spoken};
use serde_json::Value;

use super::{Meaning, PEER};

/// What came of a message that was not refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Came {
    /// What the request does that it stands for.
    Asked(Meaning),
    /// A session of the key, begun by what was signed.
    Session { key_id: String, signed: Vec<u8> },
    /// What the gateway answers by itself.
    Own,
}

/// The first path on which the dialect has a channel; nothing is heard where there is none.
pub(crate) fn path(dialect: &Dialect) -> &str {
    dialect.channel_paths().next().unwrap_or_default()
}

/// Decides on a message at `now_us`; at its own time without one. What is refused comes with the answer.
pub(crate) fn hear(
    dialect: &Dialect,
    core: &Core,
    text: &str,
    now_us: Option<u64>,
) -> Result<Came, (Code, Value)> {
    let path = path(dialect);
    if dialect.channel_text(path, text).is_some() {
        return Ok(Came::Own);
    }
    let mut scratch = Scratch::default();
    let heading = match dialect.heading(path, text, &mut scratch) {
        Ok(heading) => heading,
        Err(refusal) => return Err(answered(dialect, None, &refusal)),
    };
    let spoken = dialect.spoken(path, &heading, text, &mut scratch, |_| true);
    let came = spoken.and_then(|spoken| judge(dialect, core, &spoken, now_us));
    came.map_err(|refusal| answered(dialect, Some(&heading), &refusal))
}

fn answered(dialect: &Dialect, heading: Option<&Heading>, refusal: &Refusal) -> (Code, Value) {
    let (answer, _) = dialect.speak_refusal(path(dialect), heading, refusal, &Said::default());
    // Whatever is refused, the answer is JSON.
    (refusal.code, serde_json::from_str(&answer).unwrap())
}

fn judge(
    dialect: &Dialect,
    core: &Core,
    spoken: &Spoken<'_>,
    now_us: Option<u64>,
) -> Result<Came, Refusal> {
    match spoken {
        Spoken::Asks(asked) => ask(dialect, core, asked, now_us).map(Came::Asked),
        Spoken::Follows(following) => ask(dialect, core, &following.asked, now_us).map(Came::Asked),
        Spoken::Logon(claim, window) => {
            let message = message(Operation::SessionLogon, true, Some(*claim));
            decide(core, &message, window, now_us)?;
            Ok(Came::Session {
                key_id: claim.key_id.to_owned(),
                signed: claim.payload.to_vec(),
            })
        }
        // What it shows is looked up before anything is decided.
        Spoken::Refresh(_) => Err(Code::CredentialUnknown.into()),
        Spoken::Status | Spoken::Logout | Spoken::Reply => Ok(Came::Own),
    }
}

fn ask(
    dialect: &Dialect,
    core: &Core,
    asked: &Asked<'_>,
    now_us: Option<u64>,
) -> Result<Meaning, Refusal> {
    let (route, mut scratch) = (asked.route, Scratch::default());
    let reading = dialect.read_asked(asked, signed(dialect, asked), &mut scratch)?;
    let message = Message {
        orders: reading.orders.as_slice(),
        about: reading.about.as_slice(),
        funds: reading.funds,
        cost: reading.cost,
        ..message(route.operation, route.signed, reading.claim)
    };
    decide(core, &message, &reading.window, now_us)?;
    let payload = reading.claim.map(|claim| claim.payload.to_vec());
    Ok(Meaning {
        operation: route.operation,
        outgoing: dialect.forward(route, &asked.head(), asked.body.as_bytes()),
        order: format!("{:?} {payload:?}", reading.orders),
    })
}

/// Returns who signed a message, and how old that may be.
fn signed<'a>(dialect: &Dialect, asked: &Asked<'a>) -> (Option<Claim<'a>>, Window) {
    asked
        .claim
        .map_or((None, dialect.window()), |(claim, window)| {
            (Some(claim), window)
        })
}

fn message(operation: Operation, signed: bool, claim: Option<Claim<'_>>) -> Message<'_> {
    Message {
        peer: PEER,
        operation,
        signed,
        claim,
        named: None,
        session: None,
        certificate: None,
        transport: "http/1.1",
        orders: &[],
        about: &[],
        funds: None,
        cost: Cost::default(),
    }
}

fn decide(
    core: &Core,
    message: &Message<'_>,
    window: &Window,
    now_us: Option<u64>,
) -> Result<(), Refusal> {
    let own = message.claim.map(|claim| claim.stamp.time_us);
    let now_us = now_us.or(own).unwrap_or_default();
    let edge = core.admit(PEER, now_us).unwrap();
    let _permit = core.decide(message, edge, window, now_us).outcome?;
    Ok(())
}

/// Returns what a message is as a request, whoever sent it: method, target and body; or why it is none.
pub(crate) fn request(dialect: &Dialect, text: &str) -> Result<(String, String, String), Code> {
    let (path, mut scratch) = (path(dialect), Scratch::default());
    let code = |refusal: Refusal| refusal.code;
    let heading = dialect.heading(path, text, &mut scratch).map_err(code)?;
    let Spoken::Asks(asked) = dialect
        .spoken(path, &heading, text, &mut scratch, |_| true)
        .map_err(code)?
    else {
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
