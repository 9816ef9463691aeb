//! The routes of a dialect: what each asks for must be something that it can be given.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_core::operation::Operation;

use super::super::DialectError;
use super::super::batch::Batch;
use super::super::definition::{
    BodyKind, Definition, OrderFields, RouteDefinition, Shown, SideName,
};
use super::super::name::{Name, Names};
use super::super::order::OrderNames;
use super::super::private::{Lends, Private};
use super::super::route::{Mints, Route, RouteTable, WILDCARD, When};
use super::super::scheme::Signing;
use super::super::weigh::Weigh;
use super::wrong;

/// Compiles all routes.
///
/// # Errors
///
/// [`DialectError`] naming the first field that is wrong.
pub(super) fn compile(
    written: &Definition,
    signing: Option<&Signing>,
) -> Result<RouteTable, DialectError> {
    let mut table = RouteTable::default();
    if written.routes.is_empty() {
        return Err(wrong("routes", "without routes everything is refused"));
    }
    for (index, route) in written.routes.iter().enumerate() {
        let field = format!("routes[{index}]");
        if !table.add(compile_route(route, &field, written, signing)?) {
            let what = format!("{} {} stands twice", route.method, route.path);
            return Err(wrong(&field, what));
        }
    }
    if signing.is_some() && !table.add(receipts()) {
        return Err(wrong("routes", format!("{RECEIPTS} is the gateway's own")));
    }
    for (index, channel) in written.channels.iter().enumerate() {
        let field = format!("channels[{index}].paths");
        for path in &channel.paths {
            if !table.add(opening(path, channel.weight, &field)?) {
                let what = format!("{path} is a route already");
                return Err(wrong(&field, what));
            }
        }
    }
    table.admit().map_err(|id| {
        let what = "its path is that of a channel or a stream, which one token opens";
        wrong(&format!("routes[{id}].mints.opens"), what)
    })?;
    Ok(table)
}

/// Opening a channel asks for nothing yet: what its messages ask is judged one by one.
fn opening(path: &str, weight: u32, field: &str) -> Result<Route, DialectError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.".contains(&b);
    if !path.starts_with('/') || !path.bytes().all(plain) {
        let what = "a path has no query, no escapes and no open segments";
        return Err(wrong(field, what));
    }
    Ok(Route {
        id: 0,
        method: "GET".into(),
        path: path.into(),
        operation: Operation::MarketRead,
        signed: false,
        stream: false,
        channel: true,
        body: BodyKind::default(),
        when: Box::default(),
        order_names: None,
        batch: None,
        mints: None,
        admission: None,
        private: None,
        retired: None,
        side: None,
        weight,
        orders: 0,
        weight_by: Box::default(),
        parameters: Some(Names::from_iter([])),
    })
}

/// Where every dialect's clients ask the gateway for the receipt of an order of their own.
const RECEIPTS: &str = "/.well-known/ringfence/receipts/{id}";
/// It costs the gateway some files read, as the heavier questions cost a venue.
const RECEIPT_WEIGHT: u32 = 5;

fn receipts() -> Route {
    Route {
        id: 0,
        method: "GET".into(),
        path: RECEIPTS.into(),
        operation: Operation::ReceiptRead,
        signed: true,
        stream: false,
        channel: false,
        body: BodyKind::default(),
        when: Box::default(),
        order_names: None,
        batch: None,
        mints: None,
        admission: None,
        private: None,
        retired: None,
        side: None,
        weight: RECEIPT_WEIGHT,
        orders: 0,
        weight_by: Box::default(),
        parameters: None,
    }
}

fn compile_route(
    route: &RouteDefinition,
    field: &str,
    written: &Definition,
    signing: Option<&Signing>,
) -> Result<Route, DialectError> {
    let operation = Operation::parse(&route.operation).ok_or_else(|| {
        let what = format!("unknown operation {:?}", route.operation);
        wrong(&format!("{field}.operation"), what)
    })?;
    check_place(route, operation, field)?;
    check_signed(route, operation, signing.is_some(), field)?;
    check_stream(route, operation, field)?;
    let weight_by = route.weight_by.iter().enumerate().map(|(index, by)| {
        Weigh::compile(by).map_err(|what| wrong(&format!("{field}.weight_by[{index}]"), what))
    });
    Ok(Route {
        id: 0,
        method: route.method.as_str().into(),
        path: route.path.as_str().into(),
        operation,
        signed: route.signed,
        stream: route.stream,
        channel: false,
        body: route.body,
        when: when(route, field)?,
        order_names: order_names(route, operation, written, field)?,
        batch: batch(route, operation, &written.parameter_lists, field)?,
        mints: mints(route, operation, field)?,
        admission: None,
        private: private(route, operation, field)?.map(Box::new),
        retired: route.retired.as_deref().map(Box::from),
        side: route.side.map(SideName::as_str),
        weight: route.weight,
        orders: route.orders,
        weight_by: weight_by.collect::<Result<_, _>>()?,
        parameters: parameters(route, operation, &written.parameter_lists, signing, field)?,
    })
}

