//! `memberctl grep [OPTIONS] PATTERN [FILE...]`.

mod colors;
mod getopt;
mod lines;
mod locale;
mod options;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use memberd_control::grep::{GrepOutcome, GrepPrint, GrepRequest};
use memberd_control::message::{Reply, Request};

use crate::connection::{Connection, Daemon, Patience, out_of_place};
use crate::exit::{Failure, complain};
use crate::output::{self, Output};
use options::Surroundings;

const HELP: &str = "\
Prints the lines that match, as NAME:FILE:LINE. FILE is a glob over what each member offers: machine.i.log and
what its configuration lists; without any, all of it. Ctrl-C stops the search on every member.

Patterns:
  -G, --basic-regexp         PATTERN is a basic regular expression (as without)
  -E, --extended-regexp      PATTERN is an extended regular expression
  -F, --fixed-strings        PATTERN is a plain string
  -P, --perl-regexp          PATTERN is a Perl regular expression (PCRE2's); only one
  -e, --regexp=PATTERN       search for PATTERN, also several; then no operand is one
  -f, --file=FILE            take the patterns, one a line, from FILE on this machine; - is standard input
  -i, -y, --ignore-case      take upper and lower case for the same
      --no-ignore-case       do not (as without)
  -v, --invert-match         select the lines that do not match
  -w, --word-regexp          match whole words only
  -x, --line-regexp          match whole lines only
  -z, --null-data            lines end with a NUL byte, not with a newline

Files:
  -a, --text                 take files that are not text for text; short for --binary-files=text
  -I                         they do not match; short for --binary-files=without-match
      --binary-files=TYPE    binary (that they match is said, as without), text, or without-match
      --include=GLOB         of the files, only those with such a base name, also several
      --exclude=GLOB         none with such a base name, also several
      --exclude-from=FILE    take such globs, one a line, from FILE on this machine
  -s, --no-messages          no messages about files that cannot be read
  -m, --max-count=NUM        stop after NUM selected lines, for each file

Output:
  -c, --count                print how many lines were selected, for each file
  -l, --files-with-matches   print the names of files with a selected line
  -L, --files-without-match  print the names of files without one
  -o, --only-matching        print the matching parts of lines only
  -q, --quiet, --silent      print nothing; the first match ends the search
  -n, --line-number          print line numbers
  -b, --byte-offset          print where the line begins in the file, in bytes
  -h, --no-filename          print lines without NAME:FILE:
  -H, --with-filename        print them with it (as without)
  -T, --initial-tab          align the text with a tab
  -Z, --null                 print a NUL byte after NAME:FILE
  -A, --after-context=NUM    print NUM lines after a match too
  -B, --before-context=NUM   print NUM lines before a match too
  -C, -NUM, --context=NUM    print NUM lines on both sides
      --group-separator=SEP  print SEP in the place of -- between groups of lines with context
      --no-group-separator   print nothing between them
      --color[=WHEN]         mark the matches: always, never, or auto (on a terminal, unless NO_COLOR is set);
                             GREP_COLORS says how
      --line-buffered        print lines as they come (as without)
  -U, --binary               leave carriage returns alone (as without)
      --help                 print this help
  -V, --version              print the version

Bytes are characters as LC_ALL, LC_CTYPE and LANG say: UTF-8, or in the C locale each byte is one.

Exit status: 0 a line matched, 1 none did, 2 an error (bad pattern, a file that cannot be read, memberd not
reachable), 3 no such error but a member did not answer.";

/// Searches the logs of all members.
#[derive(Debug, clap::Args)]
#[command(override_usage = "memberctl grep [OPTION]... PATTERN [FILE]...", after_help = HELP)]
pub(crate) struct Grep {
    /// Options, patterns and files, as grep has them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// grep's exit statuses, and one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Status {
    /// A line matched.
    Matched = 0,
    /// None did.
    Unmatched = 1,
    /// The search went wrong, if only in one file.
    Trouble = 2,
    /// A member did not answer.
    Lost = 3,
}

impl Grep {
    /// Searches, says on standard error what failed, and returns grep's exit status.
    pub(super) fn run(&self, daemon: &Daemon) -> ExitCode {
        let status = self.command(daemon).unwrap_or_else(|failure| {
            failure.report();
            match failure {
                Failure::OutputClosed => Status::Matched,
                Failure::NotInGroup | Failure::Stated { .. } => Status::Trouble,
            }
        });
        ExitCode::from(status as u8)
    }

    fn command(&self, daemon: &Daemon) -> Result<Status, Failure> {
        let arguments = with_first_dashes(&self.arguments);
        let command = options::parse(&arguments, &Surroundings::here(output::color_by_default()))
            .map_err(|words| Failure::usage(format!("{words}: try memberctl grep --help")))?;
        match command {
            options::Command::Help => {
                let mut cli = crate::Cli::command();
                let help = cli.find_subcommand_mut("grep").map(clap::Command::render_help);
                Output::new().line(help.unwrap_or_default().to_string().trim_end())?;
                Ok(Status::Matched)
            }
            options::Command::Version => {
                Output::new().line(concat!("memberctl ", env!("CARGO_PKG_VERSION")))?;
                Ok(Status::Matched)
            }
            options::Command::Search(request) => search(daemon, request),
        }
    }
}

/// Searches as this command line asks, whatever comes of it: the demo's scene.
pub(super) fn run_line(daemon: &Daemon, arguments: &[&str]) -> Result<(), Failure> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    match options::parse(&arguments, &Surroundings::here(output::color_by_default())).map_err(Failure::usage)? {
        options::Command::Search(request) => search(daemon, request).map(drop),
        options::Command::Help | options::Command::Version => Ok(()),
    }
}

