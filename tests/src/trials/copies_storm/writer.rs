//! Writes the logs of one machine of the storm, and rotates them. A [`Writer`] has a thread of its
//! own; it owns the files, and notes in the machine's [`Truth`] what is in them.

use super::line::Log;
use super::truth::Truth;
use crate::chance::Chance;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many rotated files of a log there are.
const ROTATED: u32 = 3;

/// How many bytes are written by one system call.
const WRITE_BYTES: usize = 4_096;

/// A log is rotated once it has this many bytes, and up to seven times doubled.
const LEAST_ROTATED: u64 = 32 << 10;

/// The pause after lines that were written one by one.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a copy of a log may be there before the log is truncated.
const UNTRUNCATED_MS: usize = 1_200;

/// The writer of one machine's logs.
#[derive(Debug)]
pub(super) struct Writer {
    desk: Arc<Mutex<Desk>>,
    truth: Arc<Mutex<Truth>>,
    paused: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Begins to write in this directory, at full speed for a moment and then not at all, so that
    /// it is this many bytes a second in the end.
    pub(super) fn start(directory: &Path, machine: &str, seed: u64, pace: u64) -> Writer {
        let truth = Arc::new(Mutex::new(Truth::new(machine)));
        let desk = Desk {
            directory: directory.to_owned(),
            logs: Log::ALL.map(|log| (log, Open::new(&directory.join(log.file())))).into(),
            truth: Arc::clone(&truth),
            chance: Chance::new(seed),
            pace,
            paid_until: Instant::now(),
        };
        let desk = Arc::new(Mutex::new(desk));
        let (paused, ended) = (Arc::default(), Arc::default());
        let thread = {
            let (desk, paused, ended) =
                (Arc::clone(&desk), Arc::clone(&paused), Arc::clone(&ended));
            thread::spawn(move || run(&desk, &paused, &ended))
        };
        Writer { desk, truth, paused, ended, thread: Some(thread) }
    }

