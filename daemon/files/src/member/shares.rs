//! The catalogs that a member keeps, kept, or has on disk: [`Shares`]. Owns a keeper and a journal
//! for each, and who waits for the keepers' answers.

use super::journal::{Journal, Progress};
use super::load::OnDisk;
use super::output::{FilesMessage, MemberNote};
use super::status::ShareStatus;
use crate::catalog::{Mutation, Query};
use crate::ids::{Epoch, OperationId};
use crate::keeper::{Durable, Keeper, KeeperRole, Message, Output, Reply, RequestId, Settings};
use crate::path::ShareName;
use crate::store::{Job, Refused};
use crate::view::FilesView;
use memberd_council::{BootTime, Now};
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The most questions and changes that wait for the keepers here.
const MAX_REQUESTS: usize = 8_192;

/// What the member is to do.
#[derive(Debug, Clone)]
pub(super) enum ShareOutput {
    /// Send this; perhaps to itself.
    Send(Name, FilesMessage),
    /// Have the store do this: the job of this number of a share.
    Job(ShareName, u64, Job),
    /// A keeper is whole, as this member says as primary of this view.
    Whole(ShareName, Name, Epoch),
    /// A keeper has lost its disk, as this member knows in this view.
    Lost(ShareName, Name, Epoch),
    /// Something to log.
    Note(MemberNote),
}

/// A keeper here, and what it writes.
#[derive(Debug, Clone)]
struct Kept {
    /// Nothing: it has ended, and what it wrote last is on its way.
    keeper: Option<Keeper>,
    journal: Journal,
}

/// Who waits for an answer.
#[derive(Debug, Clone)]
struct Origin {
    from: Name,
    request: u64,
}

/// The catalogs here.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    own: Name,
    settings: Settings,
    now: Now,
    view: Arc<FilesView>,
    kept: BTreeMap<ShareName, Kept>,
    requests: BTreeMap<RequestId, Origin>,
    next_request: u64,
    is_failed: bool,
    outputs: VecDeque<ShareOutput>,
}

impl Shares {
    pub(super) fn new(own: Name, settings: Settings, on_disk: &mut OnDisk, now: Now) -> Shares {
        let mut shares = Shares {
            own,
            settings,
            now,
            view: Arc::default(),
            kept: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            is_failed: false,
            outputs: VecDeque::new(),
        };
        for share in std::mem::take(&mut on_disk.damaged) {
            shares.drop_damaged(&share);
        }
        for (share, durable) in std::mem::take(&mut on_disk.shares) {
            shares.start(share, durable);
        }
        shares
    }

    /// Begins anew as a keeper that has lost its disk.
    fn drop_damaged(&mut self, share: &ShareName) {
        let mut journal = Journal::new(share.clone(), 0, 0);
        journal.forget();
        self.outputs.push_back(ShareOutput::Note(MemberNote::BadCatalog(share.clone())));
        self.kept.insert(share.clone(), Kept { keeper: None, journal });
        self.pump(share);
    }

    fn start(&mut self, share: ShareName, durable: Durable) {
        let applied = durable.image.as_ref().map_or(0, |image| image.at.index);
        let before = durable.mark.as_ref().map_or(0, |mark| mark.before.index);
        let (settings, own, now) = (self.settings, self.own.clone(), self.now);
        match Keeper::new(settings, own, share.clone(), durable, now) {
            Ok(keeper) => {
                let journal = Journal::new(share.clone(), applied, before);
                self.kept.insert(share, Kept { keeper: Some(keeper), journal });
            }
            Err(_) => self.drop_damaged(&share),
        }
    }

    /// A newer agreed view.
    pub(super) fn handle_view(&mut self, now: Now, view: &Arc<FilesView>) {
        self.now = now;
        self.view = view.clone();
        for (share, of) in &view.shares {
            if of.keepers.contains(&self.own) && !self.is_failed {
                self.keep(share);
            }
        }
        for share in self.kept.keys().cloned().collect::<Vec<_>>() {
            self.with_keeper(&share, |keeper| keeper.handle_view(now, view));
            self.end_what_is_over(&share);
        }
        self.tell_lost();
    }

