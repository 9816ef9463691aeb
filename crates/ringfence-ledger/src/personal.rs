//! Personal data: in the entry a salted commitment, beside the log what it stands for.
//!
//! The file `personal` of a volume has one line for each value that its entries name:
//!
//! ```json
//! {"commitment":"sha256:…","field":"address","salt":"…","value":"203.0.113.9"}
//! ```
//!
//! The commitment is `sha256:` and the SHA-256, in base64url without padding, of four lines joined
//! by line feeds: `ringfence personal data v1`, the field, the salt as it stands, the value. A salt
//! is 32 bytes, in base64url. So a line that is removed leaves nothing from which the value could
//! be guessed, and the tree over the entries stays as it is.
//!
//! **Invariant:** a line is durable before any entry that holds its commitment.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::LedgerError;
use crate::fault::{Fault, FaultKind, Part};
use crate::posix::PosixStore;
use crate::store::{Source, Store, read_up_to};

/// Values whose commitment is remembered. Beyond that they get a new one, and a line more.
const REMEMBERED: usize = 65_536;
const PREFIX: &str = "sha256:";
/// Characters of 32 bytes in base64url without padding.
const DIGITS: usize = 43;
const DOMAIN: &str = "ringfence personal data v1";
const ADDRESS: &str = "address";

/// What stands in an entry for a value.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Commitment([u8; PREFIX.len() + DIGITS]);

impl Commitment {
    /// The commitment to `value` of `field` with the salt that `salt` is the text of.
    pub fn to(field: &str, salt: &str, value: &str) -> Self {
        let text = format!("{DOMAIN}\n{field}\n{salt}\n{value}");
        let mut commitment = [0; PREFIX.len() + DIGITS];
        commitment[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
        commitment[PREFIX.len()..].copy_from_slice(hash.as_bytes());
        Self(commitment)
    }

    /// The commitment in a text; none when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let whole: [u8; 32] = URL_SAFE_NO_PAD.decode(digits).ok()?.try_into().ok()?;
        let same = URL_SAFE_NO_PAD.encode(whole) == digits;
        same.then(|| text.as_bytes().try_into().ok().map(Self))?
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        // Made of ASCII only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A client's address, as an entry holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Address {
    /// As it is.
    Clear(IpAddr),
    /// Its commitment.
    Committed(Commitment),
    /// Not at all: too much waits to be written.
    Withheld,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear(address) => address.fmt(f),
            Self::Committed(commitment) => f.write_str(commitment.as_str()),
            Self::Withheld => f.write_str("withheld"),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self::Clear(address)
    }
}

/// Which commitments stand for which addresses at present.
pub(crate) struct Memory {
    known: RwLock<HashMap<IpAddr, Commitment>>,
    /// From which salts are made, and how many were.
    seed: [u8; 32],
    made: std::sync::atomic::AtomicU64,
}

impl Memory {
    pub(crate) fn new() -> Result<Self, LedgerError> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| {
            let source = io::Error::other("the system gives no random bytes");
            LedgerError::io("making salts")(source)
        })?;
        Ok(Self {
            known: RwLock::default(),
            seed,
            made: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// What stands for `address`. For a new one `keep` is given its line, and says whether it took it.
    pub(crate) fn seal(&self, address: IpAddr, keep: impl FnOnce(&[u8]) -> bool) -> Address {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(commitment) = known.get(&address) {
            return Address::Committed(*commitment);
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(commitment) = known.get(&address) {
            return Address::Committed(*commitment);
        }
        let (salt, value) = (self.salt(), address.to_string());
        let commitment = Commitment::to(ADDRESS, &salt, &value);
        // Whoever finds it here puts an entry behind the line, not before it.
        if !keep(line(&commitment, &salt, &value).as_bytes()) {
            return Address::Withheld;
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(address, commitment);
        Address::Committed(commitment)
    }

    fn salt(&self) -> String {
        let number = self
            .made
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
            .to_be_bytes();
        let mut input = [0; 40];
        input[..32].copy_from_slice(&self.seed);
        input[32..].copy_from_slice(&number);
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &input))
    }

    /// Takes over what the lines of a volume say, and forgets all else.
    pub(crate) fn start(&self, lines: &Lines) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.clear();
        let newest = lines.rows.iter().rev().take(REMEMBERED);
        known.extend(newest.filter_map(|row| Some((row.value.parse().ok()?, row.commitment))));
    }

    /// Forgets what these stand for: the same address is somebody new to it afterwards.
    pub(crate) fn forget(&self, commitments: &HashSet<Commitment>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, commitment| !commitments.contains(commitment));
    }
}

