//! `memberctl grep [OPTIONS] PATTERN [FILE...]`.

mod colors;
pub(crate) mod completion;
mod counts;
mod flags;
mod getopt;
mod lines;
mod locale;
mod options;
mod ours;
mod printer;
mod progress;
mod tally;
mod totals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use memberd_control::grep::{GrepPrint, GrepRequest};
use memberd_control::message::{Reply, Request};

use crate::connection::{Connection, Daemon, Found, Lines, Patience, out_of_place};
use crate::exit::{Failure, complain};
use crate::output::{self, Output};
use counts::Counts;
use options::Surroundings;
use ours::View;
use printer::Printer;
use progress::Progress;
use tally::Tally;

const HELP: &str = "\
Prints the lines that match, as NAME:FILE:LINE. FILE is a glob over what each
member offers: machine.i.log and what its configuration lists; without any, all
of it. Ctrl-C stops the search on every member.

Patterns:
  -G, --basic-regexp        PATTERN is a basic regular expression (as without)
  -E, --extended-regexp     PATTERN is an extended regular expression
  -F, --fixed-strings       PATTERN is a plain string
  -P, --perl-regexp         PATTERN is a Perl regular expression; only one
  -e, --regexp=PATTERN      search for PATTERN, also several
  -f, --file=FILE           take patterns, one a line, from FILE on this machine
  -i, -y, --ignore-case     take upper and lower case for the same
      --no-ignore-case      do not (as without)
  -v, --invert-match        select the lines that do not match
  -w, --word-regexp         match whole words only
  -x, --line-regexp         match whole lines only
  -z, --null-data           lines end with a NUL byte, not with a newline

Files:
  -a, --text                take files that are not text for text
  -I                        they do not match
      --binary-files=TYPE   binary (say that they match), text, or without-match
      --include=GLOB        of the files, only those with such a base name
      --exclude=GLOB        none with such a base name
      --exclude-from=FILE   take such globs, one a line, from FILE
  -s, --no-messages         no messages about files that cannot be read
  -m, --max-count=NUM       stop after NUM selected lines, for each file

Output:
  -c, --count               print how many lines were selected, for each file
  -l, --files-with-matches  print the names of files with a selected line
  -L, --files-without-match print the names of files without one
  -o, --only-matching       print the matching parts of lines only
  -q, --quiet, --silent     print nothing; the first match ends the search
  -n, --line-number         print line numbers
  -b, --byte-offset         print where the line begins in the file, in bytes
  -h, --no-filename         print lines without NAME:FILE:
  -H, --with-filename       print them with it (as without)
  -T, --initial-tab         align the text with a tab
  -Z, --null                print a NUL byte after NAME:FILE
  -A, --after-context=NUM   print NUM lines after a match too
  -B, --before-context=NUM  print NUM lines before a match too
  -C, -NUM, --context=NUM   print NUM lines on both sides
      --group-separator=SEP print SEP, not --, between groups of such lines
      --no-group-separator  print nothing between them
      --color[=WHEN]        mark the matches as GREP_COLORS says: always, never,
                            or auto (on a terminal, unless NO_COLOR is set)
      --line-buffered       print lines as they come (as without)
  -U, --binary              leave carriage returns alone (as without)

Over a fleet:
      --on=GLOB[,GLOB]...   ask only the members of such names
      --not-on=GLOB[,...]   ask none of such names
      --tag=KEY[=VALUE]     ask only those with this tag; of several, with all
      --rotated             with each file also what was rotated away from it
      --since=T, --until=T  only lines of that time: 10m, 2h, 1w, yesterday,
                            14:00 (of --since the last such), 2026-11-21 14:00,
                            @1763688033, or as in RFC 3339
      --merge               print all members' lines in the order of time
      --follow              print lines as they are written, until interrupted;
                            not with --merge
      --journal             search the journal, not files
  -u, --unit=UNIT           of the journal, only this unit; also several
  -p, --priority=PRIORITY   of the journal, only this and what is more severe,
                            as journalctl has them
      --count-by=WHAT       one count for each member, or for each file over all
      --total               with -c, a last line with the sum
      --json                one JSON object a line, the last with the totals
      --stats               what was searched, and how long it took, on stderr
      --help                print this help
  -V, --version             print the version

Bytes are characters as LC_ALL, LC_CTYPE and LANG say: UTF-8, or in the C
locale each byte is one. On a terminal, spaces after the colon of shorter names
of members align what follows; not in a pipe, nor with -h, -Z or --json.

