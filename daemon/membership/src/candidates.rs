//! Candidates: those whom others report alive, and who are not alive in the list. It owns the
//! waiting room, those that are asked whether they are there, and the allowances.
//!
//! A member is let into the list when it speaks for itself, or when members on two machines report
//! it. Whoever is reported by one machine alone has to answer first. So no member alone fills a
//! list with names that it invents: PROTOCOL.md has the rules.

mod allowance;
mod host;
mod room;

use crate::context::Context;
use crate::event::Event;
use crate::gossip::send_updates;
use crate::identity::{Identity, Incarnation, Name};
use crate::list::{Claim, FailureEvidence, List, Update};
use crate::members::Members;
use crate::message::Body;
use crate::ring::Ring;
use crate::time::{Instant, millis};
use allowance::Allowance;
use host::host_of;
use rand::RngExt;
use room::{Candidate, Room};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long a candidate waits before it is asked, at most: this long, and longer when many wait.
/// Most joins are reported by a second member within it, or by the newcomer itself. So few are
/// asked.
const ASK_AFTER: Duration = Duration::from_millis(100);
const FOR_EACH_WAITING: Duration = Duration::from_millis(1);
const FOR_ALL_WAITING: Duration = Duration::from_millis(160);

/// How often one that does not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(175);

/// From this question on, the member that reported it is asked as well whether it has heard it.
const ASK_REPORTER_FROM: u32 = 4;

/// At these questions, those that would monitor it are asked as well. It may be alive and stand
/// still for a moment, or this machine alone does not reach it.
const ASK_MONITORS_AT: [u32; 2] = [4, 6];

/// How many are asked at the same time. Whoever is there answers at once; so this bounds how many
/// invented names are asked in a second.
const MAX_ASKED: usize = 256;

/// How many are asked first in one step, and the pause between two such steps.
const ASKED_IN_A_STEP: usize = 16;
const STEP: Duration = Duration::from_millis(10);

/// How many machines have to report a member that does not speak for itself.
const REPORTERS: usize = 2;

/// The members that are let in because of their reporters. A group that starts all at once takes a
/// few hundred; later, those that this machine cannot reach remain.
const VOUCHED_FOR: Allowance = Allowance::new(512, Duration::from_secs(10));

/// The members that introduce themselves and are let in unasked: of all machines together, and of
/// one machine. Whoever comes beyond that has to answer.
const INTRODUCED: Allowance = Allowance::new(512, Duration::from_millis(20));
const INTRODUCED_BY_HOST: Allowance = Allowance::new(32, Duration::from_millis(250));

/// How many of them one reporter's may be, so that others have their turn at once.
const MAX_ASKED_FOR_ONE: usize = MAX_ASKED / 4 * 3;

/// The most machines whose allowance is remembered.
const MAX_HOSTS: usize = 1_024;

/// How soon candidates that came to nothing are reported, and how often at most.
const REPORT_AFTER: Duration = Duration::from_secs(3);
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// The candidates of one member.
#[derive(Debug)]
pub(crate) struct Candidates {
    room: Room,
    /// Those that were asked and have not answered yet.
    asked: BTreeSet<(SocketAddr, Identity)>,
    next_at: Option<Instant>,
    vouched_for: Allowance,
    introduced: Allowance,
    introduced_by: BTreeMap<IpAddr, Allowance>,
    unreported: Unreported,
}

/// The candidates that came to nothing since the last report.
#[derive(Debug)]
struct Unreported {
    count: u64,
    /// When they are reported; `None` while there are none.
    due: Option<Instant>,
    /// When the next report may follow.
    earliest: Instant,
}

impl Candidates {
    pub(crate) fn new() -> Self {
        Candidates {
            room: Room::default(),
            asked: BTreeSet::new(),
            next_at: None,
            vouched_for: VOUCHED_FOR,
            introduced: INTRODUCED,
            introduced_by: BTreeMap::new(),
            unreported: Unreported { count: 0, due: None, earliest: Instant::EPOCH },
        }
    }

    /// Drops all candidates. The allowances stay as they are.
    pub(crate) fn clear(&mut self) {
        self.room = Room::default();
        self.asked.clear();
        self.next_at = self.unreported.due;
    }

