//! How time passes: one happening after another, and what processes ask for carried out.

use super::faults::Fault;
use super::invariants::{Violation, broken, seats};
use super::process::{index, name, standings};
use super::ring::News;
use super::{Happening, World, ms};
use memberd_council::{Body, BootTime, Event, Output, View, ViewId, Voter, WriteId};
use rand::RngExt;
use std::sync::Arc;
use std::time::Duration;

/// The longest time in which a rumor of a view reaches a machine.
const RUMOR: Duration = Duration::from_millis(300);

/// Who is left of a council after failures.
const FEWEST_SEATS: usize = 3;

/// How often in a row a machine may want to be woken at once.
const MOST_WAKES: u32 = 3;

/// How long it takes to end what runs under a lost term.
const LET_GO: Duration = Duration::from_millis(20);

/// Changes of a list within this time are shown together.
const LIST: Duration = Duration::from_millis(1);

impl World {
    /// Runs for a span, or until an invariant is broken.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        if self.violation.is_none() {
            self.now = end;
        }
    }

    /// Runs until a condition holds, at most for `limit`. Returns how long that took.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut holds: impl FnMut(&World) -> bool,
    ) -> Option<Duration> {
        let (start, end) = (self.now, self.now + limit);
        while !holds(self) {
            if !self.step(end) {
                if self.violation.is_none() {
                    self.now = end;
                }
                return holds(self).then_some(self.now - start);
            }
        }
        Some(self.now - start)
    }

    /// The same; not to get there in time breaks the invariant of liveness.
    pub fn must(&mut self, limit: Duration, what: &str, holds: impl FnMut(&World) -> bool) {
        if self.run_until(limit, holds).is_none() {
            let what = format!("not within {limit:?}: {what}");
            self.judge(Err(Violation { invariant: 10, what }));
        }
    }

    fn step(&mut self, end: Duration) -> bool {
        if self.violation.is_some() {
            return false;
        }
        let Some((at, happening)) = self.queue.next(end) else { return false };
        self.now = self.now.max(at);
        self.events += 1;
        self.happen(happening);
        let exclusive = self.exclusive();
        let checked = self.invariants.exclusive(self.now, &exclusive);
        self.judge(checked);
        true
    }

    fn happen(&mut self, happening: Happening) {
        let machine = match &happening {
            Happening::Message { to, .. } | Happening::Gossip { to, .. } => *to,
            Happening::Refused { machine, .. }
            | Happening::Connected { machine, .. }
            | Happening::Written { machine, .. }
            | Happening::Wake { machine, .. }
            | Happening::List { machine } => *machine,
            Happening::Resume { machine, stop } => return self.resume(*machine, *stop),
            Happening::News(news) => return self.hear(*news),
            Happening::Fault(Fault::Isolate(_) | Fault::Start(_)) if self.is_calm => return,
            Happening::Fault(fault) => return self.act(fault.clone()),
        };
        if self.machines[machine].stopped {
            self.machines[machine].inbox.push(happening);
        } else {
            self.handle(happening);
        }
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Message { from, to, process, connection, message } => {
                let arrives = self.network.arrives(from, to, connection);
                if !arrives || self.machines[to].number != process {
                    return;
                }
                self.note(|| format!("vm{from} -> vm{to} {:?}", message.body));
                let renews = matches!(message.body, Body::Renew { .. });
                self.give(to, |council, now| council.handle_message(now, message));
                if renews {
                    self.after_renew(to);
                }
            }
            Happening::Gossip { from, to, view } => {
                let from = name(from);
                self.give(to, |council, now| council.handle_gossip(now, &from, view));
            }
            Happening::Written { machine: i, process, id } => {
                let machine = &mut self.machines[i];
                if machine.number != process || !machine.disk.finish(id) {
                    return;
                }
                if let Some(durable) = machine.disk.durable() {
                    self.invariants.durable(&name(i), durable);
                }
                self.note(|| format!("vm{i} wrote {id}"));
                self.give(i, |council, now| council.handle_written(now, WriteId(id)));
            }
            Happening::Wake { machine: i, due } => {
                if self.machines[i].woken_for != Some(due) {
                    return;
                }
                self.machines[i].woken_for = None;
                self.give(i, |council, now| {
                    if council.poll_timeout().is_some_and(|due| due <= now.boot) {
                        council.handle_timeout(now);
                    }
                });
                self.expect_sleep(i);
            }
            Happening::Refused { machine, process, by } => self.try_again(machine, process, by),
            Happening::Connected { machine, process, to } => {
                if self.machines[machine].number == process {
                    self.give(machine, |council, now| council.handle_connection(now, &name(to)));
                }
            }
            Happening::List { machine } => self.show_list(machine),
            Happening::Resume { .. } | Happening::News(_) | Happening::Fault(_) => {}
        }
    }

    /// Who was woken has something to wait for that is not past: else it spins.
    fn expect_sleep(&mut self, i: usize) {
        let now = self.clocks(i).boot;
        let council = self.machines[i].process.as_ref();
        let due = council.and_then(memberd_council::Council::poll_timeout);
        let at_once = self.runs(i) && due.is_some_and(|due| due <= now);
        let machine = &mut self.machines[i];
        machine.wakes_at_once = if at_once { machine.wakes_at_once + 1 } else { 0 };
        if machine.wakes_at_once > MOST_WAKES {
            let what = format!("vm{i} was woken at {now:?} and wants to be at {due:?}");
            self.judge(Err(Violation { invariant: 10, what }));
        }
    }

    /// Hands a process an input, if it runs, and carries out what follows.
    pub(super) fn give(
        &mut self,
        i: usize,
        input: impl FnOnce(&mut memberd_council::Council, memberd_council::Now),
    ) {
        let now = self.clocks(i);
        if let Some(council) = self.machines[i].process.as_mut() {
            input(council, now);
            self.drain(i);
        }
    }

    /// What waited for a stopped process happens: first its sockets, then its timers.
    pub(super) fn catch_up(&mut self, i: usize) {
        self.machines[i].list_changed = false;
        for out in std::mem::take(&mut self.machines[i].unsent) {
            self.put_out(i, out);
        }
        let waiting = std::mem::take(&mut self.machines[i].inbox);
        let (wakes, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|happening| matches!(happening, Happening::Wake { .. }));
        for happening in rest.into_iter().chain(wakes) {
            self.handle(happening);
        }
        self.drain(i);
    }

    /// Carries out what a process asks for.
    pub(super) fn drain(&mut self, i: usize) {
        let Some(council) = self.machines[i].process.as_mut() else { return };
        let outs: Vec<Output> = std::iter::from_fn(|| council.poll_output()).collect();
        let now = self.clocks(i);
        let council = self.machines[i].process.as_ref();
        if council.is_some_and(|it| it.leads().is_some() || it.exclusive(now).is_some()) {
            self.leading.insert(i);
        } else {
            self.leading.remove(&i);
        }
        self.look_at_view(i);
        let checked = self.leads_by_its_view(i);
        self.judge(checked);
        for out in self.cut_short(i, outs) {
            self.put_out(i, out);
        }
        self.plan_wake(i);
    }

    fn look_at_view(&mut self, i: usize) {
        let machine = &mut self.machines[i];
        let Some(council) = &machine.process else { return };
        let view = council.view();
        if machine.view.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, view)) {
            return;
        }
        let (view, id) = (Arc::clone(view), council.view_id());
        let before = machine.view.replace(Arc::clone(&view));
        let checked = match before {
            None if view.number.0 == 0 => self.invariants.founded(&view, id),
            // What it begins with it has installed before.
            None => Ok(()),
            Some(before) => self.invariants.installs(i, &before, &view, id),
        };
        self.judge(checked);
        let checked = self.keeps_seats(&view);
        self.judge(checked);
        self.after_view(i, &view);
    }

    /// Whoever leads is named by its own view, in its own term. To have won an election is not
    /// enough.
    fn leads_by_its_view(&self, i: usize) -> Result<(), Violation> {
        let Some(council) = &self.machines[i].process else { return Ok(()) };
        let (Some(term), view) = (council.leads(), council.view()) else { return Ok(()) };
        if view.term == term && view.leader.as_ref() == Some(council.own()) {
            return Ok(());
        }
        broken(2, format!("vm{i} leads in term {term:?}, and its view is {view:?}"))
    }

    /// Failures alone never shrink a council below three seats.
    fn keeps_seats(&self, view: &View) -> Result<(), Violation> {
        let parent = view.number.0.checked_sub(1);
        let parent = parent.and_then(|parent| self.invariants.view(view.lineage, parent));
        let Some(parent) = parent.filter(|parent| parent.number.0 > 0) else { return Ok(()) };
        let by_plan = |seat: &Voter| {
            let i = index(&seat.name);
            self.left.contains(&i) || self.setup.without_vote.contains(&i)
        };
        let few = view.council.len() < parent.council.len().min(FEWEST_SEATS);
        if few && !parent.council.iter().any(by_plan) {
            return broken(8, format!("{:?} shrinks to {:?}", parent.council, view.council));
        }
        Ok(())
    }

    fn plan_wake(&mut self, i: usize) {
        let now = self.clocks(i);
        let machine = &mut self.machines[i];
        let due = machine.process.as_ref().and_then(memberd_council::Council::poll_timeout);
        let Some(due) = due.map(BootTime::since_epoch) else { return };
        if machine.woken_for.is_none_or(|woken| due < woken) && !machine.stopped {
            machine.woken_for = Some(due);
            let wait = machine.clock.true_time(due.saturating_sub(now.boot.since_epoch()));
            self.queue.plan(self.now + wait, Happening::Wake { machine: i, due });
        }
    }

    pub(super) fn put_out(&mut self, i: usize, out: Output) {
        match out {
            Output::Send { to, message } => {
                let to = index(&to);
                let machine = &mut self.machines[i];
                machine.sent += 1;
                let checked = self.invariants.sends(i, &message, machine.disk.durable());
                self.judge(checked);
                self.connect(i, to);
                let process = self.machines[to].number;
                for (at, connection) in self.network.send(self.now, i, to, &mut self.rng) {
                    let message = message.clone();
                    let arrival = Happening::Message { from: i, to, process, connection, message };
                    self.queue.plan(at, arrival);
                }
            }
            Output::Write { id, durable } => {
                let checked = self.invariants.writes(i, &durable);
                self.judge(checked);
                self.note(|| {
                    let accepted = durable.accepted.as_ref().map(|accepted| &accepted.proposal);
                    format!(
                        "vm{i} writes {}: view {}, promised {:?}, accepted {accepted:?}",
                        id.0,
                        durable.number(),
                        durable.promised
                    )
                });
                let machine = &mut self.machines[i];
                machine.writes += 1;
                let at = machine.disk.begin(self.now, id.0, *durable, &mut self.rng);
                let process = machine.number;
                self.queue.plan(at, Happening::Written { machine: i, process, id: id.0 });
            }
            Output::Gossip(view) => self.gossip(i, view),
            Output::Event(event) => self.see(i, event),
        }
    }

    /// A rumor goes round the part of the network.
    fn gossip(&mut self, from: usize, view: ViewId) {
        let parts = self.parts();
        for to in 0..self.machines.len() {
            if to != from && parts[to].is_some() && parts[to] == parts[from] {
                let wait = RUMOR.mul_f64(self.rng.random::<f64>());
                self.queue.plan(self.now + wait, Happening::Gossip { from, to, view });
            }
        }
    }

    fn see(&mut self, i: usize, event: Event) {
        self.note(|| format!("vm{i}: {event:?}"));
        match &event {
            Event::ViewInstalled { view, confirmed_by, .. } => {
                let checked = self.invariants.confirmed(view, confirmed_by);
                self.judge(checked);
            }
            Event::Released { .. } => self.plan(Duration::ZERO, Fault::LeaveRing(i)),
            Event::LeadershipLost { term, .. } => {
                // What ran under it is ended first.
                let wait = LET_GO.mul_f64(self.rng.random::<f64>());
                self.plan(wait, Fault::LetGo(i, *term));
            }
            Event::SetAside { by } => {
                self.plan(Duration::ZERO, Fault::SetAside(i, by.clone()));
            }
            Event::Recovered(Ok(id)) => {
                let two_leases = self.setup.settings.lease * 2;
                self.invariants.recover(id.lineage, self.now + two_leases);
            }
            _ => {}
        }
        self.seen.push((self.now, i, event));
    }

    /// The list of a machine changes.
    fn hear(&mut self, news: News) {
        let (changed, plans) = self.ring.carry_out(news, &mut self.rng);
        self.plan_news(plans);
        if let Some(i) = changed
            && !std::mem::replace(&mut self.machines[i].list_changed, true)
        {
            self.queue.plan(self.now + LIST, Happening::List { machine: i });
        }
    }

    /// Shows a process its list.
    pub(super) fn show_list(&mut self, i: usize) {
        self.machines[i].list_changed = false;
        if self.traced {
            let list = self.describe_list(i);
            self.note(|| format!("vm{i}'s list:{list}"));
        }
        let list = standings(self.ring.list(i));
        self.give(i, |council, now| council.handle_list(now, &list));
    }

    pub(super) fn plan_news(&mut self, plans: Vec<(Duration, News)>) {
        for (wait, news) in plans {
            self.queue.plan(self.now + wait, Happening::News(news));
        }
    }

    /// A message arrives as if it had been sent before.
    pub fn inject(&mut self, from: usize, to: usize, message: memberd_council::Message) {
        let process = self.machines[to].number;
        let connection = self.network.connection(from, to);
        let arrival = Happening::Message { from, to, process, connection, message };
        self.queue.plan(self.now, arrival);
    }

    /// Plans a fault.
    pub fn plan(&mut self, wait: Duration, fault: Fault) {
        self.queue.plan(self.now + wait, Happening::Fault(fault));
    }

    /// A voter has answered a RENEW: the worst moment to restart it.
    fn after_renew(&mut self, voter: usize) {
        let chance = self.triggers.crash_after_renew;
        if chance > 0.0 && self.rng.random_bool(chance) {
            self.act(Fault::Crash(voter));
            let wait = ms(self.rng.random_range(0..500));
            self.plan(wait, Fault::Start(voter));
        }
    }

    /// A machine has a view. If it has a new council, an election there is likely to find who has
    /// not heard its leader yet.
    fn after_view(&mut self, i: usize, view: &View) {
        let chance = self.triggers.isolate_after_seat;
        let parent = view.number.0.checked_sub(1);
        let parent = parent.and_then(|parent| self.invariants.view(view.lineage, parent));
        let Some(parent) = parent.filter(|parent| parent.council != view.council) else { return };
        let own = self.machines[i].process.as_ref().map(|council| council.own().clone());
        let leads = own.is_some() && own == view.leader;
        let new = own.is_some_and(|own| !seats(parent, &own));
        if chance > 0.0 && (leads || new) && self.rng.random_bool(chance) {
            let leader = view.leader.as_ref().map_or(i, |leader| index(&leader.name));
            let wait = ms(self.rng.random_range(0..100));
            self.plan(wait, Fault::Isolate(vec![leader]));
            let heals = ms(self.rng.random_range(2_000..6_000));
            self.plan(wait + heals, Fault::Heal);
        }
    }
}
