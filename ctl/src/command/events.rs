//! `memberctl events`: prints changes of the membership and of the agreed views as they happen, or
//! runs a command for each.

mod exec;

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::ValueHint;
use jiff::Zoned;
use memberd_control::message::{
    Change, EventRecord, EventsFrom, MemberStatus, ViewChange, ViewEventRecord,
};

use self::exec::Runner;
use crate::arguments;
use crate::changes::{self, Changes, Resumption, Update};
use crate::connection::{Daemon, ReplyTimeout};
use crate::exit::{Exit, Failure, print_message};
use crate::format;
use crate::moment::{moment, past_moment};
use crate::output::{ColorChoice, Output, Style};
use crate::view_events;

/// How many changes of the past are printed without `--since`.
const SHOWN: u64 = 10;

/// The time limits that the command of `--exec` may have.
const EXEC_LIMITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);

/// The pause between two attempts to reach a lost daemon for `--exec`.
const RECONNECT_EVERY: Duration = Duration::from_secs(1);

/// What stands below the help.
const DETAILS: &str = "\
Without --since, the last ten changes come first; with --json or --exec none of the past; with \
--until all of it. memberd remembers the last 1024 changes since it started. A gap in the changes \
is reported where it is. Changes that happen while this machine is out of the group are not known.

A time of --since and --until is a duration before now (1h30m, 2 days), now, today, yesterday, \
14:00 (for --since the last one), 2026-11-21, 2026-11-21 14:00 UTC, 2026-11-21T14:00:00Z or \
seconds since 1970 (@1763688033). memberctl(1) lists all, under TIMES.

An object of --json has time (milliseconds since 1970), event (joined, failed, left, tagged or \
forgotten), status (alive, failed or left) and member, as list --json has it. An object with event \
tagged or forgotten has no status. That of tagged has the member's new tags. An object with missed \
reports a gap: the changes before until are missing, and count is their number, if that is known.

With agreed views their events are among the others. Such an object has time, event (view, leader \
or stale), change (installed, pending or finished; elected or lost; stale or fresh), number (of \
the view) and no member. Depending on the change it has term, leader, members (their number), \
added, removed, operations (each with operation and name), by, reason, missing and after_ms.

CMD is run by /bin/sh, once for each change, one at a time. Its environment has MEMBERD_EVENT \
(joined, failed, left, tagged or forgotten; gap if changes were missed), MEMBERD_NAME, MEMBERD_ID, \
MEMBERD_ADDRESS, MEMBERD_PORT, MEMBERD_INCARNATION and MEMBERD_TIME. A failure also has \
MEMBERD_NOTICED_BY and MEMBERD_SILENT_MS. Each tag has a variable, such as MEMBERD_TAG_ROLE. An \
event of the agreed views has MEMBERD_EVENT (view, leader or stale), MEMBERD_CHANGE, MEMBERD_TIME \
and MEMBERD_VIEW. Depending on the change it has MEMBERD_TERM, MEMBERD_LEADER, MEMBERD_MEMBERS, \
MEMBERD_ADDED, MEMBERD_REMOVED, MEMBERD_OPERATIONS, MEMBERD_BY, MEMBERD_REASON, MEMBERD_MISSING \
and MEMBERD_AFTER_MS; and it has no member. The object of --json is on \
standard input. With --exec, memberctl waits for a daemon that goes away to come back.

Examples:
  memberctl events --since 1h               all of the last hour, then what happens
  memberctl events --since 1h --until now   all of the last hour, and no more
  memberctl events --since 2026-11-21T01:20:00Z --json
  memberctl events --exec 'logger \"$MEMBERD_NAME $MEMBERD_EVENT\"'";

/// Follows changes of the membership and of the agreed views.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Events {
    /// Start with the remembered changes since this time: 10m, 2h, today, 14:00 and more, see below
    #[arg(
        long,
        value_name = "WHEN",
        value_parser = parse_past_moment,
        allow_hyphen_values = true
    )]
    since: Option<u64>,

    /// Print only changes before this time, as in --since, or now; a time to come is waited for
    #[arg(long, value_name = "WHEN", value_parser = parse_moment, allow_hyphen_values = true)]
    until: Option<u64>,

    /// Print a JSON object on each line
    #[arg(long)]
    json: bool,

    /// Run a command for each change instead of printing it
    #[arg(long, value_name = "CMD", conflicts_with = "json")]
    #[arg(value_hint = ValueHint::CommandString)]
    exec: Option<String>,

    /// How long the command may run before it is killed: seconds, or with a unit, up to 1h
    #[arg(long, value_name = "TIME", default_value = "30s")]
    #[arg(requires = "exec", value_parser = parse_limit)]
    exec_timeout: Duration,

    #[command(flatten)]
    color: ColorChoice,
}

