//! Dialects, for people and tests.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringfence_core::guard::OrderText;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_wire::http::captured;
use ringfence_wire::{Dialect, Head, Scratch};
use serde_json::json;

use crate::error::{dialect as wrong, json as unreadable, refusal as refused};
use crate::scheme::described;

/// Compiles a dialect and returns a JSON summary: its routes and its holes.
#[pyfunction]
pub(crate) fn check_dialect<'py>(py: Python<'py>, dialect: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let dialect = compile(dialect)?;
    let routes: Vec<_> = dialect
        .routes()
        .map(|route| {
            json!({
                "method": route.method,
                "operation": route.operation.as_str(),
                "path": route.path,
                "signed": route.signed,
                "stream": route.stream,
                "weight": route.weight,
            })
        })
        .collect();
    let holes = dialect.holes();
    let frames: Vec<_> = dialect.frames().map(|(name, _)| name).collect();
    let summary = json!({"name": dialect.name(), "routes": routes, "holes": holes,
        "scheme": described(&dialect), "frames": frames});
    Ok(PyBytes::new(py, summary.to_string().as_bytes()))
}

/// Reads one message by a dialect and returns as JSON what the controls would see.
#[pyfunction]
pub(crate) fn dialect_read<'py>(
    py: Python<'py>,
    dialect: &[u8],
    method: &str,
    target: &str,
    headers: Vec<(String, String)>,
    body: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let dialect = compile(dialect)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |wanted: &str| {
        let named = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.map(|(_, value)| value.as_str())
    };
    let fields = captured(&headers).map_err(refused)?;
    let head = Head {
        method,
        path,
        query,
        content_type: header("content-type"),
        key: dialect.key_header().and_then(header),
        headers: Some(&fields),
        secure: true,
        session: false,
    };
    let unknown = || refused(Refusal::from(Code::RouteUnknown));
    let route = dialect.route(method, path).ok_or_else(unknown)?;
    let mut scratch = Scratch::default();
    let settled = dialect.settle(route, body, &mut scratch);
    let route = settled.map_err(refused)?;
    let reading = dialect
        .read(route, &head, body, &mut scratch)
        .map_err(refused)?;
    let outgoing = dialect.forward(route, &head, body);
    let unsigned = reading.claim.map(|_| dialect.unsigned(outgoing.clone()));
    let unsigned = unsigned.transpose().map_err(refused)?.map(|message| {
        let mark = if message.query.is_empty() { "" } else { "?" };
        let target = format!("{}{mark}{}", message.path, message.query);
        json!({"target": target, "body": message.body})
    });
    let seen = json!({
        "operation": route.operation.as_str(),
        "weight": reading.cost.weight,
        "orders": reading.cost.orders,
        "key_id": reading.claim.map(|claim| claim.key_id),
        "payload": reading.claim.map(|claim| String::from_utf8_lossy(claim.payload)),
        "signature": reading.claim.map(|claim| String::from_utf8_lossy(claim.signature)),
        "time_us": reading.claim.map(|claim| claim.stamp.time_us),
        "window_us": reading.claim.map(|claim| claim.stamp.window_us),
        "order": reading.orders.one().map(shown),
        "batch": reading.orders.as_slice().iter().map(shown).collect::<Vec<_>>(),
        "unsigned": unsigned,
        "forward": {
            "target": outgoing.target,
            "body": String::from_utf8_lossy(&outgoing.body),
        },
    });
    Ok(PyBytes::new(py, seen.to_string().as_bytes()))
}

pub(crate) fn compile(dialect: &[u8]) -> PyResult<Dialect> {
    let value = serde_json::from_slice(dialect).map_err(unreadable)?;
    Dialect::from_json(&value).map_err(wrong)
}

fn shown(order: &OrderText<'_>) -> serde_json::Value {
    json!({

            "symbol": order.symbol,
            "side": order.side,
            "type": order.kind,
            "price": order.price,
            "stop_price": order.stop_price,
            "quantity": order.quantity,
            "quote_quantity": order.quote_quantity,
            "client_order_id": order.client_order_id,
            "trail": order.trail,
            "whole_position": order.whole_position,
    })
}
