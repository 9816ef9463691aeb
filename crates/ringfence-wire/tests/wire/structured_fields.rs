//! Others' vectors for structured fields: what they call wrong we never take, and what we take means what they say.
//!
//! The suite lies beside the repository; where it does not, this says so and proves nothing.

use std::path::Path;

use ringfence_wire::native::field::Cursor;
use serde_json::{Value, json};

/// Returns what the whole of `text` is to us, in the suite's words.
fn read(text: &str) -> Option<Value> {
    type Reader = fn(&mut Cursor<'_>) -> Option<Value>;
    let readers: [Reader; 3] = [
        |cursor| cursor.string().map(|text| json!(text)),
        |cursor| cursor.integer().map(|number| json!(number)),
        |cursor| cursor.bytes().map(|_| json!("bytes")),
    ];
    let mut found = readers.iter().filter_map(|reader| {
        let mut cursor = Cursor::new(text);
        let value = reader(&mut cursor)?;
        cursor.end().map(|()| value)
    });
    found.next()
}

/// Returns what a dictionary of one member with no parameters is to us.
fn member(text: &str) -> Option<(String, Value)> {
    let mut cursor = Cursor::new(text);
    let key = cursor.key()?.to_owned();
    cursor.eat("=")?;
    Some((key, read(cursor.rest())?))
}

fn cases(name: &str) -> Vec<Value> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites/crypto/vectors/sf");
    let Ok(text) = std::fs::read_to_string(root.join(name)) else {
        eprintln!("skipped: the suites are not beside the repository ({name})");
        return Vec::new();
    };
    serde_json::from_str(&text).unwrap()
}

/// Whether it is of a type that we read at all.
fn is_ours(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains(['"', '\\']),
        Value::Number(number) => number.is_u64(),
        Value::Object(named) => named["__type"] == "binary",
        Value::Null | Value::Bool(_) | Value::Array(_) => false,
    }
}

#[test]
fn items_are_read_as_the_suite_reads_them_or_not_at_all() {
    let mut taken = 0;
    for name in [
        "string.json",
        "string-generated.json",
        "number.json",
        "number-generated.json",
        "large-generated.json",
        "binary.json",
        "item.json",
        "token.json",
        "boolean.json",
        "date.json",
        "display-string.json",
    ] {
        for case in cases(name) {
            let (Some(raw), Some("item")) = (case["raw"][0].as_str(), case["header_type"].as_str())
            else {
                continue;
            };
            let wanted = &case["expected"][0];
            let found = (case["raw"].as_array().unwrap().len() == 1)
                .then(|| read(raw))
                .flatten();
            let named = format!("{name}: {}", case["name"]);
            match found {
                // Whether base64 is valid is for who decodes it.
                Some(Value::String(bytes)) if bytes == "bytes" && raw.starts_with(':') => {}
                Some(found) => {
                    taken += 1;
                    assert_ne!(case["must_fail"], true, "{named}");
                    assert_eq!(&found, wanted, "{named}");
                }
                // In canonical form, without parameters, and of a type of ours.
                None => assert!(
                    case["must_fail"] == true
                        || case["can_fail"] == true
                        || !case["canonical"].is_null()
                        || case["raw"].as_array().unwrap().len() > 1
                        || case["expected"][1] != json!([])
                        || !is_ours(wanted),
                    "{named}"
                ),
            }
        }
    }
    assert!(taken == 0 || taken > 90, "{taken}");
}

#[test]
fn keys_are_read_as_the_suite_reads_them_or_not_at_all() {
    let mut taken = 0;
    for case in cases("key-generated.json") {
        let (Some(raw), Some("dictionary")) =
            (case["raw"][0].as_str(), case["header_type"].as_str())
        else {
            continue;
        };
        if let Some((key, value)) = member(raw) {
            taken += 1;
            assert_ne!(case["must_fail"], true, "{}", case["name"]);
            assert_eq!(
                json!([[key, [value, []]]]),
                case["expected"],
                "{}",
                case["name"]
            );
        }
    }
    assert!(taken == 0 || taken > 30, "{taken}");
}
