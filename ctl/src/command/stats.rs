//! `memberctl stats [OPTIONS] QUERY [FILE...]`: asks all members one question over their logs, and
//! prints the sums.

mod cells;
mod follow;
mod gathering;
mod help;
mod options;
mod print;
mod screen;
mod view;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use memberd_control::message::{Reply, Request};
use memberd_streams::{Limits, Plan, Query, QueryError, Rows};
use serde::Serialize;

use self::follow::Follow;
use self::gathering::Gathering;
use self::help::DETAILS;
use self::options::{Choice, GROUPS, MEMORY};
use self::print::Form;
use super::grep::progress::Progress;
use super::grep::reports::Reports;
use super::grep::tally::Tally;
use super::grep::totals;
use crate::arguments;
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Failure, print_message};
use crate::format;
use crate::output::Output;

/// Counts, sums and groups lines of the logs of all members.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Stats {
    /// The question: a pattern of grep, and stages behind it, each after a |. It is written in
    /// quotes, and memberctl-stats-language(7) explains it
    #[arg(value_name = "QUERY")]
    query: String,

    /// Only files that match one of these globs, or NAME:FILE as grep prints it. Without a FILE,
    /// all that the members offer are read
    #[arg(value_name = "FILE")]
    files: Vec<String>,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    follow: Follow,

    /// Print one JSON object for each row, and a last one with totals
    #[arg(long, conflicts_with = "header")]
    json: bool,

    /// Print the names of the columns first, which only a terminal gets otherwise
    #[arg(long)]
    header: bool,

    /// The most groups, on each member and in the answer. More are an error: no row is left out
    #[arg(long, value_name = "NUM", default_value_t = GROUPS)]
    #[arg(value_parser = arguments::number(1..=1_000_000_000_usize))]
    groups: usize,

    /// The most memory for a table of groups, on each member and here: 64M, 1G
    #[arg(long, value_name = "SIZE", default_value = MEMORY, value_parser = arguments::size)]
    memory: usize,
}

/// The exit statuses, which are grep's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Status {
    /// There is a row.
    Rows = 0,
    /// There is none.
    Nothing = 1,
    /// An error occurred, or a member is missing in the sums.
    Trouble = 2,
}

/// The arguments of a question, as a command line of its own.
#[derive(Debug, clap::Parser)]
struct Alone {
    #[command(flatten)]
    stats: Stats,
}

/// Asks as this command line does, prints a table, and ignores the status. The demo uses this.
pub(super) fn show(daemon: &Daemon, arguments: &[&str]) -> Result<(), Failure> {
    let line = std::iter::once("stats").chain(arguments.iter().copied());
    let Alone { stats } =
        Alone::try_parse_from(line).map_err(|error| Failure::usage(error.to_string()))?;
    stats.answered(daemon, Some(Form::Table)).map(drop)
}

impl Stats {
    /// Asks, prints on standard error what failed, and returns the exit status.
    pub(super) fn run(&self, daemon: &Daemon) -> ExitCode {
        let status = self.answered(daemon, None).unwrap_or_else(|failure| {
            failure.report();
            match failure {
                Failure::OutputClosed => Status::Rows,
                Failure::NotInGroup | Failure::Reported | Failure::Stated { .. } => Status::Trouble,
            }
        });
        ExitCode::from(status as u8)
    }

    /// Asks and prints, in this form or in that of the options.
    fn answered(&self, daemon: &Daemon, form: Option<Form>) -> Result<Status, Failure> {
        let (query, plan) = planned(&self.query).map_err(|error| self.wrong(&error))?;
        let mut request = self.choice.request(&self.query, &query, &self.files, self.limits())?;
        request.every_ms = self.follow.every_ms();
        request.grep.files.follow = request.every_ms.is_some();
        let mut tally = Tally::new(request.grep.files.globs.clone());
        let plan = Arc::new(plan);
        let follows = request.grep.files.follow;
        let asked = Request::Stats(Box::new(request));
        if follows {
            let how = (self.limits(), form.unwrap_or_else(|| self.form()));
            return self.follow.run(daemon, &asked, tally, plan, how);
        }
        let rows = self.ask(daemon, &asked, Arc::clone(&plan), &mut tally)?;
        self.print(&rows, &tally, form)?;
        let left_out = print::left_out(rows.counts, &rows.columns, plan.reader());
        left_out.iter().for_each(|line| print_message(line));
        Ok(match &rows {
            _ if !tally.is_whole() => Status::Trouble,
            Rows { rows, .. } if rows.is_empty() => Status::Nothing,
            Rows { .. } => Status::Rows,
        })
    }

