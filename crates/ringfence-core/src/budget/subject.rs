//! Whose budget a limit is, and the key that what a subject used is found by.
//!
//! Keys are 128 bits of a keyed hash whose key is random for each process: nobody outside can make two subjects meet,
//! and that two meet by chance is as likely as guessing a key.

use std::fmt;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

use super::Payer;
use crate::address::Prefix;
use crate::credential::Credential;
use crate::shard::Shard;

/// Whose budget a limit is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// The account behind the credential.
    Account,
    /// The peer's address (IPv6: its /64).
    Address,
    /// The credential.
    Credential,
    /// Everything that this gateway is asked, whoever asks.
    Global,
    /// The peer's network: IPv4 /24, IPv6 /48.
    Network,
    /// What is asked.
    Operation,
    /// Who stands at the top above the account, or the account itself.
    Organisation,
    /// The shard that the account stands in.
    Shard,
    /// One of the few cells that are open to who comes from one network without a key.
    Stranger,
    /// The instrument of an order.
    Symbol,
    /// Everything that this gateway sends, whoever asked.
    Upstream,
    /// The venue key that signs, whoever acts.
    Venue,
}

impl Subject {
    /// All subjects, by name.
    pub const ALL: [Self; 12] = [
        Self::Account,
        Self::Address,
        Self::Credential,
        Self::Global,
        Self::Network,
        Self::Operation,
        Self::Organisation,
        Self::Shard,
        Self::Stranger,
        Self::Symbol,
        Self::Upstream,
        Self::Venue,
    ];

    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Address => "address",
            Self::Credential => "credential",
            Self::Global => "global",
            Self::Network => "network",
            Self::Operation => "operation",
            Self::Organisation => "organisation",
            Self::Shard => "shard",
            Self::Stranger => "stranger",
            Self::Symbol => "symbol",
            Self::Upstream => "upstream",
            Self::Venue => "venue",
        }
    }

    /// Returns the subject called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|subject| subject.as_str() == text)
    }

    /// Tells whether a message has it.
    fn is_of(self, payer: &Payer<'_>) -> bool {
        match self {
            Self::Account | Self::Credential | Self::Organisation => payer.credential.is_some(),
            Self::Address | Self::Global | Self::Network | Self::Operation => true,
            Self::Shard => payer.credential.and_then(Credential::shard).is_some(),
            Self::Stranger => payer.credential.is_none(),
            Self::Symbol => !payer.orders.is_empty() || !payer.about.is_empty(),
            Self::Upstream => payer.upstream.is_some(),
            Self::Venue => payer.venue.is_some(),
        }
    }

    /// Returns what people call the one that a message has, whose order is in `symbol`; none where there is only one.
    pub(super) fn name(self, payer: &Payer<'_>, symbol: &str) -> Option<Box<str>> {
        let prefix = Prefix::of(payer.peer);
        match self {
            Self::Account => payer.credential.map(|who| who.account().into()),
            Self::Address => Some(prefix.to_string().into()),
            Self::Credential => payer.credential.map(|who| who.key_id().into()),
            Self::Network => Some(prefix.wider().to_string().into()),
            Self::Operation => Some(payer.operation.as_str().into()),
            Self::Organisation => payer.credential.map(|who| {
                let top = who.standing().above.last();
                top.map_or_else(|| who.account().into(), |top| top.name.clone())
            }),
            Self::Shard => {
                let shard = payer.credential.and_then(Credential::shard);
                shard.map(|shard| shard.to_string().into())
            }
            Self::Symbol => Some(symbol.into()),
            Self::Venue => payer.venue.map(|meter| meter.name().into()),
            Self::Global | Self::Stranger | Self::Upstream => None,
        }
    }

    /// Writes which one of its kind a message has.
    fn write(self, payer: &Payer<'_>, pick: Pick, to: &mut impl Hasher) {
        let prefix = Prefix::of(payer.peer);
        match self {
            Self::Account => payer.credential.map(|who| who.account()).hash(to),
            Self::Address => prefix.hash(to),
            Self::Credential => payer.credential.map(|who| who.key_id()).hash(to),
            Self::Network => prefix.wider().hash(to),
            Self::Operation => payer.operation.hash(to),
            Self::Organisation => {
                let top = payer.credential.and_then(|who| who.standing().above.last());
                let account = payer.credential.map(|who| who.account());
                (top, account.filter(|_| top.is_none())).hash(to);
            }
            Self::Shard => payer.credential.and_then(Credential::shard).hash(to),
            Self::Stranger => pick.cell.hash(to),
            Self::Symbol => pick.symbol.hash(to),
            Self::Venue => payer.venue.map(|meter| meter.name()).hash(to),
            Self::Global | Self::Upstream => {}
        }
    }
}

