//! `memberctl stream forget`: gives up the files of a machine.

use clap::ValueHint;
use memberd_control::streams::StreamRequest;

use super::{ask, json};
use crate::connection::Daemon;
use crate::exit::Failure;
use crate::format;
use crate::output::Output;

/// Gives up the files of a machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only for a machine whose disk will not come back. What it wrote and no job had counted is lost: \
each of its files ends with a row in the sink, whose second column is gap. Windows that wait for \
it (on_failed = \"wait\") go on.

Until then its lines count as soon as it is back, however late. memberctl forget is another \
command: it takes a machine out of the list.

--json prints an object with schema, name (the machine) and done (true).")]
pub(crate) struct Forget {
    /// The machine, which failed or left
    // The completions make such machines of the users that the hint says: clap has no better one.
    #[arg(value_name = "MEMBER", value_hint = ValueHint::Username)]
    member: String,

    /// Only in this job; by default in all in which it takes part
    #[arg(long, value_name = "NAME", value_parser = ask::name)]
    job: Option<String>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Forget {
    /// Gives them up.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let (name, member) = (self.job.clone(), self.member.clone());
        ask::order(daemon, StreamRequest::Forget { name, member })?;
        let mut output = Output::new();
        let member = format::printable(&self.member);
        match (self.json, &self.job) {
            (true, _) => output.object(&json::Done::of(&self.member)),
            (false, None) => output.line(&format!("forgot the files of {member} in all jobs")),
            (false, Some(job)) => output.line(&format!("forgot the files of {member} in {job}")),
        }
    }
}
