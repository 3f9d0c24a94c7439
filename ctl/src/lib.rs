//! memberctl, a client of the local memberd.

mod agreed;
mod arguments;
mod changes;
mod command;
mod connection;
mod exit;
mod format;
mod interrupted;
mod json;
mod lease;
mod members;
mod moment;
mod output;
mod process;
mod program;
mod ranges;
mod report;
mod view_events;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueHint};

use crate::command::Command;
use crate::connection::Daemon;
use crate::exit::{Exit, Failure};

/// What stands below the help.
const AFTER_HELP: &str = "\
Exit status: 0 done, 1 failed or nobody listed, 2 wrong usage, 4 memberd not reachable, \
5 not permitted, 6 protocol versions differ, 124 timed out. The status of grep is that of \
GNU grep: 0 a line matched, 1 none did, 2 an error occurred; and 3 a member did not answer. With \
stats it is 0 there is a row, 1 there is none, 2 an error occurred or a member is missing.

--socket and --timeout may also stand behind the command; with grep, before grep's own options.

Start with memberctl status, list and top. The help of each command and the manual have examples.";

/// Join and leave the group, list its members, and search their logs
#[derive(Debug, Parser)]
#[command(name = "memberctl", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    daemon: Daemon,

    #[command(subcommand)]
    command: Command,
}

/// Runs the program, and returns its exit status.
pub fn main() -> ExitCode {
    if let Some(status) = lease::helper() {
        return status;
    }
    match Cli::try_parse() {
        Ok(cli) => cli.command.run(&cli.daemon),
        Err(error) => report_usage_error(&error),
    }
}

/// The command line, from which the manual pages are generated.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// The command line with all of grep's options, from which the shells' completions are generated.
/// Arguments that are members' names have the hint `Hostname`.
pub fn completed_line() -> clap::Command {
    let about = |grep: &clap::Command| grep.get_about().cloned();
    let line = Cli::command().mut_subcommand("grep", |grep| {
        command::grep::completion::command().about(about(&grep).unwrap_or_default())
    });
    without_files(line)
}

/// The same command line, in which no shell offers files for an option's value that is none. zsh
/// completes no options any more beside an operand without an action.
fn without_files(command: clap::Command) -> clap::Command {
    let is_any = |arg: &clap::Arg| {
        arg.get_action().takes_values()
            && !arg.is_positional()
            && arg.get_value_hint() == ValueHint::Unknown
            && arg.get_possible_values().is_empty()
    };
    let other = |arg: clap::Arg| if is_any(&arg) { arg.value_hint(ValueHint::Other) } else { arg };
    command.mut_args(other).mut_subcommands(without_files)
}

/// Prints help and version as clap has them, and a usage error in one line.
fn report_usage_error(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let print = || {
            let printed = error.print().and_then(|()| std::io::stdout().flush());
            printed.map_err(|error| output::lost(&error))
        };
        let open = if error.use_stderr() { Ok(()) } else { output::check_open() };
        let exit = match open.and_then(|()| print()) {
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
    // What the user may have meant.
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: a similar "));
    let tip = tip.map(|tip| format!("; a similar {tip}")).unwrap_or_default();
    Failure::usage(format!("{complaint}{tip}: try {} --help", named_command())).report();
    ExitCode::from(Exit::Usage as u8)
}

/// The command whose help the user needs: memberctl with the subcommands of the command line.
fn named_command() -> String {
    let line = Cli::command();
    let (mut command, mut names) = (&line, line.get_name().to_owned());
    for word in std::env::args_os().skip(1) {
        if let Some(subcommand) = word.to_str().and_then(|word| command.find_subcommand(word)) {
            command = subcommand;
            names = format!("{names} {}", command.get_name());
        }
    }
    names
}
