//! The colours of GNU grep's defaults (GREP_COLORS: `ms=01;31:mc=01;31:fn=35:ln=32:se=36`), written as it writes them.

/// What is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Matching text.
    Match,
    /// The name of the machine and the file.
    FileName,
    /// A line's number.
    LineNumber,
    /// `:`, `-` and `--`.
    Separator,
}

impl Ink {
    fn start(self) -> &'static [u8] {
        match self {
            Ink::Match => b"\x1b[01;31m\x1b[K",
            Ink::FileName => b"\x1b[35m\x1b[K",
            Ink::LineNumber => b"\x1b[32m\x1b[K",
            Ink::Separator => b"\x1b[36m\x1b[K",
        }
    }
}

/// Appends `text`, coloured if `color`.
pub(crate) fn write(out: &mut Vec<u8>, color: bool, ink: Ink, text: &[u8]) {
    if color {
        out.extend_from_slice(ink.start());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\x1b[m\x1b[K");
    } else {
        out.extend_from_slice(text);
    }
}