    /// When to ask next.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// After a stall of this machine those that were asked have more time.
    pub(crate) fn forgive(&mut self, stall: Duration) {
        for (_, identity) in &self.asked {
            if let Some(candidate) = self.room.get_mut(identity) {
                candidate.until = candidate.until + stall;
            }
        }
    }

    /// The member at `from` reports somebody alive. Returns the update if it is to be believed now,
    /// because another machine has reported it too.
    pub(crate) fn hear(
        &mut self,
        update: Update,
        from: SocketAddr,
        context: &mut Context,
    ) -> Option<Update> {
        let now = context.now.mono;
        if let Some(candidate) = self.room.get_mut(&update.identity) {
            if update.tags > candidate.update.tags {
                candidate.update.tags = update.tags.clone();
            }
            return self.report_again(&update.identity, from, now);
        }
        let waiting = u32::try_from(self.room.len()).unwrap_or(u32::MAX);
        let wait = ASK_AFTER + FOR_EACH_WAITING.saturating_mul(waiting).min(FOR_ALL_WAITING);
        let ask_at = now + wait.mul_f64(0.25 + 0.75 * context.rng.random::<f64>());
        let candidate = Candidate {
            update,
            reporters: vec![from],
            ask_at,
            asks: 0,
            until: now,
            was_heard: false,
        };
        let left_out = self.room.add(candidate, from);
        self.note_dropped(left_out, context);
        let due = self.unreported.due.map_or(ask_at, |due| due.min(ask_at));
        self.next_at = Some(self.next_at.map_or(due, |next| next.min(due)));
        None
    }

    /// A member says that it has heard this one. Returns the candidate if it is to be believed now.
    /// Where no second machine could say the same, one is enough, as long as the allowance lasts.
    pub(crate) fn on_evidence(
        &mut self,
        name: &Name,
        incarnation: Incarnation,
        from: SocketAddr,
        members: &Members,
        context: &Context,
    ) -> Option<Update> {
        let is_meant = |(_, identity): &&(SocketAddr, Identity)| {
            identity.name == *name && identity.incarnation == incarnation
        };
        let (_, identity) = self.asked.iter().find(is_meant)?.clone();
        self.room.get_mut(&identity)?.was_heard = true;
        let now = context.now.mono;
        if is_only_machine(host_of(from), members, context) && self.vouched_for.take(now) {
            return self.remove(&identity);
        }
        self.report_again(&identity, from, now)
    }

    /// Notes that another member reports it. Two machines are enough, as long as the allowance
    /// lasts.
    fn report_again(
        &mut self,
        identity: &Identity,
        from: SocketAddr,
        now: Instant,
    ) -> Option<Update> {
        let candidate = self.room.get_mut(identity)?;
        if candidate.reporters.iter().all(|reporter| host_of(*reporter) != host_of(from)) {
            candidate.reporters.push(from);
            candidate.reporters.truncate(REPORTERS);
        }
        let enough = candidate.reporters.len() >= REPORTERS && self.vouched_for.take(now);
        enough.then(|| self.remove(identity)).flatten()
    }

    /// Whether somebody who introduces itself is let in at once. It is if it was asked for that, be
    /// it in another incarnation, or if few others came lately. Otherwise it becomes a candidate of
    /// its own machine. Its former incarnations wait no longer: nobody would answer for them.
    pub(crate) fn lets_in(&mut self, update: &Update, context: &mut Context) -> bool {
        let (identity, now) = (&update.identity, context.now.mono);
        let was_asked = self.asked_at(identity.address).any(|asked| asked.name == identity.name);
        for former in self.room.former(identity) {
            self.remove(&former);
        }
        if was_asked {
            self.remove(identity);
            return true;
        }
        let host = host_of(identity.address);
        if self.introduced_by.len() >= MAX_HOSTS && !self.introduced_by.contains_key(&host) {
            self.introduced_by.clear();
        }
        let of_host = self.introduced_by.entry(host).or_insert(INTRODUCED_BY_HOST);
        if of_host.take(now) && self.introduced.take(now) {
            self.remove(identity);
            return true;
        }
        self.hear(update.clone(), identity.address, context);
        false
    }

