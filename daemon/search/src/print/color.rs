//! The colours of GNU grep's `GREP_COLORS`, written as it writes them.

/// The numbers of a terminal's "select graphic rendition" sequence, such as `01;31`; empty for no
/// colour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sgr(String);

impl Sgr {
    /// The most characters that one may have.
    pub const MAX_LENGTH: usize = 64;

    /// None but for digits and semicolons, so that nothing else can reach the terminal, up to
    /// [`Sgr::MAX_LENGTH`] of them.
    pub fn new(numbers: &str) -> Option<Sgr> {
        let plain = numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
        (plain && numbers.len() <= Sgr::MAX_LENGTH).then(|| Sgr(numbers.to_owned()))
    }

    /// Whether it is no colour.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

/// Which colour for what; grep(1) explains each under `GREP_COLORS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colors {
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

impl Default for Colors {
    /// As grep(1) has them when `GREP_COLORS` is not set.
    fn default() -> Colors {
        let sgr = |numbers: &str| Sgr(numbers.to_owned());
        Colors {
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

impl Colors {
    /// Whether matches have a colour, in any line.
    pub(crate) fn show_matches(&self) -> bool {
        !(self.selected_match.is_none() && self.context_match.is_none())
    }

    /// Appends what begins a colour.
    pub(crate) fn begin(&self, color: &Sgr, out: &mut Vec<u8>) {
        if !color.is_none() {
            out.extend_from_slice(b"\x1b[");
            out.extend_from_slice(color.0.as_bytes());
            out.extend_from_slice(if self.no_erase { b"m" } else { b"m\x1b[K" });
        }
    }

    /// Appends what ends it.
    pub(crate) fn end(&self, color: &Sgr, out: &mut Vec<u8>) {
        if !color.is_none() {
            out.extend_from_slice(if self.no_erase { b"\x1b[m" } else { b"\x1b[m\x1b[K" });
        }
    }
}

/// Appends `text`, in the colour that `which` picks if there are colours.
pub(crate) fn write(
    colors: Option<&Colors>,
    which: impl Fn(&Colors) -> &Sgr,
    text: &[u8],
    out: &mut Vec<u8>,
) {
    match colors {
        Some(colors) => {
            colors.begin(which(colors), out);
            out.extend_from_slice(text);
            colors.end(which(colors), out);
        }
        None => out.extend_from_slice(text),
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

    #[test]
    fn no_colour_writes_no_sequence() {
        let colors = Colors { file_name: Sgr::default(), no_erase: true, ..Colors::default() };
        let mut out = Vec::new();
        write(Some(&colors), |colors| &colors.file_name, b"f", &mut out);
        write(Some(&colors), |colors| &colors.separator, b":", &mut out);
        assert_eq!(out, b"f\x1b[36m:\x1b[m");
    }
}
