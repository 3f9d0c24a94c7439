//! Writes a file, or a large append: extents to their holders, then one atomic publish. Owns what
//! has not been published.
//!
//! Nothing is visible before the publish. One that gets no answer may have happened: it is asked
//! again under the same operation id, and its extents are never removed on suspicion.

use super::upload::{Around, Upload};
use crate::catalog::Refusal;
use crate::content::{Content, ExtentRef, HolderSet};
use crate::extent::PIECE_BYTES;
use crate::ids::{Epoch, ExtentId, Generation, OperationId, derived};
use crate::path::ShareName;
use crate::placement::Hints;
use crate::settings::{ExtentMutant, ExtentSettings};
use crate::transfer::Transfer;
use crate::view::FilesView;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Up to this much goes to all holders at once; more goes through a chain.
const STAR_BYTES: usize = 1 << 20;
/// The most bytes of one operation in memory.
const MEMORY_BYTES: usize = 3 << 20;
/// How long there may be too few members to take it.
const SHORT_LIMIT: Duration = Duration::from_secs(10);
/// How long a client waits after its last byte.
const ANSWER_LIMIT: Duration = Duration::from_secs(50);
/// After how long without an answer a publish is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Content that the owner makes a mutation of: a file, a new content or an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Under the same id it happens once, however often it is asked.
    pub operation: OperationId,
    /// The view by which the holders were chosen. A catalog of a newer one refuses.
    pub epoch: Epoch,
    /// The content, which lies on all its holders.
    pub content: Content,
    /// How long ago, in seconds, its first extent was begun.
    pub age_s: u32,
}

/// What the primary says to a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishAnswer {
    /// It happened, now or before.
    Done(Generation),
    /// Its view is this one. It did not happen.
    OldEpoch(Epoch),
    /// It did not happen: the bytes do not fit in the catalog.
    NeedsExtent,
    /// It did not happen, and will not.
    Refused(Refusal),
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its generation.
    pub generation: Generation,
    /// The bytes that were written.
    pub length: u64,
}

/// Why a file was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriterError {
    /// The catalog does not want it.
    #[error("{0}")]
    Refused(Refusal),
    /// There are too few members with room. Nothing was written.
    #[error("fewer than {0} members can take it now: try again, or make room")]
    TooFew(usize),
    /// Nothing was written.
    #[error("the members were too slow: try again")]
    TooSlow,
    /// The catalog did not answer. The file may have been written.
    #[error("the catalog did not answer: the file may have been written, so look at it")]
    Ambiguous,
}

/// What the owner is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriterOutput {
    /// Send this.
    Send {
        /// To whom; may be this member itself.
        to: Name,
        /// What.
        message: Transfer,
    },
    /// Ask the primary of the share, and hand in its answer.
    Publish(Publish),
    /// The end.
    Done(Result<Written, WriterError>),
}

/// One file that is written.
#[derive(Debug, Clone)]
pub struct Writer {
    settings: ExtentSettings,
    operation: OperationId,
    share: ShareName,
    /// The catalog does not take its bytes.
    needs_extent: bool,
    view: Arc<FilesView>,
    hints: Hints,
    now: BootTime,
    started: BootTime,
    ended: Option<BootTime>,
    /// What is in no extent yet.
    buffer: Vec<u8>,
    length: u64,
    uploads: Vec<Upload>,
    index: BTreeMap<ExtentId, usize>,
    /// Whether the last upload takes more bytes.
    is_open: bool,
    /// How many uploads at the beginning were whole when they were looked at last.
    settled: usize,
    publishing: Option<Publishing>,
    is_done: bool,
    outputs: VecDeque<WriterOutput>,
}

#[derive(Debug, Clone)]
struct Publishing {
    publish: Publish,
    said: BootTime,
    times: u32,
    /// The catalog has this view: it is asked again once it is here.
    waits_for: Option<Epoch>,
}

