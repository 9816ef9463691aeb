//! The scripts that run at the server: each is one step that nothing comes between.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::greeting::hex;

/// What begins a link.
pub(super) const BEGIN: &str = include_str!("begin.lua");
/// What claims a signature and charges limits.
pub(super) const TAKE: &str = include_str!("take.lua");
/// What tells of signatures that were claimed without the server.
pub(super) const REMEMBER: &str = include_str!("remember.lua");

/// Returns by what a script is called that the server has: SHA-1 of its text, as the server computes it.
pub(super) fn name(script: &str) -> Box<[u8]> {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, script.as_bytes());
    hex(digest.as_ref()).into_bytes().into()
}
