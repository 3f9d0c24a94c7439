//! Measures how far the entries of the journal's files are from the order of time. It owns what it
//! knows of the files.
//!
//! journalctl finds `--since` by bisection within each file, as if the times in it only grew. They
//! do not where a clock was set back: while the journal was not yet on the disk, between two boots,
//! or in files that came from elsewhere. So the entries are looked at first, which takes far less
//! time than to print them. The format: <https://systemd.io/JOURNAL_FILE_FORMAT/>.

use super::order_file::{Boot, Walked, span_us, walk};
use crate::lock::lock;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where journald keeps its files: systemd-journald.service(8).
const ROOTS: [&str; 2] = ["/run/log/journal", "/var/log/journal"];

/// The id of this machine, which names the directories of its files: machine-id(5).
const MACHINE_ID: &str = "/etc/machine-id";

/// The most files of which something is remembered.
const MAX_FILES: usize = 4096;

/// How far the journal is from the order of time, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disorder {
    /// In no file does an entry come this much later than another one with a later time.
    pub(super) within_files_us: u64,
    /// The same of all entries in journalctl's order. None when that order is not known.
    pub(super) overall_us: Option<u64>,
}

/// How many files the journal has.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) readable: u64,
    /// Files or directories that memberd's user may not read.
    pub(super) denied: u64,
}

/// What is known of the journal's files.
#[derive(Debug)]
pub struct JournalOrder {
    roots: Vec<PathBuf>,
    machine_id: PathBuf,
    /// The walked files by device and inode. journald appends to a file or leaves it as it is.
    known: Mutex<HashMap<(u64, u64), Walked>>,
}

impl Default for JournalOrder {
    fn default() -> Self {
        JournalOrder {
            roots: ROOTS.map(PathBuf::from).to_vec(),
            machine_id: PathBuf::from(MACHINE_ID),
            known: Mutex::default(),
        }
    }
}

impl JournalOrder {
    /// The files of a journal below this directory, which has a file `machine-id` as well.
    #[cfg(test)]
    pub(super) fn of(directory: &Path) -> Self {
        let machine_id = directory.join("machine-id");
        JournalOrder { roots: vec![directory.to_owned()], machine_id, known: Mutex::default() }
    }

    /// Counts the files that journalctl would open for this `--namespace`.
    pub(super) fn files(&self, namespace: Option<&str>) -> Files {
        let mut files = Files::default();
        for path in self.paths(namespace) {
            match path.and_then(|path| open(&path)) {
                Ok(file) => files.readable += u64::from(file.is_some()),
                Err(error) if is_gone(&error) => {}
                Err(_) => files.denied += 1,
            }
        }
        files
    }

    /// When the first and the last entry were written, in microseconds since the Unix epoch, as the
    /// files say that can be read. None without an entry.
    pub(in crate::search) fn span_us(&self) -> Option<(u64, u64)> {
        let files =
            self.paths(None).into_iter().filter_map(|path| open(&path.ok()?).ok().flatten());
        let spans = files.filter_map(|file| span_us(&file).ok().flatten());
        spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }

    /// Looks at all files that journalctl would open for this `--namespace`. None when a file
    /// cannot be understood, or when the search is cancelled.
    pub(super) fn look(&self, namespace: Option<&str>, cancel: &AtomicBool) -> Option<Disorder> {
        let mut known = HashMap::new();
        let files = self.walk_all(namespace, &mut known, cancel);
        self.remember(known);
        let files = files?;
        let within_files_us = files.iter().map(|file| file.lateness_us).max().unwrap_or(0);
        Some(Disorder { within_files_us, overall_us: overall(&files) })
    }

    fn walk_all(
        &self,
        namespace: Option<&str>,
        known: &mut HashMap<(u64, u64), Walked>,
        cancel: &AtomicBool,
    ) -> Option<Vec<Walked>> {
        let mut files = Vec::new();
        for path in self.paths(namespace) {
            if cancel.load(Ordering::Relaxed) {
                return None;
            }
            match path.and_then(|path| self.file(&path, known, cancel)) {
                Ok(walked) => files.extend(walked),
                // It is gone, or journalctl may not read it either.
                Err(error) if is_absent(&error) => {}
                Err(_) => return None,
            }
        }
        Some(files)
    }

