//! The native module `ringfence._core`: converts, calls, maps errors. It decides nothing.
//!
//! JSON crosses as bytes. Every call that may block releases the interpreter lock.

mod dialect;
mod engine;
mod error;
mod ledger;
mod memory;
mod policy;
mod scheme;
mod tlog;
mod token;
mod witness;

use pyo3::prelude::*;
use ringfence_core::refusal::Code;
use ringfence_wire::problem;

/// Returns every refusal code as (code, control or room, hint, status, type): the last two as problem details have them.
#[pyfunction]
fn codes() -> Vec<(&'static str, &'static str, &'static str, u16, String)> {
    let room = |code: Code| {
        let prefix = code.as_str().split('_').next().unwrap_or_default();
        code.control().map_or(prefix, |control| control.as_str())
    };
    Code::ALL
        .iter()
        .map(|code| {
            let (status, kind) = (problem::status(*code), problem::kind(*code));
            (code.as_str(), room(*code), code.hint(), status, kind)
        })
        .collect()
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("CoreError", module.py().get_type::<error::CoreError>())?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<ledger::LedgerReader>()?;
    module.add_class::<ledger::Usual>()?;
    module.add_class::<witness::Cosigner>()?;
    module.add_class::<witness::WitnessRequest>()?;
    module.add_class::<policy::PolicySet>()?;
    module.add_function(wrap_pyfunction!(codes, module)?)?;
    module.add_function(wrap_pyfunction!(policy::policy_actions, module)?)?;
    module.add_function(wrap_pyfunction!(policy::policy_schema, module)?)?;
    module.add_function(wrap_pyfunction!(engine::check_snapshot, module)?)?;
    module.add_function(wrap_pyfunction!(dialect::check_dialect, module)?)?;
    module.add_function(wrap_pyfunction!(dialect::dialect_read, module)?)?;
    module.add_function(wrap_pyfunction!(scheme::dialect_sign, module)?)?;
    module.add_function(wrap_pyfunction!(scheme::dialect_verify, module)?)?;
    module.add_function(wrap_pyfunction!(scheme::dialect_verify_frame, module)?)?;
    module.add_function(wrap_pyfunction!(token::read_jwk, module)?)?;
    module.add_function(wrap_pyfunction!(token::verify_jws, module)?)?;
    module.add_function(wrap_pyfunction!(token::verify_signature, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::ledger_vkey, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::ledger_volumes, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::drop_volume, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::erase_personal, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::volume_classes, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::read_ledger, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::verify_ledger, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::verify_consistency, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::verify_inclusion, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::accept_checkpoint, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::attach_cosignature, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::check_policy, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::find_message, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::prove_entry, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::prove_growth, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::publish_ledger, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::release_ledger, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::stage_ledger, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::tlog_tiles, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::verify_note, module)?)?;
    module.add_function(wrap_pyfunction!(tlog::verify_receipt, module)?)?;
    Ok(())
}
