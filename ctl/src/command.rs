//! The commands, one file each.

mod asked_members;
mod check;
mod demo;
pub(crate) mod events;
mod file;
mod files;
mod forget;
pub(crate) mod grep;
mod join;
mod key;
mod leader;
mod leave;
mod list;
mod log;
mod metrics;
mod reload;
mod run;
mod stats;
mod status;
mod stream;
mod top;
mod view;
mod wait;

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use crate::connection::Daemon;
use crate::exit::{Exit, Failure};
use crate::named_command as named;

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Join the group through the configured introducers, or through those given
    Join(join::Join),
    /// Leave the group
    Leave,
    /// List the members that are up, for people or for other programs
    List(list::List),
    /// Show the state of the local daemon
    Status(status::Status),
    /// Follow changes of the members and of the agreed views, or run a command for each
    Events(events::Events),
    /// Print the metrics of the local daemon in Prometheus' text format
    Metrics,
    /// Watch the group on one screen
    Top(top::Top),
    /// Search the logs of all members, with grep's options
    #[command(disable_help_flag = true)]
    Grep(grep::Grep),
    /// Count, sum and group the lines of all members' logs
    Stats(stats::Stats),
    /// List the files of all members that can be searched
    Files(files::Files),
    /// Generate and list the group's keys, in files and without a daemon
    #[command(subcommand, after_help = key::CHANGING)]
    Key(key::Key),
    /// Start a fleet on this machine, and watch it detect a crash
    Demo(demo::Demo),
    /// Check the settings as the daemon does when it starts, or show them
    Check(check::Check),
    /// Have the daemon reload its settings, and show what has changed
    Reload(reload::Reload),
    /// Wait until the list has the given members
    Wait(wait::Wait),
    /// Forget machines that failed or left, on all members
    Forget(forget::Forget),
    /// Show or set the level of the daemon's log
    Log(log::Log),
    /// Show the agreed view of the group, or recover it
    View(view::View),
    /// Show the leader, ask whether it is this machine, or hand over
    Leader(leader::Leader),
    /// Run a command on one machine of the group
    Run(run::Run),
    /// Keep files on the members: put, get, append, list and remove them
    #[command(subcommand, after_help = file::DETAILS)]
    File(file::File),
    /// Count lines of all members' logs for as long as it takes, each once
    #[command(subcommand, after_help = stream::DETAILS)]
    Stream(stream::Stream),
}

impl Command {
    /// Runs the command, prints on standard error what failed, and returns the exit status.
    pub(crate) fn run(&self, daemon: &Daemon) -> ExitCode {
        // wait looks once then.
        if daemon.timeout == Some(Duration::ZERO) && !matches!(self, Command::Wait(_)) {
            let line = format!("the timeout must be greater than 0: try {} --help", named());
            return ExitCode::from(report(&Failure::usage(line)) as u8);
        }
        let done = match self {
            Command::Join(join) => join.run(daemon),
            Command::Leave => leave::run(daemon),
            Command::Forget(forget) => forget.run(daemon),
            Command::List(list) => list.run(daemon),
            Command::Status(status) => status.run(daemon),
            Command::Events(events) => events.run(daemon),
            Command::Metrics => metrics::run(daemon),
            Command::Top(top) => top.run(daemon),
            Command::Grep(grep) => return grep.run(daemon),
            Command::Stats(stats) => return stats.run(daemon),
            Command::Files(files) => return files.run(daemon),
            Command::Key(key) => key.run(),
            Command::Demo(demo) => demo.run(),
            Command::Check(check) => check.run(),
            Command::Reload(reload) => reload.run(daemon),
            Command::Wait(wait) => wait.run(daemon),
            Command::Log(log) => log.run(daemon),
            Command::View(view) => view.run(daemon),
            Command::Leader(leader) => leader.run(daemon),
            Command::Run(run) => return run.run(daemon),
            Command::File(file) => file.run(daemon),
            Command::Stream(stream) => stream.run(daemon),
        };
        ExitCode::from(done.map_or_else(|failure| report(&failure), |()| Exit::Done) as u8)
    }
}

fn report(failure: &Failure) -> Exit {
    failure.report();
    failure.exit()
}
