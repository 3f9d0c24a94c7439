//! Opens the directory with which a glob literally begins.
//!
//! Its path is the administrator's word, and so are links of root and of this process's user in it.
//! A link of any other user leads only to a directory of that user. Otherwise whoever owns a
//! directory of the path could have this machine offer another place. systemd's chase() has the
//! same rule (`CHASE_SAFE`), and so has the kernel in directories like /tmp
//! (fs.protected_symlinks).

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

use super::file_error::FileError;

/// How many links are followed, as by the kernel (path_resolution(7)).
const MAX_LINKS: usize = 40;

const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Opens a directory by an absolute path.
///
/// # Errors
/// When it cannot be opened, and [`FileError::ForeignLink`] when a link leads to the directory of
/// another user than its own.
pub(super) fn open_fixed(path: &Path) -> io::Result<OwnedFd> {
    // The kernel mounts what is mounted on demand, and finds the usual errors.
    open(path, DIRECTORY, Mode::empty())?;
    let mut rest: VecDeque<OsString> = names(path).collect();
    let mut current = open("/", DIRECTORY, Mode::empty())?;
    let (mut links, mut foreign) = (0, None);
    while let Some(name) = rest.pop_front() {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let found = File::from(openat(&current, name.as_os_str(), flags, Mode::empty())?);
        let metadata = found.metadata()?;
        if !metadata.is_symlink() {
            current = found.into();
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Errno::ELOOP.into());
        }
        if !is_trusted(&metadata) {
            match foreign.replace(metadata.uid()) {
                Some(other) if other != metadata.uid() => {
                    return Err(FileError::ForeignLink(other).into());
                }
                _ => {}
            }
        }
        let text = readlinkat(&found, OsStr::new(""))?;
        if Path::new(&text).is_absolute() {
            current = open("/", DIRECTORY, Mode::empty())?;
        }
        for name in names(Path::new(&text)).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(name);
        }
    }
    let reached = File::from(current);
    let metadata = reached.metadata()?;
    if !metadata.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    match foreign {
        Some(uid) if uid != metadata.uid() => Err(FileError::ForeignLink(uid).into()),
        _ => Ok(reached.into()),
    }
}

/// The names of a path, one after the other.
fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// Whether root or this process's user owns it. Such a user can read what this process can.
pub(super) fn is_trusted(metadata: &Metadata) -> bool {
    metadata.uid() == 0 || metadata.uid() == geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{chown, lchown, symlink};

    /// Users that this machine need not have.
    const APP: u32 = 54_321;
    const OTHER: u32 = 54_322;

    fn number(opened: io::Result<OwnedFd>) -> Result<u64, String> {
        let opened = opened.map_err(|error| error.to_string())?;
        Ok(File::from(opened).metadata().unwrap().ino())
    }

    #[test]
    fn it_reaches_what_the_kernel_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("a/b/c")).unwrap();
        fs::write(path("file"), "").unwrap();
        symlink("b", path("a/relative")).unwrap();
        symlink(path("a"), path("absolute")).unwrap();
        symlink("../a/./relative//c/..", path("a/winding")).unwrap();
        symlink("../../../../../../../../../../..", path("up")).unwrap();
        symlink("loop", path("loop")).unwrap();
        symlink("file", path("tofile")).unwrap();
        for below in [
            "a/b/c",
            "a/relative/c",
            "absolute/b",
            "absolute/winding/c",
            "up",
            "up/proc/self/fd",
            "loop",
            "tofile",
            "file",
            "none/x",
            "file/x",
        ] {
            let kernel = open(&path(below), DIRECTORY, Mode::empty()).map_err(io::Error::from);
            assert_eq!(number(open_fixed(&path(below))), number(kernel), "{below}");
        }
        assert_eq!(number(open_fixed(Path::new("/"))), Ok(fs::metadata("/").unwrap().ino()));
    }

    /// Whoever owns `app` puts links in place of `app/logs`.
    #[test]
    fn a_link_of_another_user_leads_only_to_that_users_directory() {
        if !geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["app/own", "secret/deep", "others", "app/own/roots"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        for (name, uid) in [("app", APP), ("app/own", APP), ("others", OTHER)] {
            chown(path(name), Some(uid), None).unwrap();
        }
        let link = |text: &Path, name: &str, uid: u32| {
            symlink(text, path(name)).unwrap();
            lchown(path(name), Some(uid), None).unwrap();
        };
        link(&path("secret"), "app/turned", APP);
        link(&path("app/own"), "app/good", APP);
        link(&path("secret"), "app/roots", 0);
        link(&path("others"), "app/to-others", APP);
        link(Path::new("turned"), "app/twice", APP);
        link(&path("app/good"), "app/of-other", OTHER);
        let refused =
            |name: &str| open_fixed(&path(name)).is_err_and(|error| error.get_ref().is_some());
        for name in [
            "app/turned",
            "app/turned/deep",
            "app/to-others",
            "app/twice",
            "app/twice/deep",
            "app/of-other",
            "app/good/roots",
        ] {
            assert!(refused(name), "{name}");
        }
        for name in ["app/own", "app/good", "app/roots/deep", "app/own/roots"] {
            open_fixed(&path(name)).unwrap();
        }
    }
}
