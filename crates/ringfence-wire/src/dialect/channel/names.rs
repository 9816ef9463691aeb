//! What a channel calls a route's parameters, where it has other names and words for them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::definition::RenameDefinition;

/// Names of the channel, and what a route calls each.
#[derive(Debug, Default)]
pub(super) struct Renames {
    by_name: HashMap<Box<str>, Rename>,
    /// Names of routes that stand for another name here: under them nothing is taken.
    hidden: HashSet<Box<str>>,
}

#[derive(Debug)]
struct Rename {
    to: Box<str>,
    parts: Option<char>,
    text: bool,
    words: HashMap<Box<str>, Box<str>>,
}

impl Renames {
    pub(super) fn compile(written: &BTreeMap<String, RenameDefinition>) -> Self {
        let boxed = |text: &String| Box::<str>::from(text.as_str());
        let by_name = written.iter().map(|(name, rename)| {
            let words = rename.words.iter();
            let compiled = Rename {
                to: boxed(&rename.to),
                parts: rename.parts,
                text: rename.text,
                words: words.map(|(from, to)| (boxed(from), boxed(to))).collect(),
            };
            (boxed(name), compiled)
        });
        let targets = written.values().map(|rename| &rename.to);
        Self {
            by_name: by_name.collect(),
            hidden: targets
                .filter(|to| !written.contains_key(*to))
                .map(boxed)
                .collect(),
        }
    }

    /// Returns name and value as the route has them; none for a name of routes that is another one here.
    pub(super) fn of<'a>(
        &'a self,
        name: &'a str,
        value: &'a str,
    ) -> Option<(&'a str, Cow<'a, str>)> {
        match self.by_name.get(name) {
            Some(rename) => Some((&rename.to, rename.value(value))),
            None if self.hidden.contains(name) => None,
            None => Some((name, value.into())),
        }
    }
}

impl Renames {
    /// Tells whether the route has the value of `name` as text in JSON.
    pub(super) fn is_text(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|rename| rename.text)
    }
}

impl Rename {
    fn value<'a>(&'a self, value: &'a str) -> Cow<'a, str> {
        match self.parts {
            Some(mark) if value.contains(mark) => {
                let parts = value.split(mark).map(|part| self.word(part));
                parts.collect::<String>().into()
            }
            Some(_) | None => self.word(value).into(),
        }
    }

    fn word<'a>(&'a self, part: &'a str) -> &'a str {
        self.words.get(part).map_or(part, |word| word)
    }
}
