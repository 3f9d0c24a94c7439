//! Turns grep's command line into a request. Later options override earlier ones as in GNU grep
//! 3.8.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::ffi::OsStringExt as _;

use jiff::Zoned;
use memberd_control::grep::{GrepBinary, GrepCharacters, GrepPrint, GrepRequest, GrepSyntax};

use super::colors::Capabilities;
use super::flags::Flag;
use super::fleet_options::{FleetOptions, Presentation};
use super::getopt::{self, Piece};
use super::lines;
use super::locale;

/// A parsed command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `--help`
    Help,
    /// `--version`
    Version,
    /// A search, and how its replies are shown.
    Search(Box<GrepRequest>, Presentation),
}

/// Why a command line is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum OptionError {
    /// Its syntax is wrong, and the help explains it.
    #[error("{0}: try memberctl grep --help")]
    Usage(String),
    /// A file of patterns or globs cannot be read.
    #[error("{0}")]
    File(String),
}

impl From<String> for OptionError {
    fn from(problem: String) -> OptionError {
        OptionError::Usage(problem)
    }
}

/// What grep takes from its environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// Whether `--color=auto` means colour.
    pub(super) terminal: bool,
    /// Whether names are aligned: standard output is a terminal.
    pub(super) aligned: bool,
    /// The locale's characters.
    pub(super) characters: GrepCharacters,
    /// The configured colours.
    pub(super) colors: Capabilities,
}

impl Environment {
    /// The environment of this process.
    pub(super) fn here(terminal: bool) -> Environment {
        let variable = |name: &str| std::env::var(name).ok();
        let aligned = std::io::stdout().is_terminal();
        Environment {
            terminal,
            aligned,
            characters: locale::characters(variable),
            colors: Capabilities::read(variable),
        }
    }
}

/// Parses a command line, and reads its files of patterns and globs.
///
/// # Errors
/// When an option is wrong or a file cannot be read, with the text of grep.
pub(super) fn parse(
    arguments: &[OsString],
    environment: &Environment,
) -> Result<Command, OptionError> {
    let mut options = Options { environment: environment.clone(), ..Options::default() };
    for piece in getopt::pieces(arguments.iter().cloned().map(OsString::into_vec))? {
        options.take(piece)?;
    }
    Ok(options.command()?)
}

/// The options that were parsed so far.
#[derive(Debug, Default)]
struct Options {
    request: GrepRequest,
    environment: Environment,
    syntax: Option<GrepSyntax>,
    color: bool,
    help: bool,
    version: bool,
    patterns: Option<Vec<Vec<u8>>>,
    operands: Vec<Vec<u8>>,
    quiet: bool,
    names_of_files: Option<GrepPrint>,
    count: bool,
    only_matching: bool,
    before: Option<u32>,
    after: Option<u32>,
    around: Option<u32>,
    fleet: FleetOptions,
}

impl Options {
    fn take(&mut self, piece: Piece) -> Result<(), OptionError> {
        match piece {
            Piece::Operand(operand) => self.operands.push(operand),
            Piece::Digits(digits) => self.around = Some(context(&digits)?),
            Piece::Option(Flag::Refused(reason), written, _) => {
                return Err(
                    format!("option '{written}' is not supported by memberctl: {reason}").into()
                );
            }
            Piece::Option(Flag::Basic, ..) => self.set_syntax(GrepSyntax::Basic)?,
            Piece::Option(Flag::Extended, ..) => self.set_syntax(GrepSyntax::Extended)?,
            Piece::Option(Flag::Fixed, ..) => self.set_syntax(GrepSyntax::Fixed)?,
            Piece::Option(Flag::Perl, ..) => self.set_syntax(GrepSyntax::Perl)?,
            Piece::Option(Flag::Pattern, _, Some(value)) => {
                self.patterns().extend(lines::of_text(&value));
            }
            Piece::Option(Flag::PatternFile, _, Some(value)) => {
                let read = lines::patterns_of_file(&value).map_err(OptionError::File)?;
                self.patterns().extend(read);
            }
            Piece::Option(Flag::GroupSeparator, _, Some(value)) => {
                self.request.printing.group_separator = Some(value);
            }
            Piece::Option(Flag::Fleet(option), _, value) => {
                self.fleet.take(option, value.map(text).transpose()?)?;
            }
            Piece::Option(flag, _, Some(value)) => self.take_value(flag, &text(value)?)?,
            Piece::Option(flag, _, None) => self.take_flag(flag),
        }
        Ok(())
    }

    /// A syntax may be given again, but no other one, as in GNU grep 3.8.
    fn set_syntax(&mut self, syntax: GrepSyntax) -> Result<(), String> {
        match self.syntax.replace(syntax) {
            Some(before) if before != syntax => Err("conflicting matchers specified".to_owned()),
            _ => Ok(()),
        }
    }

    fn patterns(&mut self) -> &mut Vec<Vec<u8>> {
        self.patterns.get_or_insert_default()
    }

