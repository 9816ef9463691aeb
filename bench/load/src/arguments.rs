//! Command line words as typed values: `--name value`, `--flag`; unknown or unused is an error.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::str::FromStr;

use crate::fault;

const FLAGS: &[&str] = &["forged", "shed"];
const NAMES: &[&str] = &[
    "connections",
    "credentials",
    "kind",
    "listen",
    "rate",
    "recv-window-ms",
    "requests",
    "run-ms",
    "source",
    "streams",
    "target",
    "tls-ca",
    "tls-name",
    "warm-ms",
    "watch",
];

/// What was said on the command line.
pub(crate) struct Arguments {
    said: RefCell<HashMap<String, Vec<String>>>,
}

impl Arguments {
    /// Reads `--name value` pairs and flags.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut said: HashMap<String, Vec<String>> = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").unwrap_or_default().to_owned();
            let value = if FLAGS.contains(&name.as_str()) {
                String::new()
            } else if NAMES.contains(&name.as_str()) {
                words
                    .next()
                    .ok_or_else(|| fault(format!("--{name} needs a value")))?
            } else {
                return Err(fault(format!("unknown argument {word:?}")));
            };
            said.entry(name).or_default().push(value);
        }
        Ok(Self {
            said: RefCell::new(said),
        })
    }

    /// Whether the flag was given.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.said.borrow_mut().remove(name).is_some()
    }

    /// Every value given for `name`, in order.
    pub(crate) fn all<T: FromStr>(&self, name: &str) -> io::Result<Vec<T>> {
        let values = self.said.borrow_mut().remove(name).unwrap_or_default();
        values
            .iter()
            .map(|text| {
                text.parse()
                    .map_err(|_| fault(format!("--{name} {text:?} is not valid")))
            })
            .collect()
    }

    /// The value of `name`, when given; the last one wins.
    pub(crate) fn optional<T: FromStr>(&self, name: &str) -> io::Result<Option<T>> {
        Ok(self.all(name)?.pop())
    }

    /// The value of `name`.
    pub(crate) fn required<T: FromStr>(&self, name: &str) -> io::Result<T> {
        self.optional(name)?
            .ok_or_else(|| fault(format!("--{name} is missing")))
    }

    /// Fails when something was said that nobody asked for.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self.said.borrow().keys().next() {
            None => Ok(()),
            Some(name) => Err(fault(format!("--{name} does not belong to this command"))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Arguments;

    fn parse(text: &str) -> std::io::Result<Arguments> {
        Arguments::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn values_flags_and_repeats_are_read() {
        let said = parse("--rate 5 --forged --watch 1 --watch 2").unwrap();
        assert_eq!(said.required::<u64>("rate").unwrap(), 5);
        assert!(said.flag("forged"));
        assert_eq!(said.all::<u32>("watch").unwrap(), [1, 2]);
        assert!(said.finish().is_ok());
    }

    #[test]
    fn unknown_unused_and_malformed_words_are_refused() {
        assert!(parse("--speed 5").is_err());
        assert!(parse("--rate").is_err());
        assert!(parse("--rate 5").unwrap().finish().is_err());
        assert!(parse("--rate x").unwrap().required::<u64>("rate").is_err());
        assert!(parse("").unwrap().required::<u64>("rate").is_err());
    }
}
