//! The policy set in force, as the core asks it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ringfence_core::decimal::Decimal;
use ringfence_core::guard::OrderText;
use ringfence_core::policy::{Asked, Policy, Serial};
use ringfence_core::proof::Proof;
use ringfence_core::refusal::{Code, Detail, Refusal, StepUpDetail};
use ringfence_core::session::Coverage;

use crate::action::Action;
use crate::remedy::remedy;
use crate::request::{Funds, Order, Request};
use crate::set::{PolicySet, Verdict};

/// The set in force, and which of those that were it is.
#[derive(Debug)]
struct Numbered {
    serial: u64,
    set: Arc<PolicySet>,
}

/// Policies in force. A message takes the set once, so that it is never judged by parts of two.
#[derive(Debug)]
pub struct Live(ArcSwap<Numbered>);

impl Live {
    /// Puts the first set in force.
    pub fn new(set: Arc<PolicySet>) -> Self {
        Self(ArcSwap::from_pointee(Numbered { serial: 0, set }))
    }

    /// Puts another set in force, for every message that is not judged yet. What was kept goes with the set before.
    pub fn put(&self, set: Arc<PolicySet>) {
        self.0.rcu(|last| Numbered {
            serial: last.serial + 1,
            set: Arc::clone(&set),
        });
    }

    /// Returns the set in force.
    pub fn set(&self) -> Arc<PolicySet> {
        Arc::clone(&self.0.load().set)
    }
}

impl Policy for Live {
    fn check(&self, asked: &Asked<'_>) -> Result<Serial, Refusal> {
        let now = self.0.load();
        match asked.orders {
            [] => judge(&now.set, &request(asked, None)?)?,
            orders => orders
                .iter()
                .try_for_each(|order| judge(&now.set, &request(asked, Some(order))?))?,
        }
        Ok(Serial(now.serial))
    }

    fn serial(&self) -> Serial {
        Serial(self.0.load().serial)
    }
}

fn judge(set: &PolicySet, request: &Request<'_>) -> Result<(), Refusal> {
    let said = match &*set.decide(request) {
        Verdict::Permitted(_) => return Ok(()),
        Verdict::Unpermitted => "no policy permits it".to_owned(),
        Verdict::Forbidden(ids) => format!("forbidden by {}", named(ids)),
        Verdict::Failed(ids) => format!("failed: {}", named(ids)),
    };
    Err(match remedy(set, request, Proof::ALL.map(Proof::as_str)) {
        None => Refusal::new(Code::PolicyForbids).with(Detail::Policies(said.into())),
        Some(remedy) => Refusal::new(Code::StepUpRequired).with(Detail::StepUp(StepUpDetail {
            strengths: remedy.strengths.join(" ").into(),
            max_age_s: remedy.max_age_s,
            policies: said.into(),
        })),
    })
}

/// Policies that are named in an entry; of more, only how many there are.
const NAMED: usize = 8;

fn named(ids: &[Arc<str>]) -> String {
    let mut text = ids[..ids.len().min(NAMED)].join(", ");
    if ids.len() > NAMED {
        text.push_str(&format!(" and {} more", ids.len() - NAMED));
    }
    text
}

/// Reads what the core asks. A number that is none, or too large for Cedar, is not judged: it is refused.
fn request<'a>(
    asked: &Asked<'a>,
    order: Option<&'a OrderText<'a>>,
) -> Result<Request<'a>, Refusal> {
    let action = Action::from(asked.operation);
    let order = order.filter(|_| action.carries_order());
    let funds = asked.funds.filter(|_| action.moves_funds());
    Ok(Request {
        kind: asked.standing.kind,
        principal: asked.account,
        above: &asked.standing.above,
        action,
        instrument: order.map(|order| order.symbol),
        credential: asked.key_id,
        scopes: asked.scopes,
        algorithm: asked.algorithm,
        address: asked.peer,
        now_us: asked.now_us,
        coverage: match asked.coverage {
            Coverage::Name => "name",
            Coverage::Stream => "stream",
            Coverage::Venue => "venue",
            Coverage::Whole => "native",
        },
        certificate: asked.certificate,
        transport: asked.transport,
        step_up: asked.step_up,
        order: match order {
            None => None,
            Some(order) => Some(Order {
                side: some(order.side),
                kind: some(order.kind),
                price: number(order.price, "price")?,
                quantity: number(order.quantity, "quantity")?,
                notional: match asked.guard.worth(order) {
                    Ok(worth) => worth,
                    Err(_) => return Err(unfit("notional")),
                },
                amends: order.amends,
            }),
        },
        funds: match funds {
            None => None,
            Some(funds) => {
                let [network, address, tag] = funds.to;
                Some(Funds {
                    account: Some(asked.account),
                    asset: funds.asset,
                    amount: number(funds.amount, "amount")?,
                    network,
                    address,
                    tag,
                })
            }
        },
    })
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn number(text: Option<&str>, field: &str) -> Result<Option<i64>, Refusal> {
    text.map(|text| {
        let number = Decimal::parse(text).map_err(|_| unfit(field))?;
        number.ceil_4().map_err(|_| unfit(field))
    })
    .transpose()
}

fn unfit(field: &str) -> Refusal {
    let what = format!("{field} is no number that policies can judge");
    Refusal::new(Code::PolicyForbids).with(Detail::Policies(what.into()))
}
