//! The directory below which files are offered, kept open.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::beneath::open_beneath;

/// A directory that a glob of the offer begins with, kept open while its files are listed and read.
#[derive(Debug)]
pub(crate) struct Root {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens the directory as the administrator wrote it: links in its path are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Root> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Root { descriptor: open(path, flags, Mode::empty())?, path: path.to_owned() })
    }

    /// Opens what lies at `below`: no component of it may be a link, `..` or absolute.
    pub(crate) fn open_below(&self, below: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        open_beneath(self.descriptor.as_fd(), below, flags)
    }

    /// The directory's path as written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
