//! Checks a member's JSON: every line is one object that names this member, and has nothing else
//! around it. It owns where in an object the bytes ended.
//!
//! Objects may be longer than a piece, and nobody keeps them. So the objects are read as they come
//! (RFC 8259), in the form that members write: without blanks, with whole numbers, and with plain
//! names of fields. Newer members may add fields.

use super::answer_fault::{AnswerFault, MAX_ANSWERED_FILES};
use super::answer_text::first_of_file;
use memberd_control::grep::{GrepPrint, GrepRequest};

/// The most objects and lists that may lie in one another.
const MAX_DEPTH: usize = 8;

/// The longest name of a field, and the longest number, in bytes.
const MAX_WORD: usize = 64;

/// The fields that stand in the head, which no later field may repeat: many readers take the last.
const HEAD_FIELDS: [&[u8]; 6] =
    [b"schema", b"type", b"member", b"member_bytes", b"file", b"file_bytes"];

/// The fields that members write after the head. Others are looked at byte by byte.
const FIELDS: [&[u8]; 9] = [
    b"\"line\":",
    b"\"offset\":",
    b"\"time\":",
    b"\"text\":",
    b"\"submatches\":",
    b"\"start\":",
    b"\"end\":",
    b"\"bytes\":",
    b"\"lines\":",
];

/// The objects of one member's answer.
#[derive(Debug)]
pub(super) struct AnswerJson {
    /// The ways in which an object may begin: up to the first bytes of the file's name.
    heads: Vec<Vec<u8>>,
    /// The bytes that close what is open. The first closes the object itself.
    open: Vec<u8>,
    next: Next,
    /// Whether there is one object for each file.
    is_by_file: bool,
    /// The objects so far.
    objects: usize,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The head of an object, or the end of the answer.
    Head,
    /// The rest of a string.
    String,
    /// A value.
    Value,
    /// The first field or value in what was opened last, or its end.
    First,
    /// A comma, or the end of what was opened last.
    More,
    /// The newline after an object.
    LineEnd,
}

impl AnswerJson {
    /// The objects that `member` answers this request with. None has begun.
    pub(super) fn new(member: &str, request: &GrepRequest) -> Self {
        let what = request.printing.what;
        let kinds: &[&str] = match what {
            GrepPrint::Lines | GrepPrint::Matches => &["match", "context"],
            GrepPrint::Count => &["count"],
            GrepPrint::FilesWithMatch | GrepPrint::FilesWithoutMatch => &["file"],
            GrepPrint::Nothing => &[],
        };
        let first = String::from_utf8_lossy(first_of_file(request));
        let head = |kind: &&str| {
            let head = format!("{{\"schema\":1,\"type\":\"{kind}\",\"member\":\"{member}\"");
            [format!("{head},\"file\":\"{first}"), format!("{head},\"file_bytes\":\"")]
        };
        AnswerJson {
            heads: kinds.iter().flat_map(head).map(String::into_bytes).collect(),
            open: Vec::new(),
            next: Next::Head,
            is_by_file: !matches!(what, GrepPrint::Lines | GrepPrint::Matches),
            objects: 0,
        }
    }

    /// Whether the bytes ended within an object.
    pub(super) fn is_in_line(&self) -> bool {
        self.next != Next::Head
    }

    /// The bytes that end the object in which the bytes ended, so that its line is JSON. A last
    /// field says that it was cut.
    pub(super) fn closing(&self) -> Vec<u8> {
        let mut closing = match self.next {
            Next::Head => return Vec::new(),
            Next::LineEnd => return b"\n".to_vec(),
            Next::String => b"\"".to_vec(),
            Next::Value => b"null".to_vec(),
            Next::First | Next::More => Vec::new(),
        };
        closing.extend(self.open.iter().skip(1).rev());
        closing.extend_from_slice(b",\"cut\":true}\n");
        closing
    }

    /// Checks the next bytes. Returns how many of them are checked. The others are not enough to
    /// tell, and must come again with what follows them.
    pub(super) fn check(&mut self, bytes: &[u8]) -> Result<usize, AnswerFault> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let after = match self.next {
                Next::Head => self.head(rest)?,
                Next::String => self.string(rest)?,
                Next::Value => self.value(*first, rest)?,
                Next::First if self.open.last() == Some(first) => self.close(rest)?,
                Next::First if self.open.last() == Some(&b'}') => self.key(rest)?,
                Next::First => self.value(*first, rest)?,
                Next::More if self.open.last() == Some(first) => self.close(rest)?,
                Next::More if *first == b',' => match rest.get(1..) {
                    Some([]) | None => None,
                    Some(after) if self.open.last() == Some(&b'}') => self.key(after)?,
                    Some([first, ..]) => self.value(*first, rest.get(1..).unwrap_or_default())?,
                },
                Next::LineEnd if *first == b'\n' => {
                    self.next = Next::Head;
                    rest.get(1..)
                }
                Next::More | Next::LineEnd => return Err(AnswerFault::Json),
            };
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// The head of an object, up to the inside of the file's name.
    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, AnswerFault> {
        let Some(after) = self.heads.iter().find_map(|head| bytes.strip_prefix(&head[..])) else {
            let may_begin = self.heads.iter().any(|head| head.starts_with(bytes));
            return if may_begin { Ok(None) } else { Err(AnswerFault::Json) };
        };
        self.objects += 1;
        if self.is_by_file && self.objects > MAX_ANSWERED_FILES {
            return Err(AnswerFault::Files);
        }
        self.open.push(b'}');
        self.next = Next::String;
        Ok(Some(after))
    }

