//! A gateway that has not heard of its store for too long changes nothing at the venue, and goes on otherwise.

use super::*;
use crate::operation::{Scope, Scopes};

/// What changes state is refused on a table that is stale, and on no other.
fn refused(core: &Core, operation: Operation, payload: &str) -> Option<Code> {
    let asked = Draft {
        operation,
        order: operation.carries_order().then_some(GOOD_ORDER),
        coverage: operation.coverage().max(Coverage::Venue),
        ..order(payload)
    };
    let refusal = asked.refusal(core);
    refusal
        .map(|refusal| refusal.code)
        .filter(|code| *code == Code::StoreStale)
}

#[test]
fn what_changes_state_at_the_venue_is_refused_and_reads_pass() {
    let core = core();
    let all = Scope::ALL.into_iter().fold(Scopes::default(), Scopes::with);
    let able = NewCredential {
        scopes: all,
        ..credential("k1", "alice")
    };
    core.credentials.put(able).unwrap();
    for (stale, name) in [(false, "a"), (true, "b"), (false, "c")] {
        core.credentials.set_stale(stale);
        for operation in Operation::ALL {
            let changes = operation.changes_state() && operation.reaches_venue();
            let payload = format!("{name}{operation:?}");
            let found = refused(&core, operation, &payload);
            assert_eq!(
                found.is_some(),
                stale && changes,
                "{operation:?}, stale: {stale}"
            );
        }
    }
}

#[test]
fn a_key_that_is_known_to_be_out_of_use_is_told_so_first() {
    let core = core();
    core.credentials.set_stale(true);
    core.credentials.set_state("k1", State::Suspended).unwrap();
    assert_eq!(order("a").code(&core), Some(Code::CredentialSuspended));
}

#[test]
fn what_waited_while_the_store_was_lost_is_not_sent() {
    let core = core();
    let placed = order("a").send(&core, NOW_US).outcome.unwrap();
    let looked = read("b").send(&core, NOW_US).outcome.unwrap();
    core.credentials.set_stale(true);
    let code = |permit| {
        core.revalidate(permit, NOW_US)
            .err()
            .map(|refusal| refusal.code)
    };
    assert_eq!(code(&placed), Some(Code::StoreStale));
    assert_eq!(code(&looked), None);
    core.credentials.set_stale(false);
    assert_eq!(code(&placed), None);
}

#[test]
fn where_authority_only_observes_it_is_noted_and_goes_on() {
    let core = observing(Control::Authority, Mode::Observe);
    core.credentials.set_stale(true);
    let decision = order("a").send(&core, NOW_US);
    let seen = decision.trace[Control::Authority as usize];
    assert_eq!(seen, Trace::WouldRefuse(Code::StoreStale));
    let permit = decision.outcome.unwrap();
    assert_eq!(core.revalidate(&permit, NOW_US), Ok(()));
}
