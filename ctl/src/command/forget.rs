//! `memberctl forget NAME...`: has all members forget machines that failed or left.

use std::time::Duration;

use clap::{ArgGroup, ValueHint};
use memberd_control::message::{Forget as Wanted, ForgottenReport, Reply, Request};

use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure, print_message};
use crate::format;
use crate::output::Output;

/// How long it may take. The daemon asks the other members, and each may take 2 s.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(60));

/// What stands below the help.
pub(super) const DETAILS: &str = "\
A machine that failed or left stays in the list for 24 hours ([group] forget_after), so that late \
news about it is known to be old. After forget it is gone at once: from list --all, from what grep \
says of the failed, and from the alerts. Nobody looks for it any more.

All members forget it, also those that are away now and come back later. Only a machine that is \
gone can be forgotten: to take out a live one, run memberctl leave on it. A forgotten machine may \
come back at any time. It joins as ever, under a new incarnation.

A member of an older version of memberd cannot forget. It is named on standard error, and goes on \
listing the machine until it is upgraded or the 24 hours are over.

Exit status 1 if a NAME is not in the list, or not gone. Then nobody is forgotten.

Examples:
  memberctl forget vm4       a machine that was taken away
  memberctl forget --failed  all that failed";

/// Forgets machines.
#[derive(Debug, clap::Args)]
#[command(
    group(ArgGroup::new("which").required(true).multiple(true).args(["names", "failed", "left"])),
    after_help = DETAILS
)]
pub(crate) struct Forget {
    /// Machines that failed or left
    // The completions make such machines of the users that the hint says: clap has no better one.
    #[arg(value_name = "NAME", value_hint = ValueHint::Username, value_parser = name)]
    #[arg(conflicts_with_all = ["failed", "left"])]
    names: Vec<String>,
    /// All that failed
    #[arg(long, conflicts_with = "left")]
    failed: bool,
    /// All that left
    #[arg(long)]
    left: bool,
}

/// A machine may be back under a name that a glob finds, so each is named.
fn name(text: &str) -> Result<String, String> {
    match text.contains(['*', '?', '[', '{', ',']) {
        true => Err("forget takes names and no globs: name each machine, or give --failed or \
                     --left"
            .to_owned()),
        false => Ok(text.to_owned()),
    }
}

impl Forget {
    /// Returns when the others were asked.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let wanted = match (self.failed, self.left) {
            (true, _) => Wanted::Failed,
            (_, true) => Wanted::Left,
            _ => Wanted::Named(self.names.clone()),
        };
        match Connection::ask(daemon, &Request::Forget(wanted), REPLY_TIMEOUT)?.reply() {
            Ok(Reply::Forgotten(report)) => self.print(&report),
            Ok(_) => Err(unexpected_reply()),
            // Only an older daemon does not understand the request.
            Err(failure) if failure.to_string().contains("unknown variant `Forget`") => {
                let words = "this memberd is older than memberctl: systemctl restart memberd";
                Err(Failure::new(Exit::Version, words))
            }
            Err(failure) => Err(failure),
        }
    }

    fn print(&self, report: &ForgottenReport) -> Result<(), Failure> {
        let mut output = Output::new();
        let names: Vec<&str> =
            report.ids.iter().map(|id| id.split('@').next().unwrap_or(id)).collect();
        if names.is_empty() {
            let how = if self.failed { "failed" } else { "left" };
            return output.line(&format!("no member is listed that {how}"));
        }
        for id in &report.ids {
            output.line(&format!("forgot {}", format::printable(id)))?;
        }
        let they = format::printable(&names.join(", "));
        for name in &report.older {
            let name = format::printable(name);
            print_message(&format!("{name} runs an older memberd: it goes on listing {they}"));
        }
        for name in &report.unanswered {
            let name = format::printable(name);
            print_message(&format!("{name} did not answer: it hears of it from others"));
        }
        if report.not_asked > 0 {
            let others = format::count(report.not_asked, "other member");
            print_message(&format!("{others} were not asked: they hear of it within seconds"));
        }
        Ok(())
    }
}
