//! Logging: to standard error or journald, and to `machine.i.log`.
//!
//! Whoever logs hands the finished line to a writing thread over a bounded queue and goes on, so no slow disk delays a heartbeat.

mod event;
mod line;
mod queue;
mod target;
mod writer;

pub use event::member_event;

use line::LineLayer;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber, warn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use writer::Writer;

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only what failed.
    Error,
    /// And what looks wrong.
    Warn,
    /// And what an operator wants to know: every membership change.
    #[default]
    Info,
    /// And every message sent and received.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// All of them, and their names in the settings.
    pub const NAMES: [(&'static str, Level); 5] =
        [("error", Level::Error), ("warn", Level::Warn), ("info", Level::Info), ("debug", Level::Debug), ("trace", Level::Trace)];

    fn filter(self) -> LevelFilter {
        match self {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let name = Level::NAMES.iter().find(|(_, level)| level == self).map_or("info", |(name, _)| name);
        formatter.write_str(name)
    }
}

/// The log of this process, to be told of rotation and of the end.
#[derive(Debug, Clone)]
pub struct Log {
    writer: Arc<Writer>,
    level: Arc<AtomicUsize>,
}

impl Log {
    /// Starts to log: to `file`, and to journald if it is what standard error is connected to, else to standard error.
    ///
    /// # Errors
    /// When this process logs already.
    pub fn start(file: PathBuf, level: Level) -> Result<Self, TryInitError> {
        let journal = if stderr_is_journal() { tracing_journald::layer().ok() } else { None };
        let writer = Arc::new(Writer::start(file, journal.is_none()));
        let gate = LevelGate { level: Arc::new(AtomicUsize::new(0)) };
        let log = Log { writer: Arc::clone(&writer), level: Arc::clone(&gate.level) };
        log.level.store(index(level), Ordering::Relaxed);
        tracing_subscriber::registry()
            .with(gate)
            .with(LineLayer::new(writer))
            .with(journal.map(|journal| journal.with_field_prefix(None)))
            .try_init()?;
        Ok(log)
    }

    /// Logs more or less from now on.
    pub fn set_level(&self, level: Level) {
        self.level.store(index(level), Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    /// Asks for the file to be opened anew, after it was rotated. No line is lost; [`Log::flush`] returns when it is done.
    pub fn reopen(&self) {
        self.writer.reopen();
    }

    /// Returns when all lines so far are written, or after a second for each target that hangs. Blocks.
    pub fn flush(&self) {
        self.writer.flush();
    }

    /// How many lines were lost since the start, because a target was full, too slow or broken.
    pub fn lost_lines(&self) -> u64 {
        self.writer.lost()
    }
}

fn index(level: Level) -> usize {
    Level::NAMES.iter().position(|(_, other)| *other == level).unwrap_or_default()
}

/// Lets events of this program through up to the level, and warnings of others.
struct LevelGate {
    level: Arc<AtomicUsize>,
}

impl LevelGate {
    fn filter(&self) -> LevelFilter {
        Level::NAMES.get(self.level.load(Ordering::Relaxed)).map_or(LevelFilter::INFO, |(_, level)| level.filter())
    }
}

impl<S: Subscriber> Layer<S> for LevelGate {
    fn enabled(&self, metadata: &Metadata, _: Context<S>) -> bool {
        let ours = metadata.target().starts_with("memberd");
        let most = if ours { self.filter() } else { self.filter().min(LevelFilter::WARN) };
        *metadata.level() <= most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter())
    }
}

/// Whether standard error is the journal's socket: systemd.exec(5), `$JOURNAL_STREAM`.
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = std::fs::metadata("/dev/stderr");
    stderr.is_ok_and(|found| stream == format!("{}:{}", found.dev(), found.ino()))
}

/// Tells what the state files were like; a line each.
pub fn warn_all(warnings: &[String]) {
    for warning in warnings {
        warn!("{warning}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::subscriber::with_default;
    use tracing::{debug, error, info};

    #[test]
    fn the_level_changes_at_run_time_and_other_programs_parts_stay_at_warnings() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("machine.1.log");
        let writer = Arc::new(Writer::start(path.clone(), false));
        let gate = LevelGate { level: Arc::new(AtomicUsize::new(index(Level::Info))) };
        let log = Log { writer: Arc::clone(&writer), level: Arc::clone(&gate.level) };
        let say = |round: u64| {
            debug!(round, "detail");
            info!(round, "ours");
            info!(target: "mio", round, "theirs");
            warn!(target: "mio", round, "their trouble");
            error!(round, "failure");
        };
        with_default(tracing_subscriber::registry().with(gate).with(LineLayer::new(writer)), || {
            say(1);
            log.set_level(Level::Debug);
            say(2);
            log.set_level(Level::Error);
            say(3);
        });
        log.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        let words: Vec<&str> = text.lines().filter_map(|line| line.split_once("Z ")).map(|(_, words)| words).collect();
        assert_eq!(
            words,
            [
                "INFO ours round=1",
                "WARN their trouble round=1",
                "ERROR failure round=1",
                "DEBUG detail round=2",
                "INFO ours round=2",
                "WARN their trouble round=2",
                "ERROR failure round=2",
                "ERROR failure round=3",
            ]
        );
        assert_eq!(log.lost_lines(), 0);
    }
}
