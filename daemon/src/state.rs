//! Reads and writes the state that survives a restart. It owns the state directory: the last
//! incarnation, whether this machine was in the group, and the members it knew.
//!
//! A new file is written whole beside the old one, made durable and renamed. A crash at any moment
//! therefore leaves the old file or the new one. A checksum detects damage; the daemon then uses
//! the previous generation. Both generations always hold the incarnation and whether this machine
//! was in the group.

pub mod writer;

use crate::durable;
use crate::lock::lock;
use memberd_control::plain_file::{explain_directory, open_plain_file, read_plain_file};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::fcntl::{Flock, FlockArg};

/// The most members that a state file holds.
pub const MOST_REMEMBERED: usize = 16_384;

/// The longest state file that the daemon reads, in bytes.
const MOST_BYTES: u64 = 4 << 20;

/// The beginnings of the names of all files in the directory. None of them is ever searched.
pub const FILES: [&str; 3] = ["members.cbor", "agreement.cbor", "lock"];

const MAGIC: &[u8; 8] = b"memberd1";
const HEADER: usize = MAGIC.len() + blake3::OUT_LEN;

/// The state that survives a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The largest incarnation ever used, in milliseconds since the Unix epoch; 0 for none.
    pub incarnation: u64,
    /// Whether this machine was in the group. If so, it rejoins by itself.
    pub in_group: bool,
    /// The members known when this machine was last in the group, including failed ones.
    pub members: Vec<Remembered>,
}

/// A member known before the last restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Its name.
    pub name: String,
    /// The address at which others reached it.
    pub address: SocketAddr,
    /// Its incarnation.
    pub incarnation: u64,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another daemon uses the directory.
    #[error("{0}: another memberd uses this state directory{1}: stop it, or set paths.state_dir")]
    InUse(PathBuf, String),
    /// A file or directory cannot be read or written.
    #[error("{0}")]
    Io(PathBuf, #[source] io::Error),
    /// The state cannot be encoded. Encoding to memory does not fail in practice.
    #[error("the state cannot be encoded: {0}")]
    Encode(String),
}

/// The state directory. A lock keeps other daemons out.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
    /// This machine's part of the last save. A save holds the mutex, so that threads save one after
    /// the other.
    saved: Mutex<Option<Own>>,
}

/// The part of the state that concerns this machine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Own {
    incarnation: u64,
    in_group: bool,
}

/// A loaded state, and warnings about damaged files.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The state. It is that of a new machine if there were no files.
    pub state: State,
    /// One line for each problem.
    pub warnings: Vec<String>,
}

