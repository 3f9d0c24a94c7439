//! Passes the members' lines on.

use memberd_control::grep::GrepRequest;

use crate::exit::Failure;
use crate::output::{Output, Pipe};

/// Passes the members' lines on, with a separator where the output goes over from one to another
/// among context.
pub(super) struct Printer {
    output: Output,
    separator: Option<Vec<u8>>,
    last: Option<String>,
    /// If lines need not be looked at, where they go without a copy.
    pipe: Option<Pipe>,
}

impl Printer {
    /// A printer for the answers to this request.
    pub(super) fn new(request: &GrepRequest) -> Printer {
        let output = Output::new();
        let separator = request.printing.separator();
        let pipe = output.wide_pipe().filter(|_| separator.is_none());
        Printer { output, separator, last: None, pipe }
    }

    /// Where lines go that need not be looked at, if that is a pipe.
    pub(super) fn pipe(&mut self) -> Option<&mut Pipe> {
        self.pipe.as_mut()
    }

    /// Prints and sends off what a member found.
    pub(super) fn print(&mut self, member: &str, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(separator) = &self.separator
            && self.last.as_ref().is_some_and(|last| last != member)
            // It goes on with another group.
            && !bytes.starts_with(separator)
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
