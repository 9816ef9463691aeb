//! The ladder: whoever goes on after being refused is made to wait, then longer, then kept out; whoever stops comes down
//! again by themselves.

use std::net::IpAddr;

use super::cells::Cells;
use super::table::{Answer, Ban, Origin, Reach, Target};
use crate::address::{Cidr, Prefix, Width};
use crate::edge::Quotas;
use crate::refusal::{Code, Refusal, Retry};

/// Points are kept in thousandths, so that they leak evenly.
const MILLI: u64 = 1000;
const SECOND_US: u64 = 1_000_000;

/// One step up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// What is answered.
    pub answer: Answer,
    /// For how long.
    pub seconds: u64,
}

/// How the ladder is climbed.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Points of an offence, by the refusal's code; what is not here costs nothing.
    pub points: Vec<(Code, u64)>,
    /// Points that take an address or a credential up one step. A network and a block take so many times as many.
    pub threshold: Quotas,
    /// Points that are forgotten in a second.
    pub leak_per_s: u64,
    /// After so long without an offence a step is taken back.
    pub forgive_s: u64,
    /// From the lowest; the last is repeated.
    pub steps: Vec<Step>,
    /// Whose addresses are never banned by it.
    pub exempt: Vec<Cidr>,
    /// How many offenders are remembered.
    pub offenders: usize,
}

/// What was refused, and of whom.
#[derive(Clone, Copy, Debug)]
pub struct Offence<'a> {
    /// Where it came from.
    pub peer: IpAddr,
    /// Who it is proved to be of: then it is the credential's, and no neighbour's.
    pub proved: Option<&'a str>,
    /// What was answered.
    pub refusal: &'a Refusal,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Subject {
    Credential(u64),
    Network(Prefix),
}

#[derive(Clone, Copy, Debug, Default)]
struct Offender {
    milli: u64,
    at_us: u64,
    step: u8,
    /// When what the last step brought is over.
    step_until_us: u64,
    /// Whether that was a ban: what is refused for it is no new offence.
    banned: bool,
    /// Until when it was told to wait. Only who comes again before has ignored it.
    told_until_us: u64,
}

impl Offender {
    /// Lets go of what time has forgiven.
    fn settle(&mut self, rules: &Rules, now_us: u64) {
        let passed_us = now_us.saturating_sub(self.at_us);
        let leaked = passed_us.saturating_mul(rules.leak_per_s) / (SECOND_US / MILLI);
        self.milli = self.milli.saturating_sub(leaked);
        let good_since_us = self.at_us.max(self.step_until_us);
        let good_us = now_us.saturating_sub(good_since_us);
        let forgiven = good_us / rules.forgive_s.saturating_mul(SECOND_US).max(1);
        let forgiven = u8::try_from(forgiven).unwrap_or(u8::MAX);
        self.step = self.step.saturating_sub(forgiven);
        self.at_us = self.at_us.max(now_us);
    }

    /// Notes that it was told to wait; tells whether it came though it had been told before.
    fn ignores(&mut self, retry: Retry, now_us: u64) -> bool {
        let Retry::AfterMs(after_ms) = retry else {
            return true;
        };
        if now_us < self.told_until_us {
            return true;
        }
        self.told_until_us = now_us.saturating_add(after_ms.saturating_mul(1000));
        false
    }

    /// Counts points; returns the step that they lead to.
    fn add(&mut self, points: u64, threshold: u64, rules: &Rules, now_us: u64) -> Option<Step> {
        self.milli = self.milli.saturating_add(points.saturating_mul(MILLI));
        if self.milli < threshold.saturating_mul(MILLI) {
            return None;
        }
        self.milli = 0;
        let step = rules
            .steps
            .get(usize::from(self.step))
            .or(rules.steps.last())?;
        let most = u8::try_from(rules.steps.len()).unwrap_or(u8::MAX);
        self.step = self.step.saturating_add(1).min(most);
        self.banned = step.answer == Answer::Ban;
        self.step_until_us = now_us.saturating_add(step.seconds.saturating_mul(SECOND_US));
        Some(*step)
    }

    /// How bad it would be to forget it.
    const fn worth(&self) -> u64 {
        ((self.step as u64) << 48).saturating_add(self.milli)
    }
}

