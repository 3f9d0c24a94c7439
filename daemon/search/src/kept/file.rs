//! One kept stream, as a file of the machine that wrote it.

use std::path::Path;

use memberd_copies::kept::KeptStream;

use super::spans::rules;
use crate::time::Zone;

/// A kept stream that a search reads.
#[derive(Debug, Clone)]
pub struct KeptFile {
    stream: KeptStream,
    zone: Zone,
    /// The rules of its times.
    rules: u64,
}

impl KeptFile {
    /// A file of this text. Times without a zone are read in that of its machine. If the time zone
    /// database here does not have it, they are read in the zone of this machine.
    pub fn new(stream: KeptStream) -> KeptFile {
        let zone = Zone::of_machine(&stream.head.zone).unwrap_or_else(Zone::local);
        let rules = rules(&stream.head.zone);
        KeptFile { stream, zone, rules }
    }

    /// Its path on its machine.
    pub fn path(&self) -> &Path {
        &self.stream.head.path
    }

    /// The path of the file that it was rotated away from, or its own.
    pub(crate) fn origin(&self) -> &Path {
        &self.stream.head.origin
    }

    pub(crate) fn stream(&self) -> &KeptStream {
        &self.stream
    }

    /// The zone of its machine.
    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// By which rules times are read, as [`rules`] says.
    pub(crate) fn rules(&self) -> u64 {
        self.rules
    }

    /// When it was last written, in milliseconds since the Unix epoch.
    pub(crate) fn modified(&self) -> i64 {
        self.stream.head.modified_ms
    }

    /// What is said of its line numbers, unless they are those of the file.
    pub(crate) fn numbers_notice(&self) -> Option<String> {
        let KeptStream { lines_before, begin, .. } = self.stream;
        (lines_before.is_none() && begin > 0).then(|| {
            format!(
                "{}: its first {begin} bytes are not kept: lines are numbered from there on",
                self.path().display()
            )
        })
    }
}
