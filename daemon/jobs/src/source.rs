//! The source of one job on one member: cuts its files into ranges, and sends what each partition
//! grew by. Owns what is known of files and of the partitions' cursors; all of it can be lost.

mod durable;
mod route;
mod sending;
#[cfg(test)]
mod tests;

use crate::ids::{Epoch, FileKey, JobId, Now, Partition, Stage};
use crate::message::{Cursors, CursorsKind, Message};
use crate::output::{FoldAsk, FoldRange, Folded, Note, Output};
use crate::settings::Settings;
use crate::table::Job;
use memberd_membership::Name;
use route::{Place, Route};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A look at all files of a member that a job reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The machine's clock when it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// The files. One that was there before and is not any more is gone.
    pub files: Vec<SeenFile>,
    /// What files were before they were written anew. They are not there any more, but partitions
    /// have to know them: by that the host knows which one a file is after it has begun anew.
    pub former: Vec<FileKey>,
}

/// A file, as a look saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenFile {
    /// Which.
    pub key: FileKey,
    /// Where to begin if no partition knows it: 0, or its end for a job that counts from now on.
    pub first: u64,
    /// Bytes below this are lost. At most `end`.
    pub lost_below: u64,
    /// The end of its last whole line.
    pub end: u64,
    /// Whether nothing is written to it any more.
    pub is_finished: bool,
}

/// What a source knows to be durable: by partition, the epoch of its owner, and a file's bytes.
pub type Acknowledged = Vec<(Partition, Epoch, Vec<(FileKey, u64)>)>;

/// What a source knows of a file.
#[derive(Debug)]
struct File {
    seen: SeenFile,
    /// Its first byte that counts, once that is settled.
    start: Option<u64>,
    /// Lines that were there before it was seen have no stamp before this, unless late. None: it
    /// may have been there for long.
    since_ms: Option<i64>,
    /// Since when it has not grown, in milliseconds since boot.
    quiet_since_ms: u64,
    /// When looks began, and where it ended then: what follows was written later.
    looks: Vec<(i64, u64)>,
    /// It could not be read, and is not before this.
    unread_until_ms: u64,
    /// Bytes below this are durable in all partitions. It holds while an owner is not heard of.
    released: u64,
    /// The most bytes of a range of it whose sums are not too large.
    range_bytes: u64,
    /// It was counted and is gone, and this process never saw it.
    is_unseen: bool,
}

/// The most looks that are remembered of a file.
const MAX_LOOKS: usize = 32;

impl File {
    fn new(seen: SeenFile, since_ms: Option<i64>, now_ms: u64) -> File {
        File {
            seen,
            start: None,
            since_ms,
            quiet_since_ms: now_ms,
            looks: Vec::new(),
            unread_until_ms: 0,
            released: 0,
            range_bytes: u64::MAX,
            is_unseen: false,
        }
    }

    fn look(&mut self, seen: &SeenFile, began_ms: i64, now_ms: u64) {
        if seen.end > self.seen.end {
            self.quiet_since_ms = now_ms;
        }
        let end = seen.end.max(self.seen.end);
        self.seen = SeenFile { end, ..*seen };
        match self.looks.last_mut() {
            Some(last) if last.1 == end => last.0 = last.0.max(began_ms),
            _ => self.looks.push((began_ms, end)),
        }
        if self.looks.len() > MAX_LOOKS {
            let mut count = 0;
            self.looks.retain(|_| {
                count += 1;
                count % 2 == 1
            });
        }
    }

    /// What follows `to` was written after this, but for what lay there before the first look:
    /// of that nobody knows. None before any look.
    fn written_after_ms(&self, to: u64) -> Option<i64> {
        let look = self.looks.iter().rev().find(|(_, end)| *end <= to);
        look.or(self.looks.first()).map(|(began_ms, _)| *began_ms)
    }
}

/// The source of one job.
#[derive(Debug)]
pub(crate) struct Source {
    settings: Arc<Settings>,
    job_id: JobId,
    job: Arc<Job>,
    routes: Vec<Route>,
    files: BTreeMap<FileKey, File>,
    /// What they were before: these are not gone.
    former: BTreeSet<FileKey>,
    /// When the newest look began, on the wall and since boot.
    looked_ms: Option<i64>,
    /// Whether every partition has told its cursors once. Nothing is read before, since one of
    /// them may know where a file began to count.
    all_heard: bool,
    folding: Option<FoldAsk>,
    folding_since_ms: u64,
    folds: u64,
    work_at_ms: u64,
    speak_at_ms: u64,
}

