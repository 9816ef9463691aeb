//! The engine as Python holds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringfence_core::credential::State;
use ringfence_core::proof::Proof;
use ringfence_core::shard::ShardState;
use ringfence_gate::{
    AddressBook, BanRecord, CredentialRecord, Gate, IssuerConfig, Roll, ShardKeys, Snapshot,
    VenueKeyRecord, record_alone,
};
use ringfence_ledger::Value;
use serde_json::Map;

use crate::error::{core, gate, json};
use crate::ledger::commitments_of;
use crate::memory::in_small_pages;
use crate::policy::{PolicySet, answer};

/// A gateway: its listeners, controls and ledger.
#[pyclass(module = "ringfence._core", frozen)]
pub(crate) struct Engine {
    snapshot: Snapshot,
    /// What the next start starts with.
    loading: Mutex<Arc<Roll>>,
    /// Locked for moments only, so that credentials can be changed while it drains.
    running: Mutex<Option<Arc<Gate>>>,
}

#[pymethods]
impl Engine {
    #[new]
    fn new(snapshot: &[u8]) -> PyResult<Self> {
        let snapshot = Snapshot::parse(snapshot).map_err(gate)?;
        Ok(Self {
            snapshot,
            loading: Mutex::default(),
            running: Mutex::new(None),
        })
    }

    /// Begins to take credentials for `start`, whose secrets may be derived from shards: a JSON object of base64 by number.
    fn begin(&self, shards: &[u8]) -> PyResult<()> {
        let keys = ShardKeys::parse(shards).map_err(gate)?;
        let shards = self.snapshot.shards().map_err(gate)?;
        *self.loading() = Arc::new(Roll::new(keys, shards));
        Ok(())
    }

    /// Takes a part of the credentials that `start` starts with: a JSON array.
    fn load(&self, py: Python<'_>, credentials: &[u8]) -> PyResult<usize> {
        py.detach(|| {
            let records = CredentialRecord::parse_all(credentials).map_err(gate)?;
            let roll = Arc::clone(&self.loading());
            roll.take(records).map_err(gate)
        })
    }

    /// Takes a JSON array of venue keys and an object of withdrawal addresses, opens the ledger, listens, and returns where
    /// in the listeners' order.
    fn start(
        &self,
        py: Python<'_>,
        venue_keys: &[u8],
        withdrawal_addresses: &[u8],
    ) -> PyResult<Vec<String>> {
        py.detach(|| {
            let venue_keys = VenueKeyRecord::parse_all(venue_keys).map_err(gate)?;
            let book = AddressBook::parse(withdrawal_addresses).map_err(gate)?;
            let mut running = self.lock();
            if running.is_some() {
                return Err(core("engine_running", "the engine is started already"));
            }
            let roll = std::mem::take(&mut *self.loading());
            let loading = || core("engine_loading", "credentials are still being taken");
            let roll = Arc::into_inner(roll).ok_or_else(loading)?;
            in_small_pages();
            let started = Gate::start_by(&self.snapshot, roll, venue_keys, book);
            let started = started.map_err(gate)?;
            let addresses = started
                .addresses()
                .iter()
                .map(ToString::to_string)
                .collect();
            *running = Some(Arc::new(started));
            Ok(addresses)
        })
    }

    /// Stops listening, lets open requests end for at most `drain_ms`, closes the ledger.
    fn stop(&self, py: Python<'_>, drain_ms: u64) -> PyResult<()> {
        py.detach(|| {
            let Ok(running) = self.running() else {
                return Ok(());
            };
            let stopped = running.stop(drain_ms).map_err(gate);
            *self.lock() = None;
            stopped
        })
    }

    /// Ends the wait of a `stop` on another thread.
    fn hurry(&self) {
        // Not running any more is what was wanted.
        if let Ok(running) = self.running() {
            running.hurry();
        }
    }

    /// Adds or replaces a JSON array of credentials, and returns how many there were.
    fn put_credentials(&self, py: Python<'_>, credentials: &[u8]) -> PyResult<usize> {
        py.detach(|| {
            let records = CredentialRecord::parse_all(credentials).map_err(gate)?;
            self.running()?.put_credentials(records).map_err(gate)
        })
    }

    /// Puts a JSON array of venue keys in the place of all that there were, and returns how many accounts use.
    fn put_venue_keys(&self, py: Python<'_>, venue_keys: &[u8]) -> PyResult<usize> {
        py.detach(|| {
            let records = VenueKeyRecord::parse_all(venue_keys).map_err(gate)?;
            self.running()?.put_venue_keys(records).map_err(gate)
        })
    }

    /// Puts withdrawal addresses, a JSON object by account, in the place of all that these accounts had.
    fn put_addresses(&self, py: Python<'_>, addresses: &[u8]) -> PyResult<()> {
        py.detach(|| {
            let book = AddressBook::parse(addresses).map_err(gate)?;
            self.running()?.put_addresses(book).map_err(gate)
        })
    }

