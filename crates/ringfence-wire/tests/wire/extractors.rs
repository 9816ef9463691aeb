//! Whatever bytes come, every shipped dialect reads or refuses them; without the key nothing is permitted.

use crate::shipped::Sent;
use crate::shipped::attempt::{ARENAS, KEY_ID, KEYLESS, path};
use proptest::prelude::*;

/// Words that mean something to some dialect, between any other text.
fn text() -> impl Strategy<Value = String> {
    let words = "(timestamp|signature|recvWindow|symbol|nonce|op|args|method|params|apiKey|sign|login|auth)";
    let marks = r#"["\{\}\[\]:,&=%;?/ +.-]"#;
    let piece = prop_oneof![
        words.prop_map(|word| word.to_owned()),
        marks.prop_map(|mark| mark.to_owned()),
        "[0-9]{1,13}".prop_map(|digits| digits.to_owned()),
        "\\PC{0,3}".prop_map(|any| any.to_owned()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// An edit: where it begins, how much it takes away, and what it puts in its place. Positions are of 65,536.
fn edit() -> impl Strategy<Value = (u8, u16, usize, String)> {
    (0_u8..6, any::<u16>(), 0_usize..4, "[ -~]{0,3}")
}

fn edited(text: &str, at: u16, gone: usize, put: &str) -> String {
    let from = text.len() * usize::from(at) / 65_536;
    let to = text.len().min(from + gone);
    match (text.get(..from), text.get(to..)) {
        (Some(before), Some(after)) => format!("{before}{put}{after}"),
        _ => text.to_owned(),
    }
}

fn change(sent: &mut Sent, (part, at, gone, put): &(u8, u16, usize, String)) {
    let fields = sent.headers.len();
    let place = match part {
        0 => &mut sent.method,
        1 => &mut sent.path,
        2 | 3 => &mut sent.query,
        4 => &mut sent.body,
        _ if fields > 0 => &mut sent.headers[usize::from(*at) % fields].1,
        _ => return,
    };
    *place = edited(place, *at, *gone, put);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_made_up_is_permitted(
        number in any::<usize>(), query in text(), body in text(), fields in prop::collection::vec(text(), 6),
        media in prop_oneof![Just("application/json"), Just("application/x-www-form-urlencoded"), Just("x")],
    ) {
        for arena in ARENAS.iter() {
            let Some(route) = arena.route(number) else { continue };
            let places = arena.dialect.describe().unwrap().places.into_iter();
            let names = places.filter_map(|(_, place)| Some(place.split_once("header ")?.1.to_owned()));
            let mut headers: Vec<_> = names.zip(fields.clone()).collect();
            headers.push(("content-type".to_owned(), media.to_owned()));
            if let Some(name) = arena.dialect.key_header() {
                headers.retain(|(field, _)| field != name);
                headers.push((name.to_owned(), KEY_ID.to_owned()));
            }
            headers.sort();
            headers.dedup_by(|a, b| a.0 == b.0);
            let sent = Sent {
                method: route.method.to_string(), path: path(route),
                query: query.clone(), headers, body: body.clone(),
            };
            arena.unsigned(&sent);
        }
    }

    #[test]
    fn nothing_signed_is_permitted_with_another_meaning(
        number in any::<usize>(), edits in prop::collection::vec(edit(), 1..4),
    ) {
        for arena in ARENAS.iter() {
            if let Some((sent, meaning)) = arena.signed(number) {
                let mut changed = sent.clone();
                edits.iter().for_each(|edit| change(&mut changed, edit));
                arena.changed(&meaning, &sent, &changed);
            }
        }
    }

    #[test]
    fn no_frame_made_up_begins_a_session(text in text()) {
        for arena in ARENAS.iter() {
            arena.frame(&text);
            arena.frame(&format!("{{{text}}}"));
        }
    }
}

/// The properties above would hold of dialects that permit nothing.
#[test]
fn every_dialect_permits_a_signed_message_to_some_route() {
    for arena in ARENAS.iter() {
        if KEYLESS
            .iter()
            .any(|(name, _)| *name == arena.dialect.name())
        {
            continue;
        }
        let permitted = (0..64).filter_map(|number| arena.signed(number)).count();
        assert!(permitted > 0, "{}", arena.dialect.name());
    }
}
