//! Questions of people and provers: one request as data, answered as the engine would, scope first.

use std::net::IpAddr;

use ringfence_core::decimal::Decimal;
use ringfence_core::operation::Scopes;
use ringfence_core::policy::StepUp;
use ringfence_core::principal::{Above, Kind};
use ringfence_core::proof::Proof;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::action::Action;
use crate::remedy::{OPERATORS, remedy};
use crate::request::{Funds, Order, Request, word};
use crate::set::{PolicySet, Verdict};
use crate::source::Problem;

/// One request. Numbers are decimal texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the words of the schema
pub struct Question {
    pub operation: String,
    /// `Account::alice`.
    pub principal: String,
    /// Who stands above it: `Organisation::acme`.
    #[serde(default)]
    pub above: Vec<String>,
    pub credential: String,
    pub scopes: Vec<String>,
    pub algorithm: String,
    pub address: IpAddr,
    pub time_us: u64,
    pub coverage: String,
    pub certificate: bool,
    pub transport: String,
    #[serde(default)]
    pub instrument: Option<String>,
    #[serde(default)]
    pub step_up: Option<AskedStepUp>,
    #[serde(default)]
    pub order: Option<AskedOrder>,
    #[serde(default)]
    pub funds: Option<AskedFunds>,
}

/// A fresh proof.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AskedStepUp {
    pub age: u64,
    pub strength: String,
}

/// An order. Without `notional`, it is worth price times quantity.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct AskedOrder {
    pub side: Option<String>,
    pub r#type: Option<String>,
    pub price: Option<String>,
    pub quantity: Option<String>,
    pub notional: Option<String>,
    pub amends: bool,
}

/// Funds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct AskedFunds {
    pub account: Option<String>,
    pub asset: Option<String>,
    pub amount: Option<String>,
    pub network: Option<String>,
    pub address: Option<String>,
    pub tag: Option<String>,
}

fn wrong(field: &str, what: impl std::fmt::Display) -> Problem {
    Problem::whole(field, what)
}

fn decimal(field: &str, text: &str) -> Result<Decimal, Problem> {
    Decimal::parse(text).map_err(|e| wrong(field, e))
}

fn number(field: &str, text: Option<&String>) -> Result<Option<i64>, Problem> {
    text.map(|text| {
        let number = decimal(field, text)?.ceil_4();
        number.map_err(|e| wrong(field, e))
    })
    .transpose()
}

impl AskedOrder {
    fn read(&self) -> Result<Order<'_>, Problem> {
        let notional = match (&self.notional, &self.price, &self.quantity) {
            (None, Some(price), Some(quantity)) => {
                let worth = decimal("order.price", price)?
                    .product_ceil_4(decimal("order.quantity", quantity)?)
                    .map_err(|e| wrong("order.notional", e))?;
                Some(worth)
            }
            (said, ..) => number("order.notional", said.as_ref())?,
        };
        Ok(Order {
            side: self.side.as_deref(),
            kind: self.r#type.as_deref(),
            price: number("order.price", self.price.as_ref())?,
            quantity: number("order.quantity", self.quantity.as_ref())?,
            notional,
            amends: self.amends,
        })
    }
}

/// Who acts.
const ACTING: [Kind; 3] = [Kind::Account, Kind::Operator, Kind::Service];

/// Reads `Account::alice`.
fn entity<'a>(field: &str, text: &'a str, kinds: &[Kind]) -> Result<(Kind, &'a str), Problem> {
    let (kind, name) = text.split_once("::").unwrap_or_default();
    let found = kinds.iter().copied().find(|k| word(*k) == kind);
    let wanted = || kinds.iter().map(|k| format!("{}::NAME", word(*k)));
    found.map(|kind| (kind, name)).ok_or_else(|| {
        let wanted: Vec<_> = wanted().collect();
        wrong(field, format!("write {}", wanted.join(" or ")))
    })
}

impl Question {
    fn above(&self) -> Result<Vec<Above>, Problem> {
        let read = |text: &String| {
            let (kind, name) = entity("above", text, &[Kind::Account, Kind::Organisation])?;
            Ok(Above {
                kind,
                name: name.into(),
            })
        };
        self.above.iter().map(read).collect()
    }

    fn read<'a>(&'a self, above: &'a [Above]) -> Result<Request<'a>, Problem> {
        let action = Action::parse(&self.operation);
        let action = action.ok_or_else(|| wrong("operation", "no such operation"))?;
        let (kind, principal) = entity("principal", &self.principal, &ACTING)?;
        let scopes = Scopes::parse(self.scopes.iter().map(String::as_str));
        let order = self.order.as_ref().map(AskedOrder::read).transpose()?;
        if action.carries_order() != self.instrument.is_some() {
            let what = "an operation with an order has one, no other has";
            return Err(wrong("instrument", what));
        }
        if (order.is_some() && !action.carries_order())
            || (self.funds.is_some() && !action.moves_funds())
        {
            return Err(wrong("operation", "carries no such order or funds"));
        }
        Ok(Request {
            kind,
            principal,
            above,
            action,
            instrument: self.instrument.as_deref(),
            credential: &self.credential,
            scopes: scopes.map_err(|name| wrong("scopes", format!("no scope is called {name}")))?,
            algorithm: &self.algorithm,
            address: self.address,
            now_us: self.time_us,
            coverage: &self.coverage,
            certificate: self.certificate,
            transport: &self.transport,
            step_up: self.step_up.as_ref().map(|step_up| StepUp {
                age_s: step_up.age,
                strength: &step_up.strength,
            }),
            order,
            funds: match &self.funds {
                None => None,
                Some(funds) => Some(Funds {
                    account: funds.account.as_deref(),
                    asset: funds.asset.as_deref(),
                    amount: number("funds.amount", funds.amount.as_ref())?,
                    network: funds.network.as_deref(),
                    address: funds.address.as_deref(),
                    tag: funds.tag.as_deref(),
                }),
            },
        })
    }

    /// Answers it: what decided, `scope` or `policy`, and how.
    ///
    /// # Errors
    ///
    /// The field that cannot be read.
    pub fn answer(&self, set: &PolicySet) -> Result<Value, Problem> {
        let above = self.above()?;
        let request = self.read(&above)?;
        let lacks = request
            .action
            .scope()
            .filter(|s| !request.scopes.contains(*s));
        if let Some(scope) = lacks {
            return Ok(json!({
                "permitted": false, "code": "scope_missing", "verdict": "scope_missing",
                "scope": scope.as_str(), "step_up": null, "policies": [],
            }));
        }
        let verdict = set.decide(&request);
        let permitted = matches!(*verdict, Verdict::Permitted(_));
        let lacks = match (permitted, request.kind) {
            (true, _) => None,
            (false, Kind::Operator) => remedy(set, &request, OPERATORS),
            (false, Kind::Account | Kind::Organisation | Kind::Service) => {
                remedy(set, &request, Proof::ALL.map(Proof::as_str))
            }
        };
        let code = match (permitted, &lacks) {
            (true, _) => None,
            (false, None) => Some("policy_forbids"),
            (false, Some(_)) => Some("step_up_required"),
        };
        Ok(json!({
            "permitted": permitted,
            "code": code,
            "verdict": verdict.as_str(),
            "scope": null,
            "step_up": lacks.map(|it| json!({"strengths": it.strengths, "max_age_s": it.max_age_s})),
            "policies": verdict.policies().iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        }))
    }
}
