//! What the venue says of how much of an order is filled, where it answers or pushes that.

use ringfence_core::decimal::Decimal;
use ringfence_core::placed::Told;

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

    /// Returns what a message says; nothing if it is not meant, or cannot be read to its end.
    fn read(&self, text: &str, told: &mut Vec<ToldFill>) {
        let (mut met, mut found) = (0, Vec::<Found>::new());
        let read = json::values(text, &mut |value| {
            let said = |raw: &str| {
                let mut said = String::new();
                json::append(raw, &mut said).map(|()| said)
            };
            for (name, wanted) in &self.when {
                if **name == *value.path && said(value.raw)? == **wanted {
                    met += 1;
                }
            }
            for (field, place) in self.places.iter().enumerate() {
                let index = place.as_ref().and_then(|place| place.index(value.path));
                let Some(index) = index.filter(|index| *index < MOST) else {
                    continue;
                };
                if found.len() <= index {
                    found.resize_with(index + 1, Found::default);
                }
                if let Some(one) = found.get_mut(index) {
                    // INVARIANT: there is a place in `Found` for each of `places`.
                    one[field] = Some(said(value.raw)?);
                }
            }
            Ok(())
        });
        if read.is_ok() && met == self.when.len() {
            told.extend(found.into_iter().filter_map(|one| self.told(one)));
        }
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

    /// Tells whether fills can be heard of.
    pub fn tells_fills(&self) -> bool {
        !self.fills.answered.is_empty() || !self.fills.pushed.is_empty()
    }

    fn told_fills(rules: &[Rule], text: &str) -> Vec<ToldFill> {
        let mut told = Vec::new();
        for rule in rules {
            rule.read(text, &mut told);
        }
        told
    }
}
