//! Reads a file, or a part of it, from one copy after the other. Owns what is on its way.
//!
//! A copy that fails, is slow or damaged is left, and the next goes on at the same byte. The
//! reader gets the bytes in order and notices nothing.

use crate::content::{Content, ExtentRef};
use crate::extent::PIECE_BYTES;
use crate::ids::Generation;
use crate::placement::Hints;
use crate::transfer::{Piece, ReadError, ReadOrder, ReadPurpose, Transfer};
use crate::view::FilesView;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The pieces under way or not yet taken by the reader.
const AHEAD: usize = 4;
/// After how long without an answer the next copy is asked.
const SLOW: Duration = Duration::from_secs(2);
/// How long all copies may fail before the reader is told.
const UNREADABLE: Duration = Duration::from_secs(30);
/// How long between two rounds of all copies.
const ROUND: Duration = Duration::from_millis(500);

/// A file as its catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// Its generation.
    pub generation: Generation,
    /// Its content.
    pub content: Content,
}

/// Why a file could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReaderError {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// It was deleted or replaced meanwhile, and no copy of the old one can be read.
    #[error("the file was replaced while it was read: read it again")]
    Changed,
    /// No copy could be read for 30 s.
    #[error("no copy can be read from byte {offset} on: try again")]
    Unreadable {
        /// From where.
        offset: u64,
    },
}

/// What the owner is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderOutput {
    /// Look the file up, and hand in what is found.
    Lookup,
    /// Send this.
    Send {
        /// To whom; may be this member itself.
        to: Name,
        /// What.
        message: Transfer,
    },
    /// The file was found: this much follows.
    Length(u64),
    /// The next bytes. Tell [`Reader::taken`] once they are on their way to the reader.
    Data(Piece),
    /// The end.
    Done(Result<(), ReaderError>),
}

/// A piece that was asked for.
#[derive(Debug, Clone)]
struct Asked {
    extent: usize,
    offset: u64,
    bytes: u32,
    request: u64,
    from: Option<Name>,
    at: BootTime,
    tries: usize,
    data: Option<Piece>,
}

/// One file that is read.
#[derive(Debug, Clone)]
pub struct Reader {
    own: Name,
    view: Arc<FilesView>,
    hints: Hints,
    seed: u64,
    now: BootTime,
    /// What of the file is wanted.
    offset: u64,
    limit: u64,
    file: Option<FileContent>,
    extents: Vec<ExtentRef>,
    /// The next piece to ask for.
    next: Option<(usize, u64)>,
    left: u64,
    /// What comes behind the extents: it lies in the catalog, and is here.
    rest: Vec<u8>,
    asked: VecDeque<Asked>,
    next_request: u64,
    /// Pieces that the reader has not taken.
    untaken: usize,
    /// When bytes came last, and when the file was looked up last.
    progress: BootTime,
    looked: BootTime,
    is_looking: bool,
    delivered: u64,
    is_done: bool,
    outputs: VecDeque<ReaderOutput>,
}

impl Reader {
    /// Begins to read `limit` bytes from `offset` on, or to the end. `seed` spreads readers over
    /// the copies; questions are numbered from `first_request` on.
    #[must_use]
    pub fn new(
        own: Name,
        (offset, limit): (u64, Option<u64>),
        (seed, first_request): (u64, u64),
        view: Arc<FilesView>,
        hints: Hints,
        now: BootTime,
    ) -> Self {
        Reader {
            own,
            view,
            hints,
            seed,
            now,
            offset,
            limit: limit.unwrap_or(u64::MAX),
            file: None,
            extents: Vec::new(),
            next: None,
            left: 0,
            rest: Vec::new(),
            asked: VecDeque::new(),
            next_request: first_request,
            untaken: 0,
            progress: now,
            looked: now,
            is_looking: true,
            delivered: 0,
            is_done: false,
            outputs: VecDeque::from([ReaderOutput::Lookup]),
        }
    }

    /// What the catalog knows of the file. The answer to [`ReaderOutput::Lookup`].
    pub fn handle_lookup(&mut self, now: BootTime, found: Option<FileContent>) {
        self.now = now;
        self.is_looking = false;
        if self.is_done {
            return;
        }
        match (found, self.file.is_some()) {
            (None, false) => self.done(Err(ReaderError::Missing)),
            (Some(file), false) => self.begin(file),
            (found, true) => self.renew(found),
        }
        self.step();
    }

