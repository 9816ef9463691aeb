//! A message gets a permit exactly when every control that is enforced lets it pass, and what one
//! control refuses reaches none of those behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::hmac;

use super::{Core, Decision, Message, Trace};
use crate::address::Cidr;
use crate::ban::Bans;
use crate::budget::{BudgetTable, Cost, Counts, Limit, Subject};
use crate::credential::tests::credential;
use crate::credential::{CredentialTable, NewCredential, State};
use crate::decimal::Decimal;
use crate::edge::EdgeBudget;
use crate::freshness::Window;
use crate::funds::{FundsText, Withdrawals};
use crate::guard::{Guard, Instrument, OrderKind, OrderText};
use crate::mode::{Control, Mode, Modes};
use crate::operation::Operation;
use crate::placed::{OrderIds, PlacedOrders};
use crate::refusal::{Code, Refusal};
use crate::replay::ReplayRoom;
use crate::session::{Coverage, Session, Thumbprint};
use crate::shard::Shards;
use crate::sign::{Algorithm, Claim, Encoding, HmacForm, SignatureEncodings, Stamp, VerifyingKey};

mod amendment;
mod modes;
mod named;
mod order;
mod orders;
mod policy;
mod session;
mod shared;
mod stale;
mod transfer;
mod withdrawal;

const LIMIT: OrderKind = OrderKind::LIMIT;
const NOW_US: u64 = 1_700_000_000_000_000;
const HOME: [u8; 4] = [192, 0, 2, 1];
const WINDOW: Window = Window {
    default_us: 5_000_000,
    max_us: 60_000_000,
    ahead_us: 1_000_000,
};
const GOOD_ORDER: OrderText<'static> = OrderText {
    symbol: "BTCUSDT",
    side: "BUY",
    kind: "LIMIT",
    terms: Some(LIMIT),
    price: Some("30000.00"),
    stop_price: None,
    trail: None,
    quantity: Some("0.01"),
    iceberg_quantity: None,
    quote_quantity: None,
    whole_position: false,
    reduce_only: false,
    client_order_id: None,
    venue_order_id: None,
    amends: false,
};

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn limit(subject: Subject, counts: Counts, quota: u64) -> Limit {
    Limit::fixed(subject.as_str(), subject, counts, quota, 60_000)
}

/// Everything enforced; credentials k1 and k2 of alice; ten orders a minute.
fn core() -> Core {
    let instrument = Instrument {
        tick: decimal("0.01"),
        lot: decimal("0.0001"),
        min_quantity: decimal("0.0001"),
        max_quantity: decimal("10"),
        min_notional: None,
        max_notional: decimal("50000"),
        price_min: decimal("1"),
        price_max: decimal("100000"),
        whole_position: false,
    };
    let limits = vec![
        limit(Subject::Credential, Counts::Orders, 10),
        limit(Subject::Address, Counts::Weight, 1000),
    ];
    let credentials = CredentialTable::new();
    for key_id in ["k1", "k2"] {
        credentials.put(credential(key_id, "alice")).unwrap();
    }
    Core {
        credentials,
        edge: EdgeBudget::new(100, 1000, 100),
        bans: Bans::default(),
        budget: BudgetTable::new(limits, 1000).unwrap(),
        guard: Guard::new(HashMap::from([("BTCUSDT".into(), instrument)])),
        room: ReplayRoom::new(100, 1000),
        shares: None,
        placed: PlacedOrders::default(),
        modes: Modes::default(),
        egress: None,
        policy: None,
        withdrawals: Withdrawals::default(),
    }
}

fn observing(control: Control, mode: Mode) -> Core {
    Core {
        modes: Modes::default().with(control, mode),
        ..core()
    }
}

/// A message before it is signed and sent.
#[derive(Clone, Copy)]
struct Draft<'a> {
    peer: [u8; 4],
    operation: Operation,
    signed: bool,
    key_id: &'a str,
    secret: &'a [u8],
    payload: &'a str,
    stamp: Stamp,
    coverage: Coverage,
    certificate: Option<Thumbprint>,
    order: Option<OrderText<'a>>,
    /// The orders of a batch; in their place, if there are any.
    batch: &'a [OrderText<'a>],
    /// What it calls the orders that are there already.
    about: &'a [OrderIds<'a>],
    funds: Option<FundsText<'a>>,
    cost: Cost,
}

/// An order by k1, new at every payload.
fn order(payload: &str) -> Draft<'_> {
    Draft {
        peer: HOME,
        operation: Operation::OrderPlace,
        signed: true,
        key_id: "k1",
        secret: b"k1k1k1k1k1k1k1k1k1k1k1k1k1k1k1k1",
        payload,
        stamp: Stamp {
            time_us: NOW_US,
            window_us: WINDOW.default_us,
        },
        coverage: Coverage::Venue,
        certificate: None,
        order: Some(GOOD_ORDER),
        batch: &[],
        about: &[],
        funds: None,
        cost: Cost {
            weight: 1,
            orders: 1,
            items: 1,
        },
    }
}

