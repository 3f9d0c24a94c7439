//! A disk that fails at the n-th operation, and forgets what was not synced.

use super::super::disk::{Disk, RealDisk};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// A disk in a directory of its own. It does not really sync.
#[derive(Debug, Clone)]
pub(super) struct FaultyDisk(Arc<Mutex<Faults>>);

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The power goes. A write gets half way.
    Crash,
    /// It fails, once.
    Fail(io::ErrorKind),
}

/// Which operations count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    Syncs,
    Writes,
}

#[derive(Debug)]
struct Faults {
    which: Which,
    operations: u64,
    fault: Option<(u64, Fault)>,
    is_off: bool,
    /// How many bytes may still be written. None is no bound.
    space: Option<u64>,
    /// What `free_bytes` says.
    free: u64,
    /// Files with bytes that may be lost: up to how many are durable.
    files: BTreeMap<u64, (File, u64)>,
    /// Names that may be lost, oldest first: how to take them back.
    names: Vec<(PathBuf, Undo)>,
    /// Where removed files are kept. Without one, nothing is ever lost.
    attic: Option<PathBuf>,
}

#[derive(Debug)]
enum Undo {
    RemoveDirectory,
    Remove,
    /// To this name, and put the file that it replaced back.
    Rename(PathBuf, Option<PathBuf>),
    Restore(PathBuf),
    CreateDirectory,
}

impl FaultyDisk {
    /// A disk without faults, so far. `attic` is a directory outside the store.
    pub(super) fn new(attic: &Path) -> FaultyDisk {
        FaultyDisk::with(Some(attic.to_owned()))
    }

    /// A disk that is faster than a real one.
    pub(super) fn faultless() -> FaultyDisk {
        FaultyDisk::with(None)
    }

    fn with(attic: Option<PathBuf>) -> FaultyDisk {
        FaultyDisk(Arc::new(Mutex::new(Faults {
            which: Which::All,
            operations: 0,
            fault: None,
            is_off: false,
            space: None,
            free: u64::MAX,
            files: BTreeMap::new(),
            names: Vec::new(),
            attic,
        })))
    }

    /// Has the `number`-th of these operations fail, counted from now on.
    pub(super) fn fail_at(&self, which: Which, number: u64, fault: Fault) {
        let mut faults = self.lock();
        faults.which = which;
        faults.operations = 0;
        faults.fault = Some((number, fault));
    }

    pub(super) fn operations(&self) -> u64 {
        self.lock().operations
    }

    pub(super) fn set_space(&self, bytes: Option<u64>) {
        self.lock().space = bytes;
    }

    pub(super) fn set_free(&self, bytes: u64) {
        self.lock().free = bytes;
    }