    /// An answer of a holder came.
    pub fn handle_message(&mut self, now: BootTime, from: &Name, message: &Transfer) {
        self.now = now;
        let Transfer::Data { request, bytes } = message else { return };
        let Some(asked) = self.asked.iter_mut().find(|one| one.request == *request) else { return };
        if asked.from.as_ref() != Some(from) || asked.data.is_some() {
            return;
        }
        match bytes {
            Ok(piece) if piece.len() as u64 == u64::from(asked.bytes) => {
                asked.data = Some(piece.clone());
                self.progress = now;
            }
            Ok(_) | Err(ReadError::Unknown | ReadError::Bad | ReadError::Busy) => {
                asked.from = None;
                asked.tries += 1;
            }
        }
        self.step();
    }

    /// The agreed view, or what is known of members beside it, has changed.
    pub fn handle_view(&mut self, now: BootTime, view: Arc<FilesView>, hints: Hints) {
        self.now = now;
        (self.view, self.hints) = (view, hints);
        self.step();
    }

    /// The reader has taken a piece.
    pub fn taken(&mut self, now: BootTime) {
        self.now = now;
        self.untaken = self.untaken.saturating_sub(1);
        // A slow reader is nobody's fault.
        self.progress = now;
        self.step();
    }

    /// Handles the moment of [`Reader::poll_timeout`].
    pub fn handle_timeout(&mut self, now: BootTime) {
        self.now = now;
        self.step();
    }

