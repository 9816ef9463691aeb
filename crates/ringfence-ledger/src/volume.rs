//! A ledger's volumes: one log per node and month, each complete in itself.
//!
//! A ledger `N` in the folder `D` has its volume of November 2026 in `D/2026-11`, under the origin
//! `N/2026-11`. The first entry of a volume is the event `ledger.opened`: it counts the entries
//! before the volume and holds size and root of the one before it, so that its checkpoints sign the
//! link. A volume is never trimmed: retention drops whole ones, oldest first.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::canonical;
use crate::entry::{EventEntry, Value};
use crate::error::LedgerError;
use crate::fault::Part;
use crate::heartbeat::field;
use crate::read::VolumeReader;
use crate::tree::Hash;
use crate::vkey::VerifierKey;

/// The name of the event that opens a volume.
pub(crate) const OPENED: &str = "ledger.opened";
/// The name of the event that takes an intent without outcome over from the volume before.
pub(crate) const CARRIED: &str = "ledger.carried";
/// The name of the event that says that a volume was dropped.
pub const DROPPED: &str = "ledger.dropped";

/// The name of the event that says that personal data of a volume was erased.
pub const ERASED: &str = "ledger.erased";

const DAY_US: u64 = 86_400_000_000;

/// A month of the calendar, in UTC. Its text is `2026-11`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Month {
    /// Months since January of year 0.
    count: u32,
}

impl Month {
    /// The month of a time in microseconds since the Unix epoch.
    pub fn of(time_us: u64) -> Self {
        // Howard Hinnant's civil_from_days: years begin in March, so that the leap day ends one.
        let days = time_us / DAY_US + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let year = year_of_era + era * 400;
        // March is month 2 of the calendar, counted from 0.
        let count = year * 12 + from_march + 2;
        Self {
            count: u32::try_from(count).unwrap_or(u32::MAX),
        }
    }

    /// The month in a text such as `2026-11`; none when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        let parsed = Self {
            count: year.checked_mul(12)? + month.checked_sub(1)?,
        };
        (parsed.to_string() == text).then_some(parsed)
    }

    /// The month after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self {
            count: self.count + 1,
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.count / 12, self.count % 12 + 1)
    }
}

/// Where one volume lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Volume {
    /// Its month; none for a ledger in one piece.
    pub month: Option<Month>,
    /// Its folder.
    pub directory: PathBuf,
    /// Entries before its first one.
    pub sequence: u64,
}

/// The volumes of the ledger in `directory`, oldest first: at least one. A ledger in one piece is
/// its own only volume.
///
/// # Errors
///
/// [`LedgerError`]: `Missing` when there is no ledger, `Damaged` when a volume does not begin as one.
pub fn volumes(directory: &Path) -> Result<Vec<Volume>, LedgerError> {
    if directory.join(Part::Entries.file_name()).is_file() {
        return Ok(vec![Volume {
            month: None,
            directory: directory.to_owned(),
            sequence: 0,
        }]);
    }
    let mut found = Vec::new();
    for month in months(directory)? {
        found.push(volume(directory, month)?);
    }
    if found.is_empty() {
        return Err(LedgerError::Missing {
            directory: directory.to_owned(),
        });
    }
    Ok(found)
}

/// The volume of `month` of the ledger in `directory`.
pub(crate) fn volume(directory: &Path, month: Month) -> Result<Volume, LedgerError> {
    let directory = directory.join(month.to_string());
    let sequence = Opened::read(&directory)?.map_or(0, |opened| opened.sequence);
    Ok(Volume {
        month: Some(month),
        directory,
        sequence,
    })
}

/// The volume that holds entry `index` of the ledger in `directory`, the newest for one still to
/// come, the oldest for one that was dropped.
///
/// # Errors
///
/// As [`volumes`].
pub(crate) fn volume_of(directory: &Path, index: u64) -> Result<Volume, LedgerError> {
    let mut all = volumes(directory)?;
    let at = all.partition_point(|volume| volume.sequence <= index);
    Ok(all.swap_remove(at.saturating_sub(1)))
}

/// The months that have a folder in `directory`, in order; none where it does not exist.
pub(crate) fn months(directory: &Path) -> Result<Vec<Month>, LedgerError> {
    let doing = "listing the ledger's volumes";
    let listed = match fs::read_dir(directory) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LedgerError::io(doing)(error)),
    };
    let mut months = Vec::new();
    for entry in listed {
        let name = entry.map_err(LedgerError::io(doing))?.file_name();
        months.extend(name.to_str().and_then(Month::parse));
    }
    months.sort_unstable();
    Ok(months)
}

