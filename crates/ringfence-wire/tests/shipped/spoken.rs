//! Messages of trading channels: read as the requests that they stand for, decided on by the core, without a session.

use ringfence_core::budget::Cost;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::{Core, Message};
use ringfence_core::refusal::Code;
use ringfence_wire::{Dialect, Outgoing, Scratch, Spoken};

use super::{Meaning, PEER};

/// Decides on a message by somebody who has not logged on.
pub(crate) fn decide_spoken(
    dialect: &Dialect,
    core: &Core,
    text: &str,
    now_us: u64,
) -> Result<Meaning, Code> {
    let (mut scratch, mut inner) = (Scratch::default(), Scratch::default());
    let heading = dialect.heading(text, &mut scratch);
    let heading = heading.map_err(|refusal| refusal.code)?;
    let spoken = dialect.spoken(&heading, text, &mut scratch);
    let spoken = spoken.map_err(|refusal| refusal.code)?;
    let nothing = Message {
        peer: PEER,
        operation: Operation::SessionLogon,
        signed: true,
        claim: None,
        session: None,
        certificate: None,
        order: None,
        funds: None,
        cost: Cost::default(),
    };
    let (message, window, outgoing) = match &spoken {
        Spoken::Logon(claim, window) => {
            let claim = Some(*claim);
            let message = Message { claim, ..nothing };
            (message, *window, none())
        }
        Spoken::Asks(asked) => {
            let signed = asked
                .claim
                .map_or((None, dialect.window()), |(claim, window)| {
                    (Some(claim), window)
                });
            let reading = dialect.read_asked(asked, signed, &mut inner);
            let reading = reading.map_err(|refusal| refusal.code)?;
            let message = Message {
                operation: asked.route.operation,
                signed: asked.route.signed,
                claim: reading.claim,
                order: reading.order,
                funds: reading.funds,
                cost: reading.cost,
                ..nothing
            };
            let outgoing = dialect.forward(asked.route, &asked.head(), asked.body.as_bytes());
            (message, reading.window, outgoing)
        }
        // The gateway answers these by itself; they do nothing.
        Spoken::Status | Spoken::Logout | Spoken::Reply => return Err(Code::RouteUnknown),
    };
    let edge = core.admit(PEER, now_us).unwrap();
    let decision = core.decide(&message, edge, &window, now_us);
    let _permit = decision.outcome.map_err(|refusal| refusal.code)?;
    Ok(Meaning {
        operation: message.operation,
        outgoing,
        order: format!(
            "{:?} {:?}",
            message.order,
            message.claim.map(|claim| claim.payload.to_vec())
        ),
    })
}

fn none() -> Outgoing {
    Outgoing {
        target: String::new(),
        body: Vec::new(),
        content_type: None,
    }
}
