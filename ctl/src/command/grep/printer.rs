//! Prints the members' lines.

use memberd_control::grep::GrepRequest;

use super::control_chars::{ControlChars, Escaper};
use crate::exit::Failure;
use crate::output::{Output, Pipe};

/// Prints the members' lines. With context, a separator stands between the lines of two members.
pub(super) struct Printer {
    output: Output,
    separator: Option<Vec<u8>>,
    last: Option<String>,
    /// Shows control characters, if they must not go out as they are.
    escaper: Option<Escaper>,
    /// The pipe to which lines go without a copy, if nothing is added or changed.
    pipe: Option<Pipe>,
}

impl Printer {
    /// A printer for the answers to this request.
    pub(super) fn new(request: &GrepRequest, control_chars: ControlChars) -> Printer {
        let output = Output::new();
        let separator = request.printing.separator();
        let are_escaped = control_chars.are_escaped(output.is_terminal());
        let pipe = output.wide_pipe().filter(|_| separator.is_none() && !are_escaped);
        let escaper = are_escaped.then(|| Escaper::new(request));
        Printer { output, separator, last: None, escaper, pipe }
    }

    /// The pipe to which lines can go without a copy, if there is one.
    pub(super) fn pipe(&mut self) -> Option<&mut Pipe> {
        self.pipe.as_mut()
    }

    /// Prints lines of a member, and flushes.
    pub(super) fn print(&mut self, member: &str, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(separator) = &self.separator
            && self.last.as_ref().is_some_and(|last| last != member)
            // The member's output begins with a separator if it continues with another group.
            && !bytes.starts_with(separator)
        {
            self.output.bytes(separator)?;
        }
        if self.last.as_deref() != Some(member) {
            self.last = Some(member.to_owned());
        }
        match &mut self.escaper {
            Some(escaper) => self.output.bytes(&escaper.escape(bytes))?,
            None => self.output.bytes(bytes)?,
        }
        self.output.flush()
    }
}