impl Source {
    pub(crate) fn new(settings: Arc<Settings>, job_id: JobId, job: Arc<Job>) -> Source {
        let routes = (0..job.spec.partitions).map(|_| Route::default()).collect();
        let mut source = Source {
            settings,
            job_id,
            job: Arc::clone(&job),
            routes,
            files: BTreeMap::new(),
            former: BTreeSet::new(),
            looked_ms: None,
            all_heard: false,
            folding: None,
            folding_since_ms: 0,
            folds: 0,
            work_at_ms: 0,
            speak_at_ms: 0,
        };
        source.handle_job(job);
        source
    }

    pub(crate) fn due_ms(&self) -> u64 {
        self.work_at_ms
    }

    /// Obeys the highest epoch of each partition.
    pub(crate) fn handle_job(&mut self, job: Arc<Job>) {
        for (part, route) in (0..).zip(&mut self.routes) {
            let Some(assignment) = job.stages.get(&Stage::Partition(Partition(part))) else {
                continue;
            };
            if assignment.epoch > route.epoch {
                *route = Route {
                    epoch: assignment.epoch,
                    owner: Some(assignment.owner.name.clone()),
                    was_heard: route.was_heard,
                    ..Route::default()
                };
            }
        }
        self.job = job;
    }

    /// Takes a look at all files.
    pub(crate) fn handle_look(&mut self, now: Now, look: &Look, out: &mut VecDeque<Output>) {
        let before = self.looked_ms.replace(look.began_ms);
        for seen in &look.files {
            // It was not there at the look before.
            let new = || File::new(*seen, before, now.boot_ms);
            self.files.entry(seen.key).or_insert_with(new).look(seen, look.began_ms, now.boot_ms);
        }
        self.former = look.former.iter().copied().collect();
        let there: BTreeSet<FileKey> = look.files.iter().map(|file| file.key).collect();
        for (key, file) in &mut self.files {
            if !there.contains(key) {
                file.seen.lost_below = file.seen.end;
                file.seen.is_finished = true;
            }
        }
        let is_done = |key: &FileKey| {
            let mut places = self.routes.iter().map(|route| route.places.get(key));
            places.all(|place| place.is_some_and(|place| place.is_finished))
        };
        self.files.retain(|key, _| there.contains(key) || !is_done(key));
        self.settle_starts();
        self.work(now, out);
    }

    pub(crate) fn handle_timeout(&mut self, now: Now, out: &mut VecDeque<Output>) {
        if self.work_at_ms <= now.boot_ms {
            self.work(now, out);
        }
    }

    /// Where files begin to count. A partition that knows a file knows that.
    fn settle_starts(&mut self) {
        self.all_heard |= self.routes.iter().all(|route| route.was_heard);
        if !self.all_heard {
            return;
        }
        for (key, file) in &mut self.files {
            if file.start.is_none() {
                let told = self.routes.iter().find_map(|route| route.places.get(key));
                file.start = Some(told.map_or(file.seen.first, |place| place.start));
            }
        }
    }

    /// Takes cursors from the owner in the table alone.
    pub(crate) fn handle_cursors(
        &mut self,
        now: Now,
        from: &Name,
        cursors: &Cursors,
        out: &mut VecDeque<Output>,
    ) {
        let Some(route) = self.routes.get_mut(usize::from(cursors.partition.0)) else { return };
        let is_all = cursors.kind == CursorsKind::All;
        // An answer to an earlier hello says nothing new.
        let is_next = !route.is_heard && cursors.after == route.heard_to;
        let is_owner = route.owner.as_ref() == Some(from) && route.epoch == cursors.epoch;
        if !is_owner || (is_all && !is_next) || (!is_all && !route.is_heard) {
            return;
        }
        // It was under way for long, and may speak of a file that was dropped since.
        if cursors.dropped_at < route.dropped_at {
            return;
        }
        route.dropped_at = cursors.dropped_at;
        match cursors.kind {
            CursorsKind::All => route.heard(cursors),
            CursorsKind::Full => route.waits_until_ms = now.boot_ms + self.settings.retry_ms,
            CursorsKind::Acknowledged | CursorsKind::Rewind => {}
        }
        for told in &cursors.files {
            route.told(now.boot_ms, told, cursors);
        }
        for told in &cursors.files {
            let released = self.released(told.file);
            if let Some(file) = self.files.get_mut(&told.file) {
                file.released = released;
            }
        }
        self.settle_starts();
        self.close_unknown(now);
        self.work(now, out);
    }

