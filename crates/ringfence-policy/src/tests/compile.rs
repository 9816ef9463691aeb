//! A set that is in force is valid; what is not says where.

use super::{definition, problems, set};
use crate::action::{Action, SCHEMA};
use crate::part::Part;
use crate::set::PolicySet;
use ringfence_core::operation::Operation;

#[test]
fn each_problem_names_file_line_and_column() {
    let cases = [
        (
            "permit(principal, action, resource)\nwhen { true",
            "a.cedar:2:",
        ),
        (
            "\npermit(principal, action, resource) when { context.colour == ip(\"10.0.0.1\") };",
            "a.cedar:2:44: ",
        ),
        (
            "permit(principal, action == Action::\"order.plaze\", resource);",
            "a.cedar:1:",
        ),
        (
            "permit(principal == ?principal, action, resource);",
            "a.cedar:1:1: a template",
        ),
        (
            "@id(\"x\")\npermit(principal, action, resource);\n@id(\"x\")\nforbid(principal, action, resource);",
            "a.cedar:3:1: the id x is there twice",
        ),
    ];
    for (text, wanted) in cases {
        let found = problems(text);
        assert!(found[0].to_string().starts_with(wanted), "{found:?}");
    }
}

#[test]
fn a_set_without_a_policy_is_refused() {
    assert!(
        problems("// nothing")
            .iter()
            .any(|p| p.what.contains("no policy is there"))
    );
}

#[test]
fn a_rounded_number_takes_only_comparisons_that_rounding_keeps() {
    let with = |condition: &str| {
        format!(
            "permit(principal, action == Action::\"order.place\", resource) when {{ context has order && \
             context.order has notional && {condition} }};"
        )
    };
    let exact = [
        "context.order.notional.lessThanOrEqual(decimal(\"1.0\"))",
        "context.order.notional.greaterThan(decimal(\"1.0\"))",
        "decimal(\"1.0\").lessThan(context.order.notional)",
        "decimal(\"1.0\").greaterThanOrEqual(context.order.notional)",
    ];
    for condition in exact {
        assert!(
            PolicySet::compile(definition(&with(condition))).is_ok(),
            "{condition}"
        );
    }
    let inexact = [
        "context.order.notional.lessThan(decimal(\"1.0\"))",
        "context.order.notional.greaterThanOrEqual(decimal(\"1.0\"))",
        "decimal(\"1.0\").lessThanOrEqual(context.order.notional)",
        "context.order.notional == decimal(\"1.0\")",
    ];
    for condition in inexact {
        let found = problems(&with(condition));
        assert!(
            found[0].what.contains("rounded up"),
            "{condition}: {found:?}"
        );
    }
}

#[test]
fn the_context_is_read_attribute_by_attribute() {
    let found = problems(
        "permit(principal, action == Action::\"key.create\", resource) when { context has stepUp && \
         context.stepUp == {age: 1, strength: \"passkey\"} };",
    );
    assert!(
        found[0].what.contains("many attributes at once"),
        "{found:?}"
    );
}

#[test]
fn the_tables_are_in_the_order_that_they_are_indexed_by() {
    for operation in Operation::ALL {
        assert_eq!(Action::from(operation).as_str(), operation.as_str());
    }
    for (index, part) in Part::all().enumerate() {
        assert_eq!(part as usize, index);
    }
}

#[test]
fn the_schema_puts_each_action_into_the_groups_of_its_operation() {
    let all = crate::action::schema().unwrap().action_entities().unwrap();
    for action in Action::all() {
        let uid = action.uid().unwrap();
        let above = all.ancestors(&uid).unwrap();
        let mut groups: Vec<_> = above
            .map(|uid| {
                let id: &str = uid.id().as_ref();
                id.to_owned()
            })
            .collect();
        groups.sort();
        assert_eq!(groups, action.groups(), "{}", action.as_str());
    }
    assert!(SCHEMA.contains("stepUp?"));
}

#[test]
fn a_policy_that_can_never_apply_is_warned_of() {
    let set = set("permit(principal, action, resource);\n\
         permit(principal is Operator, action, resource) when { principal is Account };");
    assert!(
        set.warnings().iter().any(|w| w.line == 2),
        "{:?}",
        set.warnings()
    );
}

#[test]
fn an_unknown_attribute_is_named_with_those_that_there_are() {
    let cases = [
        (
            "permit(principal, action, resource) when { context.colour == 1 };",
            "a.cedar:1:44: there is no context.colour; context has address, algorithm, certificate, ",
        ),
        (
            "permit(principal, action, resource) when { context has colour };",
            "a.cedar:1:44: there is no context.colour; context has address, ",
        ),
        (
            "permit(principal, action, resource) when { context has order && context.order.colour == 1 };",
            "a.cedar:1:65: there is no context.order.colour; context.order has amends, notional, price, quantity, side, type",
        ),
        (
            "permit(principal, action, resource) when { context.hour.colour == 1 };",
            "a.cedar:1:44: there is no context.hour.colour: context.hour has no attributes",
        ),
    ];
    for (text, wanted) in cases {
        let found = problems(text);
        assert!(found[0].to_string().starts_with(wanted), "{found:?}");
    }
}

#[test]
fn an_attribute_that_only_some_operations_have_says_which() {
    let found = problems("permit(principal, action, resource) when { context.order.amends };");
    let only = "only operations in Action::\"carries-order\" have context.order";
    assert!(found[0].what.starts_with(only), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
    let found =
        problems("permit(principal, action, resource) when { context.funds.tag == \"x\" };");
    assert!(found[0].what.contains("have context.funds"), "{found:?}");
}
