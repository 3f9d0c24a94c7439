//! `memberctl stream list`: lists the jobs.

use memberd_control::streams::{StreamReply, StreamRequest, StreamSummary};

use super::{ask, json};
use crate::command::file::table;
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::Failure;
use crate::format;
use crate::output::Output;

/// Lists the jobs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A job is starting until each of its parts has an owner, then running. It is waiting if something \
keeps it from counting, such as a lost majority, and stopped if it cannot go on: then status says \
why. A cancelled job is cancelling until its last row is written.

--json prints one object with schema and jobs. Each has name, id, state, reason (null, or why it \
waits or has stopped), partitions (how many), sink and query.")]
pub(crate) struct List {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl List {
    /// Lists them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let StreamReply::List(jobs) = ask::ask(daemon, StreamRequest::List)? else {
            return Err(unexpected_reply());
        };
        let mut output = Output::new();
        match self.json {
            true => output.object(&json::Jobs::of(&jobs)),
            false if jobs.is_empty() => output.line("no jobs"),
            false => {
                let rows: Vec<[String; 4]> = jobs.iter().map(row).collect();
                let text = table::text(&output, ["JOB", "STATE", "SINK", "QUERY"], &rows);
                output.text(&text)
            }
        }
    }
}

fn row(job: &StreamSummary) -> [String; 4] {
    let StreamSummary { name, state, sink, query, .. } = job;
    [name, state.as_str(), sink, query.trim()].map(format::printable)
}
