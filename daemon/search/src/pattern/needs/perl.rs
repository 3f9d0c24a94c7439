//! Writes a Perl pattern as an expression of the `regex` crates that matches all that it matches,
//! and perhaps more. What only looks around stands for nothing, and what refers back for anything.
//! A pattern with other things than those below has no expression.

use regex_syntax::hir::Hir;

use crate::pattern::patterns::Settings;
use memberd_control::grep::GrepCharacters;

/// How deep groups may nest.
const NEST_LIMIT: u32 = 200;

/// Any character, and any text.
const ANY: &str = r"[\s\S]";
const ANYTHING: &str = r"[\s\S]*";

/// The tree of such an expression.
pub(super) fn hir(pattern: &[u8], settings: Settings) -> Option<Hir> {
    let pattern = std::str::from_utf8(pattern).ok()?;
    let (ignore_case, pattern) = match pattern.strip_prefix("(?i)") {
        Some(rest) => (true, rest),
        None => (settings.ignore_case, pattern),
    };
    let utf8 = settings.characters == GrepCharacters::Utf8;
    // Without UTF-8 a repetition of such a character is one of its last byte. And PCRE2's cases may
    // be those of another version of Unicode.
    if !pattern.is_ascii() && (!utf8 || ignore_case) {
        return None;
    }
    let mut writer = Writer { rest: pattern, out: String::new() };
    while !writer.rest.is_empty() {
        writer.step()?;
    }
    let (before, after) = match settings {
        Settings { whole_lines: true, .. } => ("^(?:", ")$"),
        Settings { words: true, .. } => (r"\b{start-half}(?:", r")\b{end-half}"),
        _ => ("", ""),
    };
    regex_syntax::ParserBuilder::new()
        .multi_line(true)
        .utf8(false)
        .unicode(utf8)
        .case_insensitive(ignore_case)
        .nest_limit(NEST_LIMIT)
        .build()
        .parse(&format!("{before}{}{after}", writer.out))
        .ok()
}

struct Writer<'p> {
    rest: &'p str,
    out: String,
}

