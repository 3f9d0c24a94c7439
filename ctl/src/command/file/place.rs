//! Where a file of the group is copied to: [`Place`], a temporary file beside the local one, whose
//! name it gets at the end. What is no regular file is written as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::path;
use super::progress::Progress;
use crate::exit::{Exit, Failure};

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Place {
    file: File,
    /// The name that it gets.
    name: PathBuf,
    /// The name that it has until then; none if it has its own.
    temporary: Option<PathBuf>,
}

impl Place {
    /// Opens it for a copy of this path of the group. A directory gets a file of its last name.
    pub(super) fn find(local: &Path, of: &str, progress: &Progress) -> Result<Place, Failure> {
        let name = name_for(local, of).map_err(|error| failed(local, &error))?;
        let found = fs::metadata(&name);
        if found.as_ref().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            // A device or a pipe is not replaced.
            let opened = OpenOptions::new().write(true).open(&name);
            let file = opened.map_err(|error| failed(&name, &error))?;
            return Ok(Place { file, name, temporary: None });
        }
        let temporary = beside(&name);
        // A signal may come as soon as it is there.
        progress.hold(&temporary);
        let opened = OpenOptions::new().write(true).create_new(true).open(&temporary);
        let file = opened.map_err(|error| {
            progress.release();
            failed(&name, &error)
        })?;
        if let Ok(found) = found {
            let kept = file.set_permissions(found.permissions());
            kept.map_err(|error| failed(&name, &error))?;
        }
        Ok(Place { file, name, temporary: Some(temporary) })
    }

    /// Writes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| failed(&self.name, &error))
    }

    /// It is whole: gives it its name, durably.
    pub(super) fn finish(self, progress: &Progress) -> Result<(), Failure> {
        let Place { file, name, temporary } = self;
        let Some(temporary) = temporary else { return Ok(()) };
        let named = file.sync_all().and_then(|()| fs::rename(&temporary, &name));
        named.map_err(|error| failed(&name, &error))?;
        progress.release();
        Ok(())
    }
}

/// The name of the copy. Links are followed, so that the link stays.
fn name_for(local: &Path, of: &str) -> io::Result<PathBuf> {
    let name = match fs::metadata(local) {
        Ok(found) if found.is_dir() => {
            local.join(path::name(of).ok_or_else(|| io::Error::other("a share has no content"))?)
        }
        _ => local.to_owned(),
    };
    match fs::canonicalize(&name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(name),
        found => found,
    }
}

/// `.NAME.1234.part` in the same directory.
fn beside(name: &Path) -> PathBuf {
    let file = name.file_name().unwrap_or_default().to_string_lossy();
    // A name has at most 255 bytes: open(2), ENAMETOOLONG.
    let file: String = file.chars().take(48).collect();
    name.with_file_name(format!(".{file}.{}.part", std::process::id()))
}

fn failed(name: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot write {}: {error}", name.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::file::progress::Unit;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// Writes `new` there as a copy of `/s/x`.
    fn copy(to: &Path) -> Result<(), Failure> {
        let progress = Progress::new(Unit::Bytes);
        let mut place = Place::find(to, "/s/x", &progress)?;
        place.write(b"new")?;
        place.finish(&progress)
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_permissions() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("own");
        fs::write(&name, "old").unwrap();
        fs::set_permissions(&name, fs::Permissions::from_mode(0o640)).unwrap();
        copy(&name).unwrap();
        assert_eq!(fs::read_to_string(&name).unwrap(), "new");
        assert_eq!(fs::metadata(&name).unwrap().permissions().mode() & 0o777, 0o640);
        copy(directory.path()).unwrap();
        assert_eq!(names(directory.path()), ["own", "x"]);
    }

    #[test]
    fn a_copy_that_is_not_finished_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("own");
        fs::write(&name, "old").unwrap();
        let progress = Progress::new(Unit::Bytes);
        let mut place = Place::find(&name, "/s/x", &progress).unwrap();
        place.write(b"ne").unwrap();
        assert_eq!(names(directory.path()).len(), 2);
        drop((place, progress));
        assert_eq!(names(directory.path()), ["own"]);
        assert_eq!(fs::read_to_string(&name).unwrap(), "old");
    }

    #[test]
    fn a_link_and_a_device_stay_what_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let [name, link] = ["own", "link"].map(|name| directory.path().join(name));
        fs::write(&name, "old").unwrap();
        symlink("own", &link).unwrap();
        copy(&link).unwrap();
        assert_eq!(fs::read_to_string(&name).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        copy(Path::new("/dev/null")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_missing_directory_is_named() {
        let failure = copy(Path::new("/nowhere/x")).unwrap_err();
        assert!(failure.to_string().starts_with("cannot write /nowhere/x: "), "{failure}");
    }
}
