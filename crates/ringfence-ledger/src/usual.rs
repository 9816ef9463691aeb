//! What detectors need not look at: most of what is written is more of the same, and is told from its bytes.
//!
//! An entry's keys are sorted and no quote stands unescaped in a text, so that nobody can write what passes for a field.

use std::collections::HashSet;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// How keys were seen to be used by permitted messages.
#[derive(Debug, Default)]
pub struct Usual {
    known: HashSet<Box<[u8]>>,
    /// Where what is looked for is put together.
    shown: Vec<u8>,
}

macro_rules! finders {
    ($($name:ident $text:literal)*) => {
        $(static $name: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new($text));)*
    };
}

finders! {
    ADDRESS b"\"address\":\""
    CLAIMED b"\"claimed\":\""
    CREDENTIAL b"\"credential\":\""
    DECISION b",\"kind\":\"decision\",\""
    ERASED b"\"event\":\"ledger.erased\""
    ELSEWHERE b"\"code\":\"address_not_allowed\""
    EVENT b",\"kind\":\"event\""
    PERMITTED b",\"outcome\":\"permitted\","
    PROOF b",\"proof\":\""
    REFUSED b",\"outcome\":\"refused\","
    TRANSPORT b",\"transport\":\""
}

impl Usual {
    /// Remembers how a permitted message used its key.
    pub fn add(&mut self, entry: &[u8]) {
        if let Some(kind) = DECISION.find(entry)
            && usage(entry.split_at(kind), &mut self.shown)
        {
            self.known.insert(self.shown.as_slice().into());
        }
    }

    /// Tells whether an entry shows nothing that is new: nothing of a key, or what is known of it.
    pub fn has(&mut self, entry: &[u8]) -> bool {
        let Some(kind) = DECISION.find(entry) else {
            let erased = EVENT.find(entry).is_some() && ERASED.find(entry).is_some();
            return !erased;
        };
        let (before, after) = entry.split_at(kind);
        if CLAIMED.find(before).is_some() {
            return false;
        }
        if CREDENTIAL.find(before).is_none() {
            return true;
        }
        if REFUSED.find(after).is_some() {
            return ELSEWHERE.find(after).is_none();
        }
        usage((before, after), &mut self.shown) && self.known.contains(self.shown.as_slice())
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Puts together what a decision, divided before its kind, shows of its key's use if it is a permission: the fields from the
/// address to the dialect, the proof, and the transport. False: it shows nothing.
fn usage((before, after): (&[u8], &[u8]), shown: &mut Vec<u8>) -> bool {
    shown.clear();
    let used = ADDRESS.find(before).and_then(|at| before.get(at..));
    let last = PERMITTED.find(after).and_then(|at| after.get(at..));
    let (Some(used), Some(last)) = (used, last) else {
        return false;
    };
    if CREDENTIAL.find(used).is_none() {
        return false;
    }
    shown.extend_from_slice(used);
    if let Some(proof) = PROOF.find(last).and_then(|at| last.get(at..)) {
        let length = proof.iter().skip(1).position(|b| *b == b',');
        shown.extend_from_slice(length.map_or(proof, |length| &proof[..=length]));
    }
    if let Some(transport) = TRANSPORT.find(last).and_then(|at| last.get(at..)) {
        shown.extend_from_slice(transport);
    }
    true
}

#[cfg(test)]
mod tests {
    //! Nothing that a detector would look at is left out.
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::Usual;

    /// A message whose path its client chose.
    fn decision(credential: &str, outcome: &str, path: &str) -> String {
        format!(
            r#"{{"account":"a","address":"sha256:x","controls":{{"edge":"passed"}},{credential}"dialect":"binance","kind":"decision","latency_us":3,"listener":"spot","message":"m","method":"GET",{outcome},"path":"{path}","time_us":1,"transport":"http/1.1","v":1}}"#
        )
    }

    const KEY: &str = r#""credential":"k","#;
    const PERMITTED: &str = r#""outcome":"permitted""#;
    const REFUSED: &str = r#""outcome":"refused""#;

    fn usual() -> Usual {
        let mut usual = Usual::default();
        usual.add(decision(KEY, PERMITTED, "/").as_bytes());
        assert_eq!(usual.len(), 1);
        usual
    }

    #[test]
    fn more_of_the_same_is_usual_and_nothing_else_is() {
        let mut usual = usual();
        let again = decision(KEY, PERMITTED, "/other").replace("\"m\"", "\"n\"");
        assert!(usual.has(again.as_bytes()));
        for (before, after) in [
            ("\"k\"", "\"other\""),
            ("sha256:x", "sha256:y"),
            ("http/1.1", "h2"),
            ("\"path\"", "\"proof\":\"ringfence\",\"path\""),
            ("\"binance\"", "\"okx\""),
        ] {
            let other = again.replace(before, after);
            assert!(!usual.has(other.as_bytes()), "{other}");
        }
        usual.clear();
        assert!(usual.is_empty() && !usual.has(again.as_bytes()));
    }

    #[test]
    fn what_is_in_nobody_s_name_is_usual_unless_it_claims_to_be_in_somebody_s() {
        let mut usual = Usual::default();
        assert!(usual.has(decision("", REFUSED, "/").as_bytes()));
        let claimed = r#""claimed":"k","#;
        let entry =
            decision("", REFUSED, "/").replace("\"controls\"", &format!("{claimed}\"controls\""));
        assert!(!usual.has(entry.as_bytes()));
        // What a client says is escaped.
        let said = decision("", REFUSED, r#"\"claimed\":\"k\""#);
        assert!(usual.has(said.as_bytes()));
    }

    #[test]
    fn a_refusal_shows_something_where_a_right_signature_came_from_elsewhere() {
        let mut usual = usual();
        assert!(usual.has(decision(KEY, REFUSED, "/").as_bytes()));
        let elsewhere = decision(KEY, REFUSED, "/").replace(
            "\"time_us\"",
            r#""refusal":{"blame":"client","code":"address_not_allowed"},"time_us""#,
        );
        assert!(!usual.has(elsewhere.as_bytes()));
    }

    #[test]
    fn an_erasure_is_never_usual_and_outcomes_and_other_events_are() {
        let mut usual = Usual::default();
        assert!(!usual.has(br#"{"detail":{},"event":"ledger.erased","kind":"event"}"#));
        assert!(!usual.has(br#"{"event":"ledger.erased","kind":"event"}"#));
        assert!(usual.has(br#"{"detail":{},"event":"shard.moved","kind":"event"}"#));
        assert!(usual.has(br#"{"kind":"outcome","latency_us":1,"message":"m"}"#));
    }

    #[test]
    fn a_message_cannot_pass_for_another_s_use() {
        let mut usual = usual();
        let forged =
            r#"{"about":{"client_order_id":"\"address\":\"sha256:x\",\"credential\":\"k\""},"#;
        let other = decision(KEY, PERMITTED, "/").replace("\"k\"", "\"other\"");
        assert!(!usual.has(format!("{forged}{}", &other[1..]).as_bytes()));
    }
}
