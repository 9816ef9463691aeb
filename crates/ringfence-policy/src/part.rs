//! The parts of a context, as the schema names them.

use cedar_policy_core::ast::{Expr, ExprKind, Var};

/// A part of the context.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[allow(missing_docs)] // the words of the schema
pub enum Part {
    Address,
    Algorithm,
    Certificate,
    Coverage,
    Credential,
    Day,
    Funds,
    FundsAccount,
    FundsAddress,
    FundsAmount,
    FundsAsset,
    FundsNetwork,
    FundsTag,
    Hour,
    Order,
    OrderAmends,
    OrderNotional,
    OrderPrice,
    OrderQuantity,
    OrderSide,
    OrderType,
    Scopes,
    StepUp,
    StepUpAge,
    StepUpStrength,
    Time,
    Transport,
}

/// What a part is, and so how it may be looked at.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Kind {
    /// An address.
    Address,
    /// A credential's name.
    Credential,
    /// Rounded up: only bounds from above are exact.
    Decimal,
    /// True or not.
    Flag,
    /// A whole number.
    Long,
    /// Attributes of it.
    Record,
    /// Names of scopes.
    Scopes,
    /// A text.
    Text,
}

pub(crate) const PARTS: [(&str, Part, Kind); Part::COUNT] = [
    ("address", Part::Address, Kind::Address),
    ("algorithm", Part::Algorithm, Kind::Text),
    ("certificate", Part::Certificate, Kind::Flag),
    ("coverage", Part::Coverage, Kind::Text),
    ("credential", Part::Credential, Kind::Credential),
    ("day", Part::Day, Kind::Long),
    ("funds", Part::Funds, Kind::Record),
    ("funds.account", Part::FundsAccount, Kind::Text),
    ("funds.address", Part::FundsAddress, Kind::Text),
    ("funds.amount", Part::FundsAmount, Kind::Decimal),
    ("funds.asset", Part::FundsAsset, Kind::Text),
    ("funds.network", Part::FundsNetwork, Kind::Text),
    ("funds.tag", Part::FundsTag, Kind::Text),
    ("hour", Part::Hour, Kind::Long),
    ("order", Part::Order, Kind::Record),
    ("order.amends", Part::OrderAmends, Kind::Flag),
    ("order.notional", Part::OrderNotional, Kind::Decimal),
    ("order.price", Part::OrderPrice, Kind::Decimal),
    ("order.quantity", Part::OrderQuantity, Kind::Decimal),
    ("order.side", Part::OrderSide, Kind::Text),
    ("order.type", Part::OrderType, Kind::Text),
    ("scopes", Part::Scopes, Kind::Scopes),
    ("stepUp", Part::StepUp, Kind::Record),
    ("stepUp.age", Part::StepUpAge, Kind::Long),
    ("stepUp.strength", Part::StepUpStrength, Kind::Text),
    ("time", Part::Time, Kind::Long),
    ("transport", Part::Transport, Kind::Text),
];

impl Part {
    /// How many there are.
    pub(crate) const COUNT: usize = 27;

    /// Returns the part at a place in the context, if it is of this kind.
    pub(crate) fn at(path: &str, kind: Kind) -> Option<Self> {
        let mut parts = PARTS.iter();
        parts
            .find(|(name, _, k)| *name == path && *k == kind)
            .map(|(_, part, _)| *part)
    }

    /// Tells whether every request has it.
    pub(crate) fn is_required(self) -> bool {
        let inside = self.path().contains('.');
        let record = matches!(self, Self::Funds | Self::Order | Self::StepUp);
        !inside && !record
    }

    /// Returns its place in the context.
    pub fn path(self) -> &'static str {
        // INVARIANT: the table has a line for each part, in their order; a test holds it.
        PARTS[self as usize].0
    }

    /// Returns all parts.
    pub fn all() -> impl Iterator<Item = Self> {
        PARTS.iter().map(|(_, part, _)| *part)
    }
}

/// Returns `order.price` of `context.order.price`; empty for the context itself.
#[allow(clippy::wildcard_enum_match_arm)] // one kind is looked for among many
pub(crate) fn path(expr: &Expr) -> Option<String> {
    match expr.expr_kind() {
        ExprKind::Var(Var::Context) => Some(String::new()),
        ExprKind::GetAttr { expr, attr } => path(expr).map(|base| match base.as_str() {
            "" => attr.to_string(),
            base => format!("{base}.{attr}"),
        }),
        _ => None,
    }
}
