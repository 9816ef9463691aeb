//! From the written form to the compiled one. Every error names the field.

mod routes;

use http::HeaderName;
use ringfence_core::freshness::Window;
use ringfence_core::guard::OrderKind;
use ringfence_core::sign::{Encoding, SignatureEncodings};

use super::definition::{
    Definition, EncodingName, OrderFields, OrderType, Signing as Written, Time,
};
use super::name::Name;
use super::render::ErrorTable;
use super::{Dialect, DialectError, OrderNames, Signing};

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
        let signing = written.signing.as_ref().map(signing).transpose()?;
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
            signing,
            order_kinds: written.order_types.into_iter().map(order_kind).collect(),
            order_names: written.order_fields.as_ref().map(order_names),
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
    }
}

fn signing(written: &Written) -> Result<Signing, DialectError> {
    let encoding = |name| match name {
        EncodingName::Base64 => Encoding::Base64,
        EncodingName::Hex => Encoding::Hex,
    };
    if HeaderName::try_from(&*written.key_header).is_err() {
        return Err(wrong(
            "signing.key_header",
            "not the name of a header field",
        ));
    }
    if written.payload.is_empty() {
        return Err(wrong("signing.payload", "a signature must cover something"));
    }
    let names = [
        ("signing.signature", &written.signature),
        ("signing.time.parameter", &written.time.parameter),
        (
            "signing.time.window_parameter",
            &written.time.window_parameter,
        ),
    ];
    for (index, (field, name)) in names.iter().enumerate() {
        if name.is_empty() || names.iter().take(index).any(|(_, other)| other == name) {
            return Err(wrong(field, "it is empty or names another's parameter"));
        }
    }
    Ok(Signing {
        key_header: written.key_header.to_ascii_lowercase(),
        signature: Name::from(&*written.signature),
        payload: written.payload.clone(),
        encodings: SignatureEncodings {
            hmac: encoding(written.encodings.hmac),
            ed25519: encoding(written.encodings.ed25519),
            rsa: encoding(written.encodings.rsa),
        },
        time: Name::from(&*written.time.parameter),
        window: Name::from(&*written.time.window_parameter),
        rule: window(&written.time)?,
    })
}

/// Longest window that a dialect may have: a day. Replay memory has to remember that long.
const WINDOW_MAX_MS: u64 = 86_400_000;

fn window(written: &Time) -> Result<Window, DialectError> {
    let bounds = [
        ("window_max_ms", written.window_max_ms, WINDOW_MAX_MS),
        (
            "window_default_ms",
            written.window_default_ms,
            written.window_max_ms,
        ),
        ("ahead_ms", written.ahead_ms, WINDOW_MAX_MS),
    ];
    for (name, given, most) in bounds {
        if given > most {
            return Err(wrong(
                &format!("signing.time.{name}"),
                format!("it is more than {most}"),
            ));
        }
    }
    Ok(Window {
        default_us: written.window_default_ms * 1000,
        max_us: written.window_max_ms * 1000,
        ahead_us: written.ahead_ms * 1000,
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
