//! The ways in which a client speaks with a system. Each says how long an answer took.

mod ctl;
mod filer;
pub(crate) mod http;
mod native;
mod webhdfs;

pub(crate) use ctl::Ctl;
pub(crate) use filer::Filer;
pub(crate) use native::Native;
use std::time::{Duration, Instant};
pub(crate) use webhdfs::WebHdfs;

/// How long it took, or why it failed.
pub(crate) type Took = Result<Duration, String>;

/// A client on machine 1.
pub(crate) trait Face: Send {
    /// Makes a file with this content, or replaces what it has.
    fn put(&mut self, path: &str, content: &[u8]) -> Took;

    /// Reads a file of this length.
    fn get(&mut self, path: &str, length: usize) -> Took;

    /// Adds to a file's end.
    fn append(&mut self, path: &str, content: &[u8]) -> Took;

    /// Asks for a file's length and times.
    fn stat(&mut self, path: &str) -> Took;

    /// Gives a file another name, which is free.
    fn rename(&mut self, from: &str, to: &str) -> Took;
}

/// Measures what succeeds.
fn timed<T>(ask: impl FnOnce() -> Result<T, String>) -> Took {
    let start = Instant::now();
    ask().map(|_| start.elapsed())
}
