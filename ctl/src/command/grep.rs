//! `memberctl grep [OPTIONS] PATTERN [FILE...]`: sends the request, and prints the replies.

mod colors;
pub(crate) mod completion;
mod control_chars;
mod counts;
mod flags;
pub(super) mod fleet_options;
mod fold;
mod getopt;
mod help;
mod journal_options;
mod limit;
mod lines;
pub(super) mod locale;
pub(super) mod notices;
mod options;
pub(super) mod printed_files;
mod printer;
pub(super) mod progress;
pub(super) mod reports;
pub(super) mod tally;
pub(super) mod totals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use memberd_control::grep::{GrepOutcome, GrepPrint, GrepRequest};
use memberd_control::message::{Reply, Request};

use crate::connection::{
    Connection, Daemon, GrepReply, MemberOutput, ReplyTimeout, unexpected_reply,
};
use crate::exit::{Failure, print_message};
use crate::output::{self, Output};
use counts::Counts;
use fleet_options::Presentation;
use fold::Fold;
use help::HELP;
use limit::{Last, line_end};
use options::Environment;
use printer::Printer;
use progress::Progress;
use reports::Reports;
use tally::Tally;

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
    let mut screen = Screen::new(&request, presentation);
    let mut reports = Reports::new(request.files.follow);
    let mut tally = Tally::new(request.files.globs.clone());
    let json = request.printing.json;
    let mut connection = Connection::ask(daemon, &Request::Grep(request), ReplyTimeout::Never)?;
    loop {
        // A client that prints nothing need not watch whether somebody reads.
        let reply = match connection.found(!quiet)? {
            GrepReply::MemberOutput(lines) => {
                reports.gone(&tally).iter().for_each(|message| screen.message(message));
                screen.output(lines)?;
                if screen.printer.is_full() {
                    tally.note_limit();
                    break;
                }
                continue;
            }
            GrepReply::Reply(reply) => reply,
        };
        let is_of_gone = matches!(
            &reply,
            Reply::GrepMember { outcome: GrepOutcome::NotAsked { .. }, .. }
                | Reply::GrepCopy { .. }
        );
        if !is_of_gone {
            reports.gone(&tally).iter().for_each(|message| screen.message(message));
        }
        match reply {
            Reply::GrepMessage { member, text } => {
                reports.message(member, text).iter().for_each(|message| screen.message(message));
            }
            Reply::GrepNotice(text) => screen.message(&text),
            Reply::GrepProgress { asked, answered, bytes } => {
                screen.progress(asked, answered, bytes);
            }
            Reply::GrepMember { member, outcome } => {
                reports
                    .outcome(&member, &outcome)
                    .iter()
                    .for_each(|message| screen.message(message));
                tally.count(member, outcome);
            }
            Reply::GrepCopy { member, copy } => {
                reports.copy(&member, &copy).iter().for_each(|message| screen.message(message));
                tally.note_copy(member, copy);
            }
            Reply::Done => break,
            _ => return Err(unexpected_reply()),
        }
        if quiet && tally.matched() {
            return Ok(Status::Matched);
        }
    }
    // No member searches any longer for nothing.
    drop(connection);
    reports.end(&tally).iter().for_each(|message| screen.message(message));
    tally.check_files().iter().for_each(|message| screen.message(message));
    screen.end(&tally)?;
    if json {
        screen.printer.print_last(&totals::object(
            tally.members(),
            tally.copies(),
            None::<&()>,
        )?)?;
    }
    if presentation.stats {
        let lines = totals::lines(tally.members(), tally.copies());
        lines.iter().for_each(|line| print_message(line));
    }
    Ok(tally.status(quiet))
}

/// Standard output and standard error, which share a terminal.
struct Screen {
    printer: Printer,
    counts: Option<Counts>,
    last: Option<Last>,
    fold: Option<Fold>,
    progress: Progress,
}

impl Screen {
    fn new(request: &GrepRequest, presentation: Presentation) -> Screen {
        let line_end = line_end(request);
        let has_names = !request.printing.no_names;
        Screen {
            printer: Printer::new(request, presentation),
            counts: Counts::new(request, presentation),
            last: presentation.last.map(|lines| Last::new(lines, line_end)),
            fold: presentation.fold.then(|| Fold::new(line_end, has_names)),
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
        if let Some(last) = &mut self.last {
            return last.take(lines.read()?);
        }
        if let Some(fold) = &mut self.fold {
            return fold.take(&member, lines.read()?);
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

    /// Prints what is known only at the end.
    fn end(&mut self, tally: &Tally) -> Result<(), Failure> {
        self.progress.clear();
        let printer = &mut self.printer;
        if let Some(fold) = self.fold.take() {
            fold.end(|bytes| printer.print("", bytes))?;
        }
        for line in self.last.iter().flat_map(Last::lines) {
            printer.print("", line)?;
        }
        match &self.counts {
            Some(counts) => printer.print("", &counts.lines(tally.members())),
            None => Ok(()),
        }
    }
}
