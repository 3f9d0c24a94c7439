//! Finds what is kept when the store is opened, and cuts what a crash left half written.

use super::OpenError;
use super::disk::{Disk, absent_is_fine, forget_cached};
use super::dropped::Dropped;
use super::streams::{Key, Segment, Stream, Streams, Tail};
use crate::segment::names::{self, Form};
use crate::segment::recover::{Recovered, Rest, recover};
use crate::segment::{head, index};
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) streams: Streams,
    /// What is left of others.
    pub(super) dropped: Dropped,
    /// What is damaged: a sentence each.
    pub(super) notes: Vec<String>,
}

/// Reads the directory of the store.
pub(super) fn load(disk: &dyn Disk, root: &Path) -> Result<Loaded, OpenError> {
    let mut loaded = Loaded::default();
    for (name, path) in entries(root).map_err(at(root))? {
        let Some(source) = name.and_then(|name| Name::new(&name).ok()) else { continue };
        if !path.is_dir() {
            continue;
        }
        for (name, directory) in entries(&path).map_err(at(&path))? {
            let Some(id) = name.and_then(|name| names::stream_id(&name)) else { continue };
            let key = Key { source: source.clone(), id };
            let loading = Loading { disk, key: &key, directory: &directory };
            let stream = loading.load(&mut loaded.notes).map_err(at(&directory))?;
            match stream {
                Some(stream) => loaded.streams.insert(key, stream),
                None => loaded.dropped.load(key, &directory).map_err(at(&directory))?,
            }
        }
        if loaded.streams.of_source(&source).streams == 0 {
            // It stays if anything else is in it.
            let _ = disk.remove_directory(&path);
        }
    }
    Ok(loaded)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |error| OpenError { path: path.to_owned(), error }
}

/// The names in a directory, and the paths of these.
fn entries(directory: &Path) -> io::Result<Vec<(Option<String>, PathBuf)>> {
    let entries = fs::read_dir(directory)?;
    entries
        .map(|entry| entry.map(|entry| (entry.file_name().into_string().ok(), entry.path())))
        .collect()
}

/// A stream that is loaded.
struct Loading<'a> {
    disk: &'a dyn Disk,
    key: &'a Key,
    directory: &'a Path,
}