/// What came of an offence.
enum Counted {
    /// It is banned already.
    Held,
    /// Nothing yet.
    Noted,
    /// It is one step higher.
    Climbed((u8, Step)),
}

/// Who has offended lately.
#[derive(Debug)]
pub(super) struct Ladder {
    rules: Rules,
    offenders: Cells<Subject, Offender>,
}

impl Ladder {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            offenders: Cells::new(rules.offenders),
            rules,
        }
    }

    /// Counts an offence; returns the bans that it leads to. `mark` stands for the credential that it is proved to be of.
    pub(super) fn offended(&self, offence: &Offence<'_>, mark: u64, now_us: u64) -> Vec<Ban> {
        let code = offence.refusal.code;
        let listed = self.rules.points.iter().find(|(listed, _)| *listed == code);
        let Some((_, points)) = listed else {
            return Vec::new();
        };
        let ban = |target, step| self.ban(target, step, code, now_us);
        if let Some(key_id) = offence.proved {
            let subject = Subject::Credential(mark);
            return match self.count(subject, offence, *points, Width::Address, now_us) {
                Counted::Climbed(step) => vec![ban(Target::Credential(key_id.into()), step)],
                Counted::Held | Counted::Noted => Vec::new(),
            };
        }
        let exempt = self.rules.exempt.iter();
        if exempt
            .into_iter()
            .any(|exempt| exempt.contains(offence.peer))
        {
            return Vec::new();
        }
        let mut bans = Vec::new();
        let wide = |width| Prefix::at(offence.peer, width).map(|prefix| (width, prefix));
        for (width, prefix) in Width::ALL.into_iter().filter_map(wide) {
            let subject = Subject::Network(prefix);
            match self.count(subject, offence, *points, width, now_us) {
                Counted::Climbed(step) => bans.push(ban(Target::Network(prefix), step)),
                Counted::Noted => {}
                // Who is kept out already does nothing more to its network.
                Counted::Held => break,
            }
        }
        bans
    }

    /// Remembers at which step a ban was, which this process did not see climb.
    pub(super) fn restore(&self, ban: &Ban, mark: u64) {
        let subject = match &ban.target {
            Target::Credential(_) => Subject::Credential(mark),
            Target::Network(prefix) => Subject::Network(*prefix),
        };
        let there = |offender: &mut Offender| {
            offender.step = offender.step.max(ban.step);
            offender.step_until_us = ban.until_us;
            offender.at_us = ban.since_us;
            offender.banned = ban.answer == Answer::Ban;
        };
        self.offenders
            .change(subject, Offender::default, Offender::worth, there);
    }

    /// Forgets what a target did.
    pub(super) fn forgive(&self, target: &Target, mark: u64) {
        self.offenders.forget(match target {
            Target::Credential(_) => Subject::Credential(mark),
            Target::Network(prefix) => Subject::Network(*prefix),
        });
    }

    fn count(
        &self,
        subject: Subject,
        offence: &Offence<'_>,
        points: u64,
        width: Width,
        now_us: u64,
    ) -> Counted {
        let rules = &self.rules;
        let climb = |offender: &mut Offender| {
            offender.settle(rules, now_us);
            if offender.banned && now_us < offender.step_until_us {
                return Counted::Held;
            }
            if !offender.ignores(offence.refusal.retry, now_us) {
                return Counted::Noted;
            }
            match offender.add(points, rules.threshold.of(width), rules, now_us) {
                Some(step) => Counted::Climbed((offender.step, step)),
                None => Counted::Noted,
            }
        };
        let counted = self
            .offenders
            .change(subject, Offender::default, Offender::worth, climb);
        counted.unwrap_or(Counted::Noted)
    }

    fn ban(&self, target: Target, (number, step): (u8, Step), code: Code, now_us: u64) -> Ban {
        Ban {
            target,
            answer: step.answer,
            reach: Reach::Strangers,
            origin: Origin::Ladder,
            step: number,
            since_us: now_us,
            until_us: now_us.saturating_add(step.seconds.saturating_mul(SECOND_US)),
            why: code.as_str().into(),
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.offenders.bytes()
    }
}

#[cfg(test)]
mod tests;
