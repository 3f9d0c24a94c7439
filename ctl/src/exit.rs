//! How a command ends: the exit statuses, and the one line that says why.

use memberd_control::message::{Refusal, RefusalKind};

use crate::format;

/// The exit statuses of every command but grep. They never change: scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or nothing had to be done.
    Done = 0,
    /// It could not be done.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// The daemon cannot be reached, or went away.
    Unreachable = 4,
    /// The caller may not do that.
    NotPermitted = 5,
    /// The daemon speaks another version of the control protocol.
    Version = 6,
    /// The time limit passed, as in timeout(1).
    TimedOut = 124,
}

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Whoever read standard output has had enough. This counts as success.
    #[error("standard output was closed")]
    OutputClosed,
    /// The daemon is not in a group, and the command needs one.
    #[error("not in a group: memberctl join")]
    NotInGroup,
    /// Another program has failed, and has said why on standard error.
    #[error("see what was said above")]
    Said,
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

    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// The exit status of every command but grep.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::OutputClosed => Exit::Done,
            Failure::NotInGroup | Failure::Said => Exit::Failed,
            Failure::Stated { exit, .. } => *exit,
        }
    }

    /// Writes the line on standard error, unless there is nothing to say.
    pub(crate) fn report(&self) {
        if !matches!(self, Failure::OutputClosed | Failure::Said) {
            complain(&self.to_string());
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
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

/// Writes one line on standard error. When even that is impossible there is nobody left to tell.
pub(crate) fn complain(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "memberctl: {}", format::printable(line));
}
