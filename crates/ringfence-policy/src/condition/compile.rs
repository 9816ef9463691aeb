//! From Cedar's expressions to tests. What has no test of ours is left to Cedar.

// One kind of expression is looked for among many.
#![allow(clippy::wildcard_enum_match_arm)]

use std::net::IpAddr;

use cedar_policy_core::ast::{BinaryOp, EntityUID, Expr, ExprKind, Literal, UnaryOp, Var};
use ringfence_core::operation::Scope;
use ringfence_core::principal::Kind as Sort;

use super::{Compare, Place, Sum, Test, Who};
use crate::action::Action;
use crate::part::{Kind, Part, path};
use crate::reads::literal;
use crate::request::word;

/// Compiles a policy's whole condition, its head included, for one action.
pub(crate) fn compile(expr: &Expr, action: Action) -> Test {
    if let Some(test) = number(expr) {
        return test;
    }
    match expr.expr_kind() {
        ExprKind::Lit(Literal::Bool(truth)) => Test::Known(*truth),
        ExprKind::And { .. } => all(expr, action),
        ExprKind::Or { left, right } => any(compile(left, action), compile(right, action)),
        ExprKind::UnaryApp {
            op: UnaryOp::Not,
            arg,
        } => not(compile(arg, action)),
        ExprKind::UnaryApp {
            op: UnaryOp::IsEmpty,
            arg,
        } if part(arg, Kind::Scopes).is_some() => holds_none(&Scope::ALL),
        ExprKind::If {
            test_expr,
            then_expr,
            else_expr,
        } => match compile(test_expr, action) {
            Test::Known(true) => compile(then_expr, action),
            Test::Known(false) => compile(else_expr, action),
            test => {
                let (then, otherwise) = (compile(then_expr, action), compile(else_expr, action));
                Test::If(Box::new([test, then, otherwise]))
            }
        },
        ExprKind::GetAttr { .. } => part(expr, Kind::Flag).map_or(Test::Unsure, Test::Flag),
        ExprKind::HasAttr { expr, attr } => has(expr, &[attr.as_str()]),
        ExprKind::ExtHasAttr { expr, attrs } => {
            let attrs: Vec<_> = attrs.iter().map(|attr| attr.as_str()).collect();
            has(expr, &attrs)
        }
        ExprKind::Is { expr, entity_type } => is(expr, &entity_type.to_string(), action),
        ExprKind::Like { expr, pattern } => part(expr, Kind::Text).map_or(Test::Unsure, |part| {
            Test::Like(part, Box::new(pattern.clone()))
        }),
        ExprKind::BinaryApp { op, arg1, arg2 } => binary(*op, arg1, arg2, action),
        ExprKind::ExtensionFunctionApp { fn_name, args } => address(&fn_name.to_string(), args),
        _ => Test::Unsure,
    }
}

fn part(expr: &Expr, kind: Kind) -> Option<Part> {
    Part::at(&path(expr)?, kind)
}

/// Takes the parts of a conjunction one after the other, without what is known, up to what is known not to hold.
fn all(expr: &Expr, action: Action) -> Test {
    let mut flat = Vec::new();
    flatten(expr, action, &mut flat);
    let mut tests = Vec::new();
    for test in flat {
        match test {
            Test::Known(true) => continue,
            Test::Known(false) if tests.iter().all(|test: &Test| test.is_certain(&[])) => {
                return Test::Known(false);
            }
            test => tests.push(test),
        }
    }
    match tests.len() {
        0 => Test::Known(true),
        1 => tests.remove(0),
        _ => Test::All(tests.into()),
    }
}

fn flatten(expr: &Expr, action: Action, into: &mut Vec<Test>) {
    match expr.expr_kind() {
        ExprKind::And { left, right } => {
            flatten(left, action, into);
            flatten(right, action, into);
        }
        _ => into.push(compile(expr, action)),
    }
}

fn any(left: Test, right: Test) -> Test {
    match (left, right) {
        (Test::Known(true), _) => Test::Known(true),
        (Test::Known(false), right) => right,
        (Test::Any(tests), right) => {
            let mut tests = tests.into_vec();
            tests.push(right);
            Test::Any(tests.into())
        }
        (left, right) => Test::Any(Box::new([left, right])),
    }
}

fn not(test: Test) -> Test {
    match test {
        Test::Known(truth) => Test::Known(!truth),
        Test::Not(test) => *test,
        test => Test::Not(Box::new(test)),
    }
}

fn has(base: &Expr, attrs: &[&str]) -> Test {
    let Some(record) = path(base) else {
        return Test::Unsure;
    };
    let wanted = match record.as_str() {
        "" => attrs.join("."),
        record => format!("{record}.{}", attrs.join(".")),
    };
    let of = match record.as_str() {
        "" => None,
        record => match Part::at(record, Kind::Record) {
            Some(part) => Some(part),
            None => return Test::Unsure,
        },
    };
    let found = Part::all().find(|part| part.path() == wanted);
    found.map_or(Test::Unsure, |part| Test::Has { part, of })
}

