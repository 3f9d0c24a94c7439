//! The scene of the agreed views: the leader is killed, and the others name another one.

use std::time::{Duration, Instant};

use memberd_control::message::{LeaderRecord, LeaderRequest, Reply, Request, ViewRequest};

use super::fleet::Member;
use super::{CHANGE_LIMIT, COUNCIL, LOOK, SETTLING, Stage, elapsed};
use crate::command::{leader, view};
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::Failure;
use crate::output::Style;

/// How long a member may take to say what it knows.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// How soon another leader is promised to be named, and to be exclusive.
const PROMISE: (&str, &str) = ("2 s", "3.2 s");

impl Stage {
    /// Kills the leader, shows when each of the others named the next one, and when that was
    /// exclusive, and starts the killed one again.
    pub(super) fn lose_leader(&mut self) -> Result<(), Failure> {
        if self.fleet.members.len() < COUNCIL {
            return Ok(());
        }
        let before = self.agree()?;
        let name = before.leader.clone().ok_or_else(unexpected_reply)?;
        self.title("What the fleet agrees on")?;
        self.command("vm1", "view")?;
        view::View::plain().run(&self.daemon(0)?)?;
        self.breathe()?;
        self.interrupt.pause(SETTLING)?;

        let index = self.index(&name)?;
        let killed = Instant::now();
        self.fleet.members.get_mut(index).ok_or_else(unexpected_reply)?.crash()?;
        self.title(&format!("{name}, the leader, was killed (SIGKILL)"))?;
        let named = self.named_after(killed, index, before.term)?;
        let (next, exclusive) = self.exclusive_after(killed, index, before.term)?;
        let line = format!(
            "Named by the first after {} (promised: {}), by the last after {}; {next} is exclusive \
             after {} (promised: {}).",
            elapsed(*named.first().unwrap_or(&Duration::ZERO)),
            PROMISE.0,
            elapsed(*named.last().unwrap_or(&Duration::ZERO)),
            elapsed(exclusive),
            PROMISE.1,
        );
        self.output.line(&self.output.styled(Style::Green, &line))?;
        self.command(&next, "leader")?;
        let at = self.index(&next)?;
        leader::Leader::plain().run(&self.daemon(at)?)?;
        self.breathe()?;

        self.title(&format!("{name} is started again, and the next view has it"))?;
        self.fleet.start(index, &self.interrupt)?;
        self.agree()?;
        self.command("vm1", "view")?;
        view::View::plain().run(&self.daemon(0)?)
    }

    /// Waits until all have a view of all, and know one leader as exclusive.
    fn agree(&self) -> Result<LeaderRecord, Failure> {
        let size = self.fleet.members.len();
        let begun = Instant::now();
        loop {
            let mut told = self.fleet.members.iter().map(|member| agreed(&member.daemon(), size));
            let first = told.next().flatten();
            let all = told.all(|other| {
                let same = |(one, other): (&LeaderRecord, LeaderRecord)| {
                    (&one.leader, one.term) == (&other.leader, other.term)
                };
                first.as_ref().zip(other).is_some_and(same)
            });
            match first {
                Some(leader) if all => return Ok(leader),
                _ => self.look_again(
                    (begun, CHANGE_LIMIT),
                    LOOK,
                    "the members do not agree on one leader",
                )?,
            }
        }
    }

    /// Waits until all but this one know a leader of a later term, and prints when each did.
    fn named_after(
        &mut self,
        killed: Instant,
        index: usize,
        term: u64,
    ) -> Result<Vec<Duration>, Failure> {
        let others = self.fleet.members.len() - 1;
        let mut named: Vec<(String, String, Duration)> = Vec::new();
        while named.len() < others {
            for member in self.others(index) {
                let known = named.iter().any(|(name, ..)| *name == member.name);
                let leader = if known { None } else { led_after(member, term) };
                if let Some(leader) = leader.and_then(|record| record.leader) {
                    named.push((member.name.clone(), leader, killed.elapsed()));
                }
            }
            self.look_again((killed, CHANGE_LIMIT), LOOK, "not every member names another leader")?;
        }
        for (member, leader, after) in &named {
            let after = elapsed(*after);
            self.output
                .line(&format!("  {member:5} named {leader} as the leader after {after}"))?;
        }
        Ok(named.into_iter().map(|(_, _, after)| after).collect())
    }

    /// Waits until one of the others is exclusive, and returns its name and when it was.
    fn exclusive_after(
        &self,
        killed: Instant,
        index: usize,
        term: u64,
    ) -> Result<(String, Duration), Failure> {
        loop {
            let leads = |member: &&Member| {
                led_after(member, term).is_some_and(|record| record.here && record.exclusive)
            };
            if let Some(member) = self.others(index).find(leads) {
                return Ok((member.name.clone(), killed.elapsed()));
            }
            self.look_again((killed, CHANGE_LIMIT), LOOK, "no other member is exclusive")?;
        }
    }

    fn others(&self, index: usize) -> impl Iterator<Item = &Member> {
        let others = self.fleet.members.iter().enumerate();
        others.filter(move |(other, _)| *other != index).map(|(_, member)| member)
    }

    /// Where the member with this name is.
    pub(super) fn index(&self, name: &str) -> Result<usize, Failure> {
        let mut members = self.fleet.members.iter();
        members.position(|member| member.name == name).ok_or_else(unexpected_reply)
    }
}

/// What a member knows of the leader; none if it does not answer.
fn known(daemon: &Daemon) -> Option<LeaderRecord> {
    let timeout = ReplyTimeout::For(ANSWER_LIMIT);
    let request = Request::Leader(LeaderRequest::Show);
    match Connection::ask(daemon, &request, timeout).ok()?.reply().ok()? {
        Reply::Leader(leader) => Some(leader),
        _ => None,
    }
}

/// The leader of a later term, if the member knows one.
fn led_after(member: &Member, term: u64) -> Option<LeaderRecord> {
    known(&member.daemon()).filter(|record| record.term > term && record.leader.is_some())
}

/// The exclusive leader of a view of this many members, if the member has such a view.
fn agreed(daemon: &Daemon, size: usize) -> Option<LeaderRecord> {
    let leader = known(daemon).filter(|leader| leader.exclusive && leader.leader.is_some())?;
    let request = Request::View(ViewRequest { local: true, ..ViewRequest::default() });
    let mut asked = Connection::ask(daemon, &request, ReplyTimeout::For(ANSWER_LIMIT)).ok()?;
    let mut members = 0;
    loop {
        match asked.reply().ok()? {
            Reply::ViewMembers(part) => members += part.len(),
            Reply::View(view) => {
                return (members == size && view.term == leader.term).then_some(leader);
            }
            _ => return None,
        }
    }
}
