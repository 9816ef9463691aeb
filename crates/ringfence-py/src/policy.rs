//! Policies, for people and provers.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringfence_policy::question::Question;
use ringfence_policy::set;
use ringfence_policy::tree;
use serde_json::json;

use crate::error::{json as unread, policy as refused};

/// A valid policy set.
#[pyclass(module = "ringfence._core", frozen)]
pub(crate) struct PolicySet(pub(crate) Arc<set::PolicySet>);

#[pymethods]
impl PolicySet {
    /// Takes the definition as JSON; `CoreError` `policy_refused` has a line for each problem.
    #[new]
    fn new(py: Python<'_>, definition: &[u8]) -> PyResult<Self> {
        py.detach(|| {
            let definition = serde_json::from_slice(definition).map_err(unread)?;
            set::PolicySet::compile(definition)
                .map(|set| Self(Arc::new(set)))
                .map_err(|problems| refused(&problems))
        })
    }

    /// Returns the policies with their conditions, and what the validator thinks strange, as JSON.
    fn describe<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let said = json!({
            "policies": tree::policies(&self.0),
            "warnings": self.0.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        PyBytes::new(py, said.to_string().as_bytes())
    }

    /// Answers one request, JSON for JSON.
    fn decide<'py>(&self, py: Python<'py>, question: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        answer(py, &self.0, question)
    }
}

/// Answers one request by `set`.
pub(crate) fn answer<'py>(
    py: Python<'py>,
    set: &set::PolicySet,
    question: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let question: Question = serde_json::from_slice(question).map_err(unread)?;
    let answer = question.answer(set).map_err(|e| refused(&[e]))?;
    Ok(PyBytes::new(py, answer.to_string().as_bytes()))
}

/// Returns the schema's text.
#[pyfunction]
pub(crate) const fn policy_schema() -> &'static str {
    ringfence_policy::action::SCHEMA
}

/// Returns the actions that policies speak of, as JSON.
#[pyfunction]
pub(crate) fn policy_actions(py: Python<'_>) -> Bound<'_, PyBytes> {
    PyBytes::new(py, tree::actions().to_string().as_bytes())
}
