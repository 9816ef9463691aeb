//! Close codes (RFC 6455 7.4, and the IANA registry that goes on from there).

/// Why a connection ends, as its last frame says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// All was said.
    pub const NORMAL: Self = Self(1000);
    /// The end that says so goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// A frame is not as the protocol wants it.
    pub const PROTOCOL: Self = Self(1002);
    /// A message of a kind that is not taken here.
    pub const UNSUPPORTED: Self = Self(1003);
    /// A text is not UTF-8.
    pub const INVALID_TEXT: Self = Self(1007);
    /// What was sent is not allowed.
    pub const POLICY: Self = Self(1008);
    /// A message is too large.
    pub const TOO_LARGE: Self = Self(1009);
    /// The end that says so failed.
    pub const INTERNAL: Self = Self(1011);
    /// There is too much to do.
    pub const TRY_AGAIN: Self = Self(1013);
    /// The gateway got no sound answer from the venue.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code with a number; none when no frame may carry it.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            // 1004 to 1006 and 1015 are reserved for what is never sent.
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(number)),
            _ => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// What the other end did that it must not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Violation {
    /// What to close the connection with.
    pub code: CloseCode,
    /// What was wrong, for people.
    pub what: &'static str,
}

impl Violation {
    pub(super) const fn protocol(what: &'static str) -> Self {
        Self {
            code: CloseCode::PROTOCOL,
            what,
        }
    }

    pub(super) const fn text() -> Self {
        Self {
            code: CloseCode::INVALID_TEXT,
            what: "a text is not UTF-8",
        }
    }

    pub(super) const fn large(what: &'static str) -> Self {
        Self {
            code: CloseCode::TOO_LARGE,
            what,
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.what, self.code.number())
    }
}

impl std::error::Error for Violation {}
