//! Why the gate could not be set up, or not do what it was asked.

use std::fmt;

use ringfence_ledger::LedgerError;

/// What went wrong, and where in the configuration.
#[derive(Debug)]
pub enum GateError {
    /// A field of the snapshot is wrong.
    Config {
        /// Path of the field, such as `listeners[0].tls.key`.
        field: String,
        /// What is wrong with it.
        what: String,
    },
    /// A credential could not be taken or changed.
    Credential {
        /// Its id.
        key_id: String,
        /// What is wrong with it.
        what: String,
    },
    /// A venue key could not be taken.
    VenueKey {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The ledger could not be opened, written or closed.
    Ledger(LedgerError),
    /// The operating system failed us.
    System {
        /// What was being done.
        doing: String,
        /// Its error.
        source: std::io::Error,
    },
}

impl GateError {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "config_invalid",
            Self::Credential { .. } => "credential_invalid",
            Self::VenueKey { .. } => "venue_key_invalid",
            Self::Ledger(_) => "ledger_unusable",
            Self::System { .. } => "system",
        }
    }

    pub(crate) fn config(field: impl Into<String>, what: impl fmt::Display) -> Self {
        Self::Config {
            field: field.into(),
            what: what.to_string(),
        }
    }

    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System {
            doing: doing.into(),
            source,
        }
    }
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { field, what } => write!(f, "{field}: {what}"),
            Self::Credential { key_id, what } => write!(f, "credential {key_id}: {what}"),
            Self::VenueKey { name, what } => write!(f, "venue key {name}: {what}"),
            Self::Ledger(error) => error.fmt(f),
            Self::System { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl std::error::Error for GateError {}

impl From<LedgerError> for GateError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}
