//! A session stands for its credential as long as both are good, and is begun by a logon that is spent, or vouched for.

use super::*;
use crate::session::{Demands, Warrant};

const UNTIL_US: u64 = NOW_US + 60_000_000;

fn logon(payload: &str) -> Draft<'_> {
    Draft {
        operation: Operation::SessionLogon,
        ..read(payload)
    }
}

/// Begins a session of k1.
fn begin(core: &Core) -> Session {
    let permit = logon("logon").send(core, NOW_US).outcome.unwrap();
    permit.session(UNTIL_US).unwrap()
}

/// Sends an order that has no signature of its own.
fn speak(session: &Session, core: &Core, now_us: u64) -> Decision {
    let message = spoken(session);
    let pass = core.admit(message.peer, now_us).unwrap();
    core.decide(&message, pass, &WINDOW, now_us)
}

/// An order that has no signature of its own.
fn spoken(session: &Session) -> Message<'_> {
    Message {
        peer: IpAddr::from(HOME),
        operation: Operation::OrderPlace,
        signed: true,
        claim: None,
        named: None,
        session: Some(session),
        certificate: None,
        transport: "http/1.1",
        orders: &[GOOD_ORDER],
        about: &[],
        funds: None,
        cost: Cost {
            weight: 1,
            orders: 1,
            items: 1,
        },
    }
}

fn code(decision: Decision) -> Option<Code> {
    decision.outcome.err().map(|refusal| refusal.code)
}

#[test]
fn what_follows_a_logon_needs_no_signature_and_passes_every_control() {
    let core = core();
    let session = begin(&core);
    let decision = speak(&session, &core, NOW_US);
    assert_eq!(decision.trace, [Trace::Passed; 8]);
    assert_eq!(decision.credential.unwrap().key_id(), "k1");
    assert_eq!(used(&speak(&session, &core, NOW_US), 0), 2);
}

#[test]
fn a_captured_logon_begins_no_second_session() {
    let core = core();
    begin(&core);
    assert_eq!(logon("logon").code(&core), Some(Code::ReplaySeen));
    assert_eq!(read("a read").code(&core), None);
    assert_eq!(logon("a read").code(&core), Some(Code::ReplaySeen));
}

#[test]
fn nothing_but_a_logon_or_an_opening_begins_a_session() {
    let core = core();
    for (operation, payload) in Operation::ALL.into_iter().zip('a'..) {
        let payload = payload.to_string();
        let draft = Draft {
            operation,
            ..order(&payload)
        };
        if let Ok(permit) = draft.send(&core, NOW_US).outcome {
            let begun = permit.session(UNTIL_US).is_some();
            let begins = [Operation::SessionLogon, Operation::StreamOpen].contains(&operation);
            assert_eq!(begun, begins, "{operation:?}");
        }
    }
}

#[test]
fn a_logon_without_a_verified_signature_begins_none() {
    for mode in [Mode::Observe, Mode::Off] {
        let core = observing(Control::Identity, mode);
        let forged = Draft {
            secret: b"another secret of 32 bytes......",
            ..logon("forged")
        };
        assert_eq!(forged.code(&core), Some(Code::CredentialMissing));
    }
}

#[test]
fn a_revoked_key_is_silenced_on_its_sessions_at_once() {
    let core = core();
    let session = begin(&core);
    let permit = speak(&session, &core, NOW_US).outcome.unwrap();
    core.credentials
        .set_state("k1", State::Deactivated)
        .unwrap();
    assert_eq!(
        code(speak(&session, &core, NOW_US)),
        Some(Code::CredentialRevoked)
    );
    assert!(permit.revalidate(NOW_US).is_err());
}

#[test]
fn a_session_obeys_what_its_credential_is_described_as_now() {
    let core = core();
    let session = begin(&core);
    let narrow = NewCredential {
        scopes: crate::operation::Scopes::parse(["read"]).unwrap(),
        ..credential("k1", "alice")
    };
    core.credentials.put(narrow).unwrap();
    assert_eq!(
        code(speak(&session, &core, NOW_US)),
        Some(Code::ScopeMissing)
    );
    let rekeyed = NewCredential {
        key: VerifyingKey::from_parts(Algorithm::HmacSha256, &[7; 32]).unwrap(),
        ..credential("k1", "alice")
    };
    core.credentials.put(rekeyed).unwrap();
    assert_eq!(
        code(speak(&session, &core, NOW_US)),
        Some(Code::CredentialRevoked)
    );
}

#[test]
fn the_instant_of_its_end_is_outside() {
    let core = core();
    let session = begin(&core);
    assert_eq!(code(speak(&session, &core, UNTIL_US - 1)), None);
    assert_eq!(
        code(speak(&session, &core, UNTIL_US)),
        Some(Code::CredentialSessionEnded)
    );
}