    /// Walks a file, or what was appended to it. None when journalctl leaves it out.
    fn file(
        &self,
        path: &Path,
        known: &mut HashMap<(u64, u64), Walked>,
        cancel: &AtomicBool,
    ) -> io::Result<Option<Walked>> {
        let Some(file) = open(path)? else { return Ok(None) };
        let metadata = file.metadata()?;
        let place = (metadata.dev(), metadata.ino());
        let before = lock(&self.known).get(&place).cloned();
        let walked = walk(&file, before, cancel)?;
        if let Some(walked) = walked.as_ref().filter(|_| known.len() < MAX_FILES) {
            known.insert(place, walked.clone());
        }
        Ok(walked)
    }

    /// Remembers the files that were walked now, and of the others as many as there is room for. A
    /// look has not come to them that ended early, or that was at another namespace.
    fn remember(&self, mut walked: HashMap<(u64, u64), Walked>) {
        let mut known = lock(&self.known);
        let room = MAX_FILES.saturating_sub(walked.len());
        let others: Vec<_> =
            known.drain().filter(|(place, _)| !walked.contains_key(place)).take(room).collect();
        walked.extend(others);
        *known = walked;
    }

    /// The files of this machine in the namespaces that were asked for. An error stands for a
    /// directory that cannot be read.
    fn paths(&self, namespace: Option<&str>) -> Vec<io::Result<PathBuf>> {
        let machine_id = fs::read_to_string(&self.machine_id).unwrap_or_default();
        let machine_id = machine_id.trim();
        let mut paths = Vec::new();
        for entry in self.roots.iter().flat_map(|root| entries(root)) {
            match entry {
                // A file that is called as the directory of a namespace is one of the journal.
                Ok(path) if is_of(&path, machine_id, namespace) && !path.is_file() => {
                    paths.extend(entries(&path));
                }
                entry => paths.push(entry),
            }
        }
        paths.retain(|path| path.as_ref().map_or(true, |path| is_journal(path)));
        paths
    }
}

/// What lies in a directory.
fn entries(directory: &Path) -> Vec<io::Result<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) => vec![Err(error)],
    }
}

/// Whether this is a directory of this machine's files in a namespace that was asked for.
/// journalctl takes each directory below /run for one of this machine.
fn is_of(directory: &Path, machine_id: &str, asked: Option<&str>) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let (id, namespace) = match name.split_once('.') {
        Some((id, namespace)) => (id, Some(namespace)),
        None => (&*name, None),
    };
    let is_wanted = match (asked, asked.and_then(|asked| asked.strip_prefix('+'))) {
        (Some("*"), _) => true,
        (_, Some(added)) => namespace.is_none_or(|name| name == added),
        (asked, None) => namespace == asked,
    };
    let is_id = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ours = !machine_id.is_empty() && id == machine_id;
    is_wanted && (is_ours || directory.starts_with("/run") && is_id(id))
}

/// Opens a file. None when it is no regular one, which journalctl leaves out.
fn open(path: &Path) -> io::Result<Option<File>> {
    // To open a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    File::open(path).map(Some)
}

fn is_absent(error: &io::Error) -> bool {
    is_gone(error) || error.kind() == io::ErrorKind::PermissionDenied
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether journalctl takes a file for one of the journal. `~` stands behind those that were not
/// closed.
fn is_journal(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == OsStr::new("journal") || end == OsStr::new("journal~"))
}

/// How much later than another one with a later time an entry can come, over all files.
///
/// journalctl orders entries by their numbers if all files have one series of numbers. Then two
/// entries of one boot differ in order and time by no more than the clock was set meanwhile. The
/// boots come one after the other.
fn overall(files: &[Walked]) -> Option<u64> {
    let (first, others) = files.split_first()?;
    if others.iter().any(|file| file.series != first.series) {
        return None;
    }
    let mut boots: Vec<Boot> = Vec::new();
    for boot in files.iter().flat_map(|file| &file.boots) {
        match boots.iter_mut().find(|known| known.id == boot.id) {
            Some(known) => known.add(boot),
            None => boots.push(*boot),
        }
    }
    boots.sort_by_key(|boot| boot.numbers.0);
    let mut overall_us = 0;
    let (mut last_number, mut last_time_us) = (0_u64, 0_u64);
    for boot in &boots {
        if boot.numbers.0 <= last_number || !boot.is_steady {
            return None;
        }
        overall_us = overall_us.max(boot.set_us()).max(last_time_us.saturating_sub(boot.times.0));
        last_number = boot.numbers.1;
        last_time_us = last_time_us.max(boot.times.1);
    }
    Some(overall_us)
}

#[cfg(test)]
#[path = "order_tests.rs"]
pub(super) mod tests;
