//! Fleets that keep replicated files.

use crate::{Daemon, Fleet};

impl Fleet {
    /// n daemons that agree on a view of all, and keep files. Each gets further lines of `[files]`,
    /// and has something done to it before it starts.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn store_files(n: u8, lines: &[&str], mut prepare: impl FnMut(&mut Daemon)) -> Self {
        Fleet::agree_with(n, &[], |daemon| {
            daemon.settings.file_store = vec!["enabled = true".to_owned()];
            let lines = lines.iter().map(|line| (*line).to_owned());
            daemon.settings.file_store.extend(lines);
            prepare(daemon);
        })
    }
}
