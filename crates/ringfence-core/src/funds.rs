//! Funds that leave: what a withdrawal or a transfer says, and what lets one pass. No address or rule, no passage.

mod addresses;

use std::collections::HashMap;

pub use addresses::{Unlisted, WithdrawalAddress, WithdrawalAddresses};

use crate::decimal::Decimal;
use crate::refusal::{Code, Refusal};

/// Names that say where funds go.
pub const TO_MAX: usize = 3;

/// A withdrawal or transfer as its message has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FundsText<'a> {
    /// What moves.
    pub asset: Option<&'a str>,
    /// How much, as decimal text.
    pub amount: Option<&'a str>,
    /// Where to: network, address and tag of a withdrawal; the kind and places of a transfer.
    pub to: [Option<&'a str>; TO_MAX],
}

impl FundsText<'_> {
    /// Checks that the amount is one, and at most `most`, if that is given.
    ///
    /// # Errors
    ///
    /// `funds_rule_missing` where there is none, `number_inexact`, `quantity_invalid`, `funds_max`.
    pub fn within(&self, most: Option<Decimal>) -> Result<(), Refusal> {
        let text = self.amount.ok_or_else(|| missing("amount"))?;
        let amount = Decimal::parse(text);
        let amount = amount.map_err(|_| Refusal::new(Code::NumberInexact).field("amount"))?;
        if amount.is_zero() {
            return Err(Refusal::new(Code::QuantityInvalid).field("amount"));
        }
        if most.is_some_and(|most| amount > most) {
            return Err(Refusal::new(Code::FundsMax).field("amount"));
        }
        Ok(())
    }

    /// Returns a copy that outlives the message.
    pub fn kept(&self) -> Funds {
        let own = |text: Option<&str>| text.map(Into::into);
        Funds {
            asset: own(self.asset),
            amount: own(self.amount),
            to: self.to.map(own),
        }
    }
}

/// [`FundsText`] that is kept for as long as a message waits.
#[derive(Clone, Debug)]
pub struct Funds {
    asset: Option<Box<str>>,
    amount: Option<Box<str>>,
    to: [Option<Box<str>>; TO_MAX],
}

impl Funds {
    /// Returns what the message said.
    pub fn text(&self) -> FundsText<'_> {
        FundsText {
            asset: self.asset.as_deref(),
            amount: self.amount.as_deref(),
            to: self.to.each_ref().map(Option::as_deref),
        }
    }
}

/// What a withdrawal needs, whoever asks.
#[derive(Debug, Default)]
pub struct Withdrawals {
    /// Where it may go.
    pub addresses: WithdrawalAddresses,
    /// How old the account's step-up may be at most, in seconds. None: it needs none.
    pub step_up_s: Option<u64>,
}

/// What one account may transfer between the venue's own wallets. Everything is compared exactly.
#[derive(Clone, Debug)]
pub struct TransferRule {
    /// What moves.
    pub asset: Box<str>,
    /// As in [`FundsText`]. What the rule leaves out, the message must leave out.
    pub to: [Option<Box<str>>; TO_MAX],
    /// Most that one message may move.
    pub max_amount: Decimal,
}

/// Rules by account.
#[derive(Debug, Default)]
pub struct TransferRules(HashMap<Box<str>, Vec<TransferRule>>);

impl TransferRules {
    /// Makes them from accounts and a rule for each.
    pub fn new(rules: impl IntoIterator<Item = (Box<str>, TransferRule)>) -> Self {
        let mut by_account: HashMap<_, Vec<_>> = HashMap::new();
        for (account, rule) in rules {
            by_account.entry(account).or_default().push(rule);
        }
        Self(by_account)
    }

    /// Checks that `account` may transfer `funds`.
    ///
    /// # Errors
    ///
    /// `funds_rule_missing` when no rule names asset and place; then as [`FundsText::within`].
    pub fn check(&self, account: &str, funds: Option<&FundsText<'_>>) -> Result<(), Refusal> {
        let funds = funds.ok_or_else(|| missing("asset"))?;
        let asset = funds.asset.ok_or_else(|| missing("asset"))?;
        let rules = self.0.get(account).map(Vec::as_slice).unwrap_or_default();
        let fits = |rule: &&TransferRule| {
            *rule.asset == *asset && rule.to.iter().map(Option::as_deref).eq(funds.to)
        };
        let most = rules.iter().filter(fits).map(|rule| rule.max_amount).max();
        funds.within(Some(most.ok_or_else(|| missing("destination"))?))
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::new(Code::FundsRuleMissing).field(field)
}

#[cfg(test)]
mod tests;
