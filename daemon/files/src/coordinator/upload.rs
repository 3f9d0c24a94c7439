//! One extent on its way to its holders. Owns the pieces that not all of them have.
//!
//! A short one goes to all at once (a star). A long one goes to the first, which hands it on (a
//! chain); at the first sign of trouble it becomes a star. Who fails is replaced before anybody
//! sees the extent.

use crate::extent::ExtentHasher;
use crate::ids::ExtentId;
use crate::path::ShareName;
use crate::placement::{Hints, choose};
use crate::settings::ExtentMutant;
use crate::transfer::{CopyOrder, Piece, Transfer};
use crate::view::FilesView;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How far the coordinator is ahead of a holder.
const WINDOW: u64 = 2 << 20;
/// After how long without progress something is said again, and a chain becomes a star.
const AGAIN: Duration = Duration::from_millis(700);
/// After how long without progress a holder is replaced.
const SLOW: Duration = Duration::from_secs(2);

/// What an upload needs to know of its surroundings.
pub(super) struct Around<'a> {
    pub(super) now: BootTime,
    pub(super) view: &'a FilesView,
    pub(super) hints: &'a Hints,
    pub(super) mutant: Option<ExtentMutant>,
}

/// A holder of the extent.
#[derive(Debug, Clone)]
struct Place {
    member: Name,
    /// Whether it has answered.
    began: bool,
    /// What it has.
    got: u64,
    /// What was sent to it.
    sent: u64,
    sealed: bool,
    /// When it last went on, and when something was last said again.
    progress: BootTime,
    said: BootTime,
}

/// An extent on its way.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) extent: ExtentId,
    share: ShareName,
    hint: Arc<str>,
    wanted: usize,
    places: Vec<Place>,
    /// Everybody that was ever chosen: nobody is chosen twice.
    used: BTreeSet<Name>,
    is_chain: bool,
    /// The pieces from `base` on, which not all have.
    base: u64,
    pieces: VecDeque<Piece>,
    end: u64,
    hasher: Option<ExtentHasher>,
    /// Its length and hash, once all bytes are known.
    finish: Option<(u64, [u8; 32])>,
    /// Since when there are too few places.
    short_since: Option<BootTime>,
    pub(super) out: VecDeque<(Name, Transfer)>,
}

impl Upload {
    pub(super) fn new(
        extent: ExtentId,
        (share, hint): (ShareName, Arc<str>),
        copies: usize,
        is_chain: bool,
        around: &Around,
    ) -> Self {
        let mut upload = Upload {
            extent,
            share,
            hint,
            wanted: copies,
            places: Vec::new(),
            used: BTreeSet::new(),
            is_chain,
            base: 0,
            pieces: VecDeque::new(),
            end: 0,
            hasher: Some(ExtentHasher::new()),
            finish: None,
            short_since: None,
            out: VecDeque::new(),
        };
        upload.fill(around);
        upload.note_short(around);
        for i in 0..upload.places.len() {
            upload.begin(i);
        }
        upload
    }

    /// The bytes that wait for the slowest holder.
    pub(super) fn waiting(&self) -> u64 {
        self.end - self.base
    }

    pub(super) fn length(&self) -> u64 {
        self.end
    }

    /// Since when there are fewer holders than there must be.
    pub(super) fn short_since(&self) -> Option<BootTime> {
        self.short_since
    }