    /// Files that a partition counts and that are not here any more have ended. How many bytes
    /// they had beyond its cursor nobody knows.
    fn close_unknown(&mut self, now: Now) {
        if self.looked_ms.is_none() || !self.all_heard {
            return;
        }
        let mut ended: BTreeMap<FileKey, Place> = BTreeMap::new();
        for (key, place) in self.routes.iter().flat_map(|route| &route.places) {
            if !self.files.contains_key(key) && !place.is_finished {
                ended.entry(*key).or_insert(*place);
            }
        }
        for (key, place) in ended {
            let seen =
                SeenFile { key, first: place.start, lost_below: 0, end: 0, is_finished: true };
            let mut file = File::new(seen, None, now.boot_ms);
            file.start = Some(place.start);
            file.is_unseen = true;
            self.files.insert(key, file);
        }
    }

    /// The sums of what was asked for. None: the range cannot be read any more.
    pub(crate) fn handle_folded(
        &mut self,
        now: Now,
        number: u64,
        folded: &[Option<Folded>],
        out: &mut VecDeque<Output>,
    ) {
        let Some(ask) = self.folding.take_if(|ask| ask.number == number) else { return };
        for (range, folded) in ask.ranges.iter().zip(folded) {
            match folded {
                Some(folded) if self.is_too_large(range, folded) => {}
                Some(folded) => self.queue(range, folded),
                None => {
                    if let Some(file) = self.files.get_mut(&range.file) {
                        file.unread_until_ms = now.boot_ms + self.settings.retry_ms;
                    }
                    out.push_back(Output::Note(Note::Lost(self.job_id, range.file)));
                }
            }
        }
        self.send_queued(now, false, out);
        self.work(now, out);
    }

    /// Greets owners, announces files, tells of gaps and ends, and asks for the next ranges.
    fn work(&mut self, now: Now, out: &mut VecDeque<Output>) {
        self.work_at_ms = now.boot_ms + self.settings.look_ms;
        self.greet(now, out);
        if !self.all_heard || self.looked_ms.is_none() {
            return;
        }
        let speaks = self.speak_at_ms <= now.boot_ms;
        if speaks {
            self.speak_at_ms = now.boot_ms + self.settings.retry_ms / 2;
        }
        self.queue_without_sums(now, speaks);
        self.send_queued(now, speaks, out);
        self.ask_for_sums(now, out);
    }

    fn greet(&mut self, now: Now, out: &mut VecDeque<Output>) {
        for (part, route) in (0..).zip(&mut self.routes) {
            let Some(owner) = route.owner.clone() else { continue };
            route.expire(now.boot_ms, &self.settings);
            if route.is_heard || route.greet_at_ms > now.boot_ms {
                continue;
            }
            route.greet_at_ms = now.boot_ms + self.settings.retry_ms;
            let (job, partition, epoch) = (self.job_id, Partition(part), route.epoch);
            let hello = Message::Hello { job, partition, epoch, after: route.heard_to };
            out.push_back(Output::Send(owner, hello));
        }
    }

    /// Asks the host for the sums of all ranges that some partition can take now.
    fn ask_for_sums(&mut self, now: Now, out: &mut VecDeque<Output>) {
        if let Some(ask) = &self.folding {
            let waited = now.boot_ms.saturating_sub(self.folding_since_ms);
            if waited >= 10 * self.settings.retry_ms {
                // The host has lost it, or is still at it: then its first answer counts.
                self.folding_since_ms = now.boot_ms;
                out.push_back(Output::Fold(ask.clone()));
            }
            return;
        }
        let mut ranges: BTreeMap<(FileKey, u64), BTreeSet<Partition>> = BTreeMap::new();
        for (part, route) in (0..).zip(&self.routes) {
            for (key, file) in &self.files {
                let Some(place) = route.places.get(key).filter(|place| !place.is_finished) else {
                    continue;
                };
                let waits = place.sent >= file.seen.lost_below && place.sent < file.seen.end;
                let is_readable = file.unread_until_ms <= now.boot_ms;
                if waits && is_readable && route.can_take(*key, now.boot_ms, &self.settings) {
                    ranges.entry((*key, place.sent)).or_default().insert(Partition(part));
                }
            }
        }
        if ranges.is_empty() {
            return;
        }
        let range = |((file, from), partitions): ((FileKey, u64), BTreeSet<Partition>)| {
            let known = self.files.get(&file).map_or((from, 0), |it| (it.seen.end, it.range_bytes));
            let to = known.0.min(from.saturating_add(known.1.min(self.settings.range_bytes)));
            FoldRange { file, from, to, partitions }
        };
        let ranges = ranges.into_iter().map(range).collect();
        self.folds += 1;
        let ask = FoldAsk { job: self.job_id, number: self.folds, ranges };
        self.folding = Some(ask.clone());
        self.folding_since_ms = now.boot_ms;
        out.push_back(Output::Fold(ask));
    }
}
