//! Bytes to messages and back, sans I/O: the rules of HTTP, the dialect engine, the bodies of refusals.
#![forbid(unsafe_code)]

pub mod dialect;
pub mod form;
pub mod http;
pub mod issuer;
pub mod json;
pub mod jws;
pub mod native;
pub mod problem;
pub mod proxy;
pub mod ratelimit;
pub mod websocket;

pub use dialect::{
    Abouts, Admission, AnsweredOrder, Asked, BodyKind, Description, Dialect, DialectError, Draft,
    Each, Effect, Following, Head, Heading, LeftFields, Leg, Lending, Lends, Mints, OrderIds,
    Orders, Outgoing, Reading, Rendered, Route, Said, Scratch, Seal, Shown, Signed, Spoke, Spoken,
    Steps, Stop, Ticket, Times, ToldFill, Unsigned, VenueAdmission, Verdict, Way, essence,
    http_date_us, usage_row,
};
