//! From the written form to the compiled one. Every error names the field.

mod routes;

use http::HeaderName;
use ringfence_core::guard::OrderKind;

use super::about::Places;
use super::definition::{self, Definition, OrderFields, OrderType};
use super::funds::FundsNames;
use super::name::Name;
use super::render::ErrorTable;
use super::scheme::Scheme;
use super::told::Answers;
use super::{Dialect, DialectError, Frame, OrderNames};

impl Dialect {
    /// Compiles a dialect from the JSON form of its YAML.
    ///
    /// # Errors
    ///
    /// [`DialectError`] naming the first field that is wrong.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, DialectError> {
        let written: Definition = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { "dialect" } else { &path };
            wrong(field, error.inner().to_string())
        })?;
        if written.name.is_empty() {
            return Err(wrong("name", "it is empty"));
        }
        let compile = |signing| Scheme::compile(signing, "signing");
        let signing = written.signing.as_ref().map(compile).transpose()?;
        let frames = written.frames.iter().enumerate();
        let frames = frames.map(|(index, written)| frame(index, written));
        let frames = frames.collect::<Result<_, _>>()?;
        let said = &written.stream_messages;
        if said.any && !(said.field.is_empty() && said.values.is_empty()) {
            return Err(wrong(
                "stream_messages",
                "either anything, or one of a list",
            ));
        }
        let routes = routes::compile(&written, signing.as_ref())?;
        let carries_order = routes.iter().any(|route| route.operation.carries_order());
        if carries_order && written.order_fields.is_none() {
            return Err(wrong("order_fields", "the guard needs them: it is missing"));
        }
        if carries_order && written.order_types.is_empty() {
            let what = "without order types every order is refused";
            return Err(wrong("order_types", what));
        }
        Ok(Self {
            name: written.name,
            scheme: signing,
            frames,
            order_kinds: written.order_types.into_iter().map(order_kind).collect(),
            order_ids: Places::compile(&written.order_ids),
            withdraw_names: written
                .withdraw_fields
                .as_ref()
                .map(FundsNames::of_withdrawal),
            transfer_names: written
                .transfer_fields
                .as_ref()
                .map(FundsNames::of_transfer)
                .transpose()?,
            answers: Answers::compile(&written.venue_errors, &written.usage_headers.remaining)?,
            order_names: written.order_fields.as_ref().map(order_names),
            stream_messages: written.stream_messages,
            routes,
            weight_header: header_template(written.usage_headers.weight, "usage_headers.weight")?,
            orders_header: header_template(written.usage_headers.orders, "usage_headers.orders")?,
            errors: ErrorTable::compile(&written.errors)?,
        })
    }
}

fn order_kind((name, written): (String, OrderType)) -> (Box<str>, OrderKind) {
    let kind = OrderKind {
        needs_price: written.price,
        needs_stop_price: written.stop_price,
        quote_quantity: written.quote_quantity,
    };
    (name.into(), kind)
}

fn order_names(written: &OrderFields) -> OrderNames {
    let optional = |name: &Option<String>| name.as_deref().map(Name::from);
    OrderNames {
        symbol: Name::from(&*written.symbol),
        side: Name::from(&*written.side),
        kind: Name::from(&*written.kind),
        price: Name::from(&*written.price),
        stop_price: Name::from(&*written.stop_price),
        quantity: Name::from(&*written.quantity),
        iceberg_quantity: optional(&written.iceberg_quantity),
        quote_quantity: optional(&written.quote_quantity),
        client_order_id: optional(&written.client_order_id),
        sides: written
            .sides
            .iter()
            .map(|(word, side)| (word.as_str().into(), side.as_str()))
            .collect(),
    }
}

fn frame(index: usize, written: &definition::Frame) -> Result<Frame, DialectError> {
    let field = format!("frames[{index}]");
    if written.when.is_empty() {
        return Err(wrong(&format!("{field}.when"), "it says nothing"));
    }
    let when = written.when.iter();
    Ok(Frame {
        name: written.name.as_str().into(),
        when: when
            .map(|(name, value)| (Name::from(&**name), value.as_str().into()))
            .collect(),
        scheme: Scheme::compile(&written.signing, &format!("{field}.signing"))?,
    })
}

const WINDOW_PLACE: &str = "{window}";

fn header_template(template: Option<String>, field: &str) -> Result<Option<String>, DialectError> {
    if let Some(text) = &template {
        let filled = text.replacen(WINDOW_PLACE, "1M", 1);
        if filled == *text || HeaderName::try_from(filled).is_err() {
            return Err(wrong(
                field,
                "not the name of a header field with {window} once in it",
            ));
        }
    }
    Ok(template)
}

pub(super) fn wrong(field: &str, what: impl Into<String>) -> DialectError {
    DialectError {
        field: field.to_owned(),
        what: what.into(),
    }
}