Exit status: 0 a line matched, 1 none did, 2 an error (bad pattern, a file that
cannot be read, memberd not reachable), 3 no such error but a member did not
answer. One that is known to have failed is named, and changes no status, unless
nobody else was to be asked.";

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
                Failure::NotInGroup | Failure::Said | Failure::Stated { .. } => Status::Trouble,
            }
        });
        ExitCode::from(status as u8)
    }

    fn command(&self, daemon: &Daemon) -> Result<Status, Failure> {
        match parse(&with_first_dashes(&self.arguments))? {
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
            options::Command::Search(request, view) => search(daemon, request, view),
        }
    }
}

/// Searches as this command line asks, whatever comes of it: the demo's scene.
pub(super) fn run_line(daemon: &Daemon, arguments: &[&str]) -> Result<(), Failure> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    match parse(&arguments)? {
        options::Command::Search(request, view) => search(daemon, request, view).map(drop),
        options::Command::Help | options::Command::Version => Ok(()),
    }
}

fn parse(arguments: &[OsString]) -> Result<options::Command, Failure> {
    let surroundings = Surroundings::here(output::color_by_default());
    options::parse(arguments, &surroundings).map_err(|wrong| Failure::usage(wrong.to_string()))
}

/// Clap takes a `--` right after the word `grep` for its own; grep's meaning needs it back. The
/// argument before ours is then not the word `grep` but the lost one.
fn with_first_dashes(arguments: &[OsString]) -> Vec<OsString> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let before = line.len().checked_sub(arguments.len() + 1);
    match before.and_then(|place| line.get(place)) {
        Some(lost) if lost == "--" => std::iter::once(lost).chain(arguments).cloned().collect(),
        _ => arguments.to_vec(),
    }
}

/// Asks the daemon, and passes on what the members say as it comes.
fn search(daemon: &Daemon, request: Box<GrepRequest>, view: View) -> Result<Status, Failure> {
    let quiet = request.printing.what == GrepPrint::Nothing;
    let json = request.printing.json;
    let mut screen = Screen::new(&request, view);
    let mut tally = Tally::new(request.files.globs.clone());
    let mut connection = Connection::ask(daemon, &Request::Grep(request), Patience::Endless)?;
    loop {
        // Who asks for no output does not mind when nobody reads it.
        let reply = match connection.found(!quiet)? {
            Found::Lines(lines) => {
                screen.output(lines)?;
                continue;
            }
            Found::Reply(reply) => reply,
        };
        match reply {
            Reply::GrepMessage { member, text } => screen.complain(&format!("{member}:{text}")),
            Reply::GrepNotice(text) => screen.complain(&text),
            Reply::GrepProgress { asked, answered, bytes } => {
                screen.progress(asked, answered, bytes);
            }
            Reply::GrepMember { member, outcome } => {
                if let Some(words) = tally.count(member, outcome) {
                    screen.complain(&words);
                }
            }
            Reply::Done => break,
            _ => return Err(out_of_place()),
        }
        if quiet && tally.matched() {
            return Ok(Status::Matched);
        }
    }
    tally.check_files().iter().for_each(|words| screen.complain(words));
    screen.end(&tally)?;
    if json {
        totals::object(tally.members()).and_then(|line| Output::new().line(&line))?;
    }
    if view.stats {
        totals::lines(tally.members()).iter().for_each(|line| complain(line));
    }
    Ok(tally.status(quiet))
}

/// Standard output and standard error, as one on a terminal.
struct Screen {
    printer: Printer,
    counts: Option<Counts>,
    progress: Progress,
}

impl Screen {
    fn new(request: &GrepRequest, view: View) -> Screen {
        Screen {
            printer: Printer::new(request),
            counts: Counts::new(request, view),
            progress: Progress::new(),
        }
    }

    fn output(&mut self, mut lines: Lines<'_>) -> Result<(), Failure> {
        let member = std::mem::take(&mut lines.member);
        if let Some(counts) = &mut self.counts
            && !counts.prints_files()
        {
            return counts.take(&member, lines.read()?);
        }
        self.progress.clear();
        if let Some(pipe) = self.printer.pipe() {
            return lines.pass_on(pipe);
        }
        let bytes = lines.read()?;
        self.printer.print(&member, bytes)?;
        self.progress.printed(bytes);
        Ok(())
    }

    fn complain(&mut self, words: &str) {
        self.progress.clear();
        complain(words);
    }

    fn progress(&mut self, asked: u64, answered: u64, bytes: u64) {
        self.progress.show(asked, answered, bytes);
    }

    /// Prints what is known only at the end.
    fn end(&mut self, tally: &Tally) -> Result<(), Failure> {
        self.progress.clear();
        match &self.counts {
            Some(counts) => self.printer.print("", &counts.lines(tally.members())),
            None => Ok(()),
        }
    }
}
