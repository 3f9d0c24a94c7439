//! Remembers what was read of a file: enough to tell whether the file was written anew, and whether
//! another file is its copy.

use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::time::SystemTime;

use memberd_control::grep::GrepPosition;

use crate::files::{FileIdentity, Opened, milliseconds};

/// How many bytes at the beginning are remembered.
const HEAD_BYTES: usize = GrepPosition::HEAD_BYTES;

/// How many bytes before the position are remembered.
const BEFORE_BYTES: usize = GrepPosition::BEFORE_BYTES;

/// Up to this position, every byte counts: status files are small, and are written anew again and
/// again.
const WHOLE_BYTES: u64 = 64 * 1024;

/// The text of a file up to a position.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    position: u64,
    head: Vec<u8>,
    before: Vec<u8>,
    /// A sum of all bytes, up to [`WHOLE_BYTES`] of them.
    sum: Option<DefaultHasher>,
    /// When the file was created, where the file system tells it.
    born: Option<SystemTime>,
}

impl Memory {
    /// The text of `file` up to `position`.
    pub(super) fn of(file: &File, position: u64) -> io::Result<Memory> {
        let head = bytes(file, 0, position.min(HEAD_BYTES as u64))?;
        let before = position.min(BEFORE_BYTES as u64);
        let before = bytes(file, position - before, before)?;
        let sum = if position <= WHOLE_BYTES { Some(sum(file, position)?) } else { None };
        Ok(Memory { position, head, before, sum, born: born(file) })
    }

    /// The same file, of which nothing was read.
    pub(super) fn starting(other: &Memory) -> Memory {
        let sum = Some(DefaultHasher::new());
        Memory { position: 0, head: Vec::new(), before: Vec::new(), sum, born: other.born }
    }

    /// Up to where the file was read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The same for another follow of this file.
    pub(super) fn told(&self, identity: FileIdentity) -> GrepPosition {
        let FileIdentity { device, inode } = identity;
        GrepPosition {
            device,
            inode,
            offset: self.position,
            head: Some(GrepPosition::sum(&self.head)),
            before: Some(GrepPosition::sum(&self.before)),
        }
    }

    /// These bytes were read next.
    pub(super) fn advance(&mut self, read: &[u8]) {
        self.position += read.len() as u64;
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(read.len());
        self.head.extend_from_slice(read.get(..missing).unwrap_or_default());
        let last = read.get(read.len().saturating_sub(BEFORE_BYTES)..).unwrap_or_default();
        self.before.extend_from_slice(last);
        self.before.drain(..self.before.len().saturating_sub(BEFORE_BYTES));
        self.sum = self.sum.take().filter(|_| self.position <= WHOLE_BYTES);
        if let Some(sum) = &mut self.sum {
            sum.write(read);
        }
    }

    /// Whether the file still has this text: the bytes before the position, and of a small file all
    /// of them. The beginning of a large file does not count. Some formats keep a counter there.
    pub(super) fn is_unchanged(&self, file: &File) -> io::Result<bool> {
        let before = self.position - self.before.len() as u64;
        if !has(file, before, &self.before)? {
            return Ok(false);
        }
        match &self.sum {
            Some(known) => match sum(file, self.position) {
                Ok(found) => Ok(found.finish() == known.finish()),
                Err(error) => eof(error).map(|()| false),
            },
            None => Ok(true),
        }
    }

    /// Whether another file has this text up to the position, as far as can be told.
    pub(super) fn is_in(&self, file: &File) -> io::Result<bool> {
        Ok(has(file, 0, &self.head)? && self.is_unchanged(file)?)
    }

    /// Whether `copy` holds the text of `original`, or its beginning. `original` is the file of
    /// this memory, which may have more than was read of it.
    pub(super) fn is_copied(&self, original: &File, copy: &Opened) -> io::Result<bool> {
        // What was rotated away is older than the file that took its place. A copy is younger.
        if let (Some(original), Some(copy)) = (self.born, copy.born)
            && copy < original
        {
            return Ok(false);
        }
        if self.position > 0 && copy.size >= self.position {
            return self.is_in(&copy.file);
        }
        let shared = if self.position > 0 {
            copy.size
        } else {
            // Nothing was read yet, so that only the file itself tells.
            copy.size.min(original.metadata()?.len())
        };
        let head = self.head.get(..cut(shared, self.head.len())).unwrap_or_default();
        if shared == 0 || !has(&copy.file, 0, head)? {
            return Ok(false);
        }
        let (first, last) = (cut(shared, HEAD_BYTES) as u64, cut(shared, BEFORE_BYTES) as u64);
        Ok((self.position > 0 || is_same(original, &copy.file, 0, first)?)
            && is_same(original, &copy.file, shared - last, last)?)
    }
}

/// The size of a file and the times of its last changes. If they stay the same, so does the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// File systems tell times to a tick of the kernel, which is 10 ms at most.
const UNSETTLED_MS: i128 = 100;

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            size: metadata.len(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When the file was last written, in milliseconds since the Unix epoch.
    pub(super) fn modified(&self) -> i64 {
        milliseconds(self.written.0, self.written.1)
    }

    /// Whether a change from `now` on would get another time.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis().cast_signed());
        let changed = i128::from(self.changed.0) * 1000 + i128::from(self.changed.1) / 1_000_000;
        (now - changed).abs() > UNSETTLED_MS
    }
}

