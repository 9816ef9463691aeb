//! Each control refuses its bad message when enforced, lets it pass and says so when it observes,
//! and does not run when it is off: nothing else stands in its place.

use super::{
    Code, Control, Core, Draft, GOOD_ORDER, HOME, IpAddr, Mode, Modes, NOW_US, Operation,
    OrderText, Stamp, Trace, WINDOW, core, observing, order,
};

/// For each control that can refuse in `decide`, a message that only it refuses.
fn bad(control: Control) -> Option<(Draft<'static>, Code)> {
    match control {
        // These two run before `decide`; `sequence` passes everything so far.
        Control::Edge | Control::Operation | Control::Sequence => None,
        Control::Identity => Some((
            Draft {
                // Somebody else's key, for what nobody needs a scope for: see below for orders.
                secret: b"somebody else's secret",
                operation: Operation::MarketRead,
                order: None,
                ..order("a")
            },
            Code::SignatureInvalid,
        )),
        Control::Freshness => Some((
            Draft {
                stamp: Stamp {
                    time_us: NOW_US - 2 * WINDOW.default_us,
                    window_us: WINDOW.default_us,
                },
                ..order("a")
            },
            Code::TimeStale,
        )),
        Control::Authority => Some((
            Draft {
                operation: Operation::TransferCreate,
                order: None,
                ..order("a")
            },
            Code::ScopeMissing,
        )),
        Control::Budget => {
            let mut draft = order("a");
            draft.cost.orders = 11;
            Some((draft, Code::BudgetExceeded))
        }
        Control::Guard => Some((
            Draft {
                order: Some(OrderText {
                    price: Some("30000.001"),
                    ..GOOD_ORDER
                }),
                ..order("a")
            },
            Code::PriceTick,
        )),
    }
}

#[test]
fn an_enforced_control_refuses_and_nothing_behind_it_is_reached() {
    for control in Control::ALL {
        let Some((draft, code)) = bad(control) else {
            continue;
        };
        let decision = draft.send(&core(), NOW_US);
        assert_eq!(decision.outcome.unwrap_err().code, code);
        assert_eq!(code.control(), Some(control));
        for (seen, of) in decision.trace.into_iter().zip(Control::ALL) {
            let expected = match (of as usize).cmp(&(control as usize)) {
                std::cmp::Ordering::Less => Trace::Passed,
                std::cmp::Ordering::Equal => Trace::Refused(code),
                std::cmp::Ordering::Greater => Trace::NotReached,
            };
            assert_eq!(seen, expected, "{of:?} for {control:?}");
        }
    }
}

#[test]
fn a_control_that_observes_or_is_off_lets_its_bad_message_pass() {
    for control in Control::ALL {
        let Some((draft, code)) = bad(control) else {
            continue;
        };
        for (mode, seen) in [
            (Mode::Observe, Trace::WouldRefuse(code)),
            (Mode::Off, Trace::Off),
        ] {
            let decision = draft.send(&observing(control, mode), NOW_US);
            assert!(decision.outcome.is_ok(), "{control:?} {mode:?}");
            let mut expected = [Trace::Passed; 8];
            expected[control as usize] = seen;
            assert_eq!(decision.trace, expected, "{control:?} {mode:?}");
        }
    }
}

#[test]
fn the_edge_refuses_observes_or_is_off() {
    let peer = IpAddr::from(HOME);
    let seen = |core: &Core| core.admit(peer, NOW_US).map(|(_, seen)| seen);
    let spend = |core: &Core| (0..100).for_each(|_| drop(seen(core)));
    let enforced = core();
    spend(&enforced);
    assert_eq!(seen(&enforced).unwrap_err().refusal.code, Code::EdgeRate);
    for (mode, expected) in [
        (Mode::Observe, Trace::WouldRefuse(Code::EdgeRate)),
        (Mode::Off, Trace::Off),
    ] {
        let core = observing(Control::Edge, mode);
        spend(&core);
        let pass = core.admit(peer, NOW_US).unwrap();
        assert_eq!(pass.1, expected);
        let decision = order("a").send(&core, NOW_US);
        assert_eq!(decision.trace[0], expected);
        assert!(decision.outcome.is_ok());
    }
}

/// Waiving identity alone leaves nobody, and nobody may trade: that takes waiving authority, too.
#[test]
fn without_identity_authority_still_refuses_what_needs_a_scope() {
    let forged = Draft {
        secret: b"somebody else's secret",
        ..order("a")
    };
    for mode in [Mode::Observe, Mode::Off] {
        let core = observing(Control::Identity, mode);
        assert_eq!(
            forged.code(&core),
            Some(Code::CredentialMissing),
            "{mode:?}"
        );
        let open = Core {
            modes: core.modes.with(Control::Authority, mode),
            ..super::core()
        };
        let decision = forged.send(&open, NOW_US);
        assert!(decision.outcome.is_ok());
        // Nobody's budget but the address's is charged, and no claim is made.
        assert_eq!(decision.usages.as_slice().len(), 1);
        assert_eq!(open.room.taken(), 0);
    }
}

#[test]
fn with_everything_off_anything_passes_and_with_everything_observed_all_is_told() {
    let all = |mode| {
        Control::ALL
            .into_iter()
            .fold(Modes::default(), |m, c| m.with(c, mode))
    };
    let worst = Draft {
        key_id: "unknown",
        order: None,
        ..order("a")
    };
    let off = Core {
        modes: all(Mode::Off),
        ..core()
    };
    let decision = worst.send(&off, NOW_US);
    assert!(decision.outcome.unwrap().revalidate(NOW_US).is_ok());
    assert_eq!(decision.trace[2..], [Trace::Off; 6]);
    let observing = Core {
        modes: all(Mode::Observe),
        ..core()
    };
    let decision = worst.send(&observing, NOW_US);
    assert!(decision.outcome.is_ok());
    let told = [
        Trace::Passed,
        Trace::Passed,
        Trace::WouldRefuse(Code::CredentialUnknown),
        Trace::Passed,
        Trace::WouldRefuse(Code::CredentialMissing),
        Trace::Passed,
        Trace::WouldRefuse(Code::OrderFieldMissing),
        Trace::Passed,
    ];
    assert_eq!(decision.trace, told);
}

#[test]
fn a_permit_given_without_authority_is_not_asked_for_it_again() {
    let core = observing(Control::Authority, Mode::Observe);
    let permit = order("a").send(&core, NOW_US).outcome.unwrap();
    core.credentials
        .set_state("k1", crate::credential::State::Deactivated)
        .unwrap();
    assert!(permit.revalidate(NOW_US).is_ok());
}
