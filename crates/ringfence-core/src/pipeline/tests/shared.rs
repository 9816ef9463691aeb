//! What others say of a message counts as what is known here; where nobody says anything, each control does as it was told.

use super::*;
use crate::budget::{Across, Answer, How, OnLoss, Usage};
use crate::cluster::{ClaimsOnLoss, ClusterKey, Shares};

/// Ten orders a minute for a credential here; three for an account, shared.
fn sharing(on_loss: OnLoss, claims: Option<ClaimsOnLoss>) -> Core {
    let here = limit(Subject::Credential, Counts::Orders, 10);
    let across = Across::Cluster {
        how: How::Exact,
        on_loss,
    };
    let shared = Limit {
        across,
        ..limit(Subject::Account, Counts::Requests, 3)
    };
    let own = limit(Subject::Account, Counts::Requests, 1);
    let key = ClusterKey::new(&[1; 32]);
    let own = BudgetTable::new(vec![own], 1000).unwrap();
    Core {
        budget: BudgetTable::new(vec![here, shared], 1000)
            .unwrap()
            .across(&key),
        shares: Some(Shares {
            key,
            claims,
            own: Some((own, [1].into())),
        }),
        ..core()
    }
}

fn settled(core: &Core, draft: &Draft<'_>, said: Answer) -> Decision {
    draft.send_and(None, core, NOW_US, |message, decision| {
        assert!(decision.sharing.is_some(), "nothing was asked");
        core.settle(message, decision, said, NOW_US)
    })
}

fn code(decision: &Decision) -> Option<Code> {
    decision.outcome.as_ref().err().map(|refusal| refusal.code)
}

fn cancel(payload: &str) -> Draft<'_> {
    Draft {
        operation: Operation::OrderCancel,
        order: None,
        ..order(payload)
    }
}

const USAGE: Usage = Usage {
    limit: 1,
    used: 1,
    remaining: 2,
    reset_ms: 9,
};

#[test]
fn a_message_is_asked_about_by_name_and_passes_when_it_is_granted() {
    let core = sharing(OnLoss::Refuse, Some(ClaimsOnLoss::Refuse));
    let decision = order("a").send_and(None, &core, NOW_US, |message, decision| {
        let sharing = decision.sharing.as_ref().unwrap();
        let claim = sharing.claim.unwrap();
        assert_eq!(claim.deadline_us, NOW_US + WINDOW.default_us);
        let [charge] = sharing.charges[..] else {
            panic!("{:?}", sharing.charges);
        };
        assert_eq!((charge.limit, charge.price), (1, 1));
        core.settle(message, decision, Answer::Granted(vec![USAGE]), NOW_US)
    });
    assert!(decision.outcome.is_ok());
    assert_eq!((used(&decision, 0), used(&decision, 1)), (1, 1));
}

#[test]
fn what_is_used_up_elsewhere_is_charged_nowhere_here() {
    let core = sharing(OnLoss::Refuse, None);
    for payload in ["a", "b", "c"] {
        let exceeded = Answer::Exceeded {
            limit: 1,
            wait_ms: 77,
            usages: vec![USAGE],
        };
        let decision = settled(&core, &order(payload), exceeded);
        let refusal = decision.outcome.unwrap_err();
        assert_eq!(refusal.code, Code::BudgetExceeded);
        assert_eq!(refusal.retry, crate::refusal::Retry::AfterMs(77));
        let budget = Trace::Refused(Code::BudgetExceeded);
        assert_eq!(
            decision.trace[4..],
            [Trace::Passed, budget, Trace::NotReached, Trace::NotReached]
        );
    }
    let decision = settled(&core, &order("d"), Answer::Granted(Vec::new()));
    assert_eq!(used(&decision, 0), 1);
}