/// When a file was created, if the file system tells it.
fn born(file: &File) -> Option<SystemTime> {
    file.metadata().and_then(|metadata| metadata.created()).ok()
}

/// `length`, or `limit` if that is less.
fn cut(length: u64, limit: usize) -> usize {
    usize::try_from(length).unwrap_or(limit).min(limit)
}

pub(super) fn bytes(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// Whether `file` has these bytes there.
fn has(file: &File, at: u64, wanted: &[u8]) -> io::Result<bool> {
    match bytes(file, at, wanted.len() as u64) {
        Ok(found) => Ok(found == wanted),
        Err(error) => eof(error).map(|()| false),
    }
}

/// Whether both files have the same bytes there. True if `original` has none there: it was
/// truncated just now, and the next look tells.
fn is_same(original: &File, copy: &File, at: u64, length: u64) -> io::Result<bool> {
    match bytes(original, at, length) {
        Ok(wanted) => has(copy, at, &wanted),
        Err(error) => eof(error).map(|()| true),
    }
}

/// A sum of the first `length` bytes.
fn sum(file: &File, length: u64) -> io::Result<DefaultHasher> {
    let mut sum = DefaultHasher::new();
    let mut at = 0;
    while at < length {
        let part = bytes(file, at, (length - at).min(4096))?;
        sum.write(&part);
        at += part.len() as u64;
    }
    Ok(sum)
}

/// The end of a file is no error here.
pub(super) fn eof(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::UnexpectedEof { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileIdentity;

    fn file(text: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(text, 0).unwrap();
        file
    }

    fn opened(text: &[u8]) -> Opened {
        Opened {
            file: file(text),
            size: text.len() as u64,
            modified: 0,
            identity: FileIdentity { device: 0, inode: 0 },
            born: None,
        }
    }

    fn text(length: usize) -> Vec<u8> {
        (0..).flat_map(|n: u32| format!("line {n}\n").into_bytes()).take(length).collect()
    }

    /// However the bytes come, the memory is that of the whole.
    #[test]
    fn bytes_read_in_parts_are_remembered_as_at_once() {
        for length in [0, 1, 63, 64, 65, 511, 513, 5000, 65_536, 65_537, 70_000] {
            let text = text(length);
            let mut memory = Memory::of(&file(b""), 0).unwrap();
            text.chunks(777).for_each(|part| memory.advance(part));
            assert!(memory.is_in(&file(&text)).unwrap(), "{length}");
            let whole = Memory::of(&file(&text), length as u64).unwrap();
            assert_eq!((memory.head, memory.before), (whole.head, whole.before), "{length}");
            assert_eq!(memory.sum.map(|s| s.finish()), whole.sum.map(|s| s.finish()), "{length}");
        }
    }

    #[test]
    fn every_byte_of_a_small_file_counts() {
        let text = text(3000);
        let memory = Memory::of(&file(&text), 3000).unwrap();
        for at in [0, 600, 1500, 2999] {
            let mut other = text.clone();
            other[at] ^= 1;
            assert!(!memory.is_unchanged(&file(&other)).unwrap(), "{at}");
        }
        assert!(!memory.is_unchanged(&file(&text[..2999])).unwrap());
        assert!(memory.is_unchanged(&file(&[&text[..], b"more\n"].concat())).unwrap());
    }

    #[test]
    fn a_copy_holds_the_text_or_its_beginning() {
        let text = text(3000);
        let original = file(&text);
        for read in [0, 100, 2000, 3000] {
            let memory = Memory::of(&original, read).unwrap();
            let is_copied = |copy: &[u8]| memory.is_copied(&original, &opened(copy)).unwrap();
            for length in [5, 100, 600, 2500, 3000] {
                assert!(is_copied(&text[..length]), "{read} {length}");
                let mut other = text[..length].to_vec();
                other[length - 1] ^= 1;
                // Of what was not read yet, the original itself tells.
                let is_read_to_there = read >= length as u64 || read == 0;
                assert!(!is_read_to_there || !is_copied(&other), "{read} {length}");
                other = text[..length].to_vec();
                other[0] ^= 1;
                assert!(!is_copied(&other), "{read} {length}");
            }
            assert!(!is_copied(b""), "{read}");
        }
    }

    /// The kernel's clock for files ticks a hundred times a second, or more often.
    #[test]
    fn a_file_may_change_again_within_one_tick() {
        let stamp = Stamp { size: 0, written: (0, 0), changed: (1000, 500_000_000) };
        for (now_ms, settled) in [(1_000_000, true), (1_000_450, false), (1_000_510, false)] {
            let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(now_ms);
            assert_eq!(stamp.is_settled(now), settled, "{now_ms}");
        }
        assert!(stamp.is_settled(SystemTime::now()));
    }
}
