//! Which of two forms a client would rather have (RFC 9110 12.5.1).

use http::header::{ACCEPT, HeaderMap};

/// Elements of `Accept` that are read: nobody has so many, and who sends more gets what there is anyway.
const ELEMENTS_MAX: usize = 32;

/// Tells whether a client would rather have `other` than `own`. What it does not say, and what it likes as well, is `own`:
/// who has never heard of the other sees nothing of it.
pub fn prefers(headers: &HeaderMap, other: &str, own: &str) -> bool {
    // Most clients take anything.
    let named = |value: &http::HeaderValue| value.to_str().is_ok_and(|text| text != "*/*");
    let values = headers.get_all(ACCEPT);
    if !values.iter().any(named) {
        return false;
    }
    let (mut wanted, mut instead) = (Liking::default(), Liking::default());
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    for element in texts.flat_map(elements).take(ELEMENTS_MAX) {
        let Some((range, weight)) = read(element) else {
            continue;
        };
        wanted.hear(range, other, weight);
        instead.hear(range, own, weight);
    }
    wanted.weight() > instead.weight()
}

/// How much a media type is liked, in thousandths, by the most specific range that names it.
#[derive(Clone, Copy, Default)]
struct Liking(Option<(u8, u16)>);

impl Liking {
    fn hear(&mut self, range: &str, media_type: &str, weight: u16) {
        let Some(precision) = precision(range, media_type) else {
            return;
        };
        if self.0.is_none_or(|(known, _)| precision > known) {
            self.0 = Some((precision, weight));
        }
    }

    fn weight(self) -> u16 {
        self.0.map_or(0, |(_, weight)| weight)
    }
}

/// Returns how precisely `range` names `media_type`, if it does.
fn precision(range: &str, media_type: &str) -> Option<u8> {
    // Parameters of our own type say how it is written, not what it is.
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if range.eq_ignore_ascii_case(media_type) {
        return Some(2);
    }
    if range == "*/*" {
        return Some(0);
    }
    let (class, _) = media_type.split_once('/')?;
    let (named, any) = range.split_once('/')?;
    (any == "*" && named.eq_ignore_ascii_case(class)).then_some(1)
}

/// Splits a field's value at the commas outside quotes.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |symbol| {
        let apart = symbol == ',' && !quoted;
        if symbol == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && symbol == '\\' && !escaped;
        apart
    })
}

/// Returns an element's range and weight in thousandths; nothing if it cannot be read, or asks for a parameter: none of
/// what we write has one to be told apart by.
fn read(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let mut weight = 1000;
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        if !name.eq_ignore_ascii_case("q") {
            return None;
        }
        weight = thousandths(value)?;
    }
    Some((range, weight))
}

/// Reads a `qvalue`: 0 to 1 with three digits at most.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = rest.len() <= 3 && rest.bytes().all(|b| b.is_ascii_digit());
    if !digits || !matches!(whole, "0" | "1") {
        return None;
    }
    let number: u16 = format!("{whole}{rest:0<3}").parse().ok()?;
    (number <= 1000).then_some(number)
}

#[cfg(test)]
mod tests {
    //! The examples are those of RFC 9110 12.5.1, and what clients really send.
    #![allow(clippy::unwrap_used)]

    use http::header::{ACCEPT, HeaderMap, HeaderValue};

    use super::prefers;

    const PROBLEM: &str = "application/problem+json";

    fn asked(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        prefers(&headers, PROBLEM, "application/json;charset=UTF-8")
    }

    #[test]
    fn who_does_not_ask_for_the_other_form_gets_the_venue_s() {
        let sent = [
            "*/*",
            "application/json",
            "application/json, text/plain, */*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/*",
            "application/json, application/problem+json",
            "application/problem+json;q=0, */*",
            "application/problem+json;q=0",
            "text/plain",
            "",
        ];
        for value in sent {
            assert!(!asked(&[value]), "{value:?}");
        }
        assert!(!asked(&[]));
    }

    #[test]
    fn who_likes_it_better_gets_it() {
        let sent = [
            "application/problem+json",
            "Application/Problem+JSON",
            "application/problem+json, application/json;q=0.9",
            "application/json;q=0.999,application/problem+json;q=1.000",
            "application/problem+json, */*;q=0.1",
            "application/json;q=0, application/*",
            "text/plain;p=\"a,b\\\",\", application/problem+json",
        ];
        for value in sent {
            assert!(asked(&[value]), "{value:?}");
        }
        assert!(asked(&[
            "application/json;q=0.5",
            "application/problem+json"
        ]));
    }

    #[test]
    fn the_most_specific_range_decides_wherever_it_stands() {
        assert!(!asked(&[
            "application/problem+json;q=0.2, application/*;q=0.9"
        ]));
        assert!(asked(&["*/*;q=0.9, application/json;q=0.1"]));
        assert!(!asked(&["application/*, application/problem+json;q=0.5"]));
    }

    #[test]
    fn what_cannot_be_read_counts_for_nothing() {
        for weight in [
            "q=2", "q=1.001", "q=0.1234", "q=", "q", "q=-1", "q=.5", "v=1",
        ] {
            assert!(
                !asked(&[&format!("application/problem+json;{weight}")]),
                "{weight}"
            );
        }
        let filler = "a/b,".repeat(32);
        assert!(!asked(&[&format!("{filler}application/problem+json")]));
    }
}
