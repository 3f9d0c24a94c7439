//! What can be wrong with a pattern, in the words of GNU grep.

/// Why a pattern was refused. The words up to [`PatternError::TooBig`] are those that GNU grep
/// uses.
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
    /// More than the limits allow (README.md lists them): of the pattern, of a repetition, of what
    /// it compiles to.
    #[error("Regular expression too big")]
    TooBig,
    /// The patterns together are longer than the limit in bytes.
    #[error("the patterns are longer than {limit} bytes together: give fewer or shorter ones")]
    TooLong {
        /// [`crate::MAX_PATTERN_BYTES`]
        limit: usize,
    },
    /// `-P` with more than one pattern.
    #[error("the -P option only supports a single pattern")]
    SeveralPerlPatterns,
    /// `-P` in UTF-8, with bytes that are part of no character.
    #[error("the pattern is not valid UTF-8")]
    PerlNotUtf8,
    /// What PCRE2 says of a Perl pattern.
    #[error("{0}")]
    Perl(String),
    /// The engine refused what the pattern was translated to.
    #[error("the pattern cannot be searched for: {0}")]
    Engine(String),
}
