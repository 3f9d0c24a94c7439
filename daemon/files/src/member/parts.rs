//! How the parts of a member talk to each other: what one says becomes the input of another, until
//! none says anything more. Owns no state.

use super::Member;
use super::asks::{AskOutput, Asked, What};
use super::jobs::{self, JobFor};
use super::operation::ClientId;
use super::output::{FilesMessage, MemberNote, MemberOutput};
use super::shares::ShareOutput;
use crate::catalog::{Answer, Found, Mutation, Query, Refusal};
use crate::content::HolderSet;
use crate::disk::ExtentJob;
use crate::holder::{ExtentUse, HolderOutput};
use crate::ids::{Epoch, ExtentId, OperationId, derived};
use crate::path::ShareName;
use crate::placement::Hints;
use crate::repair::{RepairOutput, SetAnswer, SetChange};
use crate::store::Room;
use crate::transfer::Transfer;
use crate::view::FilesView;
use memberd_membership::Name;
use std::sync::Arc;
use std::time::Duration;

/// How long the own questions of holder and repairer are asked. They ask again by themselves.
const OWN_LIMIT: Duration = Duration::from_secs(10);

/// For what a primary is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A client's question.
    Answer(ClientId),
    /// A client's change.
    Change(ClientId),
    /// What a client has written becomes visible.
    Publish(ClientId),
    /// A client's file is looked up.
    Lookup(ClientId),
    /// A repair is recorded.
    Set(SetChange),
    /// Who holds an extent: before a repair, or since it could not be recorded.
    SetIs(ExtentId),
    /// Which extents here are in use.
    InUse(ShareName, Vec<ExtentId>),
}

/// A number below 2^62 that nobody can foresee, other for each place.
pub(super) fn number(seed: u64, place: u64) -> u64 {
    let key = "memberd numbers of questions 1";
    let drawn = derived(key, &[&seed.to_be_bytes(), &place.to_be_bytes()]);
    u64::try_from(drawn >> 66).unwrap_or(0)
}

impl Member {
    /// Moves what one part says into the other, until nobody says anything.
    pub(super) fn run(&mut self) {
        loop {
            if let Some(output) = self.shares.poll_output() {
                self.on_share(output);
            } else if let Some(output) = self.holder.poll_output() {
                self.on_holder(output);
            } else if let Some(output) = self.repairer.poll_output() {
                self.on_repairer(output);
            } else if let Some(output) = self.asks.poll_output() {
                self.on_asks(output);
            } else if let Some(message) = self.inner.pop_front() {
                let own = self.own.clone();
                self.receive(&own, message);
            } else {
                return;
            }
        }
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        number(self.seed, self.drawn)
    }

    pub(super) fn send(&mut self, to: Name, message: FilesMessage) {
        if to == self.own {
            self.inner.push_back(message);
        } else {
            self.outputs.push_back(MemberOutput::Send { to, message });
        }
    }

    pub(super) fn transfer(&mut self, to: Name, transfer: Transfer) {
        self.send(to, FilesMessage::Transfer(transfer));
    }

    pub(super) fn receive(&mut self, from: &Name, message: FilesMessage) {
        let now = self.now;
        match message {
            FilesMessage::Keeper { share, message } => {
                self.shares.handle_message(now, from, &share, message);
            }
            FilesMessage::Transfer(transfer) => self.on_transfer(from, transfer),
            FilesMessage::Propose { request, share, operation, epoch, mutation } => {
                self.newest = self.newest.max(epoch);
                let operation = (operation, epoch);
                self.shares.propose(now, (from, request), &share, operation, mutation);
            }
            FilesMessage::Ask { request, share, query, at_least } => {
                self.shares.ask(now, (from, request), &share, query, at_least);
            }
            FilesMessage::Reply { request, epoch, reply } => {
                self.newest = self.newest.max(epoch);
                self.asks.handle_reply(now.boot, from, request, epoch, reply);
            }
        }
    }

    fn on_transfer(&mut self, from: &Name, transfer: Transfer) {
        let now = self.now.boot;
        match &transfer {
            Transfer::Got { extent, .. } => self.tell_writers(*extent, from, &transfer),
            Transfer::Sealed { extent, .. } | Transfer::Refused { extent, .. } => {
                self.tell_writers(*extent, from, &transfer);
                self.tell_merges(from, &transfer);
                self.repairer.handle_message(now, from, &transfer);
            }
            Transfer::Lacks { .. } => self.repairer.handle_message(now, from, &transfer),
            // The numbers of a holder's own questions are the upper half.
            Transfer::Data { request, .. } if *request < 1 << 63 => {
                self.tell_reader(*request, from, &transfer);
            }
            _ => self.holder.handle_message(now, from, transfer),
        }
    }

