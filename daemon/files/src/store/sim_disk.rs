//! A disk in memory, for tests: the power goes at any operation, operations fail, space ends, bits
//! rot. After the power went, any subset of what was not synced is there, torn at 512 bytes.

mod file;
mod names;

use super::disk::Disk;
use file::Inode;
use names::{Change, Names};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<Sim>>);

/// An open file.
#[derive(Debug, Clone, Copy)]
pub struct SimFile(u64);

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes. The operation may have happened or not, as all that was not synced.
    Power,
    /// It fails once. What a failed sync should have written is lost, and the next one says OK.
    Fail(io::ErrorKind),
}

/// Which operations count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// All that change something, and syncs.
    #[default]
    Changes,
    /// Syncs of files and directories.
    Syncs,
    /// Writes.
    Writes,
    /// Reads.
    Reads,
}

#[derive(Debug, Default)]
struct Sim {
    inodes: BTreeMap<u64, Inode>,
    names: Names,
    next: u64,
    which: Which,
    operations: u64,
    fault: Option<(u64, Fault)>,
    is_off: bool,
    /// The bytes of the file system. None: it has no bound.
    total: Option<u64>,
    /// How many syncs of files there were.
    syncs: u64,
}

/// A small generator: SplitMix64.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    /// An index below a limit.
    pub fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap_or(0)
    }
}

impl SimDisk {
    fn lock(&self) -> MutexGuard<'_, Sim> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the `number`-th of these operations fail, counted from now on.
    pub fn fail_at(&self, which: Which, number: u64, fault: Fault) {
        let mut sim = self.lock();
        (sim.which, sim.operations, sim.fault) = (which, 0, Some((number, fault)));
    }

    /// How many operations there were since [`SimDisk::fail_at`].
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// How many syncs of files succeeded.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// How many bytes of the file system are used.
    pub fn used(&self) -> u64 {
        self.lock().used()
    }

    /// Sets the size of the file system, in bytes.
    pub fn set_total(&self, bytes: Option<u64>) {
        self.lock().total = bytes;
    }

    /// The power goes, if it has not gone, and comes back. What was not synced is there or not.
    pub fn restart(&self, seed: u64) {
        let mut sim = self.lock();
        let mut random = Random(seed);
        (sim.is_off, sim.fault) = (false, None);
        sim.names.crash(&mut random);
        let named = sim.names.inodes();
        sim.inodes.retain(|number, _| named.contains(number));
        sim.inodes.values_mut().for_each(|inode| inode.crash(&mut random));
    }

    /// Whether the power went, at [`Fault::Power`].
    pub fn is_off(&self) -> bool {
        self.lock().is_off
    }

    /// Changes a bit of a file, on the disk and in the cache.
    pub fn rot(&self, path: &str, place: usize) {
        let mut sim = self.lock();
        if let Some(inode) = sim.names.inode(path).and_then(|number| sim.inodes.get_mut(&number)) {
            inode.rot(place, false);
        }
    }

    /// Changes a bit of a file on the disk. Reads from the cache do not show it.
    pub fn rot_below_cache(&self, path: &str, place: usize) {
        let mut sim = self.lock();
        if let Some(inode) = sim.names.inode(path).and_then(|number| sim.inodes.get_mut(&number)) {
            inode.rot(place, true);
        }
    }

    /// The bytes of a file.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let sim = self.lock();
        let number = sim.names.inode(path)?;
        sim.inodes.get(&number).map(|inode| inode.cached().to_vec())
    }

    /// All names of files.
    pub fn files(&self) -> Vec<String> {
        self.lock().names.files()
    }
}

impl Sim {
    fn count(&mut self, kinds: &[Which]) -> io::Result<()> {
        if self.is_off {
            return Err(io::Error::other("the power is off"));
        }
        if kinds.contains(&self.which) {
            self.operations += 1;
            let fault = self.fault.filter(|(number, _)| *number == self.operations);
            match fault.map(|(_, fault)| fault) {
                Some(Fault::Power) => {
                    self.is_off = true;
                    return Err(io::Error::other("the power goes"));
                }
                Some(Fault::Fail(kind)) => return Err(kind.into()),
                None => {}
            }
        }
        Ok(())
    }

    fn change(&mut self) -> io::Result<()> {
        self.count(&[Which::Changes])
    }

    fn used(&self) -> u64 {
        // What is removed is free at once, though a crash may bring it back.
        let seen = self.names.seen();
        seen.filter_map(|number| self.inodes.get(&number)).map(Inode::space).sum()
    }