    /// A keeper whose disk has failed lets no others go.
    fn tell_lost(&mut self) {
        for (share, of) in &self.view.shares {
            let has_failed = self.is_failed || self.keeper(share).is_some_and(Keeper::is_failed);
            if has_failed && of.whole.contains(&self.own) {
                let lost = ShareOutput::Lost(share.clone(), self.own.clone(), self.view.epoch);
                self.outputs.push_back(lost);
            }
        }
    }

    /// Begins to keep a share, if it does not yet.
    fn keep(&mut self, share: &ShareName) {
        if self.kept.get(share).is_some_and(|kept| kept.keeper.is_some()) {
            return;
        }
        let (settings, own, now) = (self.settings, self.own.clone(), self.now);
        let keeper = Keeper::new(settings, own, share.clone(), Durable::default(), now);
        let Ok(keeper) = keeper else { return };
        let kept = self
            .kept
            .entry(share.clone())
            .or_insert_with(|| Kept { keeper: None, journal: Journal::new(share.clone(), 0, 0) });
        kept.keeper = Some(keeper);
    }

    /// THE RULE that a catalog is dropped only when a view lacks its share that is not older than
    /// the one that added it; or when the keepers of the newest view have it.
    fn end_what_is_over(&mut self, share: &ShareName) {
        let Some(kept) = self.kept.get_mut(share) else { return };
        if let Some(keeper) = &kept.keeper {
            let is_gone = !self.view.shares.contains_key(share)
                && self.view.epoch >= keeper.added()
                && self.view.epoch > Epoch::NONE;
            let is_former = keeper.status().role == KeeperRole::Former;
            if is_gone && !keeper.is_blank() {
                kept.journal.forget();
                kept.keeper = None;
            } else if is_gone || (is_former && keeper.is_blank()) {
                kept.journal.detach();
                kept.keeper = None;
            }
        }
        self.pump(share);
        if self.kept.get(share).is_some_and(|kept| kept.keeper.is_none() && kept.journal.is_idle())
        {
            self.kept.remove(share);
        }
    }

    /// A message of another keeper.
    pub(super) fn handle_message(
        &mut self,
        now: Now,
        from: &Name,
        share: &ShareName,
        message: Message,
    ) {
        self.now = now;
        self.with_keeper(share, |keeper| keeper.handle_message(now, from, message));
        self.end_what_is_over(share);
    }

    /// A member wants a change.
    pub(super) fn propose(
        &mut self,
        now: Now,
        (from, request): (&Name, u64),
        share: &ShareName,
        operation: (OperationId, Epoch),
        mutation: Mutation,
    ) {
        self.now = now;
        let Some(id) = self.accept(from, request, share) else { return };
        self.with_keeper(share, |keeper| keeper.propose(now, id, operation, mutation));
    }

    /// A member asks.
    pub(super) fn ask(
        &mut self,
        now: Now,
        (from, request): (&Name, u64),
        share: &ShareName,
        query: Query,
        at_least: Option<u64>,
    ) {
        self.now = now;
        let Some(id) = self.accept(from, request, share) else { return };
        self.with_keeper(share, |keeper| keeper.ask(now, id, query, at_least));
    }

    /// Notes who waits. Nothing if it is refused at once.
    fn accept(&mut self, from: &Name, request: u64, share: &ShareName) -> Option<RequestId> {
        let keeper = self.keeper(share).filter(|keeper| !keeper.is_failed());
        if keeper.is_none() || self.is_failed {
            self.reply(from, request, Reply::NotPrimary { primary: None });
            return None;
        }
        if self.requests.len() >= MAX_REQUESTS {
            self.reply(from, request, Reply::Busy);
            return None;
        }
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.requests.insert(id, Origin { from: from.clone(), request });
        Some(id)
    }

    fn reply(&mut self, to: &Name, request: u64, reply: Reply) {
        let message = FilesMessage::Reply { request, epoch: self.view.epoch, reply };
        self.outputs.push_back(ShareOutput::Send(to.clone(), message));
    }

    /// The store has ended the job of this number.
    pub(super) fn handle_job(
        &mut self,
        now: Now,
        share: &ShareName,
        number: u64,
        result: Result<(), Refused>,
    ) {
        self.now = now;
        let Some(kept) = self.kept.get_mut(share) else { return };
        kept.journal.done(number, result);
        self.end_what_is_over(share);
    }

