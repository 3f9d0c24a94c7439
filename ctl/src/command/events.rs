//! `memberctl events`: membership changes as they happen, some of the past first.

mod exec;

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Zoned;
use memberd_control::message::{Change, EventRecord, EventsFrom, MemberStatus};

use self::exec::Runner;
use crate::changes::{self, Changes, Resumption, Told};
use crate::connection::{Daemon, Patience};
use crate::exit::{Exit, Failure, complain};
use crate::format;
use crate::moment::{moment, past_moment};
use crate::output::{ColorChoice, Output, Style};

/// How many changes of the past are shown to a person who does not say since when.
const SHOWN: u64 = 10;

/// How long the command of `--exec` may be allowed to take.
const EXEC_LIMITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);

/// How often a lost daemon is tried again for `--exec`.
const RECONNECT_EVERY: Duration = Duration::from_secs(1);

/// Follows membership changes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --since, the last ten changes come first; with --json or --exec, none of \
    the past; with --until, all of it. \
memberd remembers the last 1024 since it started. If changes that belong to the answer are not \
known any more, that is said where \
they would be. What changes while this machine is out of the group is not told.

A time of --since and --until is how long ago (ms, s, m, h, d, w, as 1h30m), now, today, \
yesterday, 14:00 (of --since the last such), 2026-11-21, \
2026-11-21 14:00, 2026-11-21T14:00:00Z or seconds since 1970 (@1763688033).

An object of --json has time (milliseconds since 1970), event (joined, failed, left or tagged), \
status (alive, failed or \
left; not with tagged, which says how the member's tags are now) and member, as list --json has \
it. One that has missed \
instead says that changes are missing: those before until, and how many they were where that is \
known.

CMD is run by /bin/sh, once for each change, one at a time. It finds MEMBERD_EVENT (joined, \
failed, left or tagged; gap if \
some were missed), MEMBERD_NAME, MEMBERD_ID, MEMBERD_ADDRESS, MEMBERD_PORT, MEMBERD_INCARNATION, \
MEMBERD_TIME, for a \
failure MEMBERD_NOTICED_BY and MEMBERD_SILENT_MS, and for each tag one as MEMBERD_TAG_ROLE in its \
environment, and the \
object of --json on standard input. With --exec, a daemon that goes away is waited for.

Examples:
  memberctl events --since 1h               all of the last hour, then what happens
  memberctl events --since 1h --until now   all of the last hour, and no more
  memberctl events --since 2026-11-21T01:20:00Z --json
  memberctl events --exec 'logger \"$MEMBERD_NAME $MEMBERD_EVENT\"'"
)]
pub(crate) struct Events {
    /// Begin with what is remembered since then: 10m, 2h, today, 14:00 and more, see below
    #[arg(long, value_name = "WHEN", value_parser = parse_past_moment)]
    since: Option<u64>,

    /// End with what was before then: now, for the past alone, or another time as with --since; one
    /// to come is waited for
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    until: Option<u64>,

    /// Print a JSON object on each line
    #[arg(long)]
    json: bool,

    /// Run a command for each change instead of printing it
    #[arg(long, value_name = "CMD", conflicts_with = "json")]
    exec: Option<String>,

    /// How long the command may take before it is killed: seconds, or with a unit, up to 1h
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "exec", value_parser = parse_limit)]
    exec_timeout: Duration,

    #[command(flatten)]
    color: ColorChoice,
}

impl Events {
    /// Tells each change as it happens, until the moment that is asked for, or until the daemon or
    /// the reader goes away.
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
        match self.until {
            Some(until) => Changes::until(daemon, from, until, Patience::Endless),
            None => Changes::follow(daemon, from, Patience::Endless),
        }
    }

    fn print(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut changes = self.ask(self.from(), daemon)?;
        let mut output = Output::with(self.color);
        while let Some(told) = changes.next_while_read()? {
            match told {
                told if self.json => output.text(&told.json()?)?,
                Told::Event(event) => {
                    let line = line(&output, &event);
                    output.line(&line)?;
                }
                Told::Missed(missed) => {
                    let line = format!(
                        "{}  {}",
                        format::timestamp(missed.until),
                        changes::missed_in_words(&missed)
                    );
                    let line = output.styled(Style::Yellow, &line);
                    output.line(&line)?;
                }
            }
        }
        Ok(())
    }

    /// Hands each change to the command. A daemon that went away is waited for, and asked for what
    /// happened since.
    fn run_commands(&self, command: &str, daemon: &Daemon) -> Result<(), Failure> {
        let mut runner = Runner::start(command.to_owned(), self.exec_timeout);
        let mut resumption = Resumption::new(self.from());
        let mut changes = self.ask(resumption.from(), daemon)?;
        loop {
            match changes.next() {
                Ok(Some(told)) if resumption.is_new(&told) => runner.hand(told)?,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(failure) if failure.exit() == Exit::Unreachable => {
                    resumption.lost(format::now());
                    changes = self.ask_again(resumption.from(), daemon, &failure)?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Tries until the daemon is back; says once that it is away.
    fn ask_again(
        &self,
        from: EventsFrom,
        daemon: &Daemon,
        failure: &Failure,
    ) -> Result<Changes, Failure> {
        complain(&format!("{failure}; waiting until it is back"));
        loop {
            std::thread::sleep(RECONNECT_EVERY);
            match self.ask(from, daemon) {
                Err(failure) if failure.exit() == Exit::Unreachable => {}
                changes => return changes,
            }
        }
    }
}

/// A command's time limit.
fn parse_limit(text: &str) -> Result<Duration, String> {
    match format::span(text)? {
        limit if EXEC_LIMITS.contains(&limit) => Ok(limit),
        _ => Err("from 1s to 1h".to_owned()),
    }
}

/// A moment, in milliseconds since the Unix epoch; one before it counts as its begin.
fn parse_moment(text: &str) -> Result<u64, String> {
    moment(text, &Zoned::now()).map(since_1970)
}

/// The same of one that is past.
fn parse_past_moment(text: &str) -> Result<u64, String> {
    past_moment(text, &Zoned::now()).map(since_1970)
}

fn since_1970(moment: i64) -> u64 {
    u64::try_from(moment).unwrap_or(0)
}

fn line(output: &Output, event: &EventRecord) -> String {
    let style = match (event.change, event.status) {
        (Change::Standing, MemberStatus::Alive) => Style::Green,
        (Change::Standing, MemberStatus::Failed) => Style::Red,
        (Change::Standing, MemberStatus::Left) | (Change::Tags, _) => Style::Dim,
    };
    let time = output.styled(Style::Dim, &format::timestamp(event.time));
    let name = format::printable(&event.member.name);
    let verb = output.styled(style, format::verb(event));
    let id = format::printable(&event.member.id);
    format!("{time}  {name} {verb}{}  ({id})", changes::detail(event))
}
