//! What one keeper has of this machine's files, and what is on its way there. It owns the
//! connection to the keeper.

mod behind;
mod resume;

use super::file::Followed;
use super::files::{FileKey, Files};
use super::link::{Link, LinkId};
use super::offer::Offer;
use memberd_copies::block::{Block, BlockHead};
use memberd_copies::standing::Standing;
use memberd_copies::stream::{Joint, StreamHead, StreamId};
use memberd_copies::wire::{self, Kept, ToKeeper, WINDOW_BLOCKS, WINDOW_BYTES};
use memberd_membership::Name;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

/// A keeper that has nothing of a file yet gets at most this much of it, in bytes.
const NEW_KEEPER_BYTES: u64 = 64 << 20;

/// The most streams of former files that are remembered: their offer may end.
const MOST_FORMER: usize = 2048;

/// The most standings that are taken of a keeper: it keeps as many streams of a source.
const MOST_STANDINGS: usize = 1024;

/// A text that was cut and compressed.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) key: FileKey,
    pub(super) offset: u64,
    pub(super) text_bytes: u32,
    pub(super) hash: [u8; 32],
    pub(super) frame: Vec<u8>,
    pub(super) read_ms: u64,
}

/// A file at a keeper.
#[derive(Debug)]
struct Shipped {
    /// What the keeper was told last.
    head: StreamHead,
    /// Of which version of the file that is.
    version: Option<u64>,
    /// Where its copy begins, in bytes of the file.
    begin: u64,
    /// Up to where it was sent.
    sent: u64,
    /// The newest block that was sent, if any is known.
    last: Option<BlockHead>,
    /// Up to where it is durable there.
    kept: u64,
}

/// A block that is on its way.
#[derive(Debug)]
struct UnderWay {
    key: FileKey,
    end: u64,
    bytes: usize,
}

/// How far a conversation is.
#[derive(Debug, Default)]
enum Phase {
    /// There is no connection. The next is tried then.
    #[default]
    Apart,
    /// The standings come.
    Asking(Vec<Standing>),
    /// Blocks go.
    Going,
}

/// A keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) name: Name,
    link: Option<Link>,
    phase: Phase,
    /// When the next connection is tried.
    pub(super) retry_at: Option<Instant>,
    /// Since when there was no conversation.
    pub(super) apart_since: Instant,
    files: HashMap<FileKey, Shipped>,
    by_stream: HashMap<StreamId, FileKey>,
    /// Files that the keeper has as copies of others.
    passed: HashSet<FileKey>,
    /// Where files begin of which nothing was sent yet, and what they continue.
    starts: HashMap<FileKey, (u64, Option<Joint>)>,
    /// What the keeper has of files that are no more, or are no longer offered, and copies that do
    /// not go on.
    former: Vec<Standing>,
    /// Those of these that are continued, or will be.
    continued: HashSet<StreamId>,
    under_way: VecDeque<UnderWay>,
    under_way_bytes: usize,
    /// The file that was sent last.
    turn: Option<FileKey>,
    last_begun_ms: u64,
    /// What it was told last of how much is not sent, in this conversation, and when.
    told_behind: (Option<u64>, Instant),
    /// What it was told last of how long looks at files are apart, in milliseconds.
    told_every_ms: u32,
    /// Why it does not keep anything now, for the status.
    pub(super) trouble: Option<String>,
}

impl Keeper {
    /// A keeper without a connection.
    pub(super) fn new(name: Name, now: Instant) -> Self {
        Keeper {
            name,
            link: None,
            phase: Phase::Apart,
            retry_at: Some(now),
            apart_since: now,
            files: HashMap::new(),
            by_stream: HashMap::new(),
            passed: HashSet::new(),
            starts: HashMap::new(),
            former: Vec::new(),
            continued: HashSet::new(),
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            turn: None,
            last_begun_ms: 0,
            told_behind: (None, now),
            told_every_ms: 0,
            trouble: None,
        }
    }

    /// A connection is being opened.
    pub(super) fn connect(&mut self, link: Link) {
        (self.link, self.phase) = (Some(link), Phase::Asking(Vec::new()));
        self.retry_at = None;
    }

