//! The copies of logs that members keep of others, read as they lie on disk.

use crate::proc::open_files;
use crate::wait::{SOON, holds};
use crate::{Daemon, Fleet, wait_until};
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

    /// How many descriptors it has open, but for those of copies: connections to keepers and from
    /// sources, and the files of what it keeps.
    ///
    /// # Errors
    /// When it does not tell its metrics now.
    pub fn descriptors_but_copies(&self) -> Result<usize, String> {
        let connections =
            self.metric("memberd_copies_keepers")? + self.metric("memberd_kept_sources_sending")?;
        let kept = self.settings.state_dir.join("copies");
        let open = open_files(self.pid());
        let others = open.iter().filter(|file| !file.starts_with(&kept)).count();
        Ok(others.saturating_sub(connections))
    }

    /// The value of a metric without labels that counts something.
    fn metric(&self, name: &str) -> Result<usize, String> {
        let output = self.ctl(&["metrics"]);
        let page = String::from_utf8_lossy(&output.stdout);
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).ok_or_else(|| format!("no {name}: {output:?}"))
    }

    /// Whether it keeps any copies of a source.
    pub fn keeps(&self, source: &str) -> bool {
        self.settings.state_dir.join("copies").join(source).is_dir()
    }
}

impl Fleet {
    /// Waits until two others keep copies of each running member's logs.
    ///
    /// # Panics
    /// When they do not in time.
    pub fn wait_until_kept(&self) {
        for daemon in self.running() {
            wait_until(&format!("two members keep the logs of {}", daemon.name()), SOON, || {
                let keepers = daemon.metric("memberd_copies_keepers")?;
                holds(keepers == 2, || format!("{keepers} do"))
            });
        }
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
