//! Says what is wrong with a member's answer, when it cannot be that member's own. It owns no
//! state.

use memberd_search::MAX_LINE_BYTES;
use std::io;

/// The longest line that is taken, with its name, in bytes. No member prints a longer one.
pub(super) const MAX_ANSWERED_LINE: usize = MAX_LINE_BYTES + MEBIBYTE;

/// The most files of which one member gives counts or names. A member searches half as many.
pub(super) const MAX_ANSWERED_FILES: usize = 2 * memberd_search::MAX_FILES;

const MEBIBYTE: usize = 1024 * 1024;

/// Why the rest of a member's answer is dropped. The words follow the member's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerFault {
    /// A line does not begin with the member's own name and a file.
    #[error("answered with a line that does not begin with its own name")]
    Name,
    /// A piece does not end where a line does, or the answer ends within a line.
    #[error("answered with a line that has no end")]
    Unended,
    /// A line is not a JSON object, or not one of this member.
    #[error("answered with a line that is no JSON object of its own")]
    Json,
    /// What stands in place of a count is none.
    #[error("answered with a count that is no number")]
    Count,
    /// There are more counts or names than a member searches files.
    #[error("answered for more than {MAX_ANSWERED_FILES} files")]
    Files,
    /// A line is longer than [`MAX_ANSWERED_LINE`].
    #[error("answered with a line longer than {} MiB", MAX_ANSWERED_LINE / MEBIBYTE)]
    TooLong,
    /// A frame is not one that this search can have.
    #[error("answered with something else than was asked for")]
    Unasked,
}

impl AnswerFault {
    /// The fault that an error stands for.
    pub(super) fn of(error: &io::Error) -> Option<AnswerFault> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<AnswerFault> for io::Error {
    fn from(fault: AnswerFault) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, fault)
    }
}
