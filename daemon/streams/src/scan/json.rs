//! Lines that are JSON objects (RFC 8259). A name such as `a.b` is the member `b` of the object
//! `a`, and also a member that is called `a.b`. Numbers, arrays and objects are kept as they are
//! written, texts without their escapes, and `null` is missing.

use super::{Needs, closing_quote};
use crate::cells::{Cell, Cells};

/// How deeply values may be nested in a line.
const MAX_DEPTH: usize = 128;

/// Which fields are needed.
#[derive(Debug, Default)]
pub(crate) struct Json {
    pub(super) needs: Needs,
}

impl Json {
    /// Whether all of the line is one object. The last of equal names counts.
    pub(super) fn scan(&self, line: &[u8], cells: &mut Cells) -> bool {
        self.needs.clear(cells);
        let mut reader = Reader { line, at: 0, needs: &self.needs, cells };
        reader.space();
        let all = u64::MAX >> (64 - self.needs.names.len().clamp(1, 64));
        let mask = if self.needs.is_empty() { 0 } else { all };
        reader.object(mask, 0, 0).is_some() && {
            reader.space();
            reader.at == line.len()
        }
    }
}

struct Reader<'a> {
    line: &'a [u8],
    at: usize,
    needs: &'a Needs,
    cells: &'a mut Cells,
}

impl Reader<'_> {
    fn next(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.next() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next() == Some(byte)).then(|| self.at += 1)
    }

    /// An object. `mask` has a bit for each name that may be in it, of which `prefix` bytes are
    /// those of the objects around it.
    fn object(&mut self, mask: u64, prefix: usize, depth: usize) -> Option<()> {
        self.take(b'{')?;
        self.space();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let (start, end, escaped) = self.string()?;
            let (here, inside, length) =
                if mask == 0 { (0, 0, 0) } else { self.names(mask, prefix, start..end, escaped) };
            self.space();
            self.take(b':')?;
            self.space();
            self.value(here, inside, prefix + length + 1, depth)?;
            self.space();
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.space();
        }
    }

    /// Which names this key completes, which ones go on inside it, and how many bytes the key has.
    fn names(
        &mut self,
        mask: u64,
        prefix: usize,
        key: std::ops::Range<usize>,
        escaped: bool,
    ) -> (u64, u64, usize) {
        let unescaped = escaped.then(|| self.unescaped(key.clone()));
        let key = match &unescaped {
            Some(bytes) => bytes.as_slice(),
            None => &self.line[key],
        };
        let (mut here, mut inside) = (0, 0);
        for (bit, (name, _)) in self.needs.names.iter().enumerate() {
            if mask & (1 << bit) == 0 {
                continue;
            }
            match name.get(prefix..).and_then(|rest| rest.strip_prefix(key)) {
                Some([]) => here |= 1 << bit,
                Some([b'.', ..]) => inside |= 1 << bit,
                _ => {}
            }
        }
        (here, inside, key.len())
    }

    /// A value, for the names `here`; if it is an object, for the names `inside` too.
    fn value(&mut self, here: u64, inside: u64, prefix: usize, depth: usize) -> Option<()> {
        let start = self.at;
        match self.next()? {
            b'"' => {
                let (start, end, escaped) = self.string()?;
                if here == 0 {
                    return Some(());
                }
                let cell = if escaped {
                    let text = self.unescaped(start..end);
                    self.cells.keep(&text)
                } else {
                    self.cells.place(start, end)
                };
                self.set(here, cell);
                return Some(());
            }
            b'{' if depth < MAX_DEPTH => self.object(inside, prefix, depth + 1)?,
            b'[' if depth < MAX_DEPTH => self.array(depth + 1)?,
            b'n' => {
                self.word(b"null")?;
                self.set(here, Cell::Missing);
                return Some(());
            }
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return None,
        }
        let cell = self.cells.place(start, self.at);
        self.set(here, cell);
        Some(())
    }

    fn set(&mut self, here: u64, cell: Cell) {
        let mut bits = here;
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            if let Some((_, slot)) =
                usize::try_from(bit).ok().and_then(|at| self.needs.names.get(at))
            {
                self.cells.set(*slot, cell);
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        self.space();
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(0, 0, 0, depth)?;
            self.space();
            if self.take(b']').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.space();
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.line[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.next().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        self.digits()?;
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.next() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.next() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Where the text between the quotes is, and whether it has escapes.
    fn string(&mut self) -> Option<(usize, usize, bool)> {
        self.take(b'"')?;
        let start = self.at;
        let (end, escaped) = closing_quote(self.line, start)?;
        self.at = end + 1;
        Some((start, end, escaped))
    }

    /// A text without its escapes. Half of a surrogate pair becomes U+FFFD.
    fn unescaped(&self, place: std::ops::Range<usize>) -> Vec<u8> {
        let raw = &self.line[place];
        let mut text = Vec::with_capacity(raw.len());
        let mut at = 0;
        while let Some(byte) = raw.get(at) {
            at += 1;
            if *byte != b'\\' {
                text.push(*byte);
                continue;
            }
            let escape = raw.get(at).copied().unwrap_or(b'\\');
            at += 1;
            match escape {
                b'n' => text.push(b'\n'),
                b'r' => text.push(b'\r'),
                b't' => text.push(b'\t'),
                b'b' => text.push(8),
                b'f' => text.push(12),
                b'u' => {
                    let (character, length) = unicode(&raw[at..]);
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    at += length;
                }
                other => text.push(other),
            }
        }
        text
    }
}

/// The character of `XXXX`, or of `XXXX\uXXXX`, and how many bytes that takes.
fn unicode(raw: &[u8]) -> (char, usize) {
    let unit = |place: std::ops::Range<usize>| {
        let digits = std::str::from_utf8(raw.get(place)?).ok()?;
        u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
    };
    let Some(first) = unit(0..4) else { return (char::REPLACEMENT_CHARACTER, 0) };
    if (0xd800..0xdc00).contains(&first)
        && raw.get(4..6) == Some(b"\\u")
        && let Some(second) = unit(6..10).filter(|unit| (0xdc00..0xe000).contains(unit))
    {
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 4)
}
