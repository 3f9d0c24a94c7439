//! The commands, one file each.

mod check;
mod demo;
pub(crate) mod events;
pub(crate) mod grep;
mod join;
mod key;
mod leave;
mod list;
mod log;
mod metrics;
mod status;
mod top;
mod wait;

use std::process::ExitCode;

use clap::Subcommand;

use crate::connection::Daemon;
use crate::exit::{Exit, Failure};

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Join the group, through the configured introducers or those given
    Join(join::Join),
    /// Leave the group
    Leave,
    /// List the members that are up, for people or for other programs
    List(list::List),
    /// Show how the local daemon is doing
    Status(status::Status),
    /// Follow membership changes as they happen, or run a command for each
    Events(events::Events),
    /// Print what the local daemon measures, in Prometheus' text format
    Metrics,
    /// Watch the group on one screen
    Top(top::Top),
    /// Search the logs of all members, with grep's options
    #[command(disable_help_flag = true)]
    Grep(grep::Grep),
    /// Make and list the group's keys; works on files, without a daemon
    #[command(subcommand, after_help = key::CHANGING)]
    Key(key::Key),
    /// Watch a fleet of real daemons on this machine find a crash
    Demo(demo::Demo),
    /// Look settings over, as the daemon does when it starts
    Check(check::Check),
    /// Wait until the list is as it should be
    Wait(wait::Wait),
    /// Show or set how much the daemon logs
    Log(log::Log),
}

impl Command {
    /// Does it, says on standard error what failed, and returns the exit status.
    pub(crate) fn run(&self, daemon: &Daemon) -> ExitCode {
        let done = match self {
            Command::Join(join) => join.run(daemon),
            Command::Leave => leave::run(daemon),
            Command::List(list) => list.run(daemon),
            Command::Status(status) => status.run(daemon),
            Command::Events(events) => events.run(daemon),
            Command::Metrics => metrics::run(daemon),
            Command::Top(top) => top.run(daemon),
            Command::Grep(grep) => return grep.run(daemon),
            Command::Key(key) => key.run(),
            Command::Demo(demo) => demo.run(),
            Command::Check(check) => check.run(),
            Command::Wait(wait) => wait.run(daemon),
            Command::Log(log) => log.run(daemon),
        };
        ExitCode::from(done.map_or_else(|failure| ended(&failure), |()| Exit::Done) as u8)
    }
}

fn ended(failure: &Failure) -> Exit {
    failure.report();
    failure.exit()
}
