//! What all engine threads share.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aws_lc_rs::rand;
use bytes::BytesMut;
use http::{HeaderName, HeaderValue};
use ringfence_core::ban::Bans;
use ringfence_core::budget::{BudgetTable, Limit};
use ringfence_core::credential::CredentialTable;
use ringfence_core::decimal::Decimal;
use ringfence_core::edge::EdgeBudget;
use ringfence_core::egress::Egress;
use ringfence_core::guard::{Guard, Instrument};
use ringfence_core::mode::{Control, Mode, Modes};
use ringfence_core::pipeline::Core;
use ringfence_core::placed::PlacedOrders;
use ringfence_core::replay::ReplayRoom;
use ringfence_ledger::{Ledger, Value};
use ringfence_policy::live::Live;
use ringfence_policy::set::PolicySet;
use ringfence_wire::Dialect;
use ringfence_wire::issuer::Issuers;
use tokio::sync::watch;

use crate::admin::Admin;
use crate::attest::Attestor;
use crate::budget::{limits, shares};
use crate::clock::now_us;
use crate::cluster::{Cluster, News};
use crate::counters::Counters;
use crate::egress::Ring;
use crate::error::GateError;
use crate::gauges::Gauge;
use crate::hosts::{self, Hosts, Venue};
use crate::issuers::LiveIssuers;
use crate::lease::Lease;
use crate::lent::Lent;
use crate::limits::Doorway;
use crate::minted::Minted;
use crate::pushing::{Pushing, Settled};
use crate::receipts::Receipts;
use crate::record;
use crate::snapshot::{
    AddressesName, GuardConfig, HttpConfig, InstrumentConfig, ModeName, OverloadConfig, ShardKeys,
    Snapshot, compile_bans, issuers,
};
use crate::usage::UsageFields;

/// A dialect with what the gate needs beside it.
#[derive(Debug)]
pub(crate) struct Speech {
    pub(crate) dialect: Dialect,
    pub(crate) key_header: Option<HeaderName>,
    pub(crate) usage: UsageFields,
}

/// Everything that decides, records and attests.
pub(crate) struct Shared {
    pub(crate) core: Core,
    /// What `core` asks behind the scopes.
    pub(crate) policies: Option<Arc<Live>>,
    pub(crate) venue: Arc<Venue>,
    /// Where WebSockets are that are not at `venue`.
    pub(crate) hosts: Hosts,
    pub(crate) admin: Option<Admin>,
    pub(crate) attestor: Attestor,
    pub(crate) ledger: Ledger,
    pub(crate) http: HttpConfig,
    pub(crate) overload: OverloadConfig,
    /// Of each engine thread.
    pub(crate) gauges: Box<[Gauge]>,
    pub(crate) doorway: Doorway,
    pub(crate) counters: Counters,
    pub(crate) receipts: Receipts,
    pub(crate) issuers: LiveIssuers,
    pub(crate) minted: Minted,
    pub(crate) lent: Lent,
    pub(crate) ring: Ring,
    pub(crate) pushing: Pushing,
    /// What credentials' secrets are derived from.
    pub(crate) keys: ShardKeys,
    /// Until when what is known of credentials may be acted by.
    pub(crate) lease: Lease,
    /// What is shared with other gateways.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// Told whenever a credential has changed, or a private stream's token was ended.
    pub(crate) changes: watch::Sender<()>,
    boot: String,
    next_message: AtomicU64,
}

/// What a snapshot says, checked, before a ledger or a socket is opened.
pub(crate) struct Parts {
    pub(crate) core: Core,
    policies: Option<Arc<Live>>,
    pub(crate) speeches: HashMap<String, Arc<Speech>>,
    venue: Arc<Venue>,
    hosts: Hosts,
    admin: Option<Admin>,
    attestor: Attestor,
    receipts: Receipts,
    issuers: Issuers,
    doorway: Doorway,
    cluster: Option<Cluster>,
    overload: OverloadConfig,
    gauges: Box<[Gauge]>,
}

