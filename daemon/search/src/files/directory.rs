//! Lists a directory below a trusted one.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::SystemTime;

use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;

use super::links::is_link;
use super::root::Root;

/// The kind of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    /// FIFOs, devices, sockets.
    Other,
}

/// An entry of a directory.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) kind: Kind,
    pub(crate) listed: Listed,
}

/// Which file a directory had under a name, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The number of its inode, as the directory has it. 0 where that is not known.
    pub(crate) number: u64,
    /// When it was listed.
    pub(crate) at: SystemTime,
}

impl Listed {
    /// A file of which only the name is known.
    pub(crate) const BY_NAME: Listed = Listed { number: 0, at: SystemTime::UNIX_EPOCH };

    /// Whether an open file with this inode is the one that was listed. A later file may have the
    /// number of one that was deleted. `born` is when the file was created, if that is known.
    pub(crate) fn is(self, inode: u64, born: Option<SystemTime>) -> bool {
        // A clock that was set back explains a time that has not come yet.
        let is_later = |born: SystemTime| born > self.at && born <= SystemTime::now();
        self.number == 0 || (inode == self.number && !born.is_some_and(is_later))
    }
}

/// The entries of the directory `below` the root, without `.` and `..`. It asks `may_go_on` before
/// each entry and ends at a `false`.
pub(crate) fn entries(
    root: &Root,
    below: &Path,
    mut may_go_on: impl FnMut() -> bool,
) -> io::Result<Vec<Entry>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
    let mut directory = Dir::from_fd(root.open_below(below, flags)?)?;
    let mut entries = Vec::new();
    for entry in directory.iter() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        if !may_go_on() {
            break;
        }
        let kind = match entry.file_type() {
            Some(Type::File) => Kind::File,
            Some(Type::Directory) => Kind::Directory,
            Some(Type::Symlink) => Kind::Link,
            Some(_) => Kind::Other,
            // Some file systems do not tell the kind.
            None => kind(root, &below.join(name)),
        };
        let listed = Listed { number: entry.ino(), at: SystemTime::UNIX_EPOCH };
        entries.push(Entry { name: name.to_owned(), kind, listed });
    }
    // No file that was read of is younger.
    let at = SystemTime::now();
    entries.iter_mut().for_each(|entry| entry.listed.at = at);
    Ok(entries)
}

fn kind(root: &Root, below: &Path) -> Kind {
    let metadata = root
        .open_below(below, OFlag::O_PATH)
        .and_then(|descriptor| File::from(descriptor).metadata());
    match metadata {
        Ok(metadata) if metadata.is_file() => Kind::File,
        Ok(metadata) if metadata.is_dir() => Kind::Directory,
        Err(error) if is_link(&error) => Kind::Link,
        _ => Kind::Other,
    }
}
