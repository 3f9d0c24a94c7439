//! Opens the files of an administrator. Something else in the place of a file is an error at once:
//! a FIFO would block until somebody writes to it.

use rustix::fs::OFlags;
use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What is at the path, since it is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is {0}, not a file: remove it, or set another path")]
pub struct NotAFile(&'static str);

impl NotAFile {
    fn of(kind: FileType) -> Option<NotAFile> {
        let names = [
            (kind.is_dir(), "a directory"),
            (kind.is_fifo(), "a FIFO"),
            (kind.is_socket(), "a socket"),
            (!kind.is_file(), "a device"),
        ];
        names.into_iter().find_map(|(is_it, name)| is_it.then_some(NotAFile(name)))
    }
}

impl From<NotAFile> for io::Error {
    fn from(error: NotAFile) -> io::Error {
        io::Error::other(error)
    }
}

/// Opens a regular file, with these options, and never blocks. A file that the options create is
/// one.
///
/// # Errors
/// When it cannot be opened, and [`NotAFile`] when something else is there.
pub fn open_plain_file(path: &Path, options: &OpenOptions) -> io::Result<File> {
    // Opening a device may have effects of its own.
    if let Some(other) = fs::metadata(path).ok().and_then(|found| NotAFile::of(found.file_type())) {
        return Err(other.into());
    }
    // The flags are the platform's, whose numbers are `int`: open(2).
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = options.clone().custom_flags(flags).open(path)?;
    match NotAFile::of(file.metadata()?.file_type()) {
        Some(other) => Err(other.into()),
        None => Ok(file),
    }
}

/// Opens a regular file for reading, and never blocks.
///
/// # Errors
/// As [`open_plain_file`].
pub fn read_plain_file(path: &Path) -> io::Result<File> {
    open_plain_file(path, OpenOptions::new().read(true))
}

/// Explains why a directory at this path cannot be created or used, if something on the way to it
/// is no directory.
pub fn explain_directory(path: &Path, error: io::Error) -> io::Error {
    let is_other = |path: &&Path| fs::metadata(path).is_ok_and(|found| !found.is_dir());
    match path.ancestors().find(is_other) {
        Some(other) => io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is not a directory: remove it, or set another path", other.display()),
        ),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType as Kind, Mode, mknodat};
    use std::io::Read as _;
    use std::os::unix::net::UnixListener;

    /// A FIFO without a writer would block the test.
    #[test]
    fn only_a_regular_file_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), "text").unwrap();
        mknodat(CWD, path("fifo"), Kind::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        let writing = OpenOptions::new().write(true).create(true).truncate(true).clone();
        for (path, kind) in [
            (path("fifo"), "a FIFO"),
            (path("socket"), "a socket"),
            (directory.path().to_owned(), "a directory"),
            ("/dev/zero".into(), "a device"),
        ] {
            let words = format!("is {kind}, not a file: remove it, or set another path");
            assert_eq!(read_plain_file(&path).unwrap_err().to_string(), words);
            assert_eq!(open_plain_file(&path, &writing).unwrap_err().to_string(), words);
        }
        let mut text = String::new();
        read_plain_file(&path("file")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        open_plain_file(&path("new"), &writing).unwrap();
        let missing = read_plain_file(&path("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_in_the_way_of_a_directory_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("a/b")] {
            let error = explain_directory(&path, io::ErrorKind::AlreadyExists.into());
            let words = format!("{} is not a directory", file.display());
            assert!(error.to_string().starts_with(&words), "{error}");
        }
        let other = explain_directory(directory.path(), io::ErrorKind::PermissionDenied.into());
        assert_eq!(other.kind(), io::ErrorKind::PermissionDenied);
    }
}
