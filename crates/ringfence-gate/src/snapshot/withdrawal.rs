//! Withdrawals as Python hands them over: what each needs, and the addresses of accounts.

use std::collections::HashMap;

use ringfence_core::decimal::Decimal;
use ringfence_core::funds::{Unlisted, WithdrawalAddress, WithdrawalAddresses, Withdrawals};
use serde::Deserialize;

use crate::error::GateError;

/// What a withdrawal needs.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the fields are those of the configuration file, documented there
pub struct WithdrawalsConfig {
    pub addresses: AddressesName,
    /// How old the account's step-up may be; none: it needs none.
    pub step_up_s: Option<u64>,
}

/// Whether an account needs addresses before it may withdraw.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum AddressesName {
    Open,
    #[default]
    Required,
}

impl WithdrawalsConfig {
    pub(crate) fn compile(self) -> Withdrawals {
        let unlisted = match self.addresses {
            AddressesName::Open => Unlisted::Pass,
            AddressesName::Required => Unlisted::Refuse,
        };
        Withdrawals {
            addresses: WithdrawalAddresses::new(unlisted),
            step_up_s: self.step_up_s,
        }
    }
}

/// All addresses of some accounts. An account with an empty list had some once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct AddressBook(HashMap<String, Vec<AddressRecord>>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressRecord {
    asset: String,
    network: Option<String>,
    address: String,
    tag: Option<String>,
    max_amount: Option<String>,
    /// Microseconds since the Unix epoch.
    usable_us: u64,
}

impl AddressBook {
    /// Parses a JSON object of accounts and their addresses.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`].
    pub fn parse(json: &[u8]) -> Result<Self, GateError> {
        serde_json::from_slice(json).map_err(|e| GateError::config("addresses", e))
    }

    /// Puts them in force: those of the accounts named, in the place of all that these had.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] naming the account; then nothing has changed.
    pub(crate) fn put(self, all: &WithdrawalAddresses) -> Result<(), GateError> {
        let lists = self.0.into_iter().map(|(account, records)| {
            let compiled = records.into_iter().map(|record| record.compile(&account));
            Ok((account.as_str().into(), compiled.collect::<Result<_, _>>()?))
        });
        all.put(lists.collect::<Result<Vec<_>, GateError>>()?);
        Ok(())
    }
}

impl AddressRecord {
    fn compile(self, account: &str) -> Result<WithdrawalAddress, GateError> {
        let most = self.max_amount.as_deref().map(Decimal::parse).transpose();
        Ok(WithdrawalAddress {
            asset: self.asset.into(),
            to: [
                self.network.map(Into::into),
                Some(self.address.into()),
                self.tag.map(Into::into),
            ],
            max_amount: most.map_err(|e| GateError::config(format!("addresses.{account}"), e))?,
            usable_us: self.usable_us,
        })
    }
}
