//! Where a search's results go.

/// The receiver is gone, or wants no more: the search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes the output any more")]
pub struct Stopped;

/// Takes what a search finds, in order. Blocking here is how a slow reader slows the search.
pub trait Output {
    /// Takes whole lines, ready to print, each with its end, a newline or with `-z` a NUL byte: up to about [`CHUNK_BYTES`] of them, or one longer line.
    fn lines(&mut self, bytes: &[u8]) -> Result<(), Stopped>;

    /// Takes a message for standard error, without newline, such as `/var/log/x: Permission denied`. The machine is not named.
    fn message(&mut self, text: String) -> Result<(), Stopped>;
}

/// How many bytes of lines are gathered before they are handed to [`Output::lines`].
pub const CHUNK_BYTES: usize = 64 * 1024;
