//! `memberctl demo [--quick] [--detector swim]`: starts a fleet on this machine, crashes a member,
//! and measures how long the others take to notice. Then it crashes the leader of the agreed views,
//! and a member that works for a job. All figures are measured while it runs.

mod fleet;
mod interrupt;
mod job;
mod leader;
mod logs;
mod suspicion;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use memberd_control::message::MemberStatus;

use self::fleet::Fleet;
use self::interrupt::Interrupt;
use self::watch::Watch;
use super::{grep, list, stats};
use crate::arguments;
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Style};
use crate::{format, members, program};

/// How long a change may take to reach every list. The promise is 6 s, and 15 s of SWIM.
const CHANGE_LIMIT: Duration = Duration::from_secs(20);

/// The pause between two looks at what members say.
const LOOK: Duration = Duration::from_millis(2);

/// A council of so many members has a majority without one of them.
const COUNCIL: usize = 3;

/// How long the fleet runs before the crash.
const SETTLING: Duration = Duration::from_secs(1);

/// How often and how quickly the shop of the logs answers.
const QUESTION: &str = "GET .*took= | parse \"GET * * client=* took=*ms\" as path, status, client, \
    ms | count, distinct(client), p99(ms) by path | top 3 by count";

/// Shows a fleet at work.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Exit after the last scene instead of leaving the fleet running
    #[arg(long)]
    quick: bool,

    /// The number of members
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = arguments::number(2..=50_u8))]
    members: u8,

    /// How members notice failures: by heartbeats on a ring, or by pings
    #[arg(long, value_enum, default_value_t = Detector::Ring)]
    detector: Detector,

    /// The program memberd; without it, the one beside memberctl, in /usr/sbin or in PATH
    #[arg(long, value_name = "PATH")]
    memberd: Option<PathBuf>,
}

/// The detectors, as the settings name them.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Detector {
    Ring,
    Swim,
}

impl Detector {
    /// The value of `group.detector`.
    fn setting(self) -> &'static str {
        match self {
            Detector::Ring => "ring",
            Detector::Swim => "swim",
        }
    }

    /// How soon a crash is promised to be in the first list, and in all lists.
    fn promise(self) -> (&'static str, &'static str) {
        match self {
            Detector::Ring => ("2 s", "6 s"),
            Detector::Swim => ("10 s", "15 s"),
        }
    }
}

impl Demo {
    /// Plays the scenes. Afterwards the fleet is gone, even after a failure.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let interrupt = Interrupt::block_signals()?;
        let fleet = Fleet::prepare(self.program()?, self.members, self.detector.setting())?;
        let (promise, output) = (self.detector.promise(), Output::new());
        let mut stage = Stage { fleet, interrupt, output, quick: self.quick, promise };
        stage.gather()?;
        stage.look()?;
        stage.search()?;
        if matches!(self.detector, Detector::Swim) {
            stage.stand_still()?;
        }
        stage.crash_and_return()?;
        stage.lose_leader()?;
        stage.count_on()?;
        stage.close()
    }

    fn program(&self) -> Result<PathBuf, Failure> {
        if let Some(program) = &self.memberd {
            return Ok(program.clone());
        }
        program::memberd().ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                "found no memberd beside memberctl, in /usr/sbin or in PATH: give it with \
                --memberd PATH",
            )
        })
    }
}

/// What the scenes use. The fleet is the first field, so that it is dropped before signals are no
/// longer blocked.
struct Stage {
    fleet: Fleet,
    interrupt: Interrupt,
    output: Output,
    quick: bool,
    promise: (&'static str, &'static str),
}