    fn limits(&self) -> Limits {
        Limits { groups: self.groups, bytes: self.memory }
    }

    /// Prints what is wrong with the query, and where.
    fn wrong(&self, error: &QueryError) -> Failure {
        let pointed = error.pointed(&self.query);
        print_message(&format!("the query is not understood: {}", error.message));
        for line in pointed.lines().take(2) {
            eprintln!("  {}", format::printable(line));
        }
        Failure::Reported
    }

    /// Asks the daemon, and adds up what the members send.
    fn ask(
        &self,
        daemon: &Daemon,
        request: &Request,
        plan: Arc<Plan>,
        tally: &mut Tally,
    ) -> Result<Rows, Failure> {
        let mut gathering = Gathering::new(plan, self.limits());
        let mut progress = Progress::new(false);
        let mut reports = Reports::new(false);
        let mut connection = Connection::ask(daemon, request, ReplyTimeout::Never)?;
        loop {
            let mut lines: Vec<String> = Vec::new();
            match connection.reply_while_read()? {
                Reply::StatsPartial { member, bytes } => gathering.keep(member, bytes),
                Reply::GrepMessage { member, text } => lines.extend(reports.message(member, text)),
                Reply::GrepNotice(text) => lines.push(text),
                Reply::GrepProgress { asked, answered, bytes } => {
                    progress.show(asked, answered, bytes);
                }
                Reply::GrepMember { member, outcome } => {
                    let outcome = gathering.end(&member, outcome)?;
                    tally.count(member, outcome);
                }
                Reply::Done => break,
                _ => return Err(unexpected_reply()),
            }
            if !lines.is_empty() {
                progress.clear();
                lines.iter().for_each(|line| print_message(line));
            }
        }
        drop(connection);
        progress.clear();
        reports.end(tally).iter().for_each(|line| print_message(line));
        tally.check_files().iter().for_each(|line| print_message(line));
        gathering.finish()
    }

    /// How rows are printed as the options have it.
    fn form(&self) -> Form {
        match (self.json, std::io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Table,
            (false, false) => Form::Tabs { header: self.header },
        }
    }

    /// Prints the rows.
    fn print(&self, rows: &Rows, tally: &Tally, form: Option<Form>) -> Result<(), Failure> {
        let mut output = Output::new();
        print::rows(&mut output, form.unwrap_or_else(|| self.form()), rows)?;
        if self.json {
            let more = Counted::of(rows);
            let last = totals::object(tally.members(), tally.copies(), Some(&more))?;
            output.line(&last)?;
        }
        Ok(())
    }
}

/// Parses and compiles a query. Its tables hash with a seed of this run, so that nobody who writes
/// logs can choose keys that collide.
fn planned(text: &str) -> Result<(Query, Plan), QueryError> {
    let query = Query::parse(text)?;
    let seed = RandomState::new().build_hasher().finish();
    let plan = Plan::new(&query)?.with_seed(seed);
    Ok((query, plan))
}

/// What the last object of `--json` has beside the totals of a search. Users rely on its shape.
#[derive(Serialize)]
struct Counted {
    rows: u64,
    unparsed: u64,
    without_time: u64,
    not_numbers: u64,
}

impl Counted {
    fn of(rows: &Rows) -> Counted {
        let counts = &rows.counts;
        Counted {
            rows: rows.rows.len() as u64,
            unparsed: counts.unparsed,
            without_time: counts.without_time,
            not_numbers: counts.not_numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a plan, two runs have all but the seed in common.
    #[test]
    fn each_run_hashes_with_a_seed_of_its_own() {
        let shown = || format!("{:?}", planned("| logfmt | count by k").unwrap().1);
        assert_ne!(shown(), shown());
    }
}
