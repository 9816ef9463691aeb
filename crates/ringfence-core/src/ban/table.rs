//! The bans in force.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::address::Prefix;
use crate::refusal::{Code, Detail, Refusal};

/// Whom a ban is about.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Target {
    /// A credential, by its id.
    Credential(Box<str>),
    /// An address or a network.
    Network(Prefix),
}

const KEY: &str = "key:";

impl Target {
    /// Parses `key:ID`, or a network as [`Prefix::parse`] takes it.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(KEY) {
            Some(id) if (1..=256).contains(&id.len()) => Some(Self::Credential(id.into())),
            Some(_) => None,
            None => Prefix::parse(text).ok().map(Self::Network),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(id) => write!(f, "{KEY}{id}"),
            Self::Network(prefix) => write!(f, "{prefix}"),
        }
    }
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Returns the word used everywhere.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// What who is banned is answered.
    Answer {
        /// Kept out, in the venue's own words.
        Ban "ban",
        /// Told to slow down.
        Wait "wait",
    }
}

words! {
    /// Whom of those behind a banned address it keeps out.
    Reach {
        /// Everybody.
        All "all",
        /// Who is not known there by a good signature.
        Strangers "strangers",
    }
}

words! {
    /// Who says so.
    Origin {
        /// What it did, by the rules.
        Ladder "ladder",
        /// An operator.
        Operator "operator",
        /// Another node.
        Peer "peer",
    }
}

/// One ban.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ban {
    /// Whom it is about.
    pub target: Target,
    /// What they are answered.
    pub answer: Answer,
    /// Whom it keeps out.
    pub reach: Reach,
    /// Who says so.
    pub origin: Origin,
    /// The step of the ladder, counted from 1; 0 for none.
    pub step: u8,
    /// When it began; microseconds since the Unix epoch.
    pub since_us: u64,
    /// When it ends.
    pub until_us: u64,
    /// Why.
    pub why: Box<str>,
}

impl Ban {
    /// Returns what who is banned is told.
    pub fn refusal(&self, now_us: u64) -> Refusal {
        let wait_ms = self.until_us.saturating_sub(now_us).div_ceil(1000).max(1);
        match self.answer {
            Answer::Ban => Refusal::new(Code::Banned).with(Detail::From(self.until_us)),
            Answer::Wait => Refusal::new(Code::EdgeRate),
        }
        .retry_after(wait_ms)
    }

    const fn lasts(&self, now_us: u64) -> bool {
        now_us < self.until_us
    }

    /// Tells which of two on one target stays: an operator's last word, then the later end.
    fn yields_to(&self, new: &Self, now_us: u64) -> bool {
        match (self.origin, new.origin) {
            (_, Origin::Operator) => true,
            (Origin::Operator, _) => !self.lasts(now_us),
            _ => new.until_us >= self.until_us,
        }
    }

    /// How much it takes away, for the strictest of several.
    const fn weight(&self) -> (bool, bool, u64) {
        let all = matches!(self.reach, Reach::All);
        (all, matches!(self.answer, Answer::Ban), self.until_us)
    }
}

/// What became of a ban that was to be put in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Applied {
    /// There is no room for one that is not an operator's.
    Full,
    /// What is in force already stays.
    Kept,
    /// It is in force.
    Taken,
}

#[derive(Debug, Default)]
struct Bans {
    /// By their ids, so that one is looked up by what a message says.
    credentials: HashMap<Box<str>, Arc<Ban>>,
    networks: HashMap<Prefix, Arc<Ban>>,
    /// The lengths of the networks.
    lengths: BTreeSet<u8>,
}