/// Clap takes a `--` right after the word `grep` for its own; grep's meaning needs it back. The argument before ours is then not
/// the word `grep` but the lost one.
fn with_first_dashes(arguments: &[OsString]) -> Vec<OsString> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let before = line.len().checked_sub(arguments.len() + 1);
    match before.and_then(|place| line.get(place)) {
        Some(lost) if lost == "--" => std::iter::once(lost).chain(arguments).cloned().collect(),
        _ => arguments.to_vec(),
    }
}

/// Asks the daemon, and passes on what the members say as it comes.
fn search(daemon: &Daemon, request: Box<GrepRequest>) -> Result<Status, Failure> {
    let quiet = request.printing.what == GrepPrint::Nothing;
    let wanted = request.files.globs.clone();
    let mut printer = Printer::new(&request);
    let mut tally = Tally { nowhere: wanted, ..Tally::default() };
    let mut connection = Connection::ask(daemon, &Request::Grep(request), Patience::Endless)?;
    loop {
        // Who asks for no output does not mind when nobody reads it.
        let reply = match quiet {
            true => connection.reply()?,
            false => connection.reply_while_read()?,
        };
        match reply {
            Reply::GrepOutput { member, bytes } => printer.print(member, &bytes)?,
            Reply::GrepMessage { member, text } => complain(&format!("{member}:{text}")),
            Reply::GrepMember { member, outcome } => tally.count(&member, outcome),
            Reply::Done => {
                tally.check_files();
                return Ok(tally.status(quiet));
            }
            _ => return Err(out_of_place()),
        }
        if quiet && tally.matched {
            return Ok(Status::Matched);
        }
    }
}

/// What the members reported so far.
#[derive(Debug, Default)]
struct Tally {
    /// The FILEs that no member has had so far.
    nowhere: Vec<String>,
    answered: bool,
    matched: bool,
    errors: bool,
    lost: bool,
}

impl Tally {
    fn count(&mut self, member: &str, outcome: GrepOutcome) {
        match outcome {
            GrepOutcome::Searched(totals) => {
                self.answered = true;
                self.nowhere.retain(|file| totals.unmatched.contains(file));
                self.matched |= totals.lines > 0;
                self.errors |= totals.errors > 0;
            }
            GrepOutcome::Lost(why) => {
                self.lost = true;
                complain(&format!("{member}: did not answer: {why}"));
            }
            GrepOutcome::NotAsked(why) => complain(&format!("{member} {why}: its logs are not searched")),
        }
    }

    /// A FILE that no member has is an error, as it is grep's. One that some have is none: machines differ.
    fn check_files(&mut self) {
        if self.answered && !self.lost {
            self.errors |= !self.nowhere.is_empty();
            for file in &self.nowhere {
                complain(&format!("{file}: no member offers such a file: see [logs] files in the settings"));
            }
        }
    }

    /// As GNU grep 3.8 has it, `-L` included: 0 is for a selected line, not for a name that was printed.
    fn status(&self, quiet: bool) -> Status {
        match self {
            Tally { matched: true, .. } if quiet => Status::Matched,
            Tally { errors: true, .. } => Status::Trouble,
            Tally { lost: true, .. } => Status::Lost,
            Tally { matched: true, .. } => Status::Matched,
            Tally { matched: false, .. } => Status::Unmatched,
        }
    }
}

/// Passes the members' lines on, with a separator where the output goes over from one to another among context.
struct Printer {
    output: Output,
    separator: Option<&'static [u8]>,
    last: Option<String>,
}

impl Printer {
    fn new(request: &GrepRequest) -> Printer {
        let lines = matches!(request.printing.what, GrepPrint::Lines | GrepPrint::Matches);
        let context = request.printing.has_context();
        let separator: &[u8] = match request.printing.colors.is_some() {
            true => b"\x1b[36m\x1b[K--\x1b[m\x1b[K\n",
            false => b"--\n",
        };
        Printer { output: Output::new(), separator: (lines && context).then_some(separator), last: None }
    }

    fn print(&mut self, member: String, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(separator) = self.separator
            && self.last.as_ref().is_some_and(|last| *last != member)
        {
            self.output.bytes(separator)?;
        }
        self.last = Some(member);
        self.output.bytes(bytes)?;
        self.output.flush()
    }
}
