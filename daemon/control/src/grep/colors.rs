//! The colours of GNU grep's `GREP_COLORS`, and the sequences that it writes for them.

use serde::{Deserialize, Serialize};

/// The numbers of a terminal's "select graphic rendition" sequence, such as `01;31`. They are empty
/// for no colour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sgr(String);

/// A text is not a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a colour is not made of a few digits and semicolons")]
pub struct NotAColor;

impl Sgr {
    /// The most characters of a colour.
    pub const MAX_LENGTH: usize = 64;

    /// Takes only digits and semicolons, up to [`Sgr::MAX_LENGTH`] of them. Nothing else can reach
    /// the terminal.
    pub fn new(numbers: &str) -> Option<Sgr> {
        Sgr::try_from(numbers.to_owned()).ok()
    }

    /// Whether there is no colour.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<String> for Sgr {
    type Error = NotAColor;

    fn try_from(numbers: String) -> Result<Sgr, NotAColor> {
        let is_plain = numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
        if is_plain && numbers.len() <= Sgr::MAX_LENGTH { Ok(Sgr(numbers)) } else { Err(NotAColor) }
    }
}

impl From<Sgr> for String {
    fn from(color: Sgr) -> String {
        color.0
    }
}

/// The colour of each part. grep(1) explains them under `GREP_COLORS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepColors {
    /// `ms`: matching text in a selected line.
    pub selected_match: Sgr,
    /// `mc`: matching text in a context line.
    pub context_match: Sgr,
    /// `sl`: whole selected lines.
    pub selected_line: Sgr,
    /// `cx`: whole context lines.
    pub context_line: Sgr,
    /// `fn`: the name of the machine and the file.
    pub file_name: Sgr,
    /// `ln`: line numbers.
    pub line_number: Sgr,
    /// `bn`: byte offsets.
    pub byte_offset: Sgr,
    /// `se`: `:`, `-` and `--`.
    pub separator: Sgr,
    /// `rv`: with `-v`, `sl` and `cx` change places.
    pub reverse: bool,
    /// `ne`: no "erase in line" after each sequence.
    pub no_erase: bool,
}

impl Default for GrepColors {
    /// The colours of grep(1) when `GREP_COLORS` is not set.
    fn default() -> Self {
        let sgr = |numbers: &str| Sgr(numbers.to_owned());
        GrepColors {
            selected_match: sgr("01;31"),
            context_match: sgr("01;31"),
            selected_line: Sgr::default(),
            context_line: Sgr::default(),
            file_name: sgr("35"),
            line_number: sgr("32"),
            byte_offset: sgr("32"),
            separator: sgr("36"),
            reverse: false,
            no_erase: false,
        }
    }
}

impl GrepColors {
    /// Whether matches have a colour, in any line.
    pub fn show_matches(&self) -> bool {
        !(self.selected_match.is_none() && self.context_match.is_none())
    }

    /// Appends the sequence that begins a colour.
    pub fn begin(&self, color: &Sgr, out: &mut Vec<u8>) {
        if !color.is_none() {
            out.extend_from_slice(b"\x1b[");
            out.extend_from_slice(color.0.as_bytes());
            out.extend_from_slice(if self.no_erase { b"m" } else { b"m\x1b[K" });
        }
    }

    /// Appends the sequence that ends it.
    pub fn end(&self, color: &Sgr, out: &mut Vec<u8>) {
        if !color.is_none() {
            out.extend_from_slice(if self.no_erase { b"\x1b[m" } else { b"\x1b[m\x1b[K" });
        }
    }

    /// Appends `text` in a colour.
    pub fn paint(&self, color: &Sgr, text: &[u8], out: &mut Vec<u8>) {
        self.begin(color, out);
        out.extend_from_slice(text);
        self.end(color, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_digits_and_semicolons_of_a_bounded_number() {
        assert!(Sgr::new("").is_some() && Sgr::new("01;38;5;208").is_some());
        for bad in ["1m", "\x1b[0m", "1 ", "red", &"1".repeat(65)] {
            assert_eq!(Sgr::new(bad), None, "{bad}");
        }
    }

    /// A request may come from another program than memberctl.
    #[test]
    fn nothing_but_colours_is_decoded_as_colours() {
        let decode = |text: &str| {
            let mut bytes = Vec::new();
            ciborium::into_writer(text, &mut bytes).unwrap();
            ciborium::from_reader::<Sgr, _>(bytes.as_slice()).map_err(|error| error.to_string())
        };
        assert_eq!(decode("01;31"), Ok(Sgr("01;31".to_owned())));
        let error = decode("1m\u{1b}[2J").unwrap_err();
        assert!(error.contains(&NotAColor.to_string()), "{error}");
    }

    #[test]
    fn no_colour_writes_no_sequence() {
        let colors =
            GrepColors { file_name: Sgr::default(), no_erase: true, ..GrepColors::default() };
        let mut out = Vec::new();
        colors.paint(&colors.file_name, b"f", &mut out);
        colors.paint(&colors.separator, b":", &mut out);
        assert_eq!(out, b"f\x1b[36m:\x1b[m");
    }
}
