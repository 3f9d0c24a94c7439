//! The errors of globs.

/// Why a glob was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// It does not begin with `/`.
    #[error("{glob}: not an absolute path: begin it with /")]
    NotAbsolute {
        /// As written.
        glob: String,
    },
    /// It has `.` or `..` as a component, or no component at all.
    #[error("{glob}: write the path out, without . or .., to a file")]
    NotPlain {
        /// As written.
        glob: String,
    },
    /// It is not a valid glob.
    #[error("{glob}: {reason}")]
    Syntax {
        /// As written.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its braces stand for too many globs.
    #[error("{glob}: its braces stand for more than 256 globs: write fewer")]
    TooManyBraces {
        /// As written.
        glob: String,
    },
    /// It is no directory into which links may lead.
    #[error("{path}: write an absolute path below /, without . or ..")]
    NotDirectory {
        /// As written.
        path: String,
    },
    /// There are too many directories into which links may lead.
    #[error("more than {limit} directories: give fewer")]
    TooManyDirectories {
        /// The most directories that are accepted.
        limit: usize,
    },
    /// There are too many globs.
    #[error("more than {limit} globs: give fewer")]
    TooMany {
        /// The most globs that are accepted.
        limit: usize,
    },
}
