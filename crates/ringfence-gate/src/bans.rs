//! Bans as the gate makes, lifts and tells them.

use std::net::IpAddr;
use std::time::Instant;

use ringfence_core::ban::{Applied, Ban, Offence, Target};
use ringfence_core::mode::{Control, Mode};
use ringfence_core::refusal::Refusal;
use ringfence_ledger::Value;

use crate::clock::{elapsed_us, now_us};
use crate::error::GateError;
use crate::gate::{Gate, StateChange};
use crate::record;
use crate::shared::Shared;
use crate::snapshot::BanRecord;

impl Shared {
    /// Puts a ban in force and has the ledger told: the one way in, whoever says so. An open connection meets it with its
    /// next message; who calls has them looked at. Returns how long it took, and whether the ledger took it.
    pub(crate) fn apply_ban(&self, ban: Ban, more: &[(&str, Value<'_>)]) -> StateChange {
        let start = Instant::now();
        let applied = self.core.bans.apply(ban.clone(), now_us());
        let effective_us = elapsed_us(start);
        StateChange {
            effective_us,
            recorded: match applied {
                Applied::Taken => self.tell_ban("ban.added", &ban, more),
                Applied::Kept | Applied::Full => false,
            },
        }
    }

    /// Counts what was refused, and bans whoever has done it too often.
    pub(crate) fn offended(&self, peer: IpAddr, proved: Option<&str>, refusal: &Refusal) {
        let bans = &self.core.bans;
        let offence = Offence {
            peer,
            proved,
            refusal,
        };
        if self.core.modes.of(Control::Edge) == Mode::Off {
            return;
        }
        for ban in bans.offended(&offence, now_us()) {
            let _ = self.apply_ban(ban, &[]);
        }
    }

    /// Takes out bans that have ended by themselves.
    pub(crate) fn expire_bans(&self) {
        for ban in self.core.bans.table().take_expired(now_us()) {
            self.tell_ban("ban.expired", &ban, &[]);
        }
    }

    fn tell_ban(&self, event: &str, ban: &Ban, more: &[(&str, Value<'_>)]) -> bool {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let mut detail = vec![
            ("answer", Value::Text(ban.answer.as_str())),
            ("origin", Value::Text(ban.origin.as_str())),
            ("reach", Value::Text(ban.reach.as_str())),
            ("step", Value::Int(ban.step.into())),
            ("until_us", number(ban.until_us)),
            ("why", Value::Text(&ban.why)),
        ];
        // A commitment: an address can be erased (docs/adr/0016).
        let network = match &ban.target {
            Target::Network(prefix) => prefix.network(),
            Target::Credential(_) => None,
        };
        let network = network.map(|(first, bits)| (self.ledger.address(first).to_string(), bits));
        match (&ban.target, &network) {
            (Target::Credential(key_id), _) => detail.push(("credential", Value::Text(key_id))),
            (Target::Network(_), Some((first, bits))) => {
                detail.push(("address", Value::Text(first)));
                detail.push(("bits", Value::Int((*bits).into())));
            }
            (Target::Network(_), None) => {}
        }
        detail.extend_from_slice(more);
        record::event(self, event, &detail).is_some()
    }
}

impl Gate {
    /// Puts an operator's ban in force. When this returns nothing of whom it is about is accepted, and what they have open
    /// is told to look.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] for a ban that cannot be read.
    pub fn add_ban(
        &self,
        ban: BanRecord,
        detail: &[(&str, Value<'_>)],
    ) -> Result<StateChange, GateError> {
        let change = self.shared().apply_ban(ban.check()?, detail);
        self.shared().silence();
        Ok(change)
    }

    /// Takes a ban that another node came to: it counts here as if it were this one's, and is in this node's ledger. What
    /// is in force here and stricter stays.
    ///
    /// # Errors
    ///
    /// As [`Gate::add_ban`].
    pub fn learn_ban(
        &self,
        ban: BanRecord,
        detail: &[(&str, Value<'_>)],
    ) -> Result<StateChange, GateError> {
        self.add_ban(ban.told_by_peer(), detail)
    }

    /// Returns a number that is another one once a ban is in force or gone.
    pub fn bans_changed(&self) -> u64 {
        self.shared().core.bans.table().changes()
    }

    /// Lifts a ban, and forgets what led to it. Nothing is returned if there was none.
    ///
    /// # Errors
    ///
    /// [`GateError::Config`] for text that is no target.
    pub fn lift_ban(
        &self,
        target: &str,
        detail: &[(&str, Value<'_>)],
    ) -> Result<Option<StateChange>, GateError> {
        let target = Target::parse(target).ok_or_else(|| BanRecord::no_target(target))?;
        let start = Instant::now();
        let lifted = self.shared().core.bans.lift(&target);
        Ok(lifted.map(|ban| StateChange {
            effective_us: elapsed_us(start),
            recorded: self.shared().tell_ban("ban.lifted", &ban, detail),
        }))
    }

    /// Returns the bans in force.
    pub fn bans(&self) -> Vec<BanRecord> {
        let all = self.shared().core.bans.table().all(now_us());
        all.iter().map(|ban| BanRecord::of(ban)).collect()
    }
}
