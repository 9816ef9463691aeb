//! The order that a message is about, and what the venue's answer says of it: for the record.

pub use ringfence_core::placed::OrderIds;
use ringfence_core::refusal::{Code, Refusal};

use super::definition::OrderIds as Written;
use super::name::Name;
use super::scratch::Pairs;
use super::{Abouts, Dialect, Each, Route};
use crate::json;

/// What the venue's answer says of an order. Texts; numbers as they stand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AnsweredOrder {
    /// The client's own id, or the one that the venue made for it.
    pub client_order_id: Option<String>,
    /// The venue's word for its state.
    pub status: Option<String>,
    /// The venue's id.
    pub venue_order_id: Option<String>,
}

/// Where a dialect's messages and answers name orders.
#[derive(Debug, Default)]
pub(super) struct Places {
    symbol: Box<[Place]>,
    client_order_id: Box<[Place]>,
    venue_order_id: Box<[Place]>,
    answered: [Box<[Box<str>]>; 3],
}

#[derive(Debug)]
enum Place {
    Parameter(Name),
    /// The segment of the path that stands in place of this one of the route.
    Segment(Box<str>),
}

impl Places {
    pub(super) fn compile(written: &Written) -> Self {
        let answer = &written.answer;
        let texts = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
        Self {
            symbol: places(&written.symbol),
            client_order_id: places(&written.client_order_id),
            venue_order_id: places(&written.venue_order_id),
            answered: [
                texts(&answer.client_order_id),
                texts(&answer.status),
                texts(&answer.venue_order_id),
            ],
        }
    }
}

fn places(written: &[String]) -> Box<[Place]> {
    let place = |text: &String| match text.starts_with('{') {
        true => Place::Segment(text.as_str().into()),
        false => Place::Parameter(Name::from(&**text)),
    };
    written.iter().map(place).collect()
}

impl Dialect {
    /// Returns what a message calls the order it is about; none where it names none.
    pub(super) fn about<'a>(&self, route: &Route, path: &'a str, pairs: &'a Pairs) -> Abouts<'a> {
        let read = |places: &[Place]| {
            let read = |place: &Place| match place {
                Place::Parameter(name) => pairs.get(name),
                Place::Segment(name) => route.segment(path, name),
            };
            places
                .iter()
                .find_map(|place| read(place).filter(|text| !text.is_empty()))
        };
        let ids = OrderIds {
            symbol: read(&self.order_ids.symbol),
            client_order_id: read(&self.order_ids.client_order_id),
            venue_order_id: read(&self.order_ids.venue_order_id),
        };
        match ids == OrderIds::default() {
            true => Each::None,
            false => Each::One(ids),
        }
    }

    /// Returns what the venue's answer to a message on `route` says of the orders that it is about. An answer that cannot
    /// be read says nothing.
    pub fn answered(&self, route: u16, body: &[u8]) -> Each<AnsweredOrder> {
        let route = self.routes.iter().nth(usize::from(route));
        match route.and_then(|route| route.batch.as_deref()) {
            Some(batch) => batch.answered(body),
            None => match self.answered_one(body) {
                order if order == AnsweredOrder::default() => Each::None,
                order => Each::One(order),
            },
        }
    }

    pub(super) fn answered_one(&self, body: &[u8]) -> AnsweredOrder {
        let mut found = [const { None }; 3];
        let wanted = &self.order_ids.answered;
        if wanted.iter().all(|places| places.is_empty()) {
            return AnsweredOrder::default();
        }
        let mut missing = wanted.iter().filter(|places| !places.is_empty()).count();
        let text = std::str::from_utf8(body).unwrap_or_default();
        // What else stands there is nobody's concern once all is found: the walk ends by an error of its own.
        let _ = json::values(text, &mut |value| {
            for (places, found) in wanted.iter().zip(&mut found) {
                let here = places.iter().any(|place| **place == *value.path);
                if found.is_none() && here && !matches!(value.raw, "null" | "{}" | "[]" | "\"\"") {
                    let mut said = String::new();
                    json::append(value.raw, &mut said)?;
                    *found = Some(said);
                    missing -= 1;
                }
            }
            if missing == 0 {
                return Err(Refusal::from(Code::FormMalformed));
            }
            Ok(())
        });
        let [client_order_id, status, venue_order_id] = found;
        AnsweredOrder {
            client_order_id,
            status,
            venue_order_id,
        }
    }
}
