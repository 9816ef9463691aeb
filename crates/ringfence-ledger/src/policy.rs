//! Policies: which logs and which witnesses must have signed a checkpoint for it to count.
//!
//! Source: c2sp.org/tlog-policy. Witness keys are Ed25519 cosignature keys (type 4); a policy with
//! others is refused as a whole, because leaving a witness out would weaken it.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::checkpoint::{Checkpoint, decimal};
use crate::cosignature;
use crate::note::{self, NoteError};
use crate::vkey::{CosignerKey, VerifierKey};

/// A well-formed policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    /// What each name stands for; a group names only what stands before it.
    terms: Vec<Term>,
    /// The term that must hold; none for `quorum none`.
    quorum: Option<usize>,
}

/// A witness of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Witness {
    /// Its name in the policy.
    pub name: String,
    /// The key it cosigns with.
    pub key: CosignerKey,
    /// Its submission prefix, where one is given.
    pub url: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Term {
    Witness(usize),
    Group { least: usize, members: Vec<usize> },
}

/// A checkpoint that a policy accepts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// Who cosigned it: the witness's name in the policy, and when, in seconds since the epoch.
    pub witnesses: Vec<(String, u64)>,
}

/// Why a policy cannot be read, or does not accept a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PolicyError {
    /// A line of the policy is wrong.
    Line {
        /// Its number, from 1; 0 where a line is missing.
        number: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The log's signature is missing or false.
    Log(NoteError),
    /// It is not a checkpoint.
    NotCheckpoint,
    /// Too few of the witnesses cosigned it.
    Quorum {
        /// Those that did.
        have: Vec<String>,
    },
    /// A cosignature is false.
    Witness {
        /// Whose.
        name: String,
    },
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Line`] names the first line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let mut reading = Reading::default();
        let allowed = |byte: &u8| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..);
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
            let wrong = |what: String| PolicyError::Line { number, what };
            if !line.iter().all(allowed) {
                return Err(wrong("a control character".into()));
            }
            // Names need not be UTF-8 in the specification; here they must, to be shown.
            let line = std::str::from_utf8(line).map_err(|_| wrong("not UTF-8".into()))?;
            let words: Vec<&str> = line
                .split([' ', '\t'])
                .filter(|word| !word.is_empty())
                .collect();
            if words.first().is_none_or(|word| word.starts_with('#')) {
                continue;
            }
            reading.line(&words).map_err(wrong)?;
        }
        match reading.quorum {
            Some(quorum) => Ok(Self {
                quorum,
                ..reading.policy
            }),
            None => Err(PolicyError::Line {
                number: 0,
                what: "there is no quorum line; `quorum none` asks for no witness".into(),
            }),
        }
    }

    /// The logs it names.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses it names.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The checkpoint in `note` when one of the policy's logs signed it and the quorum cosigned it.
    ///
    /// # Errors
    ///
    /// [`PolicyError`]: what is missing. A false signature by a key of the policy spoils the note.
    pub fn accept(&self, note: &[u8]) -> Result<Accepted, PolicyError> {
        let text = note::text(note).map_err(PolicyError::Log)?;
        let checkpoint = Checkpoint::parse_extended(text).ok_or(PolicyError::NotCheckpoint)?;
        let mut signed = false;
        for key in self
            .logs
            .iter()
            .filter_map(|key| key.of_volume(&checkpoint.origin))
        {
            match note::verify(note, &key) {
                Ok(_) => signed = true,
                Err(NoteError::NoSignature) => {}
                Err(error) => return Err(PolicyError::Log(error)),
            }
        }
        if !signed {
            return Err(PolicyError::Log(NoteError::NoSignature));
        }
        self.cosigned(note, checkpoint)
    }

    /// The same without looking at the log's signature, which the caller has checked.
    ///
    /// # Errors
    ///
    /// [`PolicyError`]: what is missing.
    pub fn cosigned(&self, note: &[u8], checkpoint: Checkpoint) -> Result<Accepted, PolicyError> {
        let mut times = vec![None; self.witnesses.len()];
        for (witness, time_s) in self.witnesses.iter().zip(&mut times) {
            *time_s =
                cosignature::verify(note, &witness.key).map_err(|_| PolicyError::Witness {
                    name: witness.name.clone(),
                })?;
        }
        let have = self.witnesses.iter().zip(&times);
        let have = have.filter_map(|(witness, time_s)| Some((witness.name.clone(), (*time_s)?)));
        let witnesses: Vec<(String, u64)> = have.collect();
        // A group stands behind its members, so one pass settles all terms.
        let mut holds: Vec<bool> = Vec::with_capacity(self.terms.len());
        for term in &self.terms {
            holds.push(match term {
                Term::Witness(at) => times[*at].is_some(),
                Term::Group { least, members } => {
                    members.iter().filter(|member| holds[**member]).count() >= *least
                }
            });
        }
        if self.quorum.is_none_or(|term| holds[term]) {
            return Ok(Accepted {
                checkpoint,
                witnesses,
            });
        }
        Err(PolicyError::Quorum {
            have: witnesses.into_iter().map(|(name, _)| name).collect(),
        })
    }
}

/// A policy of which some lines were read.
struct Reading {
    policy: Policy,
    quorum: Option<Option<usize>>,
    names: HashMap<String, usize>,
    /// Terms that are members of a group: each may be one only once.
    taken: HashSet<usize>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            policy: Policy {
                logs: Vec::new(),
                witnesses: Vec::new(),
                terms: Vec::new(),
                quorum: None,
            },
            quorum: None,
            names: HashMap::new(),
            taken: HashSet::new(),
        }
    }
}

impl Reading {
    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            ["log", key] | ["log", key, _] => self.log(key),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, least, ref members @ ..] => self.group(name, least, members),
            ["quorum", name] => self.quorum(name),
            [word, ..] => Err(format!(
                "`{word}` is no line of a policy, or has other fields"
            )),
            [] => Ok(()),
        }
    }

    fn log(&mut self, key: &str) -> Result<(), String> {
        let key = VerifierKey::parse(key).map_err(|error| error.to_string())?;
        if self.policy.logs.iter().any(|other| other.same_key(&key)) {
            return Err("a log with this key stands above".into());
        }
        self.policy.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), String> {
        let key = CosignerKey::parse(key).map_err(|error| error.to_string())?;
        let witnesses = &mut self.policy.witnesses;
        if witnesses.iter().any(|other| other.key.same_key(&key)) {
            return Err("a witness with this key stands above".into());
        }
        witnesses.push(Witness {
            name: name.to_owned(),
            key,
            url: url.map(str::to_owned),
        });
        let term = Term::Witness(witnesses.len() - 1);
        self.define(name, term)
    }

    fn group(&mut self, name: &str, least: &str, members: &[&str]) -> Result<(), String> {
        let least = match least {
            "any" => 1,
            "all" => members.len(),
            number => decimal(number)
                .and_then(|least| usize::try_from(least).ok())
                .ok_or_else(|| format!("`{number}` is no threshold"))?,
        };
        if !(1..=members.len()).contains(&least) {
            return Err(format!("{least} of {} members", members.len()));
        }
        let mut terms = Vec::new();
        for member in members {
            let term = self.term(member)?;
            if !self.taken.insert(term) {
                return Err(format!("`{member}` is a member already"));
            }
            terms.push(term);
        }
        let members = terms;
        self.define(name, Term::Group { least, members })
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("a second quorum".into());
        }
        self.quorum = Some(match name {
            "none" => None,
            name => Some(self.term(name)?),
        });
        Ok(())
    }

    fn term(&self, name: &str) -> Result<usize, String> {
        let term = self.names.get(name);
        term.copied()
            .ok_or_else(|| format!("no line above defines `{name}`"))
    }

    fn define(&mut self, name: &str, term: Term) -> Result<(), String> {
        let number = self.policy.terms.len();
        if name == "none" || self.names.insert(name.to_owned(), number).is_some() {
            return Err(format!("the name `{name}` is taken"));
        }
        self.policy.terms.push(term);
        Ok(())
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { number: 0, what } => write!(f, "the policy: {what}"),
            Self::Line { number, what } => write!(f, "line {number} of the policy: {what}"),
            Self::Log(error) => write!(f, "no log of the policy vouches for it: {error}"),
            Self::NotCheckpoint => f.write_str("it is no checkpoint"),
            Self::Quorum { have } if have.is_empty() => {
                f.write_str("no witness of the policy cosigned it")
            }
            Self::Quorum { have } => write!(
                f,
                "too few witnesses of the policy cosigned it: only {}",
                have.join(", ")
            ),
            Self::Witness { name } => write!(
                f,
                "the cosignature of witness {name} is false: it was altered or forged"
            ),
        }
    }
}

impl std::error::Error for PolicyError {}
