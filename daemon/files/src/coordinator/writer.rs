//! Writes a file, or a large append: extents to their holders, then one atomic publish. Owns what
//! has not been published.
//!
//! Nothing is visible before the publish. One that gets no answer may have happened: it is asked
//! again under the same operation id, and its extents are never removed on suspicion.

mod publish;
mod values;

pub use values::{Publish, PublishAnswer, WriterError, WriterOutput, Written};

use super::upload::{Around, Upload};
use crate::content::{Content, ExtentRef};
use crate::extent::PIECE_BYTES;
use crate::ids::{Epoch, ExtentId, OperationId, derived};
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
/// How long a holder may stand still that nobody can replace.
const STALL_LIMIT: Duration = Duration::from_secs(20);
/// How long a client waits after its last byte.
const ANSWER_LIMIT: Duration = Duration::from_secs(50);
/// After how long without an answer a publish is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// One file that is written.
#[derive(Debug, Clone)]
pub struct Writer {
    settings: ExtentSettings,
    operation: OperationId,
    share: ShareName,
    /// What holders note beside its extents, for people.
    hint: String,
    /// It tells the extents of this attempt from those of others under the same operation id.
    salt: u64,
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
            hint: String::new(),
            salt: 0,
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

    /// What holders note beside its extents, for people who look for bytes by hand: a path.
    #[must_use]
    pub fn with_hint(mut self, hint: String) -> Self {
        self.hint = hint;
        self
    }

    /// No two attempts write the same extents, though they may have the same operation id: what one
    /// of them gives up may be published by another. The owner draws the salt.
    #[must_use]
    pub fn with_salt(mut self, salt: u64) -> Self {
        self.salt = salt;
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
        let stalled = working.clone().filter_map(Upload::stalled_since).min();
        let stalled = stalled.map(|at| at + STALL_LIMIT);
        let short = working.filter_map(Upload::short_since).min().map(|at| at + SHORT_LIMIT);
        [answer, age, uploads, stalled, short].into_iter().flatten().min()
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
                let (whose, copies) = (self.whose(), self.settings.copies);
                let extent = self.new_extent();
                self.index.insert(extent, self.uploads.len());
                self.uploads.push(Upload::new(extent, whose, copies, is_long, &around));
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

    /// For what the next extent is: its share, and a word to people.
    fn whose(&self) -> (ShareName, Arc<str>) {
        let from: u64 = self.uploads.iter().map(Upload::length).sum();
        let hint = format!("{}, from byte {from}", self.hint);
        let hint = if hint.len() <= Transfer::MAX_HINT { hint } else { String::new() };
        (self.share.clone(), hint.into())
    }

    fn new_extent(&self) -> ExtentId {
        let number = (self.uploads.len() as u64).to_be_bytes();
        let (operation, salt) = (self.operation.0.to_be_bytes(), self.salt.to_be_bytes());
        ExtentId(derived("memberd extent id 1", &[&operation, &salt, &number]))
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
