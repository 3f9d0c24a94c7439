//! Opens names below a directory that cannot lead out of it. Uses `openat2(2)`, or the same one
//! component at a time where that is refused.
//!
//! systemd refuses `openat2` to a service with `RestrictSUIDSGID=`, because a filter cannot look at
//! its flags (systemd.exec(5)).

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;

/// Opens what lies at `below`. No component of it may be a link, `..` or absolute.
///
/// # Errors
/// As `openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`: ELOOP for a link, EXDEV for a
/// path that leads out.
pub(super) fn open_beneath(
    directory: BorrowedFd,
    below: &Path,
    flags: OFlag,
) -> io::Result<OwnedFd> {
    match at_once(directory, below, flags) {
        Err(Errno::ENOSYS) => Ok(step_by_step(directory, below, flags)?),
        opened => Ok(opened?),
    }
}

fn at_once(directory: BorrowedFd, below: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
    openat2(directory, below, how)
}

/// Opens each component in the directory that was opened before it. A directory that is renamed
/// meanwhile does not lead elsewhere.
fn step_by_step(directory: BorrowedFd, below: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let mut components = below.components().peekable();
    let mut reached: Option<OwnedFd> = None;
    while let Some(component) = components.next() {
        let name = match component {
            Component::Normal(name) => name,
            Component::CurDir => OsStr::new("."),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(Errno::EXDEV);
            }
        };
        let flags = if components.peek().is_none() { flags } else { OFlag::O_PATH };
        let from = reached.as_ref().map_or(directory, AsFd::as_fd);
        let opened =
            openat(from, name, flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
        reached = Some(not_a_link(opened)?);
    }
    reached.ok_or(Errno::ENOENT)
}

/// `O_PATH` can open a link itself.
fn not_a_link(opened: OwnedFd) -> nix::Result<OwnedFd> {
    let file = File::from(opened);
    let found = file
        .metadata()
        .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    if found.is_symlink() { Err(Errno::ELOOP) } else { Ok(file.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn step_by_step_reaches_what_openat2_does_and_refuses_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("root/a/b")).unwrap();
        for file in ["root/file", "root/a/b/file", "outside"] {
            fs::write(path(file), file).unwrap();
        }
        symlink(path("outside"), path("root/out")).unwrap();
        symlink("file", path("root/inner")).unwrap();
        symlink("a", path("root/folder")).unwrap();
        let root = File::open(path("root")).unwrap();
        let identity = |opened: nix::Result<OwnedFd>| {
            opened.map(|opened| File::from(opened).metadata().unwrap().ino())
        };
        for flags in
            [OFlag::O_RDONLY, OFlag::O_PATH, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY]
        {
            for below in [
                "file",
                "a/b/file",
                "a/b",
                ".",
                "a/./b",
                "out",
                "inner",
                "folder/b/file",
                "none",
                "none/x",
                "file/x",
                "../outside",
                "/etc",
            ] {
                let [one, other] = [at_once, step_by_step]
                    .map(|open| identity(open(root.as_fd(), Path::new(below), flags)));
                assert_eq!(one, other, "{below} {flags:?}");
            }
            assert_eq!(
                step_by_step(root.as_fd(), Path::new("folder/b"), flags).unwrap_err(),
                Errno::ELOOP
            );
        }
    }
}
