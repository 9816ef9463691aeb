//! Conditions as data, so that a prover can read them without a parser of its own.
//!
//! A node is `[name, "line:column", part…]`.

use cedar_policy::Policy;
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, UnaryOp, Var};
use serde_json::{Value, json};

use crate::action::Action;
use crate::set::{PolicySet, effect, is_about};
use crate::source::{Source, start};

/// Returns all policies of a set: id, place, effect, actions and condition, scope included.
pub fn policies(set: &PolicySet) -> Value {
    let written = set.policies().iter();
    written
        .map(|w| policy(&w.policy, &set.definition().files[w.source]))
        .collect()
}

fn policy(policy: &Policy, source: &Source) -> Value {
    let (line, column) = source.place(start(policy));
    let actions = Action::all().filter(|action| is_about(policy, *action));
    json!({
        "id": policy.id().to_string(),
        "file": source.file,
        "line": line,
        "column": column,
        "effect": effect(policy),
        "title": policy.annotation("title"),
        "actions": actions.map(Action::as_str).collect::<Vec<_>>(),
        "condition": node(&policy.as_ref().condition(), source),
        "text": policy.to_string(),
    })
}

/// Returns the actions: name, scope before any policy, groups, what their context may have.
pub fn actions() -> Value {
    Action::all()
        .map(|action| {
            json!({
                "name": action.as_str(),
                "scope": action.scope().map(|scope| scope.as_str()),
                "groups": action.groups(),
                "order": action.carries_order(),
                "funds": action.moves_funds(),
            })
        })
        .collect()
}

fn node(expr: &Expr, source: &Source) -> Value {
    let place = expr.source_loc().map_or_else(String::new, |loc| {
        let (line, column) = source.place(loc.start());
        format!("{line}:{column}")
    });
    let (name, parts) = named(expr, source);
    let mut all = vec![Value::from(name), place.into()];
    all.extend(parts);
    all.into()
}

fn named(expr: &Expr, source: &Source) -> (String, Vec<Value>) {
    let one = |expr: &Expr| node(expr, source);
    let name = |text: &str| text.to_owned();
    match expr.expr_kind() {
        ExprKind::Lit(Literal::Bool(truth)) => (name("bool"), vec![(*truth).into()]),
        ExprKind::Lit(Literal::Long(long)) => (name("long"), vec![(*long).into()]),
        ExprKind::Lit(Literal::String(text)) => (name("text"), vec![text.as_str().into()]),
        ExprKind::Lit(Literal::EntityUID(uid)) => {
            let id: &str = uid.eid().as_ref();
            (
                name("entity"),
                vec![uid.entity_type().to_string().into(), id.into()],
            )
        }
        ExprKind::Var(var) => (name("var"), vec![variable(*var).into()]),
        ExprKind::If {
            test_expr,
            then_expr,
            else_expr,
        } => (
            name("if"),
            vec![one(test_expr), one(then_expr), one(else_expr)],
        ),
        ExprKind::And { left, right } => (name("and"), vec![one(left), one(right)]),
        ExprKind::Or { left, right } => (name("or"), vec![one(left), one(right)]),
        ExprKind::UnaryApp { op, arg } => (name(unary(*op)), vec![one(arg)]),
        ExprKind::BinaryApp { op, arg1, arg2 } => (name(binary(*op)), vec![one(arg1), one(arg2)]),
        ExprKind::ExtensionFunctionApp { fn_name, args } => {
            (fn_name.to_string(), args.iter().map(one).collect())
        }
        ExprKind::GetAttr { expr, attr } => (name("get"), vec![one(expr), attr.as_str().into()]),
        ExprKind::HasAttr { expr, attr } => (name("has"), vec![one(expr), json!([attr.as_str()])]),
        ExprKind::ExtHasAttr { expr, attrs } => {
            let attrs = attrs.iter().map(|attr| Value::from(attr.as_str()));
            (name("has"), vec![one(expr), attrs.collect()])
        }
        ExprKind::Is { expr, entity_type } => {
            (name("is"), vec![one(expr), entity_type.to_string().into()])
        }
        ExprKind::Set(items) => (name("set"), items.iter().map(one).collect()),
        ExprKind::Like { .. } => (name("like"), Vec::new()),
        ExprKind::Record(_) => (name("record"), Vec::new()),
        ExprKind::Slot(_) | ExprKind::Unknown(_) => (name("unknown"), Vec::new()),
    }
}

const fn variable(var: Var) -> &'static str {
    match var {
        Var::Principal => "principal",
        Var::Action => "action",
        Var::Resource => "resource",
        Var::Context => "context",
    }
}

const fn unary(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Not => "not",
        UnaryOp::Neg => "-",
        UnaryOp::IsEmpty => "isEmpty",
    }
}

const fn binary(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Eq => "==",
        BinaryOp::Less => "<",
        BinaryOp::LessEq => "<=",
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::In => "in",
        BinaryOp::Contains => "contains",
        BinaryOp::ContainsAll => "containsAll",
        BinaryOp::ContainsAny => "containsAny",
        BinaryOp::GetTag => "getTag",
        BinaryOp::HasTag => "hasTag",
    }
}