impl Events {
    /// Reports each change as it happens, until the given moment, or until the daemon or the reader
    /// goes away.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(Failure::usage(
                "'--since' is not before '--until': try memberctl events --help",
            ));
        }
        match &self.exec {
            Some(command) => self.run_commands(command, daemon),
            None => self.print(daemon),
        }
    }

    fn from(&self) -> EventsFrom {
        match self.since {
            Some(moment) => EventsFrom::Since(moment),
            None if self.until.is_some() => EventsFrom::Last(u64::MAX),
            None if self.json || self.exec.is_some() => EventsFrom::Last(0),
            None => EventsFrom::Last(SHOWN),
        }
    }

    fn ask(&self, from: EventsFrom, daemon: &Daemon) -> Result<Changes, Failure> {
        Changes::follow(daemon, from, self.until, ReplyTimeout::Never)
    }

    fn print(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut changes = self.ask(self.from(), daemon)?;
        let mut output = Output::with(self.color);
        while let Some(update) = changes.next_while_read()? {
            match update {
                update if self.json => output.text(&update.json()?)?,
                Update::Event(event) => {
                    let line = line(&output, &event);
                    output.line(&line)?;
                }
                Update::View(event) => {
                    let line = view_line(&output, &event);
                    output.line(&line)?;
                }
                Update::Missed(missed) => {
                    let line = format!(
                        "{}  {}",
                        format::timestamp(missed.until),
                        changes::describe_gap(&missed)
                    );
                    let line = output.styled(Style::Yellow, &line);
                    output.line(&line)?;
                }
            }
        }
        Ok(())
    }

    /// Runs the command for each change. After the daemon was lost, this waits for it, and asks for
    /// the changes since then.
    fn run_commands(&self, command: &str, daemon: &Daemon) -> Result<(), Failure> {
        let mut runner = Runner::start(command.to_owned(), self.exec_timeout);
        let mut resumption = Resumption::new(self.from());
        let mut changes = self.ask(resumption.from(), daemon)?;
        loop {
            match changes.next() {
                Ok(Some(update)) if resumption.is_new(&update) => runner.enqueue(update)?,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(failure) if failure.exit() == Exit::Unreachable => {
                    resumption.lost(format::now());
                    changes = self.reconnect(resumption.from(), daemon, &failure)?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Reports that the daemon is lost, and tries until it is back.
    fn reconnect(
        &self,
        from: EventsFrom,
        daemon: &Daemon,
        failure: &Failure,
    ) -> Result<Changes, Failure> {
        print_message(&format!("{failure}; waiting until it is back"));
        loop {
            std::thread::sleep(RECONNECT_EVERY);
            match self.ask(from, daemon) {
                Err(failure) if failure.exit() == Exit::Unreachable => {}
                changes => return changes,
            }
        }
    }
}

/// A time limit for the command.
fn parse_limit(text: &str) -> Result<Duration, String> {
    match arguments::duration(text)? {
        limit if EXEC_LIMITS.contains(&limit) => Ok(limit),
        _ => Err("from 1s to 1h".to_owned()),
    }
}

/// A moment, in milliseconds since the Unix epoch. A moment before the epoch counts as the epoch.
fn parse_moment(text: &str) -> Result<u64, String> {
    moment(text, &Zoned::now()).map(since_1970)
}

/// As [`parse_moment`], but a moment of the past.
fn parse_past_moment(text: &str) -> Result<u64, String> {
    past_moment(text, &Zoned::now()).map(since_1970)
}

fn since_1970(moment: i64) -> u64 {
    u64::try_from(moment).unwrap_or(0)
}

fn line(output: &Output, event: &EventRecord) -> String {
    let style = match (event.change, event.status) {
        (Change::Liveness, MemberStatus::Alive) => Style::Green,
        (Change::Liveness, MemberStatus::Failed) => Style::Red,
        (Change::Liveness, MemberStatus::Left) | (Change::Tags | Change::Forgotten, _) => {
            Style::Dim
        }
    };
    let time = output.styled(Style::Dim, &format::timestamp(event.time));
    let name = format::printable(&event.member.name);
    let verb = output.styled(style, format::verb(event));
    let id = format::printable(&event.member.id);
    format!("{time}  {name} {verb}{}  ({id})", changes::detail(event))
}

fn view_line(output: &Output, event: &ViewEventRecord) -> String {
    let style = match event.change {
        ViewChange::Installed | ViewChange::Elected | ViewChange::Fresh => Style::Green,
        ViewChange::Lost | ViewChange::Stale => Style::Yellow,
        ViewChange::Pending | ViewChange::Finished => Style::Dim,
    };
    let time = output.styled(Style::Dim, &format::timestamp(event.time));
    let verb = output.styled(style, view_events::verb(event.change));
    format!("{time}  {verb}{}", view_events::detail(event))
}