impl Parts {
    pub(crate) fn build(snapshot: &Snapshot) -> Result<Self, GateError> {
        let budget = BudgetTable::new(limits(snapshot)?, snapshot.budget.subjects)
            .map_err(|e| GateError::config("budget", e))?;
        let listed = snapshot.guard.instruments.iter();
        let budget = budget.with_symbols(listed.map(|instrument| &*instrument.symbol));
        let budget = budget.with_strangers(snapshot.strangers()?);
        let speeches = speeches(snapshot, budget.limits())?;
        let ahead_us = speeches.values().map(|one| one.dialect.window().ahead_us);
        let cluster = Cluster::open(
            snapshot,
            budget.limits(),
            ahead_us.max().unwrap_or_default(),
        )?;
        let shares = shares(snapshot, budget.limits(), cluster.as_ref())?;
        let budget = match &shares {
            Some(shares) => budget.across(&shares.key),
            None => budget,
        };
        let (edge, freshness) = (snapshot.edge, snapshot.freshness);
        let policies = policy(snapshot)?;
        let core = Core {
            credentials: CredentialTable::new(),
            edge: EdgeBudget::new(edge.requests, edge.window_ms, edge.addresses),
            bans: bans(snapshot)?,
            budget,
            guard: Guard::new(instruments(&snapshot.guard)?),
            room: ReplayRoom::in_shards(
                freshness.capacity_per_credential,
                freshness.capacity,
                snapshot.shards()?.count(),
            ),
            shares,
            placed: PlacedOrders::default(),
            modes: modes(snapshot)?,
            egress: egress(snapshot)?,
            policy: policies.clone().map(|live| live as _),
            withdrawals: snapshot.withdrawals.compile(),
        };
        let attestor = Attestor::open(&snapshot.attestation)?;
        let (venue, hosts) = hosts::build(&snapshot.upstream)?;
        hosts.check(snapshot.egress.is_some(), &speeches)?;
        Ok(Self {
            core,
            policies,
            speeches,
            venue: Arc::new(venue),
            hosts,
            admin: Admin::open(snapshot)?,
            attestor,
            receipts: Receipts::new(&snapshot.ledger.directory),
            issuers: issuers(&snapshot.issuers)?,
            doorway: Doorway::new(&snapshot.http, &edge),
            cluster,
            overload: snapshot.overload,
            gauges: (0..snapshot.engine.threads)
                .map(|_| Gauge::default())
                .collect(),
        })
    }
}

/// Returns the bans with those that were in force before.
fn bans(snapshot: &Snapshot) -> Result<Bans, GateError> {
    let bans = Bans::new(compile_bans(snapshot.bans.as_ref(), &snapshot.edge)?);
    let now_us = now_us();
    for record in &snapshot.banned {
        let ban = record.check()?;
        if now_us < ban.until_us {
            bans.apply(ban, now_us);
        }
    }
    Ok(bans)
}

impl Shared {
    /// Puts the parts together with an open ledger.
    pub(crate) fn new(
        parts: Parts,
        http: HttpConfig,
        ledger: Ledger,
        ring: Ring,
        keys: ShardKeys,
    ) -> Result<Self, GateError> {
        let Parts {
            core,
            policies,
            venue,
            hosts,
            admin,
            attestor,
            receipts,
            issuers,
            doorway,
            cluster,
            overload,
            gauges,
            ..
        } = parts;
        let shards = core.credentials.shards().count();
        Ok(Self {
            core,
            policies,
            venue,
            hosts,
            admin,
            attestor,
            ledger,
            http,
            overload,
            gauges,
            doorway,
            counters: Counters::new(shards),
            receipts,
            issuers: LiveIssuers::new(issuers),
            minted: Minted::default(),
            lent: Lent::new().map_err(|_| no_randomness())?,
            ring,
            pushing: Pushing::default(),
            keys,
            lease: Lease::new(),
            cluster: cluster.map(Arc::new),
            changes: watch::Sender::new(()),
            boot: boot_id()?,
            next_message: AtomicU64::new(1),
        })
    }

