//! What is subscribed to on a leg, so that it ends when nothing is any more.
//!
//! The venue's answers are not read: what it refused counts as subscribed to. Then the leg stays until its channel ends,
//! and never ends too early.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use ringfence_wire::{Effect, Times};

/// Topics that are told apart; with more, the leg stays until its channel ends.
const TOPICS: usize = 1024;
/// How long a leg stays that is good for nothing: so long the venue has for its answer, and the client to change its mind.
const UNUSED: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct Wanted {
    hasher: RandomState,
    /// What is kept of each topic.
    topics: HashSet<u64>,
    /// What is no topic, and how often it was begun.
    others: HashMap<Box<str>, u32>,
    /// There were too many to tell.
    uncounted: bool,
    /// Since when there is nothing, in microseconds since the Unix epoch.
    unused_us: Option<u64>,
}

impl Wanted {
    /// Notes what a message that is said at `now_us` begins and ends.
    pub(super) fn note(&mut self, effect: &Effect, now_us: u64) {
        match effect {
            Effect::None => return,
            Effect::Begins(topics) => topics.iter().for_each(|topic| self.begin(topic)),
            Effect::BeginsOther(name) => {
                let times = self.others.entry(name.as_str().into()).or_default();
                *times = times.saturating_add(1);
            }
            Effect::Ends(topics) => {
                for topic in topics {
                    self.topics.remove(&self.hasher.hash_one(topic));
                }
            }
            Effect::EndsTopics => {
                self.topics.clear();
                self.uncounted = false;
            }
            Effect::EndsOther(name, times) => self.end_other(name, *times),
        }
        let unused = self.topics.is_empty() && self.others.is_empty() && !self.uncounted;
        self.unused_us = unused.then_some(now_us);
    }

    fn begin(&mut self, topic: &str) {
        let topic = self.hasher.hash_one(topic);
        if self.topics.len() < TOPICS {
            self.topics.insert(topic);
        } else if !self.topics.contains(&topic) {
            self.uncounted = true;
        }
    }

    fn end_other(&mut self, name: &str, ends: Times) {
        if let Some(times) = self.others.get_mut(name) {
            *times -= 1;
            if ends == Times::All || *times == 0 {
                self.others.remove(name);
            }
        }
    }

    /// Returns in what time the leg ends because there is nothing; none while there is something.
    pub(super) fn unused_for(&self, now_us: u64) -> Option<Duration> {
        let since_us = now_us.saturating_sub(self.unused_us?);
        Some(UNUSED.saturating_sub(Duration::from_micros(since_us)))
    }
}

#[cfg(test)]
mod tests;