impl Writer<'_> {
    /// Takes what comes next. None if it is not known.
    fn step(&mut self) -> Option<()> {
        let character = self.rest.chars().next()?;
        match character {
            '\\' => return self.escape(),
            '[' => return self.class(),
            '(' => return self.group(),
            '{' => return self.brace(),
            '*' | '+' | '?' => return self.repetition(1),
            '.' | '^' | '$' | '|' | ')' => self.out.push(character),
            character => self.literal(character),
        }
        self.skip(character.len_utf8())
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn literal(&mut self, character: char) {
        if regex_syntax::is_meta_character(character) {
            self.out.push('\\');
        }
        self.out.push(character);
    }

    fn escape(&mut self) -> Option<()> {
        let escaped = self.rest.chars().nth(1)?;
        match escaped {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'h' | 'H' | 'v' | 'V' => self.out.push_str(ANY),
            'R' | 'X' => self.out.push_str(ANYTHING),
            'b' => self.out.push_str(r"\b"),
            'B' | 'A' | 'z' | 'Z' | 'G' | 'K' => self.out.push_str("(?:)"),
            't' => self.out.push_str(r"\t"),
            '0'..='9' => {
                // A group or a character.
                let digits = self.rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
                self.out.push_str(ANYTHING);
                return self.skip(1 + digits);
            }
            letter if letter.is_ascii_alphanumeric() => return None,
            other => self.literal(other),
        }
        self.skip(1 + escaped.len_utf8())
    }

    /// A set of characters. Those of a simple one matter.
    fn class(&mut self) -> Option<()> {
        let bytes = self.rest.as_bytes();
        let mut at = 1 + usize::from(bytes.get(1) == Some(&b'^'));
        let start = at;
        // The first `]` is a character.
        at += usize::from(bytes.get(at) == Some(&b']'));
        loop {
            match (*bytes.get(at)?, bytes.get(at + 1)) {
                (b']', _) => break,
                (b'\\', Some(b'Q' | b'E')) => return None,
                (b'\\', _) => at += 2,
                (b'[', Some(b':' | b'.' | b'=')) => {
                    let name = bytes.get(at + 2..)?.iter();
                    at += 2 + name.take_while(|byte| matches!(byte, b'a'..=b'z' | b'^')).count();
                    // Without this end, it is a character, and the set may end before it.
                    if bytes.get(at..at + 2)? != b":]" {
                        return None;
                    }
                    at += 2;
                }
                _ => at += 1,
            }
        }
        let inside = self.rest.get(start..at)?;
        if start == 1 && is_simple(inside) {
            self.out.push_str(self.rest.get(..=at)?);
        } else {
            self.out.push_str(ANY);
        }
        self.skip(at + 1)
    }

    fn group(&mut self) -> Option<()> {
        let inside = self.rest.get(1..)?;
        let Some(kind) = inside.strip_prefix('?') else {
            if inside.starts_with('*') {
                return None;
            }
            self.out.push_str("(?:");
            return self.skip(1);
        };
        for look in ["=", "!", "<=", "<!"] {
            if kind.starts_with(look) {
                return self.look();
            }
        }
        let name = ["P<", "<", "'"].iter().find_map(|start| {
            let name = kind.strip_prefix(start)?;
            let length =
                name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            Some(start.len() + length.count() + 1)
        });
        let length = match (kind.bytes().next()?, name) {
            (b':' | b'>' | b'|', _) => 1,
            (_, Some(length)) if kind.get(..length)?.ends_with(['>', '\'']) => length,
            _ => return None,
        };
        self.out.push_str("(?:");
        self.skip(2 + length)
    }

    /// Leaves out a group that looks around.
    fn look(&mut self) -> Option<()> {
        let before = self.out.len();
        // Its inner groups are read, to find its end.
        let mut inner = Writer { rest: self.rest.get(2..)?, out: String::new() };
        inner.rest = inner.rest.trim_start_matches('<').get(1..)?;
        let mut depth = 1;
        while depth > 0 {
            match inner.rest.chars().next()? {
                ')' => depth -= 1,
                '(' if !is_look(inner.rest) => depth += 1,
                _ => {}
            }
            inner.step()?;
        }
        self.rest = self.rest.get(self.rest.len() - inner.rest.len()..)?;
        self.out.truncate(before);
        self.out.push_str("(?:)");
        Some(())
    }

    /// A repetition that is as long in the pattern, and what says how greedy it is.
    fn repetition(&mut self, bytes: usize) -> Option<()> {
        self.out.push_str(self.rest.get(..bytes)?);
        self.skip(bytes)?;
        if self.rest.starts_with(['?', '+']) {
            self.skip(1)?;
        }
        Some(())
    }

    fn brace(&mut self) -> Option<()> {
        let inside = self.rest.get(1..)?;
        if !inside.starts_with(|next: char| next.is_ascii_digit() || next == ',' || next == ' ') {
            self.literal('{');
            return self.skip(1);
        }
        let (bounds, _) = inside.split_once('}')?;
        let (least, most) = bounds.split_once(',').unwrap_or((bounds, "0"));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if least.is_empty() || !is_number(least) || !is_number(most) {
            return None;
        }
        self.repetition(bounds.len() + 2)
    }
}

fn is_look(rest: &str) -> bool {
    ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| rest.starts_with(look))
}

/// Whether the inside of a set means the same in both languages.
fn is_simple(inside: &str) -> bool {
    let bytes = inside.as_bytes();
    let alphanumeric =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'-' => alphanumeric(at.checked_sub(1)) && alphanumeric(Some(at + 1)),
        b' ' | b'_' | b'.' | b',' | b':' | b';' | b'/' | b'=' | b'@' | b'%' => true,
        byte => byte.is_ascii_alphanumeric(),
    }) && !inside.is_empty()
}
