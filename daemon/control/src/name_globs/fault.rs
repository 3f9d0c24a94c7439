//! What can be wrong with a glob over names.

/// What is wrong with a glob's syntax.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A `[` without its `]`.
    #[error("unclosed character class; missing ']'")]
    UnclosedClass,
    /// A `{` without its `}`.
    #[error("unclosed alternate group; missing '}}' (write '[{{]' for the character)")]
    UnclosedGroup,
    /// A `}` without its `{`.
    #[error("unopened alternate group; missing '{{' (write '[}}]' for the character)")]
    UnopenedGroup,
    /// A range whose end comes before its beginning.
    #[error("invalid range; its end comes before its beginning")]
    Range,
    /// A `\` with nothing behind it.
    #[error("dangling '\\'")]
    DanglingEscape,
    /// Too many braces in one another.
    #[error("more than {0} braces in one another")]
    Depth(usize),
    /// A range of which one end alone is padded, or is padded to another width.
    #[error("'{first}' and '{last}' have different padding: give both as many digits, or no zeros")]
    Padding {
        /// The beginning of the range.
        first: String,
        /// Its end.
        last: String,
    },
    /// A step of 0.
    #[error("a step of 0")]
    Step,
    /// A number with too many digits.
    #[error("a number with more than {0} digits")]
    Digits(usize),
    /// Digits that could be numbers or characters.
    #[error(
        "'{0}' is neither clearly numbers nor characters: write numbers as [1-3,10-12], and each \
         character once, as [0-9]"
    )]
    Unclear(String),
    /// A comma between brackets with other things than numbers.
    #[error("a comma between brackets needs numbers around it: write {{web,db}} for texts")]
    Comma,
    /// Two points between braces without numbers around them.
    #[error(
        "'..' between braces needs one number on each side, as in {{1..9}}: write [1-3,7] for \
         several ranges, and [a-c] for characters"
    )]
    Points,
}