/// Returns what the body says where this route is meant.
fn when(route: &RouteDefinition, field: &str) -> Result<When, DialectError> {
    if !route.when.is_empty() && route.body != BodyKind::Json {
        return Err(wrong(&format!("{field}.when"), "only JSON says it"));
    }
    let when = route.when.iter();
    Ok(when
        .map(|(name, value)| (Name::from(&**name), value.as_str().into()))
        .collect())
}

/// Returns the token that is handed out here. It stands for a logon, and a logon over HTTP without one is nothing.
fn mints(
    route: &RouteDefinition,
    operation: Operation,
    field: &str,
) -> Result<Option<Box<Mints>>, DialectError> {
    let field = format!("{field}.mints");
    let closed = route.parameters.is_some();
    match (&route.mints, operation) {
        (Some(written), Operation::SessionLogon) if route.signed && closed => {
            Ok(Some(Box::new(Mints::compile(written, &field)?)))
        }
        // Nobody's, for a stream that anybody may open.
        (Some(written), Operation::MarketRead)
            if !route.signed && closed && written.shown == Shown::Handshake =>
        {
            Ok(Some(Box::new(Mints::compile(written, &field)?)))
        }
        (None, operation) if operation != Operation::SessionLogon => Ok(None),
        (_, _) => {
            let what = "a signed session.logon with a closed list of parameters has it, or an unsigned market.read whose token opens a stream";
            Err(wrong(&field, what))
        }
    }
}

/// Returns what the route has to do with the token of a private stream.
fn private(
    route: &RouteDefinition,
    operation: Operation,
    field: &str,
) -> Result<Option<Private>, DialectError> {
    let asks = operation == Operation::StreamOpen && route.signed && route.parameters.is_some();
    match (&route.lends, &route.shows) {
        (None, None) => Ok(None),
        (Some(written), None) if asks && !route.stream => {
            let field = format!("{field}.lends");
            Ok(Some(Private::Lends(Lends::compile(written, &field)?)))
        }
        (None, Some(name)) if asks && route.stream => Ok(Some(Private::shown(name, &route.path))),
        (Some(_), _) => {
            let what = "a signed stream.open with a closed list of parameters has it";
            Err(wrong(&format!("{field}.lends"), what))
        }
        (None, Some(_)) => {
            let what = "a stream for stream.open with a closed list of parameters has it";
            Err(wrong(&format!("{field}.shows"), what))
        }
    }
}

/// Checks that a stream is one with market data, or a private one.
fn check_stream(
    route: &RouteDefinition,
    operation: Operation,
    field: &str,
) -> Result<(), DialectError> {
    let market = !route.signed && operation == Operation::MarketRead;
    if !route.stream || (route.method == "GET" && (market || route.shows.is_some())) {
        return Ok(());
    }
    let what = "a stream is a GET: unsigned for market.read, or one that shows a token";
    Err(wrong(&format!("{field}.stream"), what))
}

/// Returns where this route's order stands, if not where the dialect says.
fn order_names(
    route: &RouteDefinition,
    operation: Operation,
    written: &Definition,
    field: &str,
) -> Result<Option<Box<OrderNames>>, DialectError> {
    let fields = written.order_fields.as_ref();
    if let Some(own) = &route.order_fields {
        let field = format!("{field}.order_fields");
        let alone = route.order_in.is_none() && route.amendment.is_none();
        let fields = fields.filter(|_| alone && operation.carries_order());
        let what = "it is of a route with an order, without `order_in` and `amendment`";
        let fields = OrderFields {
            stop_price: own.stop_price.clone(),
            client_order_id: Some(own.client_order_id.clone()),
            ..fields.ok_or_else(|| wrong(&field, what))?.clone()
        };
        let names = OrderNames::compile(&fields, &written.order_types);
        let names = names.map_err(|error| DialectError { field, ..error })?;
        return Ok(Some(Box::new(names)));
    }
    let names = match (&route.order_in, &route.amendment) {
        (None, None) => return Ok(None),
        (Some(outer), None) => {
            let names = fields.and_then(|fields| OrderNames::inside(outer, fields));
            let what =
                "it goes with `order_fields` that have neither `quantity_unit` nor `amendment`";
            names.ok_or_else(|| wrong(&format!("{field}.order_in"), what))?
        }
        (None, Some(amendment)) if route.operation == Operation::OrderAmend.as_str() => {
            let field = format!("{field}.amendment");
            let fields = fields.ok_or_else(|| wrong(&field, "it goes with `order_fields`"))?;
            let fields = OrderFields {
                amendment: Some(amendment.clone()),
                ..fields.clone()
            };
            let names = OrderNames::compile(&fields, &written.order_types);
            names.map_err(|error| DialectError { field, ..error })?
        }
        (_, Some(_)) => {
            let what = "it is of a route that amends, without `order_in`";
            return Err(wrong(&format!("{field}.amendment"), what));
        }
    };
    Ok(Some(Box::new(names)))
}

