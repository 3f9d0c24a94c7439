//! `memberctl grep [OPTIONS] PATTERN [FILE...]`: sends the request, and prints the replies.

mod colors;
pub(crate) mod completion;
mod control_chars;
mod counts;
mod flags;
mod fleet_options;
mod getopt;
mod interrupted;
mod journal_options;
mod lines;
mod locale;
mod options;
mod printed_files;
mod printer;
mod progress;
mod tally;
mod totals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use memberd_control::grep::{GrepPrint, GrepRequest};
use memberd_control::message::{Reply, Request};

use crate::connection::{
    Connection, Daemon, GrepReply, MemberOutput, ReplyTimeout, unexpected_reply,
};
use crate::exit::{Failure, print_message};
use crate::output::{self, Output};
use counts::Counts;
use fleet_options::Presentation;
use options::Environment;
use printer::Printer;
use progress::Progress;
use tally::Tally;

const HELP: &str = "\
Prints the lines that match, as NAME:FILE:LINE. FILE is a glob over the files
that each member offers: machine.i.log, and what its settings list. Without a
FILE, all of them are searched. NAME:FILE, as it is printed, is a FILE of that
member alone. Ctrl-C stops the search on every member.

Patterns:
  -G, --basic-regexp        PATTERN is a basic regular expression (default)
  -E, --extended-regexp     PATTERN is an extended regular expression
  -F, --fixed-strings       PATTERN is a string
  -P, --perl-regexp         PATTERN is a Perl regular expression; only one
  -e, --regexp=PATTERN      use PATTERN for matching; can be given several times
  -f, --file=FILE           take patterns from FILE on this machine, one a line
                            (at most 4 MiB of strings, or 64 KiB of others)
  -i, -y, --ignore-case     ignore case distinctions in patterns and data
      --no-ignore-case      do not ignore case distinctions (default)
  -v, --invert-match        select non-matching lines
  -w, --word-regexp         match only whole words
  -x, --line-regexp         match only whole lines
  -z, --null-data           a data line ends in 0 byte, not newline

Files:
  -a, --text                equivalent to --binary-files=text
  -I                        equivalent to --binary-files=without-match
      --binary-files=TYPE   assume that binary files are TYPE;
                            TYPE is binary, text, or without-match
      --include=GLOB        search only files whose base name matches GLOB
      --exclude=GLOB        skip files whose base name matches GLOB
      --exclude-from=FILE   skip files that match any glob from FILE
  -s, --no-messages         suppress error messages about files
  -m, --max-count=NUM       stop after NUM selected lines in each file

Output:
  -c, --count               print only a count of selected lines per file
  -l, --files-with-matches  print only names of files with selected lines
  -L, --files-without-match print only names of files with no selected lines
  -o, --only-matching       show only nonempty parts of lines that match
  -q, --quiet, --silent     suppress all normal output; stop at the first match
  -n, --line-number         print line number with output lines
  -b, --byte-offset         print the byte offset with output lines
  -h, --no-filename         suppress the prefix NAME:FILE: on output
  -H, --with-filename       print NAME:FILE: with output lines (default)
  -T, --initial-tab         make tabs line up
  -Z, --null                print 0 byte after NAME:FILE
  -A, --after-context=NUM   print NUM lines of trailing context
  -B, --before-context=NUM  print NUM lines of leading context
  -C, -NUM, --context=NUM   print NUM lines of output context
      --group-separator=SEP print SEP, not --, between groups with context
      --no-group-separator  do not print a separator between such groups
      --color[=WHEN]        highlight the matching strings as GREP_COLORS says;
                            WHEN is always, never, or auto (on a terminal,
                            unless NO_COLOR is set)
      --control-chars=HOW   show control characters of lines and file names as
                            they are (raw), or as \\x1b (escape); auto, which
                            is the default, escapes them on a terminal alone
      --line-buffered       flush output on every line (default)
  -U, --binary              do not strip CR characters at EOL (default)

Members and time:
      --on=GLOB[,GLOB]...   ask only members whose name matches: 'web*',
                            'vm[01-12]', 'db{1,3}' (see memberctl list --help)
      --not-on=GLOB[,...]   do not ask members whose name matches
      --tag=KEY[=VALUE]     ask only members with this tag; of several, with all
      --rotated             also search the rotated files of each file
      --since=T, --until=T  search only lines of that time: 10m, 2 days ago,
                            yesterday, 14:00 (for --since the last one),
                            2026-11-21 14:00 UTC, @1763688033, or RFC 3339;
                            memberctl(1) lists all, under TIMES; the order of a
                            file's lines does not matter
      --merge               print the lines of all members in the order of time
      --follow              print lines as they are written, until interrupted;
                            not with --merge
      --journal             search the journal instead of files. Then FILE can
                            be FIELD=VALUE, as in journalctl. The next options,
                            too, are those of journalctl and need --journal:
  -u, --unit=UNIT           search only this unit; can be given several times
      --user-unit=UNIT      search only this unit of users' service managers
  -t, --identifier=ID       search only what has this syslog identifier
  -p, --priority=PRIORITY   search only this priority and higher ones
      --facility=FACILITY   search only these syslog facilities
      --boot[=BOOT]         search only this boot, or the current one; -1 is the
                            one before it, for each member its own
  -k, --dmesg               search only messages of the kernel, of this boot
      --namespace=NAME      search the journal of this namespace instead
      --count-by=WHAT       print one count per member, or per file over all
      --total               with -c, print the sum as a last line
      --json                print one JSON object a line, the last with totals
      --stats               print on standard error what was searched, and how
                            long it took
      --help                display this help text and exit
  -V, --version             display version information and exit

