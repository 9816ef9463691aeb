//! The controls and their modes.

/// One check of the pipeline, in the order in which they run.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Control {
    /// Budget per address, before any cryptography.
    Edge,
    /// Route table.
    Operation,
    /// Signature.
    Identity,
    /// Window and replay.
    Freshness,
    /// State, expiry, address, scope.
    Authority,
    /// Limits.
    Budget,
    /// Order fields.
    Guard,
    /// Legal now.
    Sequence,
}

impl Control {
    /// All controls, in order.
    pub const ALL: [Self; 8] = [
        Self::Edge,
        Self::Operation,
        Self::Identity,
        Self::Freshness,
        Self::Authority,
        Self::Budget,
        Self::Guard,
        Self::Sequence,
    ];

    /// Returns the word used in configuration and ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Operation => "operation",
            Self::Identity => "identity",
            Self::Freshness => "freshness",
            Self::Authority => "authority",
            Self::Budget => "budget",
            Self::Guard => "guard",
            Self::Sequence => "sequence",
        }
    }
}

/// What a control does with its own refusal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// Refuse the message.
    #[default]
    Enforce,
    /// Record what it would have done, and let the message go on.
    Observe,
    /// Do not run.
    Off,
}

/// The mode of every control.
#[derive(Clone, Copy, Debug, Default)]
pub struct Modes([Mode; 8]);

impl Modes {
    /// Returns these modes with `control` set to `mode`.
    #[must_use]
    pub const fn with(mut self, control: Control, mode: Mode) -> Self {
        self.0[control as usize] = mode;
        self
    }

    /// Returns the mode of `control`.
    pub const fn of(&self, control: Control) -> Mode {
        self.0[control as usize]
    }
}
