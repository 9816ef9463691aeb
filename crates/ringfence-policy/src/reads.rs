//! Which parts of a request a policy reads. Found at load, so that decisions can be kept by exactly these.
//!
//! A number that is only ever compared with literals is read as its place between them: two numbers with no literal
//! between them cannot be told apart by any policy.

// `children` names every kind of expression, so none can be left out; elsewhere one kind is looked for among many.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, Var};

use crate::part::{Kind, PARTS, Part, path};
use crate::source::{Problem, Source};

/// What policies read.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Parts of which the value matters.
    values: BTreeSet<Part>,
    /// Literals that a part is compared with.
    bounds: BTreeMap<Part, BTreeSet<i64>>,
}

/// Literals between which a value lies, as one number: even when it is one of them, odd when it is not.
pub(crate) fn bucket(bounds: &[i64], value: i64) -> u32 {
    match bounds.binary_search(&value) {
        Ok(index) => 2 * index as u32,
        Err(index) => (2 * index as u32).wrapping_sub(1),
    }
}

impl Reads {
    /// Tells whether `part`, or an attribute of it, is read.
    pub(crate) fn looks_at(&self, part: Part) -> bool {
        let own = |read: &Part| {
            let rest = read.path().strip_prefix(part.path());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.values.iter().chain(self.bounds.keys()).any(own)
    }

    /// Adds what `other` reads.
    pub fn merge(&mut self, other: &Self) {
        self.values.extend(&other.values);
        for (part, bounds) in &other.bounds {
            self.bounds.entry(*part).or_default().extend(bounds);
        }
    }

    /// Returns the parts that are read.
    pub fn parts(&self) -> BTreeSet<Part> {
        self.values
            .iter()
            .chain(self.bounds.keys())
            .copied()
            .collect()
    }

    /// Returns the literals that stand for a part's value, or nothing when its value itself matters.
    pub fn bounds(&self, part: Part) -> Option<Vec<i64>> {
        match self.bounds.get(&part) {
            Some(bounds) if !self.values.contains(&part) => Some(bounds.iter().copied().collect()),
            Some(_) | None => None,
        }
    }

    /// Notes what a condition reads.
    ///
    /// # Errors
    ///
    /// The place of a look at the context that is not exact, or at all of it at once.
    pub(crate) fn note(&mut self, expr: &Expr, source: &Source) -> Result<(), Problem> {
        match expr.expr_kind() {
            ExprKind::GetAttr { .. } | ExprKind::Var(Var::Context) => self.look(expr, source),
            ExprKind::HasAttr { expr: base, attr } => self.has(base, &[attr.as_str()], source),
            ExprKind::ExtHasAttr { expr: base, attrs } => {
                let attrs: Vec<_> = attrs.iter().map(|attr| attr.as_str()).collect();
                self.has(base, &attrs, source)
            }
            ExprKind::BinaryApp { op, arg1, arg2 } => self.binary(*op, arg1, arg2, source),
            ExprKind::ExtensionFunctionApp { fn_name, args } => {
                match (args.as_slice(), fn_name.to_string()) {
                    ([a, b], name)
                        if name.starts_with("lessThan") || name.starts_with("greaterThan") =>
                    {
                        self.decimal(&name, a, b, expr, source)
                    }
                    (all, _) => all.iter().try_for_each(|arg| self.note(arg, source)),
                }
            }
            _ => children(expr)
                .into_iter()
                .try_for_each(|child| self.note(child, source)),
        }
    }

    fn look(&mut self, expr: &Expr, source: &Source) -> Result<(), Problem> {
        match path(expr) {
            None => match expr.expr_kind() {
                ExprKind::GetAttr { expr, .. } => self.note(expr, source),
                _ => Ok(()),
            },
            Some(text) => match PARTS.iter().find(|(name, ..)| *name == text) {
                Some((
                    _,
                    part,
                    Kind::Address
                    | Kind::Credential
                    | Kind::Flag
                    | Kind::Long
                    | Kind::Scopes
                    | Kind::Text,
                )) => {
                    self.values.insert(*part);
                    Ok(())
                }
                Some((_, _, Kind::Decimal)) => Err(at(
                    expr,
                    source,
                    "it is rounded up, so only a bound from above is exact: write .lessThanOrEqual(decimal(\"…\")) \
                     or .greaterThan(decimal(\"…\"))",
                )),
                Some((_, _, Kind::Record)) => Err(at(expr, source, MANY)),
                None if text.is_empty() => Err(at(expr, source, MANY)),
                None => Err(at(expr, source, &unknown(&text))),
            },
        }
    }

    fn has(&mut self, base: &Expr, attrs: &[&str], source: &Source) -> Result<(), Problem> {
        let Some(mut text) = path(base) else {
            return self.note(base, source);
        };
        for attr in attrs {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(attr);
            let Some((_, part, _)) = PARTS.iter().find(|(name, ..)| *name == text) else {
                // It is never there, so that whoever asks meant something else.
                return Err(at(base, source, &unknown(&text)));
            };
            // Whether it is there is part of where it lies.
            self.bounds.entry(*part).or_default();
        }
        Ok(())
    }

    fn binary(&mut self, op: BinaryOp, a: &Expr, b: &Expr, source: &Source) -> Result<(), Problem> {
        let compares = matches!(op, BinaryOp::Eq | BinaryOp::Less | BinaryOp::LessEq);
        for (one, other) in [(a, b), (b, a)] {
            if let (true, Some(part), ExprKind::Lit(Literal::Long(bound))) =
                (compares, part(one, Kind::Long), other.expr_kind())
            {
                self.bounds.entry(part).or_default().insert(*bound);
                return Ok(());
            }
        }
        self.note(a, source)?;
        self.note(b, source)
    }

    fn decimal(
        &mut self,
        name: &str,
        a: &Expr,
        b: &Expr,
        whole: &Expr,
        source: &Source,
    ) -> Result<(), Problem> {
        let (left, right) = (part(a, Kind::Decimal), part(b, Kind::Decimal));
        let found = match (left, right) {
            (Some(part), None) => {
                literal(b).map(|bound| (part, bound, ["lessThanOrEqual", "greaterThan"]))
            }
            (None, Some(part)) => {
                literal(a).map(|bound| (part, bound, ["lessThan", "greaterThanOrEqual"]))
            }
            (Some(_), Some(_)) | (None, None) => None,
        };
        match found {
            Some((part, bound, exact)) if exact.contains(&name) => {
                self.bounds.entry(part).or_default().insert(bound);
                Ok(())
            }
            Some((_, _, exact)) => Err(at(
                whole,
                source,
                &format!(
                    "{name} is not exact on a number that is rounded up; use {} or {}",
                    exact[0], exact[1]
                ),
            )),
            None => {
                self.note(a, source)?;
                self.note(b, source)
            }
        }
    }
}

const MANY: &str = "looks at many attributes at once; name the one that is meant";

/// Says that there is no such attribute, and which there are.
fn unknown(text: &str) -> String {
    let mut known = "";
    let mut rest = text;
    while let Some((above, _)) = rest.rsplit_once('.') {
        rest = above;
        if PARTS.iter().any(|(name, ..)| *name == rest) {
            known = rest;
            break;
        }
    }
    let below = PARTS.iter().filter_map(|(name, ..)| match known {
        "" => Some(*name),
        known => name.strip_prefix(known)?.strip_prefix('.'),
    });
    let below: Vec<_> = below.filter(|name| !name.contains('.')).collect();
    let whose = match known {
        "" => "context".to_owned(),
        known => format!("context.{known}"),
    };
    match below.is_empty() {
        true => format!("there is no context.{text}: {whose} has no attributes"),
        false => format!(
            "there is no context.{text}; {whose} has {}",
            below.join(", ")
        ),
    }
}

fn at(expr: &Expr, source: &Source, what: &str) -> Problem {
    source.at(expr.source_loc().map_or(0, |loc| loc.start()), what)
}

fn part(expr: &Expr, kind: Kind) -> Option<Part> {
    Part::at(&path(expr)?, kind)
}

/// Returns a `decimal("…")` in ten-thousandths.
pub(crate) fn literal(expr: &Expr) -> Option<i64> {
    let ExprKind::ExtensionFunctionApp { fn_name, args } = expr.expr_kind() else {
        return None;
    };
    match (fn_name.to_string().as_str(), args.as_slice()) {
        ("decimal", [arg]) => match arg.expr_kind() {
            ExprKind::Lit(Literal::String(text)) => ten_thousandths(text),
            _ => None,
        },
        _ => None,
    }
}

/// Reads what Cedar takes for a decimal: a sign, digits, a point, one to four digits.
pub(crate) fn ten_thousandths(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.')?;
    if fraction.is_empty() || fraction.len() > 4 || whole.is_empty() {
        return None;
    }
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let padded = format!("{fraction:0<4}");
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    let units = format!("{whole}{padded}").parse::<i128>().ok()? * sign;
    i64::try_from(units).ok()
}

/// Returns the parts of an expression, where none of them is looked at in a way of its own.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match expr.expr_kind() {
        ExprKind::If {
            test_expr,
            then_expr,
            else_expr,
        } => vec![test_expr, then_expr, else_expr],
        ExprKind::And { left, right } | ExprKind::Or { left, right } => vec![left, right],
        ExprKind::UnaryApp { arg, .. } => vec![arg],
        ExprKind::BinaryApp { arg1, arg2, .. } => vec![arg1, arg2],
        ExprKind::ExtensionFunctionApp { args, .. } => args.iter().collect(),
        ExprKind::GetAttr { expr, .. }
        | ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. }
        | ExprKind::Is { expr, .. } => vec![expr],
        ExprKind::Set(items) => items.iter().collect(),
        ExprKind::Record(fields) => fields.values().collect(),
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => {
            Vec::new()
        }
    }
}
