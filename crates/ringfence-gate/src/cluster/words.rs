//! The server's language, RESP2: a command is a list of byte strings; an answer is one of five things.
//!
//! <https://valkey.io/topics/protocol/>

use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use ringfence_core::cluster::Name;

/// Longest answer that is waited for, in bytes: `INFO` is the longest.
const ANSWER_MAX: usize = 1 << 20;
/// How deep lists may stand in lists.
const DEPTH_MAX: usize = 4;

/// What the server said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Said {
    List(Vec<Self>),
    Nothing,
    Number(i64),
    Refused(String),
    Text(Vec<u8>),
}

/// Why what it said cannot be read.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Garbled;

/// Writes one command behind what is in `out`.
pub(super) fn put<'a>(out: &mut BytesMut, words: impl ExactSizeIterator<Item = &'a [u8]>) {
    length(out, b'*', words.len());
    for word in words {
        Command(out).word(word);
    }
}

fn length(out: &mut BytesMut, kind: u8, length: usize) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(digits.format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A command that is being written, of as many words as it was begun with.
pub(super) struct Command<'a>(&'a mut BytesMut);

impl<'a> Command<'a> {
    pub(super) fn begin(out: &'a mut BytesMut, words: usize) -> Self {
        length(out, b'*', words);
        Self(out)
    }

    /// Begins to call a script with so many keys and so many more words.
    pub(super) fn call(out: &'a mut BytesMut, script: &[u8], keys: usize, more: usize) -> Self {
        let mut command = Self::begin(out, 3 + keys + more);
        command.word(b"EVALSHA").word(script).number(keys as u64);
        command
    }

    /// Writes a word.
    pub(super) fn word(&mut self, word: &[u8]) -> &mut Self {
        length(self.0, b'$', word.len());
        self.0.extend_from_slice(word);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// Writes a number as a word.
    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        let mut digits = itoa::Buffer::new();
        self.word(digits.format(number).as_bytes())
    }

