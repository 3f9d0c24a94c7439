//! The files that blocks are appended to: a bounded number of them is kept open.

use super::streams::Key;
use std::fs::File;

/// Open files, those that were used last at the end.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<(Key, File)>);

impl Files {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The file of a stream.
    pub(super) fn get(&self, key: &Key) -> Option<&File> {
        self.0.iter().rev().find(|(of, _)| of == key).map(|(_, file)| file)
    }

    /// Notes that a file is used.
    pub(super) fn touch(&mut self, key: &Key) {
        if let Some(place) = self.0.iter().position(|(of, _)| of == key) {
            let used = self.0.remove(place);
            self.0.push(used);
        }
    }

    pub(super) fn insert(&mut self, key: Key, file: File) {
        self.0.push((key, file));
    }

    /// Closes a file.
    pub(super) fn remove(&mut self, key: &Key) {
        self.0.retain(|(of, _)| of != key);
    }

    /// The one that was not used for longest.
    pub(super) fn oldest(&self) -> Option<Key> {
        self.0.first().map(|(key, _)| key.clone())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