impl Loading<'_> {
    /// Reads the stream. None if nothing of it was ever acknowledged.
    fn load(&self, notes: &mut Vec<String>) -> io::Result<Option<Stream>> {
        let mut segments: BTreeMap<(u64, Form), Metadata> = BTreeMap::new();
        for (name, path) in entries(self.directory)? {
            let Some(name) = name else { continue };
            if names::is_temporary(&name) {
                self.disk.remove(&path)?;
            } else if let Some(segment) = names::segment(&name) {
                segments.insert(segment, fs::metadata(&path)?);
            }
        }
        let is_damaged = match head::read(self.directory, self.key.id) {
            // Without a durable head, nothing was acknowledged.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.remove_all(segments.into_keys()).map(|()| None);
            }
            Err(_) | Ok(None) => {
                notes.push(format!("{}/head is damaged", self.directory.display()));
                true
            }
            Ok(Some(_)) => false,
        };
        self.keep_one_form(&mut segments)?;
        let mut stream = Stream { is_damaged, has_head: true, ..Stream::default() };
        stream.segments = segments
            .into_iter()
            .map(|((begin, form), metadata)| Segment {
                begin,
                bytes: metadata.len(),
                written_ms: modified_ms(&metadata),
                form,
            })
            .collect();
        let head = fs::metadata(self.directory.join(names::HEAD)).ok();
        stream.written_ms = head.as_ref().map_or(0, modified_ms);
        self.read_last(&mut stream, notes)?;
        let last = stream.segments.back().map_or(0, |segment| segment.written_ms);
        stream.written_ms = stream.written_ms.max(last);
        Ok(Some(stream))
    }

    fn remove_all(&self, segments: impl Iterator<Item = (u64, Form)>) -> io::Result<()> {
        for (begin, form) in segments {
            self.disk.remove(&names::segment_file(self.directory, begin, form))?;
        }
        // Unknown files keep the directory: it is no stream then.
        let removed = self.disk.remove_directory(self.directory);
        match removed {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => absent_is_fine(removed),
        }
    }

    /// A crash while a segment was sealed may have left both forms of it.
    fn keep_one_form(&self, segments: &mut BTreeMap<(u64, Form), Metadata>) -> io::Result<()> {
        let both = segments.keys().filter(|(begin, form)| {
            *form == Form::Open && segments.contains_key(&(*begin, Form::Sealed))
        });
        let both: Vec<u64> = both.map(|(begin, _)| *begin).collect();
        for begin in both {
            let sealed = File::open(names::segment_file(self.directory, begin, Form::Sealed));
            let is_whole = sealed
                .and_then(|sealed| index::read(&sealed, self.key.id))
                .is_ok_and(|index| index.is_some_and(|index| index.summary.begin == begin));
            let other = if is_whole { Form::Open } else { Form::Sealed };
            self.disk.remove(&names::segment_file(self.directory, begin, other))?;
            segments.remove(&(begin, other));
        }
        Ok(())
    }

    /// Learns from the last segment where the next block begins.
    fn read_last(&self, stream: &mut Stream, notes: &mut Vec<String>) -> io::Result<()> {
        while let Some(segment) = stream.segments.back().copied() {
            let path = names::segment_file(self.directory, segment.begin, segment.form);
            stream.end = segment.begin;
            let last = match segment.form {
                Form::Sealed => self.read_sealed(&path, segment.begin, stream),
                Form::Open => self.read_open(&path, segment.begin, stream)?,
            };
            match last {
                Last::Whole => break,
                Last::Damaged(why) => {
                    notes.push(format!("{} is damaged: {why}", path.display()));
                    stream.is_damaged = true;
                    break;
                }
                Last::Empty => {
                    self.disk.remove(&path)?;
                    self.disk.sync_directory(self.directory)?;
                    stream.segments.pop_back();
                }
            }
        }
        stream.synced = stream.end;
        stream.durable = stream.end;
        Ok(())
    }

    fn read_sealed(&self, path: &Path, begin: u64, stream: &mut Stream) -> Last {
        let index = match File::open(path).and_then(|file| index::read(&file, self.key.id)) {
            Ok(Some(index)) if index.summary.begin == begin => index,
            Ok(_) => return Last::Damaged("its index is".into()),
            Err(error) => return Last::Damaged(error.to_string()),
        };
        stream.first = index.summary.first;
        stream.end = index.summary.end();
        stream.lines = index.summary.lines_after();
        stream.ends_line = index.entries.last().is_some_and(|entry| entry.text.ends_line);
        Last::Whole
    }

    fn read_open(&self, path: &Path, begin: u64, stream: &mut Stream) -> io::Result<Last> {
        let file = self.disk.open(path)?;
        // What a failed fsync lost may still be in the page cache: the disk is asked.
        self.disk.sync(&file)?;
        forget_cached(&file);
        let recovered = match recover(&file, self.key.id, begin) {
            Ok(recovered) => recovered,
            Err(error) => return Ok(Last::Damaged(error.to_string())),
        };
        let Recovered { whole_bytes, last, blocks, settled, rest } = recovered;
        if let Some(head) = last {
            stream.first = head.first;
            stream.end = head.block.end();
            stream.lines = head.lines_after();
            stream.ends_line = head.text.ends_line;
            let last_place = whole_bytes.saturating_sub(head.next_place(0));
            stream.tail = Some(Tail { blocks, last_place, settled });
        }
        if rest == Rest::Damaged {
            stream.tail = None;
            return Ok(Last::Damaged(format!("a block is not what it was, at {whole_bytes}")));
        }
        if last.is_none() {
            return Ok(Last::Empty);
        }
        if rest == Rest::Torn {
            self.disk.truncate(&file, whole_bytes)?;
            self.disk.sync(&file)?;
            if let Some(segment) = stream.segments.back_mut() {
                segment.bytes = whole_bytes;
            }
        }
        Ok(Last::Whole)
    }
}

/// What the last segment is.
enum Last {
    Whole,
    /// It has no whole block, and the one before it is the last.
    Empty,
    Damaged(String),
}

/// When a file was last written, in milliseconds since the Unix epoch.
fn modified_ms(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