    pub(super) fn change_view(&mut self, view: Arc<FilesView>) {
        let now = self.now;
        let is_new_here =
            view.members.contains_key(&self.own) && !self.view.members.contains_key(&self.own);
        self.newest = self.newest.max(view.epoch);
        self.shares.handle_view(now, &view);
        self.asks.handle_view(now.boot, &view);
        self.view = view;
        self.holder.handle_view(now.boot, self.view.epoch, is_new_here);
        self.show_hints();
        self.start_early();
    }

    /// What is known beside the view: what the owner knows, and of the own disk.
    pub(super) fn effective_hints(&self) -> Hints {
        let mut hints = self.hints.clone();
        if self.room != Room::Plenty {
            hints.full.insert(self.own.clone());
        }
        if self.is_failed {
            hints.dead.insert(self.own.clone());
        }
        hints
    }

    pub(super) fn show_hints(&mut self) {
        let (now, view, hints) = (self.now.boot, self.view.clone(), self.effective_hints());
        self.repairer.handle_view(now, view.clone(), hints.clone(), &self.planned);
        self.show_clients(&view, &hints);
    }

    /// The disk has failed: nothing more is written or promised here.
    pub(super) fn fail(&mut self) {
        if self.is_failed {
            return;
        }
        self.is_failed = true;
        self.shares.handle_failed(self.now);
        self.outputs.push_back(MemberOutput::Note(MemberNote::StorageFailed));
        self.show_hints();
    }

    fn on_share(&mut self, output: ShareOutput) {
        match output {
            ShareOutput::Send(to, message) => self.send(to, message),
            ShareOutput::Job(share, number, job) => {
                let id = self.jobs.begin(JobFor::Share(share, number));
                self.outputs.push_back(MemberOutput::Job { id, job });
            }
            ShareOutput::Whole(share, keeper, epoch) => {
                self.outputs.push_back(MemberOutput::Fill { share, keeper, epoch });
            }
            ShareOutput::Lost(share, keeper, epoch) => {
                self.outputs.push_back(MemberOutput::Lose { share, keeper, epoch });
            }
            ShareOutput::Note(note) => self.outputs.push_back(MemberOutput::Note(note)),
        }
    }

    fn on_holder(&mut self, output: HolderOutput) {
        let now = self.now.boot;
        match output {
            HolderOutput::Send { to, message } => self.transfer(to, message),
            HolderOutput::Job { id, job } => self.holder_job(id, job),
            HolderOutput::AskInUse { share, extents } => self.ask_in_use(&share, extents),
            HolderOutput::Held(stored) => self.repairer.handle_held(now, stored),
            HolderOutput::Dropped(extent) => self.repairer.handle_dropped(now, extent),
            HolderOutput::BadCopy(extent) => {
                self.outputs.push_back(MemberOutput::Note(MemberNote::BadCopy(extent)));
            }
            HolderOutput::StorageFailed => self.fail(),
        }
    }

    fn holder_job(&mut self, number: u64, job: ExtentJob) {
        let (set, hint) = match &job {
            ExtentJob::Seal { extent, .. } => {
                let hint = self.holder.hint_of(*extent).unwrap_or_default();
                (self.holder.set_of(*extent).cloned(), hint.to_owned())
            }
            _ => (None, String::new()),
        };
        let wall_ms = self.now.wall.0;
        let job = jobs::job(job, set, &self.own, (wall_ms, hint));
        let id = self.jobs.begin(JobFor::Holder(number));
        self.outputs.push_back(MemberOutput::Job { id, job });
    }

    /// What belongs to a share that was removed belongs to no file. Only who is a member of the
    /// newest view that anybody spoke of may say so.
    fn knows_shares(&self) -> bool {
        self.view.members.contains_key(&self.own) && self.newest <= self.view.epoch
    }

    fn ask_in_use(&mut self, share: &ShareName, extents: Vec<ExtentId>) {
        if self.view.shares.contains_key(share) {
            let query = Query::InUse(extents.clone());
            let what = What::Question { query, stale: false };
            let purpose = Purpose::InUse(share.clone(), extents);
            self.asks.begin(self.now.boot, purpose, share, what, OWN_LIMIT);
        } else if self.knows_shares() {
            let uses = extents.into_iter().map(|extent| (extent, ExtentUse::Unknown)).collect();
            self.holder.handle_in_use(self.now.boot, share, self.view.epoch, uses);
        }
    }

