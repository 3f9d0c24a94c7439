//! Who is a member, who leads, and how processes begin and end.

use super::sim::{Happening, World, name};
use super::sums::Counting;
use memberd_jobs::{Command, Incarnation, Leader, MemberId, MemberState, Worker};
use memberd_membership::VersionedTags;
use rand::RngExt;
use std::sync::Arc;

impl World {
    /// Who leads is told who is a member.
    pub fn group(&mut self) {
        self.at(300_000, Happening::Group);
        self.elect_if_needed();
        let members: Vec<MemberState> = (0..self.machines.len())
            .map(|i| MemberState {
                member: self.member(i),
                is_alive: self.machines[i].is_known_alive,
                has_jobs: true,
                tags: VersionedTags::default(),
            })
            .collect();
        let spec = self.setup.spec.clone();
        let (job, cancels) = (self.oracle.job, self.cancels);
        for i in 0..self.machines.len() {
            if self.is_up(i) && self.machines[i].leader.is_some() {
                self.lead(i, |leader, now, out| {
                    leader.handle_members(now, &members, out);
                    let is_there = leader.table().is_none_or(|table| !table.jobs.is_empty());
                    if let Some(job) = job.filter(|_| cancels) {
                        let _ = leader.command(now, Command::Cancel(job), out);
                    } else if !is_there {
                        let _ = leader.command(now, Command::Start(spec.clone()), out);
                    }
                });
            }
        }
    }

    pub fn elect_if_needed(&mut self) {
        let leads = |i: usize| {
            self.is_up(i)
                && self.machines[i].leader.as_ref().is_some_and(|it| it.term() == self.term)
        };
        if self.leading.is_some_and(leads) {
            return;
        }
        if !self.is_calm && !self.rng.random_bool(0.3) {
            return;
        }
        let up: Vec<usize> = (0..self.machines.len()).filter(|i| self.is_up(*i)).collect();
        if !up.is_empty() {
            let chosen = up[self.rng.random_range(0..up.len())];
            self.elect(chosen);
        }
    }

    /// A new leader. The one before may not know.
    pub fn elect(&mut self, i: usize) {
        self.term += 1;
        self.leading = Some(i);
        self.note(|| format!("vm{i} leads in term {}", self.term));
        let now = self.clocks(i);
        let settings = Arc::new(self.setup.settings.clone());
        self.machines[i].leader = Some(Leader::new(settings, self.term, now));
        self.lead(i, Leader::handle_timeout);
    }

    pub fn member(&self, i: usize) -> MemberId {
        MemberId { name: name(i), incarnation: Incarnation(self.machines[i].incarnation) }
    }

    /// Begins a process, which knows nothing.
    pub fn start(&mut self, i: usize) {
        let own = self.member(i);
        let settings = Arc::new(self.setup.settings.clone());
        let machine = &mut self.machines[i];
        machine.process += 1;
        machine.stopped_until = 0;
        machine.woken_for = u64::MAX;
        machine.leader = None;
        machine.worker = Some(Worker::new(settings, own, Counting::make));
        let process = machine.process;
        let wait = self.rng.random_range(1_000..100_000);
        self.at(wait, Happening::Look { at: i, process });
        self.wake(i);
    }

    /// A process ends at once.
    pub fn end(&mut self, i: usize) {
        let machine = &mut self.machines[i];
        machine.worker = None;
        machine.leader = None;
        machine.process += 1;
        machine.stopped_until = 0;
        machine.was_restarted = true;
    }

    pub fn known(&mut self, machine: usize, is_alive: bool) {
        // News of a stay that is over, or of faults that are.
        if !is_alive && (self.is_calm || self.machines[machine].joined_us + 400_000 > self.now_us) {
            return;
        }
        self.machines[machine].joined_us = self.now_us;
        self.note(|| {
            format!("vm{machine} is known to be {}", ["down", "up"][usize::from(is_alive)])
        });
        self.machines[machine].is_known_alive = is_alive;
        self.machines[machine].was_excluded |= !is_alive;
    }
}