impl Stage {
    /// Starts the daemons, and lets them join.
    fn gather(&mut self) -> Result<(), Failure> {
        let size = self.fleet.members.len();
        let place = self.fleet.directory.display().to_string();
        self.title(&format!("A fleet of {}", format::count(size as u64, "member")))?;
        let last = fleet::address(u8::try_from(size).unwrap_or(u8::MAX));
        let hosts = format!("{} to {last}, port {}", fleet::address(1), self.fleet.port);
        self.output.line(&format!("Each is a process of its own, on {hosts}; files in {place}"))?;

        let begun = Instant::now();
        for index in 0..size {
            self.fleet.start(index, &self.interrupt)?;
        }
        let started = begun.elapsed();
        let begun = Instant::now();
        for member in &self.fleet.members {
            member.join()?;
            self.interrupt.pause(Duration::ZERO)?;
        }
        let joined = begun.elapsed();
        self.everyone_lists(size)?;
        let complete = begun.elapsed();
        self.output.line(&format!(
            "Started in {}, joined one after the other in {}, in every list after {}.",
            elapsed(started),
            elapsed(joined),
            elapsed(complete)
        ))
    }

    fn look(&mut self) -> Result<(), Failure> {
        self.title("The list of vm1")?;
        self.command("vm1", "list")?;
        list::List::plain(false).run(&self.daemon(0)?)?;
        self.breathe()
    }

    fn search(&mut self) -> Result<(), Failure> {
        self.title("One grep over the logs of all members")?;
        self.command("vm1", "grep -c ' ERROR ' shop.log")?;
        self.grep(&["-c", " ERROR ", "shop.log"])?;
        self.command("vm1", &format!("grep '{}'", logs::RARE))?;
        self.grep(&[logs::RARE])?;
        self.breathe()?;
        self.title("One question over the logs of all members")?;
        self.command("vm1", &format!("stats '{QUESTION}' shop.log"))?;
        let begun = Instant::now();
        stats::show(&self.daemon(0)?, &[QUESTION, "shop.log"])?;
        self.took(begun)?;
        self.breathe()
    }

    fn grep(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        let begun = Instant::now();
        grep::run_line(&self.daemon(0)?, arguments)?;
        self.took(begun)
    }

    fn took(&mut self, begun: Instant) -> Result<(), Failure> {
        let line = format!("({})", elapsed(begun.elapsed()));
        self.output.line(&self.output.styled(Style::Dim, &line))
    }

    /// Kills the member in the middle, shows when the others noticed, and starts it again.
    fn crash_and_return(&mut self) -> Result<(), Failure> {
        let index = self.fleet.members.len() / 2;
        let others = self.fleet.members.len() - 1;
        let watch = Watch::over(&self.fleet.members)?;
        // The demo shows a crash during normal operation, and not during the start.
        self.interrupt.pause(SETTLING)?;
        let victim = self.fleet.members.get_mut(index).ok_or_else(unexpected_reply)?;
        let name = victim.name.clone();

        let killed = Instant::now();
        victim.crash()?;
        self.title(&format!("{name} was killed (SIGKILL)"))?;
        let seen = watch.collect(
            (&name, MemberStatus::Failed),
            (killed, CHANGE_LIMIT),
            others,
            &self.interrupt,
        )?;
        self.arrivals(&seen, others, "failed", Some(self.promise))?;
        self.command("vm1", "list --all")?;
        list::List::plain(true).run(&self.daemon(0)?)?;
        self.breathe()?;

        self.title(&format!("{name} is started again, and rejoins by itself"))?;
        let begun = Instant::now();
        self.fleet.start(index, &self.interrupt)?;
        let seen = watch.collect(
            (&name, MemberStatus::Alive),
            (begun, CHANGE_LIMIT),
            others,
            &self.interrupt,
        )?;
        self.arrivals(&seen, others, "alive", None)?;
        self.command("vm1", "list")?;
        list::List::plain(false).run(&self.daemon(0)?)
    }

