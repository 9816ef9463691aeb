//! Routes: method and path to operation, weight and parameters.

use std::collections::{HashMap, HashSet};

use ringfence_core::operation::Operation;

/// One route.
#[derive(Debug)]
pub struct Route {
    /// Its place in the table.
    pub id: u16,
    /// Method, or `*`.
    pub method: Box<str>,
    /// Path, or `/**`.
    pub path: Box<str>,
    /// What it asks.
    pub operation: Operation,
    /// Whether a signature is asked for.
    pub signed: bool,
    /// Weight unless a parameter says otherwise.
    pub weight: u32,
    /// Orders that one message places.
    pub orders: u32,
    /// Weight by a parameter.
    pub(super) weight_by: Option<Weigh>,
    /// Closed list of parameters; none means that any may stand there.
    pub(super) parameters: Option<HashSet<Box<str>>>,
}

#[derive(Debug)]
pub(super) struct Weigh {
    pub(super) parameter: Box<str>,
    /// Ascending by value.
    pub(super) up_to: Vec<(u64, u32)>,
    pub(super) present: Option<u32>,
}

impl Route {
    /// Tells whether it takes every path.
    pub fn is_wildcard(&self) -> bool {
        &*self.path == WILDCARD
    }

    /// Returns the weight of a message whose parameter has this value.
    ///
    /// An unreadable value weighs as the largest: the venue decides what it makes of it.
    pub(super) fn weight_for(&self, name: &str, value: &str) -> Option<u32> {
        let by = self
            .weight_by
            .as_ref()
            .filter(|by| &*by.parameter == name)?;
        let Some(last) = by.up_to.last() else {
            return by.present;
        };
        let number = value.parse::<u64>().unwrap_or(u64::MAX);
        Some(
            by.up_to
                .iter()
                .find(|(most, _)| number <= *most)
                .unwrap_or(last)
                .1,
        )
    }
}

pub(super) const WILDCARD: &str = "/**";

#[derive(Debug, Default)]
pub(super) struct RouteTable {
    routes: Vec<Route>,
    /// Path to the routes that have it: two or three, one for each method.
    exact: HashMap<Box<str>, Vec<u16>>,
    wildcards: Vec<u16>,
}

impl RouteTable {
    /// Adds a route; `false` when its method and path are taken.
    pub(super) fn add(&mut self, mut route: Route) -> bool {
        let Ok(id) = u16::try_from(self.routes.len()) else {
            return false;
        };
        let same = |r: &Route| r.method == route.method && r.path == route.path;
        if self.routes.iter().any(same) {
            return false;
        }
        route.id = id;
        if route.is_wildcard() {
            self.wildcards.push(id);
        } else {
            self.exact.entry(route.path.clone()).or_default().push(id);
        }
        self.routes.push(route);
        true
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Option<&Route> {
        let exact = self.exact.get(path).map(Vec::as_slice).unwrap_or_default();
        exact.iter().chain(&self.wildcards).find_map(|id| {
            let route = self.routes.get(usize::from(*id))?;
            (&*route.method == method || &*route.method == "*").then_some(route)
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }
}
