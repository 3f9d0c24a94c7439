//! The log of one catalog, in files of about 16 MiB. Entries come here from the write-ahead log,
//! and are durable here after a checkpoint.

use super::codec::{Reader, Writer};
use super::disk::{Disk, is_absent};
use std::io;
use std::mem;

/// A file with so many bytes is followed by another.
const FILE_BYTES: u64 = 16 << 20;

/// The length and crc of an entry, and its index.
const HEAD_BYTES: u64 = 16;

/// The log of one catalog.
#[derive(Debug, Default)]
pub(super) struct Log {
    files: Vec<LogFile>,
    /// The first index of an empty log.
    next: u64,
    /// After a crash: the first entry that should be here and is not, and where the log should end.
    missing: Option<(u64, u64)>,
}

/// A part of it.
#[derive(Debug)]
struct LogFile {
    first: u64,
    /// Where each entry ends. It has at least one.
    ends: Vec<u32>,
    is_dirty: bool,
}

impl LogFile {
    fn end(&self) -> u64 {
        self.first + self.ends.len() as u64
    }

    fn bytes(&self) -> u64 {
        self.ends.last().copied().map_or(0, u64::from)
    }

    /// Where an entry begins and ends.
    fn range(&self, index: u64) -> Option<(u64, u64)> {
        let number = usize::try_from(index.checked_sub(self.first)?).ok()?;
        let end = *self.ends.get(number)?;
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some((begin.into(), end.into()))
    }
}

fn path(directory: &str, first: u64) -> String {
    format!("{directory}/log.{first:016x}")
}

fn crc(index: u64, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&index.to_le_bytes()), body)
}

impl Log {
    pub(super) fn new() -> Log {
        Log { next: 1, ..Log::default() }
    }

    pub(super) fn first(&self) -> u64 {
        self.files.first().map_or(self.next, |file| file.first)
    }