/// A read by k1, whatever it looks at.
fn read(payload: &str) -> Draft<'_> {
    Draft {
        operation: Operation::OrderQuery,
        order: None,
        cost: Cost {
            weight: 1,
            orders: 0,
            items: 1,
        },
        ..order(payload)
    }
}

impl Draft<'_> {
    fn send(&self, core: &Core, now_us: u64) -> Decision {
        self.send_in(None, core, now_us)
    }

    /// Sends the message, signed, on a connection that may have a session.
    fn send_in(&self, session: Option<&Session>, core: &Core, now_us: u64) -> Decision {
        self.send_and(session, core, now_us, |_, decision| decision)
    }

    /// Sends it, and has something done with what was decided.
    fn send_and(
        &self,
        session: Option<&Session>,
        core: &Core,
        now_us: u64,
        then: impl FnOnce(&Message<'_>, Decision) -> Decision,
    ) -> Decision {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.secret);
        let tag = hmac::sign(&secret, self.payload.as_bytes());
        let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let claim = Claim {
            key_id: self.key_id,
            payload: self.payload.as_bytes(),
            signature: hex.as_bytes(),
            otherwise: None,
            hmac: HmacForm::default(),
            encodings: SignatureEncodings {
                ecdsa: None,
                ed25519: Some(Encoding::Base64),
                hmac: Some(Encoding::Hex),
                rsa: Some(Encoding::Base64),
            },
            coverage: self.coverage,
            recovered: None,
            stamp: self.stamp,
        };
        let message = Message {
            peer: IpAddr::from(self.peer),
            operation: self.operation,
            signed: self.signed,
            claim: Some(claim),
            named: None,
            session,
            certificate: self.certificate,
            transport: "http/1.1",
            orders: match self.batch {
                [] => self.order.as_slice(),
                batch => batch,
            },
            about: self.about,
            funds: self.funds,
            cost: self.cost,
        };
        let pass = core.admit(message.peer, now_us).unwrap();
        let decision = core.decide(&message, pass, &WINDOW, now_us);
        then(&message, decision)
    }

    /// Sends the message now, and returns why it did not pass.
    fn refusal(&self, core: &Core) -> Option<Refusal> {
        self.send(core, NOW_US).outcome.err()
    }

    fn code(&self, core: &Core) -> Option<Code> {
        self.refusal(core).map(|refusal| refusal.code)
    }
}

fn used(decision: &Decision, limit: u16) -> u64 {
    let usages = decision.usages.as_slice();
    usages.iter().find(|u| u.limit == limit).unwrap().used
}

#[test]
fn a_good_order_passes_every_control() {
    let core = core();
    let decision = order("a").send(&core, NOW_US);
    assert_eq!(decision.trace, [Trace::Passed; 8]);
    let permit = decision.outcome.unwrap();
    assert_eq!(permit.credential().unwrap().key_id(), "k1");
    assert_eq!(decision.credential.unwrap().account(), "alice");
    assert!(permit.revalidate(NOW_US).is_ok());
}

#[test]
fn a_signature_that_placed_an_order_is_spent_on_every_route() {
    let core = core();
    assert_eq!(order("a").code(&core), None);
    for operation in Operation::ALL {
        let again = Draft {
            operation,
            ..order("a")
        };
        assert_eq!(again.code(&core), Some(Code::ReplaySeen), "{operation:?}");
    }
}

#[test]
fn a_captured_read_never_becomes_a_change() {
    let core = core();
    assert_eq!(read("symbol=BTCUSDT").code(&core), None);
    let changes = Operation::ALL.into_iter().filter(|o| o.changes_state());
    for operation in changes {
        let turned = Draft {
            operation,
            order: Some(GOOD_ORDER),
            ..read("symbol=BTCUSDT")
        };
        assert_eq!(turned.code(&core), Some(Code::ReplaySeen), "{operation:?}");
    }
    assert_eq!(read("symbol=BTCUSDT").code(&core), None);
}