    /// The candidate at this address that was asked, and answers in that incarnation.
    pub(crate) fn answered(&self, from: SocketAddr, incarnation: Incarnation) -> Option<Update> {
        let mut there = self.asked_at(from).filter(|identity| identity.incarnation == incarnation);
        // Of two names it is not known which one answers, unless it says so.
        let identity = there.next().filter(|_| there.next().is_none())?;
        self.room.get(identity).map(|candidate| candidate.update.clone())
    }

    /// What others report of somebody who now introduces itself.
    pub(crate) fn reported(&self, identity: &Identity) -> Option<Update> {
        self.room.get(identity).map(|candidate| candidate.update.clone())
    }

    /// The newest incarnation that is asked at an address.
    pub(crate) fn incarnation_at(&self, address: SocketAddr) -> Option<Incarnation> {
        self.asked_at(address).map(|identity| identity.incarnation).max()
    }

    fn asked_at(&self, address: SocketAddr) -> impl Iterator<Item = &Identity> {
        let asked = self.asked.iter().skip_while(move |(at, _)| *at < address);
        asked.take_while(move |(at, _)| *at == address).map(|(_, identity)| identity)
    }

    fn remove(&mut self, identity: &Identity) -> Option<Update> {
        self.asked.remove(&(identity.address, identity.clone()));
        self.room.remove(identity).map(|candidate| candidate.update)
    }

    /// Asks whoever is to be asked now, and gives up those who did not answer in time. Whoever
    /// reported them alone hears that they are not there.
    pub(crate) fn ask_if_due(&mut self, members: &Members, context: &mut Context) {
        let now = context.now.mono;
        if self.next_at.is_none_or(|next| next > now) {
            return;
        }
        self.ask_again(members, context);
        self.report_if_due(context);
        let patience = patience(context);
        let mut asked_for = self.asked_for();
        for _ in 0..ASKED_IN_A_STEP {
            if self.asked.len() >= MAX_ASKED {
                break;
            }
            let has_turn =
                |host: &IpAddr| asked_for.get(host).is_none_or(|asked| *asked < MAX_ASKED_FOR_ONE);
            let Some(identity) = self.room.next(now, has_turn) else { break };
            if let Some(candidate) = self.room.get_mut(&identity) {
                for reporter in candidate.reporters.iter().take(1) {
                    *asked_for.entry(host_of(*reporter)).or_default() += 1;
                }
                candidate.until = now + patience;
                ask(candidate, now, context);
                self.asked.insert((identity.address, identity));
            }
        }
        self.next_at = self.reckon(now);
    }

    /// How many are being asked for each machine that reported them.
    fn asked_for(&self) -> BTreeMap<IpAddr, usize> {
        let mut asked_for = BTreeMap::new();
        for (_, identity) in &self.asked {
            let reporters = self.room.get(identity).map(|candidate| &candidate.reporters[..]);
            for reporter in reporters.unwrap_or_default().iter().take(1) {
                *asked_for.entry(host_of(*reporter)).or_default() += 1;
            }
        }
        asked_for
    }

    /// The next moment: of those that were asked, and of those that are still to be.
    fn reckon(&mut self, now: Instant) -> Option<Instant> {
        let room = &mut self.room;
        let asked = self.asked.iter().filter_map(|(_, identity)| {
            room.get_mut(identity).map(|candidate| candidate.ask_at.min(candidate.until))
        });
        let again = asked.min();
        let first = self.room.next_at().filter(|_| self.asked.len() < MAX_ASKED);
        let first = first.map(|at| at.max(now + STEP));
        again.into_iter().chain(first).chain(self.unreported.due).min()
    }

