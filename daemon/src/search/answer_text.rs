//! Checks a member's text: every line begins with its own name and a file. It owns whether the text
//! ended within a line.
//!
//! A line is only looked at where it begins, and its end is found. So the check costs little beside
//! the network. What is not whole at the end of a piece waits for the next piece.

use super::answer_fault::{AnswerFault, MAX_ANSWERED_FILES};
use memberd_control::grep::{GrepPrint, GrepPrinting, GrepRequest};

/// The longest name, and the longest count, in bytes. A path has 4,096 bytes at most (path_max),
/// and each of them takes four bytes if it is escaped.
const MAX_HEAD: usize = 32 * 1024;

/// The text of one member's answer.
#[derive(Debug)]
pub(super) struct AnswerText {
    /// The ways in which a line may begin: the member's name, and the first bytes of a file. Empty
    /// if lines have no names.
    heads: Vec<Vec<u8>>,
    /// The line between groups of lines, where the member writes it.
    separator: Option<Vec<u8>>,
    what: GrepPrint,
    line_end: u8,
    /// What follows the file in a count, in its color. `None` for a NUL byte.
    colon: Option<Vec<u8>>,
    null_after_names: bool,
    is_in_line: bool,
    /// The counts or names so far.
    files: usize,
}

/// How a text begins.
enum Begin<'b> {
    /// With the head of a line. The rest of the line follows.
    Line(&'b [u8]),
    /// With something whole, which this follows.
    Whole(&'b [u8]),
    /// With something that is not whole.
    Incomplete,
}

impl AnswerText {
    /// The text that `member` answers this request with. The text has not begun.
    pub(super) fn new(member: &str, request: &GrepRequest) -> Self {
        let printing = &request.printing;
        let has_names = !printing.no_names
            || matches!(printing.what, GrepPrint::FilesWithMatch | GrepPrint::FilesWithoutMatch);
        let separator = printing.separator().filter(|_| !printing.by_time);
        AnswerText {
            heads: if has_names { heads(member, request) } else { Vec::new() },
            separator,
            what: printing.what,
            line_end: request.pattern.line_end(),
            colon: (!printing.null_after_names).then(|| colon(printing)),
            null_after_names: printing.null_after_names,
            is_in_line: false,
            files: 0,
        }
    }

    /// Whether the text ended within a line.
    pub(super) fn is_in_line(&self) -> bool {
        self.is_in_line
    }

    /// The bytes that end the line in which the text ended.
    pub(super) fn closing(&self) -> Vec<u8> {
        if self.is_in_line { vec![self.line_end] } else { Vec::new() }
    }

    /// Checks the next bytes of the text. Returns how many of them are checked. The others are not
    /// enough to tell, and must come again with what follows them.
    pub(super) fn check(&mut self, bytes: &[u8]) -> Result<usize, AnswerFault> {
        let mut rest = bytes;
        loop {
            if self.is_in_line {
                let Some(end) = memchr::memchr(self.line_end, rest) else { return Ok(bytes.len()) };
                rest = rest.get(end + 1..).unwrap_or_default();
                self.is_in_line = false;
            }
            match self.begin(rest)? {
                Begin::Line(after) => (rest, self.is_in_line) = (after, true),
                Begin::Whole(after) => rest = after,
                Begin::Incomplete if rest.len() > MAX_HEAD => return Err(AnswerFault::Name),
                Begin::Incomplete => return Ok(bytes.len() - rest.len()),
            }
        }
    }

    /// Looks at the beginning of a line.
    fn begin<'b>(&mut self, bytes: &'b [u8]) -> Result<Begin<'b>, AnswerFault> {
        if bytes.is_empty() {
            return Ok(Begin::Incomplete);
        }
        let separated = || self.separator.as_ref().and_then(|line| bytes.strip_prefix(&line[..]));
        let after = if self.heads.is_empty() {
            if let Some(after) = separated() {
                return Ok(Begin::Whole(after));
            }
            bytes
        } else {
            match self.heads.iter().find_map(|head| bytes.strip_prefix(&head[..])) {
                Some(after) => after,
                None => {
                    return match separated() {
                        Some(after) => Ok(Begin::Whole(after)),
                        None if self.may_begin(bytes) => Ok(Begin::Incomplete),
                        None => Err(AnswerFault::Name),
                    };
                }
            }
        };
        match self.what {
            GrepPrint::Lines | GrepPrint::Matches => Ok(self.line(after)),
            GrepPrint::Count => self.count(after),
            GrepPrint::FilesWithMatch | GrepPrint::FilesWithoutMatch => self.name(after),
            GrepPrint::Nothing => Err(AnswerFault::Unasked),
        }
    }

    /// Whether a line may begin so, if more follows.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        self.heads.iter().chain(&self.separator).any(|begin| begin.starts_with(bytes))
    }

    /// A line, after its head.
    fn line<'b>(&self, after: &'b [u8]) -> Begin<'b> {
        if !self.null_after_names || self.heads.is_empty() {
            return Begin::Line(after);
        }
        match split(after, 0) {
            Some((_, text)) => Begin::Line(text),
            None => Begin::Incomplete,
        }
    }

    /// A count, after its head.
    fn count<'b>(&mut self, after: &'b [u8]) -> Result<Begin<'b>, AnswerFault> {
        let is_named = !self.heads.is_empty();
        let after = match &self.colon {
            None if is_named => match split(after, 0) {
                Some((_, after)) => after,
                None => return Ok(Begin::Incomplete),
            },
            _ => after,
        };
        let Some((count, rest)) = split(after, b'\n') else { return Ok(Begin::Incomplete) };
        let digits = match &self.colon {
            Some(colon) if is_named => {
                let digits = count.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
                let (name, digits) = count.split_at(count.len() - digits);
                if !name.ends_with(colon) {
                    return Err(AnswerFault::Count);
                }
                digits
            }
            _ => count,
        };
        let is_number = digits.iter().all(u8::is_ascii_digit)
            && std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<u64>().is_ok());
        if !is_number {
            return Err(AnswerFault::Count);
        }
        self.note_file()?;
        Ok(Begin::Whole(rest))
    }

    /// A file's name, after its head.
    fn name<'b>(&mut self, after: &'b [u8]) -> Result<Begin<'b>, AnswerFault> {
        let end = if self.null_after_names { 0 } else { b'\n' };
        let Some((_, rest)) = split(after, end) else { return Ok(Begin::Incomplete) };
        self.note_file()?;
        Ok(Begin::Whole(rest))
    }

    fn note_file(&mut self) -> Result<(), AnswerFault> {
        self.files += 1;
        if self.files > MAX_ANSWERED_FILES { Err(AnswerFault::Files) } else { Ok(()) }
    }
}