#[test]
fn a_signature_that_was_used_elsewhere_is_used_and_one_that_may_have_been_is_not_taken() {
    let core = sharing(OnLoss::Refuse, Some(ClaimsOnLoss::Refuse));
    for (said, wanted) in [
        (Answer::Claimed, Code::ReplaySeen),
        (Answer::Unknown, Code::ClusterUnavailable),
    ] {
        let decision = settled(&core, &order(wanted.as_str()), said);
        assert_eq!(code(&decision), Some(wanted));
        assert_eq!(decision.trace[3], Trace::Refused(wanted));
        assert_eq!(decision.trace[4..], [Trace::NotReached; 4]);
    }
    assert_eq!(
        used(&settled(&core, &order("n"), Answer::Granted(vec![])), 0),
        1
    );
}

#[test]
fn without_the_server_a_limit_refuses_or_goes_by_its_own_share() {
    let refusing = sharing(OnLoss::Refuse, None);
    assert_eq!(
        code(&settled(&refusing, &order("a"), Answer::Lost)),
        Some(Code::ClusterUnavailable)
    );
    let leased = sharing(OnLoss::LeaseOut, None);
    assert_eq!(
        code(&settled(&leased, &order("a"), Answer::Lost)),
        Some(Code::ClusterUnavailable)
    );
    let sharing = sharing(OnLoss::Share, None);
    let first = settled(&sharing, &order("a"), Answer::Lost);
    assert!(first.outcome.is_ok());
    assert_eq!(used(&first, 1), 1);
    assert_eq!(
        code(&settled(&sharing, &order("b"), Answer::Lost)),
        Some(Code::BudgetExceeded)
    );
    assert_eq!(
        used(&settled(&sharing, &order("c"), Answer::Granted(vec![])), 0),
        2
    );
}

#[test]
fn without_the_server_signatures_are_refused_or_taken_by_what_is_known_here() {
    let refusing = sharing(OnLoss::Share, Some(ClaimsOnLoss::Refuse));
    assert_eq!(
        code(&settled(&refusing, &order("a"), Answer::Lost)),
        Some(Code::ClusterUnavailable)
    );
    assert!(settled(&refusing, &read("r"), Answer::Lost).outcome.is_ok());
    let local = sharing(OnLoss::Share, Some(ClaimsOnLoss::Local));
    assert!(settled(&local, &order("a"), Answer::Lost).outcome.is_ok());
    assert_eq!(order("a").code(&local), Some(Code::ReplaySeen));
}

#[test]
fn what_takes_risk_away_goes_on_without_the_server() {
    let core = sharing(OnLoss::Refuse, Some(ClaimsOnLoss::Refuse));
    for payload in ["a", "b", "c"] {
        assert!(
            settled(&core, &cancel(payload), Answer::Lost)
                .outcome
                .is_ok()
        );
    }
}

#[test]
fn a_control_that_observes_notes_what_others_say_and_lets_it_pass() {
    let modes = Modes::default()
        .with(Control::Budget, Mode::Observe)
        .with(Control::Freshness, Mode::Observe);
    let core = Core {
        modes,
        ..sharing(OnLoss::Refuse, Some(ClaimsOnLoss::Refuse))
    };
    let lost = settled(&core, &order("a"), Answer::Lost);
    assert!(lost.outcome.is_ok());
    assert_eq!(lost.trace[3], Trace::WouldRefuse(Code::ClusterUnavailable));
    let claimed = settled(&core, &order("b"), Answer::Claimed);
    assert!(claimed.outcome.is_ok());
}

#[test]
fn who_shares_nothing_asks_nothing() {
    let decision = order("a").send(&core(), NOW_US);
    assert!(decision.sharing.is_none() && decision.outcome.is_ok());
    let limited = sharing(OnLoss::Refuse, None);
    let free = Draft {
        operation: Operation::MarketRead,
        signed: false,
        order: None,
        ..order("m")
    };
    assert!(
        free.send(&limited, NOW_US).sharing.is_none(),
        "it is nobody's"
    );
}
