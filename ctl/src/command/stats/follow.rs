//! `stats --follow`: counts lines as they are written, and shows rows between, until it is
//! interrupted. It owns the pace.

use std::sync::Arc;
use std::time::{Duration, Instant};

use memberd_control::grep::GrepOutcome;
use memberd_control::message::{Reply, Request};
use memberd_control::stats::EVERY_MS;
use memberd_streams::{Limits, Plan};

use super::Status;
use super::gathering::{Gathering, RoundEnd};
use super::print::Form;
use super::view::View;
use crate::arguments;
use crate::command::grep::reports::Reports;
use crate::command::grep::tally::Tally;
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::Failure;
use crate::format;

/// The default of `--every`.
const EVERY: Duration = Duration::from_secs(1);

/// The default of `--keep`.
const KEEP: Duration = Duration::from_secs(60 * 60);

/// How often the size of a terminal is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The options of an answer that grows.
#[derive(Debug, clap::Args)]
pub(super) struct Follow {
    /// Count the lines that are written from now on, also on members that join, and show rows
    /// until interrupted
    #[arg(long, conflicts_with_all = ["since", "until", "rotated"])]
    follow: bool,

    /// With --follow, how often rows are shown if any has changed: 100ms to 1h [default: 1s]
    #[arg(long, value_name = "TIME", requires = "follow", value_parser = every)]
    every: Option<Duration>,

    /// With --follow, how long a window stays after its end, by the times of lines: 90s, 2h
    /// [default: 1h]
    #[arg(long, value_name = "TIME", requires = "follow", value_parser = arguments::duration)]
    keep: Option<Duration>,
}

/// Whether a table can be drawn in place on a terminal.
fn can_draw() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| !terminal.is_empty() && terminal != "dumb")
}

/// A time that members may be asked to wait between two rounds.
fn every(text: &str) -> Result<Duration, String> {
    let time = arguments::duration(text)?;
    match u64::try_from(time.as_millis()) {
        Ok(milliseconds) if EVERY_MS.contains(&milliseconds) => Ok(time),
        _ => Err("from 100ms to 1h".to_owned()),
    }
}

impl Follow {
    /// How often members send sums, in milliseconds. None if they are asked once.
    pub(super) fn every_ms(&self) -> Option<u64> {
        self.follow.then(|| u64::try_from(self.every().as_millis()).unwrap_or(u64::MAX))
    }

    fn every(&self) -> Duration {
        self.every.unwrap_or(EVERY)
    }

    /// Asks, and shows rows until the daemon ends.
    ///
    /// # Errors
    /// When the daemon is gone, or a limit is reached. What was counted before is shown.
    pub(super) fn run(
        &self,
        daemon: &Daemon,
        request: &Request,
        tally: Tally,
        plan: Arc<Plan>,
        (limits, form): (Limits, Form),
    ) -> Result<Status, Failure> {
        let form = match form {
            Form::Table if !can_draw() => Form::Tabs { header: true },
            form => form,
        };
        let view = View::new(form, Arc::clone(&plan))?;
        let connection = Connection::ask(daemon, request, ReplyTimeout::Never)?;
        connection.block_never()?;
        let mut following = Following {
            connection,
            gathering: Gathering::following(plan, limits),
            view,
            reports: Reports::new(true),
            tally,
            every: self.every(),
            keep: self.keep.unwrap_or(KEEP),
            has_grown: false,
            due: Instant::now(),
        };
        let ended = following.until_done();
        if !matches!(ended, Err(Failure::OutputClosed)) && following.has_grown {
            following.show()?;
        }
        ended.and_then(|()| following.end())
    }
}

/// An answer that grows.
struct Following {
    connection: Connection,
    gathering: Gathering,
    view: View,
    reports: Reports,
    tally: Tally,
    every: Duration,
    keep: Duration,
    /// Sums have come since rows were shown.
    has_grown: bool,
    /// When rows may be shown again.
    due: Instant,
}

impl Following {
    fn until_done(&mut self) -> Result<(), Failure> {
        loop {
            if self.has_grown && Instant::now() >= self.due {
                self.show()?;
            } else {
                self.view.fit()?;
            }
            let due = self.has_grown.then_some(self.due);
            let look = self.view.is_screen().then(|| Instant::now() + LOOK);
            let until = due.into_iter().chain(look).min();
            match self.connection.reply_until(until)? {
                None => {}
                Some(Reply::Done) => return Ok(()),
                Some(reply) => self.take(reply)?,
            }
        }
    }

    fn take(&mut self, reply: Reply) -> Result<(), Failure> {
        let is_of_gone =
            matches!(&reply, Reply::GrepMember { outcome: GrepOutcome::NotAsked { .. }, .. });
        let mut lines = Vec::new();
        if !is_of_gone {
            lines.extend(self.reports.gone(&self.tally));
        }
        match reply {
            Reply::StatsPartial { member, bytes } => self.gathering.keep(member, bytes),
            Reply::StatsRound { member, is_whole } => {
                lines.extend(self.end_round(&member, is_whole)?);
            }
            Reply::GrepMessage { member, text } => lines.extend(self.reports.message(member, text)),
            Reply::GrepNotice(text) => lines.push(text),
            Reply::GrepProgress { asked, answered, bytes } => {
                self.view.progress(asked, answered, bytes)?;
            }
            Reply::GrepMember { member, outcome } => {
                lines.extend(self.end_round(&member, false)?);
                lines.extend(self.reports.outcome(&member, &outcome));
                self.tally.count(member, outcome);
            }
            _ => return Err(unexpected_reply()),
        }
        self.view.messages(&lines)
    }

    /// Ends a member's round. Returns what is told if its sums do not count from now on.
    fn end_round(&mut self, member: &String, is_whole: bool) -> Result<Option<String>, Failure> {
        // If it does not fit, the table has a part of it, which is not shown.
        let has_grown = std::mem::take(&mut self.has_grown);
        let round = self.gathering.round(member, is_whole)?;
        self.has_grown = has_grown || round == RoundEnd::Counted;
        let RoundEnd::Lost(why) = round else { return Ok(None) };
        let outcome = GrepOutcome::Lost(why);
        let line = self.reports.outcome(member, &outcome);
        self.tally.count(member.clone(), outcome);
        Ok(line)
    }

    /// Shows what has grown. However long that takes, members are listened to as long in turn.
    fn show(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        self.view.show(&mut self.gathering)?;
        // Afterwards, so that the last rows of a window were shown.
        self.gathering.forget(self.keep, format::now());
        self.has_grown = false;
        self.due = (begun + self.every).max(Instant::now() + begun.elapsed());
        Ok(())
    }

    /// The daemon has ended the answer.
    fn end(mut self) -> Result<Status, Failure> {
        let lines = self.reports.end(&self.tally);
        self.view.messages(&lines)?;
        Ok(match self.gathering.rows()? {
            _ if !self.tally.is_whole() => Status::Trouble,
            rows if rows.rows.is_empty() => Status::Nothing,
            _ => Status::Rows,
        })
    }
}
