//! What a limit counts.

/// What a limit counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counts {
    /// Cancels, to orders placed.
    CancelToOrder,
    /// Orders named in a message: those of a batch, or one.
    Items,
    /// Messages that place, change and cancel orders, to trades, less one: as Regulation (EU) 2017/566 has it, in number.
    OrderToTrade,
    /// Orders placed.
    Orders,
    /// Messages.
    Requests,
    /// Orders placed of which no fill is heard of.
    Unfilled,
    /// The same as of orders to trades, in volume.
    VolumeToTrade,
    /// The routes' weights.
    Weight,
}

impl Counts {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::CancelToOrder,
        Self::Items,
        Self::OrderToTrade,
        Self::Orders,
        Self::Requests,
        Self::Unfilled,
        Self::VolumeToTrade,
        Self::Weight,
    ];

    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CancelToOrder => "cancel_to_order",
            Self::Items => "items",
            Self::OrderToTrade => "order_to_trade",
            Self::Orders => "orders",
            Self::Requests => "requests",
            Self::Unfilled => "unfilled",
            Self::VolumeToTrade => "volume_to_trade",
            Self::Weight => "weight",
        }
    }

    /// Returns what is called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == text)
    }

    /// Tells whether fills change what was counted.
    pub(super) const fn has_fills(self) -> bool {
        matches!(
            self,
            Self::OrderToTrade | Self::Unfilled | Self::VolumeToTrade
        )
    }

    /// Tells whether it is how much of one thing there is to another.
    pub const fn is_ratio(self) -> bool {
        matches!(
            self,
            Self::CancelToOrder | Self::OrderToTrade | Self::VolumeToTrade
        )
    }

    /// Returns what a client is told was counted, as the venue may call it.
    #[must_use]
    pub const fn told_as(self) -> Self {
        if self.is_ratio() {
            Self::Orders
        } else {
            self.at_venue()
        }
    }

    /// Returns what the venue calls what this counts: where it gives back what is filled, that is what it tells of orders.
    #[must_use]
    pub const fn at_venue(self) -> Self {
        match self {
            Self::Unfilled => Self::Orders,
            Self::CancelToOrder
            | Self::Items
            | Self::OrderToTrade
            | Self::Orders
            | Self::Requests
            | Self::VolumeToTrade
            | Self::Weight => self,
        }
    }
}