    fn ask_again(&mut self, members: &Members, context: &mut Context) {
        let now = context.now.mono;
        let mut silent = Vec::new();
        for (_, identity) in &self.asked {
            match self.room.get_mut(identity) {
                Some(candidate) if candidate.until <= now => silent.push(identity.clone()),
                Some(candidate) if candidate.ask_at <= now => {
                    ask(candidate, now, context);
                    if ASK_MONITORS_AT.contains(&candidate.asks) && !candidate.was_heard {
                        ask_monitors(candidate, members, context);
                    }
                }
                _ => {}
            }
        }
        let mut denied: BTreeMap<SocketAddr, Vec<Update>> = BTreeMap::new();
        for identity in silent {
            self.asked.remove(&(identity.address, identity.clone()));
            let Some(candidate) = self.room.remove(&identity) else { continue };
            self.note_dropped(1, context);
            if let Some((reporter, failed)) = denial(candidate, members, context) {
                denied.entry(reporter).or_default().push(failed);
            }
        }
        for (reporter, updates) in denied {
            send_updates(&[reporter], &updates, context);
        }
    }

    fn note_dropped(&mut self, count: usize, context: &mut Context) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        context.counters.unconfirmed += count;
        self.unreported.count += count;
        if self.unreported.count > 0 && self.unreported.due.is_none() {
            let soon = context.now.mono + REPORT_AFTER;
            self.unreported.due = Some(soon.max(self.unreported.earliest));
        }
    }

    fn report_if_due(&mut self, context: &mut Context) {
        let now = context.now.mono;
        if self.unreported.due.is_some_and(|due| due <= now) {
            context.report(Event::Unconfirmed { count: self.unreported.count });
            self.unreported = Unreported { count: 0, due: None, earliest: now + REPORT_EVERY };
        }
    }
}

/// Asks somebody whether it is there; after some time, also whoever reported it.
fn ask(candidate: &mut Candidate, now: Instant, context: &mut Context) {
    let Identity { name, address, incarnation } = candidate.update.identity.clone();
    candidate.asks += 1;
    candidate.ask_at = now + ASK_AGAIN;
    let probe = || Body::Probe { name: name.clone(), incarnation };
    context.send(address, probe());
    if candidate.asks == ASK_REPORTER_FROM
        && let Some(reporter) = candidate.reporters.first().filter(|reporter| **reporter != address)
    {
        context.send(*reporter, probe());
    }
}

/// Whether no other machine than this one has members that are up, apart from this member.
fn is_only_machine(host: IpAddr, members: &Members, context: &Context) -> bool {
    let others = members.iter().map(|entry| (&entry.identity, entry.is_up()));
    let mut others = others.filter(|(identity, up)| *up && identity.name != context.local.name);
    others.all(|(identity, _)| host_of(identity.address) == host)
}

/// What the member hears that alone reports somebody who did not answer, and whom nobody has heard.
fn denial(
    candidate: Candidate,
    members: &Members,
    context: &Context,
) -> Option<(SocketAddr, Update)> {
    let identity = &candidate.update.identity;
    let reporter = candidate.reporters.first().copied()?;
    let known = members.get(&identity.name);
    let newer = known.is_some_and(|entry| entry.identity.incarnation >= identity.incarnation);
    let alone = candidate.reporters.len() < REPORTERS && !candidate.was_heard;
    if newer || !alone || members.at(reporter).is_none_or(|entry| !entry.is_up()) {
        return None;
    }
    let evidence = FailureEvidence {
        detected_by: context.local.name.clone(),
        silent_ms: millis(patience(context)),
    };
    let failed = Update { claim: Claim::Failed(evidence), ..candidate.update };
    Some((reporter, failed.ended_at(context.now.wall)))
}

/// Asks those that would monitor somebody if it were in the list.
fn ask_monitors(candidate: &Candidate, members: &Members, context: &mut Context) {
    let Identity { name, incarnation, .. } = candidate.update.identity.clone();
    let mut list = List::clone(members);
    list.merge(candidate.update.clone(), context.now.mono);
    let monitors = Ring::of_up(&list).monitors(&name, context.monitors_wanted());
    for monitor in monitors {
        let to = monitor.identity.address;
        if to != context.local.address && !candidate.reporters.contains(&to) {
            context.send(to, Body::Probe { name: name.clone(), incarnation });
        }
    }
}

/// How long one that is asked has time to answer: as long as a newcomer that its monitor never
/// heard.
fn patience(context: &Context) -> Duration {
    let group = context.group();
    group.failure_timeout.saturating_sub(group.interval())
}

#[cfg(test)]
mod tests;
