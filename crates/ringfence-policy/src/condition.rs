//! A policy's condition as it is for one action: what the action alone answers is answered, the rest asks the request.
//!
//! It answers as Cedar would, or says that it does not know: then Cedar is asked itself. What fails in Cedar (a sum that
//! overflows) is among what is not known, so that a failure is always Cedar's own.

mod compile;

use std::net::IpAddr;

use cedar_policy_core::ast::Pattern;
use ringfence_core::operation::Scope;
use ringfence_core::principal::Kind;

pub(crate) use compile::compile;

use crate::part::Part;
use crate::request::{Request, Value};

/// A principal, or what stands above one.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Who {
    pub(crate) kind: Kind,
    pub(crate) name: Box<str>,
}

/// How two numbers may stand to each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Compare {
    From,
    Less,
    More,
    Same,
    UpTo,
}

/// A whole number that is reckoned.
#[derive(Debug)]
pub(crate) enum Sum {
    Literal(i64),
    Part(Part),
    Minus(Box<Sum>),
    Plus(Box<[Sum; 2]>),
    Difference(Box<[Sum; 2]>),
    Times(Box<[Sum; 2]>),
}

/// What an address may be.
#[derive(Debug)]
pub(crate) enum Place {
    Loopback,
    Multicast,
    /// In a network, of so many leading bits.
    Range(IpAddr, u8),
    Same(IpAddr),
    V4,
    V6,
}

/// A condition.
#[derive(Debug)]
pub(crate) enum Test {
    /// In this order, up to the first that does not hold.
    All(Box<[Test]>),
    /// In this order, up to the first that holds.
    Any(Box<[Test]>),
    Address(Box<Place>),
    Compared(Compare, Box<[Sum; 2]>),
    Equal(Box<[Test; 2]>),
    Flag(Part),
    /// Whether a part is there; `of` is the record that must be there to ask.
    Has {
        part: Part,
        of: Option<Part>,
    },
    If(Box<[Test; 3]>),
    /// The resource is one of these instruments.
    Instrument(Box<[Box<str>]>),
    Is(Kind),
    Known(bool),
    Like(Part, Box<Pattern>),
    Not(Box<Test>),
    /// A number against a literal.
    Number(Compare, Part, i64),
    /// The principal is one of these.
    Principal(Box<[Who]>),
    /// All of these scopes are held.
    Scopes(Box<[Scope]>),
    /// The principal is one of these or stands below one.
    Standing(Box<[Who]>),
    /// A text, or a credential, is one of these.
    Text(Part, Box<[Box<str>]>),
    /// Only Cedar can tell.
    Unsure,
}

/// A request, its parts at hand.
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a Request<'a>,
    values: [Value<'a>; Part::COUNT],
}

impl<'a> Facts<'a> {
    /// Takes the parts that are read from a request.
    pub(crate) fn new(request: &'a Request<'a>, parts: &[Part]) -> Self {
        let mut values = [Value::Absent; Part::COUNT];
        let records = [Part::Order, Part::Funds, Part::StepUp];
        for part in parts.iter().chain(&records) {
            values[*part as usize] = request.value(*part);
        }
        Self { request, values }
    }

    fn value(&self, part: Part) -> Value<'a> {
        // INVARIANT: there is one for each part.
        self.values[part as usize]
    }

    /// Returns a text or a credential's name.
    pub(crate) fn text(&self, part: Part) -> Option<&'a str> {
        match self.value(part) {
            Value::Text(text) | Value::Credential(text) => Some(text),
            Value::Absent
            | Value::Address(_)
            | Value::Bool(_)
            | Value::Decimal(_)
            | Value::Long(_)
            | Value::Record
            | Value::Scopes(_) => None,
        }
    }

    fn number(&self, part: Part) -> Option<i64> {
        match self.value(part) {
            Value::Decimal(number) | Value::Long(number) => Some(number),
            Value::Absent
            | Value::Address(_)
            | Value::Bool(_)
            | Value::Credential(_)
            | Value::Record
            | Value::Scopes(_)
            | Value::Text(_) => None,
        }
    }

    fn flag(&self, part: Part) -> Option<bool> {
        match self.value(part) {
            Value::Bool(truth) => Some(truth),
            Value::Absent
            | Value::Address(_)
            | Value::Credential(_)
            | Value::Decimal(_)
            | Value::Long(_)
            | Value::Record
            | Value::Scopes(_)
            | Value::Text(_) => None,
        }
    }

    fn has(&self, part: Part) -> bool {
        !matches!(self.value(part), Value::Absent)
    }

    fn is(&self, who: &Who) -> bool {
        who.kind == self.request.kind && *who.name == *self.request.principal
    }

    fn below(&self, who: &Who) -> bool {
        let above =
            |it: &ringfence_core::principal::Above| it.kind == who.kind && it.name == who.name;
        self.is(who) || self.request.above.iter().any(above)
    }
}