impl Writer {
    /// Begins to write. `operation` was drawn by the owner, and the ids of extents follow from it.
    #[must_use]
    pub fn new(
        settings: ExtentSettings,
        (operation, share): (OperationId, ShareName),
        view: Arc<FilesView>,
        hints: Hints,
        now: BootTime,
    ) -> Self {
        Writer {
            settings,
            operation,
            share,
            needs_extent: false,
            view,
            hints,
            now,
            started: now,
            ended: None,
            buffer: Vec::new(),
            length: 0,
            uploads: Vec::new(),
            index: BTreeMap::new(),
            is_open: false,
            settled: 0,
            publishing: None,
            is_done: false,
            outputs: VecDeque::new(),
        }
    }

    /// Puts all bytes into extents, however few they are: the catalog does not take them.
    #[must_use]
    pub fn with_extents(mut self) -> Self {
        self.needs_extent = true;
        self
    }

    /// Whether an extent is one of its own.
    #[must_use]
    pub fn has(&self, extent: ExtentId) -> bool {
        self.index.contains_key(&extent)
    }

    /// How many bytes [`Writer::push`] takes now. It grows as the slowest holder goes on.
    #[must_use]
    pub fn room(&self) -> usize {
        let waiting: u64 = self.uploads.iter().skip(self.settled).map(Upload::waiting).sum();
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        MEMORY_BYTES.saturating_sub(self.buffer.len()).saturating_sub(waiting)
    }

    /// The next bytes of the file, at most [`Writer::room`].
    pub fn push(&mut self, now: BootTime, bytes: &[u8]) {
        self.now = now;
        if self.ended.is_none() {
            self.buffer.extend_from_slice(bytes);
            self.length += bytes.len() as u64;
        }
        self.step();
    }

    /// The file has no more bytes.
    pub fn end(&mut self, now: BootTime) {
        self.now = now;
        self.ended.get_or_insert(now);
        self.step();
    }

    /// The client has gone before the end. [`WriterOutput::Done`] does not follow.
    pub fn cancel(&mut self) {
        if self.publishing.is_none() && !self.is_done {
            self.abandon();
        }
        self.is_done = true;
    }

    /// A message about one of its extents came.
    pub fn handle_message(&mut self, now: BootTime, from: &Name, message: &Transfer) {
        self.now = now;
        let (Transfer::Got { extent, .. }
        | Transfer::Sealed { extent, .. }
        | Transfer::Refused { extent, .. }) = message
        else {
            return;
        };
        let is_frozen = self.publishing.as_ref().is_some_and(|one| one.waits_for.is_none());
        if !is_frozen && let Some(i) = self.index.get(extent) {
            let around = around(self.now, &self.view, &self.hints, self.settings.mutant);
            self.uploads[*i].on_message(&around, from, message);
            self.settled = self.settled.min(*i);
        }
        self.step();
    }

    /// The agreed view, or what is known of members beside it, has changed.
    pub fn handle_view(&mut self, now: BootTime, view: Arc<FilesView>, hints: Hints) {
        self.now = now;
        if view.epoch >= self.view.epoch {
            self.view = view;
        }
        self.hints = hints;
        self.settled = 0;
        self.step();
    }

    /// The answer to [`WriterOutput::Publish`].
    pub fn handle_published(&mut self, now: BootTime, answer: PublishAnswer) {
        self.now = now;
        let Some(publishing) = self.publishing.as_mut().filter(|_| !self.is_done) else { return };
        match answer {
            PublishAnswer::Done(generation) => {
                self.tell_sets();
                let length = self.length;
                self.done(Ok(Written { generation, length }));
            }
            PublishAnswer::OldEpoch(epoch) => publishing.waits_for = Some(epoch),
            PublishAnswer::NeedsExtent => self.leave_catalog(),
            PublishAnswer::Refused(why) => {
                // If it was asked once, this is the whole truth.
                if publishing.times == 1 {
                    self.abandon();
                }
                self.done(Err(WriterError::Refused(why)));
            }
        }
        self.step();
    }

    /// Handles the moment of [`Writer::poll_timeout`].
    pub fn handle_timeout(&mut self, now: BootTime) {
        self.now = now;
        self.step();
    }

