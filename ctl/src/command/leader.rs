//! `memberctl leader`: shows who leads, whether it is this machine, and hands over.

mod hold;

use std::time::Duration;

use clap::{ArgGroup, Subcommand, ValueHint};
use memberd_control::message::{Checked, LeaderRecord, LeaderRequest, Reply, Request};

use crate::agreed;
use crate::arguments;
use crate::connection::{Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure};
use crate::format;
use crate::json;
use crate::lease::BootTime;
use crate::output::Output;

/// How long to wait for a leader unless the user chose a time.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// What stands below the help.
const DETAILS: &str = "\
The council of the newest view elects the leader. The leader is exclusive while a majority of the \
council has promised to follow no other: at most one machine whose clocks run is so at a time. It \
needs [agreement] enabled = true on all machines.

--check asks a majority. It prints the token on standard output and ends with 0 if this machine is \
exclusive, for the time of --for at least. Otherwise it ends with 1, or with 124 if no majority \
answered in time, and says why on standard error.

A check is no lock. In 'memberctl leader --check && JOB' the job may run on after the leadership \
was lost. memberctl run --leader ends the job in time; with --check, JOB has to hand the token to \
a store that refuses a smaller one.

--hold is for memberd-leader.service. It waits until this machine is exclusive, tells systemd so \
(sd_notify(3): READY=1, then WATCHDOG=1 for as long as the lease holds), and ends with status 1 \
when the leadership is lost, or 1 s before the lease ends.

A JSON object has leader (null if none is known), term, exclusive and here.

For example:
  memberctl leader --check --for 1s && echo \"I lead for another second\"
  memberctl leader hand-over && memberctl leader --wait";

/// Shows the leader.
#[derive(Debug, clap::Args)]
#[command(
    group(ArgGroup::new("what").args(["check", "wait", "hold"])),
    after_help = DETAILS
)]
pub(crate) struct Leader {
    /// Print a JSON object
    #[arg(long, conflicts_with_all = ["check", "hold"])]
    json: bool,

    /// Whether this machine is the exclusive leader; this is no lock, see below
    #[arg(long)]
    check: bool,

    /// Whether it will be so for this long: seconds, or with a unit
    #[arg(long = "for", value_name = "TIME", requires = "check")]
    #[arg(value_parser = arguments::duration)]
    at_least: Option<Duration>,

    /// Wait until some machine is the exclusive leader
    #[arg(long)]
    wait: bool,

    /// Be the leader's mark: wait until this machine is exclusive, and end when it is not any more
    #[arg(long)]
    hold: bool,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Give up the leadership on this machine, for example before work on it
    #[command(after_help = "It returns once another machine leads. Without NAME that is the next \
        in the council's order. What runs under memberctl run --leader here gets SIGTERM first, \
        and the next leader is exclusive as soon as that has ended. For memberd-leader.service \
        the rest of the lease is waited for, so that the units bound to it can end.")]
    HandOver {
        /// The next leader, a member of the council
        #[arg(value_name = "NAME", value_hint = ValueHint::Hostname)]
        to: Option<String>,
    },
}

impl Leader {
    /// `memberctl leader` without options.
    pub(super) fn plain() -> Leader {
        Leader { json: false, check: false, at_least: None, wait: false, hold: false, action: None }
    }

    /// Prints the leader, or does what else was asked.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        match &self.action {
            Some(_) if self.json || self.check || self.wait || self.hold => {
                Err(Failure::usage("hand-over takes no such option: try memberctl leader --help"))
            }
            Some(Action::HandOver { to }) => hand_over(to.clone(), daemon),
            None if self.hold => hold::run(daemon),
            None if self.check => check(self.at_least.unwrap_or_default(), daemon),
            None if self.wait => self.print(&wait(daemon)?),
            None => self.print(&fetch(LeaderRequest::Show, daemon, agreed::REPLY_TIMEOUT)?),
        }
    }

    fn print(&self, leader: &LeaderRecord) -> Result<(), Failure> {
        let mut output = Output::new();
        match self.json {
            true => output.object(&json::Leader::from(leader)),
            false => output.line(&line(leader)),
        }
    }
}

fn fetch(
    request: LeaderRequest,
    daemon: &Daemon,
    timeout: ReplyTimeout,
) -> Result<LeaderRecord, Failure> {
    let mut connection = agreed::ask(daemon, &Request::Leader(request), timeout)?;
    match agreed::reply(&mut connection)? {
        Reply::Leader(leader) => Ok(leader),
        _ => Err(unexpected_reply()),
    }
}

fn wait(daemon: &Daemon) -> Result<LeaderRecord, Failure> {
    let leader = fetch(LeaderRequest::Wait, daemon, ReplyTimeout::For(WAIT_TIMEOUT));
    leader.map_err(|failure| match failure.exit() {
        Exit::TimedOut => agreed::waited_in_vain(daemon, WAIT_TIMEOUT, "no leader is exclusive"),
        _ => failure,
    })
}

fn hand_over(to: Option<String>, daemon: &Daemon) -> Result<(), Failure> {
    let timeout = ReplyTimeout::For(WAIT_TIMEOUT);
    let leader = fetch(LeaderRequest::HandOver { to }, daemon, timeout)?;
    Output::new().line(&line(&leader))
}

/// Prints the token if this machine is exclusive for this long.
fn check(at_least: Duration, daemon: &Daemon) -> Result<(), Failure> {
    let for_ms = u64::try_from(at_least.as_millis()).unwrap_or(u64::MAX);
    let request = Request::Leader(LeaderRequest::Check { for_ms });
    let mut connection = agreed::ask(daemon, &request, agreed::REPLY_TIMEOUT)?;
    let (term, until) = match agreed::reply(&mut connection)? {
        Reply::Checked(Checked::Exclusive { term, until_boot_ns }) => {
            (term, BootTime(until_boot_ns))
        }
        Reply::Checked(Checked::Not { reason }) => return Err(Failure::new(Exit::Failed, reason)),
        _ => return Err(unexpected_reply()),
    };
    // This process, or the machine, may have stood still since the daemon looked.
    let left = until.since(now()?);
    if left.is_zero() || left < at_least {
        let left = format::duration(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let reason = format!("this machine is exclusive for {left} only: try again");
        return Err(Failure::new(Exit::Failed, reason));
    }
    Output::new().line(&term.to_string())
}

fn now() -> Result<BootTime, Failure> {
    BootTime::now().map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot read the clock of this machine: {error}"))
    })
}

/// `vm3 leads in term 7 and is exclusive, for 3 min; it is this machine`
fn line(record: &LeaderRecord) -> String {
    let Some(leader) = &record.leader else {
        return format!("no leader is known; the last term was {}", record.term);
    };
    let exclusive = if record.exclusive { " and is exclusive" } else { ", not exclusive yet" };
    let here = if record.here { "; it is this machine" } else { "" };
    let since = record.for_ms.map(|ms| format!(", for {}", format::duration(ms)));
    format!(
        "{} leads in term {}{exclusive}{}{here}",
        format::printable(leader),
        record.term,
        since.unwrap_or_default()
    )
}
