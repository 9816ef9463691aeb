//! The schema, and what operations are called in it.

use cedar_policy::{EntityTypeName, EntityUid, Schema};
use ringfence_core::operation::{Operation, Scope};

use crate::source::Problem;

/// The schema that all policies are held against.
pub const SCHEMA: &str = include_str!("ringfence.cedarschema");

/// What the console does, which no trading message asks: their scope is `keys`.
const CONSOLE: [&str; 3] = [ADDRESS, "key.change", "key.create"];

/// Adding a withdrawal address, whose context says which: funds may leave to it.
const ADDRESS: &str = "address.add";

/// How many actions there are.
pub const COUNT: usize = Operation::ALL.len() + CONSOLE.len();

/// One action of the schema: an operation, or something that only the console does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Action(usize);

impl From<Operation> for Action {
    fn from(operation: Operation) -> Self {
        // Both are in the order of their names; a test holds it.
        Self(operation as usize)
    }
}

impl Action {
    /// Returns all actions: operations first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).map(Self)
    }

    /// Returns the action called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|action| action.as_str() == name)
    }

    /// Returns the word used everywhere.
    pub fn as_str(self) -> &'static str {
        match Operation::ALL.get(self.0) {
            Some(operation) => operation.as_str(),
            None => CONSOLE[self.0 - Operation::ALL.len()],
        }
    }

    /// Returns the scope that comes before any policy.
    pub fn scope(self) -> Option<Scope> {
        match Operation::ALL.get(self.0) {
            Some(operation) => operation.scope(),
            None => Some(Scope::Keys),
        }
    }

    /// Tells whether its resource is an instrument, and its context may have an order.
    pub fn carries_order(self) -> bool {
        Operation::ALL
            .get(self.0)
            .is_some_and(|o| o.carries_order())
    }

    /// Tells whether its context may have funds.
    pub fn moves_funds(self) -> bool {
        match Operation::ALL.get(self.0) {
            Some(operation) => operation.moves_funds(),
            None => self.as_str() == ADDRESS,
        }
    }

    /// Returns the names of the groups that it is in.
    pub fn groups(self) -> Vec<&'static str> {
        let Some(operation) = Operation::ALL.get(self.0) else {
            return Vec::new();
        };
        [
            ("carries-order", operation.carries_order()),
            ("changes-state", operation.changes_state()),
            ("moves-funds", operation.moves_funds()),
            ("reduces-risk", operation.reduces_risk()),
        ]
        .into_iter()
        .filter_map(|(name, is_in)| is_in.then_some(name))
        .collect()
    }

    pub(crate) const fn index(self) -> usize {
        self.0
    }

    pub(crate) fn uid(self) -> Result<EntityUid, Problem> {
        uid("Action", self.as_str())
    }
}

/// Parses the shipped schema.
pub(crate) fn schema() -> Result<Schema, Problem> {
    Schema::from_cedarschema_str(SCHEMA)
        .map(|(schema, _)| schema)
        .map_err(|e| Problem::whole("ringfence.cedarschema", e))
}

/// Makes an entity's name.
pub(crate) fn uid(kind: &str, id: &str) -> Result<EntityUid, Problem> {
    let name: EntityTypeName = kind.parse().map_err(|e| Problem::whole(kind, e))?;
    Ok(EntityUid::from_type_name_and_id(
        name,
        cedar_policy::EntityId::new(id),
    ))
}
