//! The scripts that run at the server: each is one step that nothing comes between.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// What begins a link.
pub(super) const BEGIN: &str = include_str!("begin.lua");
/// What claims a signature and charges limits.
pub(super) const TAKE: &str = include_str!("take.lua");
/// What tells of signatures that were claimed without the server.
pub(super) const REMEMBER: &str = include_str!("remember.lua");

/// Returns by what a script is called that the server has: SHA-1 of its text, as the server computes it.
pub(super) fn name(script: &str) -> Box<[u8]> {
    let mut name = String::with_capacity(40);
    for byte in digest(&SHA1_FOR_LEGACY_USE_ONLY, script.as_bytes()).as_ref() {
        // Writing into a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.into_bytes().into()
}
