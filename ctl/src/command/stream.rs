//! `memberctl stream`: durable jobs. Each command on them has a file of its own.

mod ask;
mod cancel;
mod check;
mod forget;
mod help;
mod job_file;
mod json;
mod list;
mod rows;
mod sink;
mod sink_file;
mod start;
mod status;
mod watch;

use clap::Subcommand;

pub(super) use self::ask::status;
pub(super) use self::help::DETAILS;
pub(super) use self::sink_file::SinkFile;
pub(super) use self::start::Start;
use crate::connection::Daemon;
use crate::exit::Failure;

/// A command on jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Stream {
    /// Start a job that its file describes
    Start(Start),
    /// List the jobs
    List(list::List),
    /// Show all about a job: how far it is, who has which part
    Status(status::Status),
    /// Print the rows of a job as they come, each once
    Watch(watch::Watch),
    /// End a job; its rows stay
    Cancel(cancel::Cancel),
    /// Check the file of a job, without a daemon
    Check(check::Check),
    /// Give up the files of a machine whose disk will not come back
    Forget(forget::Forget),
}

impl Stream {
    /// Runs the command.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        match self {
            Stream::Start(start) => start.run(daemon),
            Stream::List(list) => list.run(daemon),
            Stream::Status(status) => status.run(daemon),
            Stream::Watch(watch) => watch.run(daemon),
            Stream::Cancel(cancel) => cancel.run(daemon),
            Stream::Check(check) => check.run(),
            Stream::Forget(forget) => forget.run(daemon),
        }
    }
}
