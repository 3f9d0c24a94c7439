//! Prints the members' lines.

use memberd_control::grep::GrepRequest;

use super::control_chars::Escaper;
use super::fleet_options::Presentation;
use super::limit::{Limit, line_end};
use crate::exit::Failure;
use crate::output::{Output, Pipe};

/// Prints the members' lines. With context, a separator stands between the lines of two members.
pub(super) struct Printer {
    output: Output,
    separator: Option<Vec<u8>>,
    last: Option<String>,
    /// Shows control characters, if they must not go out as they are.
    escaper: Option<Escaper>,
    /// The pipe to which lines go without a copy, if nothing is added, changed or counted.
    pipe: Option<Pipe>,
    limit: Option<Limit>,
}

impl Printer {
    /// A printer for the answers to this request.
    pub(super) fn new(request: &GrepRequest, presentation: Presentation) -> Printer {
        let output = Output::new();
        let separator = request.printing.separator();
        let are_escaped = presentation.control_chars.are_escaped(output.is_terminal());
        let limit = presentation.limit.map(|lines| Limit::new(lines, line_end(request)));
        let is_plain = separator.is_none() && !are_escaped && limit.is_none();
        let pipe = output.wide_pipe().filter(|_| is_plain);
        let escaper = are_escaped.then(|| Escaper::new(request));
        Printer { output, separator, last: None, escaper, pipe, limit }
    }

    /// Whether as many lines were printed as `--limit` allows.
    pub(super) fn is_full(&self) -> bool {
        self.limit.as_ref().is_some_and(Limit::is_reached)
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
            let separator = self.limit.as_mut().map_or(&separator[..], |l| l.take(separator));
            self.output.bytes(separator)?;
        }
        if self.last.as_deref() != Some(member) {
            self.last = Some(member.to_owned());
        }
        let bytes = self.limit.as_mut().map_or(bytes, |limit| limit.take(bytes));
        Printer::write(&mut self.output, &mut self.escaper, bytes)
    }

    /// Prints a line that no limit counts, and flushes.
    pub(super) fn print_last(&mut self, line: &str) -> Result<(), Failure> {
        Printer::write(&mut self.output, &mut self.escaper, format!("{line}\n").as_bytes())
    }

    fn write(
        output: &mut Output,
        escaper: &mut Option<Escaper>,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        match escaper {
            Some(escaper) => output.bytes(&escaper.escape(bytes))?,
            None => output.bytes(bytes)?,
        }
        output.flush()
    }
}
