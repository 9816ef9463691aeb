//! Refusals: a stable code, whose fault it is, when to try again, and a sentence that tells the
//! user what to do.

mod code;

use std::fmt;

pub use code::Code;

use crate::budget::{Counts, Subject, Subjects};
use crate::moment::Moment;

/// Whose doing it is that a message was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blame {
    /// The message itself.
    Client,
    /// The gateway's own state: a full table, a drain, a ledger that cannot be written.
    Gateway,
    /// The venue behind the gateway.
    Venue,
}

impl Blame {
    /// Returns the word used in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Venue => "venue",
        }
    }
}

/// When trying again makes sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// The same message will not be accepted later either.
    Never,
    /// After this many milliseconds.
    AfterMs(u64),
}

/// What a refusal was about, small enough to copy. Never a secret, never a body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Detail {
    /// Nothing beyond the code.
    #[default]
    None,
    /// A time distance in microseconds past what is allowed.
    Distance(u64),
    /// The field that is wrong.
    Field(Box<str>),
    /// When it will be allowed; microseconds since the Unix epoch.
    From(u64),
    /// The budget that is used up.
    Limit(Box<LimitDetail>),
    /// What the policies decided, for the ledger: which policies there are is no client's business.
    Policies(Box<str>),
    /// The scope that the credential lacks.
    Scope(&'static str),
    /// The step-up that would do.
    StepUp(StepUpDetail),
}

/// A step-up that would have the message permitted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepUpDetail {
    /// What does as its proof: words with spaces between them.
    pub strengths: Box<str>,
    /// How old it may be, in seconds.
    pub max_age_s: u64,
    /// What the policies decided, for the ledger; empty where it is the configuration that asks for one.
    pub policies: Box<str>,
}

/// The budget that refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LimitDetail {
    /// The limit's configured name.
    pub name: Box<str>,
    /// Whose kind of budget it is.
    pub subject: Subjects,
    /// What it counts.
    pub counts: Counts,
    /// How much is allowed, and how often.
    pub bound: Box<str>,
}

/// Why a message does not get through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Stable code.
    pub code: Code,
    /// Whose doing.
    pub blame: Blame,
    /// When to try again.
    pub retry: Retry,
    /// What it was about.
    pub detail: Detail,
}

impl Refusal {
    /// Makes a refusal with the code's own blame and retry, and no detail.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            blame: code.blame(),
            retry: code.retry(),
            detail: Detail::None,
        }
    }

    /// Adds what the refusal is about.
    #[must_use]
    pub fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// Adds a field name, cut to 64 bytes.
    #[must_use]
    pub fn field(self, name: &str) -> Self {
        let mut end = name.len().min(64);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        self.with(Detail::Field(name[..end].into()))
    }

    /// Says of which order of a batch it is, counted from 0: `px` becomes `1.px`, and nothing becomes `1`.
    #[must_use]
    pub fn of_order(self, index: usize) -> Self {
        match &self.detail {
            Detail::Field(name) => {
                let name = format!("{index}.{name}");
                self.field(&name)
            }
            Detail::None
            | Detail::Distance(_)
            | Detail::From(_)
            | Detail::Limit(_)
            | Detail::Policies(_)
            | Detail::Scope(_)
            | Detail::StepUp(_) => self.field(&index.to_string()),
        }
    }

    /// Tells whether it is by the budget of the message's shard.
    pub fn is_of_shard(&self) -> bool {
        matches!(&self.detail, Detail::Limit(limit) if limit.subject.contains(Subject::Shard))
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(self, after_ms: u64) -> Self {
        Self {
            retry: Retry::AfterMs(after_ms),
            ..self
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.hint())?;
        match &self.detail {
            Detail::None | Detail::Policies(_) => Ok(()),
            Detail::Distance(us) => write!(f, " [{} ms past the limit]", us.div_ceil(1000)),
            Detail::Field(name) => write!(f, " [{name}]"),
            Detail::From(us) => write!(f, " [from {}]", Moment(*us)),
            Detail::Limit(limit) => {
                let LimitDetail {
                    name,
                    subject,
                    bound,
                    ..
                } = &**limit;
                write!(f, " [{name}: {bound}, by {subject}]")
            }
            Detail::Scope(scope) => write!(f, " [{scope}]"),
            Detail::StepUp(wanted) => write!(
                f,
                " [{}, no older than {} s]",
                wanted.strengths.replace(' ', " or "),
                wanted.max_age_s
            ),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
