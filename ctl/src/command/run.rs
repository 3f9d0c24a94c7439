//! `memberctl run --leader -- CMD` and `run --once KEY -- CMD`: runs a command on one machine of
//! the fleet.

mod leading;
mod once;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgGroup, ValueHint};
use memberd_control::message::MAX_CLAIM_KEY;

use crate::connection::Daemon;
use crate::exit::Failure;

/// What stands below the help.
const DETAILS: &str = "\
CMD needs [agreement] enabled = true on all machines. MEMBERD_TERM in its environment is the \
token: it grows with every change of the leader. A store that refuses a smaller token than it has \
seen is safe even from a machine that stood still.

With --leader, run waits until this machine is the exclusive leader, and then runs CMD in a \
process group of its own. When the lease is not renewed, the group gets SIGTERM 1 s before the end \
of the lease, and SIGKILL 250 ms before it, also without a memberd and if memberctl itself was \
stopped or killed. When the leadership is handed over, it gets SIGTERM at once. What CMD has \
started and left running is killed when CMD ends. SIGINT, SIGTERM and SIGHUP are passed on to the \
group, and CMD cannot read from a terminal. Exclusive means: no other machine whose clocks run is \
exclusive at the same time. A machine that was suspended kills CMD only when it wakes, and what \
CMD has sent by then may arrive later.

With --once, all machines may run the same command at the same time, and one of them runs CMD: the \
first to claim KEY in an agreed view. The others end with status 0, and name it on a terminal and \
in the journal. A key is claimed once, so put the date of the run into it. The last 1024 keys are \
remembered. CMD runs at most once, also if its machine crashes. With --retry a machine that asks \
later claims the key if the claimant is not a member any more, so CMD may run twice.

Exit status: that of CMD, or 128 and the number of the signal that ended it. 125 if the leadership \
was lost before CMD had ended, 126 if CMD cannot be executed, 127 if it was not found. Before CMD \
begins, the status is that of other commands: 4 memberd not reachable, 124 no majority in time.

For example:
  memberctl run --leader -- /usr/local/bin/scheduler
  memberctl run --once \"backup-$(date -u +%F)\" -- /usr/local/bin/backup";

/// Runs a command on one machine.
#[derive(Debug, clap::Args)]
#[command(
    group(ArgGroup::new("when").required(true).args(["leader", "once"])),
    after_help = DETAILS
)]
pub(crate) struct Run {
    /// Run it as long as this machine is the exclusive leader
    #[arg(long)]
    leader: bool,

    /// Run it if this machine is the first of all to claim this key
    #[arg(long, value_name = "KEY", value_parser = key)]
    once: Option<String>,

    /// Claim the key also if the machine that had it is not a member any more
    #[arg(long, requires = "once", conflicts_with = "leader")]
    retry: bool,

    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, last = true)]
    #[arg(value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

impl Run {
    /// Returns the status of the command.
    pub(super) fn run(&self, daemon: &Daemon) -> ExitCode {
        let status = match &self.once {
            Some(key) => once::run(key, self.retry, &self.command, daemon),
            None => leading::run(&self.command, daemon),
        };
        ExitCode::from(status.unwrap_or_else(|failure| report(&failure)))
    }
}

fn report(failure: &Failure) -> u8 {
    failure.report();
    failure.exit() as u8
}

/// A key, which is a name on all machines.
fn key(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a key has at least one character".to_owned()),
        _ if text.len() > MAX_CLAIM_KEY => Err(format!("a key has at most {MAX_CLAIM_KEY} bytes")),
        _ if text.chars().any(char::is_control) => {
            Err("a key has no control characters".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}
