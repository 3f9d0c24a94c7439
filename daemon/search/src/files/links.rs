//! Follows symbolic links, one after the other, each no further than into an allowed directory.
//!
//! The kernel follows none of them. The text of a link is read here, and what it names is opened
//! beneath an allowed directory, by names that cannot lead out of it. So a link that is swapped at
//! any moment leads to no other place.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};

use super::file_error::FileError;
use super::filter::Limit;
use super::root::{Root, Rules};

/// How many links in a row are followed. Kubernetes has two.
const MAX_HOPS: usize = 8;

/// The directories into which links may lead, each opened once it is needed.
#[derive(Debug, Default)]
pub(crate) struct Links {
    allowed: Vec<(PathBuf, OnceLock<Option<Root>>)>,
    /// The files to which they may lead there.
    limit: Limit,
}

impl Links {
    pub(super) fn into(directories: &[PathBuf], limit: &Limit) -> Links {
        let mut allowed: Vec<_> =
            directories.iter().map(|directory| (directory.clone(), OnceLock::new())).collect();
        // Of directories within each other, the innermost counts: it may be a link itself.
        allowed.sort_by_key(|(directory, _)| std::cmp::Reverse(directory.components().count()));
        Links { allowed, limit: limit.clone() }
    }

    /// Opens what the link at `below` leads to.
    ///
    /// # Errors
    /// [`FileError`] when it leads out or beyond the limit, over a linked directory, or over too
    /// many links. ELOOP when it lies behind a link, and ENOENT when it is gone. Whatever lies
    /// beyond the limit, or is missing there, gives the same error.
    pub(super) fn open(&self, root: &Root, below: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let mut is_beyond = false;
        let opened = self.follow(root, below, flags, &mut is_beyond);
        if is_beyond { Err(FileError::BeyondLimit.into()) } else { opened }
    }

    /// Opens it. `is_beyond` tells whether the last link leads beyond the limit. What lies there
    /// may be a link back, but is opened for nothing else.
    fn follow(
        &self,
        root: &Root,
        below: &Path,
        flags: OFlag,
        is_beyond: &mut bool,
    ) -> io::Result<OwnedFd> {
        let (mut link, mut text) = (root.path().join(below), read_link(root, below)?);
        for _ in 0..MAX_HOPS {
            let target = target(&link, Path::new(&text)).ok_or(FileError::LeadsOut)?;
            let (root, below) = self.beneath(&target).ok_or(FileError::LeadsOut)?;
            *is_beyond = !self.limit.allows(&target);
            match root.open_below(below, if *is_beyond { OFlag::O_PATH } else { flags }) {
                Err(error) if is_link(&error) => {
                    text = read_link(root, below).map_err(|error| match is_link(&error) {
                        true => FileError::LinkedDirectory.into(),
                        false => error,
                    })?;
                }
                opened => return opened,
            }
            link = target;
        }
        Err(FileError::TooManyLinks.into())
    }

    /// The allowed directory in which a path lies, and the path below it.
    fn beneath<'p>(&self, path: &'p Path) -> Option<(&Root, &'p Path)> {
        self.allowed.iter().find_map(|(directory, opened)| {
            let below = path.strip_prefix(directory).ok()?;
            let root =
                opened.get_or_init(|| Root::open(directory, &Rules::default()).ok()).as_ref()?;
            Some((root, below))
        })
    }
}

/// Whether an error means that a link would have to be followed.
pub(super) fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ELOOP as i32)
}

/// The text of the link at `below`, which no link leads to.
fn read_link(root: &Root, below: &Path) -> io::Result<OsString> {
    let (Some(parent), Some(name)) = (below.parent(), below.file_name()) else {
        return Err(Errno::ENOENT.into());
    };
    let directory = root.open_below(parent, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    match readlinkat(File::from(directory), name) {
        // It is no link any more.
        Err(Errno::EINVAL) => Err(Errno::ENOENT.into()),
        text => Ok(text?),
    }
}

/// The path to which a link with this text leads. None for `..` after a name: only the kernel knows
/// where that leads, since the name may be a link.
fn target(link: &Path, text: &Path) -> Option<PathBuf> {
    let mut path = if text.is_absolute() { PathBuf::from("/") } else { link.parent()?.to_owned() };
    let mut may_go_up = !text.is_absolute();
    for component in text.components() {
        match component {
            Component::Normal(name) => {
                path.push(name);
                may_go_up = false;
            }
            Component::ParentDir if may_go_up && path.pop() => {}
            Component::ParentDir | Component::Prefix(_) => return None,
            Component::RootDir | Component::CurDir => {}
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_link_is_found_by_its_text() {
        for (text, path) in [
            ("/x/y", Some("/x/y")),
            ("y", Some("/a/b/y")),
            ("./y//z", Some("/a/b/y/z")),
            ("../y", Some("/a/y")),
            ("../../y", Some("/y")),
            ("../../../y", None),
            ("/x/../y", None),
            ("y/../../z", None),
            ("/..", None),
        ] {
            let found = target(Path::new("/a/b/link"), Path::new(text));
            assert_eq!(found.as_deref(), path.map(Path::new), "{text}");
        }
    }
}
