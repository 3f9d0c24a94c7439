//! What memberd and its worker say to each other. Both are of one version, since one package
//! installs them: the frames may change in any way.

use memberd_control::frame::{Message, REQUEST_CAP, SMALL_REQUEST_CAP};
use memberd_control::grep::GrepPattern;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// The most files that are handed over at once. The kernel passes 253 descriptors at most.
pub const MAX_BATCH: usize = 64;

/// The longest path of a file (PATH_MAX of limits.h), in bytes.
const MAX_PATH_BYTES: usize = 4096;

/// The most bytes of lines that are handed over at once. The socket has room for them, so whoever
/// sends them does not wait.
pub(crate) const MAX_WRITTEN_BYTES: usize = 64 * 1024;

/// The longest message of a search, in bytes. A longer one is cut.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024;

// What the control socket lets through, the language takes.
const _: () = assert!(
    memberd_control::stats::MAX_QUERY_BYTES == memberd_streams::MAX_QUERY_BYTES,
    "the longest query is one"
);

/// What is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The name of this machine in the group.
    pub member: String,
    /// The question.
    pub query: String,
    /// The lines that it is about.
    pub pattern: GrepPattern,
    /// Only lines of that time or later, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Only lines before that time, in milliseconds since the Unix epoch.
    pub until: Option<i64>,
    /// The most groups.
    pub groups: u64,
    /// The most bytes of memory for the groups; zero means as many as there are.
    pub bytes: u64,
    /// How many threads search.
    pub threads: u16,
    /// No messages about files that cannot be read.
    pub no_messages: bool,
    /// What the lines are taken from.
    pub reads: Reads,
}

/// What the lines of a question are taken from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reads {
    /// Whole files, once.
    #[default]
    Files,
    /// Lines come in place of files, as memberd finds them in files that it follows. Of the pattern
    /// only the end of a line counts, and neither times, groups, bytes nor threads do.
    Written,
    /// Ranges of files, each of which has sums of its own. The times are compared with those of
    /// each line alone, and neither groups, bytes nor threads count.
    Ranges,
}

impl Message for Question {
    const CAP: usize = REQUEST_CAP;
    const CAP_BESIDES: usize = SMALL_REQUEST_CAP;
}

/// The paths of the files whose descriptors come with the next byte.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    /// Each with a NUL byte behind it, which no path has.
    #[serde(with = "memberd_control::bytes")]
    paths: Vec<u8>,
}

impl Message for Batch {
    const CAP: usize = MAX_BATCH * (MAX_PATH_BYTES + 1) + 64;
}

impl Batch {
    /// The batch of these paths.
    pub(crate) fn new<'p>(paths: impl Iterator<Item = &'p Path>) -> Batch {
        let with_end = |path: &'p Path| path.as_os_str().as_bytes().iter().chain(&[0]);
        Batch { paths: paths.flat_map(with_end).copied().collect() }
    }

    /// Its paths.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let paths = self.paths.split_inclusive(|byte| *byte == 0);
        let path = |path: &[u8]| path.strip_suffix(&[0]).unwrap_or(path).to_vec();
        paths.map(|bytes| PathBuf::from(OsString::from_vec(path(bytes)))).collect()
    }
}

/// The most ranges that are handed over at once: between two times, it is seen how much they made.
pub(crate) const MAX_RANGES: usize = 8;

/// The paths and the ranges of the files whose descriptors come with the next byte.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RangeBatch {
    /// The paths, as many as there are ranges.
    pub(crate) files: Batch,
    /// The ranges.
    pub(crate) ranges: Vec<Range>,
}

impl Message for RangeBatch {
    const CAP: usize = Batch::CAP + MAX_RANGES * 64;
}

/// A range of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// When the file was last written, in milliseconds since the Unix epoch.
    pub(crate) modified_ms: i64,
    /// The first byte.
    pub(crate) from: u64,
    /// The byte behind the last.
    pub(crate) to: u64,
}

/// What a range had beside its sums, which were sent before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RangeEnd {
    /// The byte behind the last line that was read.
    pub(crate) to: u64,
    /// The newest time that was read in the lines, in milliseconds since the Unix epoch.
    pub(crate) newest_ms: Option<i64>,
    /// Lines in no group.
    pub(crate) uncounted: u64,
}

/// What memberd has found in the files that it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Written {
    /// Lines that were written to a file. The last one may go on in the next frame.
    Lines {
        /// The path of the file. Empty if both it and the time are those of the frame before.
        #[serde(with = "memberd_control::bytes")]
        path: Vec<u8>,
        /// When it was last written, in milliseconds since the Unix epoch.
        modified: i64,
        /// At most [`MAX_WRITTEN_BYTES`].
        #[serde(with = "memberd_control::bytes")]
        bytes: Vec<u8>,
    },
    /// The sums of all lines until now are wanted. Others begin.
    RoundEnd,
}

impl Message for Written {
    const CAP: usize = MAX_WRITTEN_BYTES + MAX_PATH_BYTES + 64;
}

/// What the worker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It waits for the next batch, or for what was written.
    More,
    /// A part of the sums.
    Partial(#[serde(with = "memberd_control::bytes")] Vec<u8>),
    /// A message about a file.
    Message(String),
    /// All parts of the sums of the next range were sent.
    Range(RangeEnd),
    /// The next range cannot be read, and why: one line. Its sums count for nothing.
    Unread(String),
    /// It is at work, and has read this many bytes. It says so twice a second.
    Working(u64),
    /// All files are counted, and all sums are sent.
    Done(Counts),
    /// There will be no sums, and why: one line.
    Refused(String),
}

impl Message for Answer {
    const CAP: usize = 96 * 1024;
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Files searched.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Lines selected.
    pub lines: u64,
    /// Files that could not be read, or not to their end.
    pub errors: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_any_bytes_come_back() {
        let paths = ["/a", "/b c\n", "/\u{fe}"].map(PathBuf::from);
        let odd = PathBuf::from(OsString::from_vec(b"/\xff".to_vec()));
        let paths: Vec<PathBuf> = paths.into_iter().chain([odd]).collect();
        assert_eq!(Batch::new(paths.iter().map(PathBuf::as_path)).paths(), paths);
        assert!(Batch::default().paths().is_empty());
    }
}