    /// Waits until what is being pushed to somebody has been written, and has every connection look whose it is now.
    pub(crate) fn silence(&self) {
        self.lent.sweep(now_us());
        self.tell(self.pushing.settle());
    }

    /// Has every connection look whose it is now.
    fn tell(&self, _settled: Settled) {
        self.changes.send_replace(());
    }

    /// Has the core act by what it knows of credentials, or by nothing of it, as the lease stands.
    pub(crate) fn heed_lease(&self) {
        let over = self.lease.is_over(Instant::now());
        self.core.credentials.set_stale(over);
    }

    /// Records whether the cluster's server was lost, or is back.
    pub(crate) fn tell_of_cluster(&self) {
        let news = self.cluster.as_ref().map(|cluster| &cluster.standing);
        let Some(news) = news.and_then(|standing| standing.news(Instant::now())) else {
            return;
        };
        let _ = match news {
            News::Alarm(event, what) => {
                eprintln!("ringfence: ALARM: {event}: {what}");
                record::event(self, event, &[("what", Value::Text(&what))])
            }
            News::Lost(what) => {
                record::event(self, "cluster.lost", &[("what", Value::Text(&what))])
            }
            News::Back(lost_ms) => {
                let lost_ms = i64::try_from(lost_ms).unwrap_or(i64::MAX);
                record::event(self, "cluster.back", &[("lost_ms", Value::Int(lost_ms))])
            }
        };
    }

    /// Returns what tells this boot from others.
    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    /// Returns a message id that is unique in this boot.
    pub(crate) fn message_id(&self) -> MessageId {
        let number = self.next_message.fetch_add(1, Ordering::Relaxed);
        MessageId::new(&self.boot, number)
    }
}

/// `<boot id>-<counter>`, as a field value, so that it can be sent and named without being copied.
#[derive(Clone, Debug)]
pub(crate) struct MessageId(HeaderValue);

impl MessageId {
    fn new(boot: &str, number: u64) -> Self {
        let mut id = BytesMut::with_capacity(boot.len() + 21);
        // It has room for any number, and hexadecimal digits, a dash and a number are a valid value.
        let _ = write!(id, "{boot}-{number}");
        let value = HeaderValue::from_maybe_shared(id.freeze());
        Self(value.unwrap_or_else(|_| HeaderValue::from_static("")))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) const fn value(&self) -> &HeaderValue {
        &self.0
    }
}

fn no_randomness() -> GateError {
    GateError::config("engine", "the system gave no randomness")
}