    /// When to call [`Writer::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        if self.is_done {
            return None;
        }
        let answer = self.ended.map(|ended| ended + ANSWER_LIMIT);
        let age = Some(self.started + ExtentSettings::PUBLISH_AGE);
        if let Some(publishing) = &self.publishing {
            let again = publishing.said + self.ask_again();
            return [answer, age, Some(again)].into_iter().flatten().min();
        }
        let working = self.uploads.iter().skip(self.settled);
        let uploads = working.clone().filter_map(Upload::due).min();
        let short = working.filter_map(Upload::short_since).min().map(|at| at + SHORT_LIMIT);
        [answer, age, uploads, short].into_iter().flatten().min()
    }

    /// What the owner is to do next. Take all of it after each input.
    pub fn poll_output(&mut self) -> Option<WriterOutput> {
        self.outputs.pop_front()
    }

    fn step(&mut self) {
        if self.is_done {
            return;
        }
        self.tick_uploads();
        self.fill();
        self.publish();
        self.judge_time();
        self.send();
    }

    /// Moves bytes from the buffer into extents.
    fn fill(&mut self) {
        loop {
            let ended = self.ended.is_some();
            let around = around(self.now, &self.view, &self.hints, self.settings.mutant);
            if !self.is_open {
                let is_long = self.buffer.len() > STAR_BYTES;
                let is_rest = ended && !self.buffer.is_empty();
                let is_short = self.buffer.len() <= Content::MAX_INLINE;
                let is_inline = self.uploads.is_empty() && is_short && !self.needs_extent;
                let working = self.uploads.len() - self.settled;
                if !(is_long || (is_rest && !is_inline)) || working >= 2 {
                    return;
                }
                let (share, copies) = (self.share.clone(), self.settings.copies);
                let extent = self.new_extent();
                self.index.insert(extent, self.uploads.len());
                self.uploads.push(Upload::new(extent, share, copies, is_long, &around));
                self.is_open = true;
            }
            let Some(upload) = self.uploads.last_mut() else { return };
            let room = usize::try_from(ExtentRef::MAX_BYTES - upload.length()).unwrap_or(0);
            let most = room.min(PIECE_BYTES);
            if self.buffer.len() >= most || (ended && !self.buffer.is_empty()) {
                let rest = self.buffer.split_off(self.buffer.len().min(most));
                let piece = std::mem::replace(&mut self.buffer, rest);
                upload.push(&around, piece.into());
            } else if !ended {
                return;
            }
            let is_full = upload.length() == ExtentRef::MAX_BYTES;
            if is_full || (ended && self.buffer.is_empty()) {
                upload.finish(&around);
                self.is_open = false;
            }
        }
    }

    fn tick_uploads(&mut self) {
        if self.publishing.as_ref().is_some_and(|publishing| publishing.waits_for.is_none()) {
            return;
        }
        let around = around(self.now, &self.view, &self.hints, self.settings.mutant);
        for upload in self.uploads.iter_mut().skip(self.settled) {
            upload.tick(&around);
        }
        let working = self.uploads.iter().skip(self.settled);
        self.settled += working.take_while(|one| one.whole(&around).is_some()).count();
    }

    /// Publishes once everything is on all its holders, and asks again if nobody answers.
    fn publish(&mut self) {
        if self.ended.is_none() || self.is_open {
            return;
        }
        let age_s = self.age_s();
        match &mut self.publishing {
            None => {
                if let Some(content) = self.content() {
                    self.say_publish(content, 1);
                }
            }
            Some(publishing) if publishing.waits_for.is_some_and(|at| self.view.epoch >= at) => {
                let times = publishing.times + 1;
                if let Some(content) = self.content() {
                    self.say_publish(content, times);
                }
            }
            Some(publishing) if publishing.waits_for.is_none() => {
                if self.now.since(publishing.said) >= ASK_AGAIN {
                    publishing.said = self.now;
                    publishing.times += 1;
                    publishing.publish.age_s = age_s;
                    let publish = publishing.publish.clone();
                    if self.settings.mutant == Some(ExtentMutant::DeleteAmbiguous) {
                        self.abandon();
                        self.done(Err(WriterError::TooSlow));
                        return;
                    }
                    self.outputs.push_back(WriterOutput::Publish(publish));
                }
            }
            Some(_) => {}
        }
    }

    /// The bytes get an extent, and are published as another operation.
    fn leave_catalog(&mut self) {
        self.publishing = None;
        if self.buffer.is_empty() {
            self.done(Err(WriterError::Refused(Refusal::NeedsExtent)));
            return;
        }
        let key = "memberd operation with an extent 1";
        let id = derived(key, &[&self.operation.0.to_be_bytes()]);
        (self.operation, self.needs_extent) = (OperationId(id), true);
    }

    fn age_s(&self) -> u32 {
        u32::try_from(self.now.since(self.started).as_secs()).unwrap_or(u32::MAX)
    }

    fn say_publish(&mut self, content: Content, times: u32) {
        let publish = Publish {
            operation: self.operation,
            epoch: self.view.epoch,
            content,
            age_s: self.age_s(),
        };
        self.outputs.push_back(WriterOutput::Publish(publish.clone()));
        self.publishing = Some(Publishing { publish, said: self.now, times, waits_for: None });
    }

    /// The content, if all of it is on all its holders.
    fn content(&mut self) -> Option<Content> {
        if self.uploads.is_empty() && !self.needs_extent {
            return Some(Content::Inline(self.buffer.clone()));
        }
        let around = around(self.now, &self.view, &self.hints, self.settings.mutant);
        let extent = |upload: &Upload| {
            let (length, root, members) = upload.whole(&around)?;
            let set = HolderSet { version: 1, members };
            Some(ExtentRef { id: upload.extent, length, root, set })
        };
        self.uploads.iter().map(extent).collect::<Option<_>>().map(Content::Extents)
    }

    /// Tells the holders that their extents count. What is lost of it, they ask for.
    fn tell_sets(&mut self) {
        let Some(publishing) = &self.publishing else { return };
        let Content::Extents(extents) = publishing.publish.content.clone() else { return };
        for one in extents {
            for member in &one.set.members {
                let message = Transfer::SetIs { extent: one.id, set: one.set.clone() };
                self.outputs.push_back(WriterOutput::Send { to: member.clone(), message });
            }
        }
    }

    fn judge_time(&mut self) {
        if self.is_done {
            return;
        }
        let late = self.ended.is_some_and(|ended| self.now.since(ended) >= ANSWER_LIMIT)
            || self.now.since(self.started) >= ExtentSettings::PUBLISH_AGE;
        if self.publishing.is_some() {
            if late {
                self.done(Err(WriterError::Ambiguous));
            }
            return;
        }
        let short = self.uploads.iter().skip(self.settled).filter_map(Upload::short_since).min();
        if short.is_some_and(|since| self.now.since(since) >= SHORT_LIMIT) {
            self.abandon();
            let wanted = self.settings.copies.min(self.view.members.len());
            self.done(Err(WriterError::TooFew(wanted)));
        } else if late {
            self.abandon();
            self.done(Err(WriterError::TooSlow));
        }
    }

    fn abandon(&mut self) {
        self.uploads.iter_mut().for_each(Upload::abandon);
        self.send();
    }

    fn done(&mut self, result: Result<Written, WriterError>) {
        self.is_done = true;
        self.outputs.push_back(WriterOutput::Done(result));
    }

    fn send(&mut self) {
        for upload in &mut self.uploads {
            let out = upload.out.drain(..);
            self.outputs.extend(out.map(|(to, message)| WriterOutput::Send { to, message }));
        }
    }

    fn ask_again(&self) -> Duration {
        let waits = self.publishing.as_ref().is_some_and(|one| one.waits_for.is_some());
        if waits { ANSWER_LIMIT } else { ASK_AGAIN }
    }

    fn new_extent(&self) -> ExtentId {
        let number = (self.uploads.len() as u64).to_be_bytes();
        ExtentId(derived("memberd extent id 1", &[&self.operation.0.to_be_bytes(), &number]))
    }
}

fn around<'a>(
    now: BootTime,
    view: &'a FilesView,
    hints: &'a Hints,
    mutant: Option<ExtentMutant>,
) -> Around<'a> {
    Around { now, view, hints, mutant }
}
