//! From the written form to the compiled one. Every error names the field.

use std::collections::HashMap;

use ringfence_core::freshness::Window;
use ringfence_core::guard::OrderKind;
use ringfence_core::operation::Operation;
use ringfence_core::sign::{Encoding, SignatureEncodings};

use super::definition::{
    Definition, EncodingName, OrderFields, RouteDefinition, Signing as Written,
};
use super::render::ErrorTable;
use super::route::{Route, RouteTable, WILDCARD, Weigh};
use super::{Dialect, DialectError, Signing};

impl Dialect {
    /// Compiles a dialect from the JSON form of its YAML.
    ///
    /// # Errors
    ///
    /// [`DialectError`] naming the first field that is wrong.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, DialectError> {
        let written: Definition =
            serde::Deserialize::deserialize(value).map_err(|e| wrong("dialect", e.to_string()))?;
        let signing = written.signing.as_ref().map(signing);
        let mut routes = RouteTable::default();
        for (index, route) in written.routes.iter().enumerate() {
            let field = format!("routes[{index}]");
            let compiled =
                compile_route(route, &field, &written.parameter_lists, signing.is_some())?;
            if !routes.add(compiled) {
                return Err(wrong(
                    &field,
                    format!("{} {} stands twice", route.method, route.path),
                ));
            }
        }
        let errors = ErrorTable::compile(&written.errors)?;
        let judged = written
            .routes
            .iter()
            .any(|r| Operation::parse(&r.operation).is_some_and(Operation::carries_order));
        if judged {
            check_order_fields(&written.order_fields)?;
        }
        Ok(Self {
            name: written.name,
            signing,
            order_kinds: written
                .order_types
                .into_iter()
                .map(|(name, t)| {
                    let kind = OrderKind {
                        needs_price: t.price,
                        needs_stop_price: t.stop_price,
                        quote_quantity: t.quote_quantity,
                    };
                    (name.into(), kind)
                })
                .collect(),
            order_fields: written.order_fields,
            routes,
            weight_header: written.usage_headers.weight,
            orders_header: written.usage_headers.orders,
            errors,
        })
    }
}

fn signing(written: &Written) -> Signing {
    let encoding = |name| match name {
        EncodingName::Base64 => Encoding::Base64,
        EncodingName::Hex => Encoding::Hex,
    };
    Signing {
        key_header: written.key_header.to_ascii_lowercase(),
        signature: written.signature.clone(),
        payload: written.payload.clone(),
        encodings: SignatureEncodings {
            hmac: encoding(written.encodings.hmac),
            ed25519: encoding(written.encodings.ed25519),
            rsa: encoding(written.encodings.rsa),
        },
        time: written.time.parameter.clone(),
        window: written.time.window_parameter.clone(),
        rule: Window {
            default_us: written.time.window_default_ms * 1000,
            max_us: written.time.window_max_ms * 1000,
            ahead_us: written.time.ahead_ms * 1000,
        },
    }
}

fn compile_route(
    route: &RouteDefinition,
    field: &str,
    lists: &HashMap<String, Vec<String>>,
    can_sign: bool,
) -> Result<Route, DialectError> {
    let operation = Operation::parse(&route.operation).ok_or_else(|| {
        wrong(
            &format!("{field}.operation"),
            format!("unknown operation {:?}", route.operation),
        )
    })?;
    let open = route.path == WILDCARD || route.method == "*";
    if open && (route.signed || operation.scope().is_some()) {
        let what = "only an unsigned route that anybody may use can be a wildcard";
        return Err(wrong(&format!("{field}.path"), what));
    }
    if route.signed && !can_sign {
        return Err(wrong(
            &format!("{field}.signed"),
            "the dialect has no `signing`",
        ));
    }
    if !route.signed && operation.scope().is_some() {
        let what = format!("{} must be signed", route.operation);
        return Err(wrong(&format!("{field}.signed"), what));
    }
    let parameters = match &route.parameters {
        None if operation.carries_order() => {
            let what = "a route that the guard judges needs a closed list";
            return Err(wrong(&format!("{field}.parameters"), what));
        }
        None => None,
        Some(names) => Some(expand(names, lists, field)?),
    };
    Ok(Route {
        id: 0,
        method: route.method.as_str().into(),
        path: route.path.as_str().into(),
        operation,
        signed: route.signed,
        weight: route.weight,
        orders: route.orders,
        weight_by: route.weight_by.as_ref().map(|by| Weigh {
            parameter: by.parameter.as_str().into(),
            up_to: by.up_to.clone(),
            present: by.present,
        }),
        parameters,
    })
}

fn expand(
    names: &[String],
    lists: &HashMap<String, Vec<String>>,
    field: &str,
) -> Result<std::collections::HashSet<Box<str>>, DialectError> {
    let mut all = std::collections::HashSet::new();
    for name in names {
        match name.strip_prefix('@') {
            None => {
                all.insert(name.as_str().into());
            }
            Some(list) => {
                let what = || {
                    wrong(
                        &format!("{field}.parameters"),
                        format!("no list called {list:?}"),
                    )
                };
                all.extend(
                    lists
                        .get(list)
                        .ok_or_else(what)?
                        .iter()
                        .map(|n| n.as_str().into()),
                );
            }
        }
    }
    Ok(all)
}

fn check_order_fields(fields: &OrderFields) -> Result<(), DialectError> {
    let needed = [
        ("symbol", &fields.symbol),
        ("side", &fields.side),
        ("kind", &fields.kind),
        ("price", &fields.price),
        ("stop_price", &fields.stop_price),
        ("quantity", &fields.quantity),
    ];
    match needed.iter().find(|(_, parameter)| parameter.is_none()) {
        Some((name, _)) => Err(wrong(
            &format!("order_fields.{name}"),
            "the guard needs it: name the parameter",
        )),
        None => Ok(()),
    }
}

pub(super) fn wrong(field: &str, what: impl Into<String>) -> DialectError {
    DialectError {
        field: field.to_owned(),
        what: what.into(),
    }
}
