//! Texts of policies, and where in them something is wrong.

use std::fmt;

use cedar_policy::{Policy, PolicyId, PolicySet};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};

/// One file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// What is wrong, and where: lines and columns from 1, columns in characters.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line; 0 when it is about the file as a whole.
    pub line: usize,
    /// The column; 0 as above.
    pub column: usize,
    /// What, and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.what),
        }
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// Returns where it is, in the order of files.
    pub(crate) fn place(&self) -> (&str, usize, usize) {
        (&self.file, self.line, self.column)
    }

    pub(crate) fn whole(file: &str, what: impl fmt::Display) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
            what: what.to_string(),
        }
    }
}

impl Source {
    /// Returns line and column of a byte offset.
    pub(crate) fn place(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[start..].chars().count() + 1)
    }

    pub(crate) fn at(&self, offset: usize, what: impl fmt::Display) -> Problem {
        let (line, column) = self.place(offset);
        Problem {
            file: self.file.clone(),
            line,
            column,
            what: what.to_string(),
        }
    }

    /// Places a finding of Cedar's, by its first label; `otherwise` is an offset.
    pub(crate) fn found(&self, found: &(impl Diagnostic + ?Sized), otherwise: usize) -> Problem {
        let labels = found.labels().into_iter().flatten();
        let offset = labels.map(|label| label.offset()).next();
        let help = found.help().map(|help| format!("; {help}"));
        let what = format!("{found}{}", help.unwrap_or_default());
        self.at(offset.unwrap_or(otherwise), what)
    }

    /// Parses the file's policies; each is called as its `@id` says, or by the file and its number in it.
    pub(crate) fn parse(&self) -> Result<Vec<Policy>, Vec<Problem>> {
        let set: PolicySet = self.text.parse().map_err(|e: cedar_policy::ParseErrors| {
            let errors = e.iter().map(|error| self.found(error, 0));
            errors.collect::<Vec<_>>()
        })?;
        let templates = set.templates().map(|template| {
            let what = "a template with ?slots is never linked here; write the policy out";
            self.at(offset(template.as_ref().loc()), what)
        });
        let problems: Vec<_> = templates.collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut policies: Vec<_> = set.policies().cloned().collect();
        policies.sort_by_key(start);
        let named = policies.into_iter().enumerate().map(|(number, policy)| {
            let id = match policy.annotation("id") {
                Some(id) if !id.is_empty() => id.to_owned(),
                Some(_) | None => format!("{}#{}", self.file, number + 1),
            };
            policy.new_id(PolicyId::new(id))
        });
        Ok(named.collect())
    }
}

/// Returns the byte offset at which a policy begins in its file.
pub(crate) fn start(policy: &Policy) -> usize {
    offset(policy.as_ref().loc())
}

fn offset(loc: Option<&cedar_policy_core::parser::Loc>) -> usize {
    loc.map_or(0, |loc| loc.start())
}
