//! The copies of logs that members keep of others, read as they lie on disk.

use crate::Daemon;
use memberd_copies::kept::{self, KeptStream};
use memberd_copies::needs::Needs;
use memberd_membership::Name;
use std::path::Path;

/// A copy of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOfFile {
    /// Whether the source offers it.
    pub offered: bool,
    /// Where its text begins in the file, in bytes.
    pub begin: u64,
    /// Its text.
    pub text: Vec<u8>,
}

impl Daemon {
    /// The copies of the file at `path` that this daemon keeps of a source, the oldest first. It
    /// need not run.
    ///
    /// # Errors
    /// When they cannot be read now.
    pub fn copies_of(&self, source: &str, path: &Path) -> Result<Vec<CopyOfFile>, String> {
        let directory = self.settings.state_dir.join("copies");
        let name = Name::new(source).map_err(|error| error.to_string())?;
        let streams = kept::list(&directory, &name).map_err(|error| error.to_string())?;
        let mut streams: Vec<KeptStream> =
            streams.into_iter().filter(|stream| stream.head.path == path).collect();
        streams.sort_by_key(|stream| stream.head.id.begun_ms);
        streams.iter().map(copy).collect()
    }

    /// Whether it keeps any copies of a source.
    pub fn keeps(&self, source: &str) -> bool {
        self.settings.state_dir.join("copies").join(source).is_dir()
    }
}

fn copy(stream: &KeptStream) -> Result<CopyOfFile, String> {
    let mut text = Vec::new();
    for block in stream.blocks(&Needs::Anything) {
        let block = block.map_err(|error| error.to_string())?;
        text.extend(block.read().map_err(|error| error.to_string())?);
    }
    Ok(CopyOfFile { offered: stream.head.offered, begin: stream.begin, text })
}
