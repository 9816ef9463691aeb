//! Every reason to refuse.

use super::{Blame, Retry};
use crate::mode::Control;

/// When to try again after something that passes by itself, in milliseconds.
const SHORTLY_MS: u64 = 1000;

macro_rules! codes {
    ($($variant:ident $text:literal $blame:ident $control:expr, $hint:literal;)+) => {
        /// Every reason to refuse. The texts are stable and never reworded.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code { $(#[doc = $hint] $variant,)+ }

        impl Code {
            /// All codes, in the order of the way a message travels.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the stable text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Returns a sentence that tells the user what to do.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint),+ }
            }

            /// Returns whose doing it is.
            pub const fn blame(self) -> Blame {
                match self { $(Self::$variant => Blame::$blame),+ }
            }

            /// Returns the control that refuses so, if one of the pipeline's does.
            pub const fn control(self) -> Option<Control> {
                match self { $(Self::$variant => $control),+ }
            }
        }
    };
}

impl Code {
    /// Returns when to try again, unless the refusal itself knows better.
    pub const fn retry(self) -> Retry {
        let passes = match self.blame() {
            Blame::Client => matches!(self, Self::ConnectionsExhausted),
            Blame::Gateway => !matches!(self, Self::Internal),
            // A venue that failed on a message may have seen it: only its sender can tell.
            Blame::Venue => matches!(self, Self::VenueUnreachable),
        };
        if passes {
            Retry::AfterMs(SHORTLY_MS)
        } else {
            Retry::Never
        }
    }
}

const NO: Option<Control> = None;
const EDGE: Option<Control> = Some(Control::Edge);
const OPERATION: Option<Control> = Some(Control::Operation);
const IDENTITY: Option<Control> = Some(Control::Identity);
const FRESHNESS: Option<Control> = Some(Control::Freshness);
const AUTHORITY: Option<Control> = Some(Control::Authority);
const BUDGET: Option<Control> = Some(Control::Budget);
const GUARD: Option<Control> = Some(Control::Guard);
const SEQUENCE: Option<Control> = Some(Control::Sequence);