    /// Puts policies in the place of those in force.
    fn put_policies(&self, py: Python<'_>, policies: &PolicySet) -> PyResult<()> {
        let set = Arc::clone(&policies.0);
        py.detach(|| self.running()?.put_policies(set).map_err(gate))
    }

    /// Puts a JSON array of issuers in the place of those whose tokens are taken.
    fn put_issuers(&self, py: Python<'_>, issuers: &[u8]) -> PyResult<()> {
        py.detach(|| {
            let written = IssuerConfig::parse_all(issuers).map_err(gate)?;
            self.running()?.put_issuers(&written).map_err(gate)
        })
    }

    /// Answers one request by the policies in force, JSON for JSON; none where there are none.
    fn ask_policies<'py>(
        &self,
        py: Python<'py>,
        question: &[u8],
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let set = self.running()?.policies();
        set.map(|set| answer(py, &set, question)).transpose()
    }

    /// Sets a credential's state, and returns after how many microseconds it took effect and whether the ledger took
    /// the event.
    fn set_credential_state(
        &self,
        py: Python<'_>,
        key_id: &str,
        state: &str,
        detail: &[u8],
    ) -> PyResult<(u64, bool)> {
        py.detach(|| {
            let state = state_of(state)?;
            let detail = object(detail)?;
            let running = self.running()?;
            let change = running
                .set_credential_state(key_id, state, &fields(&detail))
                .map_err(gate)?;
            Ok((change.effective_us, change.recorded))
        })
    }

    /// Sets a credential's state, of which another tells the ledger; returns after how many microseconds it took effect.
    fn put_credential_state(&self, py: Python<'_>, key_id: &str, state: &str) -> PyResult<u64> {
        py.detach(|| {
            let state = state_of(state)?;
            let running = self.running()?;
            running.put_credential_state(key_id, state).map_err(gate)
        })
    }

    /// Puts an operator's ban, a JSON object, in force; returns after how many microseconds it held and whether the ledger
    /// took the event.
    fn add_ban(&self, py: Python<'_>, ban: &[u8], detail: &[u8]) -> PyResult<(u64, bool)> {
        py.detach(|| {
            let record = BanRecord::parse(ban).map_err(gate)?;
            let detail = object(detail)?;
            let change = self.running()?.add_ban(record, &fields(&detail));
            let change = change.map_err(gate)?;
            Ok((change.effective_us, change.recorded))
        })
    }

    /// Takes another node's ban; returns as `add_ban` does.
    fn learn_ban(&self, py: Python<'_>, ban: &[u8], detail: &[u8]) -> PyResult<(u64, bool)> {
        py.detach(|| {
            let record = BanRecord::parse(ban).map_err(gate)?;
            let detail = object(detail)?;
            let change = self.running()?.learn_ban(record, &fields(&detail));
            let change = change.map_err(gate)?;
            Ok((change.effective_us, change.recorded))
        })
    }

    /// Returns a number that is another one once a ban is in force or gone.
    fn bans_changed(&self) -> PyResult<u64> {
        Ok(self.running()?.bans_changed())
    }

    /// Lifts a ban; returns as `add_ban` does, or nothing where there was none.
    fn lift_ban(
        &self,
        py: Python<'_>,
        target: &str,
        detail: &[u8],
    ) -> PyResult<Option<(u64, bool)>> {
        py.detach(|| {
            let detail = object(detail)?;
            let change = self.running()?.lift_ban(target, &fields(&detail));
            let change = change.map_err(gate)?;
            Ok(change.map(|change| (change.effective_us, change.recorded)))
        })
    }

    /// Returns the bans in force as a JSON array.
    fn bans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bans = py.detach(|| Ok::<_, PyErr>(self.running()?.bans()))?;
        let text = serde_json::to_vec(&bans).map_err(json)?;
        Ok(PyBytes::new(py, &text))
    }

    /// Takes all credentials of these accounts out of use, or lets each stand where it stands by itself; returns after how
    /// many microseconds that held.
    fn hold_accounts(&self, py: Python<'_>, accounts: Vec<String>, held: bool) -> PyResult<u64> {
        py.detach(|| Ok(self.running()?.hold_accounts(&accounts, held)))
    }

    /// Puts accounts into shards: a JSON object of numbers, or nulls, by account; returns after how many microseconds that
    /// held.
    fn place(&self, py: Python<'_>, accounts: &[u8]) -> PyResult<u64> {
        py.detach(|| {
            let accounts = serde_json::from_slice(accounts).map_err(json)?;
            self.running()?.place(&accounts).map_err(gate)
        })
    }

    /// Has a shard serve, drain or be isolated; returns after how many microseconds that held.
    fn set_shard(&self, py: Python<'_>, shard: u16, state: &str) -> PyResult<u64> {
        let unknown = || core("shard_state", format!("unknown state {state:?}"));
        let state = ShardState::parse(state).ok_or_else(unknown)?;
        py.detach(|| self.running()?.set_shard(shard, state).map_err(gate))
    }

    /// Returns the shards as a JSON array.
    fn shards<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let shards = py.detach(|| Ok::<_, PyErr>(self.running()?.shards()))?;
        let text = serde_json::to_vec(&shards).map_err(json)?;
        Ok(PyBytes::new(py, &text))
    }

    /// Lets policies see that somebody stepped up for this account at `at_us`, and by what.
    fn step_up(&self, account: &str, at_us: u64, proof: &str) -> PyResult<()> {
        let unknown = || core("credential_invalid", format!("unknown proof {proof:?}"));
        let proof = Proof::parse(proof).ok_or_else(unknown)?;
        self.running()?.step_up(account, at_us, proof);
        Ok(())
    }

    /// Has what is known of credentials acted by for so many milliseconds from `age_ms` ago on, when the store was found as
    /// it is known here; none: for ever.
    #[pyo3(signature = (age_ms, lasts_ms))]
    fn renew(&self, age_ms: u64, lasts_ms: Option<u64>) -> PyResult<()> {
        let now = Instant::now();
        let seen = now
            .checked_sub(Duration::from_millis(age_ms))
            .unwrap_or(now);
        self.running()?
            .renew(seen, lasts_ms.map(Duration::from_millis));
        Ok(())
    }

    /// Returns the credentials that were used at `since_us` or later, and when.
    fn used_since(&self, py: Python<'_>, since_us: u64) -> PyResult<Vec<(String, u64)>> {
        let used = py.detach(|| Ok::<_, PyErr>(self.running()?.used_since(since_us)))?;
        Ok(used.into_iter().map(|(id, at)| (id.into(), at)).collect())
    }

    /// Returns the counters as a JSON object.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let status = py.detach(|| Ok::<_, PyErr>(self.running()?.status()))?;
        Ok(PyBytes::new(py, status.to_string().as_bytes()))
    }

    /// Returns what is going on as a JSON object, with at most `limits` limits near their edge.
    fn top<'py>(&self, py: Python<'py>, limits: usize) -> PyResult<Bound<'py, PyBytes>> {
        let top = py.detach(|| Ok::<_, PyErr>(self.running()?.top(limits)))?;
        Ok(PyBytes::new(py, top.to_string().as_bytes()))
    }

    /// Records an event; `detail` is a JSON object of texts and integers. If `durable`, returns when it is.
    fn event(&self, py: Python<'_>, name: &str, detail: &[u8], durable: bool) -> PyResult<()> {
        py.detach(|| {
            let detail = object(detail)?;
            let running = self.running()?;
            let taken = match durable {
                true => running.event_durably(name, &fields(&detail)),
                false => running.event(name, &fields(&detail)),
            };
            taken
                .then_some(())
                .ok_or_else(|| core("ledger_unavailable", "the ledger takes no entries"))
        })
    }

    /// Removes for good what commitments stand for in the newest volume, and returns how many there were.
    fn erase(&self, py: Python<'_>, commitments: Vec<String>) -> PyResult<u64> {
        py.detach(|| {
            let commitments = commitments_of(&commitments)?;
            self.running()?.erase(commitments).map_err(gate)
        })
    }

    /// Records one event while the engine is not started, durably.
    fn event_alone(&self, py: Python<'_>, name: &str, detail: &[u8]) -> PyResult<()> {
        py.detach(|| {
            let detail = object(detail)?;
            record_alone(&self.snapshot, name, &fields(&detail)).map_err(gate)
        })
    }
}

