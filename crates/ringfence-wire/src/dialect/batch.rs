//! Messages that carry several orders: a list, each of whose items is read as one order.

use ringfence_core::guard::OrderText;
use ringfence_core::refusal::{Code, Refusal};

use super::compile::wrong;
use super::definition::{AnswerIds, BatchDefinition};
use super::name::{Name, Names};
use super::scratch::Pairs;
use super::{AnsweredOrder, DialectError, OrderIds};
use crate::json;

/// Most orders that a dialect may take at once: an entry of the ledger has room for that many.
const MOST: usize = 50;

/// What a message says of no order, of one, or of each of several.
#[derive(Clone, Debug, Default)]
pub enum Each<T> {
    /// It says nothing.
    #[default]
    None,
    /// It is about one.
    One(T),
    /// It is about several, in the order in which they stand.
    Several(Vec<T>),
}

impl<T> Each<T> {
    /// Returns what it says, order by order.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }

    /// Returns what it says of the only order.
    pub fn one(&self) -> Option<&T> {
        match self.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }
}

/// The orders of a message.
pub type Orders<'a> = Each<OrderText<'a>>;
/// What a message calls the orders that it is about.
pub type Abouts<'a> = Each<OrderIds<'a>>;

/// Names up to a place in a list, and from there on.
type Places = Box<[(Box<str>, Box<str>)]>;

/// A parameter, its value, and how many orders there may be at most beside it.
type Fewer = Box<[(Name, Box<str>, usize)]>;

/// Where a message's orders stand, and how many it may have.
#[derive(Debug)]
pub(super) struct Batch {
    /// The name at which the list stands; empty where it is the body.
    place: Box<str>,
    /// What an item stands for that is a value by itself.
    item: Option<Box<str>>,
    most: usize,
    /// Fewer, where a parameter beside the list has this value.
    most_by: Fewer,
    /// Closed list of what may stand in an item.
    parameters: Names,
    /// Whether the message weighs as much as its orders would one by one.
    pub(super) weighs_each: bool,
    /// Where the venue's answer has the same of each order: up to its place in the list, and from there on.
    answer: [Places; 3],
}

impl Batch {
    /// Compiles one; `parameters` is what an item may have.
    pub(super) fn compile(
        written: &BatchDefinition,
        parameters: Names,
        field: &str,
    ) -> Result<Self, DialectError> {
        if !(1..=MOST).contains(&written.most) {
            let what = format!("1 to {MOST}");
            return Err(wrong(&format!("{field}.most"), what));
        }
        let AnswerIds {
            client_order_id,
            status,
            venue_order_id,
        } = &written.answer;
        let places = |texts: &[String]| -> Result<Places, DialectError> {
            let split = |text: &String| {
                let what = "`*` stands once for the place in the list";
                let (before, after) = text
                    .split_once('*')
                    .ok_or_else(|| wrong(&format!("{field}.answer"), what))?;
                Ok((before.into(), after.into()))
            };
            texts.iter().map(split).collect()
        };
        Ok(Self {
            place: written.place.as_str().into(),
            item: written.item.as_deref().map(Into::into),
            most: written.most,
            most_by: fewer(written, field)?,
            parameters,
            weighs_each: written.weighs_each,
            answer: [
                places(client_order_id)?,
                places(status)?,
                places(venue_order_id)?,
            ],
        })
    }

    /// Returns what people call the list.
    fn name(&self) -> &str {
        if self.place.is_empty() {
            "body"
        } else {
            &self.place
        }
    }

    /// Returns the name at which the list stands; empty where it is the body.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Returns what the venue's answer says of each order. An answer that cannot be read says nothing.
    pub(super) fn answered(&self, body: &[u8]) -> Each<AnsweredOrder> {
        let mut found: Vec<AnsweredOrder> = Vec::new();
        let text = std::str::from_utf8(body).unwrap_or_default();
        // What was found before an error is good.
        let _ = json::values(text, &mut |value| {
            for (field, places) in self.answer.iter().enumerate() {
                let index = places.iter().find_map(|(before, after)| {
                    let index = value.path.strip_prefix(&**before)?;
                    index.strip_suffix(&**after)?.parse::<usize>().ok()
                });
                let nothing = matches!(value.raw, "null" | "{}" | "[]" | "\"\"");
                let Some(index) = index.filter(|index| *index < self.most && !nothing) else {
                    continue;
                };
                if found.len() <= index {
                    found.resize_with(index + 1, AnsweredOrder::default);
                }
                let mut said = String::new();
                json::append(value.raw, &mut said)?;
                if let Some(order) = found.get_mut(index) {
                    let place = match field {
                        0 => &mut order.client_order_id,
                        1 => &mut order.status,
                        _ => &mut order.venue_order_id,
                    };
                    *place = place.take().or(Some(said));
                }
            }
            Ok(())
        });
        match (found.pop(), found.is_empty()) {
            (None, _) => Each::None,
            (Some(only), true) => Each::One(only),
            (Some(last), false) => {
                found.push(last);
                Each::Several(found)
            }
        }
    }

