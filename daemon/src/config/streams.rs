//! Checks the section `[streams]`: questions over logs. It owns no state.

use super::parse::socket_path;
use super::problems::Problems;
use super::raw;
use std::path::PathBuf;

/// The socket that memberd-worker.socket opens.
const WORKER: &str = "/run/memberd/worker.sock";

/// The settings of questions over logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streams {
    /// Whether this machine answers them.
    pub enabled: bool,
    /// The socket of its worker.
    pub worker: PathBuf,
}

impl Streams {
    /// The socket of the worker, if questions are answered.
    pub fn socket(&self) -> Option<PathBuf> {
        self.enabled.then(|| self.worker.clone())
    }
}

/// Reads the section.
pub(super) fn streams(raw: raw::Streams, problems: &mut Problems) -> Streams {
    Streams {
        enabled: raw.enabled.is_none_or(toml::Spanned::into_inner),
        worker: raw.worker.map_or_else(
            || PathBuf::from(WORKER),
            |set| socket_path(set, "streams.worker", problems),
        ),
    }
}
