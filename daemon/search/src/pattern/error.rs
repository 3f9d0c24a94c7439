//! The errors of patterns, with GNU grep's texts.

/// Why a pattern was refused. The texts up to [`PatternError::TooBig`] are GNU grep's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A bracket expression without its end.
    #[error("Unmatched [, [^, [:, [., or [=")]
    UnmatchedBracket,
    /// `\(`, or `(`, without its end.
    #[error("Unmatched ( or \\(")]
    UnmatchedOpenGroup,
    /// `\)` without its start.
    #[error("Unmatched ) or \\)")]
    UnmatchedCloseGroup,
    /// `\{` without its end.
    #[error("Unmatched \\{{")]
    UnmatchedInterval,
    /// `\{x\}`, `\{2,1\}`
    #[error("Invalid content of \\{{\\}}")]
    InvalidInterval,
    /// `[b-a]`
    #[error("Invalid range end")]
    InvalidRangeEnd,
    /// `[[:nonsense:]]`
    #[error("Invalid character class name")]
    InvalidClassName,
    /// `[[.nonsense.]]`, `[[=nonsense=]]`
    #[error("Invalid collation character")]
    InvalidCollation,
    /// `[:space:]`
    #[error("character class syntax is [[:space:]], not [:space:]")]
    ClassOutsideBrackets,
    /// A backslash at the end.
    #[error("Trailing backslash")]
    TrailingBackslash,
    /// A back-reference to a group that is not there, or not closed yet.
    #[error("Invalid back reference")]
    InvalidBackReference,
    /// A `[` at the end of the pattern.
    #[error("Invalid regular expression")]
    InvalidPattern,
    /// The pattern, a repetition, or the compiled pattern is larger than a limit. README.md lists
    /// the limits.
    #[error("Regular expression too big")]
    TooBig,
    /// The patterns together are longer than the limit in bytes.
    #[error("the patterns are longer than {limit} bytes together: give fewer or shorter ones")]
    TooLong {
        /// [`crate::MAX_PATTERN_BYTES`]
        limit: usize,
    },
    /// The regular expressions together are longer than the limit in bytes.
    #[error(
        "the regular expressions are longer than {limit} bytes together: give fewer or shorter \
        ones, or plain strings (-F)"
    )]
    ExpressionsTooLong {
        /// 64 KiB.
        limit: usize,
    },
    /// `-P` with more than one pattern.
    #[error("the -P option only supports a single pattern")]
    SeveralPerlPatterns,
    /// `-P` in UTF-8 with bytes that are not valid UTF-8.
    #[error("the pattern is not valid UTF-8")]
    PerlNotUtf8,
    /// PCRE2's text about a Perl pattern.
    #[error("{0}")]
    Perl(String),
    /// The engine refused what the pattern was translated to.
    #[error("the pattern cannot be searched for: {0}")]
    Engine(String),
}
