//! Lists a directory below a trusted one.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;

use super::root::Root;

/// The kind of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// Links, FIFOs, devices, sockets.
    Other,
}

/// The entries of the directory `below` the root, without `.` and `..`. It asks `may_go_on` before
/// each entry and ends at a `false`.
pub(crate) fn entries(
    root: &Root,
    below: &Path,
    mut may_go_on: impl FnMut() -> bool,
) -> io::Result<Vec<(OsString, Kind)>> {
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
            Some(_) => Kind::Other,
            // Some file systems do not tell the kind.
            None => kind(root, &below.join(name)),
        };
        entries.push((name.to_owned(), kind));
    }
    Ok(entries)
}

fn kind(root: &Root, below: &Path) -> Kind {
    let metadata = root
        .open_below(below, OFlag::O_PATH)
        .and_then(|descriptor| File::from(descriptor).metadata());
    match metadata {
        Ok(metadata) if metadata.is_file() => Kind::File,
        Ok(metadata) if metadata.is_dir() => Kind::Directory,
        _ => Kind::Other,
    }
}