/// The origin of the volume `month` of the ledger `name`.
pub(crate) fn origin(name: &str, month: Month) -> String {
    format!("{name}/{month}")
}

impl VerifierKey {
    /// This key under the name `origin`, where that is the name of this ledger or of one of its
    /// volumes: a ledger's volumes are signed by one key.
    pub fn of_volume(&self, origin: &str) -> Option<Self> {
        if origin == self.name() {
            return Some(self.clone());
        }
        let month = origin.strip_prefix(self.name())?.strip_prefix('/')?;
        Month::parse(month)?;
        self.renamed(origin)
    }
}

/// The end of a volume, as the next one states it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Link {
    pub(crate) month: Month,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// What the first entry of a volume says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Opened {
    /// Entries before the volume.
    pub(crate) sequence: u64,
    /// The volume before; none for a ledger's first.
    pub(crate) previous: Option<Link>,
}

impl Opened {
    pub(crate) fn encode(&self, month: Month, time_us: u64) -> Vec<u8> {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let (root, before);
        let month = month.to_string();
        let mut detail = vec![
            ("sequence", number(self.sequence)),
            ("volume", Value::Text(&month)),
        ];
        if let Some(link) = &self.previous {
            (root, before) = (STANDARD.encode(link.root), link.month.to_string());
            detail.push(("previous", Value::Text(&before)));
            detail.push(("previous_root", Value::Text(&root)));
            detail.push(("previous_size", number(link.size)));
        }
        event(OPENED, &detail, time_us)
    }

    /// Reads the detail of the event, which is canonical; none when it is not one of ours.
    pub(crate) fn parse(detail: &str) -> Option<Self> {
        let text = |name| field(detail, name).trim_matches('"');
        let sequence = text("sequence").parse().ok()?;
        let previous = match text("previous") {
            "" => None,
            month => Some(Link {
                month: Month::parse(month)?,
                size: text("previous_size").parse().ok()?,
                root: decode_root(text("previous_root"))?,
            }),
        };
        Some(Self { sequence, previous })
    }

    /// What the first entry of the volume in `directory` says; none where that says something else.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, LedgerError> {
        let mut reader = VolumeReader::open(directory, 0)?;
        let Some((_, entry)) = reader.next_entry()? else {
            return Ok(None);
        };
        let fields = canonical::read(entry).unwrap_or_default();
        Ok((fields.event == OPENED)
            .then(|| Self::parse(fields.detail))
            .flatten())
    }
}

/// A root as it stands in an event.
pub(crate) fn decode_root(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// The entry that takes the intent `message` over; the id as it stands in an entry.
pub(crate) fn carried(message: &str, time_us: u64) -> Vec<u8> {
    event(CARRIED, &[("message", Value::Text(message))], time_us)
}

fn event(name: &str, detail: &[(&str, Value<'_>)], time_us: u64) -> Vec<u8> {
    let mut entry = Vec::new();
    EventEntry {
        event: name,
        detail,
        time_us,
    }
    .encode(&mut entry);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_and_ends_where_the_calendar_says() {
        for (time_s, month) in [
            (0, "1970-01"),
            (951_782_399, "2000-02"), // 2000-02-28T23:59:59Z
            (951_868_799, "2000-02"), // a leap day
            (951_868_800, "2000-03"),
            (1_796_083_199, "2026-11"), // 2026-11-30T23:59:59Z
            (1_796_083_200, "2026-12"),
            (4_107_542_399, "2100-02"), // 2100 has no leap day
            (4_107_542_400, "2100-03"),
        ] {
            assert_eq!(Month::of(time_s * 1_000_000).to_string(), month, "{time_s}");
        }
    }

    #[test]
    fn a_month_has_one_spelling() {
        let next = Month::parse("2026-12").map(|month| month.next().to_string());
        assert_eq!(next.as_deref(), Some("2027-01"));
        for wrong in [
            "2026-13", "2026-00", "2026-1", "26-01", "2026-001", "+026-01", "2026", "",
        ] {
            assert_eq!(Month::parse(wrong), None, "{wrong}");
        }
    }
}
