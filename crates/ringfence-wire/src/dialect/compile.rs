//! From the written form to the compiled one. Every error names the field.

mod routes;

use std::borrow::Cow;
use std::collections::HashMap;

use http::HeaderName;
use ringfence_core::guard::OrderKind;
use serde_json::Value;

use super::about::Places;
use super::channel::Channel;
use super::definition::{self, Definition, OrderType};
use super::fills::Fills;
use super::funds::FundsNames;
use super::name::Name;
use super::order::{OrderNames, Words};
use super::render::ErrorTable;
use super::scheme::{Scheme, Signing};
use super::told::Answers;
use super::{Dialect, DialectError, Frame};

impl Dialect {
    /// Compiles a dialect from the JSON form of its YAML.
    ///
    /// # Errors
    ///
    /// [`DialectError`] naming the first field that is wrong.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, DialectError> {
        let (signing, value) = apart(value)?;
        let written: Definition = serde_path_to_error::deserialize(&*value).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { "dialect" } else { &path };
            wrong(field, error.inner().to_string())
        })?;
        if written.name.is_empty() {
            return Err(wrong("name", "it is empty"));
        }
        let signing = match &written.signing {
            Some(signing) => {
                let scheme = Scheme::compile(signing, "signing")?;
                Some(Signing::Canonical(Box::new(scheme)))
            }
            None => signing,
        };
        let frames = written.frames.iter().enumerate();
        let frames = frames.map(|(index, written)| frame(index, written));
        let frames: Vec<_> = frames.collect::<Result<_, _>>()?;
        let said = &written.stream_messages;
        if said.any && !(said.fields.is_empty() && said.texts.is_empty()) {
            return Err(wrong(
                "stream_messages",
                "either anything, or one of a list",
            ));
        }
        let routes = routes::compile(&written, signing.as_ref())?;
        let channels = written.channels.iter().enumerate();
        let channels = channels.map(|(index, channel)| {
            let compiled = Channel::compile(channel, &routes, &frames, signing.as_ref());
            compiled.map_err(|error| DialectError {
                field: format!("channels[{index}].{}", error.field),
                ..error
            })
        });
        let channels = channels.collect::<Result<_, _>>()?;
        let carries_order = routes.iter().any(|route| route.operation.carries_order());
        if carries_order && written.order_fields.is_none() {
            return Err(wrong("order_fields", "the guard needs them: it is missing"));
        }
        if carries_order && written.order_types.is_empty() {
            let what = "without order types every order is refused";
            return Err(wrong("order_types", what));
        }
        let names = written.order_fields.as_ref();
        let names = names.map(|fields| OrderNames::compile(fields, &written.order_types));
        let names = names.transpose()?;
        let apart = routes
            .iter()
            .filter_map(|route| route.order_names.as_deref());
        let amends_by_order = names.iter().chain(apart).any(OrderNames::amends_by_order);
        if amends_by_order && written.order_ids.answer.venue_order_id.is_empty() {
            let what = "amendments name an order by the id that is found here: it is missing";
            return Err(wrong("order_ids.answer.venue_order_id", what));
        }
        Ok(Self {
            name: written.name,
            signing,
            frames,
            words: Words {
                types: written.order_types.into_iter().map(order_kind).collect(),
                codes: HashMap::new(),
            },
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
            fills: Fills::compile(&written.fills)?,
            order_names: names,
            amends_by_order,
            stream_messages: written.stream_messages,
            channels,
            routes,
            weight_header: header_template(written.usage_headers.weight, "usage_headers.weight")?,
            orders_header: header_template(written.usage_headers.orders, "usage_headers.orders")?,
            errors: ErrorTable::compile(&written.errors)?,
        })
    }
}

/// Takes a scheme in code out of what is written: it has a form of its own.
fn apart(value: &Value) -> Result<(Option<Signing>, Cow<'_, Value>), DialectError> {
    let signing = value.get("signing").map(Signing::from_json).transpose()?;
    let Some(signing) = signing.flatten() else {
        return Ok((None, Cow::Borrowed(value)));
    };
    let mut rest = value.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.remove("signing");
    }
    Ok((Some(signing), Cow::Owned(rest)))
}

fn order_kind((name, written): (String, OrderType)) -> (Box<str>, OrderKind) {
    let kind = OrderKind {
        needs_price: written.price,
        needs_stop_price: written.stop_price,
        quote_quantity: written.quote_quantity || written.quantity_unit,
        trails: written.trails,
        whole_position: written.whole_position,
    };
    (name.into(), kind)
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
