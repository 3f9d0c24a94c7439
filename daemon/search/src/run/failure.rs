//! Why a file was not searched, or not to its end, in words.

use std::io;

use super::MAX_LINE_BYTES;
use crate::files::{DecompressError, OfferedFile, reason};

/// What kept a file from being searched to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not there any more: no failure at all.
    Gone,
    /// It could not be opened.
    Unopened(String),
    /// Its rest could not be read.
    Unread(String),
    /// A time was asked for, and none of its lines has any. Worth a message, but no error.
    Undated,
}

impl Failure {
    /// For an error while reading. Those of the searcher itself have no number: its buffer would have to grow past the limit.
    pub(crate) fn reading(error: &io::Error) -> Failure {
        let decompressing = error.get_ref().and_then(|error| error.downcast_ref::<DecompressError>());
        Failure::Unread(if let Some(error) = decompressing {
            error.to_string()
        } else if error.raw_os_error().is_some() {
            reason(error)
        } else {
            let limit = MAX_LINE_BYTES / (1024 * 1024);
            format!("a line, with its context, is longer than {limit} MiB: the rest of the file was not searched")
        })
    }

    /// Whether it counts as an error.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Failure::Unopened(_) | Failure::Unread(_))
    }

    /// What is said of it, if anything.
    pub(crate) fn words(&self, file: &OfferedFile) -> Option<String> {
        let path = file.path().display();
        match self {
            Failure::Gone => None,
            Failure::Unopened(reason) | Failure::Unread(reason) => Some(format!("{path}: {reason}")),
            Failure::Undated => Some(format!("{path}: no line carries a time that is understood: none is searched")),
        }
    }
}
