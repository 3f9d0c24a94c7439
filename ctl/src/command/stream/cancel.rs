//! `memberctl stream cancel`: ends a job.

use memberd_control::streams::StreamRequest;

use super::ask;
use super::json;
use crate::connection::Daemon;
use crate::exit::Failure;
use crate::output::Output;

/// Ends a job.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
All that was counted comes into the sink, also of windows that are open still, and then a last \
line: # cancelled, and how many rows there are. The sums are deleted, and the sink stays. It takes \
the members that have the parts of the job and the sink. Until they have done it the job is \
cancelling, and to cancel it again changes nothing.

--force does not wait for them: the job has ended at once. Rows and the last line may be missing \
in the sink then. It also ends a job that is cancelling already, as kill -9 does after kill.

--json prints an object with schema, name and done (true).")]
pub(crate) struct Cancel {
    /// The job
    #[arg(value_name = "NAME", value_parser = ask::name)]
    name: String,

    /// End it at once, although rows may be missing
    #[arg(long)]
    force: bool,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Cancel {
    /// Ends it.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        ask::order(daemon, StreamRequest::Cancel { name: self.name.clone(), force: self.force })?;
        let mut output = Output::new();
        match self.json {
            true => output.object(&json::Done::of(&self.name)),
            false => output.line(&format!("cancelled {}", self.name)),
        }
    }
}
