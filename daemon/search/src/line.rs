//! A line to be printed, and the limits on the length of lines.

/// The longest line that is searched, in bytes, with its context. The search of a file ends with a
/// message at a longer one.
pub const MAX_LINE_BYTES: usize = 128 * 1024 * 1024;

/// Longer lines are printed in parts, and few of them are in memory at a time. In bytes.
pub(crate) const LONG_LINE_BYTES: usize = 4 * 1024 * 1024;

/// Longer lines are not printed as JSON, because the positions of their matches could take twenty
/// times as much. In bytes.
pub(crate) const MAX_JSON_LINE: usize = 1024 * 1024;

/// What a line is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It was selected: `:`.
    Selected,
    /// It is near one that was: `-`.
    Context,
}

/// A line to be printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'b> {
    /// With or without its end.
    pub(crate) bytes: &'b [u8],
    /// Counted from 1; present if wanted.
    pub(crate) number: Option<u64>,
    /// Where it begins in the file, in bytes.
    pub(crate) offset: u64,
    pub(crate) role: Role,
}
