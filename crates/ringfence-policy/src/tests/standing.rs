//! Who stands above a principal is what the request says, and what policies of groups are about.

#![allow(clippy::unwrap_used)]

use ringfence_core::principal::{Above, Kind};

use super::{order, set};
use crate::request::Request;
use crate::set::Verdict;

fn above(names: &[(Kind, &str)]) -> Vec<Above> {
    let names = names.iter();
    names
        .map(|(kind, name)| Above {
            kind: *kind,
            name: (*name).into(),
        })
        .collect()
}

const GROUPS: &str = "permit(principal, action, resource);\n\
    @id(\"acme\") forbid(principal in Organisation::\"acme\", action, resource);\n\
    @id(\"desk\") forbid(principal is Account in Account::\"desk\", action, resource);\n\
    @id(\"when\") forbid(principal, action, resource) when { principal in [Organisation::\"far\"] };";

#[test]
fn whoever_stands_above_is_meant_however_far_and_nobody_else() {
    let set = set(GROUPS);
    let cases: [(&[(Kind, &str)], &str); 6] = [
        (&[], ""),
        (&[(Kind::Organisation, "acme")], "acme"),
        (&[(Kind::Account, "acme")], ""),
        (&[(Kind::Account, "desk")], "desk"),
        (
            &[(Kind::Organisation, "near"), (Kind::Organisation, "far")],
            "when",
        ),
        (
            &[(Kind::Account, "desk"), (Kind::Organisation, "acme")],
            "acme desk",
        ),
    ];
    // The second time from what was kept: the same account may stand elsewhere by then.
    for _ in 0..2 {
        for (names, wanted) in cases {
            let above = above(names);
            let verdict = set.decide(&Request {
                above: &above,
                ..order(1)
            });
            let forbidden = match &*verdict {
                Verdict::Forbidden(ids) => ids.join(" "),
                Verdict::Permitted(_) => String::new(),
                other @ (Verdict::Failed(_) | Verdict::Unpermitted) => panic!("{other:?}"),
            };
            assert_eq!(forbidden, wanted, "{names:?}");
        }
    }
}

#[test]
fn a_service_is_a_service_and_no_account_of_its_name() {
    let set = set("permit(principal == Service::\"alice\", action, resource);");
    let ask = |kind| Request { kind, ..order(1) };
    assert!(matches!(
        *set.decide(&ask(Kind::Service)),
        Verdict::Permitted(_)
    ));
    assert_eq!(*set.decide(&ask(Kind::Account)), Verdict::Unpermitted);
}