    fn check_space(&self, more: u64) -> io::Result<()> {
        match self.total {
            Some(total) if self.used() + more > total => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn inode(&mut self, file: SimFile) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&file.0).ok_or_else(|| io::Error::other("no such inode"))
    }

    fn lookup(&self, path: &str) -> io::Result<SimFile> {
        self.names.inode(path).map(SimFile).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn create_directory(&self, path: &str) -> io::Result<()> {
        let mut sim = self.lock();
        sim.change()?;
        sim.names.create_directory(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut sim = self.lock();
        sim.count(&[Which::Reads])?;
        sim.names.list(path)
    }

    fn create(&self, path: &str) -> io::Result<SimFile> {
        let mut sim = self.lock();
        sim.change()?;
        if let Ok(file) = sim.lookup(path) {
            sim.inode(file)?.truncate(0);
            return Ok(file);
        }
        sim.check_space(1)?;
        sim.next += 1;
        let number = sim.next;
        sim.names.change(Change::Add { path: path.to_owned(), inode: number })?;
        sim.inodes.insert(number, Inode::default());
        Ok(SimFile(number))
    }

    fn open(&self, path: &str) -> io::Result<SimFile> {
        let mut sim = self.lock();
        sim.count(&[Which::Reads])?;
        sim.lookup(path)
    }

    fn length(&self, file: &SimFile) -> io::Result<u64> {
        Ok(self.lock().inode(*file)?.cached().len() as u64)
    }

    fn read_at(&self, file: &SimFile, bytes: &mut [u8], place: u64) -> io::Result<()> {
        let mut sim = self.lock();
        sim.count(&[Which::Reads])?;
        file::read(sim.inode(*file)?.cached(), bytes, place)
    }

    fn read_uncached(&self, path: &str, bytes: &mut [u8], place: u64) -> io::Result<()> {
        let mut sim = self.lock();
        sim.count(&[Which::Reads])?;
        let file = sim.lookup(path)?;
        file::read(sim.inode(file)?.durable(), bytes, place)
    }

    fn write_at(&self, file: &SimFile, bytes: &[u8], place: u64) -> io::Result<()> {
        let mut sim = self.lock();
        let was_off = sim.is_off;
        let counted = sim.count(&[Which::Changes, Which::Writes]);
        let more = sim.inode(*file)?.growth(place, bytes.len() as u64);
        let room = sim.check_space(more);
        let inode = sim.inode(*file)?;
        if counted.is_ok() && room.is_ok() {
            inode.write(place, bytes);
            return Ok(());
        }
        // What fails half way leaves its first half.
        if !was_off {
            inode.write(place, &bytes[..bytes.len() / 2]);
        }
        counted.and(room)
    }

    fn truncate(&self, file: &SimFile, length: u64) -> io::Result<()> {
        let mut sim = self.lock();
        sim.change()?;
        sim.inode(*file)?.truncate(length);
        Ok(())
    }

    fn allocate(&self, file: &SimFile, place: u64, bytes: u64) -> io::Result<()> {
        let mut sim = self.lock();
        sim.change()?;
        let more = sim.inode(*file)?.growth(place, bytes);
        sim.check_space(more)?;
        sim.inode(*file)?.allocate(place + bytes);
        Ok(())
    }

    fn sync(&self, file: &SimFile) -> io::Result<()> {
        let mut sim = self.lock();
        let was_off = sim.is_off;
        let counted = sim.count(&[Which::Changes, Which::Syncs]);
        let is_off = sim.is_off;
        let inode = sim.inode(*file)?;
        match &counted {
            Ok(()) => inode.sync(),
            // The pages are clean now, and were never written.
            Err(_) if !was_off && !is_off => inode.forget(),
            Err(_) => {}
        }
        sim.syncs += u64::from(counted.is_ok());
        counted
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        let mut sim = self.lock();
        sim.count(&[Which::Changes, Which::Syncs])?;
        sim.names.sync(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut sim = self.lock();
        sim.change()?;
        let change = Change::Rename { from: from.to_owned(), to: to.to_owned() };
        sim.names.change(change)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut sim = self.lock();
        sim.change()?;
        sim.names.change(Change::Remove { path: path.to_owned() })?;
        let named = sim.names.inodes();
        sim.inodes.retain(|number, _| named.contains(number));
        Ok(())
    }

    fn remove_directory(&self, path: &str) -> io::Result<()> {
        let mut sim = self.lock();
        sim.change()?;
        sim.names.remove_directory(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let mut sim = self.lock();
        sim.count(&[Which::Reads])?;
        // Without a bound nobody counts, since all that is in use is asked for after each commit.
        Ok(sim.total.map_or(1 << 50, |total| total.saturating_sub(sim.used())))
    }
}
