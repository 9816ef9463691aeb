//! The funds that a message moves.

use ringfence_core::funds::{FundsText, TO_MAX};
use ringfence_core::operation::Operation;

use super::compile::wrong;
use super::definition::{TransferFields, WithdrawFields};
use super::name::Name;
use super::scratch::Pairs;
use super::{Dialect, DialectError, Route};

/// Where the fields of a withdrawal or transfer stand.
#[derive(Debug)]
pub(super) struct FundsNames {
    asset: Name,
    amount: Name,
    to: [Option<Name>; TO_MAX],
}

impl FundsNames {
    pub(super) fn of_withdrawal(written: &WithdrawFields) -> Self {
        let tag = written.tag.as_deref().map(Name::from);
        Self {
            asset: Name::from(&*written.asset),
            amount: Name::from(&*written.amount),
            to: [
                Some(Name::from(&*written.network)),
                Some(Name::from(&*written.address)),
                tag,
            ],
        }
    }

    pub(super) fn of_transfer(written: &TransferFields) -> Result<Self, DialectError> {
        let names = &written.direction;
        if names.is_empty() || names.len() > TO_MAX {
            let what = format!("it has one to {TO_MAX} names");
            return Err(wrong("transfer_fields.direction", what));
        }
        let name = |index: usize| names.get(index).map(|name| Name::from(&**name));
        Ok(Self {
            asset: Name::from(&*written.asset),
            amount: Name::from(&*written.amount),
            to: [name(0), name(1), name(2)],
        })
    }

    fn read<'a>(&self, pairs: &'a Pairs) -> FundsText<'a> {
        let read = |name: &Option<Name>| pairs.get(name.as_ref()?);
        FundsText {
            asset: pairs.get(&self.asset),
            amount: pairs.get(&self.amount),
            to: self.to.each_ref().map(read),
        }
    }
}

impl Dialect {
    /// Returns the funds that the message moves; none where the dialect does not say where they stand.
    pub(super) fn funds<'a>(&self, route: &Route, pairs: &'a Pairs) -> Option<FundsText<'a>> {
        let names = if route.operation == Operation::WithdrawCreate {
            self.withdraw_names.as_ref()
        } else {
            let moves = route.operation.moves_funds();
            self.transfer_names.as_ref().filter(|_| moves)
        };
        names.map(|names| names.read(pairs))
    }
}