/// What is before and after the first such byte.
fn split(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(memchr::memchr(byte, bytes)?)?;
    Some((before, after.get(1..)?))
}

/// How the name of a member begins in its lines, with the first bytes of a file. Older members do
/// not align names.
fn heads(member: &str, request: &GrepRequest) -> Vec<Vec<u8>> {
    let printing = &request.printing;
    let missing = usize::from(printing.name_width.unwrap_or(0)).saturating_sub(member.len());
    let file = first_of_file(request);
    let with = |spaces: usize| {
        let mut head = Vec::new();
        if let Some(colors) = &printing.colors {
            colors.begin(&colors.file_name, &mut head);
        }
        [&head, member.as_bytes(), b":", " ".repeat(spaces).as_bytes(), file].concat()
    };
    let mut heads = vec![with(missing), with(0)];
    heads.dedup();
    heads
}

/// How every file begins: its path is absolute, and the journal is one file.
pub(super) fn first_of_file(request: &GrepRequest) -> &'static [u8] {
    if request.files.journal.is_some() { b"journal" } else { b"/" }
}

/// The colon before a count.
fn colon(printing: &GrepPrinting) -> Vec<u8> {
    let mut colon = Vec::new();
    match &printing.colors {
        Some(colors) => colors.paint(&colors.separator, b":", &mut colon),
        None => colon.push(b':'),
    }
    colon
}

#[cfg(test)]
#[path = "answer_text_tests.rs"]
mod tests;