    pub(super) fn end(&self) -> u64 {
        self.files.last().map_or(self.next, LogFile::end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The first entry that should be here and is not.
    pub(super) fn missing(&self) -> Option<u64> {
        self.missing.map(|(from, _)| from)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(LogFile::bytes).sum()
    }

    /// Adds entries. Where they do not follow, because a crash took some, it says so.
    pub(super) fn append<D: Disk>(
        &mut self,
        disk: &D,
        directory: &str,
        first: u64,
        entries: &[Vec<u8>],
    ) -> io::Result<()> {
        if !self.is_empty() && first != self.end() {
            let from = self.missing.map_or(self.end().min(first), |(from, _)| from);
            self.missing = Some((from, first + entries.len() as u64));
            return Ok(());
        }
        let is_full = self.files.last().is_none_or(|file| file.bytes() >= FILE_BYTES);
        let number = if is_full { first } else { self.files.last().map_or(first, |of| of.first) };
        let path = path(directory, number);
        let file = if is_full { disk.create(&path)? } else { disk.open(&path)? };
        if is_full {
            self.files.push(LogFile { first, ends: Vec::new(), is_dirty: true });
        }
        let Some(last) = self.files.last_mut() else { return Ok(()) };
        let place = last.bytes();
        let mut writer = Writer::default();
        for (index, entry) in (first..).zip(entries) {
            writer.u32(u32::try_from(entry.len()).map_err(io::Error::other)?);
            writer.u32(crc(index, entry));
            writer.u64(index);
            writer.raw(entry);
            let end = place + writer.0.len() as u64;
            last.ends.push(u32::try_from(end).map_err(io::Error::other)?);
        }
        last.is_dirty = true;
        disk.write_at(&file, &writer.0, place)
    }

    /// Drops the entries from an index on. Returns the files that may be removed.
    pub(super) fn cut<D: Disk>(
        &mut self,
        disk: &D,
        directory: &str,
        from: u64,
    ) -> io::Result<Vec<String>> {
        self.missing = self.missing.filter(|(missing, _)| *missing < from);
        if from >= self.end() {
            return Ok(Vec::new());
        }
        let kept = self.files.partition_point(|file| file.first < from);
        let gone = self.files.split_off(kept);
        if let Some(last) = self.files.last_mut() {
            let count = usize::try_from(from - last.first).map_err(io::Error::other)?;
            last.ends.truncate(count);
            last.is_dirty = true;
            let file = disk.open(&path(directory, last.first))?;
            disk.truncate(&file, last.bytes())?;
        }
        self.next = from;
        Ok(gone.iter().map(|file| path(directory, file.first)).collect())
    }

    /// Drops everything. What comes next may have any index. Returns the files that may be removed.
    pub(super) fn cut_all(&mut self, directory: &str, next: u64) -> Vec<String> {
        (self.missing, self.next) = (None, next);
        let gone = mem::take(&mut self.files);
        gone.iter().map(|file| path(directory, file.first)).collect()
    }

    /// Drops the files whose entries are all in an image. Returns their names.
    pub(super) fn drop_before(&mut self, directory: &str, next: u64) -> Vec<String> {
        self.missing = self.missing.filter(|(_, end)| *end > next);
        let gone = self.files.partition_point(|file| file.end() <= next);
        let kept = self.files.split_off(gone);
        let gone = mem::replace(&mut self.files, kept);
        if self.files.is_empty() {
            self.next = next;
        }
        gone.iter().map(|file| path(directory, file.first)).collect()
    }

    /// Reads entries from an index on, while they fit.
    pub(super) fn read<D: Disk>(
        &self,
        disk: &D,
        directory: &str,
        from: u64,
        max_bytes: usize,
    ) -> io::Result<Vec<Vec<u8>>> {
        let mut entries = Vec::new();
        let mut left = max_bytes as u64;
        let begin = self.files.partition_point(|file| file.end() <= from);
        let mut index = from;
        for of in &self.files[begin..] {
            let file = disk.open(&path(directory, of.first))?;
            while let Some((begin, end)) = of.range(index) {
                if end - begin > left && !entries.is_empty() {
                    return Ok(entries);
                }
                left = left.saturating_sub(end - begin);
                entries.push(read_entry(disk, &file, index, (begin, end))?);
                index += 1;
            }
        }
        Ok(entries)
    }

    /// Makes all of it durable.
    pub(super) fn sync<D: Disk>(&mut self, disk: &D, directory: &str) -> io::Result<bool> {
        let mut any = false;
        for of in self.files.iter_mut().filter(|file| file.is_dirty) {
            disk.sync(&disk.open(&path(directory, of.first))?)?;
            of.is_dirty = false;
            any = true;
        }
        Ok(any)
    }

    /// The names of the files.
    pub(super) fn names(&self, directory: &str) -> Vec<String> {
        self.files.iter().map(|file| path(directory, file.first)).collect()
    }

    /// What a checkpoint keeps of it.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u64(self.next);
        writer.u32(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        for file in &self.files {
            writer.u64(file.first);
            writer.u64(file.end());
        }
    }

    /// Finds the entries of a checkpoint again. What is not whole may have been cut since.
    pub(super) fn load<D: Disk>(
        disk: &D,
        directory: &str,
        reader: &mut Reader,
    ) -> Option<io::Result<Log>> {
        let mut log = Log { next: reader.u64()?, ..Log::default() };
        let count = reader.u32()?;
        for _ in 0..count {
            let (first, end) = (reader.u64()?, reader.u64()?);
            if let Some((_, missing_end)) = &mut log.missing {
                *missing_end = end;
                continue;
            }
            let ends = match load_file(disk, &path(directory, first), first, end) {
                Ok(ends) => ends,
                Err(error) => return Some(Err(error)),
            };
            let found = first + ends.len() as u64;
            if found < end {
                log.missing = Some((found, end));
            }
            if ends.is_empty() && log.is_empty() {
                log.next = first;
            }
            if !ends.is_empty() {
                log.files.push(LogFile { first, ends, is_dirty: true });
            }
        }
        Some(Ok(log))
    }
}

fn load_file<D: Disk>(disk: &D, path: &str, first: u64, end: u64) -> io::Result<Vec<u32>> {
    let file = match disk.open(path) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        file => file?,
    };
    let length = disk.length(&file)?;
    let mut ends = Vec::new();
    let mut place = 0;
    for index in first..end {
        if length < place + HEAD_BYTES {
            break;
        }
        let mut head = [0; 4];
        disk.read_at(&file, &mut head, place)?;
        let after = place + HEAD_BYTES + u64::from(u32::from_le_bytes(head));
        if after > length || read_entry(disk, &file, index, (place, after)).is_err() {
            break;
        }
        ends.push(u32::try_from(after).map_err(io::Error::other)?);
        place = after;
    }
    Ok(ends)
}

fn read_entry<D: Disk>(
    disk: &D,
    file: &D::File,
    index: u64,
    (begin, end): (u64, u64),
) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(end - begin).map_err(io::Error::other)?];
    disk.read_at(file, &mut bytes, begin)?;
    let mut reader = Reader(&bytes);
    let head = (reader.u32(), reader.u32(), reader.u64());
    let body = reader.0;
    let length = u32::try_from(body.len()).ok();
    if head == (length, Some(crc(index, body)), Some(index)) {
        Ok(body.to_vec())
    } else {
        let error = format!("entry {index} is damaged");
        Err(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
