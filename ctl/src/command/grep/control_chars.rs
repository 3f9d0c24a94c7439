//! Shows control characters of lines and names instead of sending them to a terminal. Those who
//! write logs would otherwise write to the screen of whoever reads them. It owns the end of the
//! last piece, when that is not a whole character.

use memberd_control::grep::{GrepCharacters, GrepColors, GrepRequest};

use crate::format::is_control;

/// `--control-chars`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ControlChars {
    /// They are escaped on a terminal, and stay as they are elsewhere.
    #[default]
    Auto,
    /// They stay as they are.
    Raw,
    /// They are escaped.
    Escape,
}

impl ControlChars {
    /// The values of the option.
    pub(super) const VALUES: [&str; 3] = ["auto", "raw", "escape"];

    /// Parses the option's value.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn parse(value: &str) -> Result<ControlChars, String> {
        match value {
            "auto" => Ok(ControlChars::Auto),
            "raw" => Ok(ControlChars::Raw),
            "escape" => Ok(ControlChars::Escape),
            _ => Err(format!(
                "invalid argument '{value}' for '--control-chars': auto, raw or escape"
            )),
        }
    }

    /// Whether they are escaped, on a terminal or elsewhere.
    pub(super) fn are_escaped(self, is_terminal: bool) -> bool {
        match self {
            ControlChars::Auto => is_terminal,
            ControlChars::Raw => false,
            ControlChars::Escape => true,
        }
    }
}

/// Escapes control characters in the output of one grep, each of its bytes as `\x1b`. In JSON the
/// character is escaped, as `\u009b`.
///
/// Newlines, tabs and NUL bytes stay, and so does the carriage return at a line's end. The colors
/// that were asked for stay, too.
#[derive(Debug)]
pub(super) struct Escaper {
    /// The sequences of the colors that were asked for.
    colors: Vec<Vec<u8>>,
    is_json: bool,
    is_utf8: bool,
    held: Vec<u8>,
}

/// What output begins with.
enum First {
    /// So many bytes that stay.
    Plain(usize),
    /// So many bytes that are escaped.
    Control(usize),
    /// Something that is not whole.
    Incomplete,
}

impl Escaper {
    /// An escaper for the answers to this request.
    pub(super) fn new(request: &GrepRequest) -> Escaper {
        Escaper {
            colors: request.printing.colors.as_ref().map(sequences).unwrap_or_default(),
            is_json: request.printing.json,
            is_utf8: request.pattern.characters == GrepCharacters::Utf8,
            held: Vec::new(),
        }
    }

    /// The next bytes of the output, escaped. The end of a piece may wait for the next one.
    pub(super) fn escape(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut held = std::mem::take(&mut self.held);
        let mut rest = bytes;
        if !held.is_empty() {
            held.extend_from_slice(bytes);
            rest = &held;
        }
        let mut out = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let (length, is_plain) = match self.first(rest) {
                First::Plain(length) => (length, true),
                First::Control(length) => (length, false),
                First::Incomplete => {
                    self.held = rest.to_vec();
                    break;
                }
            };
            let (first, after) = rest.split_at_checked(length.max(1)).unwrap_or((rest, &[]));
            if is_plain {
                out.extend_from_slice(first);
            } else {
                self.push_escaped(first, &mut out);
            }
            rest = after;
        }
        out
    }

    fn first(&self, bytes: &[u8]) -> First {
        let is_plain = |byte: &u8| matches!(byte, 0 | b'\t' | b'\n' | b' '..=b'~');
        let plain = bytes.iter().take_while(|byte| is_plain(byte)).count();
        match bytes {
            _ if plain > 0 => First::Plain(plain),
            [0x1b, ..] => self.sequence(bytes),
            [b'\r'] => First::Incomplete,
            [b'\r', b'\n', ..] => First::Plain(1),
            [0..0x20 | 0x7f, ..] => First::Control(1),
            _ if self.is_utf8 => character(bytes),
            // In a locale of single bytes these are the control characters of ECMA-48.
            [0x80..0xa0, ..] => First::Control(1),
            _ => First::Plain(1),
        }
    }

    fn sequence(&self, bytes: &[u8]) -> First {
        match self.colors.iter().find(|color| bytes.starts_with(color)) {
            Some(color) => First::Plain(color.len()),
            None if self.colors.iter().any(|color| color.starts_with(bytes)) => First::Incomplete,
            None => First::Control(1),
        }
    }

    fn push_escaped(&self, bytes: &[u8], out: &mut Vec<u8>) {
        match std::str::from_utf8(bytes) {
            Ok(text) if self.is_json => text.chars().for_each(|character| {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }),
            _ => bytes
                .iter()
                .for_each(|byte| out.extend_from_slice(format!("\\x{byte:02x}").as_bytes())),
        }
    }
}

