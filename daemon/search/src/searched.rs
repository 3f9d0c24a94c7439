//! What a search goes through: exposed files of this machine, also as handed over by another
//! process, or kept streams of another machine.

use std::path::Path;

use crate::files::{ExposedFile, HandedFile};
use crate::kept::{KeptFile, Skip};

/// The files of one search.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Files<'f> {
    Exposed(&'f [ExposedFile]),
    /// Files that another process has opened.
    Handed(&'f [HandedFile]),
    /// Kept streams, and what of them need not be read.
    Kept(&'f [KeptFile], &'f Skip),
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SearchedFile<'f> {
    Exposed(&'f ExposedFile),
    Handed(&'f HandedFile),
    Kept(&'f KeptFile, &'f Skip),
}

impl<'f> Files<'f> {
    pub(crate) fn len(self) -> usize {
        match self {
            Files::Exposed(files) => files.len(),
            Files::Handed(files) => files.len(),
            Files::Kept(files, _) => files.len(),
        }
    }

    pub(crate) fn get(self, index: usize) -> Option<SearchedFile<'f>> {
        match self {
            Files::Exposed(files) => files.get(index).map(SearchedFile::Exposed),
            Files::Handed(files) => files.get(index).map(SearchedFile::Handed),
            Files::Kept(files, skip) => files.get(index).map(|file| SearchedFile::Kept(file, skip)),
        }
    }

    /// The same search with none of them.
    pub(crate) fn none(self) -> Files<'f> {
        match self {
            Files::Exposed(_) => Files::Exposed(&[]),
            Files::Handed(_) => Files::Handed(&[]),
            Files::Kept(_, skip) => Files::Kept(&[], skip),
        }
    }

    /// The files of each stream: a file with what was rotated away from it before it.
    pub(crate) fn streams(self) -> Vec<Vec<SearchedFile<'f>>> {
        let all: Vec<SearchedFile<'f>> = (0..self.len()).filter_map(|at| self.get(at)).collect();
        let streams = all.chunk_by(|one, other| one.origin() == other.origin());
        streams.map(<[SearchedFile<'f>]>::to_vec).collect()
    }
}

impl<'f> SearchedFile<'f> {
    /// Its path, as it is printed.
    pub(crate) fn path(self) -> &'f Path {
        match self {
            SearchedFile::Exposed(file) => file.path(),
            SearchedFile::Handed(file) => file.path(),
            SearchedFile::Kept(file, _) => file.path(),
        }
    }

    fn origin(self) -> &'f Path {
        match self {
            SearchedFile::Exposed(file) => file.origin(),
            // What was rotated is not told apart, as nothing is merged.
            SearchedFile::Handed(file) => file.path(),
            SearchedFile::Kept(file, _) => file.origin(),
        }
    }
}
