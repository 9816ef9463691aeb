//! Reading a message, and writing it anew for the venue.

use http::HeaderMap;
use ringfence_core::budget::Cost;
use ringfence_core::freshness::Window;
use ringfence_core::funds::FundsText;
use ringfence_core::refusal::{Code, Refusal};
use ringfence_core::sign::Claim;

use super::definition::BodyKind;
use super::scheme::{Scheme, Signing};
use super::{Abouts, Asked, Dialect, Each, Mints, Orders, Route, Scratch};
use crate::form;
use crate::native::{self, Said, is_native};

/// A request's head, as far as dialects look at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// Method.
    pub method: &'a str,
    /// Path as sent.
    pub path: &'a str,
    /// Query as sent, without `?`.
    pub query: &'a str,
    /// Media type of the body.
    pub content_type: Option<&'a str>,
    /// Value of the dialect's key header; none where the key stands elsewhere.
    pub key: Option<&'a str>,
    /// All header fields, for dialects that keep more than the key there.
    pub headers: Option<&'a HeaderMap>,
    /// Whether it came by TLS: the native scheme leaves out the port that its URL's scheme implies.
    pub secure: bool,
    /// Whether somebody is known without a signature: then a message that carries none is none the worse.
    pub session: bool,
}

/// What a message says.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// Who it says signed it.
    pub claim: Option<Claim<'a>>,
    /// How old that may be.
    pub window: Window,
    /// The orders that it carries.
    pub orders: Orders<'a>,
    /// The funds that it moves.
    pub funds: Option<FundsText<'a>>,
    /// The orders that it is about, which are there already.
    pub about: Abouts<'a>,
    /// What it costs.
    pub cost: Cost,
    /// The place of its route in the table.
    pub route: u16,
    /// The token that it shows for another one, in place of a signature.
    pub refresh: Option<&'a str>,
    /// The key that it names, where it carries no signature and needs none.
    pub named: Option<&'a str>,
    /// The token of a private stream that it is about.
    pub lent: Option<&'a str>,
}

/// A message as it goes to the venue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outgoing {
    /// Path and query.
    pub target: String,
    /// Body.
    pub body: Vec<u8>,
    /// What the body is, in place of what the client called it; none leaves the client's word.
    pub content_type: Option<&'static str>,
}