    /// The next bytes of the extent.
    pub(super) fn push(&mut self, around: &Around, bytes: Piece) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes);
        }
        for place in self.places.iter_mut().filter(|place| place.got == self.end) {
            place.progress = around.now;
            place.said = around.now;
        }
        self.end += bytes.len() as u64;
        self.pieces.push_back(bytes);
        self.send_pieces();
    }

    /// All bytes are there.
    pub(super) fn finish(&mut self, around: &Around) {
        let Some(hasher) = self.hasher.take() else { return };
        self.finish = Some((self.end, hasher.finish().root()));
        for i in 0..self.places.len() {
            self.places[i].progress = self.places[i].progress.max(around.now);
            self.say_finish(i);
        }
    }

    /// The recorded set and facts, once all have it on disk.
    pub(super) fn whole(&self, around: &Around) -> Option<(u64, [u8; 32], Vec<Name>)> {
        let (length, root) = self.finish?;
        let sealed = self.places.iter().filter(|place| place.sealed).count();
        let enough = match around.mutant {
            Some(ExtentMutant::TwoCopies) => self.needed(around).min(2),
            _ => self.needed(around),
        };
        let all = sealed == self.places.len() || around.mutant == Some(ExtentMutant::TwoCopies);
        let members = self.places.iter().map(|place| place.member.clone()).collect();
        (all && sealed >= enough).then_some((length, root, members))
    }

    /// Everybody who may have a part of it.
    pub(super) fn abandon(&mut self) {
        for member in std::mem::take(&mut self.used) {
            self.out.push_back((member, Transfer::Abandon { extent: self.extent }));
        }
        self.places.clear();
    }

    pub(super) fn on_message(&mut self, around: &Around, from: &Name, message: &Transfer) {
        let Some(i) = self.places.iter().position(|place| place.member == *from) else { return };
        match message {
            Transfer::Got { upto, .. } => {
                let place = &mut self.places[i];
                if *upto > place.got || !place.began {
                    place.progress = around.now;
                    place.said = around.now;
                }
                place.began = true;
                place.got = place.got.max((*upto).min(self.end));
                place.sent = place.sent.max(place.got);
                if self.finish.is_some_and(|(length, _)| place.got == length) {
                    self.say_finish(i);
                }
                self.release();
                self.send_pieces();
            }
            Transfer::Sealed { length, root, .. } => {
                if self.finish == Some((*length, *root)) {
                    let place = &mut self.places[i];
                    (place.sealed, place.began, place.got) = (true, true, self.end);
                    place.progress = around.now;
                    self.release();
                } else {
                    self.replace(around, i);
                }
            }
            Transfer::Refused { .. } => self.replace(around, i),
            _ => {}
        }
    }

    /// The view or the hints have changed, or time has passed.
    pub(super) fn tick(&mut self, around: &Around) {
        let lost = |place: &Place| {
            around.hints.failed.contains(&place.member)
                || around.hints.dead.contains(&place.member)
                || (around.mutant != Some(ExtentMutant::PlaceByOwnList)
                    && !around.view.members.contains_key(&place.member))
        };
        while let Some(i) = self.places.iter().position(lost) {
            self.replace(around, i);
        }
        let late = |place: &Place| self.waits(place) && around.now.since(place.progress) >= SLOW;
        if let Some(i) = self.places.iter().position(late)
            && !self.next(around, 1).is_empty()
        {
            // One at a time, and the others get time: what stops one may have stopped all.
            self.replace(around, i);
            self.places.iter_mut().for_each(|place| place.progress = around.now);
        }
        self.fill(around);
        for i in 0..self.places.len() {
            let place = &self.places[i];
            let is_late = around.now.since(place.progress) >= SLOW;
            let is_new = is_late && place.said < place.progress + SLOW;
            if self.waits(place) && (is_new || around.now.since(place.said) >= AGAIN) {
                self.say_again(around, i);
            }
        }
        self.note_short(around);
    }

    /// Since when some holder has not gone on.
    pub(super) fn stalled_since(&self) -> Option<BootTime> {
        let waiting = self.places.iter().filter(|place| self.waits(place));
        waiting.map(|place| place.progress).min()
    }

    fn note_short(&mut self, around: &Around) {
        let short = self.places.len() < self.needed(around);
        self.short_since = short.then(|| self.short_since.unwrap_or(around.now));
    }

    pub(super) fn due(&self) -> Option<BootTime> {
        let waiting = self.places.iter().filter(|place| self.waits(place));
        let due = |place: &Place| {
            let (again, slow) = (place.said + AGAIN, place.progress + SLOW);
            // If nobody can replace a slow one, it is told again from time to time.
            if place.said < slow { again.min(slow) } else { again }
        };
        waiting.map(due).min()
    }

    /// How many copies there must be.
    fn needed(&self, around: &Around) -> usize {
        let members = if around.mutant == Some(ExtentMutant::PlaceByOwnList) {
            let failed = &around.hints.failed;
            around.view.members.keys().filter(|name| !failed.contains(*name)).count()
        } else {
            around.view.members.len()
        };
        self.wanted.min(members).max(1)
    }

    fn waits(&self, place: &Place) -> bool {
        !place.sealed && (!place.began || place.got < self.end || self.finish.is_some())
    }

    fn next(&self, around: &Around, wanted: usize) -> Vec<Name> {
        let keep: Vec<Name> = self.places.iter().map(|place| place.member.clone()).collect();
        choose(around.view, self.extent, wanted, around.hints, &keep, &self.used)
    }

    /// Takes members until there are enough, as far as there are any.
    fn fill(&mut self, around: &Around) {
        let missing = self.needed(around).saturating_sub(self.places.len());
        if missing == 0 {
            return;
        }
        // What was released must come from somebody that has it.
        if self.base > 0 && self.source().is_none() {
            return;
        }
        for member in self.next(around, missing) {
            self.used.insert(member.clone());
            let (progress, said) = (around.now, around.now);
            let place = Place {
                member,
                began: false,
                got: 0,
                sent: self.base,
                sealed: false,
                progress,
                said,
            };
            self.places.push(place);
            if self.end > 0 || self.finish.is_some() {
                self.be_star();
                self.begin(self.places.len() - 1);
            }
        }
    }

    fn replace(&mut self, around: &Around, i: usize) {
        let place = self.places.remove(i);
        self.out.push_back((place.member, Transfer::Abandon { extent: self.extent }));
        self.be_star();
        self.fill(around);
        self.release();
        self.send_pieces();
    }

    /// From now on every holder gets the pieces from here.
    fn be_star(&mut self) {
        if !self.is_chain {
            return;
        }
        self.is_chain = false;
        for i in 0..self.places.len() {
            let place = &mut self.places[i];
            place.sent = place.got.max(self.base);
            self.begin(i);
        }
        self.send_pieces();
    }

    /// A member that has everything that was released.
    fn source(&self) -> Option<&Place> {
        let has = self.places.iter().filter(|place| place.began && place.got >= self.base);
        has.max_by_key(|place| (place.sealed, place.got))
    }

    fn begin(&mut self, i: usize) {
        let next = self.places.get(i + 1).filter(|_| self.is_chain);
        let next = next.map(|place| place.member.clone());
        let place = &self.places[i];
        let source = self.source().filter(|source| source.member != place.member);
        let copy = source
            .filter(|_| place.got < self.base)
            .map(|source| CopyOrder { from: source.member.clone(), upto: self.base });
        let (extent, share) = (self.extent, self.share.clone());
        let hint = self.hint.clone();
        let begin = Transfer::Begin { extent, share, next, copy, hint };
        self.out.push_back((place.member.clone(), begin));
    }

    fn say_again(&mut self, around: &Around, i: usize) {
        self.be_star();
        let place = &mut self.places[i];
        place.said = around.now;
        place.sent = place.got.max(self.base);
        if !place.began || place.got < self.base {
            self.begin(i);
        }
        self.send_pieces();
        self.say_finish(i);
    }

    fn say_finish(&mut self, i: usize) {
        let Some((length, _)) = self.finish else { return };
        let place = &self.places[i];
        if !place.sealed && place.began {
            let finish = Transfer::Finish { extent: self.extent, length };
            self.out.push_back((place.member.clone(), finish));
        }
    }

    /// Sends what fits into the windows.
    fn send_pieces(&mut self) {
        let extent = self.extent;
        for (i, place) in self.places.iter_mut().enumerate() {
            // Who copies the beginning gets the rest when it has that.
            if (self.is_chain && i > 0) || place.sealed || place.got < self.base {
                continue;
            }
            let mut offset = self.base;
            for piece in &self.pieces {
                let end = offset + piece.len() as u64;
                if offset >= place.sent && end <= place.got + WINDOW {
                    let bytes = piece.clone();
                    let piece = Transfer::Piece { extent, offset, bytes };
                    self.out.push_back((place.member.clone(), piece));
                    place.sent = end;
                }
                offset = end;
            }
        }
    }

    /// Lets go of the pieces that all have.
    fn release(&mut self) {
        let Some(least) = self.places.iter().map(|place| place.got).min() else { return };
        while let Some(piece) = self.pieces.front() {
            let end = self.base + piece.len() as u64;
            if end > least {
                return;
            }
            self.base = end;
            self.pieces.pop_front();
        }
    }
}
