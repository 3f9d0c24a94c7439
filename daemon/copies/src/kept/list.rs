//! Finds the streams of a source, and how far they go.

use super::join::join;
use super::{KeptSegment, KeptStream, Part};
use crate::segment::names::{self, Form};
use crate::segment::open_block::{HEAD_BYTES, OpenHead};
use crate::segment::{head, index, recover};
use crate::stream::{StreamHead, StreamId};
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// How often a stream is looked at again when the store changed its files meanwhile.
const ATTEMPTS: usize = 4;

/// The sources that have copies in `directory` (`STATE_DIRECTORY/copies`), sorted.
///
/// # Errors
/// When the directory cannot be read. One that does not exist has no sources.
pub fn sources(directory: &Path) -> io::Result<Vec<Name>> {
    let names = names_in(directory)?;
    let mut sources: Vec<Name> = names.iter().filter_map(|name| Name::new(name).ok()).collect();
    sources.sort();
    Ok(sources)
}

/// The streams of a source.
#[derive(Debug, Default)]
pub struct KeptList {
    /// Those that can be read, by path, then by beginning.
    pub streams: Vec<KeptStream>,
    /// The others. What file they are of is not known.
    pub unlisted: Vec<Unlisted>,
    /// How many bytes of text the offered streams had of which all was dropped for lack of room.
    pub dropped_bytes: u64,
}

/// A stream of which nothing can be read. `Display` says it in words for standard error.
#[derive(Debug, thiserror::Error)]
#[error("the copy in {} cannot be read: {error}", directory.display())]
pub struct Unlisted {
    /// Where it lies, below the directory of all copies.
    pub directory: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// The streams of `source` that can be read, also those that are not offered, by path, then by
/// beginning. Those of one file that continue each other are one. A search must tell of the others,
/// too: see [`list_all`].
///
/// # Errors
/// When the directory of the source cannot be read. A source without copies has no streams.
pub fn list(directory: &Path, source: &Name) -> io::Result<Vec<KeptStream>> {
    list_all(directory, source).map(|list| list.streams)
}

/// The streams of `source`, and those that cannot be read. It reads their heads, and the heads of
/// the blocks in their open segments.
///
/// # Errors
/// When the directory of the source cannot be read. A source without copies has no streams.
pub fn list_all(directory: &Path, source: &Name) -> io::Result<KeptList> {
    let of_source = directory.join(source.as_str());
    let mut list = KeptList::default();
    let mut dropped = Vec::new();
    for id in names_in(&of_source)?.iter().filter_map(|name| names::stream_id(name)) {
        match look_at(source, &of_source, id) {
            Ok(Some(stream)) => list.streams.push(stream),
            Ok(None) => dropped.extend(look_at_dropped(&of_source, id)),
            Err(error) => {
                let directory = names::stream_directory(Path::new(source.as_str()), id);
                list.unlisted.push(Unlisted { directory, error });
            }
        }
    }
    list.dropped_bytes = dropped_bytes(&dropped, &list.streams);
    list.streams = join(list.streams);
    list.streams.sort_by(|one, other| {
        let order = |of: &KeptStream| (of.head.id.begun_ms, of.head.id);
        one.head.path.cmp(&other.head.path).then(order(one).cmp(&order(other)))
    });
    Ok(list)
}

/// The names in a directory that are UTF-8. One that does not exist has none.
fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| match entry {
        Ok(entry) => entry.file_name().into_string().ok().map(Ok),
        Err(error) => Some(Err(error)),
    });
    names.collect()
}

/// What a stream was that was dropped for lack of room, and where its text ended. What cannot be
/// read is nothing that a search misses.
fn look_at_dropped(of_source: &Path, id: StreamId) -> Option<(StreamHead, u64)> {
    let directory = names::stream_directory(of_source, id);
    let names = names_in(&directory).ok()?;
    let (name, (end, _)) = names.iter().find_map(|name| Some((name, names::dropped(name)?)))?;
    Some((head::read_file(&directory.join(name), id).ok()??, end))
}

/// How much text was dropped with whole streams. One that its source began to send again counts by
/// where that begins.
fn dropped_bytes(dropped: &[(StreamHead, u64)], streams: &[KeptStream]) -> u64 {
    let is_same = |one: &StreamHead, other: &StreamHead| {
        let file = |head: &StreamHead| (head.id.device, head.id.inode, head.fingerprint);
        file(one) == file(other)
    };
    let is_missing = |(head, _): &&(StreamHead, u64)| {
        head.offered && !streams.iter().any(|stream| is_same(head, &stream.head))
    };
    dropped.iter().filter(is_missing).fold(0, |sum, (_, end)| sum.saturating_add(*end))
}

/// Looks at a stream. None if it has no head yet, or if all of it was dropped.
fn look_at(source: &Name, of_source: &Path, id: StreamId) -> io::Result<Option<KeptStream>> {
    let directory = names::stream_directory(of_source, id);
    for _ in 0..ATTEMPTS {
        match look_once(source, &directory, id) {
            // A segment was sealed or dropped after its name was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            looked => return looked,
        }
    }
    Err(io::Error::other("it changed each time that it was looked at"))
}

