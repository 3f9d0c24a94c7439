//! `memberctl stream start`: starts a job.

use std::path::PathBuf;

use clap::ValueHint;
use memberd_control::streams::{StreamReply, StreamRequest};

use super::{ask, check, json};
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::Failure;
use crate::format;
use crate::output::Output;

/// Starts a job.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It returns once the job is in the table of jobs, on the disks of a majority: from then on it runs \
until it is cancelled, whatever crashes. A job never changes. To ask otherwise, cancel it, and \
start another one with a name and a sink of its own.

The file is what memberctl stream check takes. /usr/share/doc/memberd/examples/stream.toml \
explains each key.

--json prints one object as list does, without jobs around it.")]
pub(crate) struct Start {
    /// The file
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Start {
    /// The job of this file, for people.
    pub(in crate::command) fn plain(file: PathBuf) -> Start {
        Start { file, json: false }
    }

    /// Starts it.
    pub(in crate::command) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let spec = Box::new(check::good(&self.file)?.spec);
        let StreamReply::Started(job) = ask::ask(daemon, StreamRequest::Start(spec))? else {
            return Err(unexpected_reply());
        };
        let mut output = Output::new();
        match self.json {
            true => output.object(&json::Job::from(&job)),
            false => output.line(&format::printable(&format!(
                "started {}; its rows go to {}",
                job.name, job.sink
            ))),
        }
    }
}
