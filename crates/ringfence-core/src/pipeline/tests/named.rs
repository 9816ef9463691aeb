//! A key's name proves who acts only from an address that the key is bound to, and opens private streams alone.

use super::*;

/// Asks for `operation` by what is no signature.
fn ask(
    core: &Core,
    operation: Operation,
    peer: [u8; 4],
    (named, session): (Option<&str>, Option<&Session>),
) -> Decision {
    let message = Message {
        peer: IpAddr::from(peer),
        operation,
        signed: true,
        claim: None,
        named,
        session,
        certificate: None,
        transport: "http/1.1",
        orders: &[GOOD_ORDER],
        about: &[],
        funds: None,
        cost: Cost::default(),
    };
    let pass = core.admit(message.peer, NOW_US).unwrap();
    core.decide(&message, pass, &WINDOW, NOW_US)
}

fn by_name(core: &Core, operation: Operation, peer: [u8; 4]) -> Decision {
    ask(core, operation, peer, (Some("k1"), None))
}

fn code(decision: Decision) -> Option<Code> {
    decision.outcome.err().map(|refusal| refusal.code)
}

/// Describes k1 anew.
fn allow(core: &Core, networks: &[&str]) {
    let mut new = credential("k1", "alice");
    let networks = networks.iter().map(|text| Cidr::parse(text).unwrap());
    new.allow = networks.collect();
    core.credentials.put(new).unwrap();
}

#[test]
fn a_name_opens_streams_and_does_nothing_else() {
    let core = core();
    for operation in Operation::ALL {
        let expected = (operation != Operation::StreamOpen).then_some(Code::SignatureMissing);
        assert_eq!(
            code(by_name(&core, operation, HOME)),
            expected,
            "{operation:?}"
        );
    }
    let nobody = ask(&core, Operation::StreamOpen, HOME, (Some("k9"), None));
    assert_eq!(code(nobody), Some(Code::CredentialUnknown));
}

#[test]
fn a_name_is_nothing_elsewhere_and_whoever_said_it_stays_unknown() {
    let core = core();
    let decision = by_name(&core, Operation::StreamOpen, [198, 51, 100, 7]);
    assert!(decision.credential.is_none());
    assert_eq!(decision.claimed.as_ref().unwrap().key_id(), "k1");
    assert_eq!(code(decision), Some(Code::AddressNotAllowed));
}

#[test]
fn a_name_is_nothing_of_a_key_that_is_bound_to_no_address_whatever_authority_does() {
    for mode in [Mode::Enforce, Mode::Observe, Mode::Off] {
        let core = observing(Control::Authority, mode);
        for networks in [
            &["0.0.0.0/0", "::/0"][..],
            &["192.0.0.0/7"],
            &["192.0.2.0/24", "128.0.0.0/1"],
            &["192.0.2.0/24", "2001:db8::/31"],
        ] {
            allow(&core, networks);
            let refused = code(by_name(&core, Operation::StreamOpen, HOME));
            assert_eq!(refused, Some(Code::CredentialUnbound), "{networks:?}");
        }
        allow(&core, &["192.0.0.0/8", "2001:db8::/32"]);
        assert_eq!(code(by_name(&core, Operation::StreamOpen, HOME)), None);
    }
}

#[test]
fn what_has_a_stream_opened_is_good_for_streams_alone_however_it_was_asked_for() {
    let core = core();
    let signed = Draft {
        operation: Operation::StreamOpen,
        ..read("an opening")
    };
    for opened in [
        by_name(&core, Operation::StreamOpen, HOME),
        signed.send(&core, NOW_US),
    ] {
        let session = opened.outcome.unwrap().session(NOW_US + 1).unwrap();
        for operation in Operation::ALL {
            let decision = ask(&core, operation, HOME, (None, Some(&session)));
            let expected = if operation == Operation::StreamOpen {
                None
            } else if operation.administers() {
                Some(Code::CredentialNative)
            } else {
                Some(Code::SignatureMissing)
            };
            assert_eq!(code(decision), expected, "{operation:?}");
        }
    }
}

#[test]
fn a_key_that_is_bound_no_longer_ends_what_its_name_opened() {
    let core = core();
    let permit = by_name(&core, Operation::StreamOpen, HOME).outcome.unwrap();
    assert_eq!(permit.revalidate(NOW_US), Ok(()));
    allow(&core, &["0.0.0.0/0"]);
    let refused = permit.revalidate(NOW_US).map_err(|refusal| refusal.code);
    assert_eq!(refused, Err(Code::CredentialUnbound));
}

#[test]
fn a_key_that_asks_for_native_signatures_is_not_had_by_its_name() {
    let core = core();
    let mut new = credential("k1", "alice");
    new.demands.coverage = Coverage::Whole;
    core.credentials.put(new).unwrap();
    let refused = code(by_name(&core, Operation::StreamOpen, HOME));
    assert_eq!(refused, Some(Code::CredentialNative));
}
