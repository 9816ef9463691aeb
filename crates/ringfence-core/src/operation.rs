//! What a message asks, in one vocabulary for all dialects and transports.

use crate::session::Coverage;

/// One operation. The table below says what each needs and does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// Balances, fees, account state.
    AccountRead,
    /// Change something at the gateway's own admin API.
    AdminChange,
    /// Prove to the gateway's own admin API again who asks.
    AdminProve,
    /// Look at what the gateway's own admin API tells.
    AdminRead,
    /// Restrictions of the key itself.
    KeyRead,
    /// Public market data.
    MarketRead,
    /// Change a resting order.
    OrderAmend,
    /// Take back one or more orders.
    OrderCancel,
    /// Place an order.
    OrderPlace,
    /// Look at orders and fills.
    OrderQuery,
    /// Check an order without placing it.
    OrderTest,
    /// Get the receipt of an own order from the gateway's ledger.
    ReceiptRead,
    /// Begin a session, whose messages need no signature of their own.
    SessionLogon,
    /// Open or extend a private stream.
    StreamOpen,
    /// Move funds between own accounts.
    TransferCreate,
    /// Send funds out.
    WithdrawCreate,
    /// Look at withdrawals.
    WithdrawQuery,
}

/// What a credential may be allowed to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Look at the account.
    Read = 1,
    /// Place, change and cancel orders.
    Trade = 2,
    /// Send funds out.
    Withdraw = 4,
    /// Move funds between own accounts.
    Transfer = 8,
    /// Manage keys.
    Keys = 16,
    /// Use the gateway's own admin API, as an operator.
    Admin = 32,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 6] = [
        Self::Read,
        Self::Trade,
        Self::Withdraw,
        Self::Transfer,
        Self::Keys,
        Self::Admin,
    ];

    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trade => "trade",
            Self::Withdraw => "withdraw",
            Self::Transfer => "transfer",
            Self::Keys => "keys",
            Self::Admin => "admin",
        }
    }

    /// Returns the scope called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Scopes(u8);

impl Scopes {
    /// Returns this set with `scope` in it.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope as u8)
    }

    /// Tells whether `scope` is in the set.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }

    /// Returns the set of the scopes called `names`, or the first name that is no scope.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        names.into_iter().try_fold(Self::default(), |set, name| {
            Scope::parse(name).map(|scope| set.with(scope)).ok_or(name)
        })
    }
}

impl Operation {
    /// All operations, by name.
    pub const ALL: [Self; 17] = [
        Self::AccountRead,
        Self::AdminChange,
        Self::AdminProve,
        Self::AdminRead,
        Self::KeyRead,
        Self::MarketRead,
        Self::OrderAmend,
        Self::OrderCancel,
        Self::OrderPlace,
        Self::OrderQuery,
        Self::OrderTest,
        Self::ReceiptRead,
        Self::SessionLogon,
        Self::StreamOpen,
        Self::TransferCreate,
        Self::WithdrawCreate,
        Self::WithdrawQuery,
    ];

    /// Returns the word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountRead => "account.read",
            Self::AdminChange => "admin.change",
            Self::AdminProve => "admin.prove",
            Self::AdminRead => "admin.read",
            Self::KeyRead => "key.read",
            Self::MarketRead => "market.read",
            Self::OrderAmend => "order.amend",
            Self::OrderCancel => "order.cancel",
            Self::OrderPlace => "order.place",
            Self::OrderQuery => "order.query",
            Self::OrderTest => "order.test",
            Self::ReceiptRead => "receipt.read",
            Self::SessionLogon => "session.logon",
            Self::StreamOpen => "stream.open",
            Self::TransferCreate => "transfer.create",
            Self::WithdrawCreate => "withdraw.create",
            Self::WithdrawQuery => "withdraw.query",
        }
    }

    /// Returns the operation called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.as_str() == text)
    }

    /// Returns the scope that a credential needs; `None` means that anybody may. A logon opens nothing by itself.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::MarketRead | Self::SessionLogon => None,
            Self::AccountRead
            | Self::KeyRead
            | Self::OrderQuery
            | Self::ReceiptRead
            | Self::StreamOpen
            | Self::WithdrawQuery => Some(Scope::Read),
            Self::OrderAmend | Self::OrderCancel | Self::OrderPlace | Self::OrderTest => {
                Some(Scope::Trade)
            }
            Self::AdminChange | Self::AdminProve | Self::AdminRead => Some(Scope::Admin),
            Self::TransferCreate => Some(Scope::Transfer),
            Self::WithdrawCreate => Some(Scope::Withdraw),
        }
    }

    /// Tells whether nobody may do it who is not known.
    pub const fn needs_credential(self) -> bool {
        self.scope().is_some() || matches!(self, Self::SessionLogon)
    }

    /// Tells whether the message goes to the gateway's own admin API, and never to the venue.
    pub const fn administers(self) -> bool {
        matches!(self, Self::AdminChange | Self::AdminProve | Self::AdminRead)
    }

    /// Returns how much of the message a signature must cover, whatever the credential asks for.
    pub const fn coverage(self) -> Coverage {
        match self {
            Self::AdminChange | Self::AdminProve | Self::AdminRead => Coverage::Whole,
            Self::StreamOpen => Coverage::Name,
            Self::AccountRead
            | Self::KeyRead
            | Self::MarketRead
            | Self::OrderAmend
            | Self::OrderCancel
            | Self::OrderPlace
            | Self::OrderQuery
            | Self::OrderTest
            | Self::ReceiptRead
            | Self::SessionLogon
            | Self::TransferCreate
            | Self::WithdrawCreate
            | Self::WithdrawQuery => Coverage::Venue,
        }
    }

    /// Tells whether the operation changes state behind the gateway: its signature is spent, its intent
    /// must be durable.
    pub const fn changes_state(self) -> bool {
        match self {
            Self::AdminChange
            | Self::AdminProve
            | Self::OrderAmend
            | Self::OrderCancel
            | Self::OrderPlace
            | Self::TransferCreate
            | Self::WithdrawCreate => true,
            Self::AccountRead
            | Self::AdminRead
            | Self::KeyRead
            | Self::MarketRead
            | Self::OrderQuery
            | Self::OrderTest
            | Self::ReceiptRead
            | Self::SessionLogon
            | Self::StreamOpen
            | Self::WithdrawQuery => false,
        }
    }

    /// Tells whether its signature is good for one use only: what was captured must not begin a session, either.
    pub const fn spends(self) -> bool {
        self.changes_state() || matches!(self, Self::SessionLogon)
    }

    /// Tells whether the message goes to the venue; the others the gateway answers itself, or its admin API.
    pub const fn reaches_venue(self) -> bool {
        !self.administers() && !matches!(self, Self::ReceiptRead | Self::SessionLogon)
    }

    /// Tells whether the message moves funds.
    pub const fn moves_funds(self) -> bool {
        matches!(self, Self::TransferCreate | Self::WithdrawCreate)
    }

    /// Tells whether the operation can only lower risk.
    pub const fn reduces_risk(self) -> bool {
        matches!(self, Self::OrderCancel)
    }

    /// Tells whether the message may name orders that are there already.
    pub const fn is_about_orders(self) -> bool {
        matches!(
            self,
            Self::OrderAmend | Self::OrderCancel | Self::OrderQuery
        )
    }

    /// Tells whether the guard judges the message's order fields.
    pub const fn carries_order(self) -> bool {
        matches!(self, Self::OrderAmend | Self::OrderPlace | Self::OrderTest)
    }
}