/// What text begins with whose first byte is not ASCII.
fn character(bytes: &[u8]) -> First {
    let start = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    let (valid, is_cut) = match std::str::from_utf8(start) {
        Ok(text) => (text, false),
        Err(error) => {
            let valid = start.get(..error.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(valid).unwrap_or_default(), error.error_len().is_none())
        }
    };
    match valid.chars().next() {
        Some(character) if is_control(character) => First::Control(character.len_utf8()),
        Some(character) => First::Plain(character.len_utf8()),
        None if is_cut && bytes.len() < 4 => First::Incomplete,
        // A terminal that does not speak UTF-8 would obey such a byte.
        None if matches!(bytes, [0x80..0xa0, ..]) => First::Control(1),
        None => First::Plain(1),
    }
}

/// All sequences with which these colors begin and end.
fn sequences(colors: &GrepColors) -> Vec<Vec<u8>> {
    let begins = [
        &colors.selected_match,
        &colors.context_match,
        &colors.selected_line,
        &colors.context_line,
        &colors.file_name,
        &colors.line_number,
        &colors.byte_offset,
        &colors.separator,
    ];
    let mut sequences: Vec<Vec<u8>> = Vec::new();
    for color in begins {
        let (mut begin, mut end) = (Vec::new(), Vec::new());
        colors.begin(color, &mut begin);
        colors.end(color, &mut end);
        sequences.extend([begin, end].into_iter().filter(|sequence| !sequence.is_empty()));
    }
    sequences.sort_unstable();
    sequences.dedup();
    sequences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaper(change: impl FnOnce(&mut GrepRequest)) -> Escaper {
        let mut request = GrepRequest::default();
        change(&mut request);
        Escaper::new(&request)
    }

    /// The text escaped at once, which pieces of every length must equal.
    fn escaped(text: &[u8], change: impl Fn(&mut GrepRequest)) -> String {
        let whole = escaper(&change).escape(text);
        for length in 1..text.len() {
            let mut escaper = escaper(&change);
            let pieces: Vec<u8> =
                text.chunks(length).flat_map(|piece| escaper.escape(piece)).collect();
            assert_eq!(pieces, whole, "{length}: {}", text.escape_ascii());
        }
        String::from_utf8_lossy(&whole).into_owned()
    }

    fn plain(text: &[u8]) -> String {
        escaped(text, |_| ())
    }

    #[test]
    fn control_characters_are_shown_and_text_stays() {
        assert_eq!(plain("vm1:/a:ä €\t\u{1f600}\0\r\n".as_bytes()), "vm1:/a:ä €\t\u{1f600}\0\r\n");
        assert_eq!(
            plain(b"\x1b[2J\x07\x08\x7f\rvm2:\r\r\n"),
            "\\x1b[2J\\x07\\x08\\x7f\\x0dvm2:\\x0d\r\n"
        );
        assert_eq!(plain("\u{9b}2J \u{202e}x\n".as_bytes()), "\\xc2\\x9b2J \\xe2\\x80\\xaex\n");
        assert_eq!(plain(b"\x9b2J\xc3 \n").replace('\u{fffd}', "?"), "\\x9b2J? \n");
    }

    #[test]
    fn in_a_locale_of_bytes_each_byte_counts() {
        let bytes = |request: &mut GrepRequest| {
            request.pattern.characters = GrepCharacters::Bytes;
        };
        assert_eq!(escaped("\u{db}\n".as_bytes(), bytes), "\u{fffd}\\x9b\n");
    }

    #[test]
    fn the_colors_that_were_asked_for_stay() {
        let colors = |request: &mut GrepRequest| {
            request.printing.colors = Some(GrepColors::default());
        };
        let line = b"\x1b[35m\x1b[Kvm1:/a\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[K";
        let text = [&line[..], b"\x1b[01;31m\x1b[Kx\x1b[m\x1b[K\x1b[31mred\x1b[0m\r\n"].concat();
        let shown = [&line[..], b"\x1b[01;31m\x1b[Kx\x1b[m\x1b[K\\x1b[31mred\\x1b[0m\r\n"].concat();
        assert_eq!(escaped(&text, colors).as_bytes(), shown);
        assert_eq!(plain(b"\x1b[m\x1b[K\n"), "\\x1b[m\\x1b[K\n");
    }

    #[test]
    fn json_is_escaped_as_json() {
        let json = |request: &mut GrepRequest| request.printing.json = true;
        assert_eq!(
            escaped("{\"a\":\"\u{9b}\u{7f}\"}\n".as_bytes(), json),
            "{\"a\":\"\\u009b\\u007f\"}\n"
        );
    }

    #[test]
    fn the_option_says_where() {
        let (auto, raw) =
            (ControlChars::parse("auto").unwrap(), ControlChars::parse("raw").unwrap());
        assert!(auto.are_escaped(true) && !auto.are_escaped(false) && !raw.are_escaped(true));
        assert!(ControlChars::parse("escape").unwrap().are_escaped(false));
        for value in ControlChars::VALUES {
            ControlChars::parse(value).unwrap();
        }
        assert!(ControlChars::parse("x").unwrap_err().contains("'--control-chars'"));
    }
}
