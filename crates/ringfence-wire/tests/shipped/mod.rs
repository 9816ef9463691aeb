//! The shipped dialects, and what decides on a message by one of them: the product's own reading and its own core.

#![allow(clippy::unwrap_used, clippy::panic)]
// Each test uses a part.
#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::Path;

use ringfence_core::address::Cidr;
use ringfence_core::ban::Bans;
use ringfence_core::budget::{BudgetTable, Cost};
use ringfence_core::credential::{CredentialTable, NewCredential, State};
use ringfence_core::edge::EdgeBudget;
use ringfence_core::funds::Withdrawals;
use ringfence_core::guard::Guard;
use ringfence_core::mode::{Control, Mode, Modes};
use ringfence_core::operation::{Operation, Scope, Scopes};
use ringfence_core::pipeline::{Core, Message};
use ringfence_core::placed::PlacedOrders;
use ringfence_core::refusal::Code;
use ringfence_core::replay::ReplayRoom;
use ringfence_core::session::Demands;
use ringfence_core::sign::VerifyingKey;
use ringfence_wire::http::captured;
use ringfence_wire::{BodyKind, Dialect, Head, Outgoing, Scratch};

pub(crate) mod attempt;
pub(crate) mod channel;
pub(crate) mod keys;
pub(crate) mod suite;

/// Where the dialects are, from this crate and from the fuzz targets'.
const FOLDERS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/ringfence/dialects"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../src/ringfence/dialects"),
];
pub(crate) const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Dialects that these messages cannot be made for, and why; tests of their own hold them to the same.
const APART: [(&str, &str); 2] = [
    (
        "hyperliquid",
        "a wallet signs actions, no message without one: tests/conformance/test_hyperliquid.py",
    ),
    (
        "ringfence-admin",
        "nobody signs in a scheme of its own: tests/integration/test_way.py",
    ),
];

/// Returns every shipped dialect under its name, less those apart.
pub(crate) fn dialects() -> BTreeMap<String, Dialect> {
    let folder = FOLDERS
        .iter()
        .find_map(|folder| Path::new(folder).read_dir().ok());
    let files = folder.unwrap().map(|file| file.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let mut found: BTreeMap<_, _> = yaml
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let written: serde_json::Value = serde_norway::from_str(&text).unwrap();
            let dialect = Dialect::from_json(&written).unwrap();
            (dialect.name().to_owned(), dialect)
        })
        .collect();
    for (name, why) in APART {
        assert!(found.remove(name).is_some(), "{name} is not shipped: {why}");
    }
    assert!(
        found.len() >= 14,
        "dialects are missing: {:?}",
        found.keys()
    );
    found
}

/// A request as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What a permitted message does: it is the same for two messages that differ only in how they are written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Meaning {
    pub(crate) operation: Operation,
    pub(crate) outgoing: Outgoing,
    pub(crate) order: String,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Decides on it as the gateway does, at `now_us`; at its own time without one.
    pub(crate) fn decide(
        &self,
        dialect: &Dialect,
        core: &Core,
        now_us: Option<u64>,
    ) -> Result<Meaning, Code> {
        let route = dialect
            .route(&self.method, &self.path)
            .ok_or(Code::RouteUnknown)?;
        let headers = captured(&self.headers).map_err(|refusal| refusal.code)?;
        let head = Head {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            content_type: self.header("content-type"),
            key: dialect.key_header().and_then(|name| self.header(name)),
            headers: Some(&headers),
            secure: true,
            session: false,
        };
        let mut scratch = Scratch::default();
        let read = dialect.read(route, &head, self.body.as_bytes(), &mut scratch);
        let reading = read.map_err(|refusal| refusal.code)?;
        let now_us = now_us
            .or(reading.claim.map(|claim| claim.stamp.time_us))
            .unwrap_or_default();
        let message = Message {
            peer: PEER,
            operation: route.operation,
            signed: route.signed,
            claim: reading.claim,
            named: None,
            session: None,
            certificate: None,
            transport: "http/1.1",
            orders: reading.orders.as_slice(),
            about: reading.about.as_slice(),
            funds: reading.funds,
            cost: reading.cost,
        };
        let edge = core.admit(PEER, now_us).unwrap();
        let decision = core.decide(&message, edge, &reading.window, now_us);
        let _permit = decision.outcome.map_err(|refusal| refusal.code)?;
        Ok(Meaning {
            operation: route.operation,
            outgoing: dialect.forward(route, &head, self.body.as_bytes()),
            order: format!("{:?}", reading.orders),
        })
    }

    /// Returns whose the signature says it is and what was signed, if it is by `key`, whatever the route.
    pub(crate) fn verified(
        &self,
        dialect: &Dialect,
        key: &VerifyingKey,
    ) -> Option<(String, Vec<u8>)> {
        let headers = captured(&self.headers).ok()?;
        let head = Head {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            content_type: None,
            key: None,
            headers: Some(&headers),
            secure: true,
            session: false,
        };
        let kind = match self.body.as_bytes() {
            [b'{' | b'[', ..] => BodyKind::Json,
            _ => BodyKind::Form,
        };
        let mut scratch = Scratch::default();
        let claim = dialect
            .read_claim(&head, &self.body, kind, &mut scratch)
            .ok()?;
        key.verify(&claim).ok()?;
        Some((claim.key_id.to_owned(), claim.payload.to_vec()))
    }
}

/// Decides on a WebSocket message that begins a session; returns what its signature covers.
pub(crate) fn decide_frame(dialect: &Dialect, core: &Core, text: &str) -> Result<Vec<u8>, Code> {
    let mut scratch = Scratch::default();
    let read = dialect.read_frame(text, &mut scratch);
    let (_, claim) = read
        .map_err(|refusal| refusal.code)?
        .ok_or(Code::RouteUnknown)?;
    let now_us = claim.stamp.time_us;
    let message = Message {
        peer: PEER,
        operation: Operation::SessionLogon,
        signed: true,
        claim: Some(claim),
        named: None,
        session: None,
        certificate: None,
        transport: "http/1.1",
        orders: &[],
        about: &[],
        funds: None,
        cost: Cost::default(),
    };
    let edge = core.admit(PEER, now_us).unwrap();
    let decision = core.decide(&message, edge, &dialect.window(), now_us);
    let _permit = decision.outcome.map_err(|refusal| refusal.code)?;
    Ok(claim.payload.to_vec())
}

/// Returns a core with no bounds on orders or rates, in which `key_id` may do anything with `key`.
pub(crate) fn core(key_id: &str, key: VerifyingKey, freshness: Mode) -> Core {
    let core = Core {
        credentials: CredentialTable::new(),
        edge: EdgeBudget::new(1 << 40, 1000, 1024),
        bans: Bans::default(),
        budget: BudgetTable::new(Vec::new(), 1024).unwrap(),
        guard: Guard::new(HashMap::new()),
        room: ReplayRoom::new(1 << 20, 1 << 20),
        shares: None,
        placed: PlacedOrders::default(),
        modes: Modes::default()
            .with(Control::Freshness, freshness)
            .with(Control::Guard, Mode::Off),
        egress: None,
        policy: None,
        withdrawals: Withdrawals::default(),
    };
    let credential = NewCredential {
        key_id: key_id.into(),
        account: "alice".into(),
        key,
        scopes: Scopes::parse(Scope::ALL.map(Scope::as_str)).unwrap(),
        allow: [Cidr::parse("127.0.0.0/8").unwrap()].into(),
        demands: Demands::default(),
        expires_us: None,
        state: State::Active,
        held: None,
        standing: None,
        shard: None,
    };
    core.credentials.put(credential).unwrap();
    core
}