/// One line, read.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) commitment: Commitment,
    value: Box<str>,
    text: Box<str>,
}

fn line(commitment: &Commitment, salt: &str, value: &str) -> String {
    let commitment = commitment.as_str();
    format!(
        "{{\"commitment\":\"{commitment}\",\"field\":\"{ADDRESS}\",\"salt\":\"{salt}\",\
         \"value\":\"{value}\"}}\n"
    )
}

fn parse(text: &str) -> Option<Row> {
    let mut quoted = text.split('"');
    let (commitment, salt) = (quoted.nth(3)?, quoted.nth(7)?);
    let value = quoted.nth(3)?;
    let right = Commitment::to(ADDRESS, salt, value);
    let whole = right.as_str() == commitment && line(&right, salt, value) == format!("{text}\n");
    whole.then(|| Row {
        commitment: right,
        value: value.into(),
        text: text.into(),
    })
}

/// What the file of a volume holds.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) rows: Vec<Row>,
    /// Bytes of whole lines.
    pub(crate) end: u64,
    /// Bytes of a line that a crash cut short.
    pub(crate) torn: u64,
    pub(crate) bad: Option<Fault>,
}

impl Lines {
    /// Reads the file; none where there is none.
    pub(crate) fn read(source: &dyn Source) -> io::Result<Option<Self>> {
        let Some(size) = source.size(Part::Personal)? else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(io::Error::other)?;
        let content = read_up_to(source, Part::Personal, 0, size)?;
        let mut lines = Self::default();
        let mut rest = content.as_slice();
        while let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
            let line = &rest[..length];
            // Where the power was cut, blocks that were not written read as zeros.
            if line.contains(&0) {
                break;
            }
            let Some(row) = std::str::from_utf8(line).ok().and_then(parse) else {
                lines.bad = Some(altered(lines.end));
                break;
            };
            lines.rows.push(row);
            lines.end += length as u64 + 1;
            rest = &rest[length + 1..];
        }
        lines.torn = rest.len() as u64;
        Ok(Some(lines))
    }

    /// The file without `commitments`, and how many lines that takes away.
    fn without(&self, commitments: &HashSet<Commitment>) -> (Vec<u8>, u64) {
        let kept = self.rows.iter();
        let kept = kept.filter(|row| !commitments.contains(&row.commitment));
        let (mut content, mut count) = (Vec::new(), 0);
        for row in kept {
            content.extend_from_slice(row.text.as_bytes());
            content.push(b'\n');
            count += 1;
        }
        (content, self.rows.len() as u64 - count)
    }
}

/// What is to be said where values are gone of which no entry says that they were erased.
pub(crate) fn unaccounted(gone: u64, told: u64) -> Fault {
    Fault {
        part: Part::Personal,
        offset: 0,
        entry: None,
        kind: FaultKind::PersonalMissing,
        sentence: format!(
            "what {gone} commitments in the entries stand for is gone; entries say of {told} that \
             they were erased"
        ),
    }
}

fn altered(offset: u64) -> Fault {
    Fault {
        part: Part::Personal,
        offset,
        entry: None,
        kind: FaultKind::PersonalAltered,
        sentence: "this line does not fit its commitment: it was altered".into(),
    }
}

/// Removes the lines of `commitments` from the file in `store` for good, and returns how many there were.
pub(crate) fn erase_in(
    store: &mut dyn Store,
    commitments: &HashSet<Commitment>,
) -> Result<u64, LedgerError> {
    let doing = || LedgerError::io("erasing personal data");
    let Some(lines) = Lines::read(&*store).map_err(doing())? else {
        return Ok(0);
    };
    if let Some(fault) = lines.bad {
        return Err(LedgerError::Damaged(Box::new(fault)));
    }
    let (content, count) = lines.without(commitments);
    if count > 0 {
        store.replace(Part::Personal, &content).map_err(doing())?;
    }
    Ok(count)
}