/// Compiles a comparison of numbers, whole or decimal.
fn number(expr: &Expr) -> Option<Test> {
    let (compare, a, b) = match expr.expr_kind() {
        ExprKind::BinaryApp { op, arg1, arg2 } => {
            let compare = match op {
                BinaryOp::Eq => Compare::Same,
                BinaryOp::Less => Compare::Less,
                BinaryOp::LessEq => Compare::UpTo,
                _ => return None,
            };
            return match (sum(arg1)?, sum(arg2)?) {
                (Sum::Part(part), Sum::Literal(bound)) => Some(Test::Number(compare, part, bound)),
                (Sum::Literal(bound), Sum::Part(part)) => {
                    Some(Test::Number(compare.turned(), part, bound))
                }
                (a, b) => Some(Test::Compared(compare, Box::new([a, b]))),
            };
        }
        ExprKind::ExtensionFunctionApp { fn_name, args } => {
            let compare = match fn_name.to_string().as_str() {
                "lessThan" => Compare::Less,
                "lessThanOrEqual" => Compare::UpTo,
                "greaterThan" => Compare::More,
                "greaterThanOrEqual" => Compare::From,
                _ => return None,
            };
            let [a, b] = args.as_slice() else {
                return None;
            };
            (compare, a, b)
        }
        _ => return None,
    };
    match (part(a, Kind::Decimal), part(b, Kind::Decimal)) {
        (Some(part), None) => Some(Test::Number(compare, part, literal(b)?)),
        (None, Some(part)) => Some(Test::Number(compare.turned(), part, literal(a)?)),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

fn sum(expr: &Expr) -> Option<Sum> {
    if let Some(part) = part(expr, Kind::Long) {
        return Some(Sum::Part(part));
    }
    match expr.expr_kind() {
        ExprKind::Lit(Literal::Long(long)) => Some(Sum::Literal(*long)),
        ExprKind::UnaryApp {
            op: UnaryOp::Neg,
            arg,
        } => Some(Sum::Minus(Box::new(sum(arg)?))),
        ExprKind::BinaryApp { op, arg1, arg2 } => {
            let kind = match op {
                BinaryOp::Add => Sum::Plus,
                BinaryOp::Sub => Sum::Difference,
                BinaryOp::Mul => Sum::Times,
                _ => return None,
            };
            Some(kind(Box::new([sum(arg1)?, sum(arg2)?])))
        }
        _ => None,
    }
}

fn binary(op: BinaryOp, a: &Expr, b: &Expr, action: Action) -> Test {
    let found = match op {
        BinaryOp::Eq => equal(a, b, action)
            .or_else(|| equal(b, a, action))
            .or_else(|| {
                Some(Test::Equal(Box::new([
                    compile(a, action),
                    compile(b, action),
                ])))
            }),
        BinaryOp::In => within(a, b, action),
        BinaryOp::Contains => contains(a, b),
        BinaryOp::ContainsAll if part(a, Kind::Scopes).is_some() => texts(b).map(|n| holds_all(&n)),
        BinaryOp::ContainsAny if part(a, Kind::Scopes).is_some() => texts(b).map(|names| {
            let known: Vec<_> = names.iter().filter_map(|n| Scope::parse(n)).collect();
            not(holds_none(&known))
        }),
        _ => None,
    };
    found.unwrap_or(Test::Unsure)
}

fn equal(a: &Expr, b: &Expr, action: Action) -> Option<Test> {
    if let Some(part) = part(a, Kind::Text) {
        return Some(Test::Text(part, [text(b)?].into()));
    }
    if let Some(part) = part(a, Kind::Credential) {
        return Some(Test::Text(part, [credential(b)?].into()));
    }
    if part(a, Kind::Address).is_some() {
        let (address, bits) = network(b)?;
        let one = bits == width(address);
        return Some(if one {
            Test::Address(Box::new(Place::Same(address)))
        } else {
            Test::Known(false)
        });
    }
    match a.expr_kind() {
        ExprKind::Var(var) => entity(*var, &[uid(b)?], action, Test::Principal),
        _ => None,
    }
}

/// Compiles `in`: of the principal, and of what nothing stands above.
fn within(a: &Expr, b: &Expr, action: Action) -> Option<Test> {
    let uids = entities(b)?;
    match a.expr_kind() {
        ExprKind::Var(Var::Action) => {
            let groups = action.groups();
            let named = uids.iter().any(|uid| {
                let id: &str = uid.eid().as_ref();
                id == action.as_str() || groups.contains(&id)
            });
            Some(Test::Known(named))
        }
        ExprKind::Var(var) => entity(*var, &uids, action, Test::Standing),
        _ => None,
    }
}

/// Compiles a test of an entity against names; `principal` makes that of principals.
fn entity(
    var: Var,
    uids: &[&EntityUID],
    action: Action,
    principal: fn(Box<[Who]>) -> Test,
) -> Option<Test> {
    let of_type = |kind: &str| {
        let named = uids
            .iter()
            .filter(|uid| uid.entity_type().to_string() == kind);
        named
            .map(|uid| Box::<str>::from(uid.eid().as_ref() as &str))
            .collect::<Vec<_>>()
    };
    match var {
        Var::Principal => {
            let kinds = Sort::ALL.iter().flat_map(|kind| {
                let names = of_type(word(*kind)).into_iter();
                names.map(|name| Who { kind: *kind, name })
            });
            let named: Vec<_> = kinds.collect();
            Some(match named.is_empty() {
                true => Test::Known(false),
                false => principal(named.into()),
            })
        }
        Var::Action => {
            let named = of_type("Action");
            Some(Test::Known(
                named.iter().any(|name| **name == *action.as_str()),
            ))
        }
        Var::Resource if action.carries_order() => match of_type("Instrument") {
            named if named.is_empty() => Some(Test::Known(false)),
            named => Some(Test::Instrument(named.into())),
        },
        Var::Resource => {
            let named = of_type("Venue");
            Some(Test::Known(named.iter().any(|name| **name == *"venue")))
        }
        Var::Context => None,
    }
}

fn is(expr: &Expr, kind: &str, action: Action) -> Test {
    match expr.expr_kind() {
        ExprKind::Var(Var::Principal) => {
            let found = Sort::ALL.into_iter().find(|sort| word(*sort) == kind);
            found.map_or(Test::Known(false), Test::Is)
        }
        ExprKind::Var(Var::Resource) => Test::Known(match action.carries_order() {
            true => kind == "Instrument",
            false => kind == "Venue",
        }),
        _ => Test::Unsure,
    }
}

fn contains(set: &Expr, item: &Expr) -> Option<Test> {
    if part(set, Kind::Scopes).is_some() {
        return Some(holds_all(&[text(item)?]));
    }
    if let Some(part) = part(item, Kind::Text) {
        return Some(Test::Text(part, texts(set)?.into()));
    }
    let ExprKind::Set(items) = set.expr_kind() else {
        return None;
    };
    if let Some(part) = part(item, Kind::Credential) {
        let names = items.iter().map(credential);
        return Some(Test::Text(part, names.collect::<Option<_>>()?));
    }
    let part = part(item, Kind::Long)?;
    let tests = items.iter().map(|item| match item.expr_kind() {
        ExprKind::Lit(Literal::Long(long)) => Some(Test::Number(Compare::Same, part, *long)),
        _ => None,
    });
    Some(Test::Any(tests.collect::<Option<_>>()?))
}

/// What is no scope is never held.
fn holds_all(names: &[Box<str>]) -> Test {
    let scopes: Option<Vec<_>> = names.iter().map(|name| Scope::parse(name)).collect();
    scopes.map_or(Test::Known(false), |scopes| Test::Scopes(scopes.into()))
}

fn holds_none(scopes: &[Scope]) -> Test {
    let tests = scopes.iter().map(|s| not(Test::Scopes([*s].into())));
    Test::All(tests.collect())
}

fn address(name: &str, args: &[Expr]) -> Test {
    if args
        .first()
        .and_then(|arg| part(arg, Kind::Address))
        .is_none()
    {
        return Test::Unsure;
    }
    let place = match (name, args) {
        ("isIpv4", [_]) => Place::V4,
        ("isIpv6", [_]) => Place::V6,
        ("isLoopback", [_]) => Place::Loopback,
        ("isMulticast", [_]) => Place::Multicast,
        ("isInRange", [_, range]) => match network(range) {
            Some((address, bits)) => Place::Range(address, bits),
            None => return Test::Unsure,
        },
        _ => return Test::Unsure,
    };
    Test::Address(Box::new(place))
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Reads an `ip("…")`.
fn network(expr: &Expr) -> Option<(IpAddr, u8)> {
    let ExprKind::ExtensionFunctionApp { fn_name, args } = expr.expr_kind() else {
        return None;
    };
    let [arg] = args.as_slice() else {
        return None;
    };
    let written = text(arg).filter(|_| fn_name.to_string() == "ip")?;
    let (address, bits) = match written.split_once('/') {
        None => (written.parse().ok()?, None),
        Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
    };
    let bits = bits.unwrap_or_else(|| width(address));
    (bits <= width(address)).then_some((address, bits))
}

fn text(expr: &Expr) -> Option<Box<str>> {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::String(text)) => Some(text.as_str().into()),
        _ => None,
    }
}

fn texts(expr: &Expr) -> Option<Vec<Box<str>>> {
    match expr.expr_kind() {
        ExprKind::Set(items) => items.iter().map(text).collect(),
        _ => None,
    }
}

fn credential(expr: &Expr) -> Option<Box<str>> {
    let uid = uid(expr).filter(|uid| uid.entity_type().to_string() == "Credential")?;
    let id: &str = uid.eid().as_ref();
    Some(id.into())
}

/// Returns the entity, or those of a set.
fn entities(expr: &Expr) -> Option<Vec<&EntityUID>> {
    match expr.expr_kind() {
        ExprKind::Set(items) => items.iter().map(uid).collect(),
        _ => Some(vec![uid(expr)?]),
    }
}

fn uid(expr: &Expr) -> Option<&EntityUID> {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => Some(uid),
        _ => None,
    }
}
