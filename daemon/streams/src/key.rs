//! The key of a group as bytes: its window, and then a part for each name behind `by`. Equal keys
//! have equal bytes, on every machine.

use super::cells::{Cell, Context};
use super::decimal::Decimal;
use super::rows::Value;

/// The longest text of a key in bytes. What is longer ends in `~` and a hash of all of it, so that
/// different texts stay different.
pub(crate) const MAX_TEXT: usize = 4096;

/// How many bytes the end of a longer one has.
const MARK: usize = 17;

const MISSING: u8 = 0;
const TEXT: u8 = 1;
const NUMBER: u8 = 2;
const TIME: u8 = 3;

/// A window's bytes. Those of later windows are larger.
pub(crate) fn push_window(key: &mut Vec<u8>, start: i64) {
    key.extend_from_slice(&(start ^ i64::MIN).to_be_bytes());
}

pub(crate) fn push_part(key: &mut Vec<u8>, cell: Cell, context: &Context) {
    match cell {
        Cell::Missing => key.push(MISSING),
        Cell::Number(number) => push_bytes(key, NUMBER, number.to_string().as_bytes()),
        Cell::Time(milliseconds) => {
            key.push(TIME);
            key.extend_from_slice(&milliseconds.to_be_bytes());
        }
        _ => match context.text(cell) {
            Some(text) if text.len() > MAX_TEXT => push_bytes(key, TEXT, &shortened(text)),
            Some(text) => push_bytes(key, TEXT, text),
            None => key.push(MISSING),
        },
    }
}

fn shortened(text: &[u8]) -> Vec<u8> {
    let mut short = text[..MAX_TEXT].to_vec();
    let hash = blake3::hash(text).to_hex();
    short.push(b'~');
    short.extend_from_slice(&hash.as_bytes()[..MARK - 1]);
    short
}

/// The kind, the length in two bytes, and the bytes.
fn push_bytes(key: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    key.push(kind);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(&bytes[..usize::from(length)]);
}

/// Reads the parts of a key.
pub(crate) struct Parts<'a>(pub(crate) &'a [u8]);

impl<'a> Parts<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// When the window begins, in milliseconds since the Unix epoch.
    pub(crate) fn window(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.number()?) ^ i64::MIN)
    }

    /// The next part. None if it is none that [`push_part`] writes.
    fn part(&mut self) -> Option<Part<'a>> {
        match self.number::<1>()?[0] {
            MISSING => Some(Part::Missing),
            TIME => Some(Part::Time(i64::from_be_bytes(self.number()?))),
            kind @ (TEXT | NUMBER) => {
                let length = u16::from_be_bytes(self.number()?);
                let bytes = self.take(usize::from(length))?;
                if kind == TEXT {
                    return (bytes.len() <= MAX_TEXT + MARK).then_some(Part::Text(bytes));
                }
                let number = Decimal::parse(bytes)?;
                (number.to_string().as_bytes() == bytes).then_some(Part::Number(number))
            }
            _ => None,
        }
    }

    /// The value of the next part.
    pub(crate) fn value(&mut self) -> Value {
        match self.part() {
            None | Some(Part::Missing) => Value::Missing,
            Some(Part::Text(text)) => Value::Text(text.to_vec()),
            Some(Part::Number(number)) => Value::Number(number),
            Some(Part::Time(milliseconds)) => Value::Time(milliseconds),
        }
    }
}

/// A part of a key.
enum Part<'a> {
    Missing,
    Text(&'a [u8]),
    Number(Decimal),
    Time(i64),
}

/// Whether these are the bytes of a key with so many parts.
pub(crate) fn is_key(key: &[u8], every: Option<i64>, parts: usize) -> bool {
    let mut reader = Parts(key);
    if let Some(every) = every
        && reader.window().is_none_or(|start| start.rem_euclid(every) != 0)
    {
        return false;
    }
    (0..parts).all(|_| reader.part().is_some()) && reader.0.is_empty()
}