codes! {
    HttpMalformed "http_malformed" Client NO,
        "The request is not valid HTTP; send it as RFC 9112 says, or RFC 9113 for HTTP/2.";
    HttpHeaderTooLarge "http_header_too_large" Client NO,
        "The request's header is too large; send fewer or shorter fields.";
    HttpBodyTooLarge "http_body_too_large" Client NO,
        "The request's body is too large; send less at once.";
    HttpTimeout "http_timeout" Client NO,
        "The request did not arrive in time; send it without pauses.";
    HttpFlood "http_flood" Client NO,
        "The connection carried too much that asks for nothing; send requests and take their answers.";
    HttpMethodUnknown "http_method_unknown" Client NO,
        "The method is not known here; use the venue's documented one.";
    HttpTargetInvalid "http_target_invalid" Client NO,
        "The request target is not valid; send an absolute path with valid percent-encoding.";
    HttpFramingAmbiguous "http_framing_ambiguous" Client NO,
        "The length of the request can be read in two ways; send either Content-Length or chunked.";
    HttpUpgradeUnsupported "http_upgrade_unsupported" Client NO,
        "This path speaks nothing but HTTP; do not ask for another protocol.";
    ConnectionsExhausted "connections_exhausted" Client NO,
        "Too many connections are open; close some and reuse the others.";
    EdgeRate "edge_rate" Client EDGE,
        "Too many requests from this address; slow down.";
    EdgeFull "edge_full" Gateway EDGE,
        "Too many addresses are active; try again shortly.";
    Banned "banned" Client EDGE,
        "This address or key is kept out for a while; come back when Retry-After has passed.";
    RouteUnknown "route_unknown" Client OPERATION,
        "This method and path are not offered here; see the dialect's routes.";
    RouteRetired "route_retired" Client OPERATION,
        "The venue has retired this; use what took its place.";
    FormMalformed "form_malformed" Client NO,
        "The parameters cannot be read; send them form-encoded in UTF-8.";
    FormDuplicate "form_duplicate" Client NO,
        "A parameter is given twice; send each once, in the query or in the body.";
    FormParameterUnknown "form_parameter_unknown" Client NO,
        "This parameter is not allowed on this route; leave it out.";
    FormParameterMissing "form_parameter_missing" Client NO,
        "A mandatory parameter is missing; add it.";
    FormParameterInvalid "form_parameter_invalid" Client NO,
        "A parameter has a value that is not allowed; correct it.";
    FormBatchTooLong "form_batch_too_long" Client NO,
        "The message carries more orders than the venue takes at once; send fewer in each.";
    CredentialMissing "credential_missing" Client IDENTITY,
        "This route needs an API key; send it in the key header.";
    CredentialUnknown "credential_unknown" Client IDENTITY,
        "This API key does not exist; check it or create one.";
    CredentialUnbound "credential_unbound" Client IDENTITY,
        "Unsigned, this API key must be bound to addresses: bind it, or log on to the WebSocket API.";
    TokenUnknown "token_unknown" Client IDENTITY,
        "This token is none that is good here, or no longer; ask for another one.";
    SignatureMissing "signature_missing" Client IDENTITY,
        "This route needs a signed request; add the signature.";
    SignatureAlgorithm "signature_algorithm" Client IDENTITY,
        "Keys of this algorithm do not sign here; use a key of an algorithm that the scheme takes.";
    SignatureMalformed "signature_malformed" Client IDENTITY,
        "The signature is not in the encoding of this key's algorithm; check how it is encoded.";
    SignatureInvalid "signature_invalid" Client IDENTITY,
        "The signature does not fit the request; sign exactly what is sent, with this key's secret.";
    SignatureField "signature_field" Client IDENTITY,
        "Send one signature in Signature-Input and Signature, written as RFC 9421 serializes it.";
    SignatureCoverage "signature_coverage" Client IDENTITY,
        "Sign @method, @authority, @path, @query in this order, and of a body content-digest behind them.";
    SignatureParameter "signature_parameter" Client IDENTITY,
        "Sign with created, expires, nonce and keyid, perhaps alg as ed25519, and no other parameter.";
    SignatureDigest "signature_digest" Client IDENTITY,
        "A body needs one Content-Digest, by sha-256 or sha-512; add it and sign it.";
    SignatureBody "signature_body" Client IDENTITY,
        "The body is not the one that Content-Digest names; compute it over the bytes that are sent.";
    SignatureTwofold "signature_twofold" Client IDENTITY,
        "It is signed natively and has a part of the venue's own signature; leave that part out.";
    SignatureAuthority "signature_authority" Client IDENTITY,
        "It is meant for a name that this gateway does not go by; connect by one of its authorities.";
    SignatureNonce "signature_nonce" Client IDENTITY,
        "The proof needs a nonce of this gateway's; take it from DPoP-Nonce and sign a new proof.";
    TimeMissing "time_missing" Client FRESHNESS,
        "The request carries no time; add the timestamp and sign it.";
    TimeMalformed "time_malformed" Client FRESHNESS,
        "The timestamp or window is not a number in the venue's unit; correct it.";
    TimeStale "time_stale" Client FRESHNESS,
        "The request is older than its window; synchronise your clock and sign again.";
    TimeAhead "time_ahead" Client FRESHNESS,
        "The request's time is ahead of the server's; synchronise your clock and sign again.";
    WindowTooLarge "window_too_large" Client FRESHNESS,
        "The window is larger than the venue allows; ask for a smaller one.";
    ReplaySeen "replay_seen" Client FRESHNESS,
        "This signed request was already used; sign a new one.";
    ReplayFull "replay_full" Gateway FRESHNESS,
        "Too many requests are live in one window; use a smaller window or slow down.";
    CredentialSessionEnded "credential_session_ended" Client FRESHNESS,
        "This session is over; log on again.";
    CredentialNotActive "credential_not_active" Client AUTHORITY,
        "This API key is not active yet; ask its operator.";
    CredentialSuspended "credential_suspended" Client AUTHORITY,
        "This API key is suspended; ask its operator.";
    CredentialRevoked "credential_revoked" Client AUTHORITY,
        "This API key was revoked; use another.";
    CredentialExpired "credential_expired" Client AUTHORITY,
        "This API key has expired; create a new one.";
    CredentialCertificate "credential_certificate" Client AUTHORITY,
        "This API key is good only together with its client certificate; connect with it.";
    CredentialNative "credential_native" Client AUTHORITY,
        "This API key is good only with the native signature, which covers the whole request; sign so.";
    AddressNotAllowed "address_not_allowed" Client AUTHORITY,
        "This API key may not be used from this address; ask its operator to allow it.";
    ScopeMissing "scope_missing" Client AUTHORITY,
        "This API key lacks the scope for this operation; ask its operator for it.";
    PolicyForbids "policy_forbids" Client AUTHORITY,
        "The gateway's policy does not allow this; ask its operator, who finds the reason in the ledger.";
    StepUpRequired "step_up_required" Client AUTHORITY,
        "This needs a fresh step-up; have an operator run `ringfence mfa step-up --account ACCOUNT`.";
    OrderUnknown "order_unknown" Client AUTHORITY,
        "This account placed no such order that the gateway remembers; cancel it and place it anew.";
    VenueKeyMissing "venue_key_missing" Gateway AUTHORITY,
        "No venue key is there to sign for this account; ask the operator to put one into the vault.";
    StoreStale "store_stale" Gateway AUTHORITY,
        "The gateway cannot reach its store, so nothing that changes state is accepted; tell the operator.";
    ShardDraining "shard_draining" Gateway AUTHORITY,
        "This account's part of the gateway takes no new orders now; cancel, read, and try again later.";
    ShardIsolated "shard_isolated" Client AUTHORITY,
        "This account's part of the gateway is closed for its protection; ask the operator.";
    BudgetExceeded "budget_exceeded" Client BUDGET,
        "The budget for this window is used up; wait as Retry-After says.";
    BudgetFull "budget_full" Gateway BUDGET,
        "Too many subjects are active; try again shortly.";
    ClusterUnavailable "cluster_unavailable" Gateway BUDGET,
        "The server that gateways share limits at is not reached; try again shortly.";
    VenueLimited "venue_limited" Venue BUDGET,
        "The venue told the gateway to slow down; wait as Retry-After says.";
    InstrumentUnknown "instrument_unknown" Client GUARD,
        "This symbol is not offered here; see exchangeInfo.";
    NumberInexact "number_inexact" Client GUARD,
        "A number is not plain decimal text; send digits with at most one point.";
    PriceInvalid "price_invalid" Client GUARD,
        "The price is zero; send a positive one.";
    PriceTick "price_tick" Client GUARD,
        "The price is not a multiple of the tick; round it.";
    PriceBand "price_band" Client GUARD,
        "The price is outside the band; check it for a slip.";
    QuantityInvalid "quantity_invalid" Client GUARD,
        "The quantity is zero; send a positive one.";
    QuantityLot "quantity_lot" Client GUARD,
        "The quantity is not a multiple of the lot; round it.";
    QuantityMin "quantity_min" Client GUARD,
        "The quantity is below the smallest allowed; send more.";
    QuantityMax "quantity_max" Client GUARD,
        "The quantity is above the largest allowed; check it for a slip.";
    QuantityUnbounded "quantity_unbounded" Client GUARD,
        "It closes the whole position: give a quantity, or allow whole_position for the instrument.";
    NotionalMin "notional_min" Client GUARD,
        "The order's value is below the smallest allowed; send more.";
    NotionalMax "notional_max" Client GUARD,
        "The order's value is above the largest allowed; check it for a slip.";
    OrderSideInvalid "order_side_invalid" Client GUARD,
        "The side is neither buy nor sell in the venue's words; correct it.";
    OrderTypeUnknown "order_type_unknown" Client GUARD,
        "This order type is not offered here; use one of the dialect's.";
    OrderFieldMissing "order_field_missing" Client GUARD,
        "The order lacks a field that its type needs; add it.";
    FundsRuleMissing "funds_rule_missing" Client GUARD,
        "No rule lets this account send these funds there; ask the operator to add the address.";
    AddressLocked "address_locked" Client GUARD,
        "This withdrawal address is new and still locked; ask again when its lock is over.";
    FundsMax "funds_max" Client GUARD,
        "The amount is above what the rule for this destination allows; send less at once.";
    SequenceIllegal "sequence_illegal" Client SEQUENCE,
        "This operation is not legal now; check the state of the session or order.";
    LedgerUnavailable "ledger_unavailable" Gateway NO,
        "The audit log cannot be written, so nothing that changes state is accepted; tell the operator.";
    Draining "draining" Gateway NO,
        "The gateway is shutting down; connect again.";
    Overloaded "overloaded" Gateway NO,
        "The gateway has no capacity left; try again shortly.";
    Internal "internal" Gateway NO,
        "The gateway failed on this request; tell the operator the message id.";
    VenueUnreachable "venue_unreachable" Venue NO,
        "The venue cannot be reached; nothing was sent.";
    VenueTimeout "venue_timeout" Venue NO,
        "The venue did not answer in time; the request changed nothing.";
    VenueMalformed "venue_malformed" Venue NO,
        "The venue answered with something that is not valid HTTP.";
    VenueOutcomeUnknown "venue_outcome_unknown" Venue NO,
        "Send status unknown; execution status unknown. Query the order before sending another.";
    VenueKeyRefused "venue_key_refused" Venue NO,
        "The venue refused the gateway's own key, not yours, and did nothing; tell the operator.";
}
