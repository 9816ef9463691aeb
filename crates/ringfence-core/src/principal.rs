//! Who a credential acts for is, and under whom that stands.

/// What a principal is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// An account, or a part of one.
    Account,
    /// Who works at the console.
    Operator,
    /// What accounts and others stand under.
    Organisation,
    /// A program.
    Service,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Account,
        Self::Operator,
        Self::Organisation,
        Self::Service,
    ];

    /// Returns the word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Operator => "operator",
            Self::Organisation => "organisation",
            Self::Service => "service",
        }
    }

    /// Returns the kind called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A principal that stands above another.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Above {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: Box<str>,
}

/// What a principal is, and who stands above it, from the nearest.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Standing {
    /// What it is.
    pub kind: Kind,
    /// Who stands above it.
    pub above: Vec<Above>,
}

/// An account by itself.
pub static ALONE: Standing = Standing {
    kind: Kind::Account,
    above: Vec::new(),
};
