//! An open directory below which files are exposed.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::beneath::open_beneath;

/// The directory with which a glob literally begins. It stays open while its files are listed and
/// read.
#[derive(Debug)]
pub(crate) struct Root {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens the directory as the administrator wrote it, also through links.
    pub(crate) fn open(path: &Path) -> io::Result<Root> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Root { descriptor: open(path, flags, Mode::empty())?, path: path.to_owned() })
    }

    /// Opens what lies at `below`. No component of it may be a link, `..` or absolute.
    pub(crate) fn open_below(&self, below: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        open_beneath(self.descriptor.as_fd(), below, flags)
    }

    /// The directory's path as written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