impl Subject {
    /// Spells which one of its kind a message has, for all gateways alike.
    pub(super) fn spell(self, payer: &Payer<'_>, symbol: &str, mut put: impl FnMut(&[u8])) {
        let who = payer.credential;
        match self {
            Self::Account => put(who.map_or("", |who| who.account()).as_bytes()),
            Self::Address => put(&Prefix::of(payer.peer).spelled()),
            Self::Credential => put(who.map_or("", |who| who.key_id()).as_bytes()),
            Self::Network => put(&Prefix::of(payer.peer).wider().spelled()),
            Self::Operation => put(payer.operation.as_str().as_bytes()),
            Self::Organisation => {
                let standing = who.map(|who| who.standing());
                let top = standing.as_ref().and_then(|standing| standing.above.last());
                // As an account is not what stands above it, though both may have one name.
                put(top.map_or("", |above| &above.name).as_bytes());
                put(who
                    .filter(|_| top.is_none())
                    .map_or("", |who| who.account())
                    .as_bytes());
            }
            Self::Shard => {
                let shard = who.and_then(Credential::shard);
                put(shard
                    .map(|shard| shard.to_string())
                    .unwrap_or_default()
                    .as_bytes());
            }
            Self::Symbol => put(symbol.as_bytes()),
            Self::Venue => put(payer.venue.map_or("", |meter| meter.name()).as_bytes()),
            // INVARIANT: strangers have cells on each gateway alone: the snapshot's check says so.
            Self::Global | Self::Stranger | Self::Upstream => {}
        }
    }
}

/// Which of several a message is charged to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pick {
    /// Of its instruments; 0: one that is not listed.
    pub(super) symbol: u32,
    /// Of the cells that are open to its network.
    pub(super) cell: u16,
}

/// A combination of subjects, such as an account's orders in one instrument. Never empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subjects(u16);

impl From<Subject> for Subjects {
    fn from(subject: Subject) -> Self {
        Self(1 << subject as u16)
    }
}

impl fmt::Display for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.iter().map(Subject::as_str);
        f.write_str(words.next().unwrap_or_default())?;
        words.try_for_each(|word| write!(f, "+{word}"))
    }
}

impl Subjects {
    /// Returns this combination with `subject` in it.
    #[must_use]
    pub const fn with(self, subject: Subject) -> Self {
        Self(self.0 | 1 << subject as u16)
    }

    /// Tells whether `subject` is in it.
    pub const fn contains(self, subject: Subject) -> bool {
        self.0 & (1 << subject as u16) != 0
    }

    /// Returns what is in it.
    pub fn iter(self) -> impl Iterator<Item = Subject> {
        Subject::ALL.into_iter().filter(move |s| self.contains(*s))
    }

    /// Tells whether it is `subject` alone.
    pub fn is(self, subject: Subject) -> bool {
        self == subject.into()
    }

    /// Tells whether anybody can make new ones by asking.
    pub(super) const fn open_to_strangers(self) -> bool {
        self.contains(Subject::Address) || self.contains(Subject::Network)
    }

    /// Tells whether a message has all of it.
    pub(super) fn is_of(self, payer: &Payer<'_>) -> bool {
        self.iter().all(|subject| subject.is_of(payer))
    }

    /// Returns the key of a message's own among the subjects of `group`. Never 0.
    pub(super) fn key(
        self,
        random: &RandomState,
        group: u16,
        payer: &Payer<'_>,
        pick: Pick,
    ) -> u128 {
        key_of(random, group, |hasher| {
            self.iter()
                .for_each(|subject| subject.write(payer, pick, hasher));
        })
    }

    /// Returns the key of a shard among those of `group`, which are of nothing else.
    pub(super) fn key_of_shard(random: &RandomState, group: u16, shard: Shard) -> u128 {
        key_of(random, group, |hasher| Some(shard).hash(hasher))
    }
}

fn key_of(random: &RandomState, group: u16, write: impl Fn(&mut DefaultHasher)) -> u128 {
    let half = |domain: u8| {
        let mut hasher = random.build_hasher();
        hasher.write_u8(domain);
        hasher.write_u16(group);
        write(&mut hasher);
        u128::from(hasher.finish())
    };
    ((half(0) << 64) | half(1)).max(1)
}
