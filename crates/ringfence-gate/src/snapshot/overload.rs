//! What is done when there is more to do than there is room for, as Python hands it over.

use ringfence_core::overload::{Priority, Waits};
use serde::Deserialize;

/// Who waits for how long, and what is kept for whom.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // the fields are those of the configuration file, documented there
pub struct OverloadConfig {
    pub waits_ms: WaitsConfig,
    /// Messages that wait for a connection, of each engine thread.
    pub waiting: usize,
    /// Of the connections, for what reduces risk.
    pub reserve_percent: usize,
}

impl Default for OverloadConfig {
    fn default() -> Self {
        Self {
            waits_ms: WaitsConfig::default(),
            waiting: 1024,
            reserve_percent: 10,
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
            order: 200,
            account_read: 200,
            market_read: 100,
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
