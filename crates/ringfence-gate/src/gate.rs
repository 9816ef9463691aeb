//! The gate as a whole: started from a snapshot, changed by small deltas, drained and stopped.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ringfence_core::budget::{Cost, Meter};
use ringfence_core::credential::State;
use ringfence_core::egress::Egress;
use ringfence_core::proof::Proof;
use ringfence_ledger::{Commitment, SigningKey, Value};
use ringfence_policy::set::PolicySet;
use tokio::sync::{Notify, watch};

use crate::admin;
use crate::authority::Authorities;
use crate::certificate;
use crate::clock::{elapsed_us, now_us};
use crate::egress::Ring;
use crate::engine::{EngineThread, Stage, record_edge};
use crate::error::GateError;
use crate::gauges::Gauge;
use crate::listen::{Door, bind, claim};
use crate::nonce::Nonces;
use crate::open::{open_ledger, settled};
use crate::proxied::Proxies;
use crate::record;
use crate::roll::{Roll, put, refused};
use crate::shared::{Parts, Shared, Speech};
use crate::snapshot::{
    AddressBook, CredentialRecord, IssuerConfig, ListenerConfig, ShardKeys, Snapshot,
    VenueKeyRecord, issuers,
};
use crate::tls;
use crate::top::Watching;

/// How often a drain looks whether all connections are gone.
const DRAIN_PERIOD: Duration = Duration::from_millis(5);

/// A running gate.
pub struct Gate {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    stage: watch::Sender<Stage>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Set once, by [`Gate::hurry`].
    hurried: AtomicBool,
    /// The balancers before listeners that have some.
    proxies: Vec<Arc<Proxies>>,
    /// What is wrong with the ledger's files, if anything is: then nothing that changes state is permitted.
    damage: Option<String>,
    /// Of whoever watches: no message takes it.
    watching: Mutex<Watching>,
}

/// What came of a change of a credential's state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StateChange {
    /// Microseconds until no message was accepted by the old state any more.
    pub effective_us: u64,
    /// Whether the ledger took the event.
    pub recorded: bool,
}

impl Gate {
    /// Takes `credentials`, opens the ledger, binds every listener and starts the engine's threads, in this order:
    /// no client ever meets a gate that does not know it yet.
    ///
    /// # Errors
    ///
    /// [`GateError`]; nothing is left running.
    pub fn start(
        snapshot: &Snapshot,
        credentials: Vec<CredentialRecord>,
    ) -> Result<Self, GateError> {
        Self::start_with(snapshot, credentials, Vec::new(), AddressBook::default())
    }

    /// As [`Gate::start`], with the keys that sign for the venue and the addresses that withdrawals may go to.
    ///
    /// # Errors
    ///
    /// [`GateError`]; nothing is left running.
    pub fn start_with(
        snapshot: &Snapshot,
        credentials: Vec<CredentialRecord>,
        venue_keys: Vec<VenueKeyRecord>,
        addresses: AddressBook,
    ) -> Result<Self, GateError> {
        let roll = Roll::new(ShardKeys::default(), snapshot.shards()?);
        roll.take(credentials)?;
        Self::start_by(snapshot, roll, venue_keys, addresses)
    }

