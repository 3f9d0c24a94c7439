//! What can be wrong with an exposed file beside the system's errors.

use std::io;

/// Why a file is not searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    /// A file of a chain is not there any more, under any name.
    #[error("was rotated away or deleted since the search began: its lines are missing")]
    Lost,
    /// The results are written to it. The text is GNU grep's.
    #[error("input file is also the output")]
    IsOutput,
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> io::Error {
        io::Error::other(error)
    }
}