    /// Returns the parameter that has the list, where a form carries the message.
    pub(super) fn parameter(&self) -> Name {
        Name::from(&*self.place)
    }
}

/// Returns what makes the most orders at once fewer.
fn fewer(written: &BatchDefinition, field: &str) -> Result<Fewer, DialectError> {
    let mut all = Vec::new();
    for (name, by_value) in &written.most_by {
        for (value, most) in by_value {
            if !(1..written.most).contains(most) {
                let what = "at least 1, and fewer than `most`";
                return Err(wrong(&format!("{field}.most_by.{name}.{value}"), what));
            }
            all.push((Name::from(&**name), value.as_str().into(), *most));
        }
    }
    Ok(all.into())
}

/// The orders of the message that was read last, in memory that the next one reuses.
#[derive(Debug, Default)]
pub(super) struct Items {
    all: Vec<Pairs>,
    used: usize,
}

impl Items {
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// Returns the pairs of each item.
    pub(super) fn as_slice(&self) -> &[Pairs] {
        self.all.get(..self.used).unwrap_or_default()
    }

    /// Reads a list of orders at `place` in `text`; what stands beside it goes into `beside`.
    ///
    /// # Errors
    ///
    /// `form_malformed` for what is no list; `form_parameter_missing` for an empty one; `form_batch_too_long`.
    pub(super) fn read(
        &mut self,
        text: &str,
        place: &str,
        batch: &Batch,
        beside: &mut Pairs,
    ) -> Result<(), Refusal> {
        json::values(text, &mut |value| {
            let Some((index, name)) = within(value.path, place) else {
                return match value.path == place {
                    // Nothing stands in it.
                    true => Ok(()),
                    false => beside.value(value.path, value.raw),
                };
            };
            let named = if name.is_empty() {
                let unknown = || Refusal::from(Code::FormParameterUnknown).of_order(index);
                let scalar = !matches!(value.raw, "{}" | "[]");
                let item = batch.item.as_deref().filter(|_| scalar);
                item.ok_or_else(unknown)?
            } else {
                name
            };
            let pairs = self.at(index, batch)?;
            pairs.value(named, value.raw).map_err(|r| r.of_order(index))
        })?;
        // An object whose names are numbers has the same names as a list.
        let list = json::find_again(text, place)?;
        let list = list.map(str::trim_start);
        if list.is_some_and(|list| !list.starts_with('[')) {
            return Err(Refusal::new(Code::FormMalformed).field(batch.name()));
        }
        if self.used == 0 {
            return Err(Refusal::new(Code::FormParameterMissing).field(batch.name()));
        }
        Ok(())
    }

    fn at(&mut self, index: usize, batch: &Batch) -> Result<&mut Pairs, Refusal> {
        if index >= batch.most {
            return Err(Refusal::new(Code::FormBatchTooLong).field(batch.name()));
        }
        if index >= self.used {
            if self.all.len() <= index {
                self.all.resize_with(index + 1, Pairs::default);
            }
            if let Some(fresh) = self.all.get_mut(index) {
                fresh.clear();
            }
            self.used = index + 1;
        }
        let pairs = self.all.get_mut(index);
        pairs.ok_or_else(|| Code::Internal.into())
    }

    /// Checks what stands in each item, and gives each what stands beside the list: it holds for all of them.
    ///
    /// # Errors
    ///
    /// `form_parameter_unknown`; `form_duplicate` for what stands in an item and beside the list; `form_batch_too_long` for
    /// more than the venue takes of what stands beside it.
    pub(super) fn share(&mut self, batch: &Batch, beside: &Pairs) -> Result<(), Refusal> {
        let used = self.used;
        let too_many = |(name, value, most): &(Name, Box<str>, usize)| {
            used > *most && beside.get(name) == Some(&**value)
        };
        if batch.most_by.iter().any(too_many) {
            return Err(Refusal::new(Code::FormBatchTooLong).field(batch.name()));
        }
        let items = self.all.get_mut(..self.used).unwrap_or_default();
        for (index, item) in items.iter_mut().enumerate() {
            let unknown = |(tag, name, _): &(_, &str, _)| !batch.parameters.contains(*tag, name);
            if let Some((_, name, _)) = item.iter().find(unknown) {
                let refusal = Refusal::new(Code::FormParameterUnknown).field(name);
                return Err(refusal.of_order(index));
            }
            item.take_all(beside).map_err(|r| r.of_order(index))?;
        }
        Ok(())
    }
}

/// Returns which item of the list at `place` the name `path` stands in, and what it is called there.
fn within<'p>(path: &'p str, place: &str) -> Option<(usize, &'p str)> {
    let rest = match place {
        "" => path,
        place => path.strip_prefix(place)?.strip_prefix('.')?,
    };
    let (index, name) = rest.split_once('.').unwrap_or((rest, ""));
    let plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    Some((index.parse().ok().filter(|_| plain)?, name))
}
