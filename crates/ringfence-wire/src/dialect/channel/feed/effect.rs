//! What a message begins and ends on its leg, so that one on which nothing is subscribed to any more can be ended.

use serde_json::{Map, Value};

use super::super::super::scratch::Pairs;
use super::{Follow, Heading, Topics};

/// What a message begins and ends, where the venue takes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Nothing.
    None,
    /// These topics.
    Begins(Vec<String>),
    /// What is no topic, by its name. It may be begun more than once.
    BeginsOther(String),
    /// These topics end.
    Ends(Vec<String>),
    /// All topics end.
    EndsTopics,
    /// What is no topic ends: once, or altogether.
    EndsOther(Box<str>, Times),
}

/// How often something ends that was begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)]
pub enum Times {
    Once,
    All,
}

/// What a method ends.
#[derive(Debug)]
pub(super) enum Ends {
    Named,
    Topics,
    /// What this method began.
    Other(Box<str>),
}

impl Follow {
    /// Returns what a message that names `topics` begins and ends.
    pub(in crate::dialect::channel) fn effect(
        &self,
        heading: &Heading,
        topics: &[String],
        pairs: &Pairs,
    ) -> Effect {
        let numbered = || self.numbers.iter().any(|name| pairs.get(name).is_some());
        match &self.ends {
            Some(Ends::Named) => Effect::Ends(topics.to_vec()),
            Some(Ends::Topics) => Effect::EndsTopics,
            // A number names one of several.
            Some(Ends::Other(name)) if numbered() => Effect::EndsOther(name.clone(), Times::Once),
            Some(Ends::Other(name)) => Effect::EndsOther(name.clone(), Times::All),
            None if !self.opens => Effect::None,
            None if topics.is_empty() => {
                let name = self.says.as_deref().unwrap_or(&heading.method);
                Effect::BeginsOther(name.to_owned())
            }
            None => Effect::Begins(topics.to_vec()),
        }
    }
}

impl Topics {
    /// Returns what a topic is called: its name, and what is said of it, for each where there is a list.
    pub(super) fn named(&self, topic: &Value) -> Vec<String> {
        match topic {
            Value::Object(fields) => self.named_by(fields),
            Value::String(text) => match text.split_once(':').filter(|_| self.is_text()) {
                Some((stem, list)) => list.split(',').map(|one| format!("{stem}:{one}")).collect(),
                None => vec![text.clone()],
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Vec::new(),
        }
    }

    fn named_by(&self, fields: &Map<String, Value>) -> Vec<String> {
        let place = self.name.as_deref().unwrap_or_default();
        let name = fields
            .get(place)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut all = vec![name.to_owned()];
        let mut listed = false;
        // Whatever the order in which they were said.
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by_key(|(field, _)| *field);
        for (field, value) in fields {
            if field == place || self.options.iter().any(|one| **one == *field) {
                continue;
            }
            let said = |one: &String, value: &Value| format!("{one} {field}={}", plain(value));
            // Of two lists the second is no list of topics.
            let list = value.as_array().filter(|_| !listed);
            listed |= list.is_some();
            let list = list.map_or(std::slice::from_ref(value), Vec::as_slice);
            let each = list
                .iter()
                .flat_map(|value| all.iter().map(move |one| said(one, value)));
            all = each.collect();
        }
        all
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
