//! How a command ends: its exit status, and the line on standard error that says why.

use memberd_control::message::{RefusalKind, RequestRefusal};

use crate::format;

/// The exit statuses of every command but grep. They never change, since scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or nothing had to be done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The daemon cannot be reached, or has closed the connection.
    Unreachable = 4,
    /// The caller has no permission.
    NotPermitted = 5,
    /// The daemon speaks another version of the control protocol.
    Version = 6,
    /// The time limit has passed, as in timeout(1).
    TimedOut = 124,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The reader of standard output has closed it. This counts as success.
    #[error("standard output was closed")]
    OutputClosed,
    /// The daemon is not in a group, and the command needs one.
    #[error("not in a group: memberctl join, or join_on_start = true in the settings")]
    NotInGroup,
    /// Another program has failed, and has printed why on standard error.
    #[error("details were printed above")]
    Reported,
    /// Anything else.
    #[error("{message}")]
    Stated {
        /// The exit status.
        exit: Exit,
        /// What failed, on what, and what to do next, in one line.
        message: String,
    },
}

impl Failure {
    /// A failure with its line.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure::Stated { exit, message: message.into() }
    }

    /// Wrong usage, with its line.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// The exit status of every command but grep.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::OutputClosed => Exit::Done,
            Failure::NotInGroup | Failure::Reported => Exit::Failed,
            Failure::Stated { exit, .. } => *exit,
        }
    }

    /// Prints the line on standard error, if there is one.
    pub(crate) fn report(&self) {
        if !matches!(self, Failure::OutputClosed | Failure::Reported) {
            print_message(&self.to_string());
        }
    }
}

impl From<RequestRefusal> for Failure {
    fn from(refusal: RequestRefusal) -> Failure {
        let exit = match refusal.kind {
            RefusalKind::NotInGroup => return Failure::NotInGroup,
            RefusalKind::Failed => Exit::Failed,
            RefusalKind::NotPermitted => Exit::NotPermitted,
            RefusalKind::Usage => Exit::Usage,
            RefusalKind::TimedOut => Exit::TimedOut,
            RefusalKind::Version => Exit::Version,
        };
        Failure::new(exit, refusal.message)
    }
}

/// Prints one line on standard error. An error is ignored, since there is no place to report it.
pub(crate) fn print_message(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "memberctl: {}", format::printable(line));
}
