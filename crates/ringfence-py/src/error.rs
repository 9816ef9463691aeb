//! The one place where an error becomes a Python exception.

use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use ringfence_core::refusal::Refusal;
use ringfence_core::sign::KeyError;
use ringfence_gate::GateError;
use ringfence_ledger::LedgerError;
use ringfence_policy::source::Problem;
use ringfence_wire::DialectError;

create_exception!(
    _core,
    CoreError,
    PyException,
    "A refusal by the engine: `args` are (code, message, field); `field` is empty where none is concerned."
);

/// Makes a [`CoreError`] that concerns no field.
pub(crate) fn core(code: &str, message: impl ToString) -> PyErr {
    at(code, message, String::new())
}

fn at(code: &str, message: impl ToString, field: String) -> PyErr {
    CoreError::new_err((code.to_owned(), message.to_string(), field))
}

/// Maps the gate's errors.
pub(crate) fn gate(error: GateError) -> PyErr {
    let code = error.code();
    match error {
        GateError::Config { field, what } => at(code, what, field),
        GateError::Credential { .. }
        | GateError::Ledger(_)
        | GateError::System { .. }
        | GateError::VenueKey { .. } => core(code, error),
    }
}

/// Maps the ledger's errors.
pub(crate) fn ledger(error: LedgerError) -> PyErr {
    gate(GateError::Ledger(error))
}

/// Maps a dialect's errors.
pub(crate) fn dialect(error: DialectError) -> PyErr {
    at("dialect_invalid", error.what, error.field)
}

/// Maps problems of policies, a line each.
pub(crate) fn policy(problems: &[Problem]) -> PyErr {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    core("policy_refused", lines.join("\n"))
}

/// Maps a refusal.
pub(crate) fn refusal(error: Refusal) -> PyErr {
    core(error.code.as_str(), error)
}

/// Maps key material that does not fit.
pub(crate) fn key(error: KeyError) -> PyErr {
    core("key_invalid", error)
}

/// Maps JSON that cannot be read or written.
pub(crate) fn json(error: serde_json::Error) -> PyErr {
    core("json_invalid", error)
}