    /// When to call [`Reader::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        if self.is_done || self.file.is_none() {
            return None;
        }
        let open = self.asked.iter().filter(|one| one.data.is_none());
        let due = |one: &Asked| if one.from.is_some() { one.at + SLOW } else { one.at + ROUND };
        let unreadable = open.clone().next().map(|_| self.progress + UNREADABLE);
        open.map(due).chain(unreadable).min()
    }

    /// What the owner is to do next. Take all of it after each input.
    pub fn poll_output(&mut self) -> Option<ReaderOutput> {
        self.outputs.pop_front()
    }

    fn begin(&mut self, file: FileContent) {
        let mut start = self.offset;
        let (extents, bytes) = (file.content.extents(), file.content.inline());
        let length: u64 = extents.iter().map(|extent| extent.length).sum();
        self.left = length.saturating_sub(start).min(self.limit);
        self.rest = Self::part(bytes, start.saturating_sub(length), self.limit - self.left);
        let all = self.left + self.rest.len() as u64;
        self.outputs.push_back(ReaderOutput::Length(all));
        let mut first = 0;
        while first < extents.len() && start >= extents[first].length {
            start -= extents[first].length;
            first += 1;
        }
        self.next = Some((first, start));
        self.extents = extents.to_vec();
        self.progress = self.now;
        self.file = Some(file);
    }

    /// So many of these bytes from a place on, as far as there are.
    fn part(bytes: &[u8], from: u64, limit: u64) -> Vec<u8> {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
        let rest = &bytes[from..];
        rest[..usize::try_from(limit).unwrap_or(usize::MAX).min(rest.len())].to_vec()
    }

    /// The sets may have changed since: takes over those of the same extents.
    fn renew(&mut self, found: Option<FileContent>) {
        let Some(file) = found else { return };
        for old in &mut self.extents {
            if let Some(new) = file.content.extents().iter().find(|new| new.id == old.id) {
                old.set = new.set.clone();
            }
        }
    }

    fn step(&mut self) {
        if self.is_done || self.file.is_none() {
            return;
        }
        self.deliver();
        self.ask_on();
        for i in 0..self.asked.len() {
            self.ask_copy(i);
        }
        let waits = self.asked.iter().any(|one| one.data.is_none());
        let has_extents = self.asked.is_empty() && self.left == 0;
        if has_extents && !self.rest.is_empty() && self.untaken < AHEAD {
            let rest = std::mem::take(&mut self.rest);
            self.delivered += rest.len() as u64;
            self.untaken += 1;
            self.outputs.push_back(ReaderOutput::Data(rest.as_slice().into()));
        }
        if has_extents && self.rest.is_empty() {
            self.done(Ok(()));
        } else if waits && self.now.since(self.progress) >= UNREADABLE {
            let offset = self.offset + self.delivered;
            self.done(Err(ReaderError::Unreadable { offset }));
        }
    }

    /// Hands over what came, in order.
    fn deliver(&mut self) {
        while self.untaken < AHEAD {
            let Some(data) = self.asked.front_mut().and_then(|asked| asked.data.take()) else {
                return;
            };
            self.asked.pop_front();
            self.delivered += data.len() as u64;
            self.untaken += 1;
            self.outputs.push_back(ReaderOutput::Data(data));
        }
    }

    /// Asks for further pieces.
    fn ask_on(&mut self) {
        while self.left > 0 && self.asked.len() < AHEAD {
            let Some((extent, offset)) = self.next else { return };
            let Some(length) = self.extents.get(extent).map(|one| one.length) else { return };
            let most = (length - offset).min(PIECE_BYTES as u64).min(self.left);
            let bytes = u32::try_from(most).unwrap_or(u32::MAX);
            let (request, at, data) = (0, self.now, None);
            let asked = Asked { extent, offset, bytes, request, from: None, at, tries: 0, data };
            self.asked.push_back(asked);
            self.left -= most;
            let end = offset + most;
            self.next = Some(if end == length { (extent + 1, 0) } else { (extent, end) });
        }
    }

    /// Asks the next copy for a piece, if nobody is asked or the one asked is too slow.
    fn ask_copy(&mut self, i: usize) {
        let asked = &self.asked[i];
        if asked.data.is_some() {
            return;
        }
        let is_slow = asked.from.is_some() && self.now.since(asked.at) >= SLOW;
        if asked.from.is_some() && !is_slow {
            return;
        }
        let sources = self.sources(&self.extents[asked.extent]);
        let tries = asked.tries + usize::from(is_slow);
        // After a round of all copies: a pause, and a look whether there are others now.
        let is_round = tries.is_multiple_of(sources.len().max(1));
        if tries > 0 && is_round && self.now.since(asked.at) < ROUND {
            return;
        }
        if tries > 0 && is_round && !self.is_looking && self.now.since(self.looked) >= ROUND {
            (self.is_looking, self.looked) = (true, self.now);
            self.outputs.push_back(ReaderOutput::Lookup);
        }
        let source = sources.get(tries % sources.len().max(1)).cloned();
        let (extent, now) = (self.extents[self.asked[i].extent].id, self.now);
        self.next_request += 1;
        let request = self.next_request;
        let asked = &mut self.asked[i];
        (asked.tries, asked.at, asked.request) = (tries, now, request);
        asked.from.clone_from(&source);
        let (offset, bytes, purpose) = (asked.offset, asked.bytes, ReadPurpose::Client);
        let Some(to) = source else { return };
        let message = Transfer::Read(ReadOrder { request, extent, offset, bytes, purpose });
        self.outputs.push_back(ReaderOutput::Send { to, message });
    }

    /// The holders in the order in which they are asked: here, in this zone, others; those that
    /// have failed last.
    fn sources(&self, extent: &ExtentRef) -> Vec<Name> {
        let zone = |name: &Name| self.view.members.get(name).and_then(|one| one.zone.as_deref());
        let own = zone(&self.own);
        let mut sources: Vec<_> = extent
            .set
            .members
            .iter()
            .map(|name| {
                let is_gone = self.hints.failed.contains(name)
                    || self.hints.dead.contains(name)
                    || !self.view.members.contains_key(name);
                let is_far = own.is_none() || zone(name) != own;
                let mut hasher = blake3::Hasher::new();
                hasher.update(&self.seed.to_be_bytes()).update(name.as_str().as_bytes());
                let drawn = *hasher.finalize().as_bytes();
                (is_gone, *name != self.own, is_far, self.hints.slow.contains(name), drawn, name)
            })
            .collect();
        sources.sort_unstable();
        sources.into_iter().map(|(.., name)| name.clone()).collect()
    }

    fn done(&mut self, result: Result<(), ReaderError>) {
        self.is_done = true;
        self.outputs.push_back(ReaderOutput::Done(result));
    }
}
