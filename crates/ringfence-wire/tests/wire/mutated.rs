//! A signed message with any byte changed that its signature covers, or dropped, or put in, is refused: every position of
//! every request and frame that was captured from an unmodified client.

use std::collections::BTreeSet;

use crate::shipped::channel::hear;
use crate::shipped::suite::{Captured, frames, requests};
use crate::shipped::{Sent, core, decide_frame, dialects};
use ringfence_core::mode::Mode;
use ringfence_wire::{Dialect, Scratch};

/// What a byte is changed to, beside its own lowest bit and its own case.
const PUT: [char; 7] = ['0', '&', '=', '%', '"', ',', ' '];

/// Captured, and on no route of ours: their signatures alone are tried.
const NOT_OFFERED: [&str; 1] = ["/fapi/v1/batchOrders"];

const CASE: &str = "hexadecimal digits of a signature may be of either case";
const ESCAPE: &str = "so may those of an escape in it, since the signature is not signed";
const SPACE: &str =
    "spaces may stand around the parts of a header field (RFC 9110 11.4), and a signature as above";
/// Where a changed byte leaves a message that is permitted and means the same: dialect, part, and why.
const SAME: [(&str, &str, &str); 9] = [
    ("binance", "body", CASE),
    ("binance", "query", CASE),
    ("binance-usdm", "body", CASE),
    ("bybit", "x-bapi-sign", CASE),
    ("deribit", "authorization", SPACE),
    ("gate", "sign", CASE),
    ("htx", "query", ESCAPE),
    ("mexc", "query", CASE),
    ("mexc-contract", "signature", CASE),
];
/// Edits that are tried at least; the suite has not been lost.
const TRIED: usize = 150_000;

/// Returns `text` with one edit at each of its positions, ten edits a position.
fn edits(text: &str) -> impl Iterator<Item = String> + '_ {
    let places = text.char_indices().filter(|(_, found)| found.is_ascii());
    places.flat_map(move |(at, found)| {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let byte = found as u8;
        let flipped = [byte ^ 1, byte ^ 0x20].map(char::from);
        let put = flipped.into_iter().chain(PUT).filter(move |c| *c != found);
        let put = put.map(move |c| format!("{before}{c}{after}"));
        let dropped = [
            format!("{before}{after}"),
            format!("{before}{found}{found}{after}"),
        ];
        let inserted = ["&x=1", "&", " "].map(|new| format!("{before}{new}{found}{after}"));
        put.chain(dropped).chain(inserted)
    })
}

/// Returns every edit of `sent`, each with the part that it is in.
fn mutated<'a>(sent: &'a Sent, signed: &'a [String]) -> impl Iterator<Item = (String, Sent)> + 'a {
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH"].map(str::to_owned);
    let method = methods.into_iter().chain(edits(&sent.method));
    let method = method.filter(|method| *method != sent.method);
    let method = method.map(|method| {
        (
            "method",
            Sent {
                method,
                ..sent.clone()
            },
        )
    });
    let path = edits(&sent.path).map(|path| {
        (
            "path",
            Sent {
                path,
                ..sent.clone()
            },
        )
    });
    let query = edits(&sent.query).chain(["x=1".to_owned()]);
    let query = query.map(|query| {
        (
            "query",
            Sent {
                query,
                ..sent.clone()
            },
        )
    });
    let body = edits(&sent.body).chain(["x=1".to_owned(), "{}".to_owned()]);
    let body = body.map(|body| {
        (
            "body",
            Sent {
                body,
                ..sent.clone()
            },
        )
    });
    let parts = method.chain(path).chain(query).chain(body);
    let parts = parts.map(|(part, sent)| (part.to_owned(), sent));
    parts.chain(headers(sent, signed))
}

/// Edits the header fields that the scheme reads.
fn headers<'a>(sent: &'a Sent, read: &'a [String]) -> impl Iterator<Item = (String, Sent)> + 'a {
    let fields = sent.headers.iter().enumerate();
    let fields = fields.filter(|(_, (name, _))| read.contains(&name.to_ascii_lowercase()));
    fields.flat_map(move |(at, (name, value))| {
        edits(value).map(move |value| {
            let mut changed = sent.clone();
            changed.headers[at].1 = value;
            (name.to_ascii_lowercase(), changed)
        })
    })
}

