//! Opening the ledger that the gate writes.

use std::sync::Arc;

use ringfence_ledger::{Ledger, LedgerConfig, Mode, Progress, SigningKey, Volumes};
use tokio::sync::Notify;

use crate::clock::now_us;
use crate::error::GateError;
use crate::snapshot::{LedgerModeName, Snapshot};

/// How far ahead the ledger's file is filled, so that a commit writes data only.
const PREALLOCATE_BYTES: u64 = 16 * 1024 * 1024;

/// Opens the ledger, whose progress every thread is notified of. A damaged one is not touched: then one that takes
/// nothing is returned, and what is wrong.
pub(crate) fn open_ledger(
    snapshot: &Snapshot,
    notified: Vec<Arc<Notify>>,
) -> Result<(Ledger, Option<String>), GateError> {
    let section = &snapshot.ledger;
    let mode = match section.mode {
        LedgerModeName::Strict => Mode::Strict {
            group_ms: section.group_ms,
        },
        LedgerModeName::Group => Mode::Group {
            ms: section.group_ms,
        },
    };
    let config = LedgerConfig {
        directory: section.directory.clone(),
        origin: section.origin.clone(),
        signing_key: SigningKey::from_file(&section.key)?,
        mode,
        checkpoint_ms: section.checkpoint_ms,
        heartbeat_ms: section.heartbeat_ms,
        preallocate_bytes: PREALLOCATE_BYTES,
        volumes: Volumes::Monthly,
    };
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
