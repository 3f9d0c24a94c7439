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
    /// It is a link, and the settings do not allow where it leads.
    #[error("is a symbolic link that leads out of logs.follow_links, and is not followed")]
    LeadsOut,
    /// It is a link, and who asks may not search where it leads.
    #[error("is a symbolic link that leads to a file which search.files leaves out")]
    BeyondLimit,
    /// It is a link, and a directory on the way is one, too.
    #[error("is a symbolic link over a directory that is one, too, and is not followed")]
    LinkedDirectory,
    /// It is a link to a link, and so on.
    #[error("is behind more than 8 symbolic links, and is not followed")]
    TooManyLinks,
    /// It is one of memberd's own, and holds this.
    #[error("{NEVER}{0}")]
    Never(&'static str),
    /// A link of this user leads to it, and it belongs to another one.
    #[error(
        "a symbolic link of user {0} leads to a directory of another user, and is not followed: \
        write the path without it, or let root own the link"
    )]
    ForeignLink(u32),
    /// It has several names, and another user may have made one of them.
    #[error(
        "is a hard link that another user may have made, and is not read: set the sysctl \
        fs.protected_hardlinks to 1"
    )]
    HardLink,
}

/// The beginning of the message about a file that is never searched.
pub const NEVER: &str = "is never searched, since it holds ";

impl From<FileError> for io::Error {
    fn from(error: FileError) -> io::Error {
        io::Error::other(error)
    }
}
