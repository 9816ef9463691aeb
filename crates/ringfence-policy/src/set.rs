//! A policy set: validated, compiled and indexed for each action; the decision. What has no compiled form is asked of Cedar.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Authorizer, Decision, Effect, Entities, Entity, EntityUid, Policy,
    PolicySet as CedarSet, Response, Schema, ValidationError, ValidationMode, Validator,
};
use serde::Deserialize;

use crate::action::{self, Action};
use crate::cache::Cache;
use crate::index::{Index, Rank};
use crate::part::Part;
use crate::reads::Reads;
use crate::request::{Request, word};
use crate::source::{Problem, Source, start};

/// What the configuration says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The policies' files.
    pub files: Vec<Source>,
}

/// What the policies say of one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// These failed, which permits nothing.
    Failed(Vec<Arc<str>>),
    /// These forbid it.
    Forbidden(Vec<Arc<str>>),
    /// These permit it, and none forbids it.
    Permitted(Vec<Arc<str>>),
    /// None permits it.
    Unpermitted,
}

impl Verdict {
    /// Returns the word for people and programs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Forbidden(_) => "forbidden",
            Self::Permitted(_) => "permitted",
            Self::Unpermitted => "unpermitted",
        }
    }

    /// Returns the deciding policies' ids, sorted.
    pub fn policies(&self) -> &[Arc<str>] {
        match self {
            Self::Failed(ids) | Self::Forbidden(ids) | Self::Permitted(ids) => ids,
            Self::Unpermitted => &[],
        }
    }
}

/// A policy and where it is written.
#[derive(Debug)]
pub struct Written {
    /// The policy.
    pub policy: Policy,
    /// Its file, as an index.
    pub source: usize,
    /// What it reads.
    pub reads: Reads,
}

/// A valid policy set.
#[derive(Debug)]
pub struct PolicySet {
    definition: Definition,
    policies: Vec<Written>,
    warnings: Vec<Problem>,
    /// In the order of their ids: the id, and the policy's place.
    ranked: Vec<(Arc<str>, usize)>,
    /// By action.
    index: Vec<Index>,
    venue: EntityUid,
    cache: Cache,
}

impl PolicySet {
    /// Compiles a definition.
    ///
    /// # Errors
    ///
    /// Every problem found, with its place. A set without any policy is one: it would refuse everything.
    pub fn compile(definition: Definition) -> Result<Self, Vec<Problem>> {
        let one = |problem| vec![problem];
        let schema = action::schema().map_err(one)?;
        let policies = read(&definition)?;
        let actions = schema.action_entities();
        let actions = actions.map_err(|e| one(Problem::whole("ringfence.cedarschema", e)))?;
        let warnings = validate(&definition, &policies, schema)?;
        let ranked = rank(&policies);
        let places = ranked.iter().zip(0..);
        let in_order: Vec<_> = places
            .map(|((_, place), rank)| (rank, &policies[*place]))
            .collect();
        let index = Action::all().map(|action| Index::new(action, &in_order, &actions));
        Ok(Self {
            index: index.collect::<Result<_, _>>().map_err(one)?,
            ranked,
            venue: action::uid("Venue", "venue").map_err(one)?,
            cache: Cache::default(),
            definition,
            policies,
            warnings,
        })
    }

    /// Returns the policies in the order in which they are written.
    pub fn policies(&self) -> &[Written] {
        &self.policies
    }

    /// Returns the definition that it was compiled from.
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Returns what Cedar's validator thinks strange.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Returns the decisions that are kept.
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Decides, from the cache where all that is read was seen before.
    pub fn decide(&self, request: &Request<'_>) -> Arc<Verdict> {
        let plan = &self.index[request.action.index()].plan;
        let mut key = Vec::with_capacity(192);
        if !request.key(plan, &mut key) {
            return Arc::new(self.evaluate(request));
        }
        if let Some(verdict) = self.cache.get(&key) {
            return verdict;
        }
        let verdict = Arc::new(self.evaluate(request));
        self.cache.put(key, &verdict);
        verdict
    }

