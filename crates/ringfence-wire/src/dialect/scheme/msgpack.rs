//! JSON written as MessagePack: what Hyperliquid's clients hash of an action.
//!
//! Names keep the order in which they stand, numbers are whole and as short as they can be, texts are UTF-8: byte for
//! byte what msgpack's Python and ccxt's own writer make of the same values. A number with a point or an exponent is
//! refused: clients disagree on how it is written.

use std::fmt;

use ringfence_core::refusal::{Code, Refusal};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Appends `text`, one JSON value, to `out`.
///
/// # Errors
///
/// `form_malformed` for what is no JSON, or has a number that is not whole.
pub(super) fn append(text: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut read = serde_json::Deserializer::from_str(text);
    read.deserialize_any(Writer(out))
        .and_then(|()| read.end())
        .map_err(|_| Refusal::new(Code::FormMalformed).field("action"))
}

struct Writer<'o>(&'o mut Vec<u8>);

impl Writer<'_> {
    fn unsigned(&mut self, number: u64) {
        match number {
            0..=0x7f => self.0.push(number as u8),
            0x80..=0xff => self.0.extend([0xcc, number as u8]),
            0x100..=0xffff => self.long(0xcd, &(number as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.long(0xce, &(number as u32).to_be_bytes()),
            _ => self.long(0xcf, &number.to_be_bytes()),
        }
    }

    fn negative(&mut self, number: i64) {
        match number {
            -32..=-1 => self.0.push(number as u8),
            -0x80..=-33 => self.0.extend([0xd0, number as u8]),
            -0x8000..=-0x81 => self.long(0xd1, &(number as i16).to_be_bytes()),
            -0x8000_0000..=-0x8001 => self.long(0xd2, &(number as i32).to_be_bytes()),
            _ => self.long(0xd3, &number.to_be_bytes()),
        }
    }

    fn long(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        self.0.extend_from_slice(bytes);
    }

    /// Puts the head of a list or map of `count` before what was written since `start`.
    fn head(&mut self, start: usize, count: usize, short: u8, tag: u8) -> Option<()> {
        let [high, low] = u16::try_from(count).ok()?.to_be_bytes();
        match count {
            0..=15 => self.0.insert(start, short | low),
            _ => drop(self.0.splice(start..start, [tag, high, low])),
        }
        Some(())
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, read: D) -> Result<(), D::Error> {
        read.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without fractions")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.push(0xc2 | u8::from(value));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push(0xc0);
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<(), E> {
        self.unsigned(number);
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, number: i64) -> Result<(), E> {
        self.negative(number);
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        match text.len() {
            length @ 0..=31 => self.0.push(0xa0 | length as u8),
            length @ 32..=0xff => self.0.extend([0xd9, length as u8]),
            length => {
                let length = u16::try_from(length).map_err(|_| E::custom("a text is too long"))?;
                self.long(0xda, &length.to_be_bytes());
            }
        }
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let (start, mut count) = (self.0.len(), 0);
        while list.next_element_seed(Writer(self.0))?.is_some() {
            count += 1;
        }
        let head = self.head(start, count, 0x90, 0xdc);
        head.ok_or_else(|| A::Error::custom("a list is too long"))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let (start, mut count) = (self.0.len(), 0);
        while map.next_key_seed(Writer(self.0))?.is_some() {
            map.next_value_seed(Writer(self.0))?;
            count += 1;
        }
        let head = self.head(start, count, 0x80, 0xde);
        head.ok_or_else(|| A::Error::custom("a map is too long"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    //! Bytes as msgpack for Python 1.1 writes them.

    use super::append;

    fn hex(json: &str) -> String {
        let mut out = Vec::new();
        append(json, &mut out).unwrap();
        out.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn each_kind_of_value_is_written_as_short_as_it_can_be() {
        for (json, written) in [
            ("null", "c0"),
            ("false", "c2"),
            ("true", "c3"),
            ("0", "00"),
            ("127", "7f"),
            ("128", "cc80"),
            ("255", "ccff"),
            ("256", "cd0100"),
            ("65535", "cdffff"),
            ("65536", "ce00010000"),
            ("4294967295", "ceffffffff"),
            ("4294967296", "cf0000000100000000"),
            ("18446744073709551615", "cfffffffffffffffff"),
            ("-1", "ff"),
            ("-32", "e0"),
            ("-33", "d0df"),
            ("-128", "d080"),
            ("-129", "d1ff7f"),
            ("-32768", "d18000"),
            ("-32769", "d2ffff7fff"),
            ("-2147483648", "d280000000"),
            ("-2147483649", "d3ffffffff7fffffff"),
            ("-9223372036854775808", "d38000000000000000"),
            (r#""""#, "a0"),
            (r#""\u00e9""#, "a2c3a9"),
            ("[]", "90"),
            ("{}", "80"),
            (r#"{"b":[1,null],"a":{}}"#, "82a1629201c0a16180"),
        ] {
            assert_eq!(hex(json), written, "{json}");
        }
        assert!(hex(&format!("\"{}\"", "x".repeat(31))).starts_with("bf78"));
        assert!(hex(&format!("\"{}\"", "x".repeat(32))).starts_with("d92078"));
        assert!(hex(&format!("\"{}\"", "x".repeat(256))).starts_with("da010078"));
        assert!(hex(&format!("[{}0]", "0,".repeat(14))).starts_with("9f00"));
        assert!(hex(&format!("[{}0]", "0,".repeat(15))).starts_with("dc001000"));
    }

    #[test]
    fn a_number_that_is_not_whole_is_refused() {
        for json in [
            "1.0",
            "1e3",
            "-0",
            "18446744073709551616",
            "[1.5]",
            r#"{"a":1E1}"#,
            "",
            "[1",
        ] {
            assert!(append(json, &mut Vec::new()).is_err(), "{json}");
        }
    }
}
