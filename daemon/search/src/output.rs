//! Where a search's results go.

/// The receiver is gone, or wants no more: the search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes the output any more")]
pub struct Stopped;

/// Takes what a search finds, in order. Blocking here is how a slow reader slows the search.
pub trait Output {
    /// Takes whole lines, ready to print, each with its end, a newline or with `-z` a NUL byte: up
    /// to about [`OUTPUT_BYTES`] of them, or one longer line. The bytes are the output's own, so
    /// that it can pass them on without a copy.
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped>;

    /// Takes a part of a line longer than 4 MiB, but for its last, which comes with the next
    /// [`Output::lines`], at once. So nobody has to hold such a line as a whole. An output that
    /// only puts one after the other does not care.
    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.lines(bytes)
    }

    /// Takes whole lines that carry one time, in milliseconds since the Unix epoch, with
    /// [`Plan::by_time`](crate::Plan::by_time) in the place of [`Output::lines`]: at least one
    /// line, formatted alike, up to about [`OUTPUT_BYTES`] or one longer line. The times never go
    /// back. Lines before the first time in their file have [`NO_TIME`], which is before every
    /// other.
    ///
    /// Where lines are printed with context, no bytes at all are a mark: what follows is a group of
    /// its own, to be separated from what was before, if anything was. Context has the time of the
    /// line that it is printed with.
    ///
    /// An output that does not care for times takes them for lines.
    fn timed(&mut self, milliseconds: i64, bytes: &[u8]) -> Result<(), Stopped> {
        let _ = milliseconds;
        self.lines(bytes.to_vec())
    }

    /// So many more bytes were read. Called often, so do little.
    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        let _ = bytes;
        Ok(())
    }

    /// Takes a message for standard error, without newline, such as `/var/log/x: Permission
    /// denied`. The machine is not named.
    fn message(&mut self, text: String) -> Result<(), Stopped>;
}

/// The time of lines that have none, nor any line with one before them.
pub const NO_TIME: i64 = i64::MIN;

/// How many bytes of lines are gathered before they are handed to [`Output::lines`]. With the line
/// that goes beyond, and what a frame adds, that is not more than 128 KiB: one byte more, and the
/// allocator gives 160.
pub const OUTPUT_BYTES: usize = 120 * 1024;
