//! An open directory below which files are exposed.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::fcntl::OFlag;

use super::beneath::open_beneath;
use super::fixed::open_fixed;
use super::links::{Links, is_link};
use super::never::NeverSearched;

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
    rules: Rules,
}

/// What holds for all files below a directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Where links may lead. Without it, none is followed.
    pub(crate) links: Option<Arc<Links>>,
    /// What is not searched.
    pub(crate) never: Arc<NeverSearched>,
}

impl Root {
    /// Opens the directory as the administrator wrote it, also through links that no other user
    /// has made.
    pub(crate) fn open(path: &Path, rules: &Rules) -> io::Result<Root> {
        Ok(Root {
            descriptor: open_fixed(path)?,
            path: path.to_owned(),
            has_other_numbers: AtomicBool::new(false),
            looks: AtomicUsize::new(0),
            rules: rules.clone(),
        })
    }

    /// Opens what lies at `below`. No component of it may be a link, `..` or absolute.
    pub(crate) fn open_below(&self, below: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        open_beneath(self.descriptor.as_fd(), below, flags)
    }

    /// The same, but that the last component may be a link, where the settings allow it.
    pub(crate) fn open_file(&self, below: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        match (self.open_below(below, flags), &self.rules.links) {
            (Err(error), Some(links)) if is_link(&error) => links.open(self, below, flags),
            (opened, _) => opened,
        }
    }

    /// Whether links below it are followed, to where they may lead.
    pub(crate) fn follows_links(&self) -> bool {
        self.rules.links.is_some()
    }

    /// What is never searched, below it or elsewhere.
    pub(crate) fn never(&self) -> &NeverSearched {
        &self.rules.never
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