    fn take_flag(&mut self, flag: Flag) {
        let GrepRequest { pattern, printing, .. } = &mut self.request;
        match flag {
            Flag::Color => self.color = self.environment.terminal,
            Flag::Count => self.count = true,
            Flag::FilesWithMatch => self.names_of_files = Some(GrepPrint::FilesWithMatch),
            Flag::FilesWithoutMatch => self.names_of_files = Some(GrepPrint::FilesWithoutMatch),
            Flag::IgnoreCase => pattern.ignore_case = true,
            Flag::NoIgnoreCase => pattern.ignore_case = false,
            Flag::LineNumber => printing.line_numbers = true,
            Flag::ByteOffsets => printing.byte_offsets = true,
            Flag::InitialTab => printing.initial_tab = true,
            Flag::NullAfterNames => printing.null_after_names = true,
            Flag::NullData => pattern.null_data = true,
            Flag::Text => printing.binary = GrepBinary::Text,
            Flag::NoBinaryFiles => printing.binary = GrepBinary::Skip,
            Flag::NoGroupSeparator => printing.group_separator = None,
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
            // The first one is the default, the next ones were handled by the caller, and the
            // others always have a value.
            Flag::NoEffect
            | Flag::Refused(_)
            | Flag::Fleet(_)
            | Flag::Basic
            | Flag::Extended
            | Flag::Fixed
            | Flag::Perl
            | Flag::After
            | Flag::Before
            | Flag::Context
            | Flag::MaxCount
            | Flag::Pattern
            | Flag::PatternFile
            | Flag::BinaryFiles
            | Flag::GroupSeparator
            | Flag::Include
            | Flag::Exclude
            | Flag::ExcludeFrom => {}
        }
    }

    fn take_value(&mut self, flag: Flag, value: &str) -> Result<(), OptionError> {
        let GrepRequest { files, printing, .. } = &mut self.request;
        match flag {
            Flag::After => self.after = Some(context(value)?),
            Flag::Before => self.before = Some(context(value)?),
            Flag::Context => self.around = Some(context(value)?),
            Flag::MaxCount => {
                let count = number(value).ok_or_else(|| "invalid max count".to_owned())?;
                // As in GNU grep, a negative count means no limit.
                printing.max_count = u64::try_from(count).ok();
            }
            Flag::Color => self.color = color(value, self.environment.terminal)?,
            Flag::BinaryFiles => printing.binary = binary(value)?,
            Flag::Include => files.include.push(value.to_owned()),
            Flag::Exclude => files.exclude.push(value.to_owned()),
            Flag::ExcludeFrom => {
                for glob in lines::of_file(value.as_bytes()).map_err(OptionError::File)? {
                    files.exclude.push(text(glob)?);
                }
            }
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
        let GrepRequest { pattern, files, printing, .. } = &mut self.request;
        pattern.patterns = match self.patterns {
            Some(patterns) => patterns,
            None => lines::of_text(&operands.next().ok_or("no PATTERN was given")?).collect(),
        };
        pattern.syntax = self.syntax.unwrap_or_default();
        if pattern.syntax == GrepSyntax::Perl && pattern.patterns.len() > 1 {
            return Err("the -P option only supports a single pattern".to_owned());
        }
        pattern.characters = self.environment.characters;
        files.globs = operands.map(text).collect::<Result<_, _>>()?;
        printing.what = match self.names_of_files {
            _ if self.quiet => GrepPrint::Nothing,
            Some(print) => print,
            None if self.count => GrepPrint::Count,
            None if self.only_matching => GrepPrint::Matches,
            None => GrepPrint::Lines,
        };
        printing.before_context = self.before.or(self.around);
        printing.after_context = self.after.or(self.around);
        printing.colors = self.color.then_some(self.environment.colors.0);
        let presentation = self.fleet.apply(&mut self.request, &Zoned::now())?;
        let printing = &mut self.request.printing;
        // Folded lines have no names, so there is nothing to align.
        let for_programs =
            printing.no_names || printing.null_after_names || printing.json || presentation.fold;
        printing.name_width = (self.environment.aligned && !for_programs).then_some(0);
        Ok(Command::Search(Box::new(self.request), presentation))
    }
}

/// An argument that must be text: a number, a word or a glob.
fn text(argument: Vec<u8>) -> Result<String, String> {
    String::from_utf8(argument)
        .map_err(|error| format!("{}: not valid UTF-8", String::from_utf8_lossy(error.as_bytes())))
}

/// `--binary-files=TYPE`
fn binary(kind: &str) -> Result<GrepBinary, String> {
    match kind {
        "binary" => Ok(GrepBinary::Report),
        "text" => Ok(GrepBinary::Text),
        "without-match" => Ok(GrepBinary::Skip),
        _ => Err("unknown binary-files type".to_owned()),
    }
}

/// `--color=WHEN`, with all values that GNU grep knows.
fn color(when: &str, terminal: bool) -> Result<bool, String> {
    match when {
        "always" | "yes" | "force" => Ok(true),
        "never" | "no" | "none" => Ok(false),
        "auto" | "tty" | "if-tty" => Ok(terminal),
        _ => Err(format!("invalid argument '{when}' for '--color'")),
    }
}

/// A number of lines around a match. A number that does not fit means all lines.
fn context(text: &str) -> Result<u32, String> {
    number(text)
        .filter(|lines| *lines >= 0)
        .map(|lines| u32::try_from(lines).unwrap_or(u32::MAX))
        .ok_or_else(|| format!("{text}: invalid context length argument"))
}

/// A number as strtoimax(3) reads it, with nothing after it. A number out of range becomes the
/// nearest one in range.
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