fn boot_id() -> Result<String, GateError> {
    let mut bytes = [0; 4];
    rand::fill(&mut bytes).map_err(|_| no_randomness())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn speeches(
    snapshot: &Snapshot,
    limits: &[Limit],
) -> Result<HashMap<String, Arc<Speech>>, GateError> {
    let codes = codes(&snapshot.guard)?;
    let mut speeches = HashMap::new();
    for (name, value) in &snapshot.dialects {
        let dialect = Dialect::from_json(value)
            .map_err(|e| GateError::config(format!("dialects.{name}.{}", e.field), e.what))?
            .with_codes(codes.clone());
        let key_header = dialect.key_header().map(str::parse).transpose();
        let key_header = key_header
            .map_err(|e| GateError::config(format!("dialects.{name}.signing.key_header"), e))?;
        let usage = UsageFields::new(&dialect, limits);
        speeches.insert(
            name.clone(),
            Arc::new(Speech {
                dialect,
                key_header,
                usage,
            }),
        );
    }
    Ok(speeches)
}

/// Returns instruments by the venue's numbers of them.
fn codes(guard: &GuardConfig) -> Result<HashMap<Box<str>, Box<str>>, GateError> {
    let mut codes = HashMap::new();
    for (index, item) in guard.instruments.iter().enumerate() {
        let Some(code) = item.code.as_deref() else {
            continue;
        };
        if codes
            .insert(code.into(), item.symbol.as_str().into())
            .is_some()
        {
            let field = format!("guard.instruments[{index}].code");
            return Err(GateError::config(field, "another instrument has it"));
        }
    }
    Ok(codes)
}

/// Egress signs with keys that can do whatever the venue lets them: what stands between them and a client must refuse.
fn egress(snapshot: &Snapshot) -> Result<Option<Egress>, GateError> {
    const NEEDED: [Control; 4] = [
        Control::Identity,
        Control::Freshness,
        Control::Authority,
        Control::Guard,
    ];
    let Some(config) = &snapshot.egress else {
        let ours = |limit: &&crate::snapshot::LimitConfig| {
            let words = limit.subject.split('+');
            words
                .into_iter()
                .any(|word| matches!(word, "upstream" | "venue"))
        };
        return match snapshot.budget.limits.iter().find(ours) {
            Some(limit) => Err(GateError::config(
                "budget.limits",
                format!("{} needs the section `egress`", limit.name),
            )),
            None => Ok(None),
        };
    };
    let modes = modes(snapshot)?;
    if let Some(control) = NEEDED.into_iter().find(|c| modes.of(*c) != Mode::Enforce) {
        let field = format!("controls.{}", control.as_str());
        return Err(GateError::config(field, "egress needs it to enforce"));
    }
    if snapshot.withdrawals.addresses == AddressesName::Open {
        let what = "in egress the venue obeys whatever is signed; say required";
        return Err(GateError::config("withdrawals.addresses", what));
    }
    config.compile().map(Some)
}

/// Policies that a control is told to leave out would not be asked, and nobody would notice.
fn policy(snapshot: &Snapshot) -> Result<Option<Arc<Live>>, GateError> {
    let Some(definition) = &snapshot.policy else {
        return Ok(None);
    };
    if modes(snapshot)?.of(Control::Authority) == Mode::Off {
        let what =
            "policies are a part of it; do not turn it off, or take the section `policy` out";
        return Err(GateError::config("controls.authority", what));
    }
    let set = PolicySet::compile(definition.clone());
    let set = set.map_err(|problems| GateError::config("policy", listed(&problems)))?;
    Ok(Some(Arc::new(Live::new(Arc::new(set)))))
}

/// Returns problems as one text, a line each.
fn listed(problems: &[ringfence_policy::source::Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

pub(crate) fn modes(snapshot: &Snapshot) -> Result<Modes, GateError> {
    let mut modes = Modes::default();
    for (name, mode) in &snapshot.controls {
        let control = Control::ALL
            .into_iter()
            .find(|control| control.as_str() == name);
        let control = control
            .ok_or_else(|| GateError::config(format!("controls.{name}"), "no such control"))?;
        let mode = match mode {
            ModeName::Enforce => Mode::Enforce,
            ModeName::Observe => Mode::Observe,
            ModeName::Off => Mode::Off,
        };
        modes = modes.with(control, mode);
    }
    Ok(modes)
}

fn instruments(config: &GuardConfig) -> Result<HashMap<Box<str>, Instrument>, GateError> {
    config
        .instruments
        .iter()
        .enumerate()
        .map(|(index, item)| Ok((item.symbol.as_str().into(), instrument(index, item)?)))
        .collect()
}

fn instrument(index: usize, item: &InstrumentConfig) -> Result<Instrument, GateError> {
    let number = |name: &str, text: &str| {
        Decimal::parse(text)
            .map_err(|e| GateError::config(format!("guard.instruments[{index}].{name}"), e))
    };
    let step = |name: &str, text: &str| match number(name, text)? {
        zero if zero.is_zero() => Err(GateError::config(
            format!("guard.instruments[{index}].{name}"),
            "is zero",
        )),
        step => Ok(step),
    };
    Ok(Instrument {
        tick: step("tick", &item.tick)?,
        lot: step("lot", &item.lot)?,
        min_quantity: number("min_quantity", &item.min_quantity)?,
        max_quantity: number("max_quantity", &item.max_quantity)?,
        min_notional: item
            .min_notional
            .as_deref()
            .map(|text| number("min_notional", text))
            .transpose()?,
        max_notional: number("max_notional", &item.max_notional)?,
        price_min: number("price_min", &item.price_min)?,
        price_max: number("price_max", &item.price_max)?,
        whole_position: item.whole_position,
    })
}