#[test]
fn a_signature_on_the_message_counts_before_the_session() {
    let core = core();
    let session = begin(&core);
    let other = Draft {
        key_id: "k2",
        secret: b"k2k2k2k2k2k2k2k2k2k2k2k2k2k2k2k2",
        ..order("by another key")
    };
    let decision = other.send_in(Some(&session), &core, NOW_US);
    assert_eq!(decision.credential.unwrap().key_id(), "k2");
    let forged = Draft {
        secret: b"another secret of 32 bytes......",
        ..order("forged")
    };
    let decision = forged.send_in(Some(&session), &core, NOW_US);
    assert_eq!(code(decision), Some(Code::SignatureInvalid));
}

#[test]
fn each_message_of_a_bound_session_is_signed_by_its_key_once() {
    let core = core();
    let key = VerifyingKey::from_parts(Algorithm::HmacSha256, b"a key of the token's holder only");
    let session = core
        .vouch("k1", Coverage::Venue, UNTIL_US, Some(key.unwrap()))
        .unwrap();
    assert_eq!(
        code(speak(&session, &core, NOW_US)),
        Some(Code::SignatureMissing)
    );
    let own = order("by the credential's own key");
    let decision = own.send_in(Some(&session), &core, NOW_US);
    assert_eq!(code(decision), Some(Code::SignatureInvalid));
    let bound = Draft {
        secret: b"a key of the token's holder only",
        ..order("by the bound key")
    };
    assert_eq!(code(bound.send_in(Some(&session), &core, NOW_US)), None);
    let again = bound.send_in(Some(&session), &core, NOW_US);
    assert_eq!(code(again), Some(Code::ReplaySeen));
    let reading = Draft {
        operation: Operation::AccountRead,
        payload: "reading",
        order: None,
        ..bound
    };
    assert_eq!(code(reading.send_in(Some(&session), &core, NOW_US)), None);
    // What is made for one request is not made for two, though they only look.
    let again = reading.send_in(Some(&session), &core, NOW_US);
    assert_eq!(code(again), Some(Code::ReplaySeen));
    let late = Draft {
        payload: "late",
        stamp: Stamp {
            time_us: UNTIL_US,
            ..bound.stamp
        },
        ..bound
    };
    let late = late.send_in(Some(&session), &core, UNTIL_US);
    assert_eq!(code(late), Some(Code::CredentialSessionEnded));
}

#[test]
fn nobody_is_vouched_for_who_has_no_credential() {
    let refused = core().vouch("nobody", Coverage::Whole, UNTIL_US, None);
    assert_eq!(refused.unwrap_err(), Code::CredentialUnknown);
}

#[test]
fn a_session_covers_what_its_beginning_covered() {
    let core = core();
    let demanding = NewCredential {
        demands: Demands {
            coverage: Coverage::Whole,
            ..Demands::default()
        },
        ..credential("k1", "alice")
    };
    core.credentials.put(demanding).unwrap();
    assert_eq!(logon("a").code(&core), Some(Code::CredentialNative));
    let native = Draft {
        coverage: Coverage::Whole,
        ..logon("b")
    };
    let permit = native.send(&core, NOW_US).outcome.unwrap();
    let session = permit.session(UNTIL_US).unwrap();
    assert_eq!(code(speak(&session, &core, NOW_US)), None);
    let weaker = core.vouch("k1", Coverage::Venue, UNTIL_US, None).unwrap();
    assert_eq!(
        code(speak(&weaker, &core, NOW_US)),
        Some(Code::CredentialNative)
    );
}

#[test]
fn a_session_ends_with_what_it_rests_on_and_so_does_what_it_begins() {
    let core = core();
    let warrant = Warrant::default();
    let session = core.vouch("k1", Coverage::Whole, UNTIL_US, None).unwrap();
    let session = session.resting_on(warrant.clone());
    let begun = |session: &Session| {
        let message = Message {
            operation: Operation::SessionLogon,
            ..spoken(session)
        };
        let pass = core.admit(message.peer, NOW_US).unwrap();
        core.decide(&message, pass, &WINDOW, NOW_US).outcome
    };
    let permit = begun(&session).unwrap();
    let longer = permit.session(UNTIL_US * 2).unwrap();
    // Nor does it last longer than the word that it was begun by.
    assert_eq!(longer.until_us(), UNTIL_US);
    assert_eq!(code(speak(&longer, &core, NOW_US)), None);
    assert!(longer.is_in_force() && permit.revalidate(NOW_US).is_ok());
    warrant.withdraw();
    for over in [&session, &longer] {
        assert!(!over.is_in_force());
        let refused = code(speak(over, &core, NOW_US));
        assert_eq!(refused, Some(Code::CredentialSessionEnded));
    }
    let refused = permit.revalidate(NOW_US).unwrap_err();
    assert_eq!(refused.code, Code::CredentialSessionEnded);
    assert!(begin(&core).is_in_force());
}
