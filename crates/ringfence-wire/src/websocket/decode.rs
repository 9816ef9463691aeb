//! Reading frames, and putting messages together from them.

use super::close::{CloseCode, Violation};
use super::encode::{CONTROL_MAX, Kind, apply};

mod run;

/// Whose bytes are read: a client's frames are masked, a server's are not (RFC 6455 5.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)]
pub enum Sender {
    Client,
    Server,
}

/// What the other end may send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Largest message, all its frames together, in bytes.
    pub message: usize,
    /// Most frames of one message, so that nobody sends one byte by byte for ever.
    pub frames: u32,
}

/// What came, whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event<'d> {
    /// A text message.
    Text(&'d str),
    /// A binary message.
    Binary(&'d [u8]),
    /// Asks for a pong with the same payload.
    Ping(&'d [u8]),
    /// Answers a ping, or none.
    Pong(&'d [u8]),
    /// The other end closes; with its code and reason, if it gave them. Nothing may follow.
    Close(Option<(CloseCode, &'d str)>),
}

/// Longest head of a frame: two bytes, eight of length, four of mask.
const HEAD_MAX: usize = 14;

/// The frame being read.
#[derive(Clone, Copy, Debug)]
struct Open {
    kind: Kind,
    fin: bool,
    /// Bytes of its payload still to come.
    due: usize,
    mask: [u8; 4],
}

/// Reads one end's bytes.
#[derive(Debug)]
pub struct Decoder {
    sender: Sender,
    limits: Limits,
    head: [u8; HEAD_MAX],
    /// Bytes of the head that are there.
    have: usize,
    open: Option<Open>,
    /// The message that is being put together, and its kind once its first frame has come.
    message: Vec<u8>,
    kind: Option<Kind>,
    frames: u32,
    /// Bytes of the message known to be UTF-8.
    valid: usize,
    control: [u8; CONTROL_MAX],
    held: usize,
    /// Whether the event before was a whole message, whose bytes go with the next call.
    told: bool,
    closed: bool,
}

impl Decoder {
    /// Reads what `sender` sends.
    pub const fn new(sender: Sender, limits: Limits) -> Self {
        Self {
            sender,
            limits,
            head: [0; HEAD_MAX],
            have: 0,
            open: None,
            message: Vec::new(),
            kind: None,
            frames: 0,
            valid: 0,
            control: [0; CONTROL_MAX],
            held: 0,
            told: false,
            closed: false,
        }
    }

    /// Takes bytes off `input` up to the next event; none when all of them are taken and none is whole.
    ///
    /// # Errors
    ///
    /// [`Violation`]; the connection must be closed with its code and nothing more be read.
    pub fn next<'d>(&'d mut self, input: &mut &[u8]) -> Result<Option<Event<'d>>, Violation> {
        self.forget_told();
        loop {
            if self.closed && !input.is_empty() {
                return Err(Violation::protocol("bytes after the close frame"));
            }
            let open = match self.open {
                Some(open) => open,
                None => match self.take_head(input)? {
                    Some(open) => open,
                    None => return Ok(None),
                },
            };
            let left = self.take_payload(open, input)?;
            if left > 0 {
                return Ok(None);
            }
            self.open = None;
            if open.kind.is_control() {
                return self.control(open.kind).map(Some);
            }
            if open.fin {
                return self.whole().map(Some);
            }
        }
    }

    // Lets go of the message that the event before was.
    fn forget_told(&mut self) {
        if std::mem::take(&mut self.told) {
            self.message.clear();
            (self.kind, self.frames, self.valid) = (None, 0, 0);
        }
    }

    /// Bytes that are held of a message that is not whole.
    pub fn pending(&self) -> usize {
        if self.told { 0 } else { self.message.len() }
    }

    /// Gives back memory that an unusually large message took.
    pub fn shrink(&mut self, to: usize) {
        if self.told || self.message.is_empty() {
            self.message.clear();
            self.message.shrink_to(to);
        }
    }

    // Reads the head of a frame, byte by byte as far as it is known to reach.
    fn take_head(&mut self, input: &mut &[u8]) -> Result<Option<Open>, Violation> {
        loop {
            let wanted = match self.have {
                0 | 1 => 2,
                _ => self.head_length(),
            };
            if self.have == wanted {
                break;
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            *input = rest;
            self.head[self.have] = byte;
            self.have += 1;
            match self.have {
                // As soon as it can be told, nothing more is waited for.
                1 => self.check_first(byte)?,
                2 => self.check_second(byte)?,
                _ => {}
            }
        }
        self.have = 0;
        let open = self.read_head()?;
        self.open = Some(open);
        Ok(Some(open))
    }

    const fn head_length(&self) -> usize {
        let length = match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        2 + length + mask
    }

    fn check_first(&self, byte: u8) -> Result<(), Violation> {
        if byte & 0x70 != 0 {
            return Err(Violation::protocol(
                "a reserved bit is set without an extension",
            ));
        }
        let fin = byte & 0x80 != 0;
        match (byte & 0x0f, self.kind.is_some()) {
            (0, false) => Err(Violation::protocol("a continuation of no message")),
            (1 | 2, true) => Err(Violation::protocol("a new message inside another one")),
            (8..=10, _) if !fin => Err(Violation::protocol("a control frame in parts")),
            (0..=2 | 8..=10, _) => Ok(()),
            _ => Err(Violation::protocol("a reserved opcode")),
        }
    }

    fn check_second(&self, byte: u8) -> Result<(), Violation> {
        let masked = byte & 0x80 != 0;
        match self.sender {
            Sender::Client if !masked => {
                return Err(Violation::protocol("a client's frame without mask"));
            }
            Sender::Server if masked => {
                return Err(Violation::protocol("a server's frame with a mask"));
            }
            Sender::Client | Sender::Server => {}
        }
        if self.head[0] & 0x08 != 0 && byte & 0x7f > CONTROL_MAX as u8 {
            return Err(Violation::protocol("a control frame longer than 125 bytes"));
        }
        Ok(())
    }

    // Reads a head that is whole and whose first two bytes are sound.
    fn read_head(&mut self) -> Result<Open, Violation> {
        let [first, second, rest @ ..] = self.head;
        let (length, mask_at) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes([rest[0], rest[1]])), 2),
            127 => {
                let mut eight = [0; 8];
                eight.copy_from_slice(&rest[..8]);
                (u64::from_be_bytes(eight), 8)
            }
            short => (u64::from(short), 0),
        };
        let least = match mask_at {
            2 => 126,
            8 => 65_536,
            _ => 0,
        };
        if length < least || length >> 63 != 0 {
            return Err(Violation::protocol(
                "a length that is not in its shortest form",
            ));
        }
        let mut mask = [0; 4];
        if self.sender == Sender::Client {
            mask.copy_from_slice(&rest[mask_at..mask_at + 4]);
        }
        let kind = match (first & 0x0f, self.kind) {
            (0, Some(kind)) => kind,
            (1, _) => Kind::Text,
            (8, _) => Kind::Close,
            (9, _) => Kind::Ping,
            (10, _) => Kind::Pong,
            _ => Kind::Binary,
        };
        if !kind.is_control() {
            self.begin_part(kind, length)?;
        }
        self.held = 0;
        Ok(Open {
            kind,
            fin: first & 0x80 != 0,
            // Bounded by the limits, so that it fits.
            due: usize::try_from(length).unwrap_or(usize::MAX),
            mask,
        })
    }

    fn begin_part(&mut self, kind: Kind, length: u64) -> Result<(), Violation> {
        let room = self.limits.message - self.message.len();
        if length > room as u64 {
            return Err(Violation::large("a message larger than is taken here"));
        }
        self.frames += 1;
        if self.frames > self.limits.frames {
            return Err(Violation::large(
                "a message in more parts than are taken here",
            ));
        }
        self.kind = Some(kind);
        Ok(())
    }

    // Takes payload off `input`, and returns how much of it is still to come.
    fn take_payload(&mut self, mut open: Open, input: &mut &[u8]) -> Result<usize, Violation> {
        let count = open.due.min(input.len());
        let (taken, rest) = input.split_at(count);
        *input = rest;
        let fresh = if open.kind.is_control() {
            let fresh = &mut self.control[self.held..self.held + count];
            fresh.copy_from_slice(taken);
            self.held += count;
            fresh
        } else {
            let start = self.message.len();
            self.message.extend_from_slice(taken);
            &mut self.message[start..]
        };
        if self.sender == Sender::Client {
            apply(fresh, open.mask);
            open.mask.rotate_left(count % 4);
        }
        open.due -= count;
        self.open = Some(open);
        if open.kind == Kind::Text {
            self.check_text()?;
        }
        Ok(open.due)
    }

    // Refuses a text that can no longer become valid.
    fn check_text(&mut self) -> Result<(), Violation> {
        match std::str::from_utf8(&self.message[self.valid..]) {
            Ok(text) => self.valid += text.len(),
            Err(error) if error.error_len().is_some() => return Err(Violation::text()),
            Err(error) => self.valid += error.valid_up_to(),
        }
        Ok(())
    }

    fn whole(&mut self) -> Result<Event<'_>, Violation> {
        self.told = true;
        if self.kind == Some(Kind::Binary) {
            return Ok(Event::Binary(&self.message));
        }
        if self.valid < self.message.len() {
            return Err(Violation::text());
        }
        // Checked above, part by part; once more costs less than the risk of not doing it.
        std::str::from_utf8(&self.message)
            .map(Event::Text)
            .map_err(|_| Violation::text())
    }

    fn control(&mut self, kind: Kind) -> Result<Event<'_>, Violation> {
        let payload = &self.control[..self.held];
        match kind {
            Kind::Ping => Ok(Event::Ping(payload)),
            Kind::Pong => Ok(Event::Pong(payload)),
            Kind::Close | Kind::Text | Kind::Binary => {
                self.closed = true;
                closing(payload).map(Event::Close)
            }
        }
    }
}

fn closing(payload: &[u8]) -> Result<Option<(CloseCode, &str)>, Violation> {
    let Some((number, reason)) = payload.split_first_chunk::<2>() else {
        return match payload.is_empty() {
            true => Ok(None),
            false => Err(Violation::protocol("a close code of one byte")),
        };
    };
    let code = CloseCode::from_number(u16::from_be_bytes(*number));
    let code = code.ok_or(Violation::protocol("a close code that is never sent"))?;
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::text())?;
    Ok(Some((code, reason)))
}