    /// The power comes back. Names that were not synced are lost from some point on, and so is the
    /// end of each file, or a hole is in it.
    pub(super) fn lose_unsynced(&self, seed: u64) {
        let mut faults = self.lock();
        let mut random = Random(seed);
        for (file, durable) in faults.files.values() {
            let length = file.metadata().unwrap().len();
            let lost = random.below(length - durable + 1);
            match random.below(3) {
                0 => {}
                1 => file.set_len(length - lost).unwrap(),
                _ => file.write_all_at(&vec![0; usize::try_from(lost).unwrap()], *durable).unwrap(),
            }
        }
        let count = faults.names.len() as u64;
        let kept = usize::try_from(random.below(count + 1)).unwrap();
        for (path, undo) in faults.names.split_off(kept).into_iter().rev() {
            undo.undo(&path);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.0.lock().unwrap()
    }
}

impl Undo {
    fn undo(self, path: &Path) {
        let undone = match self {
            Undo::RemoveDirectory => fs::remove_dir(path),
            Undo::Remove => fs::remove_file(path),
            Undo::Rename(from, replaced) => fs::rename(path, from).and_then(|()| match replaced {
                Some(replaced) => fs::rename(replaced, path),
                None => Ok(()),
            }),
            Undo::Restore(attic) => fs::rename(attic, path),
            Undo::CreateDirectory => fs::create_dir(path),
        };
        undone.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// A small generator: SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

impl Faults {
    /// Counts an operation, and says whether it fails.
    fn count(&mut self, is_sync: bool, is_write: bool) -> io::Result<()> {
        if self.is_off {
            return Err(io::Error::other("the power is off"));
        }
        let counts = match self.which {
            Which::All => true,
            Which::Syncs => is_sync,
            Which::Writes => is_write,
        };
        self.operations += u64::from(counts);
        match self.fault {
            Some((number, fault)) if counts && number == self.operations => match fault {
                Fault::Crash => {
                    self.is_off = true;
                    Err(io::Error::other("the power goes"))
                }
                Fault::Fail(kind) => Err(kind.into()),
            },
            _ => Ok(()),
        }
    }

    /// Keeps a file that is removed or replaced.
    fn keep(&mut self, path: &Path) -> io::Result<PathBuf> {
        let Some(attic) = &self.attic else { return Ok(PathBuf::new()) };
        let kept = attic.join(format!("{}-{}", self.operations, self.names.len()));
        fs::hard_link(path, &kept)?;
        Ok(kept)
    }

    /// Remembers how to take a name back.
    fn remember(&mut self, path: &Path, undo: Undo) {
        if self.attic.is_some() {
            self.names.push((path.to_owned(), undo));
        }
    }

    /// Remembers a file with bytes that may be lost after these.
    fn remember_file(&mut self, file: &File, durable: u64) -> io::Result<()> {
        if self.attic.is_some() {
            let clone = file.try_clone()?;
            self.files.entry(file.metadata()?.ino()).or_insert((clone, durable));
        }
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut faults = self.lock();
        faults.count(false, false)?;
        if !path.is_dir() {
            RealDisk.create_directory(path)?;
            faults.remember(path, Undo::RemoveDirectory);
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        let mut faults = self.lock();
        faults.count(false, false)?;
        let is_new = !path.exists();
        let file = RealDisk.create(path)?;
        if is_new {
            faults.remember(path, Undo::Remove);
        }
        faults.files.remove(&file.metadata()?.ino());
        faults.remember_file(&file, 0)?;
        Ok(file)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let mut faults = self.lock();
        faults.count(false, false)?;
        let file = RealDisk.open(path)?;
        faults.remember_file(&file, file.metadata()?.len())?;
        Ok(file)
    }

    fn write_at(&self, file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
        let mut faults = self.lock();
        let was_off = faults.is_off;
        let counted = faults.count(false, true);
        let room = faults.space.unwrap_or(u64::MAX);
        let written = match &counted {
            Ok(()) => usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len()),
            Err(_) if was_off => 0,
            Err(_) => bytes.len() / 2,
        };
        file.write_all_at(&bytes[..written], place)?;
        faults.space = faults.space.map(|space| space - written as u64);
        counted?;
        if written < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        let mut faults = self.lock();
        faults.count(false, false)?;
        let metadata = file.metadata()?;
        file.set_len(length)?;
        let freed = metadata.len().saturating_sub(length);
        faults.space = faults.space.map(|space| space + freed);
        if let Some((_, durable)) = faults.files.get_mut(&metadata.ino()) {
            *durable = length.min(*durable);
        }
        Ok(())
    }

    fn begin_sync(&self, _: &File) {}

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut faults = self.lock();
        faults.count(true, false)?;
        let metadata = file.metadata()?;
        if let Some((_, durable)) = faults.files.get_mut(&metadata.ino()) {
            *durable = metadata.len();
        }
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut faults = self.lock();
        faults.count(true, false)?;
        if !path.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Names become durable in the order in which they were made, as with a journal.
        let last = faults.names.iter().rposition(|(name, _)| name.parent() == Some(path));
        faults.names.drain(..last.map_or(0, |last| last + 1));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut faults = self.lock();
        faults.count(false, false)?;
        let replaced = if to.exists() { Some(faults.keep(to)?) } else { None };
        fs::rename(from, to)?;
        faults.remember(to, Undo::Rename(from.to_owned(), replaced));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut faults = self.lock();
        faults.count(false, false)?;
        let length = fs::metadata(path)?.len();
        let kept = faults.keep(path)?;
        fs::remove_file(path)?;
        faults.space = faults.space.map(|space| space + length);
        faults.remember(path, Undo::Restore(kept));
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut faults = self.lock();
        faults.count(false, false)?;
        fs::remove_dir(path)?;
        faults.remember(path, Undo::CreateDirectory);
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.lock().free)
    }
}
