//! The extents on disk, and the uploads that will be some. It owns what is known of them.

use super::disk::{Disk, is_full};
use super::extent_index::{Entry, ExtentIndex, MAX_HOLDERS};
use super::hashing::{Hashed, Hashing};
use super::head;
use super::job::{ExtentFacts, ExtentHead, Refused};
use super::record::Record;
use crate::content::{ExtentRef, HolderSet};
use crate::ids::ExtentId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The directories.
pub(super) const DIRECTORY: &str = "extents";
pub(super) const SPOOL: &str = "spool";

/// The most uploads at once.
const MAX_UPLOADS: usize = 256;

/// An upload is synced after so many bytes, so that no sync takes long.
const SYNC_BYTES: u64 = 8 << 20;

/// The most bytes of a hint.
const MAX_HINT: usize = 4096;

/// All extents and uploads.
#[derive(Debug)]
pub(super) struct Extents<D: Disk> {
    pub(super) index: ExtentIndex,
    uploads: BTreeMap<ExtentId, Upload<D>>,
    /// Directories that are known to be there.
    known: BTreeSet<String>,
    /// Directories with removed names that are not durable.
    dirty: BTreeSet<String>,
}

#[derive(Debug)]
struct Upload<D: Disk> {
    file: D::File,
    hashing: Hashing,
    synced: u64,
}

impl<D: Disk> Default for Extents<D> {
    fn default() -> Extents<D> {
        Extents {
            index: ExtentIndex::default(),
            uploads: BTreeMap::new(),
            known: BTreeSet::new(),
            dirty: BTreeSet::new(),
        }
    }
}

pub(super) fn directory(id: ExtentId) -> String {
    format!("{DIRECTORY}/{:02x}", id.0 >> 120)
}

pub(super) fn path(id: ExtentId) -> String {
    format!("{}/{:032x}", directory(id), id.0)
}

fn spool_path(id: ExtentId) -> String {
    format!("{SPOOL}/{:032x}", id.0)
}

fn of_head(path: &str) -> String {
    format!("{path}.h")
}

pub(super) fn may_be_set(set: &HolderSet) -> bool {
    (1..=MAX_HOLDERS).contains(&set.members.len())
}

impl<D: Disk> Extents<D> {
    pub(super) fn uploads(&self) -> usize {
        self.uploads.len()
    }

    /// The bytes of extents and uploads, with about what lies beside them.
    pub(super) fn bytes(&self) -> u64 {
        let uploads = self.uploads.values().map(|upload| upload.hashing.length());
        self.index.bytes() + self.index.len() as u64 * 4096 + uploads.sum::<u64>()
    }

