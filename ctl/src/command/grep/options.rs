//! What grep's options ask for: later ones override earlier ones where GNU grep 3.8 says so.

use std::ffi::OsString;

use jiff::Zoned;
use memberd_control::grep::{GrepColors, GrepPrint, GrepRequest, GrepSyntax};

use super::getopt::{self, Flag, Piece};
use super::ours::{Ours, View};

/// A command line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `--help`
    Help,
    /// `--version`
    Version,
    /// A search, and what is made of its answers.
    Search(Box<GrepRequest>, View),
}

/// Understands a command line. `terminal` says whether colour is wanted where it is left to us.
///
/// # Errors
/// What is wrong, in grep's words.
pub(super) fn parse(arguments: &[OsString], terminal: bool) -> Result<Command, String> {
    let mut options = Options { terminal, ..Options::default() };
    for piece in getopt::pieces(in_utf8(arguments)?)? {
        options.take(piece)?;
    }
    options.command()
}

fn in_utf8(arguments: &[OsString]) -> Result<Vec<String>, String> {
    arguments
        .iter()
        .map(|argument| argument.to_str().map(str::to_owned).ok_or_else(|| format!("{}: not valid UTF-8", argument.display())))
        .collect()
}

/// What was read so far.
#[derive(Debug, Default)]
struct Options {
    request: GrepRequest,
    terminal: bool,
    help: bool,
    version: bool,
    patterns: Option<Vec<Vec<u8>>>,
    operands: Vec<String>,
    quiet: bool,
    names_of_files: Option<GrepPrint>,
    count: bool,
    only_matching: bool,
    before: Option<u32>,
    after: Option<u32>,
    around: Option<u32>,
    ours: Ours,
}

impl Options {
    fn take(&mut self, piece: Piece) -> Result<(), String> {
        match piece {
            Piece::Operand(operand) => self.operands.push(operand),
            Piece::Digits(digits) => self.around = Some(context(&digits)?),
            Piece::Option(Flag::Unsupported, written, _) => {
                return Err(format!("option '{written}' is not supported by memberctl"));
            }
            Piece::Option(Flag::Ours(option), _, value) => self.ours.take(option, value)?,
            Piece::Option(flag, _, Some(value)) => self.take_value(flag, &value)?,
            Piece::Option(flag, _, None) => self.take_flag(flag),
        }
        Ok(())
    }

    fn take_flag(&mut self, flag: Flag) {
        let GrepRequest { pattern, printing, .. } = &mut self.request;
        match flag {
            Flag::Basic => pattern.syntax = GrepSyntax::Basic,
            Flag::Extended => pattern.syntax = GrepSyntax::Extended,
            Flag::Fixed => pattern.syntax = GrepSyntax::Fixed,
            Flag::Color => printing.colors = self.terminal.then(GrepColors::default),
            Flag::Count => self.count = true,
            Flag::FilesWithMatch => self.names_of_files = Some(GrepPrint::FilesWithMatch),
            Flag::FilesWithoutMatch => self.names_of_files = Some(GrepPrint::FilesWithoutMatch),
            Flag::IgnoreCase => pattern.ignore_case = true,
            Flag::NoIgnoreCase => pattern.ignore_case = false,
            Flag::LineNumber => printing.line_numbers = true,
            Flag::WholeLines => pattern.whole_lines = true,
            Flag::NoNames => printing.no_names = true,
            Flag::Names => printing.no_names = false,
            Flag::NoMessages => printing.no_messages = true,
            Flag::OnlyMatching => self.only_matching = true,
            Flag::Quiet => self.quiet = true,
            Flag::Invert => pattern.invert = true,
            Flag::Words => pattern.words = true,
            Flag::Help => self.help = true,
            Flag::Version => self.version = true,
            // The first holds anyway, the next two were seen to before, the others never come without a value.
            Flag::Granted
            | Flag::Unsupported
            | Flag::Ours(_)
            | Flag::After
            | Flag::Before
            | Flag::Context
            | Flag::MaxCount
            | Flag::Pattern => {}
        }
    }

    fn take_value(&mut self, flag: Flag, value: &str) -> Result<(), String> {
        match flag {
            Flag::After => self.after = Some(context(value)?),
            Flag::Before => self.before = Some(context(value)?),
            Flag::Context => self.around = Some(context(value)?),
            Flag::MaxCount => {
                let count = number(value).ok_or("invalid max count")?;
                // GNU grep takes a negative count for no limit.
                self.request.printing.max_count = u64::try_from(count).ok();
            }
            Flag::Color => self.request.printing.colors = color(value, self.terminal)?.then(GrepColors::default),
            Flag::Pattern => self.patterns.get_or_insert_default().extend(lines(value)),
            _ => {}
        }
        Ok(())
    }

    fn command(mut self) -> Result<Command, String> {
        if self.help {
            return Ok(Command::Help);
        }
        if self.version {
            return Ok(Command::Version);
        }
        let mut operands = self.operands.into_iter();
        self.request.pattern.patterns = match self.patterns {
            Some(patterns) => patterns,
            None => lines(&operands.next().ok_or("no PATTERN was given")?).collect(),
        };
        self.request.files.globs = operands.collect();
        self.request.printing.what = match self.names_of_files {
            _ if self.quiet => GrepPrint::Nothing,
            Some(print) => print,
            None if self.count => GrepPrint::Count,
            None if self.only_matching => GrepPrint::Matches,
            None => GrepPrint::Lines,
        };
        self.request.printing.before_context = self.before.or(self.around);
        self.request.printing.after_context = self.after.or(self.around);
        let view = self.ours.apply(&mut self.request, &Zoned::now())?;
        Ok(Command::Search(Box::new(self.request), view))
    }
}

/// The patterns in a text, one a line.
fn lines(text: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    text.split('\n').map(|line| line.as_bytes().to_vec())
}

/// `--color=WHEN`, with all the words that GNU grep knows.
fn color(when: &str, terminal: bool) -> Result<bool, String> {
    match when {
        "always" | "yes" | "force" => Ok(true),
        "never" | "no" | "none" => Ok(false),
        "auto" | "tty" | "if-tty" => Ok(terminal),
        _ => Err(format!("invalid argument '{when}' for '--color'")),
    }
}

/// A number of lines around a match. One too large for its type means all there are.
fn context(text: &str) -> Result<u32, String> {
    number(text)
        .filter(|lines| *lines >= 0)
        .map(|lines| u32::try_from(lines).unwrap_or(u32::MAX))
        .ok_or_else(|| format!("{text}: invalid context length argument"))
}

/// A number as strtoimax(3) takes it, without anything after it; what is out of range becomes the nearest there is.
fn number(text: &str) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { -size } else { size })
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
