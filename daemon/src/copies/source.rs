//! The source: this machine's logs are followed, and copies of them are sent to keepers.

mod cutter;
mod file;
mod files;
#[cfg(test)]
mod files_tests;
mod keepers;
mod link;
mod offer;
mod shipped;
mod status;
mod task;
mod text;
mod unchanged;

pub(crate) use offer::Offer;
pub(crate) use status::SourceStatus;
pub(crate) use task::Parts;

use crate::blocking::lower_priority;
use crate::task_thread;
use std::io;
use task::Source;

/// What a source does.
#[derive(Debug)]
pub(crate) struct SourceSettings {
    /// How many members keep copies.
    pub(crate) copies: usize,
    /// Whether that is the default. Then members that keep none, or have no room, are no problem.
    pub(crate) is_by_default: bool,
    /// How many bytes are sent a second at most, to all keepers together.
    pub(crate) rate: u64,
    /// What is copied.
    pub(crate) offer: Offer,
}

/// Starts the task on a thread of its own. It ends with the sender of its settings.
///
/// # Errors
/// When there is no thread or no memory.
pub(crate) fn start(parts: Parts) -> io::Result<()> {
    let run = |source: Source| {
        lower_priority();
        source.run()
    };
    task_thread::start("copies", || Source::new(parts), run).map(|_| ())
}