impl Test {
    /// Tells whether it holds; nothing when only Cedar can tell.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        Some(match self {
            Self::All(tests) => return first(tests, facts, false),
            Self::Any(tests) => return first(tests, facts, true),
            Self::Address(place) => place.holds(facts.request.address.to_canonical()),
            Self::Compared(order, sums) => {
                order.holds(sums[0].reckon(facts)?, sums[1].reckon(facts)?)
            }
            Self::Equal(sides) => sides[0].holds(facts)? == sides[1].holds(facts)?,
            Self::Flag(part) => facts.flag(*part)?,
            Self::Has { part, of } => match of {
                Some(record) if !facts.has(*record) => return None,
                Some(_) | None => facts.has(*part),
            },
            Self::If(parts) => {
                let [test, then, otherwise] = &**parts;
                return if test.holds(facts)? { then } else { otherwise }.holds(facts);
            }
            Self::Instrument(names) => {
                let own = facts.request.instrument.unwrap_or_default();
                names.iter().any(|name| **name == *own)
            }
            Self::Is(kind) => facts.request.kind == *kind,
            Self::Known(truth) => *truth,
            Self::Like(part, pattern) => pattern.wildcard_match(facts.text(*part)?),
            Self::Not(test) => !test.holds(facts)?,
            Self::Number(order, part, bound) => order.holds(facts.number(*part)?, *bound),
            Self::Principal(names) => names.iter().any(|who| facts.is(who)),
            Self::Scopes(scopes) => scopes.iter().all(|s| facts.request.scopes.contains(*s)),
            Self::Standing(names) => names.iter().any(|who| facts.below(who)),
            Self::Text(part, texts) => {
                let own = facts.text(*part)?;
                texts.iter().any(|text| **text == *own)
            }
            Self::Unsure => return None,
        })
    }

    /// Tells whether it always knows, where the parts in `there` are.
    pub(crate) fn is_certain(&self, there: &[Part]) -> bool {
        let is_there = |part: &Part| part.is_required() || there.contains(part);
        match self {
            Self::All(tests) => {
                let mut there = there.to_vec();
                tests.iter().all(|test| {
                    let certain = test.is_certain(&there);
                    there.extend(test.part_there());
                    certain
                })
            }
            Self::Any(tests) => tests.iter().all(|test| test.is_certain(there)),
            Self::Equal(sides) => sides.iter().all(|test| test.is_certain(there)),
            Self::If(parts) => parts.iter().all(|test| test.is_certain(there)),
            Self::Not(test) => test.is_certain(there),
            Self::Has { of, .. } => of.as_ref().is_none_or(is_there),
            Self::Flag(part)
            | Self::Like(part, _)
            | Self::Number(_, part, _)
            | Self::Text(part, _) => is_there(part),
            Self::Compared(..) | Self::Unsure => false,
            Self::Address(_)
            | Self::Instrument(_)
            | Self::Is(_)
            | Self::Known(_)
            | Self::Principal(_)
            | Self::Scopes(_)
            | Self::Standing(_) => true,
        }
    }

    /// Returns the part that is there once this holds.
    pub(crate) fn part_there(&self) -> Option<Part> {
        if let Self::Has { part, .. } = self {
            Some(*part)
        } else {
            None
        }
    }
}

/// Asks one after the other until one says `stop`.
fn first(tests: &[Test], facts: &Facts<'_>, stop: bool) -> Option<bool> {
    for test in tests {
        if test.holds(facts)? == stop {
            return Some(stop);
        }
    }
    Some(!stop)
}

impl Compare {
    fn holds(self, a: i64, b: i64) -> bool {
        match self {
            Self::From => a >= b,
            Self::UpTo => a <= b,
            Self::Less => a < b,
            Self::More => a > b,
            Self::Same => a == b,
        }
    }

    /// Returns how the second stands to the first.
    fn turned(self) -> Self {
        match self {
            Self::From => Self::UpTo,
            Self::UpTo => Self::From,
            Self::Less => Self::More,
            Self::More => Self::Less,
            Self::Same => Self::Same,
        }
    }
}

impl Sum {
    fn reckon(&self, facts: &Facts<'_>) -> Option<i64> {
        let both = |sums: &[Self; 2]| Some((sums[0].reckon(facts)?, sums[1].reckon(facts)?));
        match self {
            Self::Literal(number) => Some(*number),
            Self::Part(part) => facts.number(*part),
            Self::Minus(sum) => sum.reckon(facts)?.checked_neg(),
            Self::Plus(sums) => both(sums).and_then(|(a, b)| a.checked_add(b)),
            Self::Difference(sums) => both(sums).and_then(|(a, b)| a.checked_sub(b)),
            Self::Times(sums) => both(sums).and_then(|(a, b)| a.checked_mul(b)),
        }
    }
}

impl Place {
    fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Loopback => address.is_loopback(),
            Self::Multicast => address.is_multicast(),
            Self::Range(network, bits) => match (address, network) {
                (IpAddr::V4(a), IpAddr::V4(n)) => {
                    let differs = a.to_bits() ^ n.to_bits();
                    differs.leading_zeros() >= u32::from(*bits)
                }
                (IpAddr::V6(a), IpAddr::V6(n)) => {
                    let differs = a.to_bits() ^ n.to_bits();
                    differs.leading_zeros() >= u32::from(*bits)
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
            },
            Self::Same(other) => address == *other,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}
