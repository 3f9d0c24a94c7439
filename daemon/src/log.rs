//! Logging: to standard error or journald, and to `machine.i.log`.
//!
//! Whoever logs hands the finished line to one writer thread over a bounded queue and goes on, so no slow disk delays a heartbeat.

mod event;
mod line;
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

    /// Opens the file anew, after it was rotated. No line is lost.
    pub fn reopen(&self) {
        self.writer.reopen();
    }

    /// Returns when all lines so far are written, or after a second.
    pub fn flush(&self) {
        self.writer.flush();
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
