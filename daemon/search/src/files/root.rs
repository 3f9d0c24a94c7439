//! An open directory below which files are exposed.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::beneath::open_beneath;
use super::links::{Links, is_link};

/// The most directory entries that are examined to find files again that were renamed meanwhile.
const MAX_LOOKS: usize = 1_000_000;

/// The directory with which a glob literally begins. It stays open while its files are listed and
/// read.
#[derive(Debug)]
pub(crate) struct Root {
    descriptor: OwnedFd,
    path: PathBuf,
    /// The numbers of inodes in its directories are not those of the files.
    has_other_numbers: AtomicBool,
    looks: AtomicUsize,
    /// Where links below it may lead. Without it, none is followed.
    links: Option<Arc<Links>>,
}

impl Root {
    /// Opens the directory as the administrator wrote it, also through links.
    pub(crate) fn open(path: &Path, links: Option<&Arc<Links>>) -> io::Result<Root> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Root {
            descriptor: open(path, flags, Mode::empty())?,
            path: path.to_owned(),
            has_other_numbers: AtomicBool::new(false),
            looks: AtomicUsize::new(0),
            links: links.cloned(),
        })
    }

    /// Opens what lies at `below`. No component of it may be a link, `..` or absolute.
    pub(crate) fn open_below(&self, below: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        open_beneath(self.descriptor.as_fd(), below, flags)
    }

    /// The same, but that the last component may be a link, where the settings allow it.
    pub(crate) fn open_file(&self, below: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        match (self.open_below(below, flags), &self.links) {
            (Err(error), Some(links)) if is_link(&error) => links.open(self, below, flags),
            (opened, _) => opened,
        }
    }

    /// Whether links below it are followed, to where they may lead.
    pub(crate) fn follows_links(&self) -> bool {
        self.links.is_some()
    }

    /// The directory's path as written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether directories below have other numbers of inodes than the files themselves.
    pub(crate) fn has_other_numbers(&self) -> bool {
        self.has_other_numbers.load(Ordering::Relaxed)
    }

    /// The directories below have such numbers, so that these tell nothing.
    pub(crate) fn note_other_numbers(&self) {
        self.has_other_numbers.store(true, Ordering::Relaxed);
    }

    /// Whether one more directory entry may be examined to find a file again.
    pub(crate) fn may_look(&self) -> bool {
        self.looks.fetch_add(1, Ordering::Relaxed) < MAX_LOOKS
    }
}