impl Engine {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Gate>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loading(&self) -> MutexGuard<'_, Arc<Roll>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> PyResult<Arc<Gate>> {
        let stopped = || core("engine_stopped", "the engine is not started");
        self.lock().clone().ok_or_else(stopped)
    }
}

/// Refuses a snapshot that `Engine` would refuse, without opening a socket.
#[pyfunction]
pub(crate) fn check_snapshot(py: Python<'_>, snapshot: &[u8]) -> PyResult<()> {
    py.detach(|| {
        Snapshot::parse(snapshot)
            .and_then(|s| ringfence_gate::check(&s))
            .map_err(gate)
    })
}

fn state_of(text: &str) -> PyResult<State> {
    let unknown = || core("credential_invalid", format!("unknown state {text:?}"));
    State::parse(text).ok_or_else(unknown)
}

fn object(detail: &[u8]) -> PyResult<Map<String, serde_json::Value>> {
    serde_json::from_slice(detail).map_err(json)
}

fn fields(detail: &Map<String, serde_json::Value>) -> Vec<(&str, Value<'_>)> {
    detail
        .iter()
        .filter_map(|(name, v)| {
            let value = match (v.as_str(), v.as_bool(), v.as_i64()) {
                (Some(text), _, _) => Value::Text(text),
                (None, Some(truth), _) => Value::Bool(truth),
                (None, None, Some(number)) => Value::Int(number),
                (None, None, None) => return None,
            };
            Some((name.as_str(), value))
        })
        .collect()
}
