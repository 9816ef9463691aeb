//! How messages about several orders are told from those about one, and how their answers name each.

use serde_json::value::RawValue;

use super::super::DialectError;
use super::super::compile::wrong;
use super::super::definition::{ItemsDefinition, SeveralDefinition};
use super::super::name::Name;
use super::super::scratch::Pairs;
use super::template::Template;
use super::{Heading, Method, Said, inside, literal};
use crate::json;

/// How each of a list in the route's answer is told.
#[derive(Debug)]
pub(super) struct Items {
    place: Box<str>,
    answer: Template,
    failed: Box<str>,
    error: Template,
}

/// What a message is that names several orders.
#[derive(Debug)]
pub(super) struct Several {
    /// Where their list stands, and the second of them.
    of: Box<str>,
    second: Name,
    method: Method,
    counted: Box<str>,
    fewer: Template,
}

impl Items {
    pub(super) fn compile(written: &ItemsDefinition, field: &str) -> Result<Self, DialectError> {
        let template = |text: &str, last: &str| Template::compile(text, &format!("{field}.{last}"));
        Ok(Self {
            place: written.place.as_str().into(),
            answer: template(&written.answer, "answer")?,
            failed: written.failed.as_str().into(),
            error: template(&written.error, "error")?,
        })
    }

    /// Tells each that stands in the answer's list; none if it has no list.
    pub(super) fn fill(&self, heading: &Heading, said: &Said<'_>) -> Option<String> {
        let list = json::find(said.body, &self.place).ok()??;
        let list: Vec<&RawValue> = serde_json::from_str(list).ok()?;
        let told = list.into_iter().map(|item| {
            let body = item.get();
            let failed = json::find(body, &self.failed).ok()?.is_some();
            let template = if failed { &self.error } else { &self.answer };
            template.fill(heading, &Said { body, ..*said })
        });
        Some(told.collect::<Option<Vec<_>>>()?.join(","))
    }
}

impl Several {
    pub(super) fn compile(
        written: &SeveralDefinition,
        method: Method,
        field: &str,
    ) -> Result<Self, DialectError> {
        if method.answer.is_none() || method.several.is_some() {
            let what = "an answer that is said for each";
            return Err(wrong(&format!("{field}.method.answer"), what));
        }
        Ok(Self {
            second: Name::from(&*format!("{}.1", written.of)),
            of: written.of.as_str().into(),
            method,
            counted: written.counted.as_str().into(),
            fewer: Template::compile(&written.fewer, &format!("{field}.fewer"))?,
        })
    }

    /// Returns the orders that a message names; none where it names one, or no list of them.
    pub(super) fn each(&self, pairs: &Pairs) -> Box<[String]> {
        if pairs.get(&self.second).is_none() {
            return Box::default();
        }
        let named = pairs.iter().filter_map(|(_, name, value)| {
            inside(name, &self.of)?;
            let (_, quoted) = pairs.get_typed(&Name::from(name))?;
            literal(value, quoted)
        });
        named.collect()
    }

    /// Answers each of them; once where the venue did less.
    pub(super) fn fill(&self, heading: &Heading, said: &Said<'_>) -> Option<Vec<String>> {
        let count = json::find(said.body, &self.counted).ok()?;
        let count = count.and_then(|count| count.parse::<usize>().ok());
        if count.is_none_or(|count| count < heading.each.len()) {
            return Some(vec![self.fewer.fill(heading, said)?]);
        }
        let template = self.method.answer.as_ref()?;
        let each = heading.each.iter().map(|one| {
            let heading = Heading {
                repeated: Some(one.clone()),
                each: Box::default(),
                ..heading.clone()
            };
            template.fill(&heading, said)
        });
        each.collect()
    }
}

impl Method {
    /// Returns what it is for this message.
    pub(super) fn as_said(&self, heading: &Heading) -> &Self {
        let several = self.several.as_ref();
        let several = several.filter(|_| !heading.each.is_empty());
        several.map_or(self, |several| &several.method)
    }
}
