//! A problem says what a venue's body cannot: which code, which limit, when to come back; and nothing that is secret.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use ringfence_core::budget::{Counts, Subject, Subjects};
use ringfence_core::refusal::{Code, Detail, LimitDetail, Refusal, StepUpDetail};
use serde_json::{Value, json};

use super::{MEDIA_TYPE, answer, kind, status};

fn told(refusal: &Refusal) -> Value {
    let rendered = answer(refusal, "b00t-7");
    assert_eq!(rendered.content_type, MEDIA_TYPE);
    serde_json::from_slice(&rendered.body).unwrap()
}

#[test]
fn every_code_has_a_type_of_its_own_and_the_status_of_an_error() {
    let kinds: HashSet<_> = Code::ALL.iter().map(|code| kind(*code)).collect();
    assert_eq!(kinds.len(), Code::ALL.len());
    for code in Code::ALL {
        let told = told(&Refusal::new(*code));
        assert_eq!(told["status"], json!(status(*code)));
        assert!((400..600).contains(&status(*code)), "{code:?}");
        // RFC 9457 3.1.3: it is the same whenever the type is.
        assert_eq!(told["title"], json!(code.hint()));
        assert_eq!(told["code"], json!(code.as_str()));
    }
}

#[test]
fn statuses_follow_who_is_to_blame_and_what_was_looked_at() {
    let wanted = [
        (Code::HttpFramingAmbiguous, 400),
        (Code::EdgeRate, 429),
        (Code::EdgeFull, 503),
        (Code::Banned, 429),
        (Code::RouteUnknown, 404),
        (Code::RouteRetired, 410),
        (Code::FormMalformed, 400),
        (Code::SignatureInvalid, 401),
        (Code::SignatureNonce, 401),
        (Code::TimeStale, 401),
        (Code::ReplayFull, 503),
        (Code::CredentialSuspended, 401),
        (Code::CredentialSessionEnded, 401),
        (Code::ScopeMissing, 403),
        (Code::StoreStale, 503),
        (Code::BudgetExceeded, 429),
        (Code::PriceTick, 422),
        (Code::AddressLocked, 403),
        (Code::SequenceIllegal, 409),
        (Code::LedgerUnavailable, 503),
        (Code::Internal, 500),
        (Code::VenueUnreachable, 502),
        (Code::VenueOutcomeUnknown, 504),
    ];
    for (code, number) in wanted {
        assert_eq!(status(code), number, "{code:?}");
    }
}

#[test]
fn a_quota_that_is_used_up_is_told_as_the_draft_on_ratelimit_fields_has_it() {
    let limit = LimitDetail {
        name: "orders-10s".into(),
        subject: Subjects::from(Subject::Account).with(Subject::Symbol),
        counts: Counts::Orders,
        bound: "50 orders in 10000 ms".into(),
    };
    let refusal = Refusal::new(Code::BudgetExceeded)
        .with(Detail::Limit(Box::new(limit)))
        .retry_after(1234);
    assert_eq!(
        told(&refusal),
        json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": Code::BudgetExceeded.hint(),
            "status": 429,
            "detail": refusal.to_string(),
            "instance": "urn:ringfence:message:b00t-7",
            "code": "budget_exceeded",
            "blame": "client",
            "retry_after_ms": 1234,
            "violated-policies": ["orders-10s"],
            "limit": {
                "name": "orders-10s",
                "subject": "account+symbol",
                "counts": "orders",
                "allows": "50 orders in 10000 ms",
            },
        })
    );
}

#[test]
fn what_it_is_about_is_a_member_of_its_own() {
    let about = |code, detail| told(&Refusal::new(code).with(detail));
    let field = told(&Refusal::new(Code::PriceTick).field("1.px"));
    assert_eq!(field["field"], "1.px");
    let stale = about(Code::TimeStale, Detail::Distance(1500));
    assert_eq!(stale["past_limit_us"], 1500);
    let banned = about(Code::Banned, Detail::From(7));
    assert_eq!(banned["from_us"], 7);
    let scope = about(Code::ScopeMissing, Detail::Scope("withdraw"));
    assert_eq!(scope["scope"], "withdraw");
    let wanted = StepUpDetail {
        strengths: "totp passkey".into(),
        max_age_s: 300,
        policies: "policy-7".into(),
    };
    let step_up = about(Code::StepUpRequired, Detail::StepUp(wanted));
    assert_eq!(
        (&step_up["acr_values"], &step_up["max_age"]),
        (&json!("totp passkey"), &json!(300))
    );
    let forbidden = about(Code::PolicyForbids, Detail::Policies("policy-7".into()));
    for told in [step_up, forbidden] {
        assert!(!told.to_string().contains("policy-7"), "{told}");
    }
}

#[test]
fn what_the_client_wrote_cannot_break_out_of_it() {
    let name = "\",\"code\":\"x\u{2028}\\";
    let refusal = Refusal::new(Code::FormParameterUnknown).field(name);
    let told = told(&refusal);
    assert_eq!(
        (&told["field"], &told["code"]),
        (&json!(name), &json!("form_parameter_unknown"))
    );
}