    /// As [`Gate::start_with`], with credentials that were taken already.
    ///
    /// # Errors
    ///
    /// [`GateError`]; nothing is left running.
    pub fn start_by(
        snapshot: &Snapshot,
        roll: Roll,
        venue_keys: Vec<VenueKeyRecord>,
        addresses: AddressBook,
    ) -> Result<Self, GateError> {
        let notified: Vec<Arc<Notify>> = (0..snapshot.engine.threads)
            .map(|_| Arc::default())
            .collect();
        let mut parts = Parts::build(snapshot)?;
        let Roll { table, keys } = roll;
        parts.core.credentials = table;
        addresses.put(&parts.core.withdrawals.addresses)?;
        let ring = Ring::default();
        if let Some(egress) = &parts.core.egress {
            ring.put(egress, venue_keys)?;
        }
        let mut doors = doors(snapshot, &parts.speeches)?;
        let (ledger, damage) = open_ledger(snapshot, notified.clone())?;
        let shared = Arc::new(Shared::new(parts, snapshot.http, ledger, ring, keys)?);
        let sockets = open_sockets(snapshot.engine.threads, &mut doors)?;
        let addresses = doors.iter().map(|door| door.address).collect();
        let proxies = doors.iter().filter_map(|door| door.proxies.clone());
        let proxies = proxies.collect();
        let (stage, watched) = watch::channel(Stage::Serving);
        let mut threads = Vec::new();
        for (number, (own, notified)) in sockets.into_iter().zip(notified).enumerate() {
            let engine = EngineThread {
                shared: Arc::clone(&shared),
                sockets: own.into_iter().zip(doors.clone()).collect(),
                notified,
                stage: watched.clone(),
                changes: shared.changes.subscribe(),
                number,
            };
            let spawned = std::thread::Builder::new()
                .name(format!("ringfence-gate-{number}"))
                .spawn(move || engine.run());
            threads.push(spawned.map_err(GateError::system("starting an engine thread"))?);
        }
        let detail = [
            ("node", Value::Text(&snapshot.node)),
            ("version", Value::Text(env!("CARGO_PKG_VERSION"))),
        ];
        let _ = record::event(&shared, "gate.start", &detail);
        Ok(Self {
            shared,
            addresses,
            stage,
            threads: Mutex::new(threads),
            hurried: AtomicBool::new(false),
            proxies,
            damage,
            watching: Mutex::default(),
        })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn watching(&self) -> &Mutex<Watching> {
        &self.watching
    }

    /// Returns where the listeners are, in the order of the snapshot.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Adds or replaces credentials; all of them or, on the first that is wrong, none after it.
    ///
    /// # Errors
    ///
    /// [`GateError::Credential`].
    pub fn put_credentials(&self, records: Vec<CredentialRecord>) -> Result<usize, GateError> {
        let Shared { core, keys, .. } = &*self.shared;
        let count = put(&core.credentials, keys, records);
        self.shared.silence();
        count
    }

    /// Puts venue keys in the place of all that there were; all of them or none. Returns how many accounts' keys they are.
    ///
    /// # Errors
    ///
    /// [`GateError::VenueKey`]; [`GateError::Config`] where nothing is signed for a venue.
    pub fn put_venue_keys(&self, records: Vec<VenueKeyRecord>) -> Result<usize, GateError> {
        let egress = self.shared.core.egress.as_ref();
        let egress =
            egress.ok_or_else(|| GateError::config("egress", "there is no such section"))?;
        let count = self.shared.ring.put(egress, records);
        self.shared.silence();
        count
    }

    /// Puts withdrawal addresses in the place of all that their accounts had. In force when it returns.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`]; then nothing has changed.
    pub fn put_addresses(&self, addresses: AddressBook) -> Result<(), GateError> {
        addresses.put(&self.shared.core.withdrawals.addresses)
    }

    /// Puts other policies in force, for every message that is not judged yet and for what is pushed from now on.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] where there are none to be put in the place of: they would be gone at the next start.
    pub fn put_policies(&self, set: Arc<PolicySet>) -> Result<(), GateError> {
        let live = self.shared.policies.as_ref();
        let live = live.ok_or_else(|| GateError::config("policy", "there is no such section"))?;
        live.put(set);
        self.shared.silence();
        Ok(())
    }

    /// Puts other issuers in the place of those whose tokens are taken; all of them or none. Who acts by a key that is not
    /// among theirs any more is nobody from here on, on a channel that is open, too.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] naming the field; then all stay.
    pub fn put_issuers(&self, written: &[IssuerConfig]) -> Result<(), GateError> {
        self.shared.issuers.put(issuers(written)?);
        self.shared.silence();
        Ok(())
    }

    /// Returns the policies in force; none where only scopes decide.
    pub fn policies(&self) -> Option<Arc<PolicySet>> {
        self.shared.policies.as_ref().map(|live| live.set())
    }

    /// Sets a credential's state, then records it; a ledger that takes nothing does not stand in a revocation's way.
    ///
    /// # Errors
    ///
    /// [`GateError::Credential`].
    pub fn set_credential_state(
        &self,
        key_id: &str,
        state: State,
        detail: &[(&str, Value<'_>)],
    ) -> Result<StateChange, GateError> {
        let effective_us = self.put_credential_state(key_id, state)?;
        let mut fields = vec![
            ("credential", Value::Text(key_id)),
            ("state", Value::Text(state.as_str())),
        ];
        fields.extend_from_slice(detail);
        let recorded = record::event(&self.shared, "credential.state", &fields).is_some();
        Ok(StateChange {
            effective_us,
            recorded,
        })
    }

    /// Sets a credential's state, and records nothing: another tells of it. Returns after how many microseconds that held.
    ///
    /// # Errors
    ///
    /// [`GateError::Credential`].
    pub fn put_credential_state(&self, key_id: &str, state: State) -> Result<u64, GateError> {
        let start = Instant::now();
        let credentials = &self.shared.core.credentials;
        let set = credentials.set_state(key_id, state);
        set.map_err(|code| refused(key_id, code))?;
        let effective_us = elapsed_us(start);
        self.shared.silence();
        Ok(effective_us)
    }

    /// Takes all credentials of these accounts out of use, or lets each stand where it stands by itself. Returns after how
    /// many microseconds that held.
    pub fn hold_accounts(&self, accounts: &[String], held: bool) -> u64 {
        let start = Instant::now();
        let names = accounts.iter().map(String::as_str);
        self.shared.core.credentials.hold(names, held);
        let effective_us = elapsed_us(start);
        self.shared.silence();
        effective_us
    }

    /// Lets policies see that somebody stepped up for this account at `at_us`, in microseconds since the epoch, and by what.
    pub fn step_up(&self, account: &str, at_us: u64, proof: Proof) {
        self.shared.core.credentials.step_up(account, at_us, proof);
    }

    /// Has what is known of credentials acted by for `lasts` from `seen` on, when the store was found as it is known here;
    /// none: for ever. After that nothing that changes state goes to the venue, until this is said again.
    pub fn renew(&self, seen: Instant, lasts: Option<Duration>) {
        self.shared.lease.renew(seen, lasts);
        self.shared.heed_lease();
    }

    /// Returns the credentials that were used at `since_us` or later, and when; in microseconds since the epoch.
    pub fn used_since(&self, since_us: u64) -> Vec<(Box<str>, u64)> {
        self.shared.core.credentials.used_since(since_us)
    }

    /// Records an event. False if the ledger does not take it.
    pub fn event(&self, name: &str, detail: &[(&str, Value<'_>)]) -> bool {
        record::event(&self.shared, name, detail).is_some()
    }

    /// Records an event and waits until it is durable. False if it is not in the ledger.
    pub fn event_durably(&self, name: &str, detail: &[(&str, Value<'_>)]) -> bool {
        let ticket = record::event(&self.shared, name, detail);
        ticket.is_some_and(|ticket| settled(&self.shared.ledger, ticket))
    }

    /// Removes for good what `commitments` stand for in the volume that is being written, and returns how many there
    /// were.
    ///
    /// # Errors
    ///
    /// [`GateError::Ledger`].
    pub fn erase(&self, commitments: HashSet<Commitment>) -> Result<u64, GateError> {
        Ok(self.shared.ledger.erase(commitments)?)
    }

    /// Returns numbers for status pages.
    pub fn status(&self) -> serde_json::Value {
        let ledger = self.shared.ledger.status();
        let mut status = self.shared.counters.to_json();
        if let Some(map) = status.as_object_mut() {
            map.insert("bans".into(), self.bans().len().into());
            map.insert(
                "connections_open".into(),
                self.shared.doorway.connections.open().into(),
            );
            map.insert(
                "credentials".into(),
                self.shared.core.credentials.len().into(),
            );
            map.insert("overload".into(), self.overload_status());
            map.insert("replay_claims".into(), self.shared.core.room.taken().into());
            let ledger = serde_json::json!({
                "bytes": ledger.bytes,
                "batches": ledger.batches,
                "damage": self.damage,
                "healthy": ledger.healthy,
                "lost": ledger.lost,
                "signed_size": ledger.signed_size,
                "size": ledger.size,
            });
            map.insert("ledger".into(), ledger);
            if let Some(cluster) = &self.shared.cluster {
                map.insert("cluster".into(), cluster.status());
            }
            if !self.shared.core.credentials.shards().is_empty() {
                map.insert("shards".into(), self.shards_status());
            }
            if let Some(egress) = &self.shared.core.egress {
                map.insert("venue".into(), venue_status(egress));
            }
            if !self.proxies.is_empty() {
                let turned = self.proxies.iter().map(|proxies| proxies.status());
                map.insert(
                    "proxy_refused".into(),
                    turned.collect::<serde_json::Map<_, _>>().into(),
                );
            }
        }
        status
    }

    fn overload_status(&self) -> serde_json::Value {
        let mut status = self.shared.counters.overload();
        let threads: Vec<_> = self.shared.gauges.iter().map(Gauge::to_json).collect();
        if let Some(map) = status.as_object_mut() {
            map.insert("threads".into(), threads.into());
        }
        status
    }

    /// Stops accepting, lets what is in flight finish for at most `drain_ms`, then ends all threads and the ledger.
    ///
    /// # Errors
    ///
    /// [`GateError::Ledger`] if its end could not be written. Stopping twice does nothing.
    pub fn stop(&self, drain_ms: u64) -> Result<(), GateError> {
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if threads.is_empty() {
            return Ok(());
        }
        let _ = self.stage.send(Stage::Draining);
        let deadline = Instant::now() + Duration::from_millis(drain_ms);
        while self.is_busy() && Instant::now() < deadline && !self.hurried.load(Ordering::Relaxed) {
            std::thread::sleep(DRAIN_PERIOD);
        }
        let _ = self.stage.send(Stage::Ended);
        for thread in threads {
            if thread.join().is_err() {
                self.shared.counters.panics.fetch_add(1, Ordering::Relaxed);
            }
        }
        record_edge(&self.shared, u64::MAX);
        let _ = record::event(&self.shared, "gate.stop", &[]);
        self.shared.ledger.close().map_err(GateError::from)
    }

    /// Ends the wait of a [`Gate::stop`] on another thread: what is still in flight is cut off.
    pub fn hurry(&self) {
        self.hurried.store(true, Ordering::Relaxed);
    }

    /// Tells whether a connection is open, or a message under way whose client may be gone already.
    fn is_busy(&self) -> bool {
        self.shared.doorway.connections.open() > 0
            || self.shared.counters.carried.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `stop`.
        let _ = self.stop(0);
    }
}

/// Returns how the venue keys are, and for how long the venue wants us to wait.
fn venue_status(egress: &Egress) -> serde_json::Value {
    let order = Cost {
        weight: 0,
        orders: 1,
        items: 1,
    };
    let wait_ms = |meter: &Meter, cost| {
        let until_ms = meter.held_until_ms(cost);
        until_ms.saturating_sub(now_us() / 1000)
    };
    let keys = egress.keys().map(|key| {
        let (refusals, refused) = key.refusals();
        let about = serde_json::json!({
            "ready": key.is_ready(),
            "refusals": refusals,
            "refused": refused,
            "wait_ms": wait_ms(key.meter(), Cost::default()),
            "wait_orders_ms": wait_ms(key.meter(), order),
        });
        (key.name().to_owned(), about)
    });
    serde_json::json!({
        "keys": keys.collect::<serde_json::Map<_, _>>(),
        "wait_ms": wait_ms(egress.upstream(), Cost::default()),
    })
}

/// Checks what can be checked of a snapshot without opening a ledger or a socket: dialects, limits, instruments, keys.
///
/// # Errors
///
/// [`GateError::Config`] naming the field.
pub fn check(snapshot: &Snapshot) -> Result<(), GateError> {
    SigningKey::from_file(&snapshot.ledger.key)?;
    let parts = Parts::build(snapshot)?;
    doors(snapshot, &parts.speeches).map(drop)
}

/// Opens every listener once for each thread, or none if any is taken.
fn open_sockets(
    threads: usize,
    doors: &mut [Door],
) -> Result<Vec<Vec<std::net::TcpListener>>, GateError> {
    for door in &*doors {
        claim(door.address)?;
    }
    let mut sockets = Vec::new();
    for _ in 0..threads {
        let mut own = Vec::new();
        for door in &mut *doors {
            let socket = bind(door.address)?;
            // Port 0 is settled by the first thread; the others join it there.
            door.address = socket
                .local_addr()
                .map_err(GateError::system("asking for our address"))?;
            own.push(socket);
        }
        sockets.push(own);
    }
    Ok(sockets)
}

fn doors(
    snapshot: &Snapshot,
    speeches: &HashMap<String, Arc<Speech>>,
) -> Result<Vec<Door>, GateError> {
    let door = |(index, config): (usize, &ListenerConfig)| {
        let field = format!("listeners[{index}]");
        let speech = speeches.get(&config.dialect).ok_or_else(|| {
            GateError::config(
                format!("{field}.dialect"),
                format!("unknown {:?}", config.dialect),
            )
        })?;
        admin::check(snapshot, &speech.dialect)
            .map_err(|what| GateError::config(format!("{field}.dialect"), what))?;
        let inside = format!("{field}.tls");
        let verifier = match &config.tls {
            Some(files) => certificate::verifier(files, &inside)?,
            None => None,
        };
        let tls = match (&config.tls, config.plain) {
            (Some(files), false) => Some(tls::server(files, config.http2, &verifier, &inside)?),
            (None, true) => None,
            (Some(_), true) | (None, false) => {
                return Err(GateError::config(
                    &field,
                    "give `tls`, or say `plain: true`",
                ));
            }
        };
        let name = config.name.as_str().into();
        let names = format!("{field}.authorities");
        let authorities = Authorities::new(&config.authorities, tls.is_some(), &names)?;
        let proxies = config.proxy_protocol.as_ref().map(|proxies| {
            let field = format!("{field}.proxy_protocol");
            Proxies::new(proxies, &config.name, snapshot.http.connections, &field)
        });
        let period = format!("{field}.dpop_nonce_s");
        let nonces = config
            .dpop_nonce_s
            .map(|seconds| Nonces::new(seconds, &period));
        Ok(Door {
            name,
            address: config.address,
            authorities,
            nonces: nonces.transpose()?.map(Arc::new),
            tls,
            verifier,
            proxies: proxies.transpose()?.map(Arc::new),
            speech: Arc::clone(speech),
        })
    };
    snapshot.listeners.iter().enumerate().map(door).collect()
}