/// Removes what `commitments` stand for from the volume in `directory`, which nobody may be writing.
/// Returns how many there were.
///
/// # Errors
///
/// [`LedgerError`]: `Locked` while it is written, `Damaged` when its file is not as it was written.
pub fn erase(directory: &Path, commitments: &HashSet<Commitment>) -> Result<u64, LedgerError> {
    erase_in(&mut PosixStore::open(directory)?, commitments)
}

/// What verifying learns of the personal data of one volume.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What the volume before resolves: its last entries may have come late.
    pub(crate) before: HashSet<Commitment>,
    /// What this one resolves.
    pub(crate) own: HashSet<Commitment>,
    pub(crate) missing: HashSet<Commitment>,
    /// The volume before is gone, and with it what its last entries stood for.
    pub(crate) orphaned: bool,
    pub(crate) last: Option<Commitment>,
}

/// More entries than can have been under way while a volume was begun.
const UNDER_WAY: u64 = 65_536;

impl Seen {
    /// Takes in what the file of the volume resolves.
    pub(crate) fn knows(&mut self, lines: &Lines) {
        for row in &lines.rows {
            self.missing.remove(&row.commitment);
            self.own.insert(row.commitment);
        }
    }

    /// Takes in the field `address` of entry `index` of the volume.
    pub(crate) fn take(&mut self, index: u64, text: &str) {
        if self
            .last
            .is_some_and(|commitment| commitment.as_str() == text)
        {
            return;
        }
        let Some(commitment) = Commitment::parse(text) else {
            return;
        };
        self.last = Some(commitment);
        let excused = self.orphaned && index < UNDER_WAY;
        let known = self.own.contains(&commitment) || self.before.contains(&commitment);
        if !excused && !known {
            self.missing.insert(commitment);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sealed(memory: &Memory, address: [u8; 4]) -> (Address, Vec<u8>) {
        let mut kept = Vec::new();
        let address = memory.seal(IpAddr::from(address), |line| {
            kept.extend_from_slice(line);
            true
        });
        (address, kept)
    }

    #[test]
    fn a_commitment_is_the_hash_that_the_format_says() {
        // printf 'ringfence personal data v1\naddress\nc2FsdA\n203.0.113.9' | openssl dgst -sha256 -binary | base64
        let commitment = Commitment::to("address", "c2FsdA", "203.0.113.9");
        assert_eq!(Commitment::parse(commitment.as_str()), Some(commitment));
        let text = "ringfence personal data v1\naddress\nc2FsdA\n203.0.113.9";
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
        assert_eq!(commitment.as_str(), format!("sha256:{hash}"));
        for wrong in ["", "203.0.113.9", "sha256:", "sha256:AAAA"] {
            assert_eq!(Commitment::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_address_has_one_commitment_and_another_memory_makes_another() {
        let (first, second) = (Memory::new().unwrap(), Memory::new().unwrap());
        let (address, row) = sealed(&first, [203, 0, 113, 9]);
        assert_eq!(sealed(&first, [203, 0, 113, 9]), (address, Vec::new()));
        assert!(parse(std::str::from_utf8(&row).unwrap().trim_end()).is_some());
        assert_ne!(sealed(&second, [203, 0, 113, 9]).0, address);
        assert_ne!(sealed(&first, [203, 0, 113, 10]).0, address);
    }

    #[test]
    fn memory_has_a_bound_and_what_finds_no_room_is_withheld() {
        let memory = Memory::new().unwrap();
        for number in 0..=REMEMBERED as u32 {
            memory.seal(IpAddr::from(number.to_be_bytes()), |_| true);
        }
        assert!(memory.known.read().unwrap().len() <= REMEMBERED);
        let refused = memory.seal(IpAddr::from([9, 9, 9, 9]), |_| false);
        assert_eq!(refused, Address::Withheld);
    }

    #[test]
    fn no_altered_line_is_taken() {
        let (_, row) = sealed(&Memory::new().unwrap(), [203, 0, 113, 9]);
        let text = std::str::from_utf8(&row).unwrap().trim_end();
        for at in 0..text.len() {
            for bit in 0..7 {
                let mut other = text.as_bytes().to_vec();
                other[at] ^= 1 << bit;
                let other = String::from_utf8(other).unwrap();
                assert!(parse(&other).is_none(), "{other}");
            }
        }
    }
}
