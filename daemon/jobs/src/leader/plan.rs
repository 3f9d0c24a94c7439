//! Whose files count, and who has which stage. Owns no state.
//!
//! A stage whose owner is gone moves at once. For balance at most a few move at a time, and none
//! soon after a change of the members, since those who come and go would move stages both times.

use super::{Leader, MemberState};
use crate::ids::{JobId, MemberId, Now, Stage};
use crate::output::{Note, Output};
use crate::placement::rank;
use crate::record::encode;
use crate::table::{Assignment, Job, MAX_SOURCES, SourceState, Table};
use crate::wire::MESSAGE_CAP;
use memberd_membership::Name;
use std::collections::VecDeque;

/// The most bytes of a table that members are added to: a message has some more around it, and
/// stages that move make it longer by little.
const TABLE_BYTES: usize = MESSAGE_CAP / 16 * 15;

impl Leader {
    pub(super) fn place(&mut self, now: Now, table: &mut Table, out: &mut VecDeque<Output>) {
        self.add_sources(table, out);
        let ids: Vec<JobId> = table.jobs.keys().copied().collect();
        for id in ids {
            let Some(mut job) = table.jobs.remove(&id) else { continue };
            if !job.is_finished {
                self.count_sources(now, &mut job);
                self.replace_owners(id, &mut job, table);
            }
            if !job.is_ending() {
                self.balance(now, id, &mut job, table);
            }
            table.jobs.insert(id, job);
        }
    }

    /// Every member that was ever seen and takes part has sources, as long as the table has room
    /// for them.
    fn add_sources(&mut self, table: &mut Table, out: &mut VecDeque<Output>) {
        let is_new = |job: &Job, (name, state): (&Name, &MemberState)| {
            !job.sources.contains_key(name) && state.takes_part(&job.spec) == Some(true)
        };
        let is_known =
            |job: &Job| job.is_ending() || !self.members.iter().any(|member| is_new(job, member));
        if table.jobs.values().all(is_known) {
            return;
        }
        let mut bytes = encode(table).len();
        let mut left_out = None;
        for (id, job) in table.jobs.iter_mut().filter(|(_, job)| !job.is_ending()) {
            for (name, state) in &self.members {
                if !is_new(job, (name, state)) {
                    continue;
                }
                bytes += name.as_str().len() + 16;
                if bytes > TABLE_BYTES || job.sources.len() >= MAX_SOURCES {
                    left_out.get_or_insert((*id, name.clone()));
                } else {
                    job.sources.insert(name.clone(), SourceState::Failed);
                }
            }
        }
        if let Some((id, name)) = left_out.filter(|_| !self.is_full) {
            self.is_full = true;
            out.push_back(Output::Note(Note::LeftOut(id, name)));
        }
    }

    /// Whether a member is up says whether windows wait. None waits for one that takes no part, or
    /// no more.
    fn count_sources(&self, now: Now, job: &mut Job) {
        let spec = &job.spec;
        let is_settled = now.boot_ms >= self.changed_ms + self.settings.settle_ms;
        job.sources.retain(|name, source| {
            let state = self.members.get(name).filter(|state| state.is_alive);
            // Who begins anew may be known before its tags are. One may have none at all.
            let is_in = |state: &MemberState| state.takes_part(spec).unwrap_or(!is_settled);
            *source == SourceState::Forgotten || state.is_none_or(is_in)
        });
        for (name, source) in &mut job.sources {
            let is_alive = self.members.get(name).is_some_and(|state| state.is_alive);
            match source {
                SourceState::Forgotten => {}
                _ if is_alive => *source = SourceState::Live,
                _ => *source = SourceState::Failed,
            }
        }
    }

    /// Whether this very stay of a member in the group goes on.
    fn is_up(&self, member: &MemberId) -> bool {
        let state = self.members.get(&member.name);
        state.is_some_and(|state| state.is_alive && state.member == *member)
    }

    /// Who should have a stage.
    fn best(&self, id: JobId, stage: Stage) -> Option<MemberId> {
        let alive = self.members.values().filter(|state| state.is_alive && state.has_jobs);
        let names: Vec<&Name> = alive.map(|state| &state.member.name).collect();
        let best = rank(id, stage, names).into_iter().next()?;
        self.members.get(&best).map(|state| state.member.clone())
    }

    fn replace_owners(&mut self, id: JobId, job: &mut Job, table: &mut Table) {
        for stage in job.all_stages() {
            let owner = job.stages.get(&stage).map(|assignment| &assignment.owner);
            if owner.is_some_and(|owner| self.is_up(owner)) {
                continue;
            }
            let Some(owner) = self.best(id, stage) else { continue };
            let epoch = self.next_epoch(table);
            job.stages.insert(stage, Assignment { owner, epoch });
        }
    }

    fn balance(&mut self, now: Now, id: JobId, job: &mut Job, table: &mut Table) {
        if now.boot_ms < self.changed_ms + self.settings.settle_ms {
            return;
        }
        let is_open = |stage: &Stage, assignment: &Assignment| {
            self.opened.get(&(id, *stage)) == Some(&assignment.epoch)
        };
        let moving = job.stages.iter().filter(|(stage, owned)| !is_open(stage, owned)).count();
        let mut room = self.settings.moves.saturating_sub(moving);
        for stage in job.all_stages() {
            let (Some(best), Some(owned)) = (self.best(id, stage), job.stages.get(&stage)) else {
                continue;
            };
            if room == 0 {
                return;
            }
            if owned.owner != best {
                room -= 1;
                let epoch = self.next_epoch(table);
                job.stages.insert(stage, Assignment { owner: best, epoch });
            }
        }
    }
}