    /// Decides without looking into the cache.
    pub fn evaluate(&self, request: &Request<'_>) -> Verdict {
        // INVARIANT: there is one for each action.
        let index = &self.index[request.action.index()];
        let said = index.ask(request);
        let mut heard = Heard {
            failed: Vec::new(),
            forbid: self.named(&said.forbid),
            permit: self.named(&said.permit),
        };
        if !said.unsure.is_empty() {
            let unsure = said.unsure.iter();
            let unsure = unsure.map(|rank| &self.policies[self.ranked[*rank as usize].1].policy);
            if let Err(problem) = self.ask(unsure, request, &mut heard) {
                return Verdict::Failed(vec![problem.to_string().into()]);
            }
        }
        heard.verdict()
    }

    fn named(&self, ranks: &[Rank]) -> Vec<Arc<str>> {
        let ranks = ranks.iter();
        ranks
            .map(|rank| Arc::clone(&self.ranked[*rank as usize].0))
            .collect()
    }

    /// Asks Cedar about policies.
    fn ask<'p>(
        &self,
        policies: impl Iterator<Item = &'p Policy>,
        request: &Request<'_>,
        heard: &mut Heard,
    ) -> Result<(), Problem> {
        let index = &self.index[request.action.index()];
        let mut set = CedarSet::new();
        for policy in policies {
            let added = set.add(policy.clone());
            added.map_err(|e| Problem::whole("policy", e))?;
        }
        let principal = action::uid(word(request.kind), request.principal)?;
        let resource = match request.action.carries_order() {
            true => action::uid("Instrument", request.instrument.unwrap_or_default())?,
            false => self.venue.clone(),
        };
        let above = request.above.iter().map(|above| {
            // A policy names it by what it is.
            action::uid(word(above.kind), &above.name)
        });
        let above = above.collect::<Result<Vec<_>, _>>()?;
        let entities = below(&index.entities, &principal, &above)?;
        let context = request.context(&index.parts)?;
        let uid = index.uid.clone();
        let question = cedar_policy::Request::new(principal, uid, resource, context, None)
            .map_err(|e| Problem::whole("request", e))?;
        heard.cedar(&Authorizer::new().is_authorized(&question, &set, &entities));
        Ok(())
    }
}

/// What was heard of all policies.
#[derive(Debug)]
struct Heard {
    failed: Vec<Arc<str>>,
    forbid: Vec<Arc<str>>,
    permit: Vec<Arc<str>>,
}

impl Heard {
    /// Adds what Cedar says of some policies: any forbid forbids, then any permit permits.
    fn cedar(&mut self, response: &Response) {
        let diagnostics = response.diagnostics();
        self.failed
            .extend(diagnostics.errors().map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(e) => {
                    Arc::from(e.policy_id().to_string())
                }
            }));
        let reasons = diagnostics.reason().map(|id| Arc::from(id.to_string()));
        match response.decision() {
            Decision::Allow => self.permit.extend(reasons),
            Decision::Deny => self.forbid.extend(reasons),
        }
        for ids in [&mut self.failed, &mut self.forbid, &mut self.permit] {
            ids.sort();
        }
    }

    fn verdict(self) -> Verdict {
        // A forbid that cannot be evaluated would not forbid: no policy fails open.
        let is_empty = (
            self.failed.is_empty(),
            self.forbid.is_empty(),
            self.permit.is_empty(),
        );
        match is_empty {
            (false, ..) => Verdict::Failed(self.failed),
            (true, false, _) => Verdict::Forbidden(self.forbid),
            (true, true, false) => Verdict::Permitted(self.permit),
            (true, true, true) => Verdict::Unpermitted,
        }
    }
}

/// Returns ids and places of policies, sorted by id.
fn rank(policies: &[Written]) -> Vec<(Arc<str>, usize)> {
    let ids = policies
        .iter()
        .map(|w| Arc::from(w.policy.id().to_string()));
    let mut ranked: Vec<_> = ids.zip(0..).collect();
    ranked.sort();
    ranked
}

/// Puts a principal below who stands above it.
fn below<'a>(
    action: &'a Entities,
    principal: &EntityUid,
    above: &[EntityUid],
) -> Result<Cow<'a, Entities>, Problem> {
    if above.is_empty() {
        return Ok(Cow::Borrowed(action));
    }
    let entity = Entity::new_no_attrs(principal.clone(), above.iter().cloned().collect());
    let made = action.clone().add_entities([entity], None);
    Ok(Cow::Owned(
        made.map_err(|e| Problem::whole("principal", e))?,
    ))
}