/// By what scheme a message is signed.
enum SignedBy<'s, 'a> {
    /// It names the key and needs no more.
    Name(&'s Scheme),
    Native(Said<'a>),
    Nobody,
    Own(&'s Signing),
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Dialect {
    /// Reads a message on `route`. Allocates nothing once `scratch` has grown to the size of the messages.
    ///
    /// # Errors
    ///
    /// A `form_*`, `credential_missing`, `signature_*` or `time_*` refusal.
    pub fn read<'a>(
        &'a self,
        route: &Route,
        head: &Head<'a>,
        body: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Reading<'a>, Refusal> {
        if route.is_wildcard() {
            return Ok(Reading {
                claim: None,
                window: self.window(),
                orders: Each::None,
                funds: None,
                about: Each::None,
                cost: cost(route, route.weight, 1),
                route: route.id,
                refresh: None,
                named: None,
                lent: None,
            });
        }
        let text = body_text(route, head, body)?;
        let form = route.form();
        let native = head.headers.filter(|headers| is_native(headers));
        // The handshake of a channel needs no signature; one that has it says who speaks on the channel.
        let asks = route.signed || (route.channel && native.is_some());
        let logon = route.mints().and_then(|mints| mints.signing.as_ref());
        let own = logon.or(self.signing.as_ref()).filter(|_| asks);
        let signed = match (own, native) {
            (Some(own), Some(headers)) => {
                scratch.read(head.query, text, form, None)?;
                own.absent(head, scratch.pairs())?;
                SignedBy::Native(native::read(head, headers, body, scratch.base())?)
            }
            (Some(own), None) => {
                scratch.read(head.query, text, form, own.signature_name())?;
                let refreshes = |mints: &Mints| mints.refreshes(scratch).is_some();
                let known = head.session || route.mints().is_some_and(refreshes);
                if let Some(scheme) = own.named(route, head, scratch.pairs())? {
                    SignedBy::Name(scheme)
                } else if known && own.is_silent(head, scratch.pairs())? {
                    SignedBy::Nobody
                } else {
                    scratch.prove(own, head, text)?;
                    SignedBy::Own(own)
                }
            }
            (None, _) => {
                let signature = self.signing.as_ref().and_then(Signing::signature_name);
                scratch.read(head.query, text, form, signature)?;
                SignedBy::Nobody
            }
        };
        let cost = weigh(route, scratch)?;
        let scratch: &'a Scratch = scratch;
        let unsigned = route.mints().filter(|_| matches!(signed, SignedBy::Nobody));
        let refresh = unsigned.and_then(|mints| mints.refreshes(scratch));
        if let Some(mints) = route.mints().filter(|_| refresh.is_none()) {
            mints.check(scratch)?;
        }
        let named = match signed {
            SignedBy::Name(scheme) => scheme.key_id(head, scratch.pairs())?,
            SignedBy::Native(_) | SignedBy::Nobody | SignedBy::Own(_) => None,
        };
        let (claim, window) = match signed {
            SignedBy::Name(scheme) => (None, scheme.rule),
            SignedBy::Native(said) => (Some(said.claim(scratch.payload())), native::WINDOW),
            SignedBy::Own(own) => (Some(scratch.claim(own, head)?), own.rule()),
            SignedBy::Nobody => (None, self.window()),
        };
        let reading = self.complete(route, head.path, (claim, window), cost, scratch)?;
        Ok(Reading {
            refresh,
            named,
            ..reading
        })
    }

    /// Reads what a channel's message asks of its route; who signed it, and how old that may be, stands in the message.
    ///
    /// # Errors
    ///
    /// As [`Dialect::read`].
    pub fn read_asked<'a>(
        &'a self,
        asked: &'a Asked<'_>,
        signed: (Option<Claim<'a>>, Window),
        scratch: &'a mut Scratch,
    ) -> Result<Reading<'a>, Refusal> {
        let route = asked.route;
        scratch.read(&asked.query, &asked.body, route.form(), None)?;
        let cost = weigh(route, scratch)?;
        let scratch: &'a Scratch = scratch;
        self.complete(route, &route.path, signed, cost, scratch)
    }

    /// Reads the rest of a message whose parameters, signature and cost are known.
    fn complete<'a>(
        &'a self,
        route: &Route,
        path: &'a str,
        (claim, window): (Option<Claim<'a>>, Window),
        cost: Cost,
        scratch: &'a Scratch,
    ) -> Result<Reading<'a>, Refusal> {
        let names = route.order_names.as_deref();
        let names = names.or(self.order_names.as_ref());
        let names = names.filter(|_| route.operation.carries_order());
        let words = &self.words;
        let orders = match (names, scratch.items()) {
            (None, _) => Each::None,
            (Some(names), []) => Each::One(names.order(route, scratch.pairs(), words)?),
            // One alone needs no list.
            (Some(names), [only]) => Each::One(names.order(route, only, words)?),
            (Some(names), items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    let order = names.order(route, item, words);
                    order.map_err(|refusal| refusal.of_order(index))
                });
                Each::Several(items.collect::<Result<_, _>>()?)
            }
        };
        let about = match (route.operation.is_about_orders(), scratch.items()) {
            (false, _) => Each::None,
            (true, []) => self.about(route, path, scratch.pairs()),
            (true, [only]) => self.about(route, path, only),
            (true, items) => {
                let named = |item| self.about(route, path, item).one().copied();
                Each::Several(
                    items
                        .iter()
                        .map(|item| named(item).unwrap_or_default())
                        .collect(),
                )
            }
        };
        Ok(Reading {
            claim,
            window,
            orders,
            funds: self.funds(route, scratch.pairs()),
            about,
            cost,
            route: route.id,
            refresh: None,
            named: None,
            lent: route.lent(scratch.pairs()),
        })
    }

    /// Writes target and body anew from their pairs, without signature and key. Call it with what [`Dialect::read`] took.
    pub fn forward(&self, route: &Route, head: &Head<'_>, body: &[u8]) -> Outgoing {
        let mut target = String::with_capacity(head.path.len() + head.query.len() + 1);
        target.push_str(head.path);
        if route.lends().is_some() {
            // The venue knows by the key whose token is meant; what the client shows is good for nothing there.
            return Outgoing {
                target,
                body: Vec::new(),
                content_type: None,
            };
        }
        if route.is_wildcard() {
            if !head.query.is_empty() {
                target.push('?');
                target.push_str(head.query);
            }
            return Outgoing {
                target,
                body: body.to_vec(),
                content_type: None,
            };
        }
        let signing = self.signing.as_ref();
        let signature = signing.and_then(Signing::signature_name);
        let signature = signature.unwrap_or_default();
        target.push('?');
        let before = target.len();
        if let Some(admission) = self.routes.admission(route) {
            admission.without_token(head.query, &mut target);
            if target.len() == before {
                target.pop();
            }
            return Outgoing {
                target,
                body: Vec::new(),
                content_type: None,
            };
        }
        let scheme = signing.and_then(Signing::canonical);
        match scheme.and_then(|scheme| scheme.key.parameter()) {
            None => form::without(head.query, signature, &mut target),
            // The key's id is the client's own: it stays here like the signature.
            Some(key) => {
                let mut query = String::with_capacity(head.query.len());
                form::without(head.query, signature, &mut query);
                form::without(&query, key.as_str(), &mut target);
            }
        }
        if target.len() == before {
            target.pop();
        }
        let mut rest = String::with_capacity(body.len());
        // INVARIANT: `read` refused a body that is not text.
        let text = std::str::from_utf8(body).unwrap_or_default();
        match route.body {
            BodyKind::Form => form::without(text, signature, &mut rest),
            // What was read is all that is there: no name stands twice.
            BodyKind::Json => match signing.and_then(|signing| signing.without_signature(text)) {
                Some(written) => rest.push_str(&written),
                None => rest.push_str(text),
            },
        }
        Outgoing {
            target,
            content_type: (!rest.is_empty()).then_some(essence(route.body)),
            body: rest.into_bytes(),
        }
    }
}

