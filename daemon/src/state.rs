//! What survives a restart: the last incarnation, whether this machine was in the group, and whom it knew.
//!
//! A file is written whole beside the old one, made durable, and renamed, so that a crash at any moment leaves the old or the new.
//! Its checksum tells rot; then the generation before it is used.

use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// The most members that are remembered.
pub const MOST_REMEMBERED: usize = 16_384;

/// The longest state file that is read, in bytes.
const MOST_BYTES: u64 = 4 << 20;

const MAGIC: &[u8; 8] = b"memberd1";
const HEADER: usize = MAGIC.len() + blake3::OUT_LEN;

/// What survives a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The largest incarnation that was ever used, in milliseconds since the Unix epoch; 0 for none.
    pub incarnation: u64,
    /// Whether this machine was in the group: then it rejoins by itself.
    pub in_group: bool,
    /// The members that were known when it was last in the group, the failed ones too.
    pub members: Vec<Remembered>,
}

/// A member of former days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Its name.
    pub name: String,
    /// Where it was reached.
    pub address: SocketAddr,
    /// Its incarnation.
    pub incarnation: u64,
}

/// What is wrong with the state directory.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another daemon uses it.
    #[error("{0}: another memberd uses this state directory{1}: stop it, or set paths.state_dir")]
    InUse(PathBuf, String),
    /// Something in it cannot be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// The state cannot be encoded, which memory does not do.
    #[error("the state cannot be encoded: {0}")]
    Encode(String),
}

/// The state directory, held by this daemon alone.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
}

/// A loaded state, and what was wrong with the files.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The state; a new machine's if there was none.
    pub state: State,
    /// One line for each thing that was wrong.
    pub warnings: Vec<String>,
}

impl StateDir {
    /// Takes the directory, and makes it if need be (mode 0700).
    ///
    /// # Errors
    /// When another daemon has it, or it cannot be made or written.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::Io(path.to_owned(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let lock_path = path.join("lock");
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let mut file = options.open(&lock_path).map_err(|error| StateError::Io(lock_path.clone(), error))?;
        let mut holder = String::new();
        // Only for the message: who wrote something else than a number there is not named.
        let _ = (&mut file).take(20).read_to_string(&mut holder);
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            nix::errno::Errno::EWOULDBLOCK => {
                let pid = holder.trim().parse::<u32>().map(|pid| format!(" (process {pid})"));
                StateError::InUse(path.to_owned(), pid.unwrap_or_default())
            }
            error => StateError::Io(lock_path.clone(), error.into()),
        })?;
        write_pid(&lock).map_err(|error| StateError::Io(lock_path, error))?;
        Ok(StateDir { path: path.to_owned(), _lock: lock })
    }

    fn file(&self, suffix: &str) -> PathBuf {
        self.path.join(format!("members.cbor{suffix}"))
    }

    /// Reads the state. A file that rotted is moved aside and the generation before it is used.
    ///
    /// # Errors
    /// When a file is there but cannot be read.
    pub fn load(&self) -> Result<Loaded, StateError> {
        let mut warnings = Vec::new();
        for suffix in ["", ".previous"] {
            let path = self.file(suffix);
            let bytes = match read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StateError::Io(path, error)),
            };
            if let Some(state) = decode(&bytes) {
                return Ok(Loaded { state, warnings });
            }
            let aside = self.file(&format!("{suffix}.corrupt"));
            fs::rename(&path, &aside).map_err(|error| StateError::Io(path.clone(), error))?;
            warnings.push(format!("{}: damaged; moved to {}", path.display(), aside.display()));
        }
        if !warnings.is_empty() {
            warnings.push("no readable state is left: this machine starts as a new one".to_owned());
        }
        Ok(Loaded { state: State::default(), warnings })
    }

    /// Writes the state; when this returns it is durable.
    ///
    /// # Errors
    /// When the disk refuses; the former state is still there then.
    pub fn save(&self, state: &State) -> Result<(), StateError> {
        let (path, new) = (self.file(""), self.file(".new"));
        let bytes = encode(state)?;
        write_durably(&new, &bytes).map_err(|error| StateError::Io(new.clone(), error))?;
        match fs::rename(&path, self.file(".previous")) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StateError::Io(path, error)),
        }
        fs::rename(&new, &path).map_err(|error| StateError::Io(path, error))?;
        File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| StateError::Io(self.path.clone(), error))
    }
}

fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    io::Seek::rewind(&mut file)?;
    writeln!(file, "{}", std::process::id())
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn encode(state: &State) -> Result<Vec<u8>, StateError> {
    let mut body = Vec::new();
    ciborium::into_writer(state, &mut body).map_err(|error| StateError::Encode(error.to_string()))?;
    Ok([&MAGIC[..], blake3::hash(&body).as_bytes(), &body].concat())
}

fn decode(bytes: &[u8]) -> Option<State> {
    let (header, body) = bytes.split_at_checked(HEADER)?;
    let sum = header.strip_prefix(MAGIC)?;
    if blake3::hash(body).as_bytes() != sum {
        return None;
    }
    let mut state: State = ciborium::from_reader(body).ok()?;
    state.members.truncate(MOST_REMEMBERED);
    Some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(incarnation: u64) -> State {
        let member = Remembered { name: "vm2".into(), address: "192.0.2.12:8946".parse().unwrap(), incarnation: 7 };
        State { incarnation, in_group: true, members: vec![member] }
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(&directory.path().join("new")).unwrap();
        assert_eq!(open.load().unwrap().state, State::default());
        open.save(&state(1)).unwrap();
        open.save(&state(2)).unwrap();
        let loaded = open.load().unwrap();
        assert_eq!((loaded.state, loaded.warnings), (state(2), vec![]));
    }

    #[test]
    fn a_second_daemon_is_told_whose_the_directory_is() {
        let directory = tempfile::tempdir().unwrap();
        let held = StateDir::open(directory.path()).unwrap();
        let error = StateDir::open(directory.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("another memberd uses this state directory (process {})", std::process::id())),
            "{error}"
        );
        drop(held);
        StateDir::open(directory.path()).unwrap();
    }

    #[test]
    fn damage_of_any_byte_or_length_is_noticed_and_the_former_generation_used() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(directory.path()).unwrap();
        let good = encode(&state(2)).unwrap();
        let cut = (0..good.len()).map(|length| good[..length].to_vec());
        let flipped = (0..good.len()).map(|place| {
            let mut bytes = good.clone();
            bytes[place] ^= 0x40;
            bytes
        });
        for damaged in cut.chain(flipped) {
            open.save(&state(1)).unwrap();
            open.save(&state(2)).unwrap();
            fs::write(open.file(""), &damaged).unwrap();
            let loaded = open.load().unwrap();
            assert_eq!(loaded.state, state(1));
            assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
            assert_eq!(fs::read(open.file(".corrupt")).unwrap(), damaged);
        }
    }

    #[test]
    fn a_crash_between_the_renames_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(directory.path()).unwrap();
        open.save(&state(1)).unwrap();
        fs::rename(open.file(""), open.file(".previous")).unwrap();
        assert_eq!(open.load().unwrap().state, state(1));
    }
}
