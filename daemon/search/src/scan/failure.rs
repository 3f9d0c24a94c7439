//! Why a file was not searched to its end, and the message about it.

use std::{fmt, io};

use memberd_copies::kept::KeptError;

use super::chunk_sink::MAX_HELD_BYTES;
use super::claim::TooLong;
use crate::files::{DecompressError, FileError, reason};
use crate::pattern::MatchFailure;

/// What kept a file from being searched to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is gone. That is no failure.
    Gone,
    /// It could not be opened.
    Unopened(String),
    /// Its rest could not be read.
    Unread(String),
    /// A part of a kept stream cannot be read. The rest is searched.
    Missing(String),
    /// A line could not be matched. The rest of the file was not searched.
    Unmatched(String),
    /// Backtracking has used all its time. The search ends here.
    Spent,
    /// A window of time was asked for, and no line has a time. So none was searched.
    Undated,
    /// The lines are wanted by their time, and the time of a line is in an unknown format. The line
    /// begins like this, and was taken for one of the time of the line before it.
    Misdated(Box<[u8]>),
    /// The context of a line was too long to be kept. This gives a message, but is no error.
    Cut,
}

impl Failure {
    /// For an error while reading. The searcher's own errors have no number: its buffer would have
    /// to grow beyond the limit.
    pub(crate) fn reading(error: &io::Error) -> Failure {
        let own = error.get_ref().filter(|own| {
            own.is::<DecompressError>()
                || own.is::<TooLong>()
                || own.is::<FileError>()
                || own.is::<KeptError>()
        });
        Failure::Unread(match own {
            Some(own) => own.to_string(),
            None if error.raw_os_error().is_some() => reason(error),
            None => TooLong::Anyway.to_string(),
        })
    }

    /// For the matcher's reason why a line could not be matched.
    pub(crate) fn matching(words: String) -> Failure {
        if words == MatchFailure::Time.to_string() {
            Failure::Spent
        } else {
            Failure::Unmatched(words)
        }
    }

    /// Whether it counts as an error.
    pub(crate) fn is_error(&self) -> bool {
        !matches!(self, Failure::Gone | Failure::Cut)
    }

    /// Whether nothing more of its file is searched.
    pub(crate) fn ends_file(&self) -> bool {
        self.is_error() && !matches!(self, Failure::Missing(_))
    }

    /// The message about it, with the file's path. None when nothing is wrong.
    pub(crate) fn message(&self, path: impl fmt::Display) -> Option<String> {
        match self {
            Failure::Gone => None,
            Failure::Unopened(reason)
            | Failure::Unread(reason)
            | Failure::Missing(reason)
            | Failure::Unmatched(reason) => Some(format!("{path}: {reason}")),
            Failure::Spent => Some(format!("{path}: {}", MatchFailure::Time)),
            Failure::Undated => {
                Some(format!("{path}: no line has a time in a known format: no line is searched"))
            }
            Failure::Misdated(line) => Some(format!(
                "{path}: a line has a time in no known format, so it counts as of the line before \
                it: '{}'",
                line.escape_ascii()
            )),
            Failure::Cut => {
                let limit = MAX_HELD_BYTES / 1024;
                Some(format!(
                    "{path}: the lines before a match are longer than {limit} KiB: the lines \
                    farthest from it are left out"
                ))
            }
        }
    }
}
