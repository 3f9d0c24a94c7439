//! Text in color, with the escape sequences that GNU grep writes for `GREP_COLORS`.

use memberd_control::grep::{GrepColors, Sgr};

/// Appends `text`, in the color that `which` picks if there are colors.
pub(crate) fn write(
    colors: Option<&GrepColors>,
    which: impl Fn(&GrepColors) -> &Sgr,
    text: &[u8],
    out: &mut Vec<u8>,
) {
    match colors {
        Some(colors) => colors.paint(which(colors), text, out),
        None => out.extend_from_slice(text),
    }
}
