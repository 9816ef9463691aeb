//! `RateLimit` and `RateLimit-Policy` as in draft-ietf-httpapi-ratelimit-headers-11 (2026-05).

use std::fmt::Write as _;

use bytes::BufMut;
use ringfence_core::budget::{Algorithm, Counts, Limit, Usage};

/// Returns the value of `RateLimit-Policy` for `limits`.
///
/// Windows that are none of whole seconds cannot be written in the draft and are left out. Of units that come back
/// steadily the window is how long it takes until all are back; the draft has no other word for that.
pub fn policy(limits: &[Limit]) -> String {
    let mut text = String::new();
    for (limit, window) in limits.iter().filter_map(|l| Some((l, window(l)?))) {
        if !text.is_empty() {
            text.push(',');
        }
        item(&mut text, &limit.name);
        // Writing to a String cannot fail.
        let _ = match window {
            Window::AtOnce => write!(text, ";q={};qu=\"concurrent-requests\"", limit.quota),
            Window::Seconds(seconds) => write!(text, ";q={};w={seconds}", limit.quota),
        };
    }
    text
}

/// What the draft can say of a limit's window.
enum Window {
    /// There is none: it counts what is under way.
    AtOnce,
    Seconds(u64),
}

fn window(limit: &Limit) -> Option<Window> {
    match limit.algorithm {
        // The draft's unit is the request.
        Algorithm::Concurrent => (limit.counts == Counts::Requests).then_some(Window::AtOnce),
        // The draft has no word for it.
        Algorithm::Ratio { .. } => None,
        Algorithm::Drain { .. } => {
            let recovery_ms = limit.recovery_ms()?;
            Some(Window::Seconds(recovery_ms.div_ceil(1000).max(1)))
        }
        Algorithm::Anchored | Algorithm::Fixed | Algorithm::Sliding => {
            let whole = limit.window_ms.is_multiple_of(1000);
            whole.then_some(Window::Seconds(limit.window_ms / 1000))
        }
    }
}

/// Writes the value of `RateLimit`, message by message.
#[derive(Debug)]
pub struct Remaining {
    /// By limit: its item up to what remains; none for what cannot be written.
    items: Vec<Option<String>>,
}

impl Remaining {
    /// Prepares what can be said beforehand about `limits`.
    pub fn new(limits: &[Limit]) -> Self {
        let item = |limit: &Limit| {
            let mut text = String::new();
            item(&mut text, &limit.name);
            text.push_str(";r=");
            text
        };
        let items = limits
            .iter()
            .map(|limit| window(limit).map(|_| item(limit)));
        Self {
            items: items.collect(),
        }
    }

    /// Appends the value for `usages` to `text`.
    pub fn write(&self, usages: &[Usage], text: &mut impl BufMut) {
        let mut first = true;
        for usage in usages {
            let Some(Some(item)) = self.items.get(usize::from(usage.limit)) else {
                continue;
            };
            if !std::mem::take(&mut first) {
                text.put_u8(b',');
            }
            text.put_slice(item.as_bytes());
            text.put_slice(itoa::Buffer::new().format(usage.remaining).as_bytes());
            if usage.reset_ms == 0 {
                continue;
            }
            text.put_slice(b";t=");
            let reset_s = usage.reset_ms.div_ceil(1000);
            text.put_slice(itoa::Buffer::new().format(reset_s).as_bytes());
        }
    }
}

/// Returns the value of `Retry-After` in whole seconds, rounded up (RFC 9110 10.2.3).
pub const fn retry_after_s(after_ms: u64) -> u64 {
    let seconds = after_ms.div_ceil(1000);
    if seconds == 0 { 1 } else { seconds }
}

/// Writes `name` as a String of structured fields (RFC 9651 4.1.6), which holds visible ASCII only.
fn item(text: &mut String, name: &str) {
    text.push('"');
    for symbol in name.chars() {
        if matches!(symbol, '"' | '\\') {
            text.push('\\');
        }
        let visible = symbol == ' ' || symbol.is_ascii_graphic();
        text.push(if visible { symbol } else { '?' });
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    //! The values are those that the draft's own examples have.
    #![allow(clippy::unwrap_used)]

    use ringfence_core::budget::{Counts, Limit, Subject, Usage};

    use super::{Remaining, policy, retry_after_s};

    fn limits() -> Vec<Limit> {
        let limit = |name, quota, window_ms| {
            Limit::fixed(
                name,
                Subject::Credential,
                Counts::Requests,
                quota,
                window_ms,
            )
        };
        vec![
            limit("burst", 100, 60_000),
            limit("daily", 1000, 86_400_000),
            limit("quick", 10, 100),
        ]
    }

    #[test]
    fn policy_is_a_list_of_items_without_windows_below_a_second() {
        assert_eq!(
            policy(&limits()),
            r#""burst";q=100;w=60,"daily";q=1000;w=86400"#
        );
    }

    #[test]
    fn a_name_cannot_break_out_of_its_string() {
        let mut limits = limits();
        limits.truncate(1);
        limits[0].name = "a\"b\\c\r\né".into();
        assert_eq!(policy(&limits), r#""a\"b\\c???";q=100;w=60"#);
    }

    #[test]
    fn remaining_rounds_the_reset_up() {
        let usages = [Usage {
            limit: 0,
            used: 50,
            remaining: 50,
            reset_ms: 29_001,
        }];
        let mut text = Vec::new();
        Remaining::new(&limits()).write(&usages, &mut text);
        assert_eq!(text, br#""burst";r=50;t=30"#);
    }

    #[test]
    fn retry_after_never_says_now() {
        assert_eq!([0, 1, 1000, 1001].map(retry_after_s), [1, 1, 1, 2]);
    }
}