    /// The name of a field, with its colon.
    fn key<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, AnswerFault> {
        if let Some(after) = FIELDS.iter().find_map(|field| bytes.strip_prefix(*field)) {
            self.next = Next::Value;
            return Ok(Some(after));
        }
        let Some((b"\"", name)) = bytes.split_at_checked(1) else { return Err(AnswerFault::Json) };
        let Some((name, after)) = word(name, |byte| matches!(byte, b'a'..=b'z' | b'_'))? else {
            return Ok(None);
        };
        let is_head = self.open.len() == 1 && HEAD_FIELDS.contains(&name);
        match after {
            [b'"', b':', after @ ..] if !name.is_empty() && !is_head => {
                self.next = Next::Value;
                Ok(Some(after))
            }
            [b'"'] => Ok(None),
            _ => Err(AnswerFault::Json),
        }
    }

    /// A value, or the beginning of one.
    fn value<'b>(&mut self, first: u8, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, AnswerFault> {
        let closing = match first {
            b'{' => b'}',
            b'[' => b']',
            b'"' => {
                self.next = Next::String;
                return Ok(bytes.get(1..));
            }
            _ => return self.atom(bytes),
        };
        if self.open.len() >= MAX_DEPTH {
            return Err(AnswerFault::Json);
        }
        self.open.push(closing);
        self.next = Next::First;
        Ok(bytes.get(1..))
    }

    /// A number, or a word.
    fn atom<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, AnswerFault> {
        let Some((atom, after)) =
            word(bytes, |byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'-')?
        else {
            return Ok(None);
        };
        let is_number = match atom.strip_prefix(b"-").unwrap_or(atom) {
            [b'0'] => true,
            [b'1'..=b'9', more @ ..] => more.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        if !is_number && !matches!(atom, b"true" | b"false" | b"null") {
            return Err(AnswerFault::Json);
        }
        self.next = Next::More;
        Ok(Some(after))
    }

    /// The end of what was opened last.
    fn close<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, AnswerFault> {
        self.open.pop();
        self.next = if self.open.is_empty() { Next::LineEnd } else { Next::More };
        Ok(bytes.get(1..))
    }

    /// The inside of a string, up to its end or as far as it is there.
    fn string<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, AnswerFault> {
        let mut rest = bytes;
        loop {
            rest = rest.get(plain_bytes(rest)..).unwrap_or_default();
            let after = match rest {
                [] => break,
                [b'"', after @ ..] => {
                    self.next = Next::More;
                    return Ok(Some(after));
                }
                [b'\\', ..] => escape(rest)?,
                [0..0x20, ..] => return Err(AnswerFault::Json),
                _ => character(rest)?,
            };
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
        Ok((rest.len() < bytes.len()).then_some(rest))
    }
}

/// How many bytes at the beginning are ASCII characters that stand for themselves in a string.
/// Eight bytes are looked at together (Bit Twiddling Hacks, "Determine if a word has a byte less
/// than n").
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let below_space = word.wrapping_sub(ONES * 0x20) & !word;
        let special = below_space
            | zeros(word ^ (ONES * u64::from(b'"')))
            | zeros(word ^ (ONES * u64::from(b'\\')))
            | word;
        // A borrow may mark a byte after the first special one, and none before it.
        if special & HIGHS != 0 {
            return index * 8 + (special & HIGHS).trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &&u8| matches!(byte, 0x20..=0x7f) && !matches!(byte, b'"' | b'\\');
    words.len() * 8 + tail.iter().take_while(is_plain).count()
}

/// What follows a character of several bytes. `None` if it is not whole.
fn character(bytes: &[u8]) -> Result<Option<&[u8]>, AnswerFault> {
    let start = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    let length = match std::str::from_utf8(start) {
        Ok(text) => text.chars().next().map_or(0, char::len_utf8),
        Err(error) if error.valid_up_to() > 0 => {
            let valid = start.get(..error.valid_up_to()).unwrap_or_default();
            let text = std::str::from_utf8(valid).unwrap_or_default();
            text.chars().next().map_or(0, char::len_utf8)
        }
        Err(error) if error.error_len().is_none() && bytes.len() < 4 => return Ok(None),
        Err(_) => return Err(AnswerFault::Json),
    };
    Ok(bytes.get(length..))
}

/// What follows an escape in a string. `None` if it is not whole.
fn escape(bytes: &[u8]) -> Result<Option<&[u8]>, AnswerFault> {
    match bytes {
        [_, b'u', hex @ ..] => {
            let Some((hex, after)) = hex.split_first_chunk::<4>() else { return Ok(None) };
            // Half a pair of surrogates is no character, and members write no pairs.
            let is_surrogate =
                matches!(hex, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
            let is_hex = hex.iter().all(u8::is_ascii_hexdigit);
            if is_hex && !is_surrogate { Ok(Some(after)) } else { Err(AnswerFault::Json) }
        }
        [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', after @ ..] => Ok(Some(after)),
        [_] => Ok(None),
        _ => Err(AnswerFault::Json),
    }
}

/// What is before and after a place in some bytes.
type Split<'b> = (&'b [u8], &'b [u8]);

/// The first bytes that belong to a word, and what follows them. `None` while more may belong to
/// it.
#[inline]
fn word(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> Result<Option<Split<'_>>, AnswerFault> {
    let length = bytes.iter().take_while(|byte| belongs(**byte)).count();
    match bytes.split_at_checked(length) {
        Some(_) if length > MAX_WORD => Err(AnswerFault::Json),
        Some((_, [])) | None => Ok(None),
        Some(split) => Ok(Some(split)),
    }
}

#[cfg(test)]
#[path = "answer_json_tests.rs"]
mod tests;
