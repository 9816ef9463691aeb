//! What somebody without a key can try: bytes that he made up, and signed messages that he changed.

use std::sync::LazyLock;

use ringfence_core::mode::Mode;
use ringfence_core::pipeline::Core;
use ringfence_core::sign::SigningKey;
use ringfence_wire::http::captured;
use ringfence_wire::{Dialect, Draft, Route, Seal};

use super::channel::{Came, hear};
use super::keys::{KINDS, Pair};
use super::{Meaning, Sent, core, decide_frame, dialects};

pub(crate) const NOW_US: u64 = 1_700_000_000_000_000;
pub(crate) const KEY_ID: &str = "key";

/// A dialect, and a key in its core that only [`Arena::signed`] knows.
pub(crate) struct Arena {
    pub(crate) dialect: Dialect,
    pub(crate) core: Core,
    /// None for a dialect that none of these keys sign for.
    signing: Option<SigningKey>,
}

/// Every shipped dialect, each with a key of its own.
pub(crate) static ARENAS: LazyLock<Vec<Arena>> = LazyLock::new(|| {
    let dialects = dialects().into_values();
    let arenas = dialects.map(|dialect| {
        let pair = fitting(&dialect);
        let signing = pair.as_ref().map(Pair::signing);
        let pair = pair.unwrap_or_else(|| Pair::new(&KINDS[0]));
        Arena {
            dialect,
            // What is stale would be refused for that.
            core: core(KEY_ID, pair.verifying(), Mode::Off),
            signing,
        }
    });
    arenas.collect()
});

/// Dialects that none of these keys sign for, and why.
pub(crate) const KEYLESS: [(&str, &str); 1] = [(
    "hyperliquid",
    "typed data of an action is signed, by another curve",
)];

/// Returns a key of the first kind that the dialect signs with.
pub(crate) fn fitting(dialect: &Dialect) -> Option<Pair> {
    let draft = Sent {
        method: "POST".to_owned(),
        path: "/path".to_owned(),
        ..Sent::default()
    };
    let mut pairs = KINDS.iter().map(Pair::new);
    let found = pairs.find(|pair| sign(dialect, &pair.signing(), &draft).is_some());
    let named = KEYLESS.iter().any(|(name, _)| *name == dialect.name());
    assert_eq!(found.is_none(), named, "{}", dialect.name());
    found
}

/// Returns a path of `route` with a plain word in each open segment.
pub(crate) fn path(route: &Route) -> String {
    let segments = route.path.split('/');
    let filled = segments.map(|segment| match segment.starts_with('{') {
        true => "1",
        false => segment,
    });
    filled.collect::<Vec<_>>().join("/")
}

/// Returns the routes that ask for a signature. A private stream's is not among them where the plain word that [`path`] puts
/// in place of its token leads to a market stream, which nobody signs.
pub(crate) fn signing(dialect: &Dialect) -> impl Iterator<Item = &Route> {
    let leads = |route: &Route| dialect.route(&route.method, &path(route)).map(|r| r.signed);
    dialect
        .routes()
        .filter(move |route| route.signed && leads(route) == Some(true))
}

/// Signs a message; none where the dialect finds something wrong with it, or takes no key like this.
pub(crate) fn sign(dialect: &Dialect, key: &SigningKey, draft: &Sent) -> Option<Sent> {
    let headers = captured(&draft.headers).ok()?;
    let unsigned = Draft {
        method: &draft.method,
        path: &draft.path,
        query: &draft.query,
        headers: &headers,
        body: &draft.body,
    };
    let seal = Seal {
        key_id: KEY_ID,
        key,
        passphrase: Some("phrase"),
        now_us: NOW_US,
        nonce: "1700000000000",
    };
    let made = dialect.sign(&unsigned, &seal).ok()?;
    let fields = made.headers.iter();
    let fields = fields.map(|(name, value)| {
        let value = value.to_str().unwrap().to_owned();
        (name.as_str().to_owned(), value)
    });
    Some(Sent {
        query: made.query,
        headers: fields.collect(),
        body: made.body,
        ..draft.clone()
    })
}

impl Arena {
    /// Returns the `number`th route that asks for a signature, of as many as there are.
    pub(crate) fn route(&self, number: usize) -> Option<&Route> {
        let routes: Vec<_> = signing(&self.dialect).collect();
        routes.get(number.checked_rem(routes.len())?).copied()
    }

    /// Returns a message to a route, signed, and what it means where it is permitted.
    pub(crate) fn signed(&self, number: usize) -> Option<(Sent, Meaning)> {
        let (route, signing) = (self.route(number)?, self.signing.as_ref()?);
        let draft = Sent {
            method: route.method.to_string(),
            path: path(route),
            ..Sent::default()
        };
        let sent = sign(&self.dialect, signing, &draft)?;
        let meaning = sent.decide(&self.dialect, &self.core, None).ok()?;
        Some((sent, meaning))
    }

    /// Sends what somebody without the key made up.
    ///
    /// # Panics
    ///
    /// It was permitted.
    pub(crate) fn unsigned(&self, sent: &Sent) {
        let judged = sent.decide(&self.dialect, &self.core, None);
        assert!(judged.is_err(), "permitted unsigned: {sent:?}");
    }

    /// Sends a signed message that somebody without the key changed into `changed`.
    ///
    /// # Panics
    ///
    /// It was permitted, and means something else in a part that the dialect's signature covers.
    pub(crate) fn changed(&self, meaning: &Meaning, sent: &Sent, changed: &Sent) {
        let Ok(other) = changed.decide(&self.dialect, &self.core, None) else {
            return;
        };
        let holes = self.dialect.holes();
        let open = |hole| holes.contains(&hole);
        let left_open = changed.method != sent.method && open("method")
            || changed.path != sent.path && open("path")
            || changed.query != sent.query && open("query")
            || changed.body != sent.body && open("body");
        assert!(
            other == *meaning || left_open,
            "permitted changed: {sent:?} {changed:?}"
        );
    }

    /// Sends a WebSocket message that somebody without the key made up.
    ///
    /// # Panics
    ///
    /// It began a session, or did what asks for one.
    pub(crate) fn frame(&self, text: &str) {
        let judged = decide_frame(&self.dialect, &self.core, text);
        assert!(judged.is_err(), "logged on unsigned: {text}");
        if !self.has_channel() {
            return;
        }
        let permitted = match hear(&self.dialect, &self.core, text, None) {
            Ok(Came::Asked(meaning)) => meaning.operation.needs_credential(),
            Ok(Came::Session { .. }) => true,
            Ok(Came::Own) | Err(_) => false,
        };
        assert!(!permitted, "permitted unsigned: {text}");
    }

    /// Tells whether the dialect has a trading channel.
    pub(crate) fn has_channel(&self) -> bool {
        self.dialect.routes().any(|route| route.channel)
    }
}