fn read(definition: &Definition) -> Result<Vec<Written>, Vec<Problem>> {
    let (mut written, mut problems) = (Vec::new(), Vec::new());
    let mut ids = BTreeSet::new();
    for (number, source) in definition.files.iter().enumerate() {
        let policies = match source.parse() {
            Ok(policies) => policies,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        for policy in policies {
            if !ids.insert(policy.id().clone()) {
                let what = format!("the id {} is there twice; rename one", policy.id());
                problems.push(source.at(start(&policy), what));
                continue;
            }
            let mut reads = Reads::default();
            let condition = policy.as_ref().non_scope_constraints();
            match condition.map_or(Ok(()), |expr| reads.note(expr, source)) {
                Ok(()) => written.push(Written {
                    policy,
                    source: number,
                    reads,
                }),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if written.is_empty() && problems.is_empty() {
        problems.push(Problem::whole(
            "policy",
            "no policy is there, so everything would be refused; write one, or take the section out",
        ));
    }
    if problems.is_empty() {
        Ok(written)
    } else {
        Err(problems)
    }
}

fn validate(
    definition: &Definition,
    policies: &[Written],
    schema: Schema,
) -> Result<Vec<Problem>, Vec<Problem>> {
    let mut all = CedarSet::new();
    for written in policies {
        let added = all.add(written.policy.clone());
        added.map_err(|e| vec![Problem::whole("policy", e)])?;
    }
    let result = Validator::new(schema).validate(&all, ValidationMode::Strict);
    let place = |id: &cedar_policy::PolicyId, found: &dyn miette::Diagnostic| {
        let written = policies.iter().find(|w| w.policy.id() == id);
        written.map_or_else(
            || Problem::whole("policy", found),
            |w| definition.files[w.source].found(found, start(&w.policy)),
        )
    };
    let errors = result.validation_errors();
    let mut problems: Vec<_> = errors
        .map(|e| {
            let mut problem = place(e.policy_id(), e);
            if let ValidationError::UnsafeAttributeAccess(_)
            | ValidationError::UnsafeOptionalAttributeAccess(_) = e
            {
                let written = policies.iter().find(|w| w.policy.id() == e.policy_id());
                if let Some(what) = written.and_then(only_there) {
                    problem.what = what;
                }
            }
            problem
        })
        .collect();
    problems.sort_by(|a, b| a.place().cmp(&b.place()).then_with(|| a.what.cmp(&b.what)));
    // The validator tells the same of each operation.
    problems.dedup_by(|a, b| a.place() == b.place());
    if !problems.is_empty() {
        return Err(problems);
    }
    let warnings = result.validation_warnings();
    Ok(warnings.map(|w| place(w.policy_id(), w)).collect())
}

/// Says which operations have what a policy looks at, where it is about others too.
fn only_there(written: &Written) -> Option<String> {
    let (part, group) = [(Part::Order, "carries-order"), (Part::Funds, "moves-funds")]
        .into_iter()
        .find(|(part, group)| {
            let others =
                Action::all().any(|a| is_about(&written.policy, a) && !a.groups().contains(group));
            written.reads.looks_at(*part) && others
        })?;
    let part = part.path();
    Some(format!(
        "only operations in Action::\"{group}\" have context.{part}: write `action in Action::\"{group}\"` into the \
         head, and ask `context has {part}` first"
    ))
}

/// Tells whether a policy's scope can take in `action`.
pub(crate) fn is_about(policy: &Policy, action: Action) -> bool {
    let named = |uid: &EntityUid| {
        let id = uid.id();
        let id: &str = id.as_ref();
        id == action.as_str() || action.groups().contains(&id)
    };
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::In(uids) => uids.iter().any(named),
        ActionConstraint::Eq(uid) => {
            let id = uid.id();
            let id: &str = id.as_ref();
            id == action.as_str()
        }
    }
}

/// Returns the word for a policy's effect.
pub(crate) fn effect(policy: &Policy) -> &'static str {
    match policy.effect() {
        Effect::Permit => "permit",
        Effect::Forbid => "forbid",
    }
}
