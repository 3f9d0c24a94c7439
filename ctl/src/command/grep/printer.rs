//! Passes the members' lines on.

use memberd_control::grep::{GrepPrint, GrepPrinting, GrepRequest};

use crate::exit::Failure;
use crate::output::Output;

/// Passes the members' lines on, with a separator where the output goes over from one to another among context.
pub(super) struct Printer {
    output: Output,
    separator: Option<Vec<u8>>,
    last: Option<String>,
}

impl Printer {
    /// A printer for the answers to this request.
    pub(super) fn new(request: &GrepRequest) -> Printer {
        let printing = &request.printing;
        let lines = matches!(printing.what, GrepPrint::Lines | GrepPrint::Matches) && !printing.json;
        let separated = lines && printing.has_context();
        Printer { output: Output::new(), separator: separator(printing).filter(|_| separated), last: None }
    }

    /// Prints and sends off what a member found.
    pub(super) fn print(&mut self, member: &str, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(separator) = &self.separator
            && self.last.as_ref().is_some_and(|last| last != member)
        {
            self.output.bytes(separator)?;
        }
        if self.last.as_deref() != Some(member) {
            self.last = Some(member.to_owned());
        }
        self.output.bytes(bytes)?;
        self.output.flush()
    }
}

/// The line between groups of lines, in its colour; none with `--no-group-separator`.
fn separator(printing: &GrepPrinting) -> Option<Vec<u8>> {
    let text = printing.group_separator.as_deref()?;
    let line = match printing.colors.as_ref().filter(|colors| !colors.separator.is_empty()) {
        Some(colors) => {
            let erase: &[u8] = if colors.no_erase { b"" } else { b"\x1b[K" };
            [b"\x1b[", colors.separator.as_bytes(), b"m", erase, text, b"\x1b[m", erase, b"\n"].concat()
        }
        None => [text, b"\n"].concat(),
    };
    Some(line)
}