    /// The disk has failed: no keeper says anything more.
    pub(super) fn handle_failed(&mut self, now: Now) {
        self.now = now;
        self.is_failed = true;
        for share in self.kept.keys().cloned().collect::<Vec<_>>() {
            self.with_keeper(&share, |keeper| keeper.handle_disk_failed(now));
        }
        self.kept.retain(|_, kept| kept.keeper.is_some());
        self.tell_lost();
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        for share in self.kept.keys().cloned().collect::<Vec<_>>() {
            let due = self.kept.get(&share).and_then(Kept::due);
            if due.is_some_and(|due| due <= now.boot) {
                self.with_keeper(&share, |keeper| keeper.handle_timeout(now));
                self.end_what_is_over(&share);
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<BootTime> {
        if self.is_failed {
            return None;
        }
        self.kept.values().filter_map(Kept::due).min()
    }

    pub(super) fn poll_output(&mut self) -> Option<ShareOutput> {
        self.outputs.pop_front()
    }

    pub(super) fn keeper(&self, share: &ShareName) -> Option<&Keeper> {
        self.kept.get(share)?.keeper.as_ref()
    }

    pub(super) fn status(&self) -> Vec<ShareStatus> {
        let status = |(share, kept): (&ShareName, &Kept)| {
            let keeper = kept.keeper.as_ref()?.status();
            Some(ShareStatus { share: share.clone(), keeper })
        };
        self.kept.iter().filter_map(status).collect()
    }

    /// Hands a keeper its input, and does what it says.
    fn with_keeper(&mut self, share: &ShareName, input: impl FnOnce(&mut Keeper)) {
        let Some(kept) = self.kept.get_mut(share) else { return };
        let Some(keeper) = &mut kept.keeper else { return };
        input(keeper);
        self.drain(share);
        self.pump(share);
    }

    fn drain(&mut self, share: &ShareName) {
        while let Some(kept) = self.kept.get_mut(share)
            && let Some(output) = kept.keeper.as_mut().and_then(Keeper::poll_output)
        {
            match output {
                Output::Send { to, message } => {
                    let message = FilesMessage::Keeper { share: share.clone(), message };
                    self.outputs.push_back(ShareOutput::Send(to, message));
                }
                Output::Write { id, records } => kept.journal.write(id, records),
                Output::Whole(name) => {
                    let whole = ShareOutput::Whole(share.clone(), name, self.view.epoch);
                    self.outputs.push_back(whole);
                }
                Output::Lost(name) => {
                    let lost = ShareOutput::Lost(share.clone(), name, self.view.epoch);
                    self.outputs.push_back(lost);
                }
                Output::Reply { request, reply } => {
                    if let Some(Origin { from, request }) = self.requests.remove(&request) {
                        self.reply(&from, request, reply);
                    }
                }
            }
        }
    }

    /// Begins the jobs that may begin, and tells the keeper what is durable.
    fn pump(&mut self, share: &ShareName) {
        let now = self.now;
        while let Some(kept) = self.kept.get_mut(share)
            && !self.is_failed
        {
            let jobs = kept.journal.jobs(now.boot);
            let job = |(number, job)| ShareOutput::Job(share.clone(), number, job);
            self.outputs.extend(jobs.into_iter().map(job));
            match kept.journal.progress(now.boot) {
                None => return,
                Some(Progress::On) => {}
                Some(Progress::Written(id)) => {
                    if let Some(keeper) = &mut kept.keeper {
                        keeper.handle_written(now, id);
                    }
                    self.drain(share);
                }
                Some(Progress::Broken) => {
                    if let Some(keeper) = &mut kept.keeper {
                        keeper.handle_disk_failed(now);
                    }
                    let note = MemberNote::BadCatalog(share.clone());
                    self.outputs.push_back(ShareOutput::Note(note));
                    self.tell_lost();
                    self.drain(share);
                    return;
                }
            }
        }
    }
}

impl Kept {
    fn due(&self) -> Option<BootTime> {
        let keeper = self.keeper.as_ref().and_then(Keeper::poll_timeout);
        [keeper, self.journal.due()].into_iter().flatten().min()
    }
}