    /// What is written.
    pub(super) fn truth(&self) -> MutexGuard<'_, Truth> {
        lock(&self.truth)
    }

    /// Nothing more is written from now on, perhaps within a line. In a file that was rotated away
    /// that would count as its end after a while, so there it is not.
    pub(super) fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
        let mut desk = lock(&self.desk);
        let rotated = Log::ALL.into_iter().filter(|log| desk.logs[log].next.is_some());
        for log in rotated.collect::<Vec<_>>() {
            while desk.write(log) {}
        }
    }

    /// It goes on.
    pub(super) fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Pauses after whole lines, of which this many more of each log are the last.
    pub(super) fn finish(&self, lines: u64) {
        self.pause();
        let mut desk = lock(&self.desk);
        for log in Log::ALL {
            desk.begin(log, lines);
            while desk.write(log) {}
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // Its panic was printed, and the test has failed by it or fails now.
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the writer of logs has panicked");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("the writer of logs has not panicked")
}

fn run(desk: &Mutex<Desk>, paused: &AtomicBool, ended: &AtomicBool) {
    while !ended.load(Ordering::SeqCst) {
        let pause = {
            let mut desk = lock(desk);
            // A pause begins with the lock in its hand.
            if paused.load(Ordering::SeqCst) { PAUSE } else { desk.step() }
        };
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
}

/// What a writer works with.
#[derive(Debug)]
struct Desk {
    directory: PathBuf,
    logs: BTreeMap<Log, Open>,
    truth: Arc<Mutex<Truth>>,
    chance: Chance,
    pace: u64,
    /// Until then, what was written is as much as the pace allows.
    paid_until: Instant,
}

/// A log that is open.
#[derive(Debug)]
struct Open {
    file: File,
    /// What was begun and is not written yet.
    pending: Vec<u8>,
    /// The file that took its name, and after how many more batches the writer goes over to it.
    next: Option<(File, usize)>,
    /// At which size it is rotated.
    rotated_at: u64,
}

impl Open {
    fn new(path: &Path) -> Open {
        Open { file: create(path), pending: Vec::new(), next: None, rotated_at: LEAST_ROTATED }
    }
}

fn create(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a log")
}

impl Desk {
    /// Writes a little. Returns how long to wait before more.
    fn step(&mut self) -> Duration {
        let begun = Log::ALL.into_iter().find(|log| self.write(*log));
        if begun.is_some() {
            return Duration::ZERO;
        }
        if self.paid_until > Instant::now() {
            let log = Log::ALL[self.chance.below(Log::ALL.len())];
            self.begin(log, 1);
            while self.write(log) {}
            return PAUSE;
        }
        let log = [Log::Renamed, Log::Truncated][self.chance.below(2)];
        self.rotate_if_due(log);
        let count = match self.chance.below(20) {
            0 => 4_000 + self.chance.below(8_000),
            1..8 => 100 + self.chance.below(1_000),
            _ => 1 + self.chance.below(20),
        };
        self.begin(log, count as u64);
        Duration::ZERO
    }

    /// Adds this many lines to what is to be written of a log.
    fn begin(&mut self, log: Log, lines: u64) {
        let text = lock(&self.truth).add(log, lines);
        let cost = Duration::from_secs_f64(text.len() as f64 / self.pace as f64);
        self.paid_until = self.paid_until.max(Instant::now()) + cost;
        if let Some(open) = self.logs.get_mut(&log) {
            open.pending.extend_from_slice(text.as_bytes());
        }
    }

    /// Writes some of that; false if there is none.
    fn write(&mut self, log: Log) -> bool {
        let Some(open) = self.logs.get_mut(&log).filter(|open| !open.pending.is_empty()) else {
            return false;
        };
        let length = open.pending.len().min(WRITE_BYTES);
        let now: Vec<u8> = open.pending.drain(..length).collect();
        open.file.write_all(&now).expect("room for a log");
        true
    }

    /// Rotates a log that has become long, or goes over to the new file after a while. All that was
    /// begun is written.
    fn rotate_if_due(&mut self, log: Log) {
        let Some(open) = self.logs.get_mut(&log) else { return };
        if let Some((_, batches)) = &mut open.next {
            *batches = batches.saturating_sub(1);
            if *batches > 0 {
                return;
            }
            return self.go_over(log);
        }
        if lock(&self.truth).newest(log).1 < open.rotated_at {
            return;
        }
        self.shift(log);
        match log {
            Log::Renamed => self.rename(log),
            Log::Truncated => self.truncate(log),
            Log::Steady => {}
        }
        let doubled = self.chance.below(8);
        if let Some(open) = self.logs.get_mut(&log) {
            open.rotated_at = LEAST_ROTATED << doubled;
        }
    }

    fn path(&self, log: Log, rotated: u32) -> PathBuf {
        match rotated {
            0 => self.directory.join(log.file()),
            number => self.directory.join(format!("{}.{number}", log.file())),
        }
    }

    /// Makes room for the newest rotated file.
    fn shift(&self, log: Log) {
        for number in (1..ROTATED).rev() {
            // There are fewer in the beginning.
            let _ = fs::rename(self.path(log, number), self.path(log, number + 1));
        }
    }

    fn rename(&mut self, log: Log) {
        let path = self.path(log, 0);
        fs::rename(&path, self.path(log, 1)).expect("a log can be renamed");
        thread::sleep(Duration::from_millis(self.chance.below(30) as u64));
        let batches = self.chance.below(6);
        if let Some(open) = self.logs.get_mut(&log) {
            open.next = Some((create(&path), batches));
        }
        if batches == 0 {
            self.go_over(log);
        }
    }

    /// The writer has been told of the new file.
    fn go_over(&mut self, log: Log) {
        if let Some(open) = self.logs.get_mut(&log)
            && let Some((file, _)) = open.next.take()
        {
            open.file = file;
            lock(&self.truth).rotate(log);
        }
    }

    fn truncate(&mut self, log: Log) {
        let path = self.path(log, 0);
        fs::copy(&path, self.path(log, 1)).expect("a log can be copied");
        if self.chance.below(4) == 0 {
            thread::sleep(Duration::from_millis(self.chance.below(UNTRUNCATED_MS) as u64));
        }
        if self.chance.below(4) == 0 {
            // No file has them in the end.
            let lines = 1 + self.chance.below(20) as u64;
            self.begin(log, lines);
            while self.write(log) {}
        }
        if let Some(open) = self.logs.get(&log) {
            open.file.set_len(0).expect("a log can be truncated");
        }
        lock(&self.truth).rotate(log);
    }
}