/// Returns where this route's orders stand, where it carries several.
fn batch(
    route: &RouteDefinition,
    operation: Operation,
    lists: &BTreeMap<String, Vec<String>>,
    field: &str,
) -> Result<Option<Box<Batch>>, DialectError> {
    let Some(written) = &route.batch else {
        return Ok(None);
    };
    let field = format!("{field}.batch");
    if !operation.carries_order() && operation != Operation::OrderCancel {
        return Err(wrong(
            &field,
            "it is of orders that are placed, changed or cancelled",
        ));
    }
    if route.order_in.is_some() || (route.body == BodyKind::Form && written.place.is_empty()) {
        let what = "a form has its orders in a parameter, and `order_in` is of one order";
        return Err(wrong(&field, what));
    }
    let names = named(&written.parameters, lists, &format!("{field}.parameters"))?;
    let names = names.into_iter().map(Name::from).collect();
    Ok(Some(Box::new(Batch::compile(written, names, &field)?)))
}

fn check_place(
    route: &RouteDefinition,
    operation: Operation,
    field: &str,
) -> Result<(), DialectError> {
    let path = route.path.as_bytes();
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'%' | b'*');
    let exact = path.starts_with(b"/") && path.iter().all(plain);
    if !exact && route.path != WILDCARD {
        let what = "it is a path, without query or escapes, or `/**` for every path";
        return Err(wrong(&format!("{field}.path"), what));
    }
    let token = !route.method.is_empty() && route.method.bytes().all(|b| b.is_ascii_uppercase());
    if !token && route.method != "*" {
        let what = "it is a method in capital letters, or `*`";
        return Err(wrong(&format!("{field}.method"), what));
    }
    let open = !exact || !token;
    if open && (route.signed || operation.scope().is_some()) {
        let what = "only an unsigned route that anybody may use can be a wildcard";
        return Err(wrong(&format!("{field}.path"), what));
    }
    Ok(())
}

fn check_signed(
    route: &RouteDefinition,
    operation: Operation,
    can_sign: bool,
    field: &str,
) -> Result<(), DialectError> {
    let field = format!("{field}.signed");
    if route.signed && !can_sign {
        return Err(wrong(&field, "the dialect has no `signing`"));
    }
    if !route.signed && operation.scope().is_some() {
        let what = format!("{} must be signed", route.operation);
        return Err(wrong(&field, what));
    }
    Ok(())
}

/// Returns the route's closed list of parameters, or none.
fn parameters(
    route: &RouteDefinition,
    operation: Operation,
    lists: &BTreeMap<String, Vec<String>>,
    signing: Option<&Signing>,
    field: &str,
) -> Result<Option<Names>, DialectError> {
    let field = format!("{field}.parameters");
    let Some(names) = &route.parameters else {
        return if operation.carries_order() || operation.changes_state() {
            let what = format!("{} needs a closed list of parameters", route.operation);
            Err(wrong(&field, what))
        } else {
            Ok(None)
        };
    };
    let all = named(names, lists, &field)?;
    for needed in signing
        .iter()
        // A token that is shown needs nothing of the scheme.
        .filter(|_| route.signed && route.shows.is_none())
        .flat_map(|s| s.parameters())
    {
        if !all.contains(needed) {
            return Err(wrong(
                &field,
                format!("a signed route takes {needed:?} too"),
            ));
        }
    }
    Ok(Some(all.into_iter().map(Name::from).collect()))
}

/// Returns the names of a closed list, with those of the lists that it refers to.
fn named<'w>(
    names: &'w [String],
    lists: &'w BTreeMap<String, Vec<String>>,
    field: &str,
) -> Result<BTreeSet<&'w str>, DialectError> {
    let mut all = BTreeSet::new();
    for name in names {
        match name.strip_prefix('@') {
            None => {
                all.insert(name.as_str());
            }
            Some(list) => {
                let unknown = || wrong(field, format!("no list called {list:?}"));
                let listed = lists.get(list).ok_or_else(unknown)?;
                all.extend(listed.iter().map(String::as_str));
            }
        }
    }
    Ok(all)
}