impl Bans {
    fn len(&self) -> usize {
        self.credentials.len() + self.networks.len()
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Ban>> {
        self.credentials.values().chain(self.networks.values())
    }

    fn get(&self, target: &Target) -> Option<&Arc<Ban>> {
        match target {
            Target::Credential(id) => self.credentials.get(id),
            Target::Network(prefix) => self.networks.get(prefix),
        }
    }

    fn put(&mut self, ban: Ban) {
        let ban = Arc::new(ban);
        match &ban.target {
            Target::Credential(id) => {
                self.credentials.insert(id.clone(), ban);
            }
            Target::Network(prefix) => {
                let prefix = *prefix;
                self.lengths.insert(prefix.length());
                self.networks.insert(prefix, ban);
            }
        }
    }

    /// Takes one out; `measure` is to follow.
    fn take(&mut self, target: &Target) -> Option<Arc<Ban>> {
        match target {
            Target::Credential(id) => self.credentials.remove(id),
            Target::Network(prefix) => self.networks.remove(prefix),
        }
    }

    fn measure(&mut self) {
        self.lengths = self.networks.keys().map(|prefix| prefix.length()).collect();
    }
}

/// All bans. What has ended is nobody's any more, whether or not it was taken out yet.
#[derive(Debug)]
pub struct BanTable {
    bans: RwLock<Bans>,
    /// How many there are, so that nobody is asked for who is not there.
    count: AtomicUsize,
    /// Goes up with every change.
    changes: AtomicU64,
    capacity: usize,
}

impl BanTable {
    /// Makes one with room for `capacity` bans that are not operators'.
    pub fn new(capacity: usize) -> Self {
        Self {
            bans: RwLock::default(),
            count: AtomicUsize::new(0),
            changes: AtomicU64::new(0),
            capacity,
        }
    }

    /// Returns a number that is another one once a ban is in force or lifted.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Puts a ban in force. It is when this returns.
    pub fn apply(&self, ban: Ban, now_us: u64) -> Applied {
        let mut bans = self.bans.write().unwrap_or_else(PoisonError::into_inner);
        match bans.get(&ban.target) {
            Some(there) if !there.yields_to(&ban, now_us) => return Applied::Kept,
            None if bans.len() >= self.capacity && ban.origin != Origin::Operator => {
                return Applied::Full;
            }
            Some(_) | None => {}
        }
        bans.put(ban);
        self.changed(&bans);
        Applied::Taken
    }

    /// Lifts a ban, and returns it if it was in force.
    pub fn lift(&self, target: &Target) -> Option<Arc<Ban>> {
        let mut bans = self.bans.write().unwrap_or_else(PoisonError::into_inner);
        let lifted = bans.take(target);
        bans.measure();
        self.changed(&bans);
        lifted
    }

    /// Takes out what has ended.
    pub fn take_expired(&self, now_us: u64) -> Vec<Arc<Ban>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut bans = self.bans.write().unwrap_or_else(PoisonError::into_inner);
        let ended = bans.all().filter(|ban| !ban.lasts(now_us));
        let ended: Vec<_> = ended.map(Arc::clone).collect();
        for ban in &ended {
            bans.take(&ban.target);
        }
        if !ended.is_empty() {
            bans.measure();
            self.changed(&bans);
        }
        ended
    }

    /// Returns all that are in force, in the order of their targets.
    pub fn all(&self, now_us: u64) -> Vec<Arc<Ban>> {
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        let lasting = bans.all().filter(|ban| ban.lasts(now_us));
        let mut all: Vec<_> = lasting.map(Arc::clone).collect();
        all.sort_by(|one, other| one.target.cmp(&other.target));
        all
    }

    /// Returns the strictest ban on an address.
    pub fn of_address(&self, peer: IpAddr, now_us: u64) -> Option<Arc<Ban>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let v4 = Prefix::of(peer).is_v4();
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        let lengths = bans.lengths.iter().copied();
        let found = lengths.filter(|length| Prefix::is_of_v4(*length) == v4);
        let found = found.filter_map(|length| {
            let network = bans.networks.get(&Prefix::cut(peer, length));
            network.filter(|ban| ban.lasts(now_us))
        });
        found.max_by_key(|ban| ban.weight()).map(Arc::clone)
    }

    /// Returns the ban on a credential.
    pub fn of_credential(&self, key_id: &str, now_us: u64) -> Option<Arc<Ban>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        let found = bans.credentials.get(key_id);
        found.filter(|ban| ban.lasts(now_us)).map(Arc::clone)
    }

    fn changed(&self, bans: &Bans) {
        self.count.store(bans.len(), Ordering::Release);
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
