//! A directory of the real file system.

use super::Disk;
use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// How the memory and the places of direct reads are aligned, in bytes.
const ALIGN: usize = 4096;

/// A directory of the file system. No name leaves it: neither `..` nor links are followed.
#[derive(Debug)]
pub struct RealDisk {
    root: OwnedFd,
}

impl RealDisk {
    /// Opens a directory, which must be there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(root: &Path) -> io::Result<RealDisk> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(RealDisk { root: rustix::fs::open(root, flags, Mode::empty())? })
    }

    fn open_at(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let mode = if flags.contains(OFlags::CREATE) { 0o600 } else { 0 };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = flags | OFlags::CLOEXEC;
        let opened = rustix::fs::openat2(&self.root, path, flags, Mode::from(mode), resolve);
        match opened {
            // A sandbox may know no openat2. Names have no `..`, and links are the owner's.
            Err(Errno::NOSYS | Errno::PERM) => {
                let flags = flags | OFlags::NOFOLLOW;
                Ok(rustix::fs::openat(&self.root, path, flags, Mode::from(mode))?)
            }
            opened => Ok(opened?),
        }
    }

    /// Reads past the page cache.
    fn read_direct(&self, path: &str, bytes: &mut [u8], place: u64) -> io::Result<()> {
        let file = File::from(self.open_at(path, OFlags::RDONLY | OFlags::DIRECT)?);
        let size = bytes.len().next_multiple_of(ALIGN);
        let mut memory = vec![0; size + ALIGN];
        let begin = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        let buffer = &mut memory[begin..begin + size];
        let mut filled = 0;
        while filled < bytes.len() {
            let count = file.read_at(&mut buffer[filled..], place + filled as u64)?;
            filled += count;
            // Only the end of a file cuts a direct read at another place.
            if !count.is_multiple_of(ALIGN) || count == 0 {
                break;
            }
        }
        if filled < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.copy_from_slice(&buffer[..bytes.len()]);
        Ok(())
    }

    /// Drops the pages of a file, then reads it.
    fn read_dropped(&self, path: &str, bytes: &mut [u8], place: u64) -> io::Result<()> {
        let file = File::from(self.open_at(path, OFlags::RDONLY)?);
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        file.read_exact_at(bytes, place)
    }
}

impl Disk for RealDisk {
    type File = File;

    fn create_directory(&self, path: &str) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.root, path, Mode::from(0o700)) {
            Err(Errno::EXIST) => Ok(()),
            created => Ok(created?),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let directory = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC;
        Ok(self.open_at(path, flags)?.into())
    }

    fn open(&self, path: &str) -> io::Result<File> {
        Ok(self.open_at(path, OFlags::RDWR)?.into())
    }

    fn length(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn read_at(&self, file: &File, bytes: &mut [u8], place: u64) -> io::Result<()> {
        file.read_exact_at(bytes, place)
    }

    fn read_uncached(&self, path: &str, bytes: &mut [u8], place: u64) -> io::Result<()> {
        match self.read_direct(path, bytes, place) {
            // Some file systems know no direct reads.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.read_dropped(path, bytes, place)
            }
            direct => direct,
        }
    }

    fn write_at(&self, file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
        file.write_all_at(bytes, place)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn allocate(&self, file: &File, place: u64, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, place, bytes) {
            // Some file systems cannot. Then a write tells.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            allocated => Ok(allocated?),
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        let directory = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(rustix::fs::fsync(directory)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.root, from, &self.root, to)?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.root, path, AtFlags::empty())?)
    }

    fn remove_directory(&self, path: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.root, path, AtFlags::REMOVEDIR)?)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let system = rustix::fs::fstatvfs(&self.root)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}