    /// Writes a name as a word that begins with `begin`.
    pub(super) fn name(&mut self, begin: &[u8], name: &Name) -> &mut Self {
        length(self.0, b'$', begin.len() + 2 * name.len());
        self.0.extend_from_slice(begin);
        for byte in name {
            let digit = |half: u8| DIGITS[usize::from(half & 15)];
            self.0.extend_from_slice(&[digit(byte >> 4), digit(*byte)]);
        }
        self.0.extend_from_slice(b"\r\n");
        self
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Takes the first answer out of `bytes`, if all of it is there.
pub(super) fn take(bytes: &mut BytesMut) -> Result<Option<Said>, Garbled> {
    let mut rest = &bytes[..];
    match read(&mut rest, DEPTH_MAX) {
        Ok(said) => {
            let taken = bytes.len() - rest.len();
            bytes.advance(taken);
            Ok(Some(said))
        }
        Err(Short::Garbled) => Err(Garbled),
        Err(Short::Unfinished) if bytes.len() > ANSWER_MAX => Err(Garbled),
        Err(Short::Unfinished) => Ok(None),
    }
}

/// Why no answer could be read.
enum Short {
    Garbled,
    Unfinished,
}

fn read(rest: &mut &[u8], depth: usize) -> Result<Said, Short> {
    let line = line(rest)?;
    let (kind, text) = line.split_first().ok_or(Short::Garbled)?;
    match kind {
        b'+' => Ok(Said::Text(text.to_vec())),
        b'-' => Ok(Said::Refused(String::from_utf8_lossy(text).into_owned())),
        b':' => Ok(Said::Number(number(text)?)),
        b'$' => match count(text)? {
            None => Ok(Said::Nothing),
            Some(length) => {
                let whole = rest.get(..length + 2).ok_or(Short::Unfinished)?;
                let said = whole.strip_suffix(b"\r\n").ok_or(Short::Garbled)?;
                *rest = &rest[length + 2..];
                Ok(Said::Text(said.to_vec()))
            }
        },
        b'*' => match (count(text)?, depth.checked_sub(1)) {
            (None, _) => Ok(Said::Nothing),
            (Some(_), None) => Err(Short::Garbled),
            (Some(length), Some(depth)) => {
                // Nothing is made room for that is not there: an item takes four bytes at least.
                let mut items = Vec::with_capacity(length.min(rest.len() / 4));
                for _ in 0..length {
                    items.push(read(rest, depth)?);
                }
                Ok(Said::List(items))
            }
        },
        _ => Err(Short::Garbled),
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Short> {
    let end = memmem::find(rest, b"\r\n").ok_or(Short::Unfinished)?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    Ok(line)
}

fn number(text: &[u8]) -> Result<i64, Short> {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or(Short::Garbled)
}

/// Returns how many follow; none: nothing at all.
fn count(text: &[u8]) -> Result<Option<usize>, Short> {
    match number(text)? {
        -1 => Ok(None),
        count => match usize::try_from(count) {
            Ok(count) if count <= ANSWER_MAX => Ok(Some(count)),
            Ok(_) | Err(_) => Err(Short::Garbled),
        },
    }
}

impl Said {
    /// Returns a list of numbers.
    pub(super) fn numbers(&self) -> Option<Vec<u64>> {
        let Self::List(items) = self else {
            return None;
        };
        let number = |item: &Self| match item {
            Self::Number(number) => u64::try_from(*number).ok(),
            Self::List(_) | Self::Nothing | Self::Refused(_) | Self::Text(_) => None,
        };
        items.iter().map(number).collect()
    }

    /// Returns a text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).ok(),
            Self::List(_) | Self::Nothing | Self::Number(_) | Self::Refused(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_command_is_written_as_the_server_reads_it() {
        let mut out = BytesMut::new();
        Command::begin(&mut out, 3)
            .word(b"")
            .number(u64::MAX)
            .name(b"{a}:", &[0xa7; 16]);
        let name = "a7".repeat(16);
        let wanted = format!(
            "*3\r\n$0\r\n\r\n$20\r\n{}\r\n$36\r\n{{a}}:{name}\r\n",
            u64::MAX
        );
        assert_eq!(out, wanted);
        out.clear();
        put(&mut out, [&b"SET"[..], b"a\r\nb", b""].into_iter());
        assert_eq!(&out[..], b"*3\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n");
    }

    #[test]
    fn an_answer_is_taken_when_its_last_byte_is_there_and_no_earlier() {
        let whole = b"*4\r\n:12\r\n$-1\r\n$3\r\na\r\n\r\n*2\r\n:-3\r\n:4\r\n+OK\r\n-ERR no\r\n";
        let end = whole.len() - 14;
        for cut in 0..end {
            let mut bytes = BytesMut::from(&whole[..cut]);
            assert_eq!(take(&mut bytes), Ok(None), "{cut}");
        }
        let mut bytes = BytesMut::from(&whole[..]);
        let said = [(); 3].map(|()| take(&mut bytes).unwrap().unwrap());
        let [Said::List(items), ok, no] = said else {
            panic!("{said:?}");
        };
        assert_eq!(items[..2], [Said::Number(12), Said::Nothing]);
        assert_eq!(items[2], Said::Text(b"a\r\n".to_vec()));
        assert_eq!(
            items[3],
            Said::List(vec![Said::Number(-3), Said::Number(4)])
        );
        assert_eq!(
            (ok.text(), no),
            (Some("OK"), Said::Refused("ERR no".into()))
        );
        assert!(bytes.is_empty());
    }

    #[test]
    fn what_is_no_answer_or_never_ends_is_an_error() {
        for bad in [
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "\r\n",
            ":1x\r\n",
            "$-2\r\n",
            "$1\r\nabc\r\n",
            "*99999999999\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ] {
            assert_eq!(take(&mut BytesMut::from(bad)), Err(Garbled), "{bad:?}");
        }
        let mut endless = BytesMut::from(&b"+"[..]);
        endless.resize(ANSWER_MAX + 1, b'x');
        assert_eq!(take(&mut endless), Err(Garbled));
    }
}
