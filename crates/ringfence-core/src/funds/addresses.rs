//! Where an account's withdrawals may go. What is new is locked for a while; what was removed is unknown at once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{FundsText, TO_MAX, missing};
use crate::decimal::Decimal;
use crate::refusal::{Code, Detail, Refusal};

/// A place that funds of one account may be withdrawn to. Everything is compared exactly.
#[derive(Clone, Debug)]
pub struct WithdrawalAddress {
    /// What may go there.
    pub asset: Box<str>,
    /// Network, address and tag. What it leaves out, the message must leave out.
    pub to: [Option<Box<str>>; TO_MAX],
    /// Most that one message may move, if that is bounded.
    pub max_amount: Option<Decimal>,
    /// From when on; microseconds since the Unix epoch.
    pub usable_us: u64,
}

/// What becomes of a withdrawal of an account that never had an address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Unlisted {
    /// It goes where it says: whoever is behind the gateway keeps addresses of its own.
    Pass,
    /// It stays.
    #[default]
    Refuse,
}

/// The addresses of all accounts.
#[derive(Debug, Default)]
pub struct WithdrawalAddresses {
    /// An account that ever had one stays here, with none.
    by_account: RwLock<HashMap<Box<str>, Arc<[WithdrawalAddress]>>>,
    unlisted: Unlisted,
}

impl WithdrawalAddresses {
    /// Makes an empty table.
    pub fn new(unlisted: Unlisted) -> Self {
        Self {
            by_account: RwLock::default(),
            unlisted,
        }
    }

    /// Puts addresses in the place of all that these accounts had: for every check that begins after it returns.
    pub fn put(&self, lists: impl IntoIterator<Item = (Box<str>, Vec<WithdrawalAddress>)>) {
        let mut all = self
            .by_account
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for (account, list) in lists {
            all.insert(account, list.into());
        }
    }

    /// Checks that `account` may withdraw `funds` to where they say, at `now_us` (microseconds since the Unix epoch).
    ///
    /// # Errors
    ///
    /// `funds_rule_missing` when the account has no such address, `address_locked` when it is too new; then as
    /// [`FundsText::within`].
    pub fn check(
        &self,
        account: &str,
        funds: Option<&FundsText<'_>>,
        now_us: u64,
    ) -> Result<(), Refusal> {
        let all = self
            .by_account
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(list) = all.get(account).map(Arc::clone) else {
            return match self.unlisted {
                Unlisted::Pass => Ok(()),
                Unlisted::Refuse => Err(missing("destination")),
            };
        };
        drop(all);
        let funds = funds.ok_or_else(|| missing("asset"))?;
        let asset = funds.asset.ok_or_else(|| missing("asset"))?;
        let fits = |one: &&WithdrawalAddress| {
            *one.asset == *asset && one.to.iter().map(Option::as_deref).eq(funds.to)
        };
        let known = list.iter().filter(fits).min_by_key(|one| one.usable_us);
        let known = known.ok_or_else(|| missing("destination"))?;
        if now_us < known.usable_us {
            let wait_ms = (known.usable_us - now_us).div_ceil(1000);
            let locked = Refusal::new(Code::AddressLocked).retry_after(wait_ms);
            return Err(locked.with(Detail::From(known.usable_us)));
        }
        funds.within(known.max_amount)
    }
}

#[cfg(test)]
mod tests;
