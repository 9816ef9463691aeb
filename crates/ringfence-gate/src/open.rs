//! Opening the ledger that the gate writes.

use std::sync::Arc;
use std::time::Duration;

use ringfence_ledger::{
    Durability, EventEntry, Ledger, LedgerConfig, LedgerError, Mode, Progress, SigningKey,
    Standing, Ticket, Value, Volumes,
};
use tokio::sync::Notify;

use crate::clock::now_us;
use crate::error::GateError;
use crate::snapshot::{LedgerModeName, LedgerSection, Personal, Snapshot};

/// How far ahead the ledger's file is filled, so that a commit writes data only.
const PREALLOCATE_BYTES: u64 = 16 * 1024 * 1024;

/// Time between two looks whether an event is durable.
const LOOK: Duration = Duration::from_micros(200);

/// Opens the ledger, whose progress every thread is notified of. A damaged one is not touched: then one that takes
/// nothing is returned, and what is wrong.
pub(crate) fn open_ledger(
    snapshot: &Snapshot,
    notified: Vec<Arc<Notify>>,
) -> Result<(Ledger, Option<String>), GateError> {
    let section = &snapshot.ledger;
    let config = config(section)?;
    let mode = config.mode;
    let told = Box::new(move |progress: Progress| {
        match progress {
            Progress::Committed { .. } => {}
            Progress::Failed { reason } => {
                eprintln!(
                    "ringfence: ALARM: the ledger cannot be written: {reason}; orders are refused"
                );
            }
            Progress::Resumed { lost, .. } => {
                eprintln!("ringfence: the ledger is written again; {lost} entries were lost");
            }
        }
        notified.iter().for_each(|thread| thread.notify_one());
    });
    match Ledger::open(config, now_us, told) {
        Ok((ledger, _)) => Ok((ledger, None)),
        Err(error) if error.is_damage() => {
            let directory = section.directory.display();
            eprintln!(
                "ringfence: ALARM: {error}; orders are refused, reads go on unrecorded, nothing in {directory} is \
                 changed; `ringfence ledger verify {directory}` shows what is safe"
            );
            Ok((Ledger::refusing(mode), Some(error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

/// Records one event in the ledger of `snapshot` while no gate has it open; durable on return.
///
/// # Errors
///
/// [`GateError::Ledger`] when it cannot be opened or written.
pub fn record_alone(
    snapshot: &Snapshot,
    name: &str,
    detail: &[(&str, Value<'_>)],
) -> Result<(), GateError> {
    let (ledger, _) = Ledger::open(config(&snapshot.ledger)?, now_us, Box::new(|_| {}))?;
    let mut entry = Vec::new();
    let event = EventEntry {
        event: name,
        detail,
        time_us: now_us(),
    };
    event.encode(&mut entry);
    let ticket = ledger.append(&entry, Durability::Strict);
    let kept = ticket.is_ok_and(|ticket| settled(&ledger, ticket));
    ledger.close()?;
    kept.then_some(())
        .ok_or(GateError::Ledger(LedgerError::Setting(
            "the ledger did not take the event",
        )))
}

/// Waits until an entry is durable; false if it was lost. For events, which nobody waits for on the path of a message.
pub(crate) fn settled(ledger: &Ledger, ticket: Ticket) -> bool {
    loop {
        match ledger.standing(ticket) {
            Standing::Pending => std::thread::sleep(LOOK),
            Standing::Durable => return true,
            Standing::Lost => return false,
        }
    }
}

fn config(section: &LedgerSection) -> Result<LedgerConfig, GateError> {
    Ok(LedgerConfig {
        directory: section.directory.clone(),
        origin: section.origin.clone(),
        signing_key: SigningKey::from_file(&section.key)?,
        mode: match section.mode {
            LedgerModeName::Strict => Mode::Strict {
                group_ms: section.group_ms,
            },
            LedgerModeName::Group => Mode::Group {
                ms: section.group_ms,
            },
        },
        checkpoint_ms: section.checkpoint_ms,
        heartbeat_ms: section.heartbeat_ms,
        commit_addresses: section.personal.contains(&Personal::Address),
        preallocate_bytes: PREALLOCATE_BYTES,
        volumes: Volumes::Monthly,
    })
}
