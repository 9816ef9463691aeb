//! What the venue says of how much of an order is filled, where it answers or pushes that.

use ringfence_core::decimal::Decimal;
use ringfence_core::placed::Told;
use ringfence_core::refusal::Refusal;

use super::compile::wrong;
use super::definition::{FillDefinition, Fills as Written, Unit};
use super::scheme::read_time;
use super::{Dialect, DialectError};
use crate::json;

/// Most orders that one message is read for.
const MOST: usize = 1_000;

/// How much of an order is filled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ToldFill {
    /// The venue's id of the order.
    pub venue_order_id: String,
    /// What is said of it.
    pub told: Told,
}

/// Where a dialect's messages say it.
#[derive(Debug, Default)]
pub(super) struct Fills {
    answered: Box<[Rule]>,
    pushed: Box<[Rule]>,
}

#[derive(Debug)]
struct Rule {
    /// What a message says that is meant.
    when: Box<[(Box<str>, Box<str>)]>,
    /// Where stand, of each order: the venue's id, how much is filled, how much was by this fill alone, and when it was.
    places: [Option<Place>; 4],
    unit: Unit,
}

/// A name, up to the place in a list and from there on, if it stands in one.
#[derive(Debug)]
struct Place {
    before: Box<str>,
    after: Option<Box<str>>,
}

/// What was found of one order.
type Found = [Option<String>; 4];

/// What a rule has found in a message so far.
#[derive(Default)]
struct SoFar {
    /// How much of `when` it says.
    met: usize,
    found: Vec<Found>,
}

impl Fills {
    pub(super) fn compile(written: &Written) -> Result<Self, DialectError> {
        let compile = |rules: &[FillDefinition], field: &str| {
            let rules = rules.iter().enumerate();
            let rules = rules.map(|(n, rule)| Rule::compile(rule, &format!("fills.{field}[{n}]")));
            rules.collect::<Result<_, _>>()
        };
        Ok(Self {
            answered: compile(&written.answered, "answered")?,
            pushed: compile(&written.pushed, "pushed")?,
        })
    }
}

impl Rule {
    fn compile(written: &FillDefinition, field: &str) -> Result<Self, DialectError> {
        if written.last.is_some() != written.at.is_some() {
            let what = "`last` and `at` say together how much was filled, and when";
            return Err(wrong(&format!("{field}.at"), what));
        }
        let when = written.when.iter();
        Ok(Self {
            when: when
                .map(|(name, text)| (name.as_str().into(), text.as_str().into()))
                .collect(),
            places: [
                Some(Place::of(&written.venue_order_id)),
                Some(Place::of(&written.filled)),
                written.last.as_deref().map(Place::of),
                written.at.as_deref().map(Place::of),
            ],
            unit: written.unit,
        })
    }

    /// Notes what a value at `path` says.
    fn note(&self, path: &str, raw: &str, so_far: &mut SoFar) -> Result<(), Refusal> {
        for (name, wanted) in &self.when {
            if **name == *path && said(raw)? == **wanted {
                so_far.met += 1;
            }
        }
        for (field, place) in self.places.iter().enumerate() {
            let index = place.as_ref().and_then(|place| place.index(path));
            let Some(index) = index.filter(|index| *index < MOST) else {
                continue;
            };
            if so_far.found.len() <= index {
                so_far.found.resize_with(index + 1, Found::default);
            }
            if let Some(one) = so_far.found.get_mut(index) {
                // INVARIANT: there is a place in `Found` for each of `places`.
                one[field] = Some(said(raw)?);
            }
        }
        Ok(())
    }

    fn told(&self, [id, filled, last, at]: Found) -> Option<ToldFill> {
        let number = |text: String| Decimal::parse(&text).ok();
        let filled = number(filled?)?;
        let last = last.and_then(number).filter(|last| !last.is_zero());
        let at_us = at.and_then(|at| read_time(self.unit, &at));
        let told = Told {
            filled,
            last: last.zip(at_us.map(|us| us / 1000)),
        };
        (!filled.is_zero()).then_some(ToldFill {
            venue_order_id: id?,
            told,
        })
    }
}

impl Place {
    fn of(text: &str) -> Self {
        match text.split_once('*') {
            Some((before, after)) => Self {
                before: before.into(),
                after: Some(after.into()),
            },
            None => Self {
                before: text.into(),
                after: None,
            },
        }
    }

    /// Returns which order of a message `path` is about, if it is this place.
    fn index(&self, path: &str) -> Option<usize> {
        match &self.after {
            None => (path == &*self.before).then_some(0),
            Some(after) => {
                let index = path.strip_prefix(&*self.before)?.strip_suffix(&**after)?;
                index.parse().ok()
            }
        }
    }
}

impl Dialect {
    /// Returns which orders the venue's answer says are filled. An answer that cannot be read says nothing.
    pub fn fills_answered(&self, body: &[u8]) -> Vec<ToldFill> {
        Self::told_fills(
            &self.fills.answered,
            std::str::from_utf8(body).unwrap_or_default(),
        )
    }

    /// Returns which orders a message that the venue pushed says are filled.
    pub fn fills_pushed(&self, text: &str) -> Vec<ToldFill> {
        Self::told_fills(&self.fills.pushed, text)
    }

    /// Reads a message once for all rules; one that cannot be read to its end says nothing.
    fn told_fills(rules: &[Rule], text: &str) -> Vec<ToldFill> {
        if rules.is_empty() {
            return Vec::new();
        }
        let mut so_far: Vec<SoFar> = rules.iter().map(|_| SoFar::default()).collect();
        let read = json::values(text, &mut |value| {
            let mut rules = rules.iter().zip(&mut so_far);
            rules.try_for_each(|(rule, so_far)| rule.note(value.path, value.raw, so_far))
        });
        if read.is_err() {
            return Vec::new();
        }
        let meant = rules.iter().zip(so_far);
        let meant = meant.filter(|(rule, so_far)| so_far.met == rule.when.len());
        let told = meant.flat_map(|(rule, so_far)| {
            let found = so_far.found.into_iter();
            found.filter_map(|one| rule.told(one))
        });
        told.collect()
    }
}

fn said(raw: &str) -> Result<String, Refusal> {
    let mut said = String::new();
    json::append(raw, &mut said)?;
    Ok(said)
}