/// Returns the names of the header fields in which the scheme finds something. A passphrase proves nothing.
fn read_headers(dialect: &Dialect) -> Vec<String> {
    let places = dialect.describe().unwrap().places;
    let names = places.iter().filter(|(what, _)| *what != "passphrase");
    let names = names.filter_map(|(_, place)| place.split_once("header "));
    names.map(|(_, name)| name.to_ascii_lowercase()).collect()
}

/// What became of edits.
#[derive(Default)]
struct Found {
    tried: usize,
    /// Dialects and parts with an edit that is permitted and means the same.
    same: BTreeSet<(&'static str, String)>,
    /// Edits that are permitted and mean something else.
    other: Vec<String>,
}

/// Returns a message without what may be written in two ways.
fn plain(sent: &Sent) -> String {
    format!("{sent:?}").to_ascii_lowercase().replace(' ', "")
}

fn try_edits(dialect: &Dialect, captured: &Captured<Sent>, found: &mut Found) {
    let Captured {
        name, key, message, ..
    } = captured;
    let Some(signed) = message.verified(dialect, &key()) else {
        return;
    };
    // What is stale would be refused for that, and a hole in the signature would not be seen.
    let core = core(&signed.0, key(), Mode::Off);
    let meaning = message.decide(dialect, &core, None);
    assert!(
        meaning.is_ok() || NOT_OFFERED.contains(&&*message.path),
        "{name}: {meaning:?}"
    );
    let holes = dialect.holes();
    for (part, changed) in mutated(message, &read_headers(dialect)) {
        found.tried += 1;
        let judged = changed.decide(dialect, &core, None);
        // By another id the key is another credential's, or nobody's.
        let verified = changed.verified(dialect, &key());
        let verified = verified.filter(|(key_id, _)| *key_id == signed.0);
        if holes.contains(&&*part) || judged.is_err() && verified.is_none() {
            continue;
        }
        let same = judged == meaning || judged.is_err() && verified.as_ref() == Some(&signed);
        if same && plain(&changed) == plain(message) {
            found.same.insert((captured.dialect, part));
        } else {
            found.other.push(format!("{name}: {part} {changed:?}"));
        }
    }
}

#[test]
fn a_changed_byte_is_refused_unless_it_changes_nothing() {
    let (dialects, captured, mut found) = (dialects(), requests(), Found::default());
    for one in &captured {
        try_edits(&dialects[one.dialect], one, &mut found);
    }
    let Found { tried, same, other } = found;
    assert!(
        other.is_empty(),
        "{} edits, such as {}",
        other.len(),
        other[0]
    );
    if !captured.is_empty() {
        assert!(tried > TRIED, "{tried}");
        let named = SAME.map(|(dialect, part, _)| (dialect, part.to_owned()));
        assert_eq!(same, BTreeSet::from(named));
    }
}

#[test]
fn a_frame_with_a_changed_byte_is_refused_unless_what_was_signed_is_the_same() {
    let (dialects, captured) = (dialects(), frames());
    let mut spoken_there = 0;
    for one in &captured {
        let (dialect, message) = (&dialects[one.dialect], &one.message);
        let mut scratch = Scratch::default();
        let read = dialect.read_frame(message, &mut scratch).unwrap();
        let (_, claim) = read.unwrap();
        let core = core(claim.key_id, (one.key)(), Mode::Off);
        let channel = dialect.routes().any(|route| route.channel);
        let signed = decide_frame(dialect, &core, message);
        assert!(signed.is_ok(), "{}: {signed:?}", one.name);
        // The same message on the venue's trading channel, where we offer one.
        let spoken = channel.then(|| hear(dialect, &core, message, None));
        spoken_there += usize::from(matches!(spoken, Some(Ok(_))));
        for changed in edits(message) {
            let judged = decide_frame(dialect, &core, &changed);
            assert!(judged.is_err() || judged == signed, "{changed}");
            let judged = channel.then(|| hear(dialect, &core, &changed, None));
            assert!(
                matches!(judged, None | Some(Err(_))) || judged == spoken,
                "{changed}"
            );
        }
    }
    assert!(captured.is_empty() || spoken_there >= 4, "{spoken_there}");
}
