//! Shows on the terminal's last line how far a copy is. It owns what is shown, and the name of the
//! temporary file, which goes if a signal ends the program.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::format;
use crate::interrupted::before_the_end;

/// After which time something is shown, and again.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// What is left behind unless it is removed.
#[derive(Debug, Default)]
struct Remains {
    is_shown: bool,
    temporary: Option<PathBuf>,
}

/// A line on standard error that is replaced and removed. Without a terminal there is none.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    unit: Unit,
    remains: Arc<Mutex<Remains>>,
    begun: Instant,
    shown: Instant,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes.
    Bytes,
    /// Files.
    Files,
}

impl Progress {
    /// Shows nothing yet. Call it before other threads are started.
    pub(super) fn new(unit: Unit) -> Progress {
        // Where bytes are printed, the line would be among them.
        let stdout_is_free = unit == Unit::Files || !std::io::stdout().is_terminal();
        Progress::on(unit, std::io::stderr().is_terminal() && stdout_is_free)
    }

    /// As [`Progress::new`], if nothing is printed on standard output meanwhile.
    pub(super) fn without_output(unit: Unit) -> Progress {
        Progress::on(unit, std::io::stderr().is_terminal())
    }

    fn on(unit: Unit, is_terminal: bool) -> Progress {
        let remains = Arc::<Mutex<Remains>>::default();
        let at_the_end = Arc::clone(&remains);
        before_the_end(move || {
            if let Ok(mut remains) = at_the_end.try_lock() {
                remains.remove();
            }
        });
        let now = Instant::now();
        Progress { is_terminal, unit, remains, begun: now, shown: now }
    }

    /// Replaces the line, if it has stood for long enough.
    pub(super) fn show(&mut self, done: u64, total: Option<u64>) {
        if self.is_terminal && self.shown.elapsed() >= SHOW_EVERY {
            self.shown = Instant::now();
            let line = line(self.unit, done, total, self.begun.elapsed());
            let mut remains = lock(&self.remains);
            write(&format!("\r{line}\x1b[K"));
            remains.is_shown = true;
        }
    }

    /// Removes the line.
    pub(super) fn clear(&mut self) {
        lock(&self.remains).clear();
    }

    /// From now on this file goes if the program is ended.
    pub(super) fn hold(&self, temporary: &Path) {
        lock(&self.remains).temporary = Some(temporary.to_owned());
    }

    /// The file stays.
    pub(super) fn release(&self) {
        lock(&self.remains).temporary = None;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        lock(&self.remains).remove();
    }
}

impl Remains {
    fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            write("\r\x1b[K");
        }
    }

    fn remove(&mut self) {
        self.clear();
        if let Some(temporary) = self.temporary.take() {
            // There is nobody left to tell.
            let _ = fs::remove_file(temporary);
        }
    }
}

fn lock(remains: &Mutex<Remains>) -> MutexGuard<'_, Remains> {
    remains.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes to standard error. An error is ignored, since progress is optional.
fn write(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn line(unit: Unit, done: u64, total: Option<u64>, passed: Duration) -> String {
    if unit == Unit::Files {
        return match total {
            Some(total) => format!("{done} of {}", format::count(total, "file")),
            None => format::count(done, "file"),
        };
    }
    let of = total.map(|total| format!(" of {}", format::size(total))).unwrap_or_default();
    let milliseconds = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = u64::try_from(u128::from(done) * 1000 / u128::from(milliseconds));
    format!("{}{of}, {}/s", format::size(done), format::size(rate.unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_and_how_fast() {
        let two = Duration::from_secs(2);
        assert_eq!(
            line(Unit::Bytes, 12_000_000, Some(20_000_000), two),
            "12 MB of 20 MB, 6.0 MB/s"
        );
        assert_eq!(line(Unit::Bytes, 500, None, two), "500 B, 250 B/s");
        assert_eq!(line(Unit::Bytes, 5, None, Duration::ZERO), "5 B, 5.0 kB/s");
        assert_eq!(line(Unit::Files, 1, Some(7), two), "1 of 7 files");
        assert_eq!(line(Unit::Files, 1, None, two), "1 file");
        assert!(line(Unit::Bytes, u64::MAX, Some(u64::MAX), Duration::ZERO).len() < 60);
    }

    #[test]
    fn a_temporary_file_goes_unless_it_is_released() {
        let directory = tempfile::tempdir().unwrap();
        let [kept, gone] = ["kept", "gone"].map(|name| directory.path().join(name));
        for (path, keeps) in [(&kept, true), (&gone, false)] {
            fs::write(path, "x").unwrap();
            let progress = Progress::new(Unit::Bytes);
            progress.hold(path);
            if keeps {
                progress.release();
            }
        }
        assert!(kept.exists() && !gone.exists());
    }
}