    /// Prints when each member had the change, and compares the first and the last with the
    /// promise.
    fn arrivals(
        &mut self,
        seen: &[(String, Duration)],
        others: usize,
        standing: &str,
        promised: Option<(&str, &str)>,
    ) -> Result<(), Failure> {
        for (member, after) in seen {
            self.output
                .line(&format!("  {member:5} listed it as {standing} after {}", elapsed(*after)))?;
        }
        match (seen.first(), seen.last()) {
            (Some((_, first)), Some((_, last))) if seen.len() == others => {
                let promise = promised.unwrap_or_default();
                let within = |limit: &str| {
                    if limit.is_empty() { String::new() } else { format!(" (promised: {limit})") }
                };
                let line = format!(
                    "In the first list after {}{}, in the last after {}{}.",
                    elapsed(*first),
                    within(promise.0),
                    elapsed(*last),
                    within(promise.1)
                );
                self.output.line(&self.output.styled(Style::Green, &line))
            }
            _ => {
                let seen = format::count(seen.len() as u64, "member");
                let limit = elapsed(CHANGE_LIMIT);
                let message = format!(
                    "{seen} of {others} listed it as {standing} within {limit}: run the demo again \
                    on a less busy machine"
                );
                Err(Failure::new(Exit::Failed, message))
            }
        }
    }

    /// Prints what to try, and waits for Ctrl-C, unless `--quick` was given.
    fn close(mut self) -> Result<(), Failure> {
        if self.quick {
            return Ok(());
        }
        let own = std::env::current_exe()
            .map_or_else(|_| "memberctl".to_owned(), |path| path.display().to_string());
        self.title("The fleet keeps running; try it from another terminal")?;
        for (index, rest) in [
            (0, "list"),
            (1, "status"),
            (1, "top"),
            (1, "events"),
            (1, "view"),
            (0, "leader"),
            (0, "stream status requests"),
            (2, "leave"),
            (2, "join"),
            (0, "grep -n timed.out"),
        ] {
            let index = index.min(self.fleet.members.len() - 1);
            let socket = self.daemon(index)?.socket;
            self.output.line(&format!("  {own} --socket {} {rest}", socket.display()))?;
        }
        self.output
            .line(&self.output.styled(Style::Bold, "Ctrl-C stops it and removes all its files."))?;
        self.interrupt.wait();
        drop(self.fleet);
        self.output.line("All members are stopped and all files removed.")
    }

    /// Waits until every member's list has this many members.
    fn everyone_lists(&self, size: usize) -> Result<(), Failure> {
        let begun = Instant::now();
        for member in &self.fleet.members {
            // On a busy machine a member may have been declared failed, and be rejoining.
            while !matches!(members::fetch(&member.daemon(), false), Ok(list) if list.len() == size)
            {
                let problem = format!("{} does not list all", member.name);
                self.look_again((begun, CHANGE_LIMIT), LOOK, &problem)?;
            }
        }
        Ok(())
    }

    /// Pauses before another look, unless the limit is over since the moment with it.
    fn look_again(
        &self,
        (begun, limit): (Instant, Duration),
        pause: Duration,
        problem: &str,
    ) -> Result<(), Failure> {
        if begun.elapsed() > limit {
            let limit = elapsed(limit);
            let hint = "run the demo again on a less busy machine";
            let message = format!("{problem} after {limit}: {hint}");
            return Err(Failure::new(Exit::Failed, message));
        }
        self.interrupt.pause(pause)
    }

    fn daemon(&self, index: usize) -> Result<Daemon, Failure> {
        self.fleet.members.get(index).map(fleet::Member::daemon).ok_or_else(unexpected_reply)
    }

    fn title(&mut self, title: &str) -> Result<(), Failure> {
        let title = self.output.styled(Style::Bold, title);
        self.output.line(&format!("\n{title}"))
    }

    /// Prints what a user would type on a member's machine.
    fn command(&mut self, member: &str, rest: &str) -> Result<(), Failure> {
        let prompt = self.output.styled(Style::Dim, &format!("{member}$"));
        self.output.line(&format!("{prompt} memberctl {rest}"))
    }

    /// Gives the reader time.
    fn breathe(&self) -> Result<(), Failure> {
        self.interrupt.pause(if self.quick { Duration::ZERO } else { Duration::from_millis(1500) })
    }
}

fn elapsed(time: Duration) -> String {
    format::duration(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