pub(super) const fn essence(kind: BodyKind) -> &'static str {
    match kind {
        BodyKind::Form => FORM,
        BodyKind::Json => "application/json",
    }
}

/// Returns the body as text; one of another type than the route takes is refused.
fn body_text<'a>(route: &Route, head: &Head<'_>, body: &'a [u8]) -> Result<&'a str, Refusal> {
    if body.is_empty() {
        return Ok("");
    }
    // RFC 9110 9.3.1: the body of a GET has no meaning. A venue that ignores it would see another message than we judged.
    if head.method == "GET" {
        return Err(Refusal::new(Code::FormMalformed).field("body"));
    }
    let wanted = essence(route.body);
    let mut parts = head
        .content_type
        .unwrap_or(wanted)
        .split(';')
        .map(str::trim);
    let given = parts.next().unwrap_or_default();
    // Whoever decodes the body by another charset reads other parameters.
    let utf8 = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        name.eq_ignore_ascii_case("charset")
            && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    if !given.eq_ignore_ascii_case(wanted) || !parts.all(utf8) {
        return Err(Refusal::new(Code::FormMalformed).field("Content-Type"));
    }
    std::str::from_utf8(body).map_err(|_| Code::FormMalformed.into())
}

/// Checks the closed list of parameters and returns what the message costs.
fn weigh(route: &Route, scratch: &mut Scratch) -> Result<Cost, Refusal> {
    let mut by_parameters = None;
    for (tag, name, value) in scratch.pairs().iter() {
        if !route.takes(tag, name) {
            return Err(Refusal::new(Code::FormParameterUnknown).field(name));
        }
        by_parameters = by_parameters.max(route.weight_for(name, value));
    }
    let mut orders = 1;
    let mut weight = by_parameters.unwrap_or(route.weight);
    if let Some(batch) = &route.batch {
        scratch.share(batch)?;
        orders = u32::try_from(scratch.items().len()).unwrap_or(u32::MAX);
        if batch.weighs_each {
            weight = weight.saturating_mul(orders);
        }
    }
    Ok(cost(route, weight, orders))
}

const fn cost(route: &Route, weight: u32, orders: u32) -> Cost {
    Cost {
        weight,
        orders: route.orders.saturating_mul(orders),
        items: orders,
    }
}
