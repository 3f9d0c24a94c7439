//! memberctl: talks to the local memberd.

mod changes;
mod command;
mod connection;
mod exit;
mod format;
mod glob;
mod json;
mod members;
mod moment;
mod output;
mod program;
mod report;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::command::Command;
use crate::connection::Daemon;
use crate::exit::{Exit, Failure};

/// Talks to the local memberd: join and leave the group, list its members, search their logs
#[derive(Debug, Parser)]
#[command(name = "memberctl", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 done, 1 could not be done or nobody listed, 2 wrong usage, 4 \
    memberd \
not reachable, 5 not permitted, 6 protocol versions differ, 124 timed out. That of \
grep is grep's: 0 a line matched, 1 none did, 2 an error, 3 a member did not answer.

Begin with memberctl status, list and top. There are examples in the help of \
each command and in the manual."
)]
struct Cli {
    #[command(flatten)]
    daemon: Daemon,

    #[command(subcommand)]
    command: Command,
}

/// The whole program.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.command.run(&cli.daemon),
        Err(error) => misunderstood(&error),
    }
}

/// The command line, of which the manual pages are made.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// The command line with all of grep's options, of which the shells' completions are made.
/// Arguments that are members' names have the hint `Hostname`.
pub fn completed_line() -> clap::Command {
    let about = |grep: &clap::Command| grep.get_about().cloned();
    Cli::command().mut_subcommand("grep", |grep| {
        command::grep::completion::command().about(about(&grep).unwrap_or_default())
    })
}

/// Help and version go out as they are; of a usage error only what is wrong, in one line.
fn misunderstood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        let exit = match printed.map_err(|error| output::lost(&error)) {
            _ if error.use_stderr() => Exit::Usage,
            Ok(()) => Exit::Done,
            Err(failure) => {
                failure.report();
                failure.exit()
            }
        };
        return ExitCode::from(exit as u8);
    }
    let text = error.to_string();
    let complaint: Vec<&str> =
        text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let complaint = complaint.join(" ");
    let complaint = complaint.strip_prefix("error: ").unwrap_or(&complaint);
    // What may have been meant.
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: a similar "));
    let tip = tip.map(|tip| format!("; a similar {tip}")).unwrap_or_default();
    Failure::usage(format!("{complaint}{tip}: try {} --help", asked_for())).report();
    ExitCode::from(Exit::Usage as u8)
}

/// The command whose help is the one to read: memberctl with the subcommands that the line names.
fn asked_for() -> String {
    let line = Cli::command();
    let (mut command, mut words) = (&line, line.get_name().to_owned());
    for word in std::env::args_os().skip(1) {
        if let Some(subcommand) = word.to_str().and_then(|word| command.find_subcommand(word)) {
            command = subcommand;
            words = format!("{words} {}", command.get_name());
        }
    }
    words
}