    /// Takes a piece of an upload.
    pub(super) fn take_piece(
        &mut self,
        disk: &D,
        id: ExtentId,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<Result<(), Refused>> {
        if offset == 0 && !self.uploads.contains_key(&id) {
            if self.uploads.len() >= MAX_UPLOADS {
                return Ok(Err(Refused::TooMany));
            }
            let file = disk.create(&spool_path(id))?;
            let upload = Upload { file, hashing: Hashing::default(), synced: 0 };
            self.uploads.insert(id, upload);
        }
        let Some(upload) = self.uploads.get_mut(&id) else { return Ok(Err(Refused::Unknown)) };
        let expected = upload.hashing.length();
        if offset != expected {
            return Ok(Err(Refused::Misplaced { expected }));
        }
        if offset + bytes.len() as u64 > ExtentRef::MAX_BYTES {
            return Ok(Err(Refused::Invalid));
        }
        disk.write_at(&upload.file, bytes, offset)?;
        upload.hashing.push(bytes);
        let length = upload.hashing.length();
        if length - upload.synced >= SYNC_BYTES {
            // Lack of space that only the fsync notices is no longer a clean refusal.
            disk.sync(&upload.file).map_err(io::Error::other)?;
            upload.synced = length;
        }
        Ok(Ok(()))
    }

    /// Drops an upload.
    pub(super) fn drop_pieces(&mut self, disk: &D, id: ExtentId) {
        if self.uploads.remove(&id).is_some() {
            // What stays is removed at the next start.
            let _ = disk.remove(&spool_path(id));
        }
    }

    pub(super) fn drop_uploads(&mut self) {
        self.uploads.clear();
    }

    pub(super) fn read_pieces(
        &self,
        disk: &D,
        id: ExtentId,
        offset: u64,
        bytes: usize,
    ) -> Result<Vec<u8>, Refused> {
        let upload = self.uploads.get(&id).ok_or(Refused::Unknown)?;
        let length = upload.hashing.length();
        let end = offset.saturating_add(bytes as u64).min(length);
        let count = usize::try_from(end.saturating_sub(offset)).unwrap_or(0);
        let mut read = vec![0; count];
        let result = disk.read_at(&upload.file, &mut read, offset);
        result.map_err(|error| Refused::Bad(format!("{}: {error}", spool_path(id))))?;
        Ok(read)
    }

    /// What a seal would make of an upload. It writes what lies beside it, not durably.
    pub(super) fn plan_seal(
        &self,
        disk: &D,
        id: ExtentId,
        facts: ExtentFacts,
        expect: Option<(u64, [u8; 32])>,
    ) -> io::Result<Result<Entry, Refused>> {
        if !may_be_set(&facts.set) || facts.hint.len() > MAX_HINT {
            return Ok(Err(Refused::Invalid));
        }
        let Some(upload) = self.uploads.get(&id) else { return Ok(Err(Refused::Unknown)) };
        let Hashed { length, root, groups } = upload.hashing.finish();
        if length == 0 {
            return Ok(Err(Refused::Invalid));
        }
        if expect.is_some_and(|expect| expect != (length, root)) {
            return Ok(Err(Refused::Mismatch { length, root }));
        }
        if self.index.version(id).is_some_and(|version| version > facts.set.version) {
            return Ok(Err(Refused::Outdated));
        }
        let (share, set) = (facts.share.clone(), facts.set.clone());
        let entry = Entry { id, length, share, set, created_ms: facts.created_ms };
        write_head(disk, id, &ExtentHead { facts, length, root, groups })?;
        Ok(Ok(entry))
    }

    /// The length and hash of an upload.
    pub(super) fn upload(&self, id: ExtentId) -> Option<(u64, [u8; 32])> {
        let hashed = self.uploads.get(&id)?.hashing.finish();
        Some((hashed.length, hashed.root))
    }

    /// What another set would make of what lies beside an extent. It is written, not durably.
    pub(super) fn plan_set(
        &mut self,
        disk: &D,
        id: ExtentId,
        set: &HolderSet,
    ) -> io::Result<Result<(), Refused>> {
        match self.index.version(id) {
            None => return Ok(Err(Refused::Unknown)),
            Some(version) if version >= set.version => return Ok(Err(Refused::Outdated)),
            Some(_) if !may_be_set(set) => return Ok(Err(Refused::Invalid)),
            Some(_) => {}
        }
        let mut head = match self.head(disk, id) {
            Ok(head) => head,
            Err(refused) => return Ok(Err(refused)),
        };
        head.facts.set = set.clone();
        write_head(disk, id, &head)?;
        Ok(Ok(()))
    }

    /// Makes an upload durable, and gives it its place; or only what lies beside an extent, when
    /// there is no upload. Its directory must be synced then.
    pub(super) fn place(&mut self, disk: &D, id: ExtentId, is_seal: bool) -> io::Result<String> {
        let directory = directory(id);
        if !self.known.contains(&directory) {
            disk.create_directory(&directory)?;
            disk.sync_directory(DIRECTORY)?;
            self.known.insert(directory.clone());
        }
        let (from, to) = (spool_path(id), path(id));
        if is_seal {
            let upload = self.uploads.remove(&id).ok_or(io::ErrorKind::NotFound)?;
            disk.sync(&upload.file)?;
        }
        disk.sync(&disk.open(&of_head(&from))?)?;
        if is_seal {
            disk.rename(&from, &to)?;
        }
        disk.rename(&of_head(&from), &of_head(&to))?;
        Ok(directory)
    }

    /// Does what a durable record says, in memory.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Sealed(entry) => self.index.insert(entry),
            Record::Set { id, set } => self.index.set(*id, set),
            Record::Drop { id } => self.index.remove(*id),
            _ => {}
        }
    }

    /// Removes the files of an extent that is dropped durably.
    pub(super) fn remove(&mut self, disk: &D, id: ExtentId) -> io::Result<()> {
        let path = path(id);
        for path in [of_head(&path), path] {
            match disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.dirty.insert(directory(id));
        Ok(())
    }

    /// Makes removed names durable.
    pub(super) fn sync(&mut self, disk: &D) -> io::Result<()> {
        while let Some(directory) = self.dirty.pop_first() {
            disk.sync_directory(&directory)?;
        }
        Ok(())
    }

    /// What lies beside an extent.
    pub(super) fn head(&mut self, disk: &D, id: ExtentId) -> Result<ExtentHead, Refused> {
        let length = self.index.length(id).ok_or(Refused::Unknown)?;
        let path = of_head(&path(id));
        let why = match head::read_head(disk, &path) {
            Ok(Some(head)) if head.length == length => return Ok(head),
            Ok(_) => "is damaged".to_owned(),
            Err(error) => error.to_string(),
        };
        self.index.mark_bad(id);
        Err(Refused::Bad(format!("{path}: {why}")))
    }

    /// Reads a part of an extent, and verifies it.
    pub(super) fn read(
        &mut self,
        disk: &D,
        id: ExtentId,
        offset: u64,
        bytes: usize,
    ) -> Result<Vec<u8>, Refused> {
        let ExtentHead { length, root, groups, .. } = self.head(disk, id)?;
        let hashed = Hashed { length, root, groups };
        let read = head::read_verified(disk, &path(id), &hashed, offset, bytes);
        if read.is_err() {
            self.index.mark_bad(id);
        }
        read
    }

    /// Compares the index with the files, after a replay. `dropped` are those that must not come
    /// back. Returns sentences about what is damaged.
    pub(super) fn reconcile(
        &mut self,
        disk: &D,
        dropped: &BTreeSet<ExtentId>,
        rebuilt: bool,
    ) -> io::Result<Vec<String>> {
        let mut notes = Vec::new();
        for file in disk.list(SPOOL)? {
            disk.remove(&format!("{SPOOL}/{file}"))?;
        }
        let mut found: BTreeMap<ExtentId, (bool, bool)> = BTreeMap::new();
        for directory in disk.list(DIRECTORY)? {
            let directory = format!("{DIRECTORY}/{directory}");
            for name in disk.list(&directory)? {
                let (text, is_head) = match name.strip_suffix(".h") {
                    Some(text) => (text, true),
                    None => (name.as_str(), false),
                };
                let Ok(id) = u128::from_str_radix(text, 16) else { continue };
                let of = found.entry(ExtentId(id)).or_default();
                if is_head { of.0 = true } else { of.1 = true }
            }
            self.known.insert(directory);
        }
        for id in self.index.ids().collect::<Vec<_>>() {
            if found.remove(&id) != Some((true, true)) {
                self.index.mark_bad(id);
                notes.push(format!("{} is lost: another member has it", path(id)));
            }
        }
        for (id, (has_head, has_data)) in found {
            let is_whole = has_head && has_data;
            // Nobody was told of what is in no record. Its sync may have failed: then the disk
            // shows it until the power goes.
            if dropped.contains(&id) || !rebuilt {
                self.remove(disk, id)?;
            } else if !(is_whole && self.adopt(disk, id)?) {
                notes.push(format!("{} is not whole, and is left there", path(id)));
            }
        }
        Ok(notes)
    }

    /// Takes an extent that has its place, when all records of extents are lost.
    fn adopt(&mut self, disk: &D, id: ExtentId) -> io::Result<bool> {
        let path = path(id);
        let length = disk.length(&disk.open(&path)?)?;
        let head = head::read_head(disk, &of_head(&path));
        let Some(head) = head.ok().flatten().filter(|head| head.length == length) else {
            return Ok(false);
        };
        let ExtentFacts { share, set, created_ms, .. } = head.facts;
        self.index.insert(&Entry { id, length, share, set, created_ms });
        Ok(true)
    }
}

/// Writes what will lie beside an extent.
fn write_head<D: Disk>(disk: &D, id: ExtentId, head: &ExtentHead) -> io::Result<()> {
    let path = of_head(&spool_path(id));
    let file = disk.create(&path)?;
    let written = disk.write_at(&file, &head::seal_head(head), 0);
    if written.as_ref().is_err_and(is_full) {
        disk.remove(&path)?;
    }
    written
}