    fn on_repairer(&mut self, output: RepairOutput) {
        match output {
            RepairOutput::Send { to, message } => self.transfer(to, message),
            RepairOutput::AskSet(change) => self.ask_set(change),
            RepairOutput::AskHolders { share, extent } => self.ask_holders(&share, extent),
        }
    }

    fn ask_holders(&mut self, share: &ShareName, extent: ExtentId) {
        let is_same =
            |purpose: &Purpose| matches!(purpose, Purpose::SetIs(asked) if *asked == extent);
        if !self.asks.is_open(is_same) {
            let what = What::Question { query: Query::InUse(vec![extent]), stale: false };
            self.asks.begin(self.now.boot, Purpose::SetIs(extent), share, what, OWN_LIMIT);
        }
    }

    /// The same change has the same operation id, whoever asks for it.
    fn ask_set(&mut self, change: SetChange) {
        let extent = change.extent;
        let is_same = |purpose: &Purpose| match purpose {
            Purpose::Set(change) => change.extent == extent,
            Purpose::SetIs(asked) => *asked == extent,
            _ => false,
        };
        if self.asks.is_open(is_same) {
            return;
        }
        let members: Vec<&[u8]> =
            change.members.iter().map(|name| name.as_str().as_bytes()).collect();
        let members = members.join(&b' ');
        let (id, version) = (extent.0.to_be_bytes(), change.version.to_be_bytes());
        let key = "memberd change of holders 1";
        let operation = OperationId(derived(key, &[&id, &version, &members]));
        let mutation =
            Mutation::SetHolders { extent, from: change.version, members: change.members.clone() };
        let what = What::Change { operation, epoch: self.view.epoch, mutation };
        let share = change.share.clone();
        self.asks.begin(self.now.boot, Purpose::Set(change), &share, what, OWN_LIMIT);
    }

    fn on_asks(&mut self, output: AskOutput<Purpose>) {
        match output {
            AskOutput::Send(to, message) => self.send(to, message),
            AskOutput::Done(purpose, asked) => match purpose {
                Purpose::Set(change) => self.on_set(&change, &asked),
                Purpose::SetIs(extent) => self.on_set_is(extent, asked),
                Purpose::InUse(share, extents) => self.on_in_use(&share, extents, asked),
                Purpose::Answer(client) => self.on_answer(client, asked),
                Purpose::Change(client) => self.on_change(client, asked),
                Purpose::Publish(client) => self.on_publish(client, &asked),
                Purpose::Lookup(client) => self.on_lookup(client, asked),
            },
        }
    }

    fn on_set(&mut self, change: &SetChange, asked: &Asked) {
        let (now, extent) = (self.now.boot, change.extent);
        match asked {
            Asked::Answer(Answer::Done(_)) => {
                let version = change.version + 1;
                let set = HolderSet { version, members: change.members.clone() };
                self.repairer.handle_set(now, extent, SetAnswer::Is(set));
            }
            Asked::Answer(Answer::Refused(Refusal::ExtentUnknown)) => {
                self.repairer.handle_set(now, extent, SetAnswer::Unknown);
            }
            Asked::NoShare if self.knows_shares() => {
                self.repairer.handle_set(now, extent, SetAnswer::Unknown);
            }
            Asked::Answer(Answer::Refused(_)) => {
                let query = Query::InUse(vec![extent]);
                let what = What::Question { query, stale: false };
                let purpose = Purpose::SetIs(extent);
                self.asks.begin(now, purpose, &change.share, what, OWN_LIMIT);
            }
            // The repairer asks again.
            _ => {}
        }
    }

    fn on_set_is(&mut self, extent: ExtentId, asked: Asked) {
        let used = match asked {
            Asked::Found { found: Found::InUse(uses), is_newest: true, .. } => {
                uses.into_iter().next().flatten()
            }
            Asked::NoShare if self.knows_shares() => None,
            // The repairer asks again.
            _ => return,
        };
        let answer = used.map_or(SetAnswer::Unknown, |(_, set)| SetAnswer::Is(set));
        self.repairer.handle_set(self.now.boot, extent, answer);
    }

    fn on_in_use(&mut self, share: &ShareName, extents: Vec<ExtentId>, asked: Asked) {
        let Asked::Found { found: Found::InUse(uses), epoch, is_newest: true } = asked else {
            return;
        };
        if uses.len() != extents.len() {
            return;
        }
        let held = |of: Option<(_, HolderSet)>| {
            of.map_or(ExtentUse::Unknown, |(_, set)| ExtentUse::Held(set))
        };
        let uses = extents.into_iter().zip(uses.into_iter().map(held)).collect();
        let epoch: Epoch = epoch;
        self.holder.handle_in_use(self.now.boot, share, epoch, uses);
    }
}
