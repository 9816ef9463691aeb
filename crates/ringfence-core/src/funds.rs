//! Funds that leave: what a withdrawal or a transfer says, and the rules that let one pass. No rule, no passage.

use std::collections::HashMap;

use crate::decimal::Decimal;
use crate::operation::Operation;
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

/// What one account may move, and where to. Everything is compared exactly.
#[derive(Clone, Debug)]
pub struct FundsRule {
    /// Withdrawal or transfer.
    pub operation: Operation,
    /// What moves.
    pub asset: Box<str>,
    /// As in [`FundsText`]. What the rule leaves out, the message must leave out.
    pub to: [Option<Box<str>>; TO_MAX],
    /// Most that one message may move.
    pub max_amount: Decimal,
}

/// Rules by account.
#[derive(Debug, Default)]
pub struct FundsRules(HashMap<Box<str>, Vec<FundsRule>>);

impl FundsRules {
    /// Makes them from accounts and a rule for each.
    pub fn new(rules: impl IntoIterator<Item = (Box<str>, FundsRule)>) -> Self {
        let mut by_account: HashMap<_, Vec<_>> = HashMap::new();
        for (account, rule) in rules {
            by_account.entry(account).or_default().push(rule);
        }
        Self(by_account)
    }

    /// Checks that `account` may move `funds`.
    ///
    /// # Errors
    ///
    /// `funds_rule_missing` when no rule names asset and place, `number_inexact`, `quantity_invalid`, `funds_max`.
    pub fn check(
        &self,
        account: &str,
        operation: Operation,
        funds: Option<&FundsText<'_>>,
    ) -> Result<(), Refusal> {
        let missing = |field: &str| Refusal::new(Code::FundsRuleMissing).field(field);
        let funds = funds.ok_or_else(|| missing("asset"))?;
        let asset = funds.asset.ok_or_else(|| missing("asset"))?;
        let text = funds.amount.ok_or_else(|| missing("amount"))?;
        let rules = self.0.get(account).map(Vec::as_slice).unwrap_or_default();
        let fits = |rule: &&FundsRule| {
            let to = rule.to.iter().map(Option::as_deref);
            rule.operation == operation && *rule.asset == *asset && to.eq(funds.to)
        };
        let most = rules.iter().filter(fits).map(|rule| rule.max_amount).max();
        let most = most.ok_or_else(|| missing("destination"))?;
        let amount = Decimal::parse(text);
        let amount = amount.map_err(|_| Refusal::new(Code::NumberInexact).field("amount"))?;
        if amount.is_zero() {
            return Err(Refusal::new(Code::QuantityInvalid).field("amount"));
        }
        if amount > most {
            return Err(Refusal::new(Code::FundsMax).field("amount"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
