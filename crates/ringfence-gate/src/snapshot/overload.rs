//! What is done when there is more to do than there is room for, as Python hands it over.

use ringfence_core::overload::{Fuse, Priority, Waits};
use serde::Deserialize;

/// Who waits for how long, and what is kept for whom.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // the fields are those of the configuration file, documented there
pub struct OverloadConfig {
    pub waits_ms: WaitsConfig,
    /// Messages that wait for a connection, of each engine thread.
    pub waiting: usize,
    /// A thread that is behind by more does without reads.
    pub lag_ms: u64,
    /// Of the connections, for what reduces risk.
    pub reserve_percent: usize,
    /// Whether so many are under way at once as the venue keeps up with; otherwise, as there are connections.
    pub adaptive: bool,
    /// The least that may be under way then, of each engine thread.
    pub floor: usize,
    /// When a venue that does not answer is left alone; none: never.
    pub breaker: Option<BreakerConfig>,
}

/// A venue that did not answer this often in a row is left alone for so long.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BreakerConfig {
    pub failures: u32,
    pub open_ms: u64,
}

impl OverloadConfig {
    pub(crate) fn fuse(&self) -> Option<Fuse> {
        self.breaker.map(|breaker| Fuse {
            failures: breaker.failures,
            open_us: breaker.open_ms.saturating_mul(1000),
        })
    }
}

impl Default for OverloadConfig {
    fn default() -> Self {
        Self {
            waits_ms: WaitsConfig::default(),
            waiting: 1024,
            lag_ms: 50,
            reserve_percent: 10,
            adaptive: true,
            floor: 4,
            breaker: Some(BreakerConfig {
                failures: 5,
                open_ms: 1000,
            }),
        }
    }
}

/// How long a message waits at most, by how urgent it is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct WaitsConfig {
    pub risk_reducing: u64,
    pub order: u64,
    pub account_read: u64,
    pub market_read: u64,
}

impl Default for WaitsConfig {
    fn default() -> Self {
        Self {
            risk_reducing: 1000,
            order: 500,
            account_read: 500,
            market_read: 200,
        }
    }
}

impl WaitsConfig {
    pub(crate) fn compile(&self) -> Waits {
        Waits(Priority::ALL.map(|priority| {
            let ms = match priority {
                Priority::RiskReducing => self.risk_reducing,
                Priority::Order => self.order,
                Priority::AccountRead => self.account_read,
                Priority::MarketRead => self.market_read,
            };
            ms.saturating_mul(1000)
        }))
    }
}
