//! Finds a file that rotation has renamed or compressed between being listed and being opened.
//!
//! A long search lists its files once, and opens the last of them much later. logrotate may have
//! renamed all of them by then. So a file is known by the number of its inode. The name under which
//! it is found again must be one that rotation gives: no other name is exposed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::directory::{Entry, Kind, Listed};
use super::file_error::FileError;
use super::filter::FileFilter;
use super::open::{ExposedFile, Found, Opened};
use super::rotated::{self, Rotated};

/// How often a file is looked for that is renamed again and again.
const TRIES: usize = 4;

/// By how much a time of birth may be too early. The kernel takes it from a clock that ticks, at
/// least 100 times a second.
const TICK: Duration = Duration::from_millis(10);

/// The files of a directory as they were listed with `--rotated`. All chains in it share this.
#[derive(Debug)]
pub(crate) struct Beside {
    /// The numbers of their inodes, also of those that are excluded or belong to no chain.
    numbers: BTreeSet<u64>,
    /// When they were listed.
    at: SystemTime,
    filter: Arc<FileFilter>,
}

impl Beside {
    /// `files` are all regular files of the directory.
    pub(crate) fn new(files: &[ExposedFile], filter: &Arc<FileFilter>) -> Beside {
        Beside {
            numbers: files.iter().map(|file| file.listed.number).collect(),
            at: files.first().map_or_else(SystemTime::now, |file| file.listed.at),
            filter: Arc::clone(filter),
        }
    }

    /// Whether there was such a file already, here or elsewhere.
    fn had(&self, opened: &Opened) -> bool {
        let number = opened.identity.inode;
        let is_older = |born: SystemTime| born.checked_add(TICK).is_some_and(|at| at < self.at);
        opened.born.is_some_and(is_older)
            || (self.numbers.contains(&number)
                && Listed { number, at: self.at }.is(number, opened.born))
    }
}

/// What was listed of a file and the files rotated away from it. All files of a chain share it.
#[derive(Debug)]
pub(crate) struct Chain {
    beside: Arc<Beside>,
    /// The compressed files that were left out, since they were being made of files of the chain:
    /// the numbers of their inodes, and those of these files.
    unfinished: BTreeMap<u64, u64>,
    /// The compressed files that were searched in place of those that were compressed meanwhile.
    claimed: Mutex<BTreeSet<u64>>,
}

impl Chain {
    /// A chain with files of this directory.
    pub(crate) fn new(beside: &Arc<Beside>, unfinished: BTreeMap<u64, u64>) -> Chain {
        Chain { beside: Arc::clone(beside), unfinished, claimed: Mutex::default() }
    }

    /// Takes what was opened in place of `file`, if it can be made of it and stands for no other.
    fn claim(&self, file: &ExposedFile, opened: &Opened) -> bool {
        let inode = opened.identity.inode;
        let is_made_of_it = self.unfinished.get(&inode) == Some(&file.listed.number);
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        (is_made_of_it || !self.beside.had(opened)) && claimed.insert(inode)
    }
}

/// Looks for `file` among its siblings, since something else was `found` under its name.
pub(super) fn find(file: &ExposedFile, mut found: Found) -> io::Result<Option<Opened>> {
    let mut entries = Vec::new();
    for _ in 0..TRIES {
        // Without the directory, there is nothing to be found.
        entries = file.entries(|| file.root().may_look()).unwrap_or_default();
        let number = file.listed.number;
        let is_it = |entry: &&Entry| entry.listed.number == number && entry.kind == Kind::File;
        let Some(entry) = entries.iter().filter(is_it).find(|entry| is_later(file, entry)) else {
            break;
        };
        let again = file.open_as(&entry.name)?;
        let is_own_name = entry.name == file.name();
        match again {
            Found::File(opened) if file.is_listed(&opened) => {
                if !is_own_name {
                    file.note_moved(&entry.name);
                }
                return Ok(Some(opened));
            }
            // A later file has the number of the one that was deleted.
            Found::File(opened) if opened.identity.inode == number => break,
            Found::File(_) if is_own_name => {
                // Directories have other numbers than their files here, as on some overlays.
                file.root().note_other_numbers();
                found = again;
                break;
            }
            _ => {}
        }
    }
    match (&file.chain, found) {
        (_, Found::File(opened)) if file.is_listed(&opened) => Ok(Some(opened)),
        (_, Found::Other) => Ok(None),
        (None, Found::File(opened)) => Ok(Some(opened)),
        (None, Found::Missing) => Ok(None),
        (Some(chain), found) => match (compressed(file, chain, &entries)?, found) {
            (Some(opened), _) => Ok(Some(opened)),
            // The file itself was replaced, not rotated away.
            (None, Found::File(opened)) if file.origin() == file.path() => Ok(Some(opened)),
            (None, _) => Err(FileError::Lost.into()),
        },
    }
}

/// Whether this is the name of the file, or one that rotation gives it.
fn is_later(file: &ExposedFile, entry: &Entry) -> bool {
    let name = file.name().as_bytes();
    let before = rotated::parse(name);
    let is_before = |from: &[u8]| from == name || before.iter().any(|before| before.from == from);
    entry.name == file.name()
        || rotated::parse(entry.name.as_bytes()).iter().any(|later| is_before(&later.from))
}

/// The oldest file of the chain that was compressed since it was listed, opened. One that is
/// excluded is none.
fn compressed(file: &ExposedFile, chain: &Chain, entries: &[Entry]) -> io::Result<Option<Opened>> {
    let from = file.origin().file_name().unwrap_or_default().as_bytes();
    let of_chain = |name: &OsStr| {
        let rotated = rotated::parse(name.as_bytes());
        rotated.into_iter().find(|rotated| rotated.compressed && rotated.from == from)
    };
    if of_chain(file.name()).is_some() {
        return Ok(None);
    }
    let is_excluded = |entry: &Entry| {
        let path = file.path().with_file_name(&entry.name);
        chain.beside.filter.excludes(&path)
    };
    let mut found: Vec<(Rotated, &Entry)> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::File && !is_excluded(entry))
        .filter_map(|entry| Some((of_chain(&entry.name)?, entry)))
        .collect();
    found.sort_by(|(one, _), (other, _)| one.age.cmp(&other.age));
    for (_, entry) in found {
        if let Found::File(opened) = file.open_as(&entry.name)?
            && chain.claim(file, &opened)
        {
            file.note_moved(&entry.name);
            return Ok(Some(opened));
        }
    }
    Ok(None)
}
