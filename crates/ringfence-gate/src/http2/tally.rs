//! What a client's frames ask for, counted before the parser sees them.
//!
//! Whoever sends frames that ask for nothing, such as PING, SETTINGS or streams that are reset, has us work for it at
//! the cost of a few bytes. Each such frame takes from a budget that time, messages and what the client takes of its
//! answers fill up again. Pure: no clock, no I/O.
//!
//! Source: RFC 9113 4.1, 10.5; CVE-2019-9511 to 9518, CVE-2023-44487.

/// What RFC 9113 3.4 begins a connection with, in bytes.
const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;

/// A DATA frame that is shorter and is not the last costs more in frames than it carries.
const SMALL_BYTES: usize = 64;
/// What one message may cost beside itself: priorities, window updates, small pieces of its body.
const PER_MESSAGE: u32 = 4;
/// A client tells that its windows are open again: once or twice for as many bytes as fill a frame.
const BYTES_PER_UNIT: usize = 4096;

/// A budget that is full at first, and fills with time.
#[derive(Debug)]
struct Bucket {
    left: u32,
    full: u32,
    /// Milliseconds in which one unit comes back.
    unit_ms: u64,
    /// Since when no time was turned into units.
    since_ms: u64,
}

impl Bucket {
    const fn new(full: u32, unit_ms: u64) -> Self {
        Self {
            left: full,
            full,
            unit_ms,
            since_ms: 0,
        }
    }

    fn fill(&mut self, units: u32) {
        self.left = self.left.saturating_add(units).min(self.full);
    }

    fn take(&mut self, now_ms: u64) -> Result<(), Flood> {
        let units = now_ms.saturating_sub(self.since_ms) / self.unit_ms;
        self.since_ms += units * self.unit_ms;
        self.fill(u32::try_from(units).unwrap_or(u32::MAX));
        self.left = self.left.checked_sub(1).ok_or(Flood)?;
        Ok(())
    }
}

/// More was sent that asks for nothing than any client has reason to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Flood;

/// Where the client's bytes stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Between two frames.
    Between,
    /// Within a head: in one of its frames, or between two.
    Head,
    /// Within another frame.
    Frame,
}

/// The frames of one connection.
#[derive(Debug)]
pub(super) struct Tally {
    preface: usize,
    head: [u8; HEAD_BYTES],
    /// Bytes of `head` that are there.
    held: usize,
    /// Bytes of the present frame that are still to come.
    payload: usize,
    /// Whether a head has begun that has not ended.
    in_head: bool,
    last_stream: u32,
    heads: usize,
    begun: u64,
    idle_frames: Bucket,
    resets: Bucket,
    sent: usize,
}

impl Tally {
    /// Begins before the preface. `streams` may be open at once, and so many may be given up at once.
    pub(super) const fn new(streams: u32) -> Self {
        Self {
            preface: PREFACE_BYTES,
            head: [0; HEAD_BYTES],
            held: 0,
            payload: 0,
            in_head: false,
            last_stream: 0,
            heads: 0,
            begun: 0,
            idle_frames: Bucket::new(512, 20),
            resets: Bucket::new(streams, 100),
            sent: 0,
        }
    }

    /// Returns how many messages have begun, with a whole head.
    pub(super) const fn heads(&self) -> usize {
        self.heads
    }

    /// Returns how many frames have begun; a head is one, in however many frames it comes.
    pub(super) const fn begun(&self) -> u64 {
        self.begun
    }

    /// Returns where the bytes so far end.
    pub(super) const fn place(&self) -> Place {
        if self.in_head {
            Place::Head
        } else if self.held > 0 || self.payload > 0 {
            Place::Frame
        } else {
            Place::Between
        }
    }

    /// Counts what the client took of its answers.
    pub(super) fn took(&mut self, bytes: usize) {
        self.sent += bytes;
        let units = self.sent / BYTES_PER_UNIT;
        self.sent %= BYTES_PER_UNIT;
        self.idle_frames
            .fill(u32::try_from(units).unwrap_or(u32::MAX));
    }

    /// Counts what the client sent, at `now_ms`.
    ///
    /// # Errors
    ///
    /// [`Flood`]: nothing that follows need be looked at.
    pub(super) fn read(&mut self, mut bytes: &[u8], now_ms: u64) -> Result<(), Flood> {
        skip(&mut self.preface, &mut bytes);
        while !bytes.is_empty() {
            if self.payload > 0 {
                skip(&mut self.payload, &mut bytes);
                continue;
            }
            let wanted = HEAD_BYTES - self.held;
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            for (place, byte) in self.head.iter_mut().skip(self.held).zip(part) {
                *place = *byte;
            }
            self.held += part.len();
            bytes = rest;
            if self.held == HEAD_BYTES {
                self.held = 0;
                self.begin(now_ms)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, now_ms: u64) -> Result<(), Flood> {
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        self.payload = length;
        let is = |flag: u8| flags & flag != 0;
        let in_head = self.in_head;
        self.begun += u64::from(!in_head);
        match kind {
            HEADERS => {
                self.in_head = !is(END_HEADERS);
                // Trailers begin no message.
                if stream > self.last_stream {
                    self.last_stream = stream;
                    self.heads += usize::from(!self.in_head);
                    self.idle_frames.fill(PER_MESSAGE);
                    return Ok(());
                }
            }
            CONTINUATION if in_head => {
                self.in_head = !is(END_HEADERS);
                self.heads += usize::from(!self.in_head);
            }
            RST_STREAM => return self.resets.take(now_ms),
            DATA if is(END_STREAM) => return Ok(()),
            DATA if length >= SMALL_BYTES && !is(PADDED) => return Ok(()),
            _ => {}
        }
        self.idle_frames.take(now_ms)
    }
}

/// Takes up to `count` bytes off the front.
fn skip(count: &mut usize, bytes: &mut &[u8]) {
    let taken = (*count).min(bytes.len());
    *count -= taken;
    *bytes = bytes.split_at(taken).1;
}

#[cfg(test)]
mod tests;
