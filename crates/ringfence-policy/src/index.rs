//! What may decide on one action, found by what a request is: only conditions that can hold for it are asked.
//!
//! A condition that begins with a test of a name (the principal, who stands above it, the instrument, a text or credential
//! of the context) can only hold where that name is in the request.

use std::collections::HashMap;
use std::hash::Hash;

use cedar_policy::{Effect, Entities, Entity, EntityUid};
use ringfence_core::principal::Kind;

use crate::action::Action;
use crate::condition::{Facts, Test, compile};
use crate::part::Part;
use crate::reads::Reads;
use crate::request::Request;
use crate::set::{Written, is_about};
use crate::source::Problem;

/// A policy's place in the order of their ids.
pub(crate) type Rank = u32;

/// One policy, for this action.
#[derive(Debug)]
struct Rule {
    rank: Rank,
    effect: Effect,
    test: Test,
}

type Rules = Vec<u32>;

/// What policies said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) forbid: Vec<Rank>,
    pub(crate) permit: Vec<Rank>,
    /// Whom Cedar must be asked about.
    pub(crate) unsure: Vec<Rank>,
}

/// What may decide on an action.
#[derive(Debug)]
pub(crate) struct Index {
    rules: Vec<Rule>,
    always: Rules,
    principal: [Names; Kind::ALL.len()],
    instrument: Names,
    texts: Vec<(Part, Names)>,
    pub(crate) parts: Vec<Part>,
    pub(crate) plan: Vec<(Part, Option<Vec<i64>>)>,
    pub(crate) uid: EntityUid,
    /// The action, and the groups that it is in.
    pub(crate) entities: Entities,
}

type Names = HashMap<Box<str>, Rules>;

fn add<K: Eq + Hash>(names: &mut HashMap<K, Rules>, name: K, rule: u32) {
    let rules = names.entry(name).or_default();
    // A name may be there twice in a list.
    if rules.last() != Some(&rule) {
        rules.push(rule);
    }
}

impl Index {
    /// Indexes `policies`, in the order of their ids, for `action`.
    pub(crate) fn new(
        action: Action,
        policies: &[(Rank, &Written)],
        actions: &Entities,
    ) -> Result<Self, Problem> {
        let uid = action.uid()?;
        let above = actions.ancestors(&uid).into_iter().flatten();
        let own = Entity::new_no_attrs(uid.clone(), above.cloned().collect());
        let entities = Entities::from_entities([own], None);
        let mut index = Self {
            rules: Vec::new(),
            always: Rules::new(),
            principal: Default::default(),
            instrument: Names::new(),
            texts: Vec::new(),
            parts: Vec::new(),
            plan: Vec::new(),
            uid,
            entities: entities.map_err(|e| Problem::whole("ringfence.cedarschema", e))?,
        };
        let mut reads = Reads::default();
        for (rank, written) in policies {
            if !is_about(&written.policy, action) {
                continue;
            }
            reads.merge(&written.reads);
            let test = compile(&written.policy.as_ref().condition(), action);
            if !matches!(test, Test::Known(false)) {
                index.put(Rule {
                    rank: *rank,
                    effect: written.policy.effect(),
                    test,
                });
            }
        }
        index.parts = reads.parts().into_iter().collect();
        let parts = index.parts.iter();
        index.plan = parts.map(|part| (*part, reads.bounds(*part))).collect();
        Ok(index)
    }

    fn put(&mut self, rule: Rule) {
        let number = self.rules.len() as u32;
        match key(&rule.test) {
            None => self.always.push(number),
            Some(Test::Principal(names) | Test::Standing(names)) => {
                for who in names {
                    add(
                        &mut self.principal[who.kind as usize],
                        who.name.clone(),
                        number,
                    );
                }
            }
            Some(Test::Instrument(names)) => {
                for name in names {
                    add(&mut self.instrument, name.clone(), number);
                }
            }
            Some(Test::Text(part, texts)) => {
                let place = self.texts.iter().position(|(own, _)| own == part);
                let place = place.unwrap_or_else(|| {
                    self.texts.push((*part, Names::new()));
                    self.texts.len() - 1
                });
                for text in texts {
                    add(&mut self.texts[place].1, text.clone(), number);
                }
            }
            Some(_) => self.always.push(number),
        }
        self.rules.push(rule);
    }

    /// Asks those that can hold.
    pub(crate) fn ask(&self, request: &Request<'_>) -> Said {
        let facts = Facts::new(request, &self.parts);
        let mut said = Said::default();
        self.hear(&self.always, &facts, &mut said);
        let own = std::iter::once((request.kind, request.principal));
        let above = request.above.iter().map(|above| (above.kind, &*above.name));
        for (kind, name) in own.chain(above) {
            self.look(
                &self.principal[kind as usize],
                Some(name),
                &facts,
                &mut said,
            );
        }
        self.look(&self.instrument, request.instrument, &facts, &mut said);
        for (part, names) in &self.texts {
            self.look(names, facts.text(*part), &facts, &mut said);
        }
        // A policy of two groups is found by each.
        for ranks in [&mut said.forbid, &mut said.permit, &mut said.unsure] {
            ranks.sort_unstable();
            ranks.dedup();
        }
        said
    }

    fn look(&self, names: &Names, name: Option<&str>, facts: &Facts<'_>, said: &mut Said) {
        if names.is_empty() {
            return;
        }
        if let Some(rules) = name.and_then(|name| names.get(name)) {
            self.hear(rules, facts, said);
        }
    }

    fn hear(&self, rules: &Rules, facts: &Facts<'_>, said: &mut Said) {
        for rule in rules.iter().map(|number| &self.rules[*number as usize]) {
            match (rule.test.holds(facts), rule.effect) {
                (Some(false), _) => {}
                (Some(true), Effect::Forbid) => said.forbid.push(rule.rank),
                (Some(true), Effect::Permit) => said.permit.push(rule.rank),
                (None, _) => said.unsure.push(rule.rank),
            }
        }
    }
}

/// Returns the test of a name that a condition cannot hold without, the most telling first. What is asked before it must be
/// certain: where it fails in Cedar, the policy fails, whatever the name.
fn key(test: &Test) -> Option<&Test> {
    let Test::All(tests) = test else {
        return Some(test).filter(|test| telling(test).is_some() && test.is_certain(&[]));
    };
    let mut there = Vec::new();
    let mut found: Option<&Test> = None;
    for test in tests {
        if !test.is_certain(&there) {
            break;
        }
        there.extend(test.part_there());
        let better = telling(test).filter(|own| found.and_then(telling).is_none_or(|f| *own < f));
        if better.is_some() {
            found = Some(test);
        }
    }
    found
}

/// Returns how much a test of a name tells apart: less is more.
#[allow(clippy::wildcard_enum_match_arm)] // few among many
fn telling(test: &Test) -> Option<u8> {
    match test {
        Test::Text(Part::Credential, _) => Some(0),
        Test::Principal(_) => Some(1),
        Test::Standing(_) => Some(2),
        Test::Instrument(_) => Some(3),
        Test::Text(..) => Some(4),
        _ => None,
    }
}
