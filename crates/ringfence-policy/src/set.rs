//! A policy set, compiled: validated, indexed by what each policy is about, decided by Cedar's own evaluator.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Authorizer, Decision, Effect, Entities, Entity, EntityUid, Policy,
    PolicySet as CedarSet, PrincipalConstraint, ResourceConstraint, Schema, ValidationError,
    ValidationMode, Validator,
};
use serde::Deserialize;

use crate::action::{self, Action};
use crate::cache::Cache;
use crate::reads::{Part, Reads};
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
    Failed(Vec<String>),
    /// These forbid it.
    Forbidden(Vec<String>),
    /// These permit it, and none forbids it.
    Permitted(Vec<String>),
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
    pub fn policies(&self) -> &[String] {
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

/// What may decide on an action: Cedar evaluates only sets whose key is in the request.
#[derive(Debug, Default)]
struct Relevant {
    always: CedarSet,
    principal: HashMap<EntityUid, CedarSet>,
    resource: HashMap<EntityUid, CedarSet>,
    parts: Vec<Part>,
    plan: Vec<(Part, Option<Vec<i64>>)>,
    uid: Option<EntityUid>,
    /// The action, and the groups that it is in.
    entities: Entities,
}

/// A valid policy set.
#[derive(Debug)]
pub struct PolicySet {
    definition: Definition,
    policies: Vec<Written>,
    warnings: Vec<Problem>,
    /// By action.
    relevant: Vec<Relevant>,
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
        let relevant = Action::all().map(|action| index(action, &policies, &actions));
        Ok(Self {
            relevant: relevant.collect::<Result<_, _>>().map_err(one)?,
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
        let plan = &self.relevant[request.action.index()].plan;
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

    /// Decides by Cedar, without looking into the cache.
    pub fn evaluate(&self, request: &Request<'_>) -> Verdict {
        self.ask(request)
            .unwrap_or_else(|problem| Verdict::Failed(vec![problem.to_string()]))
    }

    fn ask(&self, request: &Request<'_>) -> Result<Verdict, Problem> {
        // INVARIANT: there is one for each action.
        let relevant = &self.relevant[request.action.index()];
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
        let entities = below(&relevant.entities, &principal, &above)?;
        let by_principal = std::iter::once(&principal).chain(&above);
        let sets: Vec<_> = by_principal
            .filter_map(|uid| relevant.principal.get(uid))
            .chain(relevant.resource.get(&resource))
            .chain(std::iter::once(&relevant.always))
            .filter(|set| !set.is_empty())
            .collect();
        let Some(uid) = relevant.uid.clone() else {
            return Ok(Verdict::Unpermitted);
        };
        let context = request.context(&relevant.parts)?;
        let question = cedar_policy::Request::new(principal, uid, resource, context, None)
            .map_err(|e| Problem::whole("request", e))?;
        Ok(combine(&sets, &question, &entities))
    }
}

/// One set of policies gives what its parts give together: any forbid forbids, then any permit permits.
fn combine(sets: &[&CedarSet], question: &cedar_policy::Request, entities: &Entities) -> Verdict {
    let authorizer = Authorizer::new();
    let (mut failed, mut forbid, mut permit) = (Vec::new(), Vec::new(), Vec::new());
    for set in sets {
        let response = authorizer.is_authorized(question, set, entities);
        let diagnostics = response.diagnostics();
        failed.extend(diagnostics.errors().map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(e) => e.policy_id().to_string(),
        }));
        let reasons = diagnostics.reason().map(ToString::to_string);
        match response.decision() {
            Decision::Allow => permit.extend(reasons),
            Decision::Deny => forbid.extend(reasons),
        }
    }
    for ids in [&mut failed, &mut forbid, &mut permit] {
        ids.sort();
    }
    // A forbid that cannot be evaluated would not forbid: no policy fails open.
    match (failed.is_empty(), forbid.is_empty(), permit.is_empty()) {
        (false, ..) => Verdict::Failed(failed),
        (true, false, _) => Verdict::Forbidden(forbid),
        (true, true, false) => Verdict::Permitted(permit),
        (true, true, true) => Verdict::Unpermitted,
    }
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

/// Sorts what may decide on `action` by what it is about.
fn index(action: Action, policies: &[Written], actions: &Entities) -> Result<Relevant, Problem> {
    let uid = action.uid()?;
    let above = actions.ancestors(&uid).into_iter().flatten();
    let own = Entity::new_no_attrs(uid.clone(), above.cloned().collect());
    let entities = Entities::from_entities([own], None);
    let mut relevant = Relevant {
        uid: Some(uid),
        entities: entities.map_err(|e| Problem::whole("ringfence.cedarschema", e))?,
        ..Relevant::default()
    };
    let mut reads = Reads::default();
    for written in policies.iter().filter(|w| is_about(&w.policy, action)) {
        reads.merge(&written.reads);
        let policy = &written.policy;
        let set = match (policy.principal_constraint(), policy.resource_constraint()) {
            (
                PrincipalConstraint::Eq(uid)
                | PrincipalConstraint::In(uid)
                | PrincipalConstraint::IsIn(_, uid),
                _,
            ) => relevant.principal.entry(uid).or_default(),
            (
                PrincipalConstraint::Any | PrincipalConstraint::Is(_),
                ResourceConstraint::Eq(uid)
                | ResourceConstraint::In(uid)
                | ResourceConstraint::IsIn(_, uid),
            ) => relevant.resource.entry(uid).or_default(),
            (
                PrincipalConstraint::Any | PrincipalConstraint::Is(_),
                ResourceConstraint::Any | ResourceConstraint::Is(_),
            ) => &mut relevant.always,
        };
        let added = set.add(policy.clone());
        added.map_err(|e| Problem::whole("policy", e))?;
    }
    relevant.parts = reads.parts().into_iter().collect();
    let parts = relevant.parts.iter();
    relevant.plan = parts.map(|part| (*part, reads.bounds(*part))).collect();
    Ok(relevant)
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
