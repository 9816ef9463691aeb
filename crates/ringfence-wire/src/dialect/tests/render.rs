//! A refusal is answered in the venue's own words, and says what to do.

use ringfence_core::budget::{Counts, Subject};
use ringfence_core::refusal::{Code, Detail, LimitDetail, Refusal};
use serde_json::{Value, json};

use super::super::{Dialect, Rendered};
use super::fixture::{dialect, written};

fn body(rendered: &Rendered) -> Value {
    serde_json::from_slice(&rendered.body).unwrap()
}

#[test]
fn every_code_has_an_answer_of_its_own() {
    let mut changed = written();
    for (index, code) in Code::ALL.iter().enumerate() {
        changed["errors"]["by_code"][code.as_str()]["code"] = json!(index);
    }
    let dialect = Dialect::from_json(&changed).unwrap();
    for (index, code) in Code::ALL.iter().enumerate() {
        let rendered = dialect.render(&Refusal::new(*code));
        // Who makes proofs looks at the status alone.
        let status = if *code == Code::SignatureNonce {
            401
        } else {
            400
        };
        assert_eq!(
            (rendered.status, &*rendered.content_type),
            (status, "application/json")
        );
        assert_eq!(body(&rendered), json!({"code": index, "msg": code.hint()}));
    }
}

#[test]
fn what_it_is_about_may_change_the_answer() {
    let mut changed = written();
    let by_code = &mut changed["errors"]["by_code"];
    by_code["budget_exceeded.orders"] =
        json!({"status": 429, "code": -1015, "message": "{field}|"});
    by_code["number_inexact.quantity"] =
        json!({"status": 422, "code": -7, "message": "{field}|{hint}"});
    let dialect = Dialect::from_json(&changed).unwrap();
    let limit = |counts| {
        Refusal::new(Code::BudgetExceeded).with(Detail::Limit(Box::new(LimitDetail {
            name: "orders-10s".into(),
            counts,
            subject: Subject::Account.into(),
            bound: "50 orders in 10000 ms".into(),
        })))
    };
    let answer = |refusal: &Refusal| {
        let rendered = dialect.render(refusal);
        (rendered.status, body(&rendered)["code"].as_i64().unwrap())
    };
    assert_eq!(answer(&limit(Counts::Orders)), (429, -1015));
    assert_eq!(answer(&limit(Counts::Weight)), (400, -1));
    assert_eq!(answer(&Refusal::new(Code::BudgetExceeded)), (400, -1));
    let quantity = Refusal::new(Code::NumberInexact).field("quantity");
    assert_eq!(answer(&quantity), (422, -7));
    assert_eq!(
        body(&dialect.render(&quantity))["msg"],
        format!("quantity|{quantity}")
    );
    assert_eq!(
        answer(&Refusal::new(Code::NumberInexact).field("price")),
        (400, -1)
    );
}

#[test]
fn what_the_client_wrote_cannot_break_out_of_the_body() {
    let name = "\",\"code\":0,\"x\":\"\\{hint}{message}\u{2028}";
    let refusal = Refusal::new(Code::FormParameterUnknown).field(name);
    let rendered = body(&dialect().render(&refusal));
    assert_eq!(rendered, json!({"code": -1, "msg": refusal.to_string()}));
}

#[test]
fn a_dialect_without_a_body_of_its_own_answers_with_problems() {
    let mut changed = written();
    changed["errors"] = json!({"by_code": {
        "venue_*": {"message": "Nothing was done."},
        "internal": {"status": 503},
    }});
    let dialect = Dialect::from_json(&changed).unwrap();
    assert_eq!(dialect.refusal_type(), None);
    let told = |code: Code| {
        let rendered = dialect.render_for(&Refusal::new(code), "m-1");
        assert_eq!(rendered.content_type, "application/problem+json");
        let told = body(&rendered);
        assert_eq!(told["instance"], "urn:ringfence:message:m-1");
        assert_eq!(
            (&told["status"], &told["code"]),
            (&json!(rendered.status), &json!(code.as_str()))
        );
        (rendered.status, told["detail"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        told(Code::VenueTimeout),
        (504, "Nothing was done.".to_owned())
    );
    assert_eq!(
        told(Code::Internal),
        (503, Code::Internal.hint().to_owned())
    );
    assert_eq!(
        told(Code::TimeStale),
        (401, Code::TimeStale.hint().to_owned())
    );
}

#[test]
fn half_a_body_of_its_own_is_none() {
    for (member, what) in [("body", "errors"), ("content_type", "errors")] {
        let mut changed = written();
        changed["errors"].as_object_mut().unwrap().remove(member);
        assert_eq!(Dialect::from_json(&changed).unwrap_err().field, what);
    }
    let mut changed = written();
    changed["errors"] = json!({"by_code": {"internal": {"code": 7}}});
    let wrong = Dialect::from_json(&changed).unwrap_err();
    assert_eq!(wrong.field, "errors.by_code.internal.code");
    changed["errors"] = json!({"by_code": {"internal": {"status": 200}}});
    let wrong = Dialect::from_json(&changed).unwrap_err();
    assert_eq!(wrong.field, "errors.by_code.internal.status");
}
