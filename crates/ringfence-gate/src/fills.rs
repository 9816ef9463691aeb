//! What is heard of fills: in answers to who placed, changed, cancelled or asked for orders, and in what is pushed to them.

use http::Response;
use ringfence_core::operation::Operation;
use ringfence_core::pipeline::{Core, Permit};
use ringfence_wire::{Dialect, ToldFill};

use crate::body::Content;
use crate::clock::now_us;

/// Takes what an answer says of fills, if a limit wants to know.
pub(crate) fn answered(
    core: &Core,
    dialect: &Dialect,
    (permit, operation): (&Permit, Operation),
    response: &Response<Content>,
) {
    let about = operation.carries_order() || operation.is_about_orders();
    if !about || !core.budget.follows_fills() || !response.status().is_success() {
        return;
    }
    if let Content::Whole(Some(body)) = response.body() {
        heard(core, permit, dialect.fills_answered(body));
    }
}

/// Takes what was pushed to who was permitted to hear it, if a limit wants to know.
pub(crate) fn pushed(core: &Core, dialect: &Dialect, permit: &Permit, text: &str) {
    if core.budget.follows_fills() {
        heard(core, permit, dialect.fills_pushed(text));
    }
}

fn heard(core: &Core, permit: &Permit, told: Vec<ToldFill>) {
    let Some(credential) = permit.credential() else {
        return;
    };
    let now_ms = now_us() / 1000;
    for fill in told {
        core.hear_fill(
            credential.account(),
            &fill.venue_order_id,
            fill.told,
            now_ms,
        );
    }
}