fn look_once(source: &Name, directory: &Path, id: StreamId) -> io::Result<Option<KeptStream>> {
    let head = match head::read(directory, id) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        head => head?,
    };
    let head = head.ok_or_else(|| io::Error::other("its head is damaged"))?;
    let mut segments: BTreeMap<u64, Form> = BTreeMap::new();
    for (begin, form) in names_in(directory)?.iter().filter_map(|name| names::segment(name)) {
        // The sealed form is whole as soon as it has its name.
        let known = segments.entry(begin).or_insert(form);
        *known = form.max(*known);
    }
    let mut stream = KeptStream {
        source: source.clone(),
        head,
        begin: 0,
        end: 0,
        lines_before: None,
        read_ms: 0,
        dropped_bytes: 0,
        disk_bytes: 0,
        parts: vec![Part { id, directory: directory.to_owned(), is_cut: false }],
        segments: segments.keys().map(|begin| KeptSegment { begin: *begin, part: 0 }).collect(),
        is_damaged: false,
    };
    for (begin, form) in &segments {
        let path = names::segment_file(directory, *begin, *form);
        stream.disk_bytes += fs::metadata(path)?.len();
    }
    if let (Some(first), Some(last)) = (segments.first_key_value(), segments.last_key_value()) {
        stream.look_at_first(directory, *first.0, *first.1)?;
        stream.look_at_last(directory, *last.0, *last.1)?;
    }
    Ok(Some(stream))
}

impl KeptStream {
    fn look_at_first(&mut self, directory: &Path, begin: u64, form: Form) -> io::Result<()> {
        (self.begin, self.dropped_bytes) = (begin, begin);
        let id = self.head.id;
        let file = File::open(names::segment_file(directory, begin, form))?;
        self.lines_before = match form {
            Form::Sealed => index::read(&file, id)?.and_then(|index| index.summary.lines_before),
            Form::Open => recover::read_head(&file, id, 0, file.metadata()?.len())?
                .and_then(|head| head.lines_before),
        };
        Ok(())
    }

    fn look_at_last(&mut self, directory: &Path, begin: u64, form: Form) -> io::Result<()> {
        self.end = begin;
        let id = self.head.id;
        let file = File::open(names::segment_file(directory, begin, form))?;
        if form == Form::Sealed {
            match index::read(&file, id)? {
                Some(index) if index.summary.begin == begin => {
                    self.end = index.summary.end();
                    self.read_ms = index.summary.last.read_ms;
                }
                // The walk over the blocks tells it.
                _ => {}
            }
            return Ok(());
        }
        let mut walk = OpenWalk::new(&file, id, begin)?;
        while let Some((_, head)) = walk.next()? {
            self.end = head.block.end();
            self.read_ms = head.block.read_ms;
        }
        self.is_damaged = walk.is_damaged()?;
        Ok(())
    }
}

/// Walks over the heads of the blocks in an open segment.
pub(super) struct OpenWalk<'a> {
    file: &'a File,
    id: StreamId,
    /// How long the file was at the beginning: what is appended meanwhile is not visited.
    bytes: u64,
    place: u64,
    /// Where the text of the next block must begin.
    expected: u64,
    /// What was read, and where that is in the file.
    read: Vec<u8>,
    read_place: u64,
    /// Whether the last block was small: the next ones are read with it.
    is_small: bool,
}

/// How much is read at once where blocks are small: a log that is written line by line has some
/// thousand of them.
const CHUNK_BYTES: u64 = 64 * 1024;

/// A frame that is smaller than this is small.
const SMALL_FRAME_BYTES: u32 = 8 * 1024;

impl OpenWalk<'_> {
    pub(super) fn new(file: &File, id: StreamId, begin: u64) -> io::Result<OpenWalk<'_>> {
        let bytes = file.metadata()?.len();
        let (read, is_small) = (Vec::new(), true);
        Ok(OpenWalk { file, id, bytes, place: 0, expected: begin, read, read_place: 0, is_small })
    }

    /// The next block that was written whole, and where it begins in the segment.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, OpenHead)>> {
        let place = self.place;
        let Some(bytes) = self.head_bytes()? else { return Ok(None) };
        let head = OpenHead::decode(self.id, &bytes).filter(|head| {
            head.block.offset == self.expected && head.next_place(place) <= self.bytes
        });
        let Some(head) = head else { return Ok(None) };
        self.is_small = head.frame_bytes < SMALL_FRAME_BYTES;
        self.place = head.next_place(place);
        self.expected = head.block.end();
        Ok(Some((place, head)))
    }

    /// Whether the walk ended at something that is no block, and is not one that is being written.
    pub(super) fn is_damaged(&mut self) -> io::Result<bool> {
        let Some(bytes) = self.head_bytes()? else { return Ok(false) };
        let head = OpenHead::decode(self.id, &bytes);
        Ok(head.is_none_or(|head| head.block.offset != self.expected))
    }

    /// The bytes of the next head. None if the file ends before.
    fn head_bytes(&mut self) -> io::Result<Option<[u8; HEAD_BYTES]>> {
        let left = self.bytes.saturating_sub(self.place);
        if left < HEAD_BYTES as u64 {
            return Ok(None);
        }
        if self.known_bytes().is_none() {
            let wanted = if self.is_small { CHUNK_BYTES } else { HEAD_BYTES as u64 };
            self.read.resize(usize::try_from(wanted.min(left)).unwrap_or(HEAD_BYTES), 0);
            self.read_place = self.place;
            self.file.read_exact_at(&mut self.read, self.place)?;
        }
        Ok(self.known_bytes())
    }

    fn known_bytes(&self) -> Option<[u8; HEAD_BYTES]> {
        let from = usize::try_from(self.place.checked_sub(self.read_place)?).ok()?;
        self.read.get(from..)?.first_chunk().copied()
    }
}