    /// Whether this connection is the present one.
    pub(super) fn has_link(&self, id: LinkId) -> bool {
        self.link.as_ref().is_some_and(|link| link.id == id)
    }

    /// Whether blocks go there.
    pub(super) fn is_going(&self) -> bool {
        matches!(self.phase, Phase::Going)
    }

    /// Ends the connection. What the keeper has is asked anew.
    pub(super) fn disconnect(&mut self, retry_at: Instant, now: Instant) {
        if self.is_going() {
            self.apart_since = now;
        }
        (self.link, self.phase) = (None, Phase::Apart);
        self.retry_at = Some(retry_at);
        self.files.clear();
        self.by_stream.clear();
        self.passed.clear();
        self.starts.clear();
        self.former.clear();
        self.continued.clear();
        self.under_way.clear();
        (self.under_way_bytes, self.told_behind) = (0, (None, now));
    }

    /// Standings came; true once they are all here.
    pub(super) fn note_standings(&mut self, standings: Vec<Standing>, more: bool) -> bool {
        let Phase::Asking(all) = &mut self.phase else { return false };
        all.extend(standings);
        !more || all.len() >= MOST_STANDINGS
    }

    /// Tells what has changed of all files, those that are no more among them.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(super) fn tell_heads(&mut self, files: &Files, offer: &Offer) -> Result<(), Broken> {
        let Some(link) = &self.link else { return Err(Broken) };
        for (key, shipped) in &mut self.files {
            let Some(file) = files.get(*key) else { continue };
            if shipped.version == Some(file.version) {
                continue;
            }
            let StreamHead { id, lost_bytes, continues, .. } = shipped.head;
            let head = StreamHead { lost_bytes, continues, ..head(file, id, offer) };
            if head != shipped.head {
                send(link, &ToKeeper::Head(Box::new(head.clone())))?;
            }
            (shipped.head, shipped.version) = (head, Some(file.version));
        }
        let joints = self.starts.values().filter_map(|(_, joint)| *joint);
        let continued: HashSet<StreamId> = joints.map(|joint| joint.stream).collect();
        for Standing { head, .. } in &mut self.former {
            let offered = offer.covers(&head.path, &head.origin);
            // Until there is something that continues it, it is the file.
            let listed = head.listed && continued.contains(&head.id);
            if (head.listed, head.offered) != (listed, offered) {
                (head.listed, head.offered) = (listed, offered);
                send(link, &ToKeeper::Head(Box::new(head.clone())))?;
            }
        }
        Ok(())
    }

    /// The offer has changed: all is told again that has changed by it.
    pub(super) fn offer_changed(&mut self) {
        self.files.values_mut().for_each(|shipped| shipped.version = None);
    }

    /// Up to where it was sent a file, or where the file begins for it: nothing if it does not want
    /// it, or that is not known.
    fn offset(&self, key: FileKey) -> Option<u64> {
        let sent = self.files.get(&key).map(|shipped| shipped.sent);
        sent.or_else(|| self.starts.get(&key).map(|(offset, _)| *offset))
    }

    /// Whether one more block may go.
    fn has_window(&self) -> bool {
        self.under_way.is_empty()
            || self.under_way_bytes < WINDOW_BYTES && self.under_way.len() < WINDOW_BLOCKS
    }

    /// The file whose turn it is, and from where on it goes. The turn goes around once at most.
    pub(super) fn next(&mut self, files: &mut Files) -> Option<(FileKey, u64)> {
        if !self.is_going() || !self.has_window() {
            return None;
        }
        for _ in 0..files.len() {
            let key = files.next_after(self.turn)?;
            self.turn = Some(key);
            self.settle(key, files);
            let Some(offset) = self.offset(key) else { continue };
            if files.get(key)?.seen < offset
                && let Some(file) = files.open(key)
            {
                // Nobody has what is before.
                let _ = file.skip_to(offset);
            }
            if files.get(key)?.has_more(offset) {
                return Some((key, offset));
            }
        }
        None
    }

    /// Sends a block, which continues what was sent. Returns the bytes of the message.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(super) fn send(
        &mut self,
        file: &Followed,
        cut: &Cut,
        offer: &Offer,
        now_ms: u64,
    ) -> Result<usize, Broken> {
        let Some(link) = &self.link else { return Err(Broken) };
        let mut bytes = 0;
        if !self.files.contains_key(&cut.key) {
            let begun_ms = now_ms.max(self.last_begun_ms + 1);
            self.last_begun_ms = begun_ms;
            let id =
                StreamId { device: file.identity.device, inode: file.identity.inode, begun_ms };
            let continues = self.starts.get(&cut.key).and_then(|(_, joint)| *joint);
            let head = StreamHead { continues, ..head(file, id, offer) };
            bytes += send(link, &ToKeeper::Head(Box::new(head.clone())))?;
            let (version, begin) = (Some(file.version), cut.offset);
            self.by_stream.insert(id, cut.key);
            self.starts.remove(&cut.key);
            let (sent, kept, last) = (begin, begin, None);
            self.files.insert(cut.key, Shipped { head, version, begin, sent, last, kept });
        }
        let Some(shipped) = self.files.get_mut(&cut.key) else { return Err(Broken) };
        let head = BlockHead {
            stream: shipped.head.id,
            offset: cut.offset,
            text_bytes: cut.text_bytes,
            hash: cut.hash,
            read_ms: cut.read_ms,
        };
        let block = send(link, &ToKeeper::Block(Block { head, frame: cut.frame.clone() }))?;
        (shipped.sent, shipped.last) = (head.end(), Some(head));
        self.under_way.push_back(UnderWay { key: cut.key, end: head.end(), bytes: block });
        self.under_way_bytes += block;
        Ok(bytes + block)
    }

    /// Streams became durable.
    pub(super) fn note_kept(&mut self, kept: &[Kept]) {
        for Kept { stream, end } in kept {
            let Some(shipped) = self.by_stream.get(stream).and_then(|key| self.files.get_mut(key))
            else {
                continue;
            };
            shipped.kept = shipped.kept.max((*end).min(shipped.sent));
        }
        let files = &self.files;
        let mut bytes = 0;
        self.under_way.retain(|block| {
            let is_left = files.get(&block.key).is_some_and(|shipped| shipped.kept < block.end);
            bytes += if is_left { block.bytes } else { 0 };
            is_left
        });
        self.under_way_bytes = bytes;
    }

    /// A file is no more: this much of its end is lost.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(super) fn forget(
        &mut self,
        key: FileKey,
        lost_bytes: u64,
        offer: &Offer,
    ) -> Result<(), Broken> {
        self.passed.remove(&key);
        self.starts.remove(&key);
        let Some(shipped) = self.files.remove(&key) else { return Ok(()) };
        let Shipped { mut head, begin, sent: end, last, .. } = shipped;
        self.by_stream.remove(&head.id);
        let Some(link) = &self.link else { return Err(Broken) };
        let offered = offer.covers(&head.path, &head.origin);
        if head.listed || lost_bytes > 0 || head.offered != offered {
            (head.listed, head.offered) = (false, offered);
            head.lost_bytes += lost_bytes;
            send(link, &ToKeeper::Head(Box::new(head.clone())))?;
        }
        if self.former.len() >= MOST_FORMER {
            self.former.remove(0);
        }
        let (marks, dropped_bytes, is_damaged) = (Vec::new(), 0, false);
        self.former.push(Standing { head, begin, end, last, marks, dropped_bytes, is_damaged });
        Ok(())
    }
}

/// The connection has ended, or takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

fn send(link: &Link, message: &ToKeeper) -> Result<usize, Broken> {
    let bytes = wire::encode(message).map_err(|_| Broken)?;
    let length = bytes.len();
    if link.send(bytes) { Ok(length) } else { Err(Broken) }
}

/// What a keeper is told of a file.
fn head(file: &Followed, id: StreamId, offer: &Offer) -> StreamHead {
    StreamHead {
        id,
        fingerprint: file.fingerprint(),
        path: file.path.clone(),
        origin: file.origin.clone(),
        listed: file.place == super::file::Place::Listed,
        offered: offer.covers(&file.path, &file.origin),
        modified_ms: file.modified_ms,
        zone: offer.zone.clone(),
        lost_bytes: 0,
        continues: None,
    }
}