impl StateDir {
    /// Locks the directory, and creates it with mode 0700 if it is missing.
    ///
    /// # Errors
    /// When another daemon has locked it, or when the directory or its lock file cannot be created.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::Io(path.to_owned(), explain_directory(path, error));
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let lock_path = path.join("lock");
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .clone();
        // On a disk that has become read-only, an existing lock file can still be locked.
        let opened = open_plain_file(&lock_path, &options).or_else(|error| match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem => read_plain_file(&lock_path).map_err(|_| error),
            _ => Err(error),
        });
        let mut file = opened.map_err(|error| StateError::Io(lock_path.clone(), error))?;
        let mut holder = String::new();
        // The number is only for the error message. The message leaves out anything else.
        let _ = (&mut file).take(20).read_to_string(&mut holder);
        let lock =
            Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(
                |(_, error)| match error {
                    nix::errno::Errno::EWOULDBLOCK => {
                        let pid =
                            holder.trim().parse::<u32>().map(|pid| format!(" (process {pid})"));
                        StateError::InUse(path.to_owned(), pid.unwrap_or_default())
                    }
                    error => StateError::Io(lock_path.clone(), error.into()),
                },
            )?;
        // Only another daemon's error message needs the number, so a full disk must not stop the
        // start.
        let _ = write_pid(&lock);
        Ok(StateDir { path: path.to_owned(), _lock: lock, saved: Mutex::new(None) })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self, suffix: &str) -> PathBuf {
        self.path.join(format!("members.cbor{suffix}"))
    }

    /// Reads the state. It moves a damaged file aside and uses the previous generation.
    ///
    /// # Errors
    /// When a file exists but cannot be read.
    pub fn load(&self) -> Result<Loaded, StateError> {
        let mut warnings = Vec::new();
        for suffix in ["", ".previous"] {
            let path = self.file(suffix);
            let bytes = match durable::read(&path, MOST_BYTES) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StateError::Io(path, error)),
            };
            if let Some(state) = State::from_bytes(&bytes) {
                return Ok(Loaded { state, warnings });
            }
            let aside = self.file(&format!("{suffix}.corrupt"));
            warnings.push(match fs::rename(&path, &aside) {
                Ok(()) => format!("{}: damaged; moved to {}", path.display(), aside.display()),
                Err(error) => {
                    format!("{}: damaged; cannot be moved aside: {error}", path.display())
                }
            });
        }
        if !warnings.is_empty() {
            warnings.push("no readable state is left: this machine starts as a new one".to_owned());
        }
        Ok(Loaded { state: State::default(), warnings })
    }

    /// Writes the state, which is durable when this returns. Several threads may call it. Each
    /// calls `present` when its turn comes, so that an older state is never saved after a newer
    /// one. Only the first [`MOST_REMEMBERED`] members are saved.
    ///
    /// # Errors
    /// When a write fails. The previous state remains in place.
    pub fn save(&self, present: impl FnOnce() -> State) -> Result<(), StateError> {
        let mut saved = lock(&self.saved);
        let mut state = present();
        state.members.truncate(MOST_REMEMBERED);
        let bytes = state.to_bytes()?;
        let own = Own { incarnation: state.incarnation, in_group: state.in_group };
        if *saved != Some(own) {
            // One more write than usual puts these values into both generations. Damage to one file
            // then loses neither value.
            self.replace(&bytes)?;
        }
        self.replace(&bytes)?;
        *saved = Some(own);
        Ok(())
    }

    /// Makes these bytes the present generation, and the present generation the previous one.
    fn replace(&self, bytes: &[u8]) -> Result<(), StateError> {
        let (path, new) = (self.file(""), self.file(".new"));
        durable::write(&new, bytes).map_err(|error| StateError::Io(new.clone(), error))?;
        // A hard link gives the file a second name, so that a present generation exists at every
        // moment.
        let former = self.file(".former");
        match remove_if_there(&former).and_then(|()| fs::hard_link(&path, &former)) {
            Ok(()) => fs::rename(&former, self.file(".previous"))
                .map_err(|error| StateError::Io(former, error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StateError::Io(former, error)),
        }
        fs::rename(&new, &path).map_err(|error| StateError::Io(path, error))?;
        durable::sync_folder(&self.path).map_err(|error| StateError::Io(self.path.clone(), error))
    }
}

fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    io::Seek::rewind(&mut file)?;
    writeln!(file, "{}", std::process::id())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl State {
    /// The bytes of a state file: magic, checksum and CBOR.
    ///
    /// # Errors
    /// When the state cannot be encoded. Encoding to memory does not fail in practice.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StateError> {
        let mut body = Vec::new();
        ciborium::into_writer(self, &mut body)
            .map_err(|error| StateError::Encode(error.to_string()))?;
        Ok([&MAGIC[..], blake3::hash(&body).as_bytes(), &body].concat())
    }

    /// Reads the bytes of a state file; `None` if they are damaged. Only the first
    /// [`MOST_REMEMBERED`] members are kept.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, mut body) = bytes.split_at_checked(HEADER)?;
        let sum = header.strip_prefix(MAGIC)?;
        if blake3::hash(body).as_bytes() != sum {
            return None;
        }
        let mut state: State = ciborium::from_reader(&mut body).ok()?;
        state.members.truncate(MOST_REMEMBERED);
        body.is_empty().then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(incarnation: u64) -> State {
        let member = Remembered {
            name: "vm2".into(),
            address: "192.0.2.12:8946".parse().unwrap(),
            incarnation: 7,
        };
        State { incarnation, in_group: true, members: vec![member] }
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(&directory.path().join("new")).unwrap();
        assert_eq!(open.load().unwrap().state, State::default());
        open.save(|| state(1)).unwrap();
        open.save(|| state(2)).unwrap();
        let loaded = open.load().unwrap();
        assert_eq!((loaded.state, loaded.warnings), (state(2), vec![]));
    }

    #[test]
    fn a_second_daemon_learns_which_process_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let held = StateDir::open(directory.path()).unwrap();
        let error = StateDir::open(directory.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!(
                "another memberd uses this state directory (process {})",
                std::process::id()
            )),
            "{error}"
        );
        drop(held);
        StateDir::open(directory.path()).unwrap();
    }

    #[test]
    fn any_damage_is_noticed_and_the_former_generation_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(directory.path()).unwrap();
        let good = state(2).to_bytes().unwrap();
        let cut = (0..good.len()).map(|length| good[..length].to_vec());
        let flipped = (0..good.len()).map(|place| {
            let mut bytes = good.clone();
            bytes[place] ^= 0x40;
            bytes
        });
        for damaged in cut.chain(flipped) {
            open.save(|| state(1)).unwrap();
            open.save(|| state(2)).unwrap();
            fs::write(open.file(""), &damaged).unwrap();
            let loaded = open.load().unwrap();
            assert_eq!(loaded.state, state(2), "the own incarnation is in both generations");
            assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
            assert_eq!(fs::read(open.file(".corrupt")).unwrap(), damaged);
        }
    }

    #[test]
    fn a_save_has_a_whole_present_generation_at_every_moment() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(directory.path()).unwrap();
        open.save(|| state(1)).unwrap();
        // A crash in the middle of a save leaves these files.
        fs::write(open.file(".former"), "x").unwrap();
        fs::write(open.file(".new"), "x").unwrap();
        std::thread::scope(|scope| {
            let saving = scope.spawn(|| {
                (2..200).for_each(|incarnation| open.save(|| state(incarnation)).unwrap());
            });
            while !saving.is_finished() {
                assert!(State::from_bytes(&fs::read(open.file("")).unwrap()).is_some());
            }
        });
        assert_eq!(open.load().unwrap().state, state(199));
    }

    #[test]
    fn the_former_members_survive_damage_of_the_present_ones() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(directory.path()).unwrap();
        open.save(|| state(1)).unwrap();
        open.save(|| State { members: Vec::new(), ..state(1) }).unwrap();
        fs::write(open.file(""), b"rot").unwrap();
        assert_eq!(open.load().unwrap().state, state(1));
    }

    #[test]
    fn two_damaged_generations_are_kept_aside_for_a_new_start() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(directory.path()).unwrap();
        open.save(|| state(1)).unwrap();
        fs::write(open.file(""), b"one").unwrap();
        fs::write(open.file(".previous"), b"two").unwrap();
        let loaded = open.load().unwrap();
        assert_eq!((loaded.state, loaded.warnings.len()), (State::default(), 3));
        assert_eq!(fs::read(open.file(".corrupt")).unwrap(), b"one");
        assert_eq!(fs::read(open.file(".previous.corrupt")).unwrap(), b"two");
    }

    /// Each save reads the state when its turn comes.
    #[test]
    fn an_older_state_is_never_saved_after_a_newer_one() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(directory.path()).unwrap();
        let present = Mutex::new(state(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        {
                            let mut present = present.lock().unwrap();
                            present.incarnation += 1;
                            present.in_group = !present.in_group;
                        }
                        let look = || {
                            assert!(
                                open.saved.try_lock().is_err(),
                                "another save could begin in between"
                            );
                            present.lock().unwrap().clone()
                        };
                        open.save(look).unwrap();
                    }
                });
            }
        });
        let loaded = open.load().unwrap();
        assert_eq!((loaded.state, loaded.warnings), (present.into_inner().unwrap(), vec![]));
    }

    #[test]
    fn of_too_many_members_the_first_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let open = StateDir::open(directory.path()).unwrap();
        let member = Remembered {
            name: "n".repeat(64),
            address: "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap(),
            incarnation: u64::MAX,
        };
        open.save(|| State {
            incarnation: 1,
            in_group: true,
            members: vec![member; MOST_REMEMBERED + 9],
        })
        .unwrap();
        assert!(fs::metadata(open.file("")).unwrap().len() < MOST_BYTES);
        assert_eq!(open.load().unwrap().state.members.len(), MOST_REMEMBERED);
    }

    /// A file of the first format. Machines will keep such files for years.
    const FORMAT_1: &str = "6d656d6265726431825258677296e4d0b0ac77e037b3d62471f2658d4c6e50f6\
        037a66433a510f4da36b696e6361726e6174696f6e1b0000019aa3ffab6368696e5f67726f7570f5\
        676d656d6265727381a3646e616d6563766d326761646472657373a1625634828418c000020c1922\
        f26b696e6361726e6174696f6e07";

    #[test]
    fn a_file_of_the_first_format_is_read() {
        let bytes: Vec<u8> = (0..FORMAT_1.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&FORMAT_1[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(State::from_bytes(&bytes), Some(state(1_763_688_033_123)));
    }
}
