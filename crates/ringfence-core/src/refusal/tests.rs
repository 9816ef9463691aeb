//! Codes are stable, and every refusal tells what to do without telling a secret.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use super::{Blame, Code, Detail, LimitDetail, Refusal, Retry, StepUpDetail};
use crate::budget::{Counts, Subject};
use crate::mode::Control;

/// The golden list: a code is added here with its control, and never changed.
const GOLDEN: &str = "\
http: http_malformed http_header_too_large http_body_too_large http_timeout http_flood \
http_method_unknown http_target_invalid http_framing_ambiguous http_upgrade_unsupported \
connections_exhausted
edge: edge_rate edge_full banned
operation: route_unknown route_retired
form: form_malformed form_duplicate form_parameter_unknown form_parameter_missing \
form_parameter_invalid form_batch_too_long
identity: credential_missing credential_unknown credential_unbound token_unknown \
signature_missing signature_algorithm signature_malformed signature_invalid signature_field signature_coverage signature_parameter \
signature_digest signature_body signature_twofold signature_authority \
signature_nonce
freshness: time_missing time_malformed time_stale time_ahead window_too_large replay_seen \
replay_full credential_session_ended
authority: credential_not_active credential_suspended credential_revoked credential_expired \
credential_certificate credential_native address_not_allowed scope_missing policy_forbids \
step_up_required order_unknown venue_key_missing store_stale \
shard_draining shard_isolated
budget: budget_exceeded budget_full cluster_unavailable venue_limited
guard: instrument_unknown number_inexact price_invalid price_tick price_band quantity_invalid \
quantity_lot quantity_min quantity_max quantity_unbounded notional_min notional_max order_side_invalid \
order_type_unknown order_field_missing funds_rule_missing address_locked funds_max
sequence: sequence_illegal
gateway: ledger_unavailable draining overloaded internal
venue: venue_unreachable venue_timeout venue_malformed venue_outcome_unknown \
venue_key_refused";

#[test]
fn the_codes_are_those_of_the_golden_list() {
    let mut all = Code::ALL.iter();
    for line in GOLDEN.lines() {
        let (room, codes) = line.split_once(": ").unwrap();
        let control = Control::ALL.into_iter().find(|c| c.as_str() == room);
        for text in codes.split(' ') {
            let code = *all.next().unwrap();
            assert_eq!((code.as_str(), code.control()), (text, control));
        }
    }
    assert!(all.next().is_none());
}

#[test]
fn every_code_is_a_word_of_its_own_and_says_what_to_do() {
    let mut texts = BTreeSet::new();
    for code in Code::ALL {
        let (text, hint) = (code.as_str(), code.hint());
        assert!(texts.insert(text));
        assert!(
            text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{text}"
        );
        assert!(
            hint.ends_with('.') && hint.is_ascii() && hint.len() <= 100,
            "{hint}"
        );
        // Clients take these words for an address ban and stop for good (exchange-auth.md, 2.2).
        assert!(!hint.contains("banned"), "{hint}");
    }
}

#[test]
fn what_passes_by_itself_says_when_to_come_back() {
    for code in Code::ALL {
        let passes = match code.blame() {
            Blame::Client => *code == Code::ConnectionsExhausted,
            Blame::Gateway => *code != Code::Internal,
            Blame::Venue => *code == Code::VenueUnreachable,
        };
        let retry = Refusal::new(*code).retry;
        assert_eq!(matches!(retry, Retry::AfterMs(1..)), passes, "{code:?}");
    }
    let refusal = Refusal::new(Code::EdgeRate).retry_after(7);
    assert_eq!(refusal.retry, Retry::AfterMs(7));
}

#[test]
fn a_refusal_reads_as_hint_and_detail() {
    let limit = LimitDetail {
        name: "orders-10s".into(),
        subject: Subject::Account.into(),
        counts: Counts::Orders,
        bound: "50 orders in 10000 ms".into(),
    };
    for (refusal, end) in [
        (Refusal::new(Code::ReplaySeen), "; sign a new one."),
        (
            Refusal::new(Code::PriceTick).field("price"),
            "; round it. [price]",
        ),
        (
            Refusal::new(Code::TimeStale).with(Detail::Distance(1_234_567)),
            " [1235 ms past the limit]",
        ),
        (
            Refusal::new(Code::BudgetExceeded).with(Detail::Limit(limit.into())),
            " [orders-10s: 50 orders in 10000 ms, by account]",
        ),
        (
            Refusal::new(Code::ScopeMissing).with(Detail::Scope("withdraw")),
            " [withdraw]",
        ),
        (
            Refusal::new(Code::AddressLocked).with(Detail::From(0)),
            " [from 1970-01-01T00:00:00Z]",
        ),
        (
            Refusal::new(Code::StepUpRequired).with(Detail::StepUp(StepUpDetail {
                strengths: "totp passkey".into(),
                max_age_s: 300,
                policies: "forbidden by fresh".into(),
            })),
            " [totp or passkey, no older than 300 s]",
        ),
    ] {
        let text = refusal.to_string();
        assert!(
            text.starts_with(refusal.code.hint()) && text.ends_with(end),
            "{text}"
        );
    }
}

#[test]
fn a_field_is_cut_between_characters() {
    let name = "é".repeat(200);
    let Detail::Field(kept) = Refusal::new(Code::FormDuplicate).field(&name).detail else {
        panic!("no field")
    };
    assert_eq!(&*kept, "é".repeat(32));
    let odd = format!("a{name}");
    let Detail::Field(kept) = Refusal::new(Code::FormDuplicate).field(&odd).detail else {
        panic!("no field")
    };
    assert_eq!(kept.len(), 63);
}
