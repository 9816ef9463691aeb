//! The credentials that a gate starts with, a million in seconds: taken in parts, while the next part is still being read.

use std::collections::HashSet;
use std::sync::Arc;

use ringfence_core::credential::CredentialTable;
use ringfence_core::principal::Standing;
use ringfence_core::refusal::Code;
use ringfence_core::shard::Shards;

use crate::error::GateError;
use crate::snapshot::{CredentialRecord, ShardKeys};

/// Credentials of a gate that has not started yet.
#[derive(Debug, Default)]
pub struct Roll {
    pub(crate) table: CredentialTable,
    pub(crate) keys: ShardKeys,
}

impl Roll {
    /// Begins with none; their secrets may be derived by `keys`, and their accounts stand in `shards`.
    pub fn new(keys: ShardKeys, shards: Shards) -> Self {
        Self {
            table: CredentialTable::in_shards(shards),
            keys,
        }
    }

    /// Takes credentials; all of them or, on the first that is wrong, none. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`GateError::Credential`].
    pub fn take(&self, records: Vec<CredentialRecord>) -> Result<usize, GateError> {
        put(&self.table, &self.keys, records)
    }
}

/// Adds or replaces credentials; all of them or, on the first that is wrong, none after it.
pub(crate) fn put(
    table: &CredentialTable,
    keys: &ShardKeys,
    records: Vec<CredentialRecord>,
) -> Result<usize, GateError> {
    let shards = table.shards();
    let checked = records.into_iter().map(|record| record.check(keys, shards));
    let checked = checked.collect::<Result<Vec<_>, _>>()?;
    let count = checked.len();
    // A million credentials stand in a few places.
    let mut standings: HashSet<Arc<Standing>> = HashSet::new();
    for mut new in checked {
        if let Some(own) = new.standing.take() {
            let known = standings.get(&own).cloned();
            new.standing = Some(known.unwrap_or_else(|| {
                standings.insert(Arc::clone(&own));
                own
            }));
        }
        let key_id = new.key_id.to_string();
        table.put(new).map_err(|code| refused(&key_id, code))?;
    }
    Ok(count)
}

pub(crate) fn refused(key_id: &str, code: Code) -> GateError {
    GateError::Credential {
        key_id: key_id.to_owned(),
        what: code.hint().to_owned(),
    }
}
