//! A machine with logs, and what a job is told of them.

use super::super::*;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::SystemTime;
use tempfile::TempDir;

/// 2026-11-21T01:20:00Z.
const BEGIN_MS: i64 = 1_795_224_000_000;

/// Nothing is durable yet.
pub(super) const NONE: &[(FileKey, u64)] = &[];

/// A machine with logs in one directory, of which a job reads `*.log`.
pub(super) struct Machine {
    pub(super) directory: TempDir,
    pub(super) offer: Arc<ExposedFiles>,
    pub(super) files: Files,
    pub(super) start: Start,
    pub(super) boot_ms: u64,
}

/// A file as it is told: its key, its text up to its end, and whether it is finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) key: FileKey,
    pub(super) text: String,
    pub(super) is_finished: bool,
}

pub(super) fn machine(start: Start) -> Machine {
    let directory = TempDir::new().unwrap();
    let glob = directory.path().join("*.log");
    let offer = Arc::new(ExposedFiles::new(&[glob.to_str().unwrap()]).unwrap());
    let files = Files::new(&["*.log"], start).unwrap();
    Machine { directory, offer, files, start, boot_ms: 1_000_000 }
}

pub(super) fn line(second: i64, text: &str) -> String {
    format!("{} {text}\n", memberd_streams::time_text(BEGIN_MS + second * 1_000))
}

impl Machine {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn append(&self, name: &str, text: &str) {
        let mut file = File::options().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// As logrotate does it.
    pub(super) fn copy(&self, from: &str, to: &str) {
        self.tick();
        std::fs::write(self.path(to), std::fs::read(self.path(from)).unwrap()).unwrap();
    }

    /// Waits until a file that is created is younger than one that was created before.
    pub(super) fn tick(&self) {
        let born = || {
            std::fs::write(self.path("probe"), "").unwrap();
            let born = std::fs::metadata(self.path("probe")).unwrap().created().unwrap();
            self.remove("probe");
            born
        };
        let first = born();
        while born() == first {}
    }

    pub(super) fn truncate(&self, name: &str) {
        File::options().write(true).open(self.path(name)).unwrap().set_len(0).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    pub(super) fn look(&mut self, released: &[(FileKey, u64)]) -> Look {
        self.boot_ms += 100;
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let wall_ms = i64::try_from(wall.as_millis()).unwrap();
        let now = Now { boot_ms: self.boot_ms, wall_ms };
        let released: BTreeMap<FileKey, u64> = released.iter().copied().collect();
        self.files.look(&self.offer, now, |key| released.get(&key).copied().unwrap_or(0))
    }

    /// What a look tells, with the texts as a fold would read them, in the order of the texts.
    pub(super) fn told(&mut self, released: &[(FileKey, u64)]) -> Vec<Told> {
        let mut told: Vec<Told> =
            self.look(released).files.iter().map(|seen| self.read(seen)).collect();
        told.sort_by(|one, other| one.text.cmp(&other.text));
        told
    }

    pub(super) fn read(&self, seen: &SeenFile) -> Told {
        let SeenFile { key, end, is_finished, .. } = *seen;
        let range = self.files.open(key, 0, end).unwrap();
        let mut text = vec![0; usize::try_from(end).unwrap()];
        range.file.read_exact_at(&mut text, 0).unwrap();
        assert!(self.files.is_still(key, &range.file, end));
        Told { key, text: String::from_utf8(text).unwrap(), is_finished }
    }

    /// The only file that is told.
    pub(super) fn one(&mut self) -> Told {
        let mut told = self.told(NONE);
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    }

    /// The daemon starts again, and knows nothing.
    pub(super) fn restart(&mut self) {
        self.files = Files::new(&["*.log"], self.start).unwrap();
    }

    pub(super) fn pass(&mut self, milliseconds: u64) {
        self.boot_ms += milliseconds;
    }
}

pub(super) fn shown(told: &[Told]) -> Vec<(FileKey, &str)> {
    told.iter().map(|file| (file.key, file.text.as_str())).collect()
}