#[test]
fn one_of_many_threads_gets_the_permit_for_one_signature() {
    let core = core();
    for payload in ["a", "b", "c", "d"] {
        let permits = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let permitted = order(payload).send(&core, NOW_US).outcome.is_ok();
                    permits.fetch_add(usize::from(permitted), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(permits.into_inner(), 1);
    }
}

#[test]
fn a_forged_message_uses_up_nothing_of_its_victim() {
    let core = core();
    for n in 0..20 {
        let payload = format!("n={n}");
        let forged = Draft {
            secret: b"somebody else's secret",
            ..order(&payload)
        };
        let decision = forged.send(&core, NOW_US);
        assert_eq!(decision.outcome.unwrap_err().code, Code::SignatureInvalid);
        assert!(decision.credential.is_none());
        let claimed = decision.claimed.expect("who it claims to be of");
        assert_eq!(claimed.key_id(), forged.key_id);
        assert!(decision.credential.is_none());
    }
    assert_eq!(core.room.taken(), 0);
    let decision = order("n=0").send(&core, NOW_US);
    assert!(decision.outcome.is_ok());
    assert_eq!((used(&decision, 0), used(&decision, 1)), (1, 1));
}

#[test]
fn what_the_guard_refuses_has_cost_budget_and_signature() {
    let core = core();
    let fat = Draft {
        order: Some(OrderText {
            quantity: Some("9.9999"),
            ..GOOD_ORDER
        }),
        ..order("a")
    };
    assert_eq!(fat.code(&core), Some(Code::NotionalMax));
    assert_eq!(order("a").code(&core), Some(Code::ReplaySeen));
    assert_eq!(used(&order("b").send(&core, NOW_US), 0), 2);
}

#[test]
fn what_authority_refuses_has_cost_the_signature_but_no_budget() {
    let core = core();
    let elsewhere = Draft {
        peer: [203, 0, 113, 1],
        ..order("a")
    };
    assert_eq!(elsewhere.code(&core), Some(Code::AddressNotAllowed));
    assert_eq!(order("a").code(&core), Some(Code::ReplaySeen));
    assert_eq!(used(&order("b").send(&core, NOW_US), 0), 1);
}

#[test]
fn a_route_that_asks_for_no_signature_is_anonymous_and_charged_to_the_address() {
    let core = core();
    let open = Draft {
        signed: false,
        operation: Operation::MarketRead,
        ..read("a")
    };
    let decision = open.send(&core, NOW_US);
    assert!(decision.credential.is_none());
    assert_eq!(decision.usages.as_slice().len(), 1);
    assert_eq!(used(&decision, 1), 1);
    let permit = decision.outcome.unwrap();
    assert!(permit.credential().is_none());
    assert!(permit.revalidate(NOW_US).is_ok());
    assert_eq!(core.room.taken(), 0);
}

#[test]
fn an_order_by_a_route_that_asks_for_no_signature_is_refused() {
    let open = Draft {
        signed: false,
        ..order("a")
    };
    assert_eq!(open.code(&core()), Some(Code::CredentialMissing));
}

#[test]
fn a_permit_obeys_what_returned_while_the_ledger_was_waited_for() {
    type Change = fn(&mut NewCredential);
    let changes: [(Change, Option<Code>); 6] = [
        (|_| {}, None),
        (
            |new| new.state = State::Suspended,
            Some(Code::CredentialSuspended),
        ),
        (
            |new| new.state = State::Deactivated,
            Some(Code::CredentialRevoked),
        ),
        (
            |new| new.expires_us = Some(NOW_US),
            Some(Code::CredentialExpired),
        ),
        (
            |new| new.allow = [Cidr::parse("198.51.100.0/24").unwrap()].into(),
            Some(Code::AddressNotAllowed),
        ),
        (
            |new| new.key = VerifyingKey::from_parts(Algorithm::HmacSha256, &[9; 32]).unwrap(),
            Some(Code::CredentialRevoked),
        ),
    ];
    for (change, expected) in changes {
        let core = core();
        let permit = order("a").send(&core, NOW_US).outcome.unwrap();
        let mut new = credential("k1", "alice");
        change(&mut new);
        core.credentials.put(new).unwrap();
        assert_eq!(permit.revalidate(NOW_US).err().map(|r| r.code), expected);
    }
    let core = core();
    let permit = order("a").send(&core, NOW_US).outcome.unwrap();
    core.credentials
        .set_state("k1", State::Deactivated)
        .unwrap();
    assert_eq!(
        permit.revalidate(NOW_US).unwrap_err().code,
        Code::CredentialRevoked
    );
}

#[test]
fn claims_of_idle_credentials_make_room_once_they_have_passed() {
    let core = Core {
        room: ReplayRoom::new(4, 4),
        ..core()
    };
    for payload in ["a", "b", "c", "d"] {
        assert_eq!(read(payload).code(&core), None);
    }
    let by_k2 = |time_us| Draft {
        key_id: "k2",
        secret: b"k2k2k2k2k2k2k2k2k2k2k2k2k2k2k2k2",
        stamp: Stamp {
            time_us,
            window_us: WINDOW.default_us,
        },
        ..read("e")
    };
    assert_eq!(by_k2(NOW_US).code(&core), Some(Code::ReplayFull));
    let later_us = NOW_US + WINDOW.default_us + 1;
    assert!(by_k2(later_us).send(&core, later_us).outcome.is_ok());
    assert_eq!(core.room.taken(), 1);
}

#[test]
fn what_a_shard_sends_waits_in_a_lane_of_its_own() {
    let core = Core {
        credentials: CredentialTable::in_shards(Shards::new(3)),
        ..core()
    };
    core.credentials.put(credential("k1", "alice")).unwrap();
    let lane = |payload| {
        let permit = order(payload).send(&core, NOW_US).outcome.unwrap();
        permit.place().lane
    };
    assert_eq!(lane("a"), 0);
    let lanes = [0, 2].map(|number| {
        let shard = core.credentials.shards().shard(number);
        core.credentials.place(["alice"], shard);
        lane(["b", "c"][usize::from(number > 0)])
    });
    assert_eq!(lanes, [1, 3]);
}