LC_ALL, LC_CTYPE and LANG say what a character is: UTF-8, or in the C locale one
byte. On a terminal, spaces after shorter members' names align what follows.
Pipes, -h, -Z and --json get no such spaces.

Exit status: 0 a line matched, 1 none did, 2 an error occurred (bad pattern, a
file that cannot be read, memberd not reachable, or with --since, --until or
--merge a time that is not understood), 3 a member did not answer, or its answer
was dropped because it cannot be its own, and no error occurred. A member that
is known to have failed is named. It changes the status only if no other member
was to be asked.";

/// Searches the logs of all members.
#[derive(Debug, clap::Args)]
#[command(override_usage = "memberctl grep [OPTION]... PATTERN [FILE]...", after_help = HELP)]
pub(crate) struct Grep {
    /// Options, patterns and files, as grep takes them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// grep's exit statuses, and one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Status {
    /// A line matched.
    Matched = 0,
    /// No line matched.
    Unmatched = 1,
    /// The search failed, perhaps in one file only.
    Trouble = 2,
    /// A member did not answer.
    Lost = 3,
}

impl Grep {
    /// Searches, prints on standard error what failed, and returns grep's exit status.
    pub(super) fn run(&self, daemon: &Daemon) -> ExitCode {
        let status = self.command(daemon).unwrap_or_else(|failure| {
            failure.report();
            match failure {
                Failure::OutputClosed => Status::Matched,
                Failure::NotInGroup | Failure::Reported | Failure::Stated { .. } => Status::Trouble,
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
            options::Command::Search(request, presentation) => {
                search(daemon, request, presentation)
            }
        }
    }
}

/// Searches as this command line asks, and ignores the status. The demo uses this.
pub(super) fn run_line(daemon: &Daemon, arguments: &[&str]) -> Result<(), Failure> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    match parse(&arguments)? {
        options::Command::Search(request, presentation) => {
            search(daemon, request, presentation).map(drop)
        }
        options::Command::Help | options::Command::Version => Ok(()),
    }
}

fn parse(arguments: &[OsString]) -> Result<options::Command, Failure> {
    let environment = Environment::here(output::color_by_default());
    options::parse(arguments, &environment).map_err(|wrong| Failure::usage(wrong.to_string()))
}

/// Clap swallows a `--` right after the word `grep`, which grep needs. If it did, then the
/// argument before these is not the word `grep` but the lost `--`.
fn with_first_dashes(arguments: &[OsString]) -> Vec<OsString> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let before = line.len().checked_sub(arguments.len() + 1);
    match before.and_then(|place| line.get(place)) {
        Some(lost) if lost == "--" => std::iter::once(lost).chain(arguments).cloned().collect(),
        _ => arguments.to_vec(),
    }
}

/// Asks the daemon, and prints what the members send as it arrives.
fn search(
    daemon: &Daemon,
    mut request: Box<GrepRequest>,
    presentation: Presentation,
) -> Result<Status, Failure> {
    request.output_file = output::regular_file();
    let quiet = request.printing.what == GrepPrint::Nothing;
    let json = request.printing.json;
    let mut screen = Screen::new(&request, presentation);
    let mut tally = Tally::new(request.files.globs.clone());
    let mut connection = Connection::ask(daemon, &Request::Grep(request), ReplyTimeout::Never)?;
    loop {
        // A client that prints nothing need not watch whether somebody reads.
        let reply = match connection.found(!quiet)? {
            GrepReply::MemberOutput(lines) => {
                screen.output(lines)?;
                continue;
            }
            GrepReply::Reply(reply) => reply,
        };
        match reply {
            Reply::GrepMessage { member, text } => screen.message(&format!("{member}:{text}")),
            Reply::GrepNotice(text) => screen.message(&text),
            Reply::GrepProgress { asked, answered, bytes } => {
                screen.progress(asked, answered, bytes);
            }
            Reply::GrepMember { member, outcome } => {
                if let Some(message) = tally.count(member, outcome) {
                    screen.message(&message);
                }
            }
            Reply::Done => break,
            _ => return Err(unexpected_reply()),
        }
        if quiet && tally.matched() {
            return Ok(Status::Matched);
        }
    }
    tally.check_files().iter().for_each(|message| screen.message(message));
    screen.end(&tally)?;
    if json {
        let line = totals::object(tally.members())?;
        screen.printer.print("", format!("{line}\n").as_bytes())?;
    }
    if presentation.stats {
        totals::lines(tally.members()).iter().for_each(|line| print_message(line));
    }
    Ok(tally.status(quiet))
}

/// Standard output and standard error, which share a terminal.
struct Screen {
    printer: Printer,
    counts: Option<Counts>,
    progress: Progress,
}

impl Screen {
    fn new(request: &GrepRequest, presentation: Presentation) -> Screen {
        Screen {
            printer: Printer::new(request, presentation.control_chars),
            counts: Counts::new(request, presentation),
            progress: Progress::new(request.files.follow),
        }
    }

    fn output(&mut self, mut lines: MemberOutput<'_>) -> Result<(), Failure> {
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

    fn message(&mut self, message: &str) {
        self.progress.clear();
        print_message(message);
    }

    fn progress(&mut self, asked: u64, answered: u64, bytes: u64) {
        self.progress.show(asked, answered, bytes);
    }

    /// Prints the counts, which are known only at the end.
    fn end(&mut self, tally: &Tally) -> Result<(), Failure> {
        self.progress.clear();
        match &self.counts {
            Some(counts) => self.printer.print("", &counts.lines(tally.members())),
            None => Ok(()),
        }
    }
}
