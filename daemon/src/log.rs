//! Logs to standard error or journald, and to `machine.i.log`, or to a file of searches. A [`Log`]
//! owns the filter and the writing threads.
//!
//! A thread that logs passes the finished line to a writing thread over a bounded queue. So no slow
//! disk delays a heartbeat.

mod audit;
mod event;
mod filter;
/// The requests of control clients. Each file has the name of the `memberctl` command that it
/// answers.
pub mod handlers {
    pub mod log;
}
mod journal;
mod lines;
mod queue;
mod record;
mod service;
mod target;
pub mod view;
mod writer;

pub use audit::{AuditLine, AuditTrail};
pub use event::{detection, member_event, member_forgotten, member_tagged};
pub use filter::{Filter, FilterError};
pub use record::LogField;
pub use writer::LogPaths;

use crate::lock::{read, write};
use journal::Journal;
use record::Record;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, RwLock};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber, warn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use writer::{Console, Writer};

/// How much to log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only failures.
    Error,
    /// Warnings as well.
    Warn,
    /// Information for operators as well, such as every membership change.
    #[default]
    Info,
    /// Every sent and received message as well.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// All levels, with their names in the settings.
    pub const NAMES: [(&'static str, Level); 5] = [
        ("error", Level::Error),
        ("warn", Level::Warn),
        ("info", Level::Info),
        ("debug", Level::Debug),
        ("trace", Level::Trace),
    ];

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
        let name =
            Level::NAMES.iter().find(|(_, level)| level == self).map_or("info", |(name, _)| name);
        formatter.write_str(name)
    }
}

/// The log of this process. It takes requests to reopen the file and to write the last lines.
#[derive(Debug, Clone)]
pub struct Log {
    writer: Arc<Writer>,
    filter: Arc<RwLock<Filter>>,
    audit: AuditTrail,
}

impl Log {
    /// Starts to log to the files, and to journald if standard error is connected to it. Otherwise
    /// standard error gets the lines.
    ///
    /// # Errors
    /// When this process has a log already.
    pub fn start(paths: LogPaths, level: Level) -> Result<Self, TryInitError> {
        let journal = if stderr_is_journal() { Journal::connect().ok() } else { None };
        let log = Log::to(
            Writer::start(paths, journal.map_or(Console::StandardError, Console::Journal)),
            level,
        );
        tracing_subscriber::registry().with(log.clone()).try_init()?;
        Ok(log)
    }

    fn to(writer: Writer, level: Level) -> Self {
        let (writer, filter) = (Arc::new(writer), Arc::new(RwLock::new(level.into())));
        let audit = AuditTrail::new(Arc::clone(&writer));
        Log { writer, filter, audit }
    }

    /// The audit trail. No level switches it off, because who searches could set that level.
    pub fn audit(&self) -> &AuditTrail {
        &self.audit
    }

    /// The present filter.
    pub fn filter(&self) -> Filter {
        read(&self.filter).clone()
    }

    /// Changes the filter from now on.
    pub fn set_filter(&self, filter: Filter) {
        *write(&self.filter) = filter;
        tracing::callsite::rebuild_interest_cache();
    }

    /// Requests that the file be reopened after a rotation. No line is lost. [`Log::flush`] returns
    /// when it is done.
    pub fn reopen(&self) {
        self.writer.reopen();
    }

    /// Blocks until all lines so far are written, or for a second if a target hangs.
    pub fn flush(&self) {
        self.writer.flush();
    }

    /// The problems that prevent writing now, one line each for the user.
    pub fn troubles(&self) -> Vec<String> {
        self.writer.troubles()
    }

    /// How many lines were lost since the start because a target was full, too slow or broken.
    pub fn lost_lines(&self) -> u64 {
        self.writer.lost()
    }
}

/// Records the events that pass the filter.
impl<S: Subscriber> Layer<S> for Log {
    fn enabled(&self, metadata: &Metadata, _: Context<S>) -> bool {
        *metadata.level() <= self.filter().level_of(metadata.target()).filter()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter().most().filter())
    }

    fn on_event(&self, event: &Event, _: Context<S>) {
        self.writer.write(Record::of(event));
    }
}

/// Whether standard error is the journal's socket: systemd.exec(5), `$JOURNAL_STREAM`.
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = std::fs::metadata("/dev/stderr");
    stderr.is_ok_and(|found| stream == format!("{}:{}", found.dev(), found.ino()))
}

/// Logs the warnings from before the log's start, one line each.
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
    fn the_filter_changes_and_other_crates_stay_at_warnings() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("machine.1.log");
        let searches = directory.path().join("searches.1.log");
        let paths = LogPaths { own: path.clone(), searches };
        let log = Log::to(Writer::start(paths, Console::Nowhere), Level::Info);
        let say = |round: u64| {
            debug!(round, "detail");
            info!(round, "ours");
            info!(target: "mio", round, "theirs");
            warn!(target: "mio", round, "their trouble");
            error!(round, "failure");
        };
        with_default(tracing_subscriber::registry().with(log.clone()), || {
            say(1);
            log.set_filter(Level::Debug.into());
            say(2);
            log.set_filter(Level::Error.into());
            say(3);
        });
        log.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        let words: Vec<&str> =
            text.lines().filter_map(|line| line.split_once("Z ")).map(|(_, words)| words).collect();
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
