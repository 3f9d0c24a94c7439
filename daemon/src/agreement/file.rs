//! Reads and writes the agreement file. It owns its path in the state directory.
//!
//! There is one generation. A new file is written whole beside the old one and made durable, takes
//! its name, and the folder is made durable. A file that is damaged is set aside, and its voter id
//! with it: an earlier generation would make this voter forget what it has promised.

use crate::durable;
use crate::state::StateDir;
use memberd_council::{Durable, DurableError, Origin, VoterId};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The longest file that is read, in bytes. It holds the largest view and the largest proposal.
const MOST_BYTES: u64 = 64 << 20;

/// The agreement file.
#[derive(Debug, Clone)]
pub struct AgreementFile {
    /// It is locked, so no other daemon writes the file.
    directory: Arc<StateDir>,
}

/// Why this machine cannot take part.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(PathBuf, #[source] io::Error),
    /// A newer memberd wrote it.
    #[error("{0}: {1}, or move it away: then this machine is a new voter")]
    Newer(PathBuf, DurableError),
    /// There is no randomness for a voter id.
    #[error("there is no randomness for a voter id: {0}")]
    NoRandomness(String),
}

impl AgreementFile {
    /// The file in this directory.
    pub fn new(directory: Arc<StateDir>) -> Self {
        AgreementFile { directory }
    }

    /// Its path with this ending.
    fn path(&self, suffix: &str) -> PathBuf {
        self.directory.path().join(format!("agreement.cbor{suffix}"))
    }

    /// What the council begins with, and a warning if the file was damaged.
    ///
    /// # Errors
    /// When the file cannot be read, or a newer memberd wrote it.
    pub fn load(&self) -> Result<(Origin, Option<String>), FileError> {
        let path = self.path("");
        let bytes = match durable::read(&path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Origin::Fresh(fresh_id()?), None));
            }
            Err(error) => return Err(FileError::Io(path, error)),
        };
        match Durable::decode(&bytes) {
            Ok(durable) => Ok((Origin::File(Box::new(durable)), None)),
            // Whoever wrote it is no older: a vote is not thrown away with what a newer one added.
            Err(error @ (DurableError::Version(_) | DurableError::Malformed)) => {
                Err(FileError::Newer(path, error))
            }
            Err(error @ DurableError::Damaged) => {
                let aside = self.set_aside(".corrupt")?;
                let warning = format!(
                    "{}: {error}; moved to {}: this machine is a new voter, whom a view must seat",
                    path.display(),
                    aside.display()
                );
                Ok((Origin::Fresh(fresh_id()?), Some(warning)))
            }
        }
    }

    /// Gives the file another name, so that its voter is never heard again.
    ///
    /// # Errors
    /// When it cannot be renamed, or the folder cannot be made durable.
    pub fn set_aside(&self, suffix: &str) -> Result<PathBuf, FileError> {
        let (path, aside) = (self.path(""), self.path(suffix));
        match fs::rename(&path, &aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FileError::Io(path, error))
            }
            _ => self.sync_folder().map(|()| aside),
        }
    }

    /// Writes the file. It is durable when this returns.
    ///
    /// # Errors
    /// When a step fails. Then the former file is in place, or the new one, which is not durable.
    pub fn save(&self, record: &Durable) -> Result<(), FileError> {
        let (path, new) = (self.path(""), self.path(".new"));
        durable::write(&new, &record.encode())
            .map_err(|error| FileError::Io(new.clone(), error))?;
        fs::rename(&new, &path).map_err(|error| FileError::Io(path, error))?;
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<(), FileError> {
        let folder = self.directory.path();
        durable::sync_folder(folder).map_err(|error| FileError::Io(folder.to_owned(), error))
    }
}

/// A voter id that was never used.
///
/// # Errors
/// When the system has no randomness.
pub(super) fn fresh_id() -> Result<VoterId, FileError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| FileError::NoRandomness(error.to_string()))?;
    // Nobody's id is zero.
    Ok(VoterId(u128::from_be_bytes(bytes).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_council::{Lineage, Name, View};
    use std::time::Duration;

    fn durable(id: u128) -> Durable {
        let names = ["vm1", "vm2"].map(|name| Name::new(name).unwrap());
        let view = Arc::new(View::genesis(&names));
        Durable {
            lineage: Lineage { founding: [1; 16], recoveries: 0, recovery: [0; 16] },
            voter: VoterId(id),
            lease: Duration::from_secs(3),
            promised: None,
            accepted: None,
            recovery: None,
            view,
        }
    }

    fn file() -> (tempfile::TempDir, AgreementFile) {
        let directory = tempfile::tempdir().unwrap();
        let file = AgreementFile::new(Arc::new(StateDir::open(directory.path()).unwrap()));
        (directory, file)
    }

    fn loaded(file: &AgreementFile) -> Option<VoterId> {
        match file.load().unwrap() {
            (Origin::File(durable), None) => Some(durable.voter),
            (Origin::Fresh(_), _) => None,
            (origin, warning) => panic!("{origin:?} {warning:?}"),
        }
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let (_directory, file) = file();
        assert_eq!(loaded(&file), None, "there is none yet");
        for id in [7, 8] {
            file.save(&durable(id)).unwrap();
            assert_eq!(loaded(&file), Some(VoterId(id)));
        }
    }

    /// The earlier one would be a promise that is forgotten.
    #[test]
    fn a_damaged_file_is_never_replaced_by_an_earlier_one() {
        let (_directory, file) = file();
        file.save(&durable(7)).unwrap();
        file.save(&durable(7)).unwrap();
        let good = fs::read(file.path("")).unwrap();
        for place in [0, good.len() / 2, good.len() - 1] {
            let mut bytes = good.clone();
            bytes[place] ^= 0x40;
            fs::write(file.path(""), &bytes).unwrap();
            match file.load() {
                Ok((Origin::Fresh(id), Some(warning))) => {
                    assert!(id != VoterId(7) && warning.contains("new voter"), "{warning}");
                    assert_eq!(fs::read(file.path(".corrupt")).unwrap(), bytes);
                }
                // The first byte may be the version.
                Err(FileError::Newer(..)) => assert_eq!(place, 0),
                other => panic!("{other:?}"),
            }
            let names = fs::read_dir(file.directory.path()).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            assert!(names.into_iter().all(|name| !name.contains("previous")), "one generation");
        }
    }

    #[test]
    fn a_file_that_was_cut_short_is_damaged() {
        let (_directory, file) = file();
        let good = durable(7).encode();
        for length in 1..good.len() {
            fs::write(file.path(""), &good[..length]).unwrap();
            assert_eq!(file.load().map(|(_, warning)| warning.is_some()).ok(), Some(true));
        }
    }

    #[test]
    fn a_file_that_is_set_aside_is_not_loaded() {
        let (_directory, file) = file();
        file.save(&durable(7)).unwrap();
        let aside = file.set_aside(".old").unwrap();
        assert!(aside.exists());
        assert_eq!(loaded(&file), None);
        file.set_aside(".old").unwrap();
    }
}
